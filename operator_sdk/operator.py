"""Answer the hub's calls: an ASGI app that a partner fills with functions.

    app = OperatorApp(party_id="MA5AAAAA1", key=key, hub_url="https://hub.example",
                      public_url="https://operator.example", clock=Clock())

    @app.start
    async def start(message: HostStartRequest, call: Call) -> HostStartReply:
        ...

A function runs only when the hub's signature holds, within its window and for the first time; it is
given a checked message, and what it returns is signed where the contract wants that. The hub repeats
messages whose answer it did not get: the ids in them say which ones. An operation without a function
answers 404 `not_found`.
"""

import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from operator_sdk.chance import fresh_nonce
from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.messages.checks import RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import Empty, Message
from operator_sdk.contract.messages.records import (
    HomeRecord,
    RecordAnswer,
    SettlementRecord,
    SettlementReply,
)
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    CheckConnectorRequest,
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
from operator_sdk.contract.operations import OPERATOR, Operation
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import (
    Claims,
    SignatureProblem,
    SigningKey,
    read_claims,
    sign_answer,
)
from operator_sdk.errors import InterpileError
from operator_sdk.guard import NonceMemory, Refuse, admit
from operator_sdk.receiving import (
    decode_message,
    error_answer,
    json_answer,
    read_body,
    request_id_of,
    target_uri,
)

log = logging.getLogger("interpile.operator")


@dataclass(frozen=True, slots=True)
class Call:
    """What a function is told beside the message."""

    operation_id: str
    request_id: str
    path: Mapping[str, str]
    received_at: datetime

    @property
    def session_id(self) -> str:
        """The session that the call's path names."""
        return self.path["session_id"]


M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Message)
Handler = Callable[[M, Call], Awaitable[R]]
AnyHandler = TypeVar("AnyHandler", bound=Callable[[Any, Call], Awaitable[Message]])


