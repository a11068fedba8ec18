"""Who hangs up in the middle of a call, at whatever moment, takes no connection to the hub with him."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from operator_sdk import AsyncHubClient, BearerToken
from operator_sdk.client.patience import Patience
from tests.bff_rig import Bff, Phone, open_bff
from tests.rig import B, Rig, open_rig
from tests.rig_charges import begin_by_home, charge_of

CONNECTIONS = 2
ROUNDS = 25
"""Of the loop; a call to the server below takes fewer."""

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"keys":[]}'
UPDATE = (
    b'id: 1\ndata: {"session_id":"ses_01900000-0000-7000-8000-000000000000","number":1,'
    b'"at":"2026-01-01T00:00:00Z","state":"charging","energy_wh":0,"amount_fen":0,"power_w":0,'
    b'"percent":null,"seconds_left":null}\n\n'
)
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + UPDATE


class Lines:
    """A server of answers and of streams that never end; knows its open lines."""

    def __init__(self) -> None:
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while asked := await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0)
                writer.write(STREAM if b"/events" in asked else ANSWER)
                await writer.drain()
        self.open.discard(writer)
        writer.close()

    async def hang_up(self) -> None:
        """On lines that nothing is asked on, as servers do after a while."""
        for writer in self.open:
            writer.close()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def a_hub() -> AsyncIterator[tuple[Lines, AsyncHubClient]]:
    """Something that answers like a hub, and a client with few connections to it."""
    lines = Lines()
    server = await asyncio.start_server(lines.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    patience = Patience(attempts=1)
    client = AsyncHubClient(url, BearerToken("t"), patience=patience, timeout_s=2, connections=CONNECTIONS)
    async with server, client:
        yield lines, client
    await asyncio.sleep(0.01)


async def dropped(work: Callable[[], Awaitable[object]], rounds: int) -> None:
    """Cancelled after so many rounds of the loop."""
    task = asyncio.ensure_future(work())
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_call_cancelled_at_any_moment_leaves_its_connection_to_others() -> None:
    async with a_hub() as (_, client), asyncio.timeout(20):
        for rounds in range(ROUNDS):
            await dropped(lambda: client.call("jwks"), rounds)
            await asyncio.gather(*(client.call("jwks") for _ in range(CONNECTIONS)))


async def test_a_call_cancelled_while_it_clears_up_dead_connections_drops_none_of_them() -> None:
    """Found open by the collector, they would fail whichever test runs then."""
    async with a_hub() as (lines, client), asyncio.timeout(20):
        for rounds in range(ROUNDS):
            await asyncio.gather(*(client.call("jwks") for _ in range(CONNECTIONS)))
            await lines.hang_up()
            await dropped(lambda: client.call("jwks"), rounds)
        await client.call("jwks")
        gc.collect()


async def test_a_stream_left_at_any_moment_is_closed() -> None:
    async with a_hub() as (lines, client), asyncio.timeout(20):

        async def follow() -> None:
            async for _ in client.session_events("ses_1"):
                pass

        for rounds in range(ROUNDS):
            await dropped(follow, rounds)
        while lines.open:  # noqa: ASYNC110 (the server is told by nobody)
            await asyncio.sleep(0.01)


FOLLOW = "subscription($id: ID!) { chargingProgress(sessionId: $id) { number } }"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as opened:
        yield opened


@pytest.fixture
async def bff(rig: Rig) -> AsyncIterator[Bff]:
    async with open_bff(rig.url, connections=CONNECTIONS, rate_per_s=1_000) as opened:
        yield opened


async def hang_up_on(phone: Phone, session_id: str, rounds: int) -> None:
    """A phone that follows a charge and is gone after so many rounds of the loop."""
    async with phone.socket() as socket:
        await socket.subscribe("1", FOLLOW, id=session_id)
        for _ in range(rounds):
            await asyncio.sleep(0)
        socket.connection.transport.abort()


async def test_phones_that_hang_up_while_the_hub_is_asked_keep_nobody_from_being_served(
    rig: Rig, bff: Bff
) -> None:
    phone = bff.phone(rig.token(B, "u-1"))
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.runs(0)
    async with asyncio.timeout(60):
        for rounds in range(0, 60, 2):
            await hang_up_on(phone, charge.session_id, rounds)
        for _ in range(CONNECTIONS):
            await asyncio.gather(
                *(phone.data("{ chargingSessions { edges { cursor } } }") for _ in range(CONNECTIONS))
            )
    await charge.ends(2)
    await charge.bill()
    await rig.work()
