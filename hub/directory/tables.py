"""Rows of stations, piles, connectors and their status, and the queries on them.

All of it is public to every operator on the hub, so no query here takes a viewer.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    String,
    and_,
    bindparam,
    false,
    func,
    literal,
    or_,
    tuple_,
)
from sqlalchemy import select as select_columns
from sqlmodel import Field, SQLModel, col, select

from hub.core.database import Unit
from hub.core.tables import insert_for, table_of
from hub.core.types import TableRow, UtcDateTime, big, instant, text
from hub.directory.geo import cell_of
from hub.directory.model import (
    Change,
    ConnectorFacts,
    PileFacts,
    StationFacts,
    StoredStation,
    search_text,
)
from hub.directory.tables_tariffs import Where, applying
from hub.parties.tables import PartyRow

AT_ONCE = 1000
"""Keys in one IN list."""


class StationRow(TableRow, table=True):
    """A station; a removed one stays as a tombstone. `updated_at` moves with its piles and connectors.

    `search_text` is made of its name and address. `details`, here and below, are canonical JSON.
    """

    __tablename__ = "station"
    host_party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    station_id: str = Field(primary_key=True, max_length=40)
    name: str = Field(max_length=200)
    address: str = Field(max_length=200)
    latitude_e6: int
    longitude_e6: int
    cell: int = big(index=True)
    tariff_id: str = Field(max_length=64)
    removed: bool = False
    updated_at: datetime = instant()
    search_text: str = text()
    details: str | None = text(nullable=True)

    __table_args__ = (Index("station_updated", "updated_at", "host_party_id", "station_id"),)


class PileRow(TableRow, table=True):
    """A piece of equipment."""

    __tablename__ = "pile"
    host_party_id: str = Field(primary_key=True, max_length=9)
    station_id: str = Field(primary_key=True, max_length=40)
    pile_id: str = Field(primary_key=True, max_length=26)
    kind: str = Field(max_length=2)
    rated_power_w: int
    power_assumed: bool = False
    removed: bool = False
    details: str | None = text(nullable=True)

    __table_args__ = (
        ForeignKeyConstraint(["host_party_id", "station_id"], ["station.host_party_id", "station.station_id"]),
    )


class ConnectorRow(TableRow, table=True):
    """A plug; its id is the host's own and names it wherever it stands.

    `created_at` is when it was first described (None: before anybody noted it), `removed_at` when it was last
    taken away, in business time.
    """

    __tablename__ = "connector"
    host_party_id: str = Field(primary_key=True, max_length=9)
    connector_id: str = Field(primary_key=True, max_length=26)
    station_id: str = Field(max_length=40)
    pile_id: str = Field(max_length=26)
    rated_power_w: int
    removed: bool = False
    created_at: datetime | None = instant(nullable=True)
    removed_at: datetime | None = instant(nullable=True)
    details: str | None = text(nullable=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["host_party_id", "station_id", "pile_id"],
            ["pile.host_party_id", "pile.station_id", "pile.pile_id"],
        ),
        Index("connector_pile", "host_party_id", "station_id", "pile_id"),
    )


class ConnectorStatusRow(TableRow, table=True):
    """The newest state a host reported of a connector; `at` is the host's business time."""

    __tablename__ = "connector_status"
    host_party_id: str = Field(primary_key=True, max_length=9)
    connector_id: str = Field(primary_key=True, max_length=26)
    state: str = Field(max_length=12)
    at: datetime = instant()

    __table_args__ = (
        ForeignKeyConstraint(
            ["host_party_id", "connector_id"], ["connector.host_party_id", "connector.connector_id"]
        ),
    )


async def lock_host(unit: Unit, party_id: str) -> PartyRow | None:
    """A party, held until the unit ends, so that a host's descriptions are written one after another."""
    statement = select(PartyRow).where(PartyRow.party_id == party_id).with_for_update(key_share=True)
    return (await unit.session.exec(statement)).first()


