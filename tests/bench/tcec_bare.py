"""The yardstick of charge statuses: a bare Starlette route with the hub's own T/CEC 102 codec and one INSERT.

It verifies the envelope, decrypts it, parses its JSON, stores it, and seals an answer. It knows no session, no
token, no home and no rule. Rows are committed in groups by one writer, and an answer leaves after its commit.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.core.database import driver_url
from operator_sdk.contract.tcec102.wire import Ret, open_request, read_envelope, seal_answer
from tests.bench.tcec_world import PREFIX, STATUS, TCEC_HOST, ours, profile_of
from tests.bench.world import World

TABLE = "CREATE TABLE bench_bare (position bigserial PRIMARY KEY, start_charge_seq text, plain text)"
INSERT = "INSERT INTO bench_bare (start_charge_seq, plain) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM bench_bare"
Row = tuple[str, str]


class Writer:
    """Commits what has gathered while the commit before was under way."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, row: Row) -> None:
        """Return once the row is durable."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, stored))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await stored

    async def _drain(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            # One transaction for all of them, by itself.
            await self._connection.executemany(INSERT, [row for row, _ in group])
            for _, stored in group:
                stored.set_result(None)


class Bare:
    """Takes charge statuses."""

    def __init__(self, world: World) -> None:
        self._url = world.environment["DATABASE_URL"]
        self._keys, self._profile = [ours(TCEC_HOST)], profile_of(world, TCEC_HOST)
        self._writer: Writer | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """A table and a connection of its own."""
        connection = await asyncpg.connect(driver_url(self._url))
        try:
            await connection.execute(TABLE)
            self._writer = Writer(connection)
            yield
        finally:
            await connection.close()

    async def take(self, request: Request) -> Response:
        """One status."""
        assert self._writer is not None
        opened = open_request(read_envelope(await request.body()), self._keys, self._profile)
        asked = msgspec.json.decode(opened.plain)
        await self._writer.put((asked["StartChargeSeq"], opened.plain.decode()))
        plain = msgspec.json.encode({"StartChargeSeq": asked["StartChargeSeq"], "SuccStat": 0})
        answer = seal_answer(opened.keys, Ret.OK, "", plain, self._profile)
        return Response(answer, media_type="application/json")


async def ready(_: Request) -> Response:
    """Up."""
    return Response(b"{}")


def bare_app(world: World) -> Starlette:
    """The application."""
    bare = Bare(world)
    routes = [Route(f"{PREFIX}/{STATUS}", bare.take, methods=["POST"]), Route("/readyz", ready)]
    return Starlette(lifespan=bare.lifespan, routes=routes)
