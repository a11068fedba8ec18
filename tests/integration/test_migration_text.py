"""Stations that were there before searches had a text of theirs are found by it after the migration."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from hub.migrations.run import migrate, sync_url
from hub.settings import Settings
from tests import databases

PARTY = (
    "INSERT INTO party (party_id, name, roles, protocol, created_at)"
    " VALUES ('MA5AAAAA1', 'A', 'host', 'hosted', {})"
)
STATION = (
    "INSERT INTO station (host_party_id, station_id, name, address, latitude_e6, longitude_e6, cell, tariff_id,"
    " removed, updated_at) VALUES ('MA5AAAAA1', 'S1', '万科（东门）Ｐ＋Ｒ', 'Tesla 路', 1, 1, 1, 't', {}, {})"
)


@pytest.fixture
async def url(kind: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database without any table."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    name = f"{databases._PREFIX}_old"
    await databases.on_server(f"CREATE DATABASE {name}")
    yield databases._address(name)
    await databases.on_server(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_station_from_before_has_its_search_text(url: str, kind: str) -> None:
    settings = Settings(env="test", database_url=url)
    await asyncio.to_thread(migrate, settings, "0003")
    now, false = ("0", "0") if kind == "sqlite" else ("now()", "false")
    engine = create_engine(sync_url(url))
    try:
        with engine.begin() as connection:
            connection.execute(text(PARTY.format(now)))
            connection.execute(text(STATION.format(false, now)))
        await asyncio.to_thread(migrate, settings)
        with engine.connect() as connection:
            found = connection.execute(text("SELECT search_text FROM station")).scalar_one()
    finally:
        engine.dispose()
    assert found == "万科(东门)p+r\ntesla 路"
