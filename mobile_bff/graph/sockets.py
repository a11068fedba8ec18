"""Subscriptions over WebSocket: graphql-transport-ws only, few of them, and only messages of its form."""

from collections import Counter
from collections.abc import AsyncGenerator

import orjson
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import ErrorMessage, SubscribeMessage

from mobile_bff.graph.context import Context
from mobile_bff.refused import Refused
from mobile_bff.words import locale_of, word_of
from operator_sdk.contract.public_codes import Code

MESSAGE_MOST = 65_536
SUBSCRIPTIONS_MOST = 5
BEARER = "bearer "


class Sockets:
    """How many sockets each driver has open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[tuple[str, str]] = Counter()

    @property
    def open_sockets(self) -> int:
        """Of all drivers."""
        return self._open.total()

    async def admit(self, context: Context) -> None:
        """Let a socket in that says who it is.

        Raises:
            Refused: no token, a wrong one, or too many sockets already.
        """
        params = context.connection_params
        if "locale" in params:
            context.locale = locale_of(params["locale"])
        given = params.get("authorization", params.get("Authorization"))
        if not isinstance(given, str) or given[: len(BEARER)].lower() != BEARER:
            raise Refused(Code.UNAUTHENTICATED)
        token = given[len(BEARER) :].strip()
        driver = await context.services.drivers.of(token)
        if self._open[driver.name] >= self._most:
            raise Refused(Code.TOO_MANY_REQUESTS)
        self._open[driver.name] += 1
        context.token, context.driver = token, driver

    def leave(self, context: Context) -> None:
        """A socket has gone."""
        if context.driver is None:
            return
        self._open[context.driver.name] -= 1
        if not self._open[context.driver.name]:
            del self._open[context.driver.name]


class Adapter(ASGIWebSocketAdapter):
    """Lets in only messages of the protocol's form, of a size that is allowed."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Messages, one by one.

        Raises:
            NonTextMessageReceived, NonJsonMessageReceived: the socket is closed for it.
        """
        while self.ws.application_state is not WebSocketState.DISCONNECTED:
            try:
                text = await self.ws.receive_text()
            except WebSocketDisconnect:
                return
            except KeyError as binary:
                raise NonTextMessageReceived from binary
            try:
                message = orjson.loads(text) if len(text) <= MESSAGE_MOST else None
            except orjson.JSONDecodeError as problem:
                raise NonJsonMessageReceived from problem
            if not _is_message(message):
                raise NonJsonMessageReceived
            yield message

    async def close(self, code: int, reason: str) -> None:
        """Close; why a connection was forbidden is in the reason, as a public code."""
        forbidden = getattr(self.ws.state, "forbidden", None)
        await super().close(code, forbidden if code == 4403 and forbidden else reason[:100])


def _is_message(message: object) -> bool:
    match message:
        case {"type": "subscribe", "id": str(), "payload": dict(payload)}:
            return is_request(payload)
        case {"type": "subscribe"}:
            return False
        case {"type": "complete", "id": str()}:
            return True
        case {"type": str(kind)}:
            return kind != "complete"
        case _:
            return False


def is_request(payload: dict[str, object]) -> bool:
    """Whether it has the form of a GraphQL request."""
    return (
        isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


class Handler(BaseGraphQLTransportWSHandler[Context, None]):
    """Strawberry's, with a coded refusal of one subscription too many."""

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Begin an operation."""
        if self.connection_acknowledged and len(self.operations) >= SUBSCRIPTIONS_MOST:
            code = Code.TOO_MANY_REQUESTS
            error = GraphQLError(word_of(code, self.context.locale), extensions={"code": code})
            refusal: ErrorMessage = {"id": message["id"], "type": "error", "payload": [error.formatted]}
            await self.send_message(refusal)
            return
        await super().handle_subscribe(message)

    async def shutdown(self) -> None:
        """The socket has gone."""
        try:
            await super().shutdown()
        finally:
            self.context.services.sockets.leave(self.context)


async def let_in(context: Context) -> None:
    """Let a socket in.

    Raises:
        ConnectionRejectionError: it is closed with 4403 and the code of the refusal.
    """
    try:
        await context.services.sockets.admit(context)
    except Refused as problem:
        assert context.websocket is not None
        context.websocket.state.forbidden = str(problem.code)
        raise ConnectionRejectionError from problem
