"""A site's end of the edge link for tests: AgentEnd on a real WebSocket, every event kept and waited for."""

import asyncio
import contextlib
import secrets
import socket as socketlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from operator_sdk.contract.edge_link import SUBPROTOCOL
from operator_sdk.contract.edge_link.agent_end import (
    Acknowledged,
    AgentEnd,
    AgentEvent,
    Answered,
    Closed,
    Commanded,
    Identity,
    Opened,
)
from operator_sdk.contract.edge_link.frames import (
    Ask,
    Command,
    Done,
    Item,
    LinkProblem,
    Result,
    Stream,
    encode,
)

WITHIN_S = 15
T = TypeVar("T")
Answering = Callable[[Command], Result | None]


class Gateway(Protocol):
    """Where to connect, and whom to trust."""

    @property
    def url(self) -> str: ...

    @property
    def gateway_id(self) -> str: ...

    @property
    def gateway_key(self) -> Ed25519PublicKey: ...


@dataclass
class Site:
    """A site and its key. `spool_id` changes with its disk."""

    site_id: str = "site-1"
    connectors: tuple[str, ...] = ("C1", "C2")
    spool_id: str = "spool-1"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def identity(self, gateway: Gateway) -> Identity:
        """Who it is to that gateway."""
        return Identity(
            site_id=self.site_id,
            spool_id=self.spool_id,
            key=self.key,
            gateway_id=gateway.gateway_id,
            gateway_key=gateway.gateway_key,
            connectors=self.connectors,
            version="test",
        )


class AgentLine:
    """One connection, from the agent's side. `answering` gives a command's result, None for silence.

    While `hears` is not set it reads nothing, and what is sent to it piles up on the way.
    """

    def __init__(self, socket: ClientConnection, end: AgentEnd, answering: Answering) -> None:
        self.socket, self.end = socket, end
        self.events: list[AgentEvent] = []
        self.problem: LinkProblem | None = None
        self.is_closed = False
        self.hears = asyncio.Event()
        self.hears.set()
        self._answering = answering
        self._news = asyncio.Condition()

    async def read(self) -> None:
        """Take what the gateway says until the connection ends."""
        try:
            async for data in self.socket:
                await self.hears.wait()
                assert isinstance(data, bytes)
                event = self.end.receive(data)
                if isinstance(event, Commanded):
                    result = self._answering(event.command)
                    if result is not None:
                        self.end.result(event.command_id, result)
                with contextlib.suppress(ConnectionClosed):  # what came before the end is still to be read
                    await self.flush()
                await self._tell(event)
        except ConnectionClosed:
            pass
        except LinkProblem as problem:
            self.problem = problem
            await self.socket.close()
        self.is_closed = True
        await self._tell(None)

    async def _tell(self, event: AgentEvent | None) -> None:
        async with self._news:
            if event is not None:
                self.events.append(event)
            self._news.notify_all()

    async def flush(self) -> None:
        """Send what the machine says."""
        while self.end.outgoing:
            await self.socket.send(self.end.outgoing.popleft())

    async def until(self, found: Callable[[], T | None]) -> T:
        """What is found in the events, as soon as it is."""
        async with asyncio.timeout(WITHIN_S), self._news:
            while (result := found()) is None:
                assert not self.is_closed, f"closed: {self.events} {self.problem}"
                await self._news.wait()
            return result

    async def opened(self) -> dict[Stream, int]:
        """Where each stream goes on, once both ends are proved."""
        return (await self.until(lambda: self._first(Opened))).acknowledged

    async def offer(self, stream: Stream, items: Sequence[Item | bytes]) -> None:
        """Send items as the stream's next."""
        first = self.end.next_number(stream)
        assert first is not None
        self.end.offer(stream, first, [one if isinstance(one, bytes) else encode(one) for one in items])
        await self.flush()

    async def acknowledged(self, stream: Stream, number: int) -> None:
        """Wait until everything up to this number is."""
        await self.until(
            lambda: next(
                (
                    one
                    for one in self.events
                    if isinstance(one, Acknowledged) and one.stream == stream and one.number >= number
                ),
                None,
            )
        )

    async def commanded(self, kind: type[T], count: int = 1) -> list[T]:
        """The commands of a kind, once there are so many."""

        def found() -> list[T] | None:
            heard = [one.command for one in self.events if isinstance(one, Commanded)]
            mine: list[T] = [one for one in heard if isinstance(one, kind)]
            return mine if len(mine) >= count else None

        return await self.until(found)

    async def ask(self, ask_id: str, ask: Ask) -> Answered:
        """Ask, and wait for the answer."""
        self.end.ask(ask_id, ask)
        await self.flush()
        answers = lambda: (one for one in self.events if isinstance(one, Answered))  # noqa: E731
        return await self.until(lambda: next((one for one in answers() if one.ask_id == ask_id), None))

    async def closed(self) -> str:
        """Wait for the end; the code with which the gateway said goodbye, empty if it did not."""
        async with asyncio.timeout(WITHIN_S), self._news:
            await self._news.wait_for(lambda: self.is_closed)
        bye = self._first(Closed)
        return bye.code if bye else ""

    def _first(self, kind: type[T]) -> T | None:
        return next((one for one in self.events if isinstance(one, kind)), None)


def always_done(_: Command) -> Result:
    """Whatever is wanted."""
    return Done()


@asynccontextmanager
async def dialled(
    gateway: Gateway, site: Site, *, answering: Answering = always_done, buffer_bytes: int | None = None
) -> AsyncIterator[AgentLine]:
    """Connect, and have the handshake begin; the connection is cut at the end of the block."""
    end = AgentEnd(site.identity(gateway), nonce=secrets.token_bytes(32))
    async with raw(gateway, buffer_bytes) as socket:
        line = AgentLine(socket, end, answering)
        reading = asyncio.create_task(line.read())
        try:
            yield line
        finally:
            line.hears.set()
            socket.transport.abort()
            await reading


@asynccontextmanager
async def connected(
    gateway: Gateway, site: Site, *, answering: Answering = always_done, buffer_bytes: int | None = None
) -> AsyncIterator[AgentLine]:
    """Connect, and wait until both ends are proved."""
    async with dialled(gateway, site, answering=answering, buffer_bytes=buffer_bytes) as line:
        await line.opened()
        yield line


@asynccontextmanager
async def raw(gateway: Gateway, buffer_bytes: int | None = None) -> AsyncIterator[ClientConnection]:
    """A bare WebSocket with the right subprotocol; `buffer_bytes`: the most that it takes without reading."""
    address = urlsplit(gateway.url)
    plain = socketlib.socket()
    plain.setblocking(False)
    if buffer_bytes is not None:
        plain.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, buffer_bytes)
    with contextlib.ExitStack() as undone:  # whoever dials may be refused, and may be cancelled
        undone.callback(plain.close)
        await asyncio.get_running_loop().sock_connect(plain, (address.hostname, address.port))
        socket = await connect(
            gateway.url,
            sock=plain,
            max_queue=16 if buffer_bytes is None else 1,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=None,
            ping_interval=None,
            compression=None,
            proxy=None,
            close_timeout=2,
        )
        undone.pop_all()
    try:
        yield socket
    finally:
        with contextlib.suppress(ConnectionClosed):
            await socket.close()
