"""Where can I charge? Stations near a place or by name, from the database's own index.

Every search asks the database: a station renamed, moved or removed is found as it is now, by whichever process.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import isqrt
from typing import Any, NamedTuple

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.memory import Memory
from hub.directory import tables_search
from hub.directory.distance import metres, place_at
from hub.directory.model import STATUS_TTL_S, search_text, state_now
from hub.directory.service_tariffs import tariff_of
from hub.directory.tables_search import Key, Words
from hub.directory.tables_tariffs import ANY
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.places import (
    ConnectorLive,
    KindCounts,
    KindTariff,
    StationDetail,
    StationHit,
    StationHits,
    StationQuery,
)
from operator_sdk.contract.pricing import period_at
from operator_sdk.contract.public_codes import Code

RADII = (45_000, 180_000)
"""5 and 20 km in units of 10^-6 degree: a search looks so far before it looks everywhere."""

WORDS_MOST = 8
_CURSOR = re.compile(r"[A-Za-z0-9_-]{8,300}")
_PARTY, _STATION = re.compile(r"[0-9A-Z]{9}"), re.compile(r"[A-Za-z0-9._-]{1,40}")
_SQUARES_MOST = 10**18

Found = tuple[int | None, Key]
"""(squared distance, where a place was named; the station)."""


ByKind = dict[str, Tariff]
"""The tariffs in force at a station, by the kind of its piles."""


class StationSearch:
    """Searches of the directory. Prices are those of `home`'s drivers; all else is the same for everybody."""

    def __init__(self, database: Database, clock: Clock, *, status_ttl_s: int = STATUS_TTL_S) -> None:
        self._database, self._clock, self._status_ttl_s = database, clock, status_ttl_s
        self._names: Memory[str, dict[str, str]] = Memory()

    async def search(self, query: StationQuery, *, home: str | None = None) -> StationHits:
        """A page of stations.

        Raises:
            HubError: malformed; half a place, text that no name has, or another list's cursor.
        """
        if (query.latitude_e6 is None) != (query.longitude_e6 is None):
            raise HubError(Code.MALFORMED, field="latitude_e6, longitude_e6", reason="both or none")
        words = _words_of(query.text)
        after = None if query.after is None else _decode(query.after, near=query.latitude_e6 is not None)
        async with self._database.reading() as unit:
            found = await self._find(unit, query, await self._with_parties(unit, words), after)
            page = found[: query.limit]
            now = self._clock.business()
            fresh_from = now - timedelta(seconds=self._status_ttl_s)
            keys = [key for _, key in page]
            facts = await tables_search.facts_of(unit, keys, fresh_from=fresh_from) if keys else {}
            tariffs = await _tariffs(unit, keys, home, now)
        hits = [_hit(squares, facts[key], _lowest(tariffs[key], now)) for squares, key in page]
        return StationHits(items=hits, next_after=_encode(page[-1]) if len(found) > query.limit else None)

    async def detail(self, party_id: str, station_id: str, *, home: str | None = None) -> StationDetail:
        """A living station with all its connectors' states and the tariffs in force.

        Raises:
            NotFoundError: no such station, or it was removed.
        """
        async with self._database.reading() as unit:
            rows = await tables_search.plugs_of(unit, (party_id, station_id))
            if not rows:
                raise NotFoundError
            now, key = self._clock.business(), (party_id, station_id)
            by_kind = (await _tariffs(unit, [key], home, now))[key]
        station, lowest = rows[0], _lowest(by_kind, now)
        return StationDetail(
            party_id=party_id,
            party_name=station.party_name,
            station_id=station_id,
            name=station.name,
            address=station.address,
            latitude_e6=station.latitude_e6,
            longitude_e6=station.longitude_e6,
            connectors=[self._live(party_id, row, now) for row in rows if row.connector_id is not None],
            tariff=lowest.tariff,
            price_now_micro=lowest.price_micro,
            electricity_micro=lowest.electricity_micro,
            service_micro=lowest.service_micro,
            updated_at=station.updated_at,
            tariffs=[KindTariff(kind=kind, tariff=by_kind[kind]) for kind in sorted(by_kind) if kind],
        )

    def _live(self, party_id: str, row: Any, now: datetime) -> ConnectorLive:
        return ConnectorLive(
            connector=connector_ref(party_id, row.connector_id),
            pile_id=row.pile_id,
            kind=row.kind,
            rated_power_w=row.plug_power_w or row.pile_power_w,
            state=state_now(row.state, row.at, now=now, ttl_s=self._status_ttl_s),
            state_at=row.at,
        )

    async def _with_parties(self, unit: Unit, words: list[str]) -> Words:
        if not words:
            return {}
        now = self._clock.wall()
        names = self._names.get("all", now)
        if names is None:
            names = {key: search_text(name) for key, name in (await tables_search.party_names(unit)).items()}
            self._names.put("all", names, now)
        return {word: [party for party, name in names.items() if word in name] for word in words}

    async def _find(self, unit: Unit, query: StationQuery, words: Words, after: Found | None) -> list[Found]:
        """One more than a page holds, where there are as many."""
        count = query.limit + 1
        if query.latitude_e6 is None or query.longitude_e6 is None:
            last = None if after is None else after[1]
            keys = await tables_search.keys_in_order(unit, words, after=last, count=count)
            return [(None, key) for key in keys]
        place = place_at(query.latitude_e6, query.longitude_e6)
        begin = None if after is None or after[0] is None else (after[0], after[1])
        seen = isqrt(begin[0]) if begin else 0
        near: list[tuple[int, Key]] = []
        for radius in (*(one for one in RADII if one > seen), None):
            near = await tables_search.keys_near(unit, words, place, radius=radius, after=begin, count=count)
            if len(near) == count:
                break
        return list(near)


