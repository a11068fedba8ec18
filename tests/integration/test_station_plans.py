"""A new host: PostgreSQL's statistics know only the others yet, and lists must not take seconds for it.

Nor must they where tables and indexes have grown far beyond what they hold.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from hub.core.database import Database, Unit
from hub.directory import tables, tables_lists, tables_relay, tables_search
from hub.directory.model import change_of
from hub.parties.tables import PartyRow
from operator_sdk.contract.messages.directory import Connector, Pile, StationPut
from tests.databases import fresh_database

NEW, OLD, GONE, HOME = "MA5AAAAA1", "MA5CCCCC3", "MA5DDDDD4", "MA5BBBBB2"
STATIONS, EACH = 80, 10
NAMES = [f"S{number}" for number in range(STATIONS)]
KEYS = [(NEW, name) for name in NAMES]
TABLES = ("station", "pile", "connector", "connector_status")
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)

Query = Callable[[Unit], Awaitable[Any]]


def station(number: int, plugs: int) -> StationPut:
    piles = [
        Pile(pile_id=name, kind="dc", rated_power_w=60_000, connectors=[Connector(connector_id=name)])
        for name in (f"{number}C{plug}" for plug in range(plugs))
    ]
    return StationPut(name="N", latitude_e6=1, longitude_e6=1, tariff_id="t", piles=piles)


def plugs_of(stations: int) -> list[str]:
    return [f"{number}C{plug}" for number in range(stations) for plug in range(EACH)]


PLUGS = plugs_of(STATIONS)


async def furnish(database: Database, host: str, stations: int) -> None:
    async with database.unit() as unit:
        unit.session.add(PartyRow(party_id=host, name=host, roles="host", protocol="native", created_at=NOW))
        await unit.session.flush()
        puts = {f"S{number}": station(number, EACH) for number in range(stations)}
        changes = {name: change_of(None, put, whole=True) for name, put in puts.items()}
        await tables.write_changes(unit, host, changes, now=NOW)
        await tables.write_statuses(unit, host, dict.fromkeys(plugs_of(stations), ("available", NOW)))


QUERIES: dict[str, Query] = {
    "equipment": lambda unit: tables_lists.equipment_of(unit, KEYS),
    "states": lambda unit: tables_lists.states_of(unit, NEW, connector_ids=[], station_ids=NAMES),
    "facts": lambda unit: tables_search.facts_of(unit, KEYS, fresh_from=NOW),
    "tariffs": lambda unit: tables_search.tariffs_applying(unit, KEYS, home=HOME, at=NOW),
    "stations": lambda unit: tables.stored_stations(unit, KEYS),
    "owners": lambda unit: tables.connector_owners(unit, NEW, PLUGS),
    "held": lambda unit: tables_relay.hold_states(unit, NEW, PLUGS),
}


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    async with fresh_database("postgresql", spoilt=True) as database:
        yield database


async def grow(database: Database) -> None:
    """Files for ten thousand connectors that are gone."""
    await furnish(database, GONE, 1000)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in (*TABLES, "party"):
            await connection.exec_driver_sql(f"DELETE FROM {table}")
        await connection.exec_driver_sql("ANALYZE")


@pytest.mark.integration
@pytest.mark.parametrize("grown", [False, True])
async def test_no_list_of_a_new_host_reads_all_of_it_for_each_of_its_stations(
    database: Database, *, grown: bool
) -> None:
    async with database.engine.begin() as connection:
        for table in TABLES:  # or it may look at some of them in the middle
            await connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    if grown:
        await grow(database)
    await furnish(database, OLD, 6)
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql(f"ANALYZE {', '.join(TABLES)}")
    await furnish(database, NEW, STATIONS)
    seen: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    for name, query in QUERIES.items():
        async with database.reading() as unit:
            seen.clear()
            await query(unit)
            connection = await unit.session.connection()
            for statement, parameters in seen.copy():
                explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
                plan = (await connection.exec_driver_sql(explained, parameters)).scalar_one()
                plan = json.loads(plan) if isinstance(plan, str) else plan
                assert sum(_thrown_away(plan[0]["Plan"])) < 10 * len(PLUGS), (name, json.dumps(plan))


def _thrown_away(node: dict[str, Any]) -> Iterator[int]:
    """Rows that each step of a plan read and did not want."""
    for word in ("Filter", "Join Filter"):
        yield node.get(f"Rows Removed by {word}", 0) * node["Actual Loops"]
    for inner in node.get("Plans", []):
        yield from _thrown_away(inner)
