"""The HTTP side of the table of operations: one route an operation, one way through for all of them.

Order: request id, size, who, how often, role, signature and nonce, shape; only then the handler. A refused call
has changed nothing.
"""

import logging
import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from hub.core.bodies import Bodies
from hub.core.clock import unix_s
from hub.core.database import OutOfReach
from hub.core.errors import HubError, NotFoundError, TooManyError
from hub.core.ids import Ids
from hub.core.limits import Limits
from hub.core.metrics import Observed, count_answer
from hub.core.nonces import Nonces
from hub.core.requests import current_request_id, set_request_id
from hub.core.tables import Evidence
from hub.core.tokens import PUBLIC, Principal
from hub.protocols.native.call import Call, Handler, Services
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.common import ErrorBody, Message
from operator_sdk.contract.operations import HUB, Operation, Scope
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code
from operator_sdk.contract.signing import SignatureProblem, read_claims, sign_answer, verify_request

log = logging.getLogger("interpile.native")

PUBLIC_RATE_PER_S = 50
STREAMS_MOST, STREAMS_MOST_DRIVER = 500, 8
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")
_ENUM_VALUE = re.compile(r"(Invalid enum value) .*?(?= - at `|\Z)", re.DOTALL)
"""The only words of msgspec that repeat a value; all others name the place and the expected type."""

_PATH_VALUE = re.compile(r"[A-Za-z0-9._:-]{1,80}\Z")


class NativeServer:
    """Serves the hub's operations."""

    def __init__(
        self,
        services: Services,
        handlers: Mapping[str, Handler],
        limits: Limits,
        nonces: Nonces,
    ) -> None:
        self._s, self._handlers, self._limits, self._nonces = services, handlers, limits, nonces
        self._bodies = Bodies()

    def routes(self) -> list[Route]:
        """One route an operation."""
        missing = HUB.keys() ^ self._handlers.keys()
        assert not missing, f"operations without a handler, or the other way round: {missing}"
        return [Route(op.path, self._endpoint(op), methods=[op.method], name=op.id) for op in HUB.values()]

    def _endpoint(self, operation: Operation):  # type: ignore[no-untyped-def]
        handler = self._handlers[operation.id]

        async def endpoint(request: Request) -> Response:
            set_request_id(request_id_of(request, self._s.ids))
            with Observed(operation.id):
                try:
                    response = await self._answer(operation, handler, request)
                except OutOfReach:
                    log.warning("database out of reach", extra={"operation": operation.id})
                    response = error_response(HubError(Code.UNAVAILABLE))
                except HubError as problem:
                    response = error_response(problem)
                    await self._sign_refusal(operation, request, response)
            count_answer(operation.id, response.status_code)
            response.headers["x-request-id"] = current_request_id()
            return response

        return endpoint

    async def _answer(self, operation: Operation, handler: Handler, request: Request) -> Response:
        try:
            principal = await self._principal(operation, request)
        except HubError:
            # Guessing costs as much as asking in public.
            with self._limits.admit(_address(request), rate_per_s=PUBLIC_RATE_PER_S):
                raise
        length = request.headers.get("content-length")
        body = await self._bodies.read(request.receive, length=length, most=operation.max_body)
        caller, rate = _caller(principal, request)
        with ExitStack() as stack:
            stack.enter_context(self._limits.admit(caller, rate_per_s=rate))
            await self._check_role(operation, principal)
            evidence = None
            if operation.signed and principal.kind == "operator":
                evidence = await self._verify(request, principal, body)
            message = _decode(operation, request, body)
            call = Call(
                services=self._s,
                operation=operation,
                principal=principal,
                path=_path(request),
                query=request.query_params,
                last_event_id=request.headers.get("last-event-id"),
                evidence=evidence,
            )
            reply = await handler(call, message)
        if isinstance(reply, StreamingResponse):
            reply.body_iterator = self._counted(reply.body_iterator, caller, principal)
        if isinstance(reply, Response):
            return reply
        response = Response(
            msgspec.json.encode(reply), status_code=operation.success, media_type="application/json"
        )
        if operation.signed:
            self._sign(request, response)
        return response

    async def _counted(
        self, chunks: AsyncIterable[Any], caller: str, principal: Principal
    ) -> AsyncIterator[Any]:
        """A stream for as long as its caller has a place for it and the token lasts."""
        most = STREAMS_MOST_DRIVER if principal.kind == "driver" else STREAMS_MOST
        try:
            with self._limits.hold(f"stream:{caller}", most):
                async for chunk in chunks:
                    yield chunk
                    if (
                        principal.expires_at is not None
                        and unix_s(self._s.clock.wall()) >= principal.expires_at
                    ):
                        return
        except TooManyError:
            yield b"event: busy\ndata: {}\n\n"

    async def _principal(self, operation: Operation, request: Request) -> Principal:
        if Scope.PUBLIC in operation.scopes:
            return PUBLIC
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise HubError(Code.UNAUTHENTICATED)
        if token.startswith("staff_"):
            principal = await self._s.staff.who(token)
        else:
            principal = self._s.tokens.verify(token)
        if principal.kind not in operation.scopes:
            raise HubError(Code.FORBIDDEN)
        return principal

    async def _check_role(self, operation: Operation, principal: Principal) -> None:
        roles, needed = principal.roles, operation.role
        if principal.kind == "operator":
            assert principal.party_id is not None
            roles = await self._s.parties.roles_of(principal.party_id)
            if Role.APP in roles and not operation.apps:
                raise HubError(Code.FORBIDDEN)
        elif principal.kind == "staff" and operation.staff_role is not None:
            needed = operation.staff_role
        if needed is not None and needed not in roles:
            raise HubError(Code.FORBIDDEN)

    async def _verify(self, request: Request, principal: Principal, body: bytes) -> Evidence:
        headers, now = request.headers, self._s.clock.wall()
        assert principal.party_id is not None
        try:
            claims = read_claims(headers.get("signature-input"), headers.get("signature"))
            key = await self._s.parties.live_key(principal.party_id, claims.key_id)
            if key is None:
                raise SignatureProblem("signature_invalid")
            verify_request(
                claims,
                key,
                method=request.method,
                target_uri=self._target(request),
                body=body,
                digest_header=headers.get("content-digest"),
                now_s=unix_s(now),
            )
        except SignatureProblem as problem:
            raise HubError(Code(problem.code)) from problem
        key_id = f"{principal.party_id}:{claims.key_id}"
        await self._nonces.claim(key_id, claims.nonce, now)
        proof = f"{headers['signature-input']}\n{headers['signature']}"
        return Evidence(body=self._s.seal.close(body), key_id=claims.key_id, signature=proof)

    def _target(self, request: Request) -> str:
        query = f"?{request.url.query}" if request.url.query else ""
        return f"{self._s.issuer}{request.url.path}{query}"

    def _sign(self, request: Request, response: Response) -> None:
        headers = sign_answer(
            self._s.secrets.signer,
            status=response.status_code,
            body=bytes(response.body),
            request_signature=request.headers.get("signature", ""),
            created=unix_s(self._s.clock.wall()),
            nonce=self._s.ids.secret(),
        )
        response.headers.update(headers.as_dict())

    async def _sign_refusal(self, operation: Operation, request: Request, response: Response) -> None:
        if operation.signed and request.headers.get("signature"):
            self._sign(request, response)


