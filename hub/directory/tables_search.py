"""The queries of a search: which stations, then all that a hit or a detail page shows of them at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.directory.distance import E6, E9, Place, cells_within
from hub.directory.geo import LONGITUDE_MOST_E6
from hub.directory.tables import ConnectorRow, ConnectorStatusRow, PileRow, StationRow, among
from hub.directory.tables_tariffs import VERSION, Where, applying
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import ConnectorState

Key = tuple[str, str]
"""(party, station)."""


Words = Mapping[str, Sequence[str]]
"""What a station's text must hold, each word with the parties that have it in their names."""

STATION, PARTY = table_of(StationRow), table_of(PartyRow)
PILE, PLUG, STATUS = table_of(PileRow), table_of(ConnectorRow), table_of(ConnectorStatusRow)


async def party_names(unit: Unit) -> dict[str, str]:
    """All parties' names."""
    rows = await unit.execute(select(PARTY.c.party_id, PARTY.c.name))
    return {row.party_id: row.name for row in rows}


async def keys_in_order(unit: Unit, words: Words, *, after: Key | None, count: int) -> list[Key]:
    """The stations that hold these words, by party and station."""
    key = STATION.c.host_party_id, STATION.c.station_id
    statement = select(*key).where(*_holding(words)).order_by(*key).limit(count)
    if after is not None:
        statement = statement.where(tuple_(*key) > tuple_(*after))
    return [(row.host_party_id, row.station_id) for row in await unit.execute(statement)]


async def keys_near(
    unit: Unit,
    words: Words,
    place: Place,
    *,
    radius: int | None,
    after: tuple[int, Key] | None,
    count: int,
) -> list[tuple[int, Key]]:
    """(squared distance, key) of the stations that hold these words, nearest first, within so many units."""
    conditions = _holding(words)
    cells = None if radius is None else cells_within(place, radius)
    if cells is not None:
        conditions.append(or_(*(STATION.c.cell.between(low, high) for low, high in cells)))
    near = _measured(place, conditions)
    order = near.c.squares, near.c.host_party_id, near.c.station_id
    statement = select(*order).order_by(*order).limit(count)
    if radius is not None:
        statement = statement.where(near.c.squares <= _big(radius * radius))
    if after is not None:
        last, (party_id, station_id) = after
        statement = statement.where(tuple_(*order) > tuple_(_big(last), literal(party_id), literal(station_id)))
    rows = await unit.execute(statement)
    return [(row.squares, (row.host_party_id, row.station_id)) for row in rows]


