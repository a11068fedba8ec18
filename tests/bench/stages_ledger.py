"""How fast the books take postings, beside the bare driver, and how long it takes to prove a million of them.

Postings are measured by a process of their own (`tests.bench.ledger`); the books that are verified are those of
`cycle_data`, sealed and their day closed. Every database is gone when its part ends.
"""

import asyncio
import hashlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from hub.auditor.verify import verify
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SystemIds
from hub.ledger.jobs import LedgerJobs
from hub.ledger.service import Ledger
from hub.migrations.run import migrate
from hub.settings import Settings
from tests.bench.cycle_data import CUTOFF, load_postgresql, load_sqlite, parties
from tests.bench.edge_world import Driver
from tests.bench.machine import load_average
from tests.bench.processes import BenchError
from tests.bench.stages import Bench
from tests.bench.world import DATABASE, ROOT, SERVER, on_server

POSTINGS = {
    "postings_per_s": "per_s",
    "postings_vs_bare_ratio": "vs_bare",
    "postings_batch_per_s": "batch_per_s",
    "postings_batch_vs_bare_ratio": "batch_vs_bare",
}
ENGINES = {"": "PostgreSQL", "sqlite_": "SQLite"}
VERIFIED = {"verify_1m_s": 1_000_000, "sqlite_verify_100k_s": 100_000}
FIGURES = (*POSTINGS, "verify_1m_s", *(f"sqlite_{name}" for name in POSTINGS), "sqlite_verify_100k_s")
OPERATORS, PATIENCE_S = 500, 600
_SINGLE = (
    "eight writers in one process, 200 wallets, 20 hosts; in turn a hold, two postings and the capture of the "
    "hold, each in a unit of its own; median of five rounds of 3 s, ours and the bare driver's in turns"
)
_WORDS = {
    "postings_per_s": f"postings of two entries booked per second: {_SINGLE}",
    "postings_vs_bare_ratio": "the same against the ledger's own statements sent by the bare driver "
    "(asyncpg, aiosqlite) to the same tables with the same triggers, without rules or digests; median of the "
    "rounds' ratios",
    "postings_batch_per_s": "postings of two entries booked per second in one unit of 5,000 (`post_many`); "
    "median of three",
    "postings_batch_vs_bare_ratio": "the same against COPY (executemany on SQLite) of rows made beside it, "
    "same tables, same triggers, in turns; median of the ratios",
}
METHOD = {
    **{
        f"{prefix}{name}": f"{engine}: {words}"
        for prefix, engine in ENGINES.items()
        for name, words in _WORDS.items()
    },
    **{
        name: f"seconds of `interpile ledger verify` over {count:,} accepted records of one day between "
        f"{OPERATORS} operators: postings, {2 * count:,} entries, seals, a closed day, obligations; one process"
        for name, count in VERIFIED.items()
    },
}


def steps(wanted: set[str]) -> int:
    """How many there will be."""
    single = sum(bool(wanted & {prefix + name for name in POSTINGS}) for prefix in ENGINES)
    return single + 3 * len(wanted & VERIFIED.keys())


def run(bench: Bench, _drivers: Sequence[Driver]) -> None:
    """Everything of these figures that is wanted."""
    bench.processes.free()
    for prefix in ENGINES:
        if bench.wanted & {prefix + name for name in POSTINGS}:
            _book(bench, prefix)
    for name in VERIFIED:
        if name in bench.wanted:
            _verify(bench, name)


def _book(bench: Bench, prefix: str) -> None:
    bench.step(f"ledger: postings on {ENGINES[prefix]}")
    with _database(bench, prefix, "ledger") as url:
        command = [sys.executable, "-m", "tests.bench.ledger", url]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT
        )
    if done.returncode:
        raise BenchError(f"the books took no postings: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    bench.rounds[f"{prefix}postings"] = [{"ours_and_bare": found["rounds"], "load": load_average()}]
    for name, key in POSTINGS.items():
        if prefix + name in bench.wanted:
            bench.found(prefix + name, found[key])


def _verify(bench: Bench, name: str) -> None:
    prefix, count = "sqlite_" if name.startswith("sqlite_") else "", VERIFIED[name]
    with _database(bench, prefix, "verify") as url:
        bench.step(f"ledger: {count:,} records into {ENGINES[prefix]}")
        if prefix:
            load_sqlite(make_url(url).database or "", count, parties(OPERATORS))
        else:
            asyncio.run(load_postgresql(url, count, parties(OPERATORS)))
        bench.step("ledger: sealing them")
        _seal(url)
        bench.step(f"ledger: verifying {count:,} records")
        begun = time.perf_counter()
        report = verify(url)
        spent = time.perf_counter() - begun
    if not report.verified or (report.sealed, report.days) != (count, 1):
        raise BenchError(f"the books do not verify: {report}")
    bench.rounds[name.removesuffix("_s")] = [{"entries": report.entries, "load": load_average()}]
    bench.found(name, round(spent, 2))


@contextmanager
def _database(bench: Bench, prefix: str, name: str) -> Iterator[str]:
    if prefix:
        url = f"sqlite:///{bench.processes.folder / f'{name}.db'}"
        migrate(Settings(env="test", database_url=url))
        yield url
        return
    database = f"{DATABASE}_{name}"
    asyncio.run(on_server(f"CREATE DATABASE {database}"))
    try:
        url = make_url(SERVER).set(database=database).render_as_string(hide_password=False)
        migrate(Settings(env="test", database_url=url))
        yield url
    finally:
        asyncio.run(on_server(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"))


def _seal(url: str) -> None:
    """Chain everything that waits, with the links that the sealer would make, and close the day."""
    waiting = "SELECT posting_id, digest FROM ledger_posting ORDER BY posting_id"
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database or "")) as file, file:
            links = list(_links(file.execute(waiting)))
            file.executemany(
                "INSERT INTO ledger_seal (number, posting_id, chain_digest) VALUES (?, ?, ?)", links
            )
            file.execute("DELETE FROM ledger_unsealed")
            file.execute("INSERT INTO counter (name, value) VALUES ('ledger_seal', ?)", (len(links),))
    else:
        with psycopg.connect(url) as connection:
            links = list(_links(connection.execute(waiting)))
            columns = "COPY ledger_seal (number, posting_id, chain_digest) FROM STDIN"
            with connection.cursor().copy(columns) as copy:
                for link in links:
                    copy.write_row(link)
            connection.execute("DELETE FROM ledger_unsealed")
            connection.execute("INSERT INTO counter (name, value) VALUES ('ledger_seal', %s)", (len(links),))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE) ledger_seal, ledger_unsealed")
    asyncio.run(_close_day(url))


def _links(postings: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, str, str]]:
    before = "0" * 64
    for number, (posting_id, digest) in enumerate(postings, 1):
        before = hashlib.sha256(f"{before}:{number}:{posting_id}:{digest}".encode()).hexdigest()
        yield number, posting_id, before


async def _close_day(url: str) -> None:
    database, clock = Database(url), ManualClock(CUTOFF)
    try:
        jobs = LedgerJobs(database, clock, Ledger(clock, SystemIds(clock)))
        if await jobs.close_days("2026-03-03") != 1:
            raise BenchError("the day was not closed")
    finally:
        await database.close()
