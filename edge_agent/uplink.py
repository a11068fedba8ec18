"""The connection to the gateway: kept up, drained into, asked over. What is said on it is `contract.edge_link`.

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(uplink.run())
    ...
    answer = await uplink.ask(ask_id, ask, within_s=10)

Waits are wall time. A connection that fails is tried again after a time that doubles up to a minute, less a
random part of it.
"""

import asyncio
import contextlib
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from edge_agent.spool import Mismatch, Spool
from edge_agent.store import StoreFull
from operator_sdk.contract.edge_link import FRAME_BYTES_MOST, SUBPROTOCOL
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
from operator_sdk.contract.edge_link.frames import Answer, Ask, Command, LinkCode, LinkProblem, Result, Stream

log = logging.getLogger("interpile.edge.uplink")

WAIT_S_FIRST, WAIT_S_MOST = 0.25, 60.0
OPEN_S, CLOSE_S = 10, 2
PING_S = 15
SILENT_S = 30
"""How long a batch may go without an acknowledgement."""

SUPERSEDED_S = 30
"""Where two agents use one site's key, neither lets the other work if both hurry back."""

DRAIN = (Stream.BILLS, Stream.LIVE)


class LinkDown(Exception):
    """There is no gateway to ask, or it did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where to connect, and as whom."""

    url: str
    site_id: str
    key: Ed25519PrivateKey
    gateway_id: str
    gateway_key: Ed25519PublicKey
    connectors: tuple[str, ...]
    ca_file: Path | None = None
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Whom the uplink tells what it hears. `superseded`: somebody else connected in this site's name."""

    commanded: Callable[[str, Command], Awaitable[Result | None]]
    answered_late: Callable[[str, Answer], None]
    opened: Callable[[], None]
    lost: Callable[[str], None]
    superseded: Callable[[], None]
    mismatched: Callable[[Mismatch], None]