def _measured(place: Place, conditions: Sequence[ColumnElement[bool]]) -> Any:
    """Stations with `Place.squares_to` in SQL. No quotient is negative: engines round those in their own ways.

    OFFSET 0 keeps either planner from putting each step into the next, and computing it again for every use.
    """
    key = "host_party_id", "station_id"
    first = (
        select(
            *(STATION.c[name] for name in key),
            (STATION.c.latitude_e6 - _big(place.latitude_e6)).label("north"),
            func.abs(STATION.c.longitude_e6 - _big(place.longitude_e6), type_=BigInteger).label("apart"),
        )
        .where(*conditions)
        .offset(0)
        .subquery()
    )
    apart = first.c.apart
    short = case((apart > _big(LONGITUDE_MOST_E6), _big(2 * LONGITUDE_MOST_E6) - apart), else_=apart)
    cosine_e6 = (_big(place.cosine_e15) - _big(place.fall_e15) * first.c.north) // _big(E9)
    east = (short * cosine_e6 // _big(E6)).label("east")
    second = select(*(first.c[name] for name in key), first.c.north, east).offset(0).subquery()
    squares = second.c.north * second.c.north + second.c.east * second.c.east
    return select(*(second.c[name] for name in key), squares.label("squares")).offset(0).subquery()


def _big(value: int) -> ColumnElement[int]:
    return bindparam(None, value, type_=BigInteger())


def _holding(words: Words) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [~STATION.c.removed]
    for word, parties in words.items():
        in_text = STATION.c.search_text.contains(word, autoescape=True)
        conditions.append(or_(in_text, STATION.c.host_party_id.in_(parties)) if parties else in_text)
    return conditions


SUMS = ("total", "available", "ac", "dc", "max_power_w")


async def facts_of(unit: Unit, keys: Sequence[Key], *, fresh_from: datetime) -> dict[Key, Any]:
    """A row for each living station: its own facts, its party's name and what its connectors add up to."""
    station, plugs = STATION.c, _summed(unit, keys, fresh_from)
    own = station.host_party_id, station.station_id
    there = and_(plugs.c.host_party_id == station.host_party_id, plugs.c.station_id == station.station_id)
    sums = (func.coalesce(plugs.c[name], 0).label(name) for name in SUMS)
    statement = (
        select(
            *own, station.name, station.address, station.latitude_e6, station.longitude_e6,
            PARTY.c.name.label("party_name"), *sums,
        )
        .select_from(
            STATION.join(PARTY, PARTY.c.party_id == station.host_party_id).outerjoin(plugs, there)
        )
        .where(among(unit, own, keys), ~station.removed)
    )  # fmt: skip
    return {(row.host_party_id, row.station_id): row for row in await unit.execute(statement)}


def _summed(unit: Unit, keys: Sequence[Key], fresh_from: datetime) -> Any:
    """What the living connectors of each of these stations add up to.

    By itself, and told the keys again: joined with stations first, all connectors there are may be held against
    each of them while PostgreSQL's statistics know nothing of a new host.
    """
    power_w = case((PLUG.c.rated_power_w > 0, PLUG.c.rated_power_w), else_=PILE.c.rated_power_w)
    free = and_(STATUS.c.state == ConnectorState.AVAILABLE.value, STATUS.c.at >= fresh_from)
    key = PLUG.c.host_party_id, PLUG.c.station_id
    pile, status = _same(PILE, "station_id", "pile_id"), _same(STATUS, "connector_id")
    return (
        select(
            *key,
            func.count().label("total"),
            _count(free).label("available"),
            _count(PILE.c.kind == "ac").label("ac"),
            _count(PILE.c.kind == "dc").label("dc"),
            func.coalesce(func.max(power_w), 0).label("max_power_w"),
        )
        .select_from(PLUG.outerjoin(PILE, pile).outerjoin(STATUS, status))
        .where(among(unit, key, keys), ~PLUG.c.removed)
        .group_by(*key)
        .subquery()
    )


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _equipped() -> Any:
    """Stations with their party, and their living connectors where they have some."""
    plugged = and_(
        PLUG.c.host_party_id == STATION.c.host_party_id,
        PLUG.c.station_id == STATION.c.station_id,
        ~PLUG.c.removed,
    )
    joined = STATION.join(PARTY, PARTY.c.party_id == STATION.c.host_party_id).outerjoin(PLUG, plugged)
    return joined.outerjoin(PILE, _same(PILE, "station_id", "pile_id")).outerjoin(
        STATUS, _same(STATUS, "connector_id")
    )


def _same(other: Any, *names: str) -> ColumnElement[bool]:
    return and_(*(other.c[name] == PLUG.c[name] for name in ("host_party_id", *names)))


async def plugs_of(unit: Unit, key: Key) -> Sequence[Any]:
    """A living station and its connectors: a row for each, or one with nulls where it has none."""
    station = STATION.c
    statement = (
        select(
            station.name, station.address, station.latitude_e6, station.longitude_e6, station.updated_at,
            PARTY.c.name.label("party_name"), PLUG.c.connector_id, PILE.c.pile_id,
            PILE.c.kind, STATUS.c.state, STATUS.c.at, PLUG.c.rated_power_w.label("plug_power_w"),
            PILE.c.rated_power_w.label("pile_power_w"),
        )
        .select_from(_equipped())
        .where(station.host_party_id == key[0], station.station_id == key[1], ~station.removed)
        .order_by(PILE.c.pile_id, PLUG.c.connector_id)
    )  # fmt: skip
    return (await unit.execute(statement)).all()


async def tariffs_applying(
    unit: Unit, keys: Sequence[Key], *, home: str, at: datetime
) -> dict[Key, dict[str, str]]:
    """The tariff for a home's drivers at each station, by the kind of its piles; "" where it has none."""
    kinds = (
        select(
            STATION.c.host_party_id,
            STATION.c.station_id,
            STATION.c.tariff_id.label("own_tariff_id"),
            func.coalesce(PILE.c.kind, "").label("kind"),
        )
        .select_from(STATION.outerjoin(PILE, and_(_standing_there(), ~PILE.c.removed)))
        .where(among(unit, (STATION.c.host_party_id, STATION.c.station_id), keys))
        .distinct()
        .subquery()
    )
    place = kinds.c
    where = Where(place.host_party_id, place.station_id, place.kind, place.own_tariff_id)
    statement = select(
        place.host_party_id, place.station_id, place.kind, applying(where, home=home, at=at).label("tariff_id")
    )
    found: defaultdict[Key, dict[str, str]] = defaultdict(dict)
    for row in await unit.execute(statement):
        found[(row.host_party_id, row.station_id)][row.kind] = row.tariff_id
    return found


def _standing_there() -> ColumnElement[bool]:
    names = "host_party_id", "station_id"
    return and_(*(PILE.c[name] == STATION.c[name] for name in names))


async def versions_at(unit: Unit, tariffs: Iterable[tuple[str, str]], at: datetime) -> list[Any]:
    """For each of these (party, tariff) the greatest version that has begun by an instant, where one has."""
    newer = VERSION.alias("newer")
    greatest = (
        select(func.max(newer.c.version))
        .where(
            newer.c.host_party_id == VERSION.c.host_party_id,
            newer.c.tariff_id == VERSION.c.tariff_id,
            newer.c.valid_from <= at,
        )
        .scalar_subquery()
    )
    statement = select(VERSION).where(
        among(unit, (VERSION.c.host_party_id, VERSION.c.tariff_id), tariffs),
        VERSION.c.version == greatest,
    )
    return [row._mapping for row in await unit.execute(statement)]