async def _tariffs(unit: Unit, keys: Sequence[Key], home: str | None, now: datetime) -> dict[Key, ByKind]:
    """The versions in force at each of these stations; a kind without one is left out."""
    if not keys:
        return {}
    names = await tables_search.tariffs_applying(unit, keys, home=home or ANY, at=now)
    wanted = {(party_id, name) for (party_id, _), by_kind in names.items() for name in by_kind.values()}
    rows = await tables_search.versions_at(unit, sorted(wanted), now) if wanted else []
    versions = {(row["host_party_id"], row["tariff_id"]): tariff_of(row) for row in rows}
    found: dict[Key, ByKind] = {}
    for key in keys:
        by_kind = {kind: versions.get((key[0], name)) for kind, name in names[key].items()}
        found[key] = {kind: tariff for kind, tariff in by_kind.items() if tariff is not None}
    return found


class _Price(NamedTuple):
    """What a kWh costs now, in micro-yuan, and the tariff that says so; all None without one."""

    tariff: Tariff | None = None
    electricity_micro: int | None = None
    service_micro: int | None = None
    price_micro: int | None = None


def _lowest(by_kind: ByKind, now: datetime) -> _Price:
    prices = []
    for _, tariff in sorted(by_kind.items(), key=lambda item: item[0]):
        period, _ = period_at(tariff, now)
        micro = period.electricity_micro + period.service_micro
        prices.append((micro, _Price(tariff, period.electricity_micro, period.service_micro, micro)))
    return min(prices, key=lambda price: price[0])[1] if prices else _Price()


def _hit(squares: int | None, row: Any, lowest: _Price) -> StationHit:
    return StationHit(
        party_id=row.host_party_id,
        party_name=row.party_name,
        station_id=row.station_id,
        name=row.name,
        address=row.address,
        latitude_e6=row.latitude_e6,
        longitude_e6=row.longitude_e6,
        distance_m=None if squares is None else metres(squares),
        connectors_total=row.total,
        connectors_available=row.available,
        kinds=KindCounts(ac=row.ac, dc=row.dc),
        max_power_w=row.max_power_w,
        price_now_micro=lowest.price_micro,
        electricity_micro=lowest.electricity_micro,
        service_micro=lowest.service_micro,
    )


def _words_of(text: str) -> list[str]:
    """What is looked for, each word once.

    Raises:
        HubError: malformed.
    """
    if not text.isprintable():
        raise HubError(Code.MALFORMED, field="text", reason="control characters")
    words = list(dict.fromkeys(search_text(text).split()))
    if len(words) > WORDS_MOST:
        raise HubError(Code.MALFORMED, field="text", reason=f"at most {WORDS_MOST} words")
    return words


def _encode(place: Found) -> str:
    squares, key = place
    text = json.dumps([squares, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _decode(cursor: str, *, near: bool) -> Found:
    """What `_encode` was given, for a search of this kind.

    Raises:
        HubError: malformed.
    """
    try:
        if not _CURSOR.fullmatch(cursor):
            raise ValueError
        fields = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        match fields:
            case [squares, str(party_id), str(station_id)] if (
                _is_squares(squares, near=near)
                and _PARTY.fullmatch(party_id)
                and _STATION.fullmatch(station_id)
            ):
                return squares, (party_id, station_id)
    except (binascii.Error, ValueError, RecursionError):
        pass
    raise HubError(Code.MALFORMED, field="after", reason="not a cursor of this search")


def _is_squares(value: object, *, near: bool) -> bool:
    if not near:
        return value is None
    return type(value) is int and 0 <= value <= _SQUARES_MOST
