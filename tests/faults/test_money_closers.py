"""Five processes close the same days at once and are killed in the middle of it: each day has one result."""

import asyncio
import json
import os
import random
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from hub.clearing.tables import CYCLE
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.ledger.tables import POSTING
from hub.parties.scope import HUB
from tests.clearing_world import MIDNIGHT, A, B, C, Market, net, records
from tests.databases import fresh_url
from tests.faults.closer import READY
from tests.faults.processes import Child, Fleet
from tests.integration.test_clearing_races import undisturbed_digest

pytestmark = [pytest.mark.faults, pytest.mark.integration]

ROUNDS = int(os.environ.get("INTERPILE_FAULT_ROUNDS", "1"))
CLOSERS, DAYS, RECORDS = 5, 3, 8
PAIRS = ((B, A), (A, B), (C, A), (B, C))
SURVIVES_S, DIES_WITHIN_S = 30, 0.5


async def trade(market: Market) -> dict[int, set[str]]:
    """Records of several days; what was accepted on each."""
    traded = {}
    for day in range(DAYS):
        at = MIDNIGHT + timedelta(days=day, hours=-3)
        traded[day] = {
            await market.accept(*PAIRS[number % 4], 100 + number, ppm=20_000, at=at)
            for number in range(RECORDS)
        }
    return traded


def started(fleet: Fleet, url: str, gate: Path, number: int) -> Child:
    command = (sys.executable, "-m", "tests.faults.closer", url, str(gate), str(DAYS))
    return fleet.start(f"closer-{number}", *command)


async def killed_at_random(closers: list[Child], lots: random.Random) -> None:
    """All but the last of them, each at a moment of its own."""

    async def kill(closer: Child) -> None:
        await asyncio.sleep(lots.uniform(0, DIES_WITHIN_S))
        closer.kill()

    await asyncio.gather(*(kill(one) for one in closers[:-1]))
    assert await closers[-1].ended(SURVIVES_S) == 0, closers[-1].said()[-800:]


def said(closer: Child) -> list[Any]:
    """What it saw of each day that it came to the end of; the last line may be cut off."""
    lines = closer.said().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("[")]


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_five_processes_that_die_anywhere_close_each_day_once(
    kind: str, seed: int, tmp_path: Path
) -> None:
    lots, gate = random.Random(seed), tmp_path / "gate"
    async with asyncio.timeout(100), fresh_url(kind) as url:
        database = Database(url, pool_size=3)
        market = await Market(database, ManualClock(MIDNIGHT + timedelta(days=DAYS))).open()
        traded = await trade(market)
        with Fleet(tmp_path, {"INTERPILE_ENV": "test"}) as fleet:
            closers = [started(fleet, url, gate, number) for number in range(CLOSERS)]
            for closer in closers:
                await closer.says(READY)
            gate.touch()
            await killed_at_random(closers, lots)
            results = said(closers[-1])
            assert len(results) == DAYS
            for closer in closers[:-1]:
                heard = said(closer)
                assert heard == results[: len(heard)], "whoever came to an end saw the same"
        await check(market, traded, results)
        await market.audit()
        await database.close()


async def check(market: Market, traded: dict[int, set[str]], results: list[Any]) -> None:
    """One fixed cycle a day, with that day's records, the digest of its own lines, and its postings once."""
    for day, (cycle_id, state, digest, nets) in enumerate(results):
        result = await market.clearing.close_cycle(MIDNIGHT + timedelta(days=day))
        cycle = result.cycle
        assert (cycle.cycle_id, cycle.state, cycle.digest, net(result)) == (cycle_id, "fixed", digest, nets)
        assert state == "fixed"
        assert records(result) == traded[day]
        assert digest == await undisturbed_digest(market, result)
        assert sum(nets.values()) == 0
    async with market.database.reading() as unit:
        states = Counter((await unit.execute(select(CYCLE.c.state))).scalars())
        kinds = Counter((await unit.execute(select(POSTING.c.kind))).scalars())
    assert states == {"fixed": DAYS, "open": 1}
    once = dict.fromkeys(("commission", "cycle_gross", "cycle_net"), DAYS)
    assert kinds == {"obligation": DAYS * RECORDS, **once}
    assert len(await market.clearing.cycles(HUB)) == DAYS + 1
