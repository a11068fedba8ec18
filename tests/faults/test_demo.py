"""The demonstration, played whole in processes of its own: once to the end on each engine, once interrupted."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from operator_sdk.examples.demo.report import REFUSALS
from tests import databases

pytestmark = [pytest.mark.faults, pytest.mark.timeout(420)]

SPEED = "60"
AS_SHIPPED, QUICK = "operator_sdk.examples.demo", "tests.faults.quick_demo"
"""The second differs only in how its processes come to be: once is enough to see forty interpreters import."""

PARTIES = {"MA5HUB000", "MA5AAAAA1", "MA5BBBBB2", "MA5CCCCC3"}


@asynccontextmanager
async def database_url(kind: str) -> AsyncIterator[str | None]:
    """None for the demonstration's own SQLite file."""
    if kind == "sqlite":
        yield None
        return
    name = f"interpile_test_{os.getpid()}_demo"
    await databases.on_server("SELECT 1")
    try:
        yield databases.SERVER.rpartition("/")[0] + f"/{name}"
    finally:
        await databases.on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def start(folder: Path, program: str = AS_SHIPPED, /, **more: str) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, "--folder", str(folder)),
        env=kept | {"INTERPILE_ENV": "test", "ONCE": "1", "SPEED": SPEED} | more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def left_behind(folder: Path) -> list[str]:
    """The commands of processes that were told about this folder and still run."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "played"


async def test_the_demonstration_holds_from_first_scan_to_verified_ledger(kind, folder, tmp_path):
    report = tmp_path / "report.json"
    async with database_url(kind) as url:
        named = {"DATABASE_URL": url} if url else {}
        process = await start(folder, QUICK if url else AS_SHIPPED, REPORT=str(report), **named)
        printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    assert left_behind(folder) == []
    said = json.loads(report.read_bytes(), parse_float=pytest.fail)
    assert said["database"] == kind
    check_sessions(said["sessions"])
    check_money(said)
    assert {one["reason"]: one["held_fen_after"] for one in said["refusals"]} == dict.fromkeys(REFUSALS, 0)
    outage = said["outage"]
    assert outage["updates_made"] == outage["updates_stored"] > 5
    assert outage["outage_s"] >= 2
    assert outage["charge_records"] == 1
    assert said["frames"]["can"] > 500
    assert said["frames"]["meter"] > 100
    orders = [one["states"] for one in said["work_orders"]]
    assert orders == [["open", "assigned", "accepted", "in_progress", "done", "confirmed"]]


def check_sessions(sessions: list[dict[str, Any]]) -> None:
    assert len(sessions) == 5
    assert {one["start_mode"] for one in sessions} == {"hub", "host", "home"}
    pairs = {(one["home"], one["host"]) for one in sessions if one["start_mode"] == "hub"}
    assert pairs == {("MA5CCCCC3", "MA5AAAAA1"), ("MA5BBBBB2", "MA5CCCCC3")}
    assert {"driver_remote", "target_energy"} <= {one["stop_reason"] for one in sessions}
    assert any(len({line["electricity_micro"] for line in one["lines"]}) > 1 for one in sessions)
    for one in sessions:
        assert one["captured_fen"] + one["released_fen"] == one["held_fen"]
        assert one["captured_fen"] == one["amount_fen"] > 0
        assert len(one["progress"]) >= 5
        energies = [step["energy_wh"] for step in one["progress"]]
        assert energies == sorted(energies)
        assert energies[-1] == one["energy_wh"] == one["meter_end_wh"] - one["meter_start_wh"]


def check_money(said: dict[str, Any]) -> None:
    assert set(said["positions"]) == PARTIES
    net = dict.fromkeys(PARTIES, 0)
    for one in said["obligations"]:
        net[one["creditor"]] += one["amount_fen"]
        net[one["debtor"]] -= one["amount_fen"]
    assert said["positions"] == net
    assert net["MA5HUB000"] > 0
    assert said["ledger"]["verified"] is True
    assert said["ledger"]["postings"] > 0


async def test_an_interrupted_demonstration_leaves_no_process_behind(folder):
    process = await start(folder)
    log = folder / "logs" / "hub.log"
    async with asyncio.timeout(60):
        while not (log.exists() and b"running on" in log.read_bytes()):  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.1)
    assert left_behind(folder) != []
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(30):
        await process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    assert left_behind(folder) == []


async def test_two_demonstrations_do_not_share_a_folder(folder):
    first = await start(folder)
    async with asyncio.timeout(30):
        while not folder.exists():  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.05)
    second = await start(folder)
    printed, _ = await second.communicate()
    first.send_signal(signal.SIGTERM)
    await first.communicate()
    assert second.returncode == 1
    assert b"another demonstration is running" in printed
