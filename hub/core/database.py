"""Units of work: one step of a use case is one atomic unit, committed here and nowhere else.

SQLite: every writing unit opens BEGIN IMMEDIATE, in WAL with synchronous=FULL and foreign keys on, and writers
of this process queue on a lock instead of on the file. PostgreSQL: READ COMMITTED with ordered row locks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.core.database_errors import DATABASE_ERRORS, is_out_of_reach
from hub.core.errors import UnitOpenError


class OutOfReach(OSError):
    """The database does not answer. Whether an open unit was committed is not known."""


BLOCK = 5_000
"""Rows of a long list that are in memory at once."""

_OPEN: ContextVar[bool] = ContextVar("unit_open", default=False)


def refuse_inside_unit(what: str) -> None:
    """Guard of everything remote.

    Raises:
        UnitOpenError: a unit of work is open in this task.
    """
    if _OPEN.get():
        raise UnitOpenError(what)


@dataclass(slots=True)
class Unit:
    """An open unit of work. What is hung on `after_commit` runs once the unit is durable."""

    session: AsyncSession
    dialect: str
    hooks: list[Callable[[], None]] = field(default_factory=list)
    exposures: set[str] = field(default_factory=set)
    """Homes whose exposure this unit has locked."""
    in_ledger: bool = False
    """Whether it has locked accounts of the ledger; from then on no further exposure may be locked."""

    async def execute(
        self, statement: Executable, params: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run a Core statement on this unit's connection; rows pending in the session are not flushed first."""
        result: CursorResult[Any] = await (await self.session.connection()).execute(statement, params)
        return result

    async def blocks(self, statement: Executable) -> AsyncIterator[Sequence[Any]]:
        """The rows of a Core statement, a block at a time, whatever there is of them in all."""
        async with (await self.session.connection()).stream(statement) as result:
            # Told through the option `yield_per`, partitions of a stream come as one with everything in it.
            async for rows in result.partitions(BLOCK):
                yield rows

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Run this after the commit; it must not fail and must not block."""
        self.hooks.append(hook)


def driver_url(url: str) -> str:
    """A database URL without a driver's name, as the bare PostgreSQL driver takes it."""
    parsed = make_url(url)
    return parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=False)


def async_url(url: str) -> str:
    """A plain database URL with the driver we use."""
    parsed = make_url(url)
    driver = {
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
        "sqlite": "sqlite+aiosqlite",
    }
    name = parsed.get_backend_name()
    if name not in driver:
        raise ValueError(f"unsupported database: {name}")
    return parsed.set(drivername=driver[name]).render_as_string(hide_password=False)


class Database:
    """The engine and the only door to transactions."""

    def __init__(self, url: str, *, pool_size: int = 20, connect_args: dict[str, Any] | None = None) -> None:
        """`connect_args` go to the driver: the simulator puts one in its place that has no thread."""
        self.url = async_url(url)
        self.dialect = make_url(self.url).get_backend_name()
        self.driver_url = driver_url(url) if self.dialect == "postgresql" else None
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=20,
            pool_pre_ping=False,
            connect_args=connect_args or {},
        )
        if self.dialect == "sqlite":
            _prepare_sqlite(self.engine)
        self._writing = self.engine.execution_options(writing=True)
        # One snapshot for all statements of a reading unit, as SQLite gives by itself.
        self._reading = self._glancing = self.engine
        if self.dialect == "postgresql":
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self._glancing = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sqlite_writers = asyncio.Lock()

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        """A writing unit: committed when the block ends, rolled back when it raises."""
        refuse_inside_unit("a unit inside a unit")
        if self.dialect == "sqlite":
            async with self._sqlite_writers, self._transaction(self._writing) as unit:
                yield unit
        else:
            async with self._transaction(self._writing) as unit:
                yield unit
        for hook in unit.hooks:
            hook()

    @asynccontextmanager
    async def reading(self, *, once: bool = False) -> AsyncIterator[Unit]:
        """A unit that only reads; `once`: one statement, which needs no BEGIN and COMMIT for its snapshot."""
        async with self._transaction(self._glancing if once else self._reading) as unit:
            yield unit

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[Unit]:
        token = _OPEN.set(True)
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                yield Unit(session, self.dialect)
        except DATABASE_ERRORS as problem:
            if not is_out_of_reach(problem):
                raise
            raise OutOfReach(type(problem).__name__) from problem
        finally:
            _OPEN.reset(token)

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=15000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