async def stored_stations(unit: Unit, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], StoredStation]:
    """Stations by (party, station) with everything on them, tombstones included."""
    by_party: defaultdict[str, list[str]] = defaultdict(list)
    for party_id, station_id in keys:
        by_party[party_id].append(station_id)
    found: dict[tuple[str, str], StoredStation] = {}
    for party_id, station_ids in by_party.items():
        for batch in _batches(station_ids):
            statement = select(StationRow).where(
                StationRow.host_party_id == party_id, col(StationRow.station_id).in_(batch)
            )
            # Rows that this unit wrote since it last read them are read again.
            statement = statement.execution_options(populate_existing=True)
            some = {row.station_id: stored_station(row) for row in await unit.session.exec(statement)}
            await _add_equipment(unit, party_id, some)
            found.update({(party_id, station_id): stored for station_id, stored in some.items()})
    return found


def stored_station(row: StationRow) -> StoredStation:
    """A row as its facts, without its equipment."""
    facts = StationFacts(
        row.name, row.address, row.latitude_e6, row.longitude_e6, row.tariff_id, row.removed, row.details
    )
    return StoredStation(facts, row.updated_at)


async def _add_equipment(unit: Unit, party_id: str, stations: Mapping[str, StoredStation]) -> None:
    # Core rows: a page of the largest stations holds thousands of piles, and the ORM costs five times as much.
    connection = await unit.session.connection()
    pile, plug = table_of(PileRow).c, table_of(ConnectorRow).c
    keys = [(party_id, station_id) for station_id in stations]
    piles = select_columns(
        pile.station_id,
        pile.pile_id,
        pile.kind,
        pile.rated_power_w,
        pile.power_assumed,
        pile.removed,
        pile.details,
    ).where(among(unit, (pile.host_party_id, pile.station_id), keys))
    for station_id, pile_id, *facts in await connection.execute(piles):
        stations[station_id].piles[pile_id] = PileFacts(*facts)
    plugs = select_columns(
        plug.station_id, plug.connector_id, plug.pile_id, plug.rated_power_w, plug.removed, plug.details
    ).where(among(unit, (plug.host_party_id, plug.station_id), keys))
    for station_id, connector_id, *facts in await connection.execute(plugs):
        stations[station_id].connectors[connector_id] = ConnectorFacts(*facts)


async def connector_owners(unit: Unit, party_id: str, connector_ids: Iterable[str]) -> dict[str, str]:
    """The stations that a host's living connectors stand in, for those of these ids that exist."""
    owners: dict[str, str] = {}
    connection = await unit.session.connection()
    plug = table_of(ConnectorRow).c
    for batch in _batches(list(connector_ids)):
        statement = select_columns(plug.connector_id, plug.station_id).where(
            among(unit, (plug.host_party_id, plug.connector_id), [(party_id, one) for one in batch]),
            ~plug.removed,
        )
        owners.update((row[0], row[1]) for row in await connection.execute(statement))
    return owners


def among(unit: Unit, columns: tuple[Any, Any], keys: Iterable[tuple[str, str]]) -> ColumnElement[bool]:
    """Whether two columns, of a host and of an id of its own, are one of these pairs.

    On PostgreSQL the pairs are rows to join with. Of a host that is new its statistics say nothing, and the
    planner expects one row of it: told a host by itself, it reads everything there is of it for each id again.
    SQLite finds no index for pairs as they are.
    """
    party, column = columns
    by_party: defaultdict[str, list[str]] = defaultdict(list)
    for party_id, key in keys:
        by_party[party_id].append(key)
    if unit.dialect != "postgresql":
        return or_(false(), *(and_(party == party_id, column.in_(ids)) for party_id, ids in by_party.items()))
    parties = [party_id for party_id, ids in by_party.items() for _ in ids]
    texts = [key for ids in by_party.values() for key in ids]
    rows = (func.unnest(literal(column_of, ARRAY(String()))) for column_of in (parties, texts))
    return tuple_(party, column).in_(select_columns(*rows))


def _batches(keys: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))


