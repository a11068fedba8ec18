"""What a broken, missing or unreachable database raises, whichever layer notices first."""

import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    OSError,
)
"""Everything it may raise: the command line makes one line of it."""

_ALWAYS = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver lost its place: cut off in the middle of an answer
    sqlite3.OperationalError,
    OSError,
)
_AWAY = ("08", "53", "57")
"""SQLSTATE classes: the connection; no room for another; the operator (a server that goes down or comes up)."""

_CLOSED = "55000"
"""A database that takes no connections just now."""

CONFLICTS = frozenset({"40P01", "40001"})
"""SQLSTATEs of a deadlock and of units that cannot both be: nothing was done, and nothing is wrong with it."""


def is_out_of_reach(problem: Exception) -> bool:
    """Whether it says that the database is lost, locked or restarting, and nothing about the statement."""
    if isinstance(problem, _ALWAYS):
        return True
    if isinstance(problem, DBAPIError):
        return problem.connection_invalidated or _is_away(getattr(problem.orig, "sqlstate", None))
    return isinstance(problem, asyncpg.PostgresError) and _is_away(problem.sqlstate)


def is_conflict(problem: Exception) -> bool:
    """Whether it says that the unit was given up for another's sake: the same may well do when tried again."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    return getattr(cause, "sqlstate", None) in CONFLICTS


def _is_away(sqlstate: str | None) -> bool:
    return sqlstate is not None and (sqlstate[:2] in _AWAY or sqlstate == _CLOSED)
