"""Obligations and cycles from before fees and frequencies are carried over, whatever state they were in."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from hub.clearing.jobs import advance
from hub.clearing.proof import Proofs
from hub.clearing.tables import ObligationRow
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.types import UtcDateTime
from hub.migrations.run import migrate, sync_url
from hub.settings import Settings
from operator_sdk.contract.cycle_proof import check
from tests import databases
from tests.clearing_world import HUB_PARTY, MIDNIGHT, NAMES, A, B, Market

BEFORE = "0005"
DAY = timedelta(days=1)
INSTANTS = {
    "opened_at", "cutoff_at", "due_at", "disputes_until", "commissioned_at", "netted_at", "proposed_at",
    "fixed_at", "accepted_at", "updated_at", "created_at", "started_at", "ended_at",
}  # fmt: skip


@pytest.fixture
async def url(kind: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database without any table."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    name = f"{databases._PREFIX}_old_clearing"
    await databases.on_server(f"CREATE DATABASE {name}")
    yield databases._address(name)
    await databases.on_server(f"DROP DATABASE {name} WITH (FORCE)")


def cycle(name: str, state: str, cutoff_at: datetime | None, **more: Any) -> dict[str, Any]:
    opened_at = (cutoff_at or MIDNIGHT) - (DAY if cutoff_at else timedelta())
    usual: dict[str, Any] = {"cycle_id": f"cyc_{name}", "currency": "CNY", "frequency": "daily", "state": state}
    usual |= {"opened_at": opened_at, "cutoff_at": cutoff_at, "obligations": 0, "updated_at": opened_at}
    return usual | more


def owed(name: str, cycle_id: str | None, fen: int, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"obligation_id": f"obl_{name}", "kind": "charge", "record_id": f"rec_{name}"}
    usual |= {"debtor_party_id": B, "creditor_party_id": A, "amount_fen": fen, "currency": "CNY"}
    usual |= {"booked_day": "2026-02-28"}
    usual |= {"accepted_at": MIDNIGHT - DAY, "updated_at": MIDNIGHT - DAY, "commission_ppm": 20_000}
    return usual | {"cycle_id": cycle_id, "state": "open" if cycle_id is None else "in_cycle"} | more


def commission(name: str, cycle_id: str | None, fen: int, **more: Any) -> dict[str, Any]:
    kind: dict[str, Any] = {"kind": "commission", "record_id": None, "commission_ppm": 0}
    return owed(name, cycle_id, fen, debtor_party_id=A, creditor_party_id=HUB_PARTY, **kind, **more)


def digest(*rows: dict[str, Any]) -> str:
    names = ("obligation_id", "kind", "debtor_party_id", "creditor_party_id", "amount_fen", "currency")
    lines = [
        json.dumps([*(row[name] for name in names), row["booked_day"], row["record_id"]], separators=(",", ":"))
        for row in sorted(rows, key=lambda row: row["obligation_id"])
    ]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


FIXED = [owed("fixed", "cyc_1fixed", 10_001), commission("1c", "cyc_1fixed", 200)]
PROPOSED = [owed("proposed", "cyc_2proposed", 333), commission("2c", "cyc_2proposed", 7)]
CUT = [owed("cut", "cyc_3cut", 50)]
OPEN = [owed("whole", None, 1_000), owed("part", None, 900, debtor_party_id=A, creditor_party_id=B)]
ELSEWHERE = [
    owed("disputed", None, 5, state="disputed"),
    commission("4c", None, 6, state="withdrawn"),
]
RECORDS = {"rec_whole": (700, 300), "rec_part": (600, 401), "rec_fixed": (10_000, 1), "rec_cut": (35, 15)}
CYCLES = [
    cycle(
        "1fixed", "fixed", MIDNIGHT - 2 * DAY, digest=digest(*FIXED), obligations=2,
        commissioned_at=MIDNIGHT - DAY, netted_at=MIDNIGHT - DAY, fixed_at=MIDNIGHT - DAY,
    ),
    cycle(
        "2proposed", "proposed", MIDNIGHT - DAY, digest=digest(*PROPOSED), obligations=2,
        commissioned_at=MIDNIGHT, netted_at=MIDNIGHT, proposed_at=MIDNIGHT,
        disputes_until=MIDNIGHT + timedelta(hours=9), due_at=MIDNIGHT + timedelta(hours=9),
    ),
    cycle(
        "3cut", "cut_off", MIDNIGHT, digest=digest(*CUT), obligations=1, due_at=MIDNIGHT + timedelta(hours=4)
    ),
    cycle("4open", "open", None, due_at=MIDNIGHT + DAY),
]  # fmt: skip
POSITIONS = {
    "cyc_1fixed": {A: 10_001 - 200, B: -10_001, HUB_PARTY: 200, "MA5CCCCC3": 0},
    "cyc_2proposed": {A: 333 - 7, B: -333, HUB_PARTY: 7, "MA5CCCCC3": 0},
}


def fill(url: str) -> None:
    """Rows as they were written then."""
    engine = sa.create_engine(sync_url(url))
    try:
        with engine.begin() as connection:

            def insert(table: str, row: dict[str, Any]) -> None:
                columns = [sa.column(name, UtcDateTime() if name in INSTANTS else None) for name in row]
                connection.execute(sa.table(table, *columns).insert().values(**row))

            for party_id, name in NAMES.items():
                party = {"party_id": party_id, "name": name, "roles": "home,host", "protocol": "native"}
                insert("party", party | {"created_at": MIDNIGHT})
            for row in CYCLES:
                # What is fixed takes in nothing, so it was filled before.
                insert("cycle", row | ({"state": "proposed"} if row["state"] == "fixed" else {}))
            for row in (*FIXED, *PROPOSED, *CUT, *OPEN, *ELSEWHERE):
                insert("obligation", row)
            for cycle_id, positions in POSITIONS.items():
                for party_id, fen in positions.items():
                    insert("cycle_position", {"cycle_id": cycle_id, "party_id": party_id, "amount_fen": fen})
            connection.execute(sa.text("UPDATE cycle SET state = 'fixed' WHERE cycle_id = 'cyc_1fixed'"))
            for record_id, (electricity, service) in RECORDS.items():
                insert("charge_record", record(record_id, electricity, service))
    finally:
        engine.dispose()


def record(record_id: str, electricity: int, service: int) -> dict[str, Any]:
    return {
        "record_id": record_id, "record_ref": record_id, "session_id": f"ses_{record_id}",
        "home_party_id": B, "host_party_id": A, "driver_ref": "d", "connector_id": "A1", "state": "accepted",
        "started_at": MIDNIGHT - DAY, "ended_at": MIDNIGHT - DAY, "meter_start_wh": 0, "meter_end_wh": 1,
        "energy_wh": 1, "lines": "[]", "findings": "[]", "electricity_fen": electricity,
        "service_fen": service, "amount_fen": electricity + service, "owed_fen": electricity + service,
        "currency": "CNY", "tariff_id": "t", "tariff_version": 1, "stop_reason": "driver_local",
        "energy_resolution_wh": 1, "amount_resolution_fen": 1, "booked_day": "2026-03-02",
        "service_day": "2026-03-02", "updated_at": MIDNIGHT - DAY,
    }  # fmt: skip


@pytest.fixture
async def market(url: str) -> AsyncIterator[Market]:
    """A market that has been migrated."""
    settings = Settings(env="test", database_url=url)
    await asyncio.to_thread(migrate, settings, BEFORE)
    await asyncio.to_thread(fill, url)
    await asyncio.to_thread(migrate, settings)
    database = Database(url, pool_size=3)
    try:
        yield Market(database, ManualClock(MIDNIGHT + timedelta(hours=1)), env="production")
    finally:
        await database.close()


async def test_what_was_owed_goes_on_where_it_was(market: Market, tmp_path: Path) -> None:
    rows = {name: await market.obligation(f"obl_{name}") for name in ("whole", "part", "cut", "fixed")}
    assert {name: (row.cycle_id, row.state) for name, row in rows.items()} == {
        "whole": ("cyc_4open", "in_cycle"),
        "part": ("cyc_4open", "in_cycle"),
        "cut": ("cyc_3cut", "in_cycle"),
        "fixed": ("cyc_1fixed", "in_cycle"),
    }
    assert {name: (row.electricity_fen, row.service_fen, row.commission_fen) for name, row in rows.items()} == {
        "whole": (700, 300, 20),
        "part": (900 - 360, 360, 11 + 7),  # 401 of 1001 is 36 %, rounded down
        "cut": (35, 15, 1),
        "fixed": (10_001, 0, 200),  # its commission is booked: nothing of it moves
    }
    assert await states(market, "disputed", "4c") == [("disputed", None), ("withdrawn", None)]
    await proven(market, "cyc_1fixed", digest(*FIXED), tmp_path)
    await refused(market)
    await goes_on(market)
    await proven(market, "cyc_2proposed", digest(*PROPOSED), tmp_path)


async def states(market: Market, *names: str) -> list[tuple[str, str | None]]:
    rows: list[ObligationRow] = [await market.obligation(f"obl_{name}") for name in names]
    return [(row.state, row.cycle_id) for row in rows]


async def proven(market: Market, cycle_id: str, expected: str, folder: Path) -> None:
    await Proofs(market.database).export(cycle_id, folder / "proof")
    with (folder / "proof").open("rb") as lines:
        assert check(lines, digest=expected).net_fen == POSITIONS[cycle_id]


async def refused(market: Market) -> None:
    for statement in (
        "UPDATE obligation SET amount_fen = 1 WHERE kind = 'commission' AND cycle_id = 'cyc_1fixed'",
        "UPDATE cycle_position SET owes_fen = 1, is_owed_fen = 1 WHERE cycle_id = 'cyc_1fixed'",
        "UPDATE cycle SET digest = 'x' WHERE cycle_id = 'cyc_1fixed'",
        "UPDATE obligation SET cycle_id = 'cyc_3cut' WHERE cycle_id = 'cyc_4open'",
        "DELETE FROM obligation",
    ):
        with pytest.raises(DBAPIError, match="clearing: "):
            async with market.database.unit() as unit:
                await (await unit.session.connection()).execute(sa.text(statement))


async def goes_on(market: Market) -> None:
    """Every cycle takes its next steps as if nothing had happened."""
    market.clock.now = MIDNIGHT + timedelta(hours=10)
    await advance(market.clearing, market.clock.business())
    assert (await market.cycle("cyc_2proposed")).state == "fixed"
    assert (await market.cycle("cyc_3cut")).state == "proposed"
    await market.accept(B, A, 77)
    market.clock.now = MIDNIGHT + DAY
    result = await market.clearing.close_cycle(MIDNIGHT + DAY)
    assert result.cycle.cycle_id == "cyc_4open"
    assert {one.amount_fen for one in result.obligations} == {1_000, 900, 77}
