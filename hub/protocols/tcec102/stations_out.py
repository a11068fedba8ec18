"""Stations for T/CEC 102 homes: pages of what can be told, and the list of what cannot.

A home reads page after page, so the first page decides which stations there are, and the pages behind it show
those. A station is translated once and kept until it changes; how it is told to one home is added to that.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.memory import Memory
from hub.directory.service import DirectoryService
from hub.directory.service_tariffs import tariff_of
from hub.directory.tables_search import tariffs_applying, versions_at
from hub.directory.tables_tariffs import ANY
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
    """A station as it was at `updated_at`; None: it cannot be told."""

    updated_at: datetime
    info: StationInfo | None


class _Listed(NamedTuple):
    """A station of a walk, with its prices for the home that reads."""

    key: Key
    fees: Fees


class _Walk(NamedTuple):
    """What a home is reading page by page; of one home only the last list it began is kept."""

    since: datetime | None
    listed: list[_Listed]


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
        self._walks: Memory[str, _Walk] = Memory(WALK)

    async def page(
        self, reader: Reader, hosts: Collection[str], since: datetime | None, *, number: int, size: int
    ) -> Page:
        """Page `number`, from 1, of all stations of these hosts, or of what is new to the reader since
        an instant: changed stations, changed prices, stations of new partners."""
        now = self._clock.wall()
        walk = self._walks.get(reader.party_id, now)
        if number > 1 and walk is not None and walk.since == since:
            listed = walk.listed
        else:
            listed = await self._list(reader, hosts, since)
        self._walks.put(reader.party_id, _Walk(since, listed), now)
        shown = listed[(number - 1) * size : number * size]
        infos = await self._infos([one.key for one in shown])
        told = [
            towards(infos[one.key], one.fees, reader.profile, reader.operator_id)
            for one in shown
            if one.key in infos
        ]
        return len(listed), told

    async def gaps(self, hosts: Collection[str], profile: Profile | None = None) -> list[Unserved]:
        """The stations of these hosts that cannot be told; with a home's profile, those of their prices too."""
        found = []
        async for stations in self._stations(hosts):
            prices = await self._tariffs([_key(one) for one in stations], ANY) if profile is not None else {}
            for station in stations:
                missing = missing_of(station)
                if profile is not None:
                    missing += _untellable(prices.get(_key(station), {}), profile, self._clock.business())
                if missing:
                    found.append(Unserved(*_key(station), station.name, missing))
        return found

    async def names_of(self, station: Station, alias: str) -> Names:
        """The aliases of what stands at a station that is known by this one."""
        names = await self._names({_key(station): station})
        return names[_key(station)] or Names(alias, {}, {})

    async def _list(self, reader: Reader, hosts: Collection[str], since: datetime | None) -> list[_Listed]:
        begin, now = None if since is None else since - LATE, self._clock.business()
        listed = []
        async for stations in self._stations(hosts, reader.party_id, begin):
            told = await self._translate(stations)
            keys = [key for key, one in told.items() if one.info is not None]
            prices = await self._tariffs(keys, reader.party_id)
            listed += [
                _Listed(key, fees_of(prices[key]))
                for key in keys
                if not _untellable(prices[key], reader.profile, now)
            ]
        return listed

    async def _stations(
        self, hosts: Collection[str], home: str = ANY, since: datetime | None = None
    ) -> AsyncIterator[list[Station]]:
        # From the last one on, not by number: what is removed meanwhile must not hide another.
        after: Key | None = None
        while stations := await self._directory.stations_of(
            hosts, home=home, updated_since=since, after=after, limit=AT_ONCE
        ):
            yield stations
            after = _key(stations[-1])

    async def _infos(self, keys: Sequence[Key]) -> Mapping[Key, StationInfo]:
        """Translated stations; those that this process forgot, or never had, are translated again."""
        now, found, missing = self._clock.wall(), dict[Key, StationInfo](), []
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
        fresh: dict[Key, Station] = {}
        for station in stations:
            key = _key(station)
            known = self._translated.get(key, now)
            if known is not None and known.updated_at == station.updated_at:
                found[key] = known
            elif missing_of(station):
                found[key] = _Translated(station.updated_at, None)
            else:
                fresh[key] = station
        for key, names in (await self._names(fresh)).items():
            info = None if names is None else station_info(fresh[key], names)
            found[key] = _Translated(fresh[key].updated_at, info)
        for key, one in found.items():
            self._translated.put(key, one, now)
        return {_key(station): found[_key(station)] for station in stations}

    async def _names(self, stations: Mapping[Key, Station]) -> dict[Key, Names | None]:
        """The aliases of these stations; None for one that was removed before anybody was told of it."""
        if not stations:
            return {}
        living = [key for key, one in stations.items() if not one.removed]
        told = await self._aliases.known(Kind.STATION, [key for key, one in stations.items() if one.removed])
        told |= await self._aliases.of(Kind.STATION, living)
        standing = [(key, pile) for key, one in stations.items() for pile in one.piles]
        piles = await self._aliases.of(Kind.PILE, [pile_key(*key, pile.pile_id) for key, pile in standing])
        plugs = await self._aliases.of(
            Kind.CONNECTOR, [(key[0], plug.connector_id) for key, pile in standing for plug in pile.connectors]
        )
        return {
            key: None
            if key not in told
            else Names(
                told[key],
                {pile.pile_id: piles[pile_key(*key, pile.pile_id)] for pile in one.piles},
                {
                    plug.connector_id: plugs[key[0], plug.connector_id]
                    for pile in one.piles
                    for plug in pile.connectors
                },
            )
            for key, one in stations.items()
        }

    async def _tariffs(self, keys: Sequence[Key], home: str) -> dict[Key, dict[str, Tariff]]:
        """The versions in force at these stations for a home's drivers, by kind of pile."""
        if not keys:
            return {}
        now = self._clock.business()
        async with self._database.reading() as unit:
            names = await tariffs_applying(unit, keys, home=home, at=now)
            wanted = {(key[0], name) for key, by_kind in names.items() for name in by_kind.values() if name}
            rows = await versions_at(unit, sorted(wanted), now) if wanted else []
        versions = {(row["host_party_id"], row["tariff_id"]): tariff_of(row) for row in rows}
        return {
            key: {
                kind: versions[key[0], name]
                for kind, name in names.get(key, {}).items()
                if (key[0], name) in versions
            }
            for key in keys
        }


def _key(station: Station) -> Key:
    return station.party_id, station.station_id


def _untellable(by_kind: Mapping[str, Tariff], profile: Profile, now: datetime) -> tuple[str, ...]:
    """Why the standard cannot tell these prices, each reason once. An estimate is never told."""
    reasons = []
    for tariff in by_kind.values():
        if tariff.binding:
            try:
                policy_of(tariff, profile, now)
            except Untellable as problem:
                reasons.append(problem.reason)
    return tuple(dict.fromkeys(reasons))