class Uplink:
    """One agent's link."""

    def __init__(self, home: Home, spool: Spool, ears: Ears) -> None:
        self._home, self._spool, self._ears = home, spool, ears
        self._more = asyncio.Event()
        self._end: AgentEnd | None = None
        self._answers: dict[str, asyncio.Future[Answer]] = {}
        self._doing: dict[str, AgentEnd] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._acknowledged_s = 0.0
        self._wait_s = WAIT_S_FIRST

    @property
    def is_open(self) -> bool:
        """Whether both ends are proved."""
        return self._end is not None and self._end.is_open

    def wake(self) -> None:
        """There may be something to send."""
        self._more.set()

    async def ask(self, ask_id: str, ask: Ask, *, within_s: float) -> Answer:
        """Ask the gateway.

        Raises:
            LinkDown: no connection, or no answer in time; a late one goes to `answered_late`.
        """
        if self._end is None or not self._end.is_open:
            raise LinkDown("not connected")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[ask_id] = answer
        try:
            self._end.ask(ask_id, ask)
            self._more.set()
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError as problem:
            raise LinkDown("no answer in time") from problem
        finally:
            self._answers.pop(ask_id, None)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            reason = await self._connection()
            self._ears.lost(reason)
            await asyncio.sleep(self._wait_s * (500 + secrets.randbelow(501)) / 1000)
            self._wait_s = min(2 * self._wait_s, WAIT_S_MOST)

    async def _connection(self) -> str:
        """One connection from its beginning to its end; why it ended."""
        try:
            async with connect(
                self._home.url,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                ssl=self._tls(),
                compression=None,
                max_size=FRAME_BYTES_MOST,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                proxy=None,
                user_agent_header=None,
            ) as socket:
                return await self._talk(socket)
        except (OSError, TimeoutError, InvalidURI, InvalidHandshake, ssl.SSLError) as problem:
            return f"cannot connect: {str(problem) or type(problem).__name__}"
        except WebSocketException as problem:
            return str(problem)
        except StoreFull as problem:
            return f"nothing can be noted: {problem}"
        finally:
            self._end = None
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(LinkDown("the connection was lost"))

    def _tls(self) -> ssl.SSLContext | None:
        if not self._home.url.startswith("wss:"):
            return None
        return ssl.create_default_context(cafile=self._home.ca_file)

    async def _talk(self, socket: ClientConnection) -> str:
        home = self._home
        end = self._end = AgentEnd(
            Identity(
                site_id=home.site_id,
                spool_id=self._spool.spool_id,
                key=home.key,
                gateway_id=home.gateway_id,
                gateway_key=home.gateway_key,
                connectors=home.connectors,
                version=home.version,
            ),
            nonce=secrets.token_bytes(32),
        )
        sending = asyncio.create_task(self._send(socket, end))
        receiving = asyncio.create_task(self._receive(socket, end))
        try:
            await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():  # by failing: a connection on which nothing can be sent is none
                await sending
            return await receiving
        except LinkProblem as problem:
            end.bye(problem.code, problem.detail)
            return f"the gateway broke the rules: {problem}"
        finally:
            sending.cancel()
            receiving.cancel()
            await asyncio.wait({sending, receiving})
            with contextlib.suppress(WebSocketException):
                await self._flush(socket, end)

    async def _receive(self, socket: ClientConnection, end: AgentEnd) -> str:
        async for message in socket:
            if isinstance(message, str):
                raise LinkProblem(LinkCode.MALFORMED, "text")
            event = end.receive(message)
            if isinstance(event, Closed):
                if event.code == LinkCode.SUPERSEDED:
                    self._wait_s = SUPERSEDED_S
                    self._ears.superseded()
                return f"the gateway closed: {event.code} {event.detail}".rstrip()
            if isinstance(event, Opened) and not self._reconciled(event):
                end.bye(LinkCode.NUMBER_UNKNOWN, "another spool follows")
                return "the streams are numbered anew"
            self._heard(end, event)
            self._more.set()
        return "the connection closed"

    def _reconciled(self, opened: Opened) -> bool:
        mismatch = self._spool.mismatch(opened.acknowledged)
        if mismatch is None:
            for stream, number in opened.acknowledged.items():
                self._acknowledged(stream, number)
            return True
        log.error("%s: the gateway says %s; numbering anew", mismatch, opened.acknowledged)
        self._spool.begin_again(secrets.token_hex(16), opened.acknowledged)
        self._ears.mismatched(mismatch)
        self._wait_s = WAIT_S_FIRST
        return False

    def _heard(self, end: AgentEnd, event: AgentEvent | None) -> None:
        self._acknowledged_s = asyncio.get_running_loop().time()
        match event:
            case Opened():
                self._ears.opened()
            case Acknowledged():
                # A connection that got something across was a good one: the next wait is short again.
                self._wait_s = WAIT_S_FIRST
                self._acknowledged(event.stream, event.number)
            case Commanded():
                self._commanded(end, event)
            case Answered():
                self._answered(event)

    def _acknowledged(self, stream: Stream, number: int) -> None:
        # On a full disk it cannot be noted; the next acknowledgement or welcome says it again.
        with contextlib.suppress(StoreFull):
            self._spool.acknowledged(stream, number)

    def _commanded(self, end: AgentEnd, asked: Commanded) -> None:
        is_at_work = asked.command_id in self._doing
        # Whoever asked last hears of it: the connection of the first time may be gone.
        self._doing[asked.command_id] = end
        if is_at_work:
            return
        task = asyncio.create_task(self._obey(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _obey(self, asked: Commanded) -> None:
        try:
            result = await self._ears.commanded(asked.command_id, asked.command)
        finally:
            end = self._doing.pop(asked.command_id)
        if result is not None:
            end.result(asked.command_id, result)
            self._more.set()

    def _answered(self, event: Answered) -> None:
        waiting = self._answers.get(event.ask_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(event.answer)
        else:
            self._ears.answered_late(event.ask_id, event.answer)

    async def _send(self, socket: ClientConnection, end: AgentEnd) -> None:
        """Whatever there is to send, bills first."""
        loop = asyncio.get_running_loop()
        while True:
            self._more.clear()
            with contextlib.suppress(WebSocketException):
                await self._flush(socket, end)
            if end.is_open and self._offer(end):
                self._more.set()
                continue
            try:
                async with asyncio.timeout(SILENT_S / 4):
                    await self._more.wait()
            except TimeoutError:
                if end.is_under_way and loop.time() - self._acknowledged_s > SILENT_S:
                    end.bye(LinkCode.SILENT, "no acknowledgement")
                    await socket.close()

    def _offer(self, end: AgentEnd) -> bool:
        for stream in DRAIN:
            first = end.next_number(stream)
            if first is not None and (batch := self._batch(stream, first)):
                end.offer(stream, first, batch)
                return True
        return False

    def _batch(self, stream: Stream, first: int) -> list[bytes]:
        try:
            return self._spool.batch(stream, first)
        except StoreFull:
            return []

    @staticmethod
    async def _flush(socket: ClientConnection, end: AgentEnd) -> None:
        while end.outgoing:
            await socket.send(end.outgoing.popleft())
