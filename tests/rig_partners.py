"""Operators' platforms for tests of the joined hub: real servers that sign, and that misbehave on demand."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from operator_sdk import OperatorApp, SigningKey
from operator_sdk.contract.codes import AuthorizationState, SessionState
from operator_sdk.contract.messages.checks import ListedRecord, RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.records import (
    HomeRecord,
    RecordAnswer,
    SettlementRecord,
    SettlementReply,
)
from operator_sdk.contract.messages.roaming import (
    DriverAccount,
    DriverAccountRequest,
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseReply,
    ReleaseRequest,
    SessionProgress,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.operations import OPERATOR
from operator_sdk.contract.record_check import compare, reply_of
from operator_sdk.guard import Refuse
from operator_sdk.keys import new_key

TICK_S, GRACE_S = 0.1, 2
_PATHS = [
    (op.method, re.compile(re.sub(r"{\w+}", "[^/]+", op.path) + r"\Z"), op.id) for op in OPERATOR.values()
]


def operation_of(method: str, path: str) -> str:
    """Which of an operator's operations a request is for."""
    return next((name for verb, form, name in _PATHS if verb == method and form.match(path)), "")


class Moody:
    """Stands before a platform and spoils what it is told to, by operation:

    `silent` (never answers), `lost` (does the work, the answer never arrives), `500`, `wrong_signature`,
    `unsigned`, `nonsense` (200 and not JSON).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.moods: dict[str, str] = {}
        self.heard: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        operation = operation_of(scope["method"], scope["path"])
        self.heard.append(operation)
        await self._spoil(self.moods.get(operation, ""), scope, receive, send)

    async def _spoil(self, mood: str, scope: Scope, receive: Receive, send: Send) -> None:
        match mood:
            case "silent":
                while (await receive())["type"] != "http.disconnect":
                    pass
            case "lost":
                await self._app(scope, receive, _nowhere)
                await _broken(send)
            case "500":
                await _plain(send, 500, b"our own bug")
            case "nonsense":
                await _plain(send, 200, b"<html>")
            case "wrong_signature" | "unsigned":
                await self._app(scope, receive, lambda message: send(_spoilt(message, mood)))
            case _:
                await self._app(scope, receive, send)


async def _nowhere(message: Message) -> None:
    return


async def _broken(send: Send) -> None:
    """Promise a body and hang up."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})


