"""Imports station files: a few hundred stations per unit of work, so that nobody waits long for the database.

An import adds and changes, and removes nothing: a bad row must not take a good pile away. The same file again
changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError
from hub.directory import tables
from hub.directory.checks import host_for_update
from hub.directory.geo import DATUMS
from hub.directory.model import Change, Outcome, StoredStation, change_of
from hub.directory.station_files import HEADERS, ParsedFile, ParsedStation, WrongHeader, parse
from hub.parties.audit import AuditLog
from operator_sdk.contract.messages.admin import ImportProblem, ImportReport, StationImport
from operator_sdk.contract.messages.directory import Pile
from operator_sdk.contract.public_codes import Code

STATIONS_AT_ONCE = 200
PILES_AT_ONCE = 4_000

Progress = Callable[[int, int], None]
"""Called with stations done and stations in the file."""


@dataclass(slots=True)
class _Tally:
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    piles: int = 0
    connectors: int = 0
    problems: list[ImportProblem] = field(default_factory=list)

    def count(self, outcome: Outcome, piles: Sequence[Pile]) -> None:
        self.outcomes[outcome] += 1
        self.piles += len(piles)
        self.connectors += sum(len(pile.connectors) for pile in piles)

    def report(self) -> ImportReport:
        return ImportReport(
            stations=sum(self.outcomes.values()),
            piles=self.piles,
            connectors=self.connectors,
            created=self.outcomes[Outcome.CREATED],
            changed=self.outcomes[Outcome.CHANGED],
            unchanged=self.outcomes[Outcome.UNCHANGED],
            problems=sorted(self.problems, key=lambda problem: problem.line),
        )


class StationImporter:
    """Loads stations for a host, on behalf of staff."""

    def __init__(self, database: Database, clock: Clock, audit: AuditLog) -> None:
        self._database, self._clock, self._audit = database, clock, audit

    async def run(
        self, request: StationImport, *, actor: str, progress: Progress | None = None
    ) -> ImportReport:
        """Import what a message carries; see `run_bytes`."""
        return await self.run_bytes(
            request.csv.encode(),
            party_id=request.party_id,
            profile=request.profile,
            datum=request.datum,
            tariff_id=request.tariff_id,
            actor=actor,
            progress=progress,
        )

    async def run_bytes(
        self,
        data: bytes,
        *,
        party_id: str,
        profile: str,
        datum: str,
        tariff_id: str,
        actor: str,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import a file. Good rows are loaded although bad ones, which the report names, are not.

        Raises:
            NotFoundError: no such host.
            HubError: malformed, the header is not the profile's, or no such profile or datum.
        """
        if profile not in HEADERS or datum not in DATUMS:
            raise HubError(Code.MALFORMED, reason="no such profile or datum")
        async with self._database.unit() as unit:
            await host_for_update(unit, party_id)
        try:
            file = await asyncio.to_thread(parse, data, profile=profile, datum=datum, tariff_id=tariff_id)
        except WrongHeader as problem:
            raise HubError(Code.MALFORMED, reason=str(problem)) from problem
        tally = _Tally(problems=file.problems)
        done = 0
        for chunk in _chunks(file):
            async with self._database.unit() as unit:
                await self._load(unit, party_id, chunk, tally)
            done += len(chunk)
            if progress is not None:
                progress(done, len(file.stations))
        report = tally.report()
        await self._note(party_id, profile, datum, actor, report)
        return report

    async def _load(self, unit: Unit, party_id: str, chunk: Sequence[ParsedStation], tally: _Tally) -> None:
        await host_for_update(unit, party_id)
        stored = await tables.stored_stations(unit, [(party_id, one.station_id) for one in chunk])
        foreign = [
            plug.connector_id
            for one in chunk
            for pile in one.put.piles
            for plug in pile.connectors
            if not _stands_at(stored.get((party_id, one.station_id)), plug.connector_id)
        ]
        owners = await tables.connector_owners(unit, party_id, foreign)
        changes: dict[str, Change] = {}
        for one in chunk:
            piles = _own_piles(one, owners, tally)
            if not piles and one.put.piles:
                continue
            put = msgspec.structs.replace(one.put, piles=piles)
            change = change_of(stored.get((party_id, one.station_id)), put, whole=False)
            tally.count(change.outcome, piles)
            if change.outcome != Outcome.UNCHANGED:
                changes[one.station_id] = change
        await tables.write_changes(unit, party_id, changes, now=self._clock.business())

    async def _note(self, party_id: str, profile: str, datum: str, actor: str, report: ImportReport) -> None:
        async with self._database.unit() as unit:
            self._audit.note(
                unit,
                actor=actor,
                action="import_stations",
                subject=party_id,
                profile=profile,
                datum=datum,
                created=report.created,
                changed=report.changed,
                unchanged=report.unchanged,
                problems=len(report.problems),
            )


def _stands_at(stored: StoredStation | None, connector_id: str) -> bool:
    plug = stored.connectors.get(connector_id) if stored is not None else None
    return plug is not None and not plug.removed


def _own_piles(one: ParsedStation, owners: dict[str, str], tally: _Tally) -> list[Pile]:
    good = []
    for pile in one.put.piles:
        taken = [
            plug.connector_id
            for plug in pile.connectors
            if owners.get(plug.connector_id, one.station_id) != one.station_id
        ]
        if taken:
            reason = f"connector {taken[0]} belongs to station {owners[taken[0]]}"
            tally.problems.append(ImportProblem(line=one.lines[pile.pile_id], reason=reason))
        else:
            good.append(pile)
    return good


def _chunks(file: ParsedFile) -> Iterator[list[ParsedStation]]:
    chunk: list[ParsedStation] = []
    piles = 0
    for station in file.stations.values():
        if chunk and (len(chunk) >= STATIONS_AT_ONCE or piles + len(station.put.piles) > PILES_AT_ONCE):
            yield chunk
            chunk, piles = [], 0
        chunk.append(station)
        piles += len(station.put.piles)
    if chunk:
        yield chunk
