"""A gateway for the agent's tests: GatewayEnd on a real WebSocket, storing into SQLite, wrong if told to be."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from operator_sdk.contract.edge_link import SUBPROTOCOL
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    BadItem,
    BillItem,
    Command,
    FaultItem,
    HealthItem,
    Item,
    LinkCode,
    LinkProblem,
    Result,
    StatusItem,
    Stream,
    UpdateItem,
    decode_item,
    encode,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived, Asked, GatewayEnd, Left, Proving, Resulted
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate

GATEWAY_ID = "GATEWAY01"
WITHIN_S = 30
LOOK_S = 0.1
R = TypeVar("R", bound=Result)
SCHEMA = """
create table if not exists arrived (
    spool_id text, stream text, number integer, body blob, primary key (spool_id, stream, number));
"""


@dataclass
class Lapses:
    """What the gateway does wrong. `lost`, `doubled`: acknowledgements; `cut_after`: batches until a cut."""

    lost: int = 0
    doubled: bool = False
    cut_after: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the cut has come."""
        return self.cut_after is not None and self.cut_after < 0


@dataclass
class Receiver:
    """One gateway and everything that it stored, restarts included."""

    path: Path
    sites: dict[str, Ed25519PublicKey]
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    port: int = 0
    lapses: Lapses = field(default_factory=Lapses)
    answering: Callable[[Ask], Answer | None] = lambda _: None
    connections: int = 0
    left: list[str] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    items: list[Item | BadItem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.executescript(SCHEMA)
        self.news = asyncio.Event()
        self._line: tuple[ServerConnection, GatewayEnd] | None = None
        self._results: dict[str, asyncio.Future[Result]] = {}
        self._ids = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}/edge"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Receiver"]:
        """Listen; the port stays the same from one time to the next."""
        serving = serve(
            self._connected, "127.0.0.1", self.port, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None
        )
        async with serving as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            try:
                yield self
            finally:
                await self.cut()

    async def cut(self) -> None:
        """Cut the line without a word."""
        if self._line is not None:
            self._line[0].transport.abort()
            self._line = None

    async def command(self, command: Command, kind: type[R], *, command_id: str = "") -> R:
        """Have the agent do something, however often the line breaks meanwhile."""
        self._ids += 1
        command_id = command_id or f"cmd-{self._ids}-{secrets.token_hex(4)}"
        async with asyncio.timeout(WITHIN_S):
            while True:
                await self.until(lambda: self._line is not None)
                assert self._line is not None
                answer = self._results[command_id] = asyncio.get_running_loop().create_future()
                socket, end = self._line
                end.command(command_id, command)
                try:
                    await self._flush(socket, end)
                    async with asyncio.timeout(2):
                        result = await answer
                except ConnectionClosed:
                    self._forget(socket)  # or nobody would ever be told: to send on it again waits for nothing
                except TimeoutError:
                    continue
                else:
                    assert isinstance(result, kind), result
                    return result

    async def until(self, suits: Callable[[], object], within_s: float = WITHIN_S) -> None:
        """Wait until something is true, looking whenever something arrives."""
        async with asyncio.timeout(within_s):
            while not suits():
                self.news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), LOOK_S)

    # What it has.

    def updates(self, session_id: str) -> list[SessionUpdate]:
        """Each update of a session once, in the order of their numbers."""
        found = {
            item.update.number: item.update
            for item in self.items
            if isinstance(item, UpdateItem) and item.session_id == session_id
        }
        return [found[number] for number in sorted(found)]

    def of_session(self, session_id: str) -> list[UpdateItem]:
        """Each update of a session as often as it came."""
        return [item for item in self.items if isinstance(item, UpdateItem) and item.session_id == session_id]

    def bills(self, session_id: str) -> list[ChargeRecord]:
        """The different bills of a session."""
        found = [
            item.record
            for item in self.items
            if isinstance(item, BillItem) and item.record.session_id == session_id
        ]
        return [bill for at, bill in enumerate(found) if bill not in found[:at]]

    def states(self, connector_id: str) -> list[str]:
        """A connector's states, in order, repetitions left out."""
        said = [
            str(item.status.state)
            for item in self.items
            if isinstance(item, StatusItem) and item.status.connector_id == connector_id
        ]
        return [state for at, state in enumerate(said) if at == 0 or said[at - 1] != state]

    def faults(self) -> list[tuple[str, bool]]:
        """(code, cleared), in order."""
        return [(item.code, item.cleared) for item in self.items if isinstance(item, FaultItem)]

    def health(self) -> list[HealthItem]:
        """Every report of health."""
        return [item for item in self.items if isinstance(item, HealthItem)]

    def bad(self) -> list[BadItem]:
        """What could not be read."""
        return [item for item in self.items if isinstance(item, BadItem)]

    # How it works.

    async def _connected(self, socket: ServerConnection) -> None:
        end = GatewayEnd(GATEWAY_ID, self.key, nonce=secrets.token_bytes(32))
        spool_id = ""
        try:
            await self._flush(socket, end)
            async for message in socket:
                assert isinstance(message, bytes)
                try:
                    event = end.receive(message)
                    if isinstance(event, Proving):
                        spool_id = event.spool_id
                        await self._proving(socket, end, event)
                    else:
                        await self._event(socket, end, spool_id, event)
                except LinkProblem as problem:
                    end.bye(problem.code, problem.detail)
                    await self._flush(socket, end)
                    return
                await self._flush(socket, end)
                self.news.set()
        except ConnectionClosed:
            return
        finally:
            self._forget(socket)

    def _forget(self, socket: ServerConnection) -> None:
        if self._line is not None and self._line[0] is socket:
            self._line = None

    async def _proving(self, socket: ServerConnection, end: GatewayEnd, proving: Proving) -> None:
        key = self.sites.get(proving.site_id)
        if key is None:
            raise LinkProblem(LinkCode.SITE_UNKNOWN)
        end.accept(key, {stream: self.acknowledged(proving.spool_id, stream) for stream in Stream})
        if self._line is not None:
            other, other_end = self._line
            other_end.bye(LinkCode.SUPERSEDED)
            with contextlib.suppress(ConnectionClosed):
                await self._flush(other, other_end)
            await other.close()
        self._line = socket, end
        self.connections += 1

    def acknowledged(self, spool_id: str, stream: Stream) -> int:
        """How far a stream is stored."""
        row = self.db.execute(
            "select max(number) from arrived where spool_id = ? and stream = ?", (spool_id, stream)
        ).fetchone()
        return row[0] or 0

    async def _event(self, socket: ServerConnection, end: GatewayEnd, spool_id: str, event: object) -> None:
        match event:
            case Arrived():
                self._arrived(end, spool_id, event)
            case Resulted():
                self._resulted(event)
            case Asked():
                self.asked.append(event.ask)
                answer = self.answering(event.ask)
                if answer is not None:
                    end.answer(event.ask_id, answer)
            case Left():
                self.left.append(event.code)
        if self.lapses.cut_after is not None and isinstance(event, Arrived):
            self.lapses.cut_after -= 1
            if self.lapses.is_cut:
                socket.transport.abort()

    def _resulted(self, event: Resulted) -> None:
        waiting = self._results.get(event.command_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(event.result)

    def _arrived(self, end: GatewayEnd, spool_id: str, arrived: Arrived) -> None:
        self.db.execute("begin immediate")
        # `insert`, not `insert or ignore`: a number that comes twice is an error of the machine.
        self.db.executemany(
            "insert into arrived values (?, ?, ?, ?)",
            [
                (spool_id, arrived.stream, number, item.raw if isinstance(item, BadItem) else encode(item))
                for number, item in enumerate(arrived.items, arrived.first)
            ],
        )
        self.db.execute("commit")
        self.items += arrived.items
        if self.lapses.lost > 0:
            self.lapses.lost -= 1
            return
        before = len(end.outgoing)
        end.stored(arrived.stream, arrived.first + len(arrived.items) - 1)
        if self.lapses.doubled:
            end.outgoing.extend(list(end.outgoing)[before:])

    def remembered(self) -> list[Item | BadItem]:
        """Everything in the file, in the order of arrival."""
        rows = self.db.execute("select body from arrived order by rowid").fetchall()
        return [decode_item(body) for (body,) in rows]

    @staticmethod
    async def _flush(socket: ServerConnection, end: GatewayEnd) -> None:
        while end.outgoing:
            await socket.send(end.outgoing.popleft())
