"""Keeps what a host said of its stations when it was asked: tariffs, then stations, then what is there no more.

A few hundred stations are one unit of work. What cannot be kept as it came is a gap for staff to see, and what
is stored of such a station stays.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.directory import tables, tables_pulls
from hub.directory.checks import host_for_update
from hub.directory.model import (
    Change,
    DirectoryProblem,
    Outcome,
    change_of,
    check_station,
    check_text,
    removal_of,
)
from hub.directory.service_tariffs import TariffService, tariff_of
from hub.parties.link import UNREAD, PulledStations, StationGap
from operator_sdk.contract.messages.directory import StationId, StationPut, TariffPut
from operator_sdk.contract.pricing import published

STATIONS_AT_ONCE = 200
PILES_AT_ONCE = 4_000
GAP_ID_MOST = 80
_PUT, _STATION_ID = msgspec.json.Decoder(StationPut), msgspec.json.Decoder(StationId)

Told = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is, and of how much."""

Named = tuple[str, StationPut]


class Kept(NamedTuple):
    """What became of an answer: stations it named, how many of them were news, removed ones, gaps, a note."""

    stations: int
    changed: int
    removed: int
    gaps: int
    note: str | None


@dataclass(slots=True)
class _Work:
    """One answer on its way into the directory."""

    host: str
    told: Told | None
    total: int = 0
    done: int = 0
    changed: int = 0
    tariffs: frozenset[str] = frozenset()
    whole: set[str] = field(default_factory=set)
    gaps: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def step(self, stations: int) -> None:
        self.done = min(self.done + stations, self.total)
        if self.told is not None:
            self.told("stations", self.done, self.total)


class StationKeeper:
    """Writes answers of hosts."""

    def __init__(self, database: Database, clock: Clock, tariffs: TariffService) -> None:
        self._database, self._clock, self._tariffs = database, clock, tariffs

    async def keep(
        self, host: str, pulled: PulledStations, *, complete: bool, told: Told | None = None
    ) -> Kept:
        """Keep an answer. Known stations that a complete one does not name become tombstones; where it names
        less than half of them, or has some that nobody can tell, none is removed, and the note says so.

        Raises:
            NotFoundError: no such host.
        """
        work = _Work(host, told, total=len(pulled.stations))
        for gap in pulled.gaps:
            work.gaps[_shown(gap.station_id)] = gap.missing
        sound = list(_sound(pulled.stations, work))
        refused = await self._publish(host, pulled.tariffs)
        async with self._database.reading() as unit:
            named = {put.tariff_id for _, put in sound}
            known = await tables_pulls.newest_tariffs(unit, host, named)
        work.tariffs = frozenset(known)
        moved = await self._write_all(work, sound)
        named_ids = {station_id for station_id, _ in sound} | work.gaps.keys()
        removed, note = await self._remove(host, named_ids) if complete else (0, None)
        for station_id, _ in await self._write_all(work, moved):
            work.gaps[station_id] = ("a connector of another station",)
        await self._note_gaps(work, complete=complete and note is None)
        if refused and note is None:
            note = f"{len(refused)} tariffs were refused: {refused[0]}"
        return Kept(len(named_ids), work.changed, removed, len(work.gaps), note)

    async def _publish(self, host: str, tariffs: Mapping[str, TariffPut]) -> list[str]:
        """Publish what differs from the last version, as the next one from now on. Returns what was refused."""
        async with self._database.reading() as unit:
            newest = await tables_pulls.newest_tariffs(unit, host, tariffs)
        refused = []
        for tariff_id, put in tariffs.items():
            row = newest.get(tariff_id)
            version = 1
            if row is not None:
                stored = tariff_of(row)
                same_from = msgspec.structs.replace(put, valid_from=stored.valid_from)
                if stored == published(same_from, party_id=host, tariff_id=tariff_id, version=stored.version):
                    continue
                version = stored.version + 1
            begins = max(put.valid_from, self._clock.business()) if version > 1 else put.valid_from
            try:
                await self._tariffs.put_tariff(
                    host, tariff_id, version, msgspec.structs.replace(put, valid_from=begins)
                )
            except HubError as problem:
                refused.append(f"{tariff_id}: {problem.details.get('reason', problem.code)}")
        return refused

    async def _write_all(self, work: _Work, stations: Sequence[Named]) -> list[Named]:
        """Write stations; those with a connector that still stands at another station are given back."""
        moved: list[Named] = []
        for batch in _batches(stations):
            moved += await self._write(work, batch)
            work.step(len(batch))
        return moved

    async def _write(self, work: _Work, batch: Sequence[Named]) -> list[Named]:
        host, moved, changes = work.host, [], dict[str, Change]()
        async with self._database.unit() as unit:
            await host_for_update(unit, host)
            stored = await tables.stored_stations(unit, [(host, station_id) for station_id, _ in batch])
            plugs = [plug.connector_id for _, put in batch for pile in put.piles for plug in pile.connectors]
            owners = await tables.connector_owners(unit, host, plugs)
            for station_id, put in batch:
                if put.tariff_id not in work.tariffs:
                    work.gaps[station_id] = ("tariff",)
                elif any(owners.get(name, station_id) != station_id for name in _plugs(put)):
                    moved.append((station_id, put))
                else:
                    change = change_of(stored.get((host, station_id)), put, whole=True)
                    work.whole.add(station_id)
                    if change.outcome != Outcome.UNCHANGED:
                        changes[station_id] = change
            await tables.write_changes(unit, host, changes, now=self._clock.business())
        work.changed += len(changes)
        return moved

    async def _remove(self, host: str, named: Collection[str]) -> tuple[int, str | None]:
        async with self._database.reading() as unit:
            living = await tables_pulls.living_stations(unit, host)
        gone = [station_id for station_id in living if station_id not in named]
        if gone and any(station_id.startswith(UNREAD) for station_id in named):
            return 0, "a station could not be read at all: none was removed"
        if gone and len(named) * 2 < len(living):
            return 0, f"only {len(named)} stations were named and {len(living)} are known: none was removed"
        for first in range(0, len(gone), STATIONS_AT_ONCE):
            keys = [(host, station_id) for station_id in gone[first : first + STATIONS_AT_ONCE]]
            async with self._database.unit() as unit:
                await host_for_update(unit, host)
                stored = await tables.stored_stations(unit, keys)
                changes = {key[1]: removal_of(station) for key, station in stored.items()}
                await tables.write_changes(unit, host, changes, now=self._clock.business())
        return len(gone), None

    async def _note_gaps(self, work: _Work, *, complete: bool) -> None:
        now = self._clock.business()
        async with self._database.unit() as unit:
            known = await tables_pulls.gap_ids(unit, work.host)
            over = known - work.gaps.keys() if complete else known & work.whole - work.gaps.keys()
            await tables_pulls.forget_gaps(unit, work.host, over)
            rows = [
                {"host_party_id": work.host, "station_id": name, "fields": json.dumps(fields), "seen_at": now}
                for name, fields in sorted(work.gaps.items())
            ]
            await tables_pulls.put_gaps(unit, rows)