class OperatorApp:
    """The hub's calls to one operator, as an ASGI app. `public_url` is the base URL the hub knows."""

    def __init__(
        self,
        *,
        party_id: str,
        key: SigningKey,
        hub_url: str,
        public_url: str,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.party_id = party_id
        self._key = key
        self._public_url = public_url
        self._clock = clock or Clock()
        self._hub = AsyncHubClient(hub_url, clock=self._clock, transport=transport)
        self._nonces = NonceMemory()
        self._handlers: dict[str, Callable[[Any, Call], Awaitable[Message]]] = {}
        routes = [
            Route(operation.path, self._endpoint(operation), methods=[operation.method])
            for operation in OPERATOR.values()
        ]
        self._app = Starlette(
            routes=[Route("/healthz", self._health, methods=["GET"]), *routes],
            exception_handlers={HTTPException: _not_routed},
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        await self._app(scope, receive, send)

    async def aclose(self) -> None:
        """Close the connections to the hub; the app's own lifespan does it when it is served alone."""
        await self._hub.aclose()

    def on(self, operation_id: str) -> Callable[[AnyHandler], AnyHandler]:
        """Register a function for an operation by its id.

        Raises:
            ValueError: the hub never asks that of an operator, or it has a function already.
        """
        if operation_id not in OPERATOR:
            raise ValueError(f"the hub does not ask {operation_id!r} of an operator")

        def register(function: AnyHandler) -> AnyHandler:
            if operation_id in self._handlers:
                raise ValueError(f"{operation_id} has a function already")
            self._handlers[operation_id] = function
            return function

        return register

    def authorize(
        self, function: Handler[HomeAuthorizeRequest, HomeAuthorization]
    ) -> Handler[HomeAuthorizeRequest, HomeAuthorization]:
        """Home: may this token of yours charge there?"""
        return self.on("authorize")(function)

    def release_authorization(
        self, function: Handler[ReleaseRequest, ReleaseReply]
    ) -> Handler[ReleaseRequest, ReleaseReply]:
        """Home: give back what this id held; unknown ids succeed and are burnt."""
        return self.on("release_authorization")(function)

    def driver_account(
        self, function: Handler[DriverAccountRequest, DriverAccount]
    ) -> Handler[DriverAccountRequest, DriverAccount]:
        """Home: a driver's balance and holds."""
        return self.on("driver_account")(function)

    def push_session(self, function: Handler[SessionProgress, Empty]) -> Handler[SessionProgress, Empty]:
        """Home: how your driver's charge goes."""
        return self.on("push_session")(function)

    def push_record(self, function: Handler[HomeRecord, RecordAnswer]) -> Handler[HomeRecord, RecordAnswer]:
        """Home: the bill; answer with the settlement record."""
        return self.on("push_record")(function)

    def check_connector(
        self, function: Handler[CheckConnectorRequest, CheckConnectorReply]
    ) -> Handler[CheckConnectorRequest, CheckConnectorReply]:
        """Host: could a charge start there now?"""
        return self.on("check_connector")(function)

    def start(
        self, function: Handler[HostStartRequest, HostStartReply]
    ) -> Handler[HostStartRequest, HostStartReply]:
        """Host: start. The same session again gets the same answer."""
        return self.on("start")(function)

    def stop(self, function: Handler[StopRequest, StopReply]) -> Handler[StopRequest, StopReply]:
        """Host: stop the session that the call's path names."""
        return self.on("stop")(function)

    def query_session(self, function: Handler[Empty, HostSession]) -> Handler[Empty, HostSession]:
        """Host: what do you know of the session that the call's path names?"""
        return self.on("query_session")(function)

    def push_settlement(
        self, function: Handler[SettlementRecord, SettlementReply]
    ) -> Handler[SettlementRecord, SettlementReply]:
        """Host: how your record was settled."""
        return self.on("push_settlement")(function)

    def check_records(
        self, function: Handler[RecordListPart, RecordListReply]
    ) -> Handler[RecordListPart, RecordListReply]:
        """Home or host: here is the hub's list of a day; how does yours differ?

        `operator_sdk.contract.record_check` compares two lists.
        """
        return self.on("check_records")(function)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        yield
        await self.aclose()

    async def _health(self, request: Request) -> Response:
        state = {"status": "ok", "party_id": self.party_id}
        return json_answer(state, request_id_of(request))

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request_id = request_id_of(request)
            try:
                body = await read_body(request, operation.max_body)
                await self._admit(request, body)
            except Refuse as refusal:
                return error_answer(refusal, request_id)
            answer = await self._answer(operation, request, body, request_id)
            if operation.signed:
                self._sign(answer, request.headers["signature"])
            return answer

        return endpoint

    async def _admit(self, request: Request, body: bytes) -> None:
        """Let the hub in and nobody else, and each of its requests once."""
        claims = _claims(request)
        try:
            key = await self._hub.find_key(claims.key_id)
        except InterpileError as problem:
            log.warning("the hub's keys cannot be fetched: %s", type(problem).__name__)
            raise Refuse(Code.UNAVAILABLE, retry_after_s=1) from problem
        now_s = unix_s(self._clock.wall())
        admit(
            claims,
            key,
            method=request.method,
            target_uri=target_uri(request, self._public_url),
            body=body,
            digest_header=request.headers.get("content-digest"),
            now_s=now_s,
        )
        self._nonces.take(claims, now_s)

    async def _answer(self, operation: Operation, request: Request, body: bytes, request_id: str) -> Response:
        handler = self._handlers.get(operation.id)
        path = dict(request.path_params)
        try:
            if handler is None:
                raise Refuse(Code.NOT_FOUND, f"{operation.id} is not offered here")
            message = decode_message(operation, body, path)
            call = Call(operation.id, request_id, path, self._clock.wall())
            reply = await handler(message, call)
            if not isinstance(reply, operation.reply):
                raise TypeError(f"the function for {operation.id} did not return its reply")
            return json_answer(reply, request_id)
        except Refuse as refusal:
            return error_answer(refusal, request_id)
        except Exception as problem:  # noqa: BLE001 (a partner's code; the hub gets an answer)
            # The words of an exception may hold what a body held: only kind and place are kept.
            log.error(  # noqa: TRY400 (exc_info would write the words)
                "%s failed with %s (request %s)\n%s",
                operation.id,
                type(problem).__name__,
                request_id,
                "".join(traceback.format_tb(problem.__traceback__)),
            )
            return error_answer(Refuse(Code.INTERNAL), request_id)

    def _sign(self, answer: Response, request_signature: str) -> None:
        signed = sign_answer(
            self._key,
            status=answer.status_code,
            body=bytes(answer.body),
            request_signature=request_signature,
            created=unix_s(self._clock.wall()),
            nonce=fresh_nonce(),
        )
        answer.headers.update(signed.as_dict())


def _claims(request: Request) -> Claims:
    try:
        return read_claims(request.headers.get("signature-input"), request.headers.get("signature"))
    except SignatureProblem as problem:
        raise Refuse(problem.code) from problem


async def _not_routed(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    code = Code.METHOD_NOT_ALLOWED if problem.status_code == 405 else Code.NOT_FOUND
    return error_answer(Refuse(code), request_id_of(request))
