"""What SQLAlchemy has compiled, kept for all engines of a process."""

from typing import Any

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import hub.core.database

STATEMENTS_MOST = 5_000


def share() -> None:
    """Every engine of this process uses the statements that others have compiled.

    Each test has a hub of its own, which has one or two engines: compiling the same statements for each was a
    fifth of the suite's time. All engines of a kind are made alike, so that what one compiled suits the others.
    """
    for dialect in (PGDialect_asyncpg, SQLiteDialect_aiosqlite):
        dialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]
        dialect.__hash__ = lambda one: hash(type(one))  # type: ignore[method-assign, assignment]
    shared: dict[type[Dialect], Any] = {}

    def make_engine(url: str, **options: Any) -> AsyncEngine:
        engine = create_async_engine(url, query_cache_size=STATEMENTS_MOST, **options)
        one = engine.sync_engine
        one._compiled_cache = shared.setdefault(type(one.dialect), one._compiled_cache)
        return engine

    vars(hub.core.database)["create_async_engine"] = make_engine