def _sound(stations: Sequence[Named], work: _Work) -> Iterator[Named]:
    """The stations that can be kept, the last of those with one id; the others become gaps."""
    owner: dict[str, str] = {}
    for station_id, put in dict(stations).items():
        problem = _problem(station_id, put)
        taken = next((name for name in _plugs(put) if name in owner), None)
        if problem is None and taken is not None:
            problem = f"connector {taken} is also named at station {owner[taken]}"
        if problem is not None:
            work.gaps[_shown(station_id)] = (problem[:200],)
            continue
        owner.update(dict.fromkeys(_plugs(put), station_id))
        yield station_id, put


def _problem(station_id: str, put: StationPut) -> str | None:
    """What is against the contract or the rules of the directory, or None."""
    try:
        _STATION_ID.decode(msgspec.json.encode(station_id))
        _PUT.decode(msgspec.json.encode(put))
        check_station(put)
        check_text(put.name, put.address)
    except (msgspec.ValidationError, DirectoryProblem) as problem:
        return str(problem)
    return None


def _plugs(put: StationPut) -> Iterator[str]:
    return (plug.connector_id for pile in put.piles for plug in pile.connectors)


def _shown(station_id: str) -> str:
    """A host's own id for a station, whatever it is made of, as it can be stored."""
    return "".join(one if one.isprintable() else "?" for one in station_id[:GAP_ID_MOST])


def _batches(stations: Sequence[Named]) -> Iterator[list[Named]]:
    batch: list[Named] = []
    piles = 0
    for one in stations:
        if batch and (len(batch) >= STATIONS_AT_ONCE or piles + len(one[1].piles) > PILES_AT_ONCE):
            yield batch
            batch, piles = [], 0
        batch.append(one)
        piles += len(one[1].piles)
    if batch:
        yield batch


def gap_of(station_id: str, fields: str) -> StationGap:
    """A gap as it was stored."""
    return StationGap(station_id, tuple(json.loads(fields)))
