"""The migrated database is the one the rows describe, on both engines; migrating again changes nothing."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from hub.migrations.metadata import METADATA, triggers
from hub.migrations.run import migrate, sync_url
from hub.settings import Settings
from tests import databases


@pytest.fixture
async def migrated(kind: str, tmp_path: Any) -> Any:
    """A database that was empty and has been migrated twice."""
    if kind == "sqlite":
        settings = Settings(env="test", database_url=f"sqlite:///{tmp_path}/migrated.db")
        await asyncio.to_thread(migrate, settings)
        await asyncio.to_thread(migrate, settings)
        yield settings.database_url
        return
    name = f"{databases._PREFIX}_migrated"
    await databases.on_server(f"CREATE DATABASE {name}")
    try:
        settings = Settings(env="test", database_url=databases._address(name))
        await asyncio.to_thread(migrate, settings)
        await asyncio.to_thread(migrate, settings)
        yield settings.database_url
    finally:
        await databases.on_server(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrations_and_rows_agree(migrated: str) -> None:
    engine = create_engine(sync_url(migrated))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_every_guard_is_there(migrated: str, kind: str) -> None:
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }[kind]
    wanted = {
        statement.split("TRIGGER ")[1].split()[0]
        for statement in triggers(kind)
        if statement.lstrip().startswith(("CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER"))
    }
    engine = create_engine(sync_url(migrated))
    with engine.connect() as connection:
        there = {row[0] for row in connection.execute(text(query))}
    engine.dispose()
    assert wanted
    assert wanted <= there
