"""The demonstration's proxy: what passes, what is cut, lost and slowed down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from operator_sdk.examples.demo.proxy import Channel, Proxy

Ask = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Proxy, int, list[bytes]]]:
    """An echo behind a proxy; what reached the echo is in the list."""
    heard: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                heard.append(line)
                writer.write(line)
                await writer.drain()
        writer.close()

    behind = await asyncio.start_server(echo, "127.0.0.1", 0)
    channel = Channel("one", ("127.0.0.1", 0), ("127.0.0.1", _port(behind)))
    front = await channel.serve()
    try:
        yield Proxy([channel]), _port(front), heard
    finally:
        channel.obey("cut")
        for server in (front, behind):
            server.close()
        async with asyncio.timeout(5):
            while channel.open:  # noqa: ASYNC110 (what was aborted takes a turn of the loop to go)
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def ask(port: int, line: bytes) -> bytes:
    """What comes back; nothing where the connection breaks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(line)
        async with asyncio.timeout(5):
            return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_bytes_pass_both_ways():
    async with proxied() as (_, port, heard):
        assert await ask(port, b"hello\n") == b"hello\n"
        assert heard == [b"hello\n"]


async def test_a_cut_breaks_open_connections_and_new_ones_until_restored():
    async with proxied() as (proxy, port, heard):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"before\n")
        assert await reader.readline() == b"before\n"
        assert proxy.command("cut") == "one=cut,0,2"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        assert await ask(port, b"during\n") == b""
        proxy.command("restore one")
        assert await ask(port, b"after\n") == b"after\n"
        assert heard == [b"before\n", b"after\n"]


async def test_a_lost_answer_was_asked_all_the_same():
    async with proxied() as (proxy, port, heard):
        proxy.command("drop_answers")
        assert await ask(port, b"charge me\n") == b""
        assert heard == [b"charge me\n"]


async def test_a_delay_slows_both_ways():
    async with proxied() as (proxy, port, _):
        proxy.command("delay 60")
        began = monotonic()
        assert await ask(port, b"slow\n") == b"slow\n"
        assert monotonic() - began >= 0.12


@pytest.mark.parametrize("line", ["", "delay", "delay soon", "explode", "cut elsewhere"])
def test_what_is_no_command_is_an_error_and_changes_nothing(line):
    channel = Channel("one", ("127.0.0.1", 0), ("127.0.0.1", 0))
    assert Proxy([channel]).command(line).startswith("error")
    assert (channel.mode, channel.delay_ms) == ("pass", 0)
