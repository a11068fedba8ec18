"""Asks hosts that do not push for their stations: all of them once a night, what changed every few minutes, and
what their connectors do before it is forgotten.

When whom is due is a row, so any process may look; who claims the row asks. A host that fails is left alone for
longer and longer, and holds up no other.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from hub.core.clock import ZONE, Clock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.runner import each, keep_running
from hub.directory import tables_pulls
from hub.directory.keeping import Kept, StationKeeper, Told, gap_of
from hub.directory.model import STATUS_TTL_S
from hub.directory.service import DirectoryService
from hub.directory.tables_pulls import PullRow
from hub.parties.link import Capability, LinkError, LinkRefused, Links, PartyLink, PullPlan, StationGap
from operator_sdk.contract.messages.directory import StatusPush
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.pulls")

LOOK_EVERY_S = 5
AT_ONCE = 8
"""Hosts that one process asks at the same time."""

LEASE = timedelta(minutes=5)
"""After this long another process may ask; that two ask at once does no harm."""

NOT_ASKED = timedelta(minutes=1)
"""After this long it is looked again whether a party that is not asked for stations is now."""

BACKOFF_S, BACKOFF_MOST_S = 30, 3_600
OVERLAP = timedelta(minutes=5)
"""So much earlier than the last time are changes asked for: the host's clock is not ours."""

STATIONS_ASKED = 50
"""Stations whose connectors are asked about in one call (T/CEC 102.2, query_station_status)."""

STATUSES_AT_ONCE = 500


class PullReport(NamedTuple):
    """What came of asking a host: `kept` None when it was only asked about states; `problem` when it failed."""

    party_id: str
    complete: bool
    kept: Kept | None
    states: int
    problem: str | None


class HostGap(NamedTuple):
    """A station that a host told of and that cannot be kept, and since when it is known."""

    party_id: str
    gap: StationGap
    seen_at: datetime


class AskedHost(NamedTuple):
    """How asking a host went: when last, when last for everything, stations and gaps in the last answer."""

    party_id: str
    pulled_at: datetime | None
    full_at: datetime | None
    stations: int
    gaps: int
    failures: int
    problem: str | None
    note: str | None


class _Due(NamedTuple):
    complete: bool
    stations: bool
    states: bool


@dataclass(slots=True)
class _Came:
    """What has come of asking so far, and what is to be written of it."""

    kept: Kept | None = None
    states: int = 0
    problem: str | None = None
    values: dict[str, Any] = field(default_factory=dict)