async def write_changes(unit: Unit, party_id: str, changes: Mapping[str, Change], *, now: datetime) -> None:
    """Write what changed at a host's stations, by station id."""
    rows: defaultdict[type[SQLModel], list[dict[str, Any]]] = defaultdict(list)
    for station_id, change in changes.items():
        place = {"host_party_id": party_id, "station_id": station_id}
        station = change.station._asdict() | place | {"updated_at": now}
        station["cell"] = cell_of(change.station.latitude_e6, change.station.longitude_e6)
        station["search_text"] = search_text(change.station.name, change.station.address)
        rows[StationRow].append(station)
        rows[PileRow] += [{"pile_id": key, **place, **pile._asdict()} for key, pile in change.piles.items()]
        rows[ConnectorRow] += [
            {
                "connector_id": key,
                "created_at": now,
                "removed_at": now if plug.removed else None,
                **place,
                **plug._asdict(),
            }
            for key, plug in change.connectors.items()
        ]
    for model in (StationRow, PileRow, ConnectorRow):  # in the order of their foreign keys
        if rows[model]:
            connection = await unit.session.connection()
            await connection.execute(_upsert(unit, model), rows[model])


def _upsert(unit: Unit, model: type[SQLModel]) -> Any:
    statement = insert_for(unit, model)
    columns = table_of(model).columns
    kept = {"created_at", *(column.name for column in columns if column.primary_key)}
    return statement.on_conflict_do_update(
        index_elements=[column.name for column in columns if column.primary_key],
        set_={column.name: statement.excluded[column.name] for column in columns if column.name not in kept},
    )


async def write_statuses(unit: Unit, party_id: str, statuses: Mapping[str, tuple[str, datetime]]) -> set[str]:
    """Write (state, at) by connector where it is newer than what is stored; says which were."""
    if not statuses:
        return set()
    status, statement = table_of(ConnectorStatusRow).c, insert_for(unit, ConnectorStatusRow)
    fresh = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["host_party_id", "connector_id"],
        set_={"state": fresh.state, "at": fresh.at},
        where=status.at < fresh.at,
    ).returning(status.connector_id)
    rows = [
        {"host_party_id": party_id, "connector_id": key, "state": state, "at": at}
        for key, (state, at) in sorted(statuses.items())  # one order of locks for all
    ]
    # Rows beside the statement, not in it: put together anew each time, it costs more than the database.
    return set((await (await unit.session.connection()).execute(statement, rows)).scalars())


async def page_of_stations(
    unit: Unit,
    *,
    after: tuple[datetime, str, str] | None,
    updated_since: datetime | None,
    party_id: str | None,
    count: int,
) -> Sequence[Any]:
    """(updated_at, host_party_id, station_id) of stations in that order, tombstones included."""
    columns = table_of(StationRow).c
    place = (columns.updated_at, columns.host_party_id, columns.station_id)
    statement = select_columns(*place).order_by(*place).limit(count)
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after, types=[part.type for part in place]))
    if updated_since is not None:
        statement = statement.where(columns.updated_at >= updated_since)
    if party_id is not None:
        statement = statement.where(columns.host_party_id == party_id)
    return (await unit.execute(statement)).all()


async def find_connector(
    unit: Unit, party_id: str, connector_id: str, *, home: str, at: datetime
) -> Any | None:
    """A living connector with its pile, station, status (None when never reported) and tariff, as one row.

    `tariff_id` is the one that applies for the drivers of a home at an instant.
    """
    asked = {"party_id": party_id, "connector_id": connector_id, "home": home, "at": at}
    return (await (await unit.session.connection()).execute(_find_connector(), asked)).one_or_none()


@cache
def _find_connector() -> Any:
    """Put together once: that alone costs more than the query."""
    plug, pile, station = table_of(ConnectorRow), table_of(PileRow), table_of(StationRow)
    status = table_of(ConnectorStatusRow)
    where = Where(plug.c.host_party_id, plug.c.station_id, pile.c.kind, station.c.tariff_id)
    tariff = applying(where, home=bindparam("home", type_=String()), at=bindparam("at", type_=UtcDateTime()))
    return (
        select_columns(
            plug.c.station_id, plug.c.pile_id, pile.c.kind, station.c.name, station.c.address,
            status.c.state, status.c.at, plug.c.rated_power_w.label("plug_power_w"),
            pile.c.rated_power_w.label("pile_power_w"), tariff.label("tariff_id"),
        )
        .select_from(plug.join(pile).join(station).outerjoin(status))
        .where(
            plug.c.host_party_id == bindparam("party_id"),
            plug.c.connector_id == bindparam("connector_id"),
            ~plug.c.removed,
        )
    )  # fmt: skip
