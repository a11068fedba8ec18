"""The endpoint: POST of one JSON request, and WebSocket. Whatever comes, the answer is JSON and no 5xx."""

from datetime import timedelta
from typing import Any

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.unset import UNSET, UnsetType

from mobile_bff.cache import ShortMemory
from mobile_bff.graph.context import Context, Services
from mobile_bff.graph.guard import Documents, in_words
from mobile_bff.graph.schema import make_schema
from mobile_bff.graph.sockets import BEARER, SUBSCRIPTIONS_MOST, Adapter, Handler, is_request, let_in
from mobile_bff.limiter import plain_address
from mobile_bff.refused import Refused
from mobile_bff.requests import read_body, request_id_of
from mobile_bff.words import locale_of, word_of
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code

BODY_MOST = 65_536
ANSWER_LIFE_S, ANSWERS_MOST = 1, 200
INIT_WAIT = timedelta(seconds=10)


class ReadRequest(Request):
    """A request whose body was read already."""

    content = b""
    answered = False

    async def body(self) -> bytes:
        """The body."""
        return self.content


class GraphView(GraphQL[Context, None]):
    """Strawberry's ASGI view, with our rules of transport."""

    websocket_adapter_class = Adapter
    graphql_transport_ws_handler_class = Handler

    def __init__(
        self,
        services: Services,
        *,
        origins: tuple[str, ...],
        in_production: bool,
    ) -> None:
        self._documents = Documents()
        super().__init__(
            make_schema(self._documents, in_production=in_production),
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=INIT_WAIT,
            max_subscriptions_per_connection=SUBSCRIPTIONS_MOST,
            allowed_origins=origins,
        )
        self._services = services
        self._answers: ShortMemory[bytes] = ShortMemory(life_s=ANSWER_LIFE_S, most=ANSWERS_MOST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = ReadRequest(scope, receive)
        try:
            response = await self._answer(request)
        except Refused as problem:
            response = _refusal(request, problem.code, PUBLIC_CODES[Code(problem.code)].status)
        except HTTPException as problem:
            response = _refusal(request, Code.MALFORMED, problem.status_code)
        await response(scope, receive, send)

    async def _answer(self, request: ReadRequest) -> Response:
        """The answer; that to the same words as a moment ago, if it is for everybody, from memory."""
        if request.method != "POST":
            raise Refused(Code.METHOD_NOT_ALLOWED)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(Code.MALFORMED)
        request.content = await read_body(request, BODY_MOST)
        known = self._answers.find(request.content)
        if known is not None:
            headers = {"x-request-id": request_id_of(request)}
            return Response(known, headers=headers, media_type="application/json")
        response = await self.run(request)
        if request.answered and self._is_for_everybody(request):
            self._answers.keep(request.content, bytes(response.body))
        return response

    def _is_for_everybody(self, request: ReadRequest) -> bool:
        """Whether the answer depends on nothing but the words of the request."""
        known = self._documents.find(orjson.loads(request.content)["query"])
        return self._services.backend.has_own_name and known is not None and known.public

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The one request of a body.

        Raises:
            Refused: malformed.
        """
        try:
            data = orjson.loads(await request.get_body())
        except orjson.JSONDecodeError as problem:
            raise Refused(Code.MALFORMED) from problem
        if not isinstance(data, dict) or not is_request(data):
            raise Refused(Code.MALFORMED)
        return GraphQLRequestData(data["query"], data.get("variables"), data.get("operationName"), None)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """Who asks, as far as the headers say."""
        headers = request.headers
        given = headers.get("authorization", "")
        context = Context(
            self._services,
            locale=locale_of(headers.get("accept-language")),
            token=given[len(BEARER) :].strip() if given[: len(BEARER)].lower() == BEARER else None,
            request_id=request_id_of(request),
            address=plain_address(request.client.host if request.client else ""),
            websocket=request if isinstance(request, WebSocket) else None,
        )
        if isinstance(response, Response):
            response.headers["x-request-id"] = context.request_id
        return context

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Let a socket in."""
        await let_in(context)
        return UNSET  # type: ignore[no-any-return]  # it publishes no type

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """The last look at an answer: no error leaves that was not put in words."""
        if isinstance(request, ReadRequest):
            request.answered = not result.errors
        if result.errors and not all("requestId" in (error.extensions or {}) for error in result.errors):
            context = await self.get_context(request, Response())
            result.errors = [in_words(error, context) for error in result.errors]
        return await super().process_result(request, result)

    def encode_json(self, data: object) -> str:
        """Text, for a socket's message must not be binary."""
        return orjson.dumps(data).decode()

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """An answer, in bytes at once."""
        response = Response(orjson.dumps(response_data), media_type="application/json")
        response.headers.raw.extend(sub_response.headers.raw)
        return response

    def decode_json(self, data: str | bytes) -> object:
        """Refuses what is no text, such as half a pair of surrogates."""
        return orjson.loads(data)


def _refusal(request: Request, code: str, status: int) -> Response:
    """An answer to what is no GraphQL request."""
    request_id = request_id_of(request)
    message = word_of(code, locale_of(request.headers.get("accept-language")))
    error: dict[str, Any] = GraphQLError(message, extensions={"code": code, "requestId": request_id}).formatted  # type: ignore[assignment]
    headers = {"x-request-id": request_id}
    if status == 405:
        headers["allow"] = "POST"
    return Response(
        orjson.dumps({"data": None, "errors": [error]}), status, headers, media_type="application/json"
    )
