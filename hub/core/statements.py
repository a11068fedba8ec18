"""One statement, one commit, one round trip: the bare PostgreSQL driver for the few hottest paths.

A `Statement` takes one JSON document of rows for several tables and is a unit of work by itself. SQLite has no
need of it: there the ordinary units run, and they decide whatever a statement declines.
"""

import asyncio
import logging

import asyncpg
import orjson

from hub.core.database import OutOfReach, refuse_inside_unit
from hub.core.database_errors import CONFLICTS, DATABASE_ERRORS, is_out_of_reach

log = logging.getLogger("interpile.statements")

DECLINED = "IP001"
"""`must`'s own."""
ORDINARY_PATH = CONFLICTS | {DECLINED}
"""SQLSTATEs after which nothing was done and the ordinary path decides."""

BY_KEY = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""These statements look a few rows up by their keys. Left to statistics that lag behind a growing table, the
planner would rather read it whole."""

MUST = """
CREATE FUNCTION must(holds boolean) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'declined' USING ERRCODE = 'IP001';
    END IF;
    RETURN true;
END $$
"""


class Declined(Exception):
    """The statement found something out of the ordinary and changed nothing."""


class Statements:
    """A connection of one writer's own, made on first use and again after it breaks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()

    async def run(self, sql: str, document: object) -> list[asyncpg.Record]:
        """Run a statement over a document of rows.

        Raises:
            Declined: a condition or a unique key did not hold; nothing was changed.
            OutOfReach: the database does not answer; whether it was done is not known.
        """
        refuse_inside_unit("a statement inside a unit")
        async with self._lock:
            try:
                connection = await self._connected()
                return list(await connection.fetch(sql, orjson.dumps(document).decode()))
            except (asyncpg.UniqueViolationError, asyncpg.CheckViolationError) as problem:
                raise Declined from problem
            except DATABASE_ERRORS as problem:
                if getattr(problem, "sqlstate", None) in ORDINARY_PATH:
                    raise Declined from problem
                if not is_out_of_reach(problem):
                    raise
                self._drop()
                raise OutOfReach(type(problem).__name__) from problem

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url, timeout=5, command_timeout=20, server_settings=BY_KEY
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
