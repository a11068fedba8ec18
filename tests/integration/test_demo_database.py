"""The demonstration makes its database anew, and never at the cost of somebody's books."""

import asyncio

import asyncpg
import pytest

from operator_sdk.examples.demo.databases import _make_anew
from operator_sdk.examples.demo.trouble import Trouble
from tests import databases

pytestmark = pytest.mark.integration
NAME = f"{databases._PREFIX}_demo"


async def tables() -> int:
    connection = await asyncpg.connect(databases._address(NAME))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM pg_stat_user_tables"))
    finally:
        await connection.close()


async def make_table() -> None:
    connection = await asyncpg.connect(databases._address(NAME))
    try:
        await connection.execute("CREATE TABLE precious (id int)")
    finally:
        await connection.close()


async def test_only_what_is_empty_or_its_own_is_dropped() -> None:
    await databases.on_server(f"CREATE DATABASE {NAME}")
    try:
        await make_table()
        with pytest.raises(Trouble, match="holds tables"):
            await asyncio.to_thread(_make_anew, databases._address(NAME))
        assert await tables() == 1
        await databases.on_server(f"DROP DATABASE {NAME}")
        await asyncio.to_thread(_make_anew, databases._address(NAME))
        await make_table()
        await asyncio.to_thread(_make_anew, databases._address(NAME))
        assert await tables() == 0
    finally:
        await databases.on_server(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
