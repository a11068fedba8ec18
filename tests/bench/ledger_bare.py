"""The yardstick of the ledger: its own statements, sent by the bare driver and nothing else."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import aiosqlite
import asyncpg

from hub.core.database import driver_url
from hub.ledger import tables_hot_postgresql as pg
from hub.ledger import tables_hot_sqlite as lite
from hub.ledger.model import Account

HELD_FEN, CAPTURED_FEN, SPENT_FEN = 500, 400, 30
AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
AT_US, DAY, DIGEST = 1_772_424_000_000_000, "2026-03-02", "0" * 64


class Bare(Protocol):
    """What bare writers do; the same steps as `ledger.Ours`."""

    async def hold(self, reference: str, wallet: Account) -> None:
        """Make a hold."""

    async def post(self, reference: str, wallet: Account, host: Account) -> None:
        """Book a posting."""

    async def capture(self, reference: str, wallet: Account, host: Account) -> None:
        """Capture a hold."""

    async def batch(self, name: str, pairs: Sequence[tuple[Account, Account]]) -> None:
        """Book many postings in one unit."""


class Row:
    """An account as it was locked, and what becomes of it."""

    __slots__ = ("account_id", "held", "posted", "version")

    def __init__(self, account_id: int, posted: int, held: int, version: int) -> None:
        self.account_id, self.posted, self.held, self.version = account_id, posted, held, version

    def move(self, amount_fen: int) -> tuple[int, int, int, int]:
        """One entry: account, version, amount, balance after it."""
        self.posted += amount_fen
        self.version += 1
        return (self.account_id, self.version, amount_fen, self.posted)

    def state(self) -> tuple[int, int, int, int]:
        """As it is written."""
        return (self.account_id, self.posted, self.held, self.version)


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[row[n] for row in rows] for n in range(4)]


class BarePostgresql:
    """Bare asyncpg."""

    def __init__(self, connections: Sequence[Any]) -> None:
        self._free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        for connection in connections:
            self._free.put_nowait(connection)
        self._ids = itertools.count()

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[Any]:
        connection = await self._free.get()
        try:
            async with connection.transaction():
                yield connection
        finally:
            self._free.put_nowait(connection)

    async def _lock(self, connection: Any, *accounts: Account) -> list[Row]:
        columns = _columns(sorted(accounts))
        return [Row(*row) for row in await connection.fetch(pg.LOCK, *columns)]

    async def hold(self, reference: str, wallet: Account) -> None:
        """Make a hold."""
        async with self._unit() as connection:
            (row,) = await self._lock(connection, wallet)
            made = (f"hld_{reference}", row.account_id, reference, HELD_FEN, "open", AT, None)
            told = (1, "made", HELD_FEN, AT, DIGEST)
            await connection.fetch(pg.ADD_HOLD, *made, *told, row.held + HELD_FEN)

    async def post(self, reference: str, wallet: Account, host: Account) -> None:
        """Book a posting."""
        async with self._unit() as connection:
            rows = await self._lock(connection, host, wallet)
            booking = self._booking("bare", reference, rows, SPENT_FEN)
            await connection.fetch(pg.BOOK, *booking)

    async def capture(self, reference: str, wallet: Account, host: Account) -> None:
        """Capture a hold."""
        async with self._unit() as connection:
            (hold,) = await connection.fetch(pg.HOLD, reference)
            rows = await self._lock(connection, host, wallet)
            rows[1].held -= HELD_FEN
            booking = self._booking("bare_capture", reference, rows, CAPTURED_FEN)
            ended = (hold[0], "captured", CAPTURED_FEN, HELD_FEN - CAPTURED_FEN)
            await connection.fetch(pg.CAPTURE, *booking, *ended, 2, "captured", CAPTURED_FEN, AT, DIGEST)

    def _booking(self, kind: str, reference: str, rows: Sequence[Row], amount_fen: int) -> list[Any]:
        host, wallet = rows
        lines = [wallet.move(amount_fen), host.move(-amount_fen)]
        head = [f"pos_{next(self._ids):032d}", kind, reference, AT, AT, DAY, "", DIGEST]
        return [*head, *_columns(lines), *_columns([row.state() for row in rows])]

    async def batch(self, name: str, pairs: Sequence[tuple[Account, Account]]) -> None:
        """Book many postings with COPY."""
        async with self._unit() as connection:
            accounts = sorted({account for pair in pairs for account in pair})
            rows = dict(zip(accounts, await self._lock(connection, *accounts), strict=True))
            entries, postings = [], []
            for number, (wallet, host) in enumerate(pairs):
                posting_id = f"pos_{next(self._ids):032d}"
                for account, amount_fen in ((wallet, SPENT_FEN), (host, -SPENT_FEN)):
                    line = rows[account].move(amount_fen)
                    entries.append((*line[:2], posting_id, *line[2:]))
                postings.append((posting_id, "bare_batch", f"{name}-{number}", AT, AT, DAY, "", DIGEST))
            await connection.fetch(pg.MOVE, *_columns([row.state() for row in rows.values()]))
            copy = connection.copy_records_to_table
            await copy("ledger_entry", records=entries, columns=pg.ENTRY)
            await copy("ledger_posting", records=postings, columns=pg.POSTING)


class BareSqlite:
    """Bare aiosqlite on one connection: SQLite has one writer at a time."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection, self._one, self._ids = connection, asyncio.Lock(), itertools.count()

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[aiosqlite.Connection]:
        async with self._one:
            await self._connection.execute_fetchall("BEGIN IMMEDIATE")
            yield self._connection
            await self._connection.execute_fetchall("COMMIT")

    async def _lock(self, connection: aiosqlite.Connection, *accounts: Account) -> list[Row]:
        rows: dict[tuple[Any, ...], Row] = {}
        for first in range(0, len(accounts), lite.CHUNK):
            chunk = accounts[first : first + lite.CHUNK]
            statement = lite.LOCK.format(", ".join(["(?, ?, ?, ?)"] * len(chunk)))
            flat = [part for account in chunk for part in account]
            for row in await connection.execute_fetchall(statement, flat):
                rows[tuple(row[4:])] = Row(*row[:4])
        return [rows[account] for account in accounts]

    async def hold(self, reference: str, wallet: Account) -> None:
        """Make a hold."""
        async with self._unit() as connection:
            (row,) = await self._lock(connection, wallet)
            await connection.execute_fetchall(lite.HOLD, (reference,))
            hold_id = f"hld_{reference}"
            made = (hold_id, row.account_id, reference, HELD_FEN, "open", AT_US, None)
            await connection.execute_fetchall(lite.ADD_HOLD, made)
            told = (hold_id, 1, "made", HELD_FEN, AT_US, None, DIGEST)
            await connection.execute_fetchall(lite.TELL, told)
            row.held += HELD_FEN
            await connection.execute_fetchall(lite.MOVE, row.state())

    async def post(self, reference: str, wallet: Account, host: Account) -> None:
        """Book a posting."""
        async with self._unit() as connection:
            rows = await self._lock(connection, host, wallet)
            await self._book(connection, [("bare", reference, rows, SPENT_FEN)])

    async def capture(self, reference: str, wallet: Account, host: Account) -> None:
        """Capture a hold."""
        async with self._unit() as connection:
            (hold,) = await connection.execute_fetchall(lite.HOLD, (reference,))
            rows = await self._lock(connection, host, wallet)
            rows[1].held -= HELD_FEN
            ended = (hold[0], "captured", CAPTURED_FEN, HELD_FEN - CAPTURED_FEN)
            await connection.execute_fetchall(lite.END_HOLD, ended)
            posting_ids = await self._book(connection, [("bare_capture", reference, rows, CAPTURED_FEN)])
            told = (hold[0], 2, "captured", CAPTURED_FEN, AT_US, posting_ids[0], DIGEST)
            await connection.execute_fetchall(lite.TELL, told)

    async def _book(
        self, connection: aiosqlite.Connection, wanted: Sequence[tuple[str, str, Sequence[Row], int]]
    ) -> list[str]:
        known = lite.POSTINGS.format("(?, ?)")
        entries, postings = [], []
        if len(wanted) == 1:
            await connection.execute_fetchall(known, wanted[0][:2])
        for kind, reference, (host, wallet), amount_fen in wanted:
            posting_id = f"pos_{next(self._ids):032d}"
            lines = (wallet.move(amount_fen), host.move(-amount_fen))
            entries += [(*line[:2], posting_id, *line[2:]) for line in lines]
            postings.append((posting_id, kind, reference, AT_US, AT_US, DAY, "", DIGEST))
        states = [row.state() for row in {id(row): row for _, _, rows, _ in wanted for row in rows}.values()]
        for statement, rows in ((lite.ENTRY, entries), (lite.MOVE, states), (lite.POSTING, postings)):
            await (await connection.executemany(statement, rows)).close()
        return [posting[0] for posting in postings]

    async def batch(self, name: str, pairs: Sequence[tuple[Account, Account]]) -> None:
        """Book many postings with executemany."""
        async with self._unit() as connection:
            accounts = sorted({account for pair in pairs for account in pair})
            rows = dict(zip(accounts, await self._lock(connection, *accounts), strict=True))
            wanted = [
                ("bare_batch", f"{name}-{number}", (rows[host], rows[wallet]), SPENT_FEN)
                for number, (wallet, host) in enumerate(pairs)
            ]
            await self._book(connection, wanted)


@asynccontextmanager
async def bare_writers(url: str, writers: int) -> AsyncIterator[Bare]:
    """On PostgreSQL a connection for each; on SQLite one, with the pragmas of the hub's own."""
    if not url.startswith("sqlite"):
        connections = [await asyncpg.connect(driver_url(url)) for _ in range(writers)]
        try:
            yield BarePostgresql(connections)
        finally:
            for connection in connections:
                await connection.close()
        return
    async with aiosqlite.connect(url.partition("///")[2], isolation_level=None) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
            await connection.execute_fetchall(f"PRAGMA {pragma}")
        yield BareSqlite(connection)