def request_id_of(request: Request, ids: Ids) -> str:
    """The caller's request id, or a new one where it has none that could go into a log."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else ids.new("req")


def _address(request: Request) -> str:
    return f"address:{request.client.host if request.client else ''}"


def _caller(principal: Principal, request: Request) -> tuple[str, int | None]:
    if principal.kind == "public":
        return _address(request), PUBLIC_RATE_PER_S
    return f"{principal.kind}:{principal.party_id}:{principal.subject}", None


def _path(request: Request) -> dict[str, str]:
    values = {name: str(value) for name, value in request.path_params.items()}
    if not all(_PATH_VALUE.match(value) for value in values.values()):
        raise NotFoundError
    return values


def _decode(operation: Operation, request: Request, body: bytes) -> Message:
    if any("\0" in value for value in request.query_params.values()):
        raise HubError(Code.MALFORMED, problem="NUL")
    message = _message(operation, request, body)
    # No text of ours holds NUL, and not every engine stores it.
    if (b"\\u0000" in body or b"%00" in body) and _holds_nul(msgspec.to_builtins(message)):
        raise HubError(Code.MALFORMED, problem="NUL")
    return message


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds_nul(part) for part in parts)


def _message(operation: Operation, request: Request, body: bytes) -> Message:
    if operation.method == "GET":
        return operation.request()
    try:
        if operation.form:
            if request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
                raise HubError(Code.MALFORMED, expected="application/x-www-form-urlencoded")
            fields = dict(parse_qsl(body.decode("ascii"), max_num_fields=20))
            return msgspec.convert(fields, type=operation.request)
        return msgspec.json.decode(body or b"{}", type=operation.request)
    except msgspec.ValidationError as problem:
        raise HubError(Code.MALFORMED, problem=_ENUM_VALUE.sub(r"\1", str(problem))) from problem
    except (msgspec.DecodeError, ValueError) as problem:
        raise HubError(Code.MALFORMED, problem="not valid JSON or form data") from problem


def error_response(problem: HubError) -> Response:
    """The one error body."""
    meaning = PUBLIC_CODES[problem.code]
    body = ErrorBody(
        code=problem.code,
        message=meaning.en,
        request_id=current_request_id(),
        details=problem.details,
    )
    response = Response(msgspec.json.encode(body), status_code=meaning.status, media_type="application/json")
    if isinstance(problem, TooManyError):
        response.headers["retry-after"] = str(problem.retry_after_s)
    elif problem.code in {Code.IN_PROGRESS, Code.UNAVAILABLE}:
        response.headers["retry-after"] = "1"
    if meaning.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response
