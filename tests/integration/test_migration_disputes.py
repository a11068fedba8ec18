"""Records that a home had refused before there were disputes are disputed by it, and so is their suspense."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.core.clock import ManualClock, SystemClock
from hub.core.database import Database
from hub.core.ids import SeededIds
from hub.core.types import UtcDateTime
from hub.migrations.run import migrate, sync_url
from hub.parties.scope import HUB
from hub.roaming.tables_disputes import DisputeRow
from hub.settings import Settings
from tests import databases
from tests.clearing_world import MIDNIGHT, NAMES, A, B
from tests.dispute_world import World
from tests.integration.test_migration_clearing import record

BEFORE = "0011"
IN_TIME, LATE = (f"rec_0198c0de-0000-7000-8000-00000000000{n}" for n in (1, 2))


@pytest.fixture
async def url(kind: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database without any table."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    name = f"{databases._PREFIX}_old_disputes"
    await databases.on_server(f"CREATE DATABASE {name}")
    yield databases._address(name)
    await databases.on_server(f"DROP DATABASE {name} WITH (FORCE)")


def fill(url: str) -> None:
    """Two refused records as they were written then: one out of its cycle, one refused too late."""
    engine = sa.create_engine(sync_url(url))
    try:
        with engine.begin() as connection:

            def insert(table: str, **row: Any) -> None:
                columns = [sa.column(name, UtcDateTime() if name.endswith("_at") else None) for name in row]
                connection.execute(sa.table(table, *columns).insert().values(**row))

            for party_id, name in NAMES.items():
                insert(
                    "party",
                    party_id=party_id,
                    name=name,
                    roles="home,host",
                    protocol="native",
                    created_at=MIDNIGHT,
                )
            for record_id in (IN_TIME, LATE):
                insert(
                    "charge_record",
                    **(record(record_id, 700, 300) | {"session_id": None, "reason": "not ours"}),
                )
            connection.execute(sa.text("UPDATE charge_record SET state = 'disputed'"))
            insert(
                "obligation",
                **{"obligation_id": "obl_1", "kind": "charge", "debtor_party_id": B, "creditor_party_id": A},
                **{f"{fee}_fen": fen for fee, fen in (("electricity", 700), ("service", 300), ("parking", 0))},
                **{f"{fee}_ppm": 0 for fee in ("electricity", "service", "parking", "idle")},
                **{"idle_fen": 0, "commission_fen": 0, "amount_fen": 1_000, "frequency": "daily"},
                **{"currency": "CNY", "booked_day": "2026-03-02", "state": "disputed", "record_id": IN_TIME},
                **{"accepted_at": MIDNIGHT, "updated_at": MIDNIGHT},
            )
            insert(
                "suspense_item",
                **{"item_id": "sus_1", "kind": "dispute", "subject_id": IN_TIME, "home_party_id": B},
                **{"host_party_id": A, "amount_fen": 1_000, "currency": "CNY", "reason": "not ours"},
                **{"evidence": "{}", "opened_at": MIDNIGHT, "due_at": MIDNIGHT, "updated_at": MIDNIGHT},
            )
    finally:
        engine.dispose()


async def test_refused_records_are_disputed_by_their_home(url: str) -> None:
    settings = Settings(env="test", database_url=url)
    await asyncio.to_thread(migrate, settings, BEFORE)
    await asyncio.to_thread(fill, url)
    await asyncio.to_thread(migrate, settings)
    database = Database(url, pool_size=3)
    try:
        clock = ManualClock(SystemClock().wall())
        world = World(database, clock, settings, SeededIds(clock))
        rows = {row.record_id: row for row in await world.rows(DisputeRow)}
        assert {record_id: row.in_time for record_id, row in rows.items()} == {IN_TIME: True, LATE: False}
        for record_id, row in rows.items():
            assert row.dispute_id == record_id.replace("rec_", "dsp_")
            assert (row.state, row.raised_by, row.reason, row.amount_fen) == ("raised", B, "not ours", 1_000)
            assert clock.wall() < row.due_at < clock.wall() + timedelta(hours=73)
        assert (await world.withdraw(rows[LATE].dispute_id)).state == "accepted"
        (item,) = await world.hub.suspense.items(HUB)
        assert item.subject_id == rows[IN_TIME].dispute_id
    finally:
        await database.close()