class StationPulls:
    """Asks hosts that speak one of `protocols`, whose links can list stations and say when to ask."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        links: Links,
        directory: DirectoryService,
        protocols: Collection[str],
        status_ttl_s: int = STATUS_TTL_S,
    ) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._links, self._directory, self._protocols = links, directory, frozenset(protocols)
        self._keeper = StationKeeper(database, clock, directory)
        self._states_every = timedelta(seconds=status_ttl_s * 3 // 4)
        self._working: dict[str, asyncio.Task[Any]] = {}

    # When.

    async def run(self) -> None:
        """Ask whoever is due, until cancelled; a slow host keeps no other waiting."""
        try:
            await keep_running("station pulls", LOOK_EVERY_S, self._start_due)
        finally:
            for task in self._working.values():
                task.cancel()
            await asyncio.gather(*self._working.values(), return_exceptions=True)

    async def advance(self) -> list[PullReport | None]:
        """Ask everybody who is due now, one after the other."""
        return await each("station pulls", await self._due_hosts(), self._pull_due)

    async def _start_due(self) -> None:
        for party_id in await self._due_hosts():
            if party_id not in self._working and len(self._working) < AT_ONCE:
                task = asyncio.create_task(each("station pulls", [party_id], self._pull_due))
                self._working[party_id] = task
                task.add_done_callback(partial(self._ended, party_id))

    def _ended(self, party_id: str, task: "asyncio.Task[Any]") -> None:
        del self._working[party_id]
        if not task.cancelled():
            task.exception()  # logged by `each`; the lease is what keeps the host from being asked at once

    async def _due_hosts(self) -> list[str]:
        now, wall = self._clock.business(), self._clock.wall()
        async with self._database.reading() as unit:
            return await tables_pulls.due_hosts(unit, self._protocols, business=now, wall=wall)

    # What.

    async def _pull_due(self, party_id: str) -> PullReport | None:
        row, by = await self._claim(party_id)
        if row is None:
            return None
        now = self._clock.business()
        complete = row.since is None or row.full_due_at <= now
        due = _Due(
            complete, complete or _is_past(row.next_due_at, now), complete or _is_past(row.states_due_at, now)
        )
        return await self._pull(row, by, due, None)

    async def pull(self, party_id: str, *, complete: bool = False, told: Told | None = None) -> PullReport:
        """Ask a host now: for what changed since the last time, or for everything.

        Raises:
            NotFoundError: no such party.
            HubError: rule_violated, the host pushes; state_conflict, it is being asked already.
        """
        link = await self._links.of(party_id)
        if Capability.LIST_STATIONS not in link.capabilities or link.pull_plan() is None:
            raise HubError(Code.RULE_VIOLATED, reason="this party is not asked for stations")
        row, by = await self._claim(party_id, at_once=True)
        if row is None:
            raise HubError(Code.STATE_CONFLICT, reason="the party is being asked already")
        complete = complete or row.since is None
        return await self._pull(row, by, _Due(complete, True, True), told)

    async def gaps(self, party_id: str | None = None) -> list[HostGap]:
        """Stations that cannot be kept, of a host or of all."""
        async with self._database.reading() as unit:
            rows = await tables_pulls.page_of_gaps(unit, party_id)
        return [HostGap(row.host_party_id, gap_of(row.station_id, row.fields), row.seen_at) for row in rows]

    async def asked(self, party_id: str | None = None) -> list[AskedHost]:
        """The hosts that were ever asked, or one of them: when, and what came of it."""
        async with self._database.reading() as unit:
            rows = await tables_pulls.page_of_pulls(unit, party_id)
        return [
            AskedHost(
                row.party_id,
                row.pulled_at,
                row.full_at,
                row.stations,
                row.gaps,
                row.failures,
                row.problem,
                row.note,
            )
            for row in rows
        ]

    async def _claim(self, party_id: str, *, at_once: bool = False) -> tuple[PullRow | None, str]:
        wall, by = self._clock.wall(), f"pull:{self._ids.digits(12)}"
        async with self._database.unit() as unit:
            row = await tables_pulls.claim_pull(
                unit,
                party_id,
                by=by,
                until=wall + LEASE,
                business=self._clock.business(),
                wall=wall,
                at_once=at_once,
            )
        return row, by

    async def _pull(self, row: PullRow, by: str, due: _Due, told: Told | None) -> PullReport:
        came = _Came()
        try:
            await self._ask(row, due, told, came)
        except (LinkError, HubError) as failure:
            came.problem = _in_words(failure)
            came.values |= self._failed(row, came.problem)
        except asyncio.CancelledError:
            await self._end(row, by, {})  # this process is going: whoever comes next may ask at once
            raise
        for odd in (came.problem, came.kept and came.kept.note):
            if odd is not None:
                log.warning("stations of %s: %s", row.party_id, odd)
        await self._end(row, by, came.values)
        return PullReport(row.party_id, due.complete, came.kept, came.states, came.problem)

    async def _ask(self, row: PullRow, due: _Due, told: Told | None, came: _Came) -> None:
        begun, link = self._clock.business(), await self._links.of(row.party_id)
        plan = link.pull_plan()
        if Capability.LIST_STATIONS not in link.capabilities or plan is None:
            came.values["held_until"] = self._clock.wall() + NOT_ASKED
            return
        if due.stations:
            came.kept = await self._ask_stations(row, link, due, told)
            came.values |= _kept_values(came.kept, plan, begun, complete=due.complete)
        if due.states and Capability.CONNECTOR_STATUS in link.capabilities:
            await self._ask_states(row.party_id, link, told, came)
            came.values["states_due_at"] = begun + self._states_every
        came.values |= {"failures": 0, "problem": came.problem and came.problem[:200]}

    async def _end(self, row: PullRow, by: str, values: Mapping[str, Any]) -> None:
        async with self._database.unit() as unit:
            await tables_pulls.end_pull(unit, row.party_id, by=by, **values)

    async def _ask_stations(self, row: PullRow, link: PartyLink, due: _Due, told: Told | None) -> Kept:
        if told is not None:
            told("asking", 0, 0)
        pulled = await link.list_stations(None if due.complete else row.since)
        return await self._keeper.keep(row.party_id, pulled, complete=due.complete, told=told)

    async def _ask_states(self, host: str, link: PartyLink, told: Told | None, came: _Came) -> None:
        async with self._database.reading() as unit:
            plugs = await tables_pulls.connectors_by_station(unit, host)
        for number, names in enumerate(asked := list(_asked(plugs)), 1):
            try:
                statuses = await link.connector_status(names)
            except LinkRefused as refusal:
                came.problem = refusal.reason  # it has decided: asked again in its time, and for the rest
                continue
            for first in range(0, len(statuses), STATUSES_AT_ONCE):
                push = StatusPush(statuses=statuses[first : first + STATUSES_AT_ONCE])
                came.states += (await self._directory.push_status(host, push)).written
            if told is not None:
                told("states", number, len(asked))

    def _failed(self, row: PullRow, problem: str) -> dict[str, Any]:
        failures = row.failures + 1
        wait_s = min(BACKOFF_S << min(failures - 1, 10), BACKOFF_MOST_S)
        held_until = self._clock.wall() + timedelta(seconds=wait_s)
        return {"failures": failures, "problem": problem[:200], "held_until": held_until}


def _kept_values(kept: Kept, plan: PullPlan, begun: datetime, *, complete: bool) -> dict[str, Any]:
    every = timedelta(seconds=plan.incremental_s)
    values: dict[str, Any] = {
        "pulled_at": begun,
        "since": begun - OVERLAP,
        "next_due_at": begun + every if every else None,
        "stations": kept.stations,
        "changed": kept.changed,
        "removed": kept.removed,
        "gaps": kept.gaps,
    }
    if complete:
        values |= {"full_at": begun, "note": kept.note and kept.note[:200]}
        values["full_due_at"] = next_minute(begun, plan.full_minute)
    return values


def next_minute(after: datetime, minute: int) -> datetime:
    """When a minute of the hub's business day comes next."""
    local = after + ZONE
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) - ZONE
    due = midnight + timedelta(minutes=minute)
    return due if due > after else due + timedelta(days=1)


def _asked(plugs: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Connectors in the order of their stations, those of some whole stations at a time."""
    stations = list(plugs.values())
    for first in range(0, len(stations), STATIONS_ASKED):
        yield [name for names in stations[first : first + STATIONS_ASKED] for name in names]


def _is_past(due: datetime | None, now: datetime) -> bool:
    return due is not None and due <= now


def _in_words(failure: LinkError | HubError) -> str:
    if isinstance(failure, LinkError):
        return failure.reason
    if isinstance(failure, NotFoundError):
        return "no link to this party"
    return f"{failure.code}: {failure.details.get('reason', '')}"
