"""SQLite without a thread: aiosqlite's connection, done at once, so that no coroutine ever waits for it.

Commits are ports: before and after each, the process that commits may die, and what it had open is then gone.
"""

import sqlite3
from collections.abc import Callable, Generator
from typing import Any, Protocol

import aiosqlite


class Ports(Protocol):
    """Whoever owns the connections."""

    alive: bool

    def check(self) -> None:
        """Raise when this process is dead."""

    def port(self, what: str) -> None:
        """Something is about to happen that others can see. Raises when this process is dead, or dies here."""

    def committed(self) -> None:
        """Something was made durable."""


class _Jobs:
    """The queue of jobs for aiosqlite's thread; here they are done when they are put in."""

    def put_nowait(self, job: tuple[Any, Callable[[], object]]) -> None:
        future, work = job
        future.set_result(work())


class Cursor:
    """An asynchronous cursor that never waits."""

    arraysize = 1

    def __init__(self, cursor: sqlite3.Cursor, ports: Ports) -> None:
        self._cursor, self._ports = cursor, ports

    async def __aenter__(self) -> "Cursor":
        return self

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    async def execute(self, *statement: Any) -> None:
        self._ports.check()
        self._cursor.execute(*statement)

    async def executemany(self, *statement: Any) -> None:
        self._ports.check()
        self._cursor.executemany(*statement)

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()

    async def fetchmany(self, size: int = 1) -> list[Any]:
        return self._cursor.fetchmany(size)

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()


class Connection(aiosqlite.Connection):
    """What SQLAlchemy and the hub want of an aiosqlite connection. Its thread is never started."""

    def __init__(self, path: str, ports: Ports) -> None:
        super().__init__(lambda: self._raw, iter_chunk_size=64)
        self._connection = self._raw = sqlite3.connect(path, isolation_level=None, timeout=0)
        self._tx: Any = _Jobs()
        self._ports, self._seen = ports, 0

    def __await__(self) -> Generator[Any, None, "Connection"]:
        yield from ()
        return self

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        self._ports.check()
        return fn(*args, **kwargs)

    def cursor(self) -> Any:
        return Cursor(self._raw.cursor(), self._ports)

    async def commit(self) -> None:
        self._ports.check()
        if not self._raw.in_transaction:
            return
        changes = self._raw.total_changes
        is_news = changes != self._seen
        if is_news:
            self._ports.port("before commit")
        self._raw.commit()
        self._seen = changes
        if is_news:
            self._ports.committed()
            self._ports.port("after commit")

    async def rollback(self) -> None:
        if self._ports.alive:
            self._raw.rollback()
            self._seen = self._raw.total_changes

    async def close(self) -> None:
        self.stop()

    def stop(self) -> None:
        """Close; whatever was not committed is gone."""
        self._connection = None
        self._raw.close()
