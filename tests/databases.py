"""Fresh databases for tests, on either engine.

The tables and triggers of the rooms that the test process has imported are made once per process, in a
template; every test gets a copy of it. PostgreSQL is found through INTERPILE_TEST_DATABASE_URL; where nothing
answers its tests are skipped, except in CI, where that is a failure.
"""

import importlib
import importlib.util
import itertools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

from hub.core.database import Database

KINDS = ("sqlite", "postgresql")
SERVER = os.environ.get("INTERPILE_TEST_DATABASE_URL", "postgresql://127.0.0.1:5432/postgres")

_PREFIX = f"interpile_test_{os.getpid()}"
_count = itertools.count(1)
_templates: dict[tuple[str, frozenset[str]], str] = {}
_folder: list[str] = []
_unreachable: list[str] = []


@asynccontextmanager
async def fresh_database(kind: str, *, pool_size: int = 10) -> AsyncIterator[Database]:
    """A database of its own with every table and trigger, gone afterwards."""
    async with fresh_url(kind) as url:
        database = Database(url, pool_size=pool_size)
        try:
            yield database
        finally:
            await database.close()


@asynccontextmanager
async def fresh_url(kind: str) -> AsyncIterator[str]:
    """The address of such a database, for tests that start processes."""
    if kind == "sqlite":
        template = await _sqlite_template()
        folder = tempfile.mkdtemp(prefix="interpile-test-")
        try:
            shutil.copyfile(template, f"{folder}/hub.db")
            yield f"sqlite:///{folder}/hub.db"
        finally:
            shutil.rmtree(folder)
    else:
        template = await _postgresql_template()
        name = f"{_PREFIX}_{next(_count)}"
        await on_server(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield _address(name)
        finally:
            await on_server(f"DROP DATABASE {name} WITH (FORCE)")


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


async def drop_templates() -> None:
    """Called once, at the end of the run."""
    for (kind, _), template in _templates.items():
        if kind == "postgresql":
            await on_server(f"DROP DATABASE IF EXISTS {template} WITH (FORCE)")
    for folder in _folder:
        shutil.rmtree(folder, ignore_errors=True)
    _templates.clear()
    _folder.clear()


async def create_tables(database: Database) -> None:
    """The tables and triggers of every room whose tables are imported."""
    async with database.engine.begin() as connection:
        await connection.run_sync(SQLModel.metadata.create_all)
        for statement in _triggers(database.dialect):
            await connection.exec_driver_sql(statement)


def _triggers(dialect: str) -> list[str]:
    rooms = sorted({m[1] for name in sys.modules if (m := re.match(r"(hub\.\w+)\.tables", name))})
    found = [f"{room}.triggers" for room in rooms if importlib.util.find_spec(f"{room}.triggers")]
    return [line for name in found for line in importlib.import_module(name).TRIGGERS[dialect]]


async def _sqlite_template() -> str:
    key = ("sqlite", frozenset(SQLModel.metadata.tables))
    if key not in _templates:
        folder = tempfile.mkdtemp(prefix="interpile-test-")
        _folder.append(folder)
        path = str(Path(folder) / "template.db")
        await _fill(f"sqlite:///{path}")
        _templates[key] = path
    return _templates[key]


async def _postgresql_template() -> str:
    key = ("postgresql", frozenset(SQLModel.metadata.tables))
    if key not in _templates:
        name = f"{_PREFIX}_t{next(_count)}"
        await on_server(f"CREATE DATABASE {name}")
        _templates[key] = name
        await _fill(_address(name))
    return _templates[key]


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
