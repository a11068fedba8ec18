"""Closes the cycle of `cycle_data` in a process of its own and says how long each part took and what it needed.

    python -m tests.bench.cycle URL FOLDER

Prints one line of JSON: seconds by part, and the highest resident memory of this process in MB.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import asyncpg

from hub.clearing import model
from hub.clearing.proof import Proofs
from hub.clearing.service import ClearingService
from hub.clearing.tables_cycles import gross_by_party
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SystemIds
from hub.ledger.service import Ledger
from operator_sdk.contract.cycle_proof import check
from tests.bench.cycle_data import CUTOFF, CYCLE_ID, HUB
from tests.bench.machine import memory_mb

ROUNDS = 3
PAPERS = "hub.clearing.papers"
BARE = (
    "SELECT debtor_party_id, creditor_party_id, sum(amount_fen), count(*) FROM obligation"
    f" WHERE cycle_id = '{CYCLE_ID}' GROUP BY debtor_party_id, creditor_party_id"
)


async def close(url: str, folder: Path) -> dict[str, float]:
    """Cut off, freeze, commission, net, propose, fix, prove, and write everybody's statement."""
    clock = ManualClock(CUTOFF)
    database = Database(url)
    ids = SystemIds(clock)
    service = ClearingService(
        database, clock=clock, ids=ids, ledger=Ledger(clock, ids), hub_party_id=HUB, env="test"
    )
    spent: dict[str, float] = {}

    async def timed(name: str, work: Callable[[], Awaitable[object]]) -> None:
        begun = time.perf_counter()
        await work()
        spent[name] = round(time.perf_counter() - begun, 3)

    try:
        proof = folder / "proof.jsonl.gz"
        await timed("close_s", lambda: service.close_cycle(CUTOFF))
        await timed("proof_s", lambda: Proofs(database).export(CYCLE_ID, proof))
        if find_spec(PAPERS) is not None:
            papers = import_module(PAPERS)
            await timed("papers_s", lambda: papers.write_statements(database, CYCLE_ID, folder / "papers"))
        spent["peak_mb"] = round(memory_mb(os.getpid(), "VmHWM"), 1)
        if database.driver_url is not None:
            spent |= await _netting(database, database.driver_url)
    finally:
        await database.close()
    return spent


async def _netting(database: Database, url: str) -> dict[str, float]:
    """The netting of a whole cycle, and beside it the bare GROUP BY of the same rows, in turns."""
    ours, bare = [], []
    connection = await asyncpg.connect(url)
    try:
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            async with database.reading() as unit:
                model.net(await gross_by_party(unit, CYCLE_ID))
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await connection.fetch(BARE)
            bare.append(time.perf_counter() - begun)
    finally:
        await connection.close()
    return {"netting_s": round(median(ours), 3), "group_by_s": round(median(bare), 3)}


def main(url: str, folder: str) -> None:
    """Close, check the proof, and say what it took."""
    spent = asyncio.run(close(url, Path(folder)))
    import gzip

    with gzip.open(Path(folder) / "proof.jsonl.gz") as lines:
        begun = time.perf_counter()
        proven = check(lines)
        spent["check_s"] = round(time.perf_counter() - begun, 3)
    spent["obligations"] = proven.head.obligations
    print(json.dumps(spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
