"""Stations for T/CEC 102 homes: pages of what can be told, and the list of what cannot.

A home reads page after page, so the first page decides which stations there are, and the pages behind it show
those. A station is translated once and kept until it changes; how it is told to one home is added to that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.memory import Memory
from hub.directory.service import DirectoryService
from hub.directory.service_tariffs import tariff_of
from hub.directory.tables_search import tariffs_applying, versions_at
from hub.protocols.tcec102.aliases import Aliases, Kind, pile_key
from hub.protocols.tcec102.tables_aliases import Key
from hub.protocols.tcec102.translate_out import Untellable, policy_of
from hub.protocols.tcec102.translate_stations_out import (
    Fees,
    Names,
    fees_of,
    missing_of,
    station_info,
    towards,
)
from operator_sdk.contract.messages.directory import Station, Tariff
from operator_sdk.contract.tcec102.messages import StationInfo
from operator_sdk.contract.tcec102.profile import Profile

WALK = timedelta(minutes=2)
"""How long after the last page the next one shows the same list."""

TRANSLATED = timedelta(hours=2)
"""So long a translated station is kept; one that changed is translated anew at once."""

LATE = timedelta(minutes=1)
"""What changed is written a moment after the time it carries: a list `since` looks back this much further."""

AT_ONCE = 250
"""Stations translated together."""


class Unserved(NamedTuple):
    """A station that T/CEC 102 homes are not told of, and what is missing, by the standard's names."""

    party_id: str
    station_id: str
    name: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """A home that reads the list; `operator_id` is the hub's own towards it."""

    party_id: str
    profile: Profile
    operator_id: str


class _Translated(NamedTuple):
    """A station as it was at `updated_at`: translated, or what it lacks."""

    updated_at: datetime
    missing: tuple[str, ...]
    info: StationInfo | None


class _Listed(NamedTuple):
    """A station of a walk, with its prices for the home that reads."""

    key: Key
    fees: Fees


Page = tuple[int, list[StationInfo]]
"""How many stations there are in all, and those of the page."""


class StationsOut:
    """Lists stations."""

    def __init__(
        self, database: Database, clock: Clock, *, directory: DirectoryService, aliases: Aliases
    ) -> None:
        self._database, self._clock = database, clock
        self._directory, self._aliases = directory, aliases
        self._translated: Memory[Key, _Translated] = Memory(TRANSLATED)
        self._walks: Memory[tuple[str, datetime | None], list[_Listed]] = Memory(WALK)

    async def page(
        self, reader: Reader, hosts: Collection[str], since: datetime | None, *, number: int, size: int
    ) -> Page:
        """Page `number`, from 1, of all stations of these hosts, or of those that changed since an instant."""
        walk = (reader.party_id, since)
        now = self._clock.wall()
        listed = self._walks.get(walk, now) if number > 1 else None
        if listed is None:
            listed = await self._list(reader, hosts, since)
        self._walks.put(walk, listed, now)
        shown = listed[(number - 1) * size : number * size]
        infos = await self._infos([one.key for one in shown])
        told = [
            towards(infos[one.key], one.fees, reader.profile, reader.operator_id)
            for one in shown
            if one.key in infos
        ]
        return len(listed), told

    async def gaps(self, hosts: Collection[str], profile: Profile | None = None) -> list[Unserved]:
        """The stations of these hosts that cannot be told, with a home's profile also for the prices they have."""
        found = []
        for offset in await self._offsets(hosts, None):
            _, stations = await self._directory.stations_of(hosts, offset=offset, limit=AT_ONCE)
            prices = await self._tariffs([_key(one) for one in stations], None) if profile is not None else {}
            for station in stations:
                missing = missing_of(station)
                if profile is not None:
                    missing += self._untellable(prices.get(_key(station), {}), profile)
                if missing:
                    found.append(Unserved(*_key(station), station.name, missing))
        return found

    async def _list(
        self, reader: Reader, hosts: Collection[str], since: datetime | None
    ) -> list[_Listed]:
        begin = None if since is None else since - LATE
        keys: list[Key] = []
        for offset in await self._offsets(hosts, begin):
            _, stations = await self._directory.stations_of(
                hosts, updated_since=begin, offset=offset, limit=AT_ONCE
            )
            told = await self._translate(stations)
            keys += [key for key, one in told.items() if one.info is not None]
        listed = []
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            prices = await self._tariffs(some, reader.party_id)
            listed += [
                _Listed(key, fees_of(prices.get(key, {})))
                for key in some
                if not self._untellable(prices.get(key, {}), reader.profile)
            ]
        return listed

    async def _offsets(self, hosts: Collection[str], since: datetime | None) -> range:
        total, _ = await self._directory.stations_of(hosts, updated_since=since, limit=0)
        return range(0, total, AT_ONCE)

    async def _infos(self, keys: Sequence[Key]) -> Mapping[Key, StationInfo]:
        """Translated stations; those that this process forgot, or never had, are translated again."""
        now, found, missing = self._clock.wall(), {}, []
        for key in keys:
            known = self._translated.get(key, now)
            if known is None:
                missing.append(key)
            elif known.info is not None:
                found[key] = known.info
        stations = [await self._directory.get_station(*key) for key in missing]
        again = await self._translate(stations)
        return found | {key: one.info for key, one in again.items() if one.info is not None}

    async def _translate(self, stations: Sequence[Station]) -> dict[Key, _Translated]:
        now = self._clock.wall()
        found: dict[Key, _Translated] = {}
        fresh: list[Station] = []
        for station in stations:
            key = _key(station)
            known = self._translated.get(key, now)
            if known is not None and known.updated_at == station.updated_at:
                found[key] = known
            elif missing := missing_of(station):
                found[key] = _Translated(station.updated_at, missing, None)
            else:
                fresh.append(station)
                found[key] = _Translated(station.updated_at, (), None)  # in its place; filled below
        for station, names in (await self._names(fresh)).items():
            found[_key(station)] = _Translated(station.updated_at, (), station_info(station, names))
        for key, one in found.items():
            self._translated.put(key, one, now)
        return found
