"""Where the auditor reads: any database with our tables, on connections of its own, which it never writes to.

A restored backup will do as well as the database that serves. Everything is read in one snapshot, streaming.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString, Protocol
from urllib.parse import quote

import psycopg

ROWS_AT_ONCE = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES: LiteralString = "SELECT tablename::text FROM pg_tables WHERE schemaname = ANY (current_schemas(false))"
_SETTINGS = "-c timezone=UTC -c default_transaction_read_only=on -c work_mem=64MB -c jit=off"

Row = tuple[Any, ...]


class Unreadable(OSError):
    """There is no database of ours at this address; the text says why."""


class Source(Protocol):
    """One snapshot of one database. In statements `?` stands for a value, on either engine."""

    def rows(self, statement: LiteralString, *values: object) -> Iterator[Row]:
        """The rows of a query, as they come; memory does not grow with them."""

    def few(self, statement: LiteralString, *values: object) -> Iterator[Row]:
        """The same where few are expected; nothing else is asked before the last of them."""

    def tables(self) -> frozenset[str]:
        """Which tables there are."""


class Sqlite:
    """A file, or a connection that somebody else has opened."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: LiteralString, *values: object) -> Iterator[Row]:
        """The rows of a query."""
        return iter(self._connection.execute(statement, values))

    few = rows

    def tables(self) -> frozenset[str]:
        """Which tables there are."""
        return frozenset(row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'"))


class Postgresql:
    """A server's database; rows come through cursors on the server."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection, self._cursors = connection, 0

    def rows(self, statement: LiteralString, *values: object) -> Iterator[Row]:
        """The rows of a query."""
        self._cursors += 1
        with self._connection.cursor(f"audit_{self._cursors}", binary=True) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(statement.replace("?", "%s"), values)
            yield from cursor

    def few(self, statement: LiteralString, *values: object) -> Iterator[Row]:
        """The same, without a cursor and the ways to the server that it costs."""
        with self._connection.cursor(binary=True) as cursor:
            yield from cursor.stream(statement.replace("?", "%s"), values)

    def tables(self) -> frozenset[str]:
        """Which tables there are."""
        return frozenset(row[0] for row in self.few(_TABLES))


@contextmanager
def opened(url: str) -> Iterator[Source]:
    """The database at a URL (`postgresql://…` or `sqlite:///FILE`), in one snapshot, read only.

    Raises:
        Unreadable: nothing answers there, or it is no database of ours.
    """
    plain = re.sub(r"^(\w+)\+\w+:", r"\1:", url)
    try:
        if plain.startswith("sqlite:///"):
            with _sqlite(plain.removeprefix("sqlite:///")) as sqlite:
                yield sqlite
        elif plain.startswith(("postgresql://", "postgres://")):
            with _postgresql(plain) as postgresql:
                yield postgresql
        else:
            raise Unreadable("an address begins with postgresql:// or sqlite:///")
    except (sqlite3.Error, psycopg.Error) as problem:
        raise Unreadable(str(problem).strip().partition("\n")[0] or type(problem).__name__) from problem


@contextmanager
def _sqlite(path: str) -> Iterator[Source]:
    if not Path(path).is_file():
        raise Unreadable(f"no file {path}")
    connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, isolation_level=None, timeout=15)
    try:
        connection.execute("BEGIN")
        yield Sqlite(connection)
    finally:
        connection.close()


@contextmanager
def _postgresql(url: str) -> Iterator[Source]:
    with psycopg.connect(url, options=_SETTINGS, connect_timeout=10) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield Postgresql(connection)


def instant_text(value: datetime | int) -> str:
    """An instant as digests cover it: `2026-03-02T04:00:00.000+00:00`.

    Whatever is finer than a millisecond shows, so that nobody can add any of it unseen.
    """
    at = _EPOCH + timedelta(microseconds=value) if isinstance(value, int) else value
    return at.isoformat(timespec="microseconds" if at.microsecond % 1000 else "milliseconds")


def local_day(value: datetime | int) -> str:
    """The calendar day of an instant in Shanghai, eight hours ahead of UTC: `2026-03-02`."""
    at = _EPOCH + timedelta(microseconds=value) if isinstance(value, int) else value
    return (at + timedelta(hours=8)).date().isoformat()
