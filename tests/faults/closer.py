"""Closes days in a process of its own: `python -m tests.faults.closer URL GATE DAYS`. May be killed anywhere.

It says `ready`, waits for the file GATE, closes that many days one after another, and says what came of each
as a line of JSON.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta
from pathlib import Path

from hub.core.clock import ManualClock
from hub.core.database import Database
from tests.clearing_world import MIDNIGHT, Market, net

READY = "ready"


async def close(url: str, gate: Path, days: int) -> None:
    """As everybody does who is told that a day is over."""
    database = Database(url, pool_size=2)
    market = Market(database, ManualClock(MIDNIGHT + timedelta(days=days)))
    await market.clearing.names()
    _say(READY)
    _wait_for(gate)
    for day in range(days):
        result = await market.clearing.close_cycle(MIDNIGHT + timedelta(days=day))
        cycle = result.cycle
        _say(json.dumps([cycle.cycle_id, cycle.state, cycle.digest, net(result)]))
    await database.close()


def _wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.001)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(close(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
