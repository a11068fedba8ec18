"""Fresh databases for tests, on either engine.

The tables and triggers of all rooms are made once per process, in a template. On SQLite every test gets a copy
of its file; on PostgreSQL, where making and dropping a database waits for the disk, databases are emptied and
used again. The server is found through INTERPILE_TEST_DATABASE_URL; where nothing answers tests are skipped,
except in CI, where that is a failure.
"""

import itertools
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from hub.core.database import Database
from hub.migrations.metadata import METADATA, triggers

KINDS = ("sqlite", "postgresql")
SERVER = os.environ.get("INTERPILE_TEST_DATABASE_URL", "postgresql://127.0.0.1:5432/postgres")

_PREFIX = f"interpile_test_{os.getpid()}"
# Where it exists: files in memory do not wait for a disk that other tests keep busy.
_FOLDERS_IN = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

Tables = frozenset[str]
_count = itertools.count(1)
_files: dict[Tables, Path] = {}
_templates: dict[Tables, str] = {}
_idle: defaultdict[Tables, list[str]] = defaultdict(list)
_made: list[str] = []
_unreachable: list[str] = []


@asynccontextmanager
async def fresh_database(kind: str, *, pool_size: int = 10, spoilt: bool = False) -> AsyncIterator[Database]:
    """An empty database of its own with every table and trigger."""
    async with fresh_url(kind, spoilt=spoilt) as url:
        database = Database(url, pool_size=pool_size)
        try:
            yield database
        finally:
            await database.close()


@asynccontextmanager
async def fresh_url(kind: str, *, spoilt: bool = False) -> AsyncIterator[str]:
    """The address of such a database, for tests that start processes.

    A test that changes the schema, or looks at plans, says `spoilt`: nobody used its database before, and
    nobody does again.
    """
    tables = frozenset(METADATA.tables)
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="interpile-test-", dir=_FOLDERS_IN) as folder:
            shutil.copyfile(await _file_template(tables), f"{folder}/hub.db")
            yield f"sqlite:///{folder}/hub.db"
        return
    name = _idle[tables].pop() if _idle[tables] and not spoilt else await _make(tables)
    try:
        yield _address(name)
    finally:
        if spoilt or not await _empty(name):
            await _drop(name)
        else:
            _idle[tables].append(name)


async def on_server(statement: str) -> None:
    """Run one statement on the PostgreSQL server itself; skips the test where there is none."""
    if _unreachable:
        _no_server(_unreachable[0])
    try:
        connection = await asyncpg.connect(SERVER, timeout=5)
    except (OSError, asyncpg.PostgresError) as problem:
        _unreachable.append(type(problem).__name__)
        _no_server(_unreachable[0])
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def create_tables(database: Database) -> None:
    """The tables and triggers of every room."""
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        for statement in triggers(database.dialect):
            await connection.exec_driver_sql(statement)


async def drop_everything() -> None:
    """Called once, at the end of the run."""
    while _made:
        await _drop(_made[-1])
    for file in _files.values():
        shutil.rmtree(file.parent, ignore_errors=True)


async def _file_template(tables: Tables) -> Path:
    if tables not in _files:
        folder = tempfile.mkdtemp(prefix="interpile-test-", dir=_FOLDERS_IN)
        _files[tables] = Path(folder) / "template.db"
        await _fill(f"sqlite:///{_files[tables]}")
    return _files[tables]


async def _make(tables: Tables) -> str:
    if tables not in _templates:
        template = await _create("")
        await _fill(_address(template))
        _templates[tables] = template
    return await _create(f"TEMPLATE {_templates[tables]}")


async def _create(options: str) -> str:
    name = f"{_PREFIX}_{next(_count)}"
    await on_server(f"CREATE DATABASE {name} {options}")
    _made.append(name)
    # Tests of kills and cuts have servers of their own; here nothing needs to outlive the server.
    await on_server(f"ALTER DATABASE {name} SET synchronous_commit = off")
    return name


async def _drop(name: str) -> None:
    await on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _made.remove(name)


_OTHERS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2"


async def _empty(name: str) -> bool:
    """Delete every row, past the triggers that forbid it. False: this role may not, or a table is gone."""
    connection = await asyncpg.connect(_address(name), timeout=5)
    try:
        await connection.fetch(_OTHERS, name, connection.get_server_pid())
        await connection.execute("SET session_replication_role = replica")
        tables = list(METADATA.tables)
        full = " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables
        )
        for (table,) in await connection.fetch(full):
            await connection.execute(f'DELETE FROM "{table}"')
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError):
        return False
    else:
        return True
    finally:
        await connection.close()


async def _fill(url: str) -> None:
    database = Database(url)
    try:
        await create_tables(database)
    finally:
        await database.close()


def _address(name: str) -> str:
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def _no_server(why: str) -> NoReturn:
    message = f"no PostgreSQL at {make_url(SERVER).render_as_string()}: {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
