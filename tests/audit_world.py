"""Books with something of everything in them, and backups of them restored elsewhere."""

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from hub.auditor.source import Postgresql, Source, Sqlite
from hub.auditor.verify import verify_source
from hub.clearing.suspense import Suspense
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.parties.audit import AuditLog
from hub.roaming.ports import WaitingMoney
from operator_sdk.contract.codes import SuspenseKind, SuspenseOutcome
from operator_sdk.contract.messages.admin import LedgerReport
from tests import databases
from tests.books import AT, Books, fund, spend
from tests.clearing_world import MIDNIGHT, A, B, Market


@contextmanager
def audited_books(kind: str) -> Iterator[str]:
    """The address of a database with books in order; its own loop fills it, so that a module can share it."""
    loop = asyncio.new_event_loop()
    opened = databases.fresh_url(kind)
    url = loop.run_until_complete(opened.__aenter__())
    try:
        loop.run_until_complete(_fill(url))
        yield url
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.close()


async def _fill(url: str) -> None:
    database, clock = Database(url, pool_size=2), ManualClock(AT)
    try:
        await _keep_books(Books(database, clock))
        await _clear(await Market(database, clock).open())
        await Books(database, clock).post("waits for its seal", fund("w1", 7))
    finally:
        await database.close()


async def _keep_books(books: Books) -> None:
    """Two wallets, a hold in every state, and three closed days."""
    await books.post("t1", fund("w1", 1000), kind="充值")
    await books.post("t2", [*fund("w2", 70), *fund("w1", 30)])
    for hold in ("captured", "taken as nothing", "voided", "expired", "open"):
        await books.hold(hold, 100, expires_at=books.clock.now if hold == "expired" else None)
    await books.capture("captured", 40)
    await books.capture("taken as nothing", 0)
    await books.void("voided")
    await books.void("burnt before it was made")
    assert await books.jobs.expire() == 1
    assert (await books.hold("too much", 5000)).state == "refused"
    for day in ("2026-03-03", "2026-03-04", "2026-03-05"):
        await books.post(f"on the day before {day}", spend("w1", 5))
        books.clock.advance(days=1)
        await books.jobs.close_days(day)


async def _clear(market: Market) -> None:
    """A fixed cycle, an open one, and an item of suspense in each state."""
    await market.trade()
    market.clock.now = MIDNIGHT.replace(day=market.clock.now.day)
    await market.clearing.close_cycle(market.clock.business())
    await market.accept(A, B, 777)
    audit = AuditLog(market.clock, market.ids)
    suspense = Suspense(market.database, market.clock, market.ids, ledger=market.ledger, audit=audit)
    async with market.database.unit() as unit:
        for subject in ("rec_1", "rec_2"):
            item = WaitingMoney(
                kind=SuspenseKind.RECORD, subject_id=subject, home_party_id=B, host_party_id=A, amount_fen=321,
                currency="CNY", reason="energy", evidence={},
            )  # fmt: skip
            await suspense.open_suspense(unit, item)
        await suspense.close_suspense(
            unit, SuspenseKind.RECORD, "rec_2", outcome=SuspenseOutcome.ACCEPTED, reason="explained", by="hub"
        )


class Backup:
    """A backup restored elsewhere, in the hands of somebody who would like to change it."""

    def __init__(self, url: str, connection: Any, source: Source) -> None:
        self.url, self._connection, self._source = url, connection, source
        self._mark = "?" if url.startswith("sqlite") else "%s"

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """One statement, past every guard that a database has; `?` stands for a value."""
        cursor = self._connection.execute(statement.replace("?", self._mark), values)
        return list(cursor.fetchall()) if cursor.description else []

    def report_after(self, statement: str, *values: object) -> LedgerReport:
        """What the auditor says when this has been done to the books; it is undone afterwards."""
        self.run("BEGIN")
        try:
            self.run(statement, *values)
            return verify_source(self._source)
        finally:
            self.run("ROLLBACK")


@contextmanager
def restored(url: str, folder: Path) -> Iterator[Backup]:
    """A database's backup, taken with the engine's own tool."""
    with _restored_file(url, folder) if url.startswith("sqlite") else _restored_database(url) as backup:
        yield backup


@contextmanager
def _restored_file(url: str, folder: Path) -> Iterator[Backup]:
    file = folder / "restored.db"
    with (
        closing(sqlite3.connect(make_url(url).database or "")) as there,
        closing(sqlite3.connect(file)) as here,
    ):
        there.backup(here)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        yield Backup(f"sqlite:///{file}", connection, Sqlite(connection))


@contextmanager
def _restored_database(url: str) -> Iterator[Backup]:
    name = f"{databases._PREFIX}_restored"
    address = databases._address(name)
    asyncio.run(databases.on_server(f"CREATE DATABASE {name}"))
    try:
        dump = subprocess.run(["pg_dump", "--no-owner", url], check=True, capture_output=True)
        load = ["psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", address]
        subprocess.run(load, input=dump.stdout, check=True, capture_output=True)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for table, check in connection.execute(CHECKS).fetchall():
                connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{check}"')
            yield Backup(address, connection, Postgresql(connection))
    finally:
        asyncio.run(databases.on_server(f"DROP DATABASE {name} WITH (FORCE)"))


CHECKS = (
    "SELECT conrelid::regclass::text, conname FROM pg_constraint"
    " WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND conparentid = 0"
)