async def _plain(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _spoilt(message: Message, mood: str) -> Message:
    if message["type"] != "http.response.start":
        return message
    kept = []
    for name, value in message["headers"]:
        if name == b"signature":
            if mood == "unsigned":
                continue
            other = b"AAAA" if value[5:9] != b"AAAA" else b"BBBB"
            kept.append((name, value.replace(value[5:9], other, 1)))
        else:
            kept.append((name, value))
    return {**message, "headers": kept}


class Platform:
    """One operator, home and host in one: answers as its attributes say and remembers what it heard."""

    def __init__(self, party_id: str, hub_url: str, url: str) -> None:
        self.party_id, self.url = party_id, url
        self.key: SigningKey = new_key("k1")
        self.app = OperatorApp(party_id=party_id, key=self.key, hub_url=hub_url, public_url=url)
        self.moody = Moody(self.app)
        self.moods, self.heard = self.moody.moods, self.moody.heard
        self.known: set[str] = {"BB-1", "BB-2", "u-1"}
        self.blocked: set[str] = set()
        self.grant_fen: int | None = None
        self.home_ref: Callable[[HomeAuthorizeRequest], str] = lambda ask: f"h:{ask.authorization_id[-12:]}"
        self.start_answer: Callable[[HostStartRequest], HostStartReply] = lambda ask: HostStartReply(
            accepted=True, host_ref=f"s:{ask.session_id[-12:]}"
        )
        self.stop_state: str | None = SessionState.STOPPING
        self.session = HostSession(known=False)
        self.record_answer: Callable[[HomeRecord], RecordAnswer] = self.settle
        self.authorizations: list[HomeAuthorizeRequest] = []
        self.releases: list[ReleaseRequest] = []
        self.progress: list[SessionProgress] = []
        self.records: list[HomeRecord] = []
        self.starts: list[HostStartRequest] = []
        self.stops: list[StopRequest] = []
        self.settlements: list[SettlementRecord] = []
        self.list_parts: list[RecordListPart] = []
        self.own_list: Callable[[RecordListPart], list[ListedRecord]] = lambda part: list(part.lines)
        """This operator's list of the day, when all parts of the hub's are there; as a rule the same."""
        self.limits: dict[str, int | None] = {}
        for operation_id in OPERATOR:
            if operation_id != "check_connector":
                self.app.on(operation_id)(getattr(self, f"on_{operation_id}"))

    # As a home.

    async def on_authorize(self, ask: HomeAuthorizeRequest, _: Any) -> HomeAuthorization:
        self.authorizations.append(ask)
        refused = AuthorizationState.REFUSED
        if ask.token.ref in self.blocked:
            return HomeAuthorization(state=refused, refusal="token_blocked")
        if ask.token.ref not in self.known:
            return HomeAuthorization(state=refused, refusal="token_unknown")
        limit = ask.hold_fen if self.grant_fen is None else self.grant_fen
        self.limits[ask.session_id] = limit
        return HomeAuthorization(
            state=AuthorizationState.GRANTED,
            limit_fen=limit,
            home_ref=self.home_ref(ask),
            subject="u-1",
        )

    async def on_release_authorization(self, ask: ReleaseRequest, _: Any) -> ReleaseReply:
        self.releases.append(ask)
        return ReleaseReply(authorization_id=ask.authorization_id, state="released")

    async def on_driver_account(self, ask: DriverAccountRequest, _: Any) -> DriverAccount:
        return DriverAccount(home_party_id=self.party_id, balance_fen=100, held_fen=0)

    async def on_push_session(self, said: SessionProgress, _: Any) -> Empty:
        self.progress.append(said)
        return Empty()

    async def on_push_record(self, record: HomeRecord, _: Any) -> RecordAnswer:
        self.records.append(record)
        return self.record_answer(record)

    def settle(self, record: HomeRecord) -> RecordAnswer:
        """Capture what is owed, at most what is held; give back the rest."""
        return RecordAnswer(state="settled", settlement=self.settlement(record))

    def settlement(self, record: HomeRecord) -> SettlementRecord:
        """The settlement record of a bill."""
        held = self.limits.get(record.session_id or "")
        held = record.owed_fen if held is None else held
        if record.kind == "credit":
            held = 0
        captured = min(record.owed_fen, held)
        return SettlementRecord(
            settlement_ref=f"stl:{record.record_id}",
            record_id=record.record_id,
            session_id=record.session_id,
            driver_amount_fen=record.owed_fen,
            captured_fen=captured,
            released_fen=held - captured,
            settled_at=record.ended_at,
        )

    # As either.

    async def on_check_records(self, part: RecordListPart, _: Any) -> RecordListReply:
        self.list_parts.append(part)
        parts = {one.part: one for one in self.list_parts if one.check_ref == part.check_ref}
        if len(parts) < part.parts:
            return RecordListReply(state="collecting")
        whole = [line for number in sorted(parts) for line in parts[number].lines]
        return reply_of(compare(self.own_list(replace(part, lines=whole)), whole))

    # As a host.

    async def on_start(self, ask: HostStartRequest, _: Any) -> HostStartReply:
        self.starts.append(ask)
        return self.start_answer(ask)

    async def on_stop(self, ask: StopRequest, call: Any) -> StopReply:
        self.stops.append(ask)
        if self.stop_state is None:
            raise Refuse("not_found")
        return StopReply(session_id=call.session_id, state=self.stop_state)

    async def on_query_session(self, _: Empty, call: Any) -> HostSession:
        return self.session

    async def on_push_settlement(self, said: SettlementRecord, _: Any) -> SettlementReply:
        self.settlements.append(said)
        return SettlementReply(record_id=said.record_id, state="settled")


class Server(uvicorn.Server):
    """Leaves the signals to pytest, and ends as soon as it is told to and has answered what it was asked.

    uvicorn itself looks every tenth of a second, three times; with one hub a test, that was minutes.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """Tell it."""
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        """Until it is told."""
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up, answer what was asked, and let the application end."""
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        end = asyncio.get_running_loop().time() + GRACE_S
        while self.server_state.connections or self.server_state.tasks:
            if asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(0.002)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()


@dataclass(frozen=True)
class Listener:
    """A port that is ours before anybody serves on it."""

    socket: socket.socket
    url: str


def listen() -> Listener:
    """Take a free port of this machine."""
    # asyncio sends small pieces at once only where the socket says that it is TCP; `create_server` makes one
    # that does not, and every answer of two pieces then waits 40 ms for the other side's acknowledgement.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    bound.listen(128)
    return Listener(bound, f"http://127.0.0.1:{bound.getsockname()[1]}")


@asynccontextmanager
async def serving(*apps: tuple[ASGIApp, Listener]) -> AsyncIterator[None]:
    """Serve apps in this loop while the block lasts."""
    servers = [Server(_config(app)) for app, _ in apps]
    tasks = [
        asyncio.create_task(server.serve(sockets=[at.socket]))
        for server, (_, at) in zip(servers, apps, strict=True)
    ]
    try:
        while not all(server.started for server in servers):
            await asyncio.sleep(0.005)
            assert not any(task.done() for task in tasks), "a server did not start"
        yield
    finally:
        await stop_listening(*(at.socket for _, at in apps))
        for server in servers:
            server.end()
        await asyncio.gather(*tasks)
        await _hang_up(servers)


async def stop_listening(*sockets: Any) -> None:
    """Accept nothing more, and let what was accepted last arrive at its server before that is closed.

    asyncio drops a line that it has accepted in the very round in which its server is closed, and leaves its
    socket open (python/cpython#109564). Browsers open lines at any moment.
    """
    for one in sockets:
        asyncio.get_running_loop().remove_reader(one.fileno())
    for _ in range(3):
        await asyncio.sleep(0)


async def _hang_up(servers: list[Server]) -> None:
    """A browser keeps lines open that it does not use: no socket may outlive its server."""
    for _ in range(2):  # a line accepted at the last moment is registered in the next round
        await asyncio.sleep(0.01)
        for server in servers:
            for connection in list(server.server_state.connections):
                connection.transport.abort()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=2 << 20,
        lifespan="on",
        timeout_keep_alive=75,  # longer than any client of a test keeps an idle line
        timeout_graceful_shutdown=GRACE_S,
    )
