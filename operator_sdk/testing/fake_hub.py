"""FakeHub: signs and verifies like the real hub, remembers messages, has no further rules."""

import hashlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from operator_sdk.chance import fresh_id, fresh_nonce
from operator_sdk.client.answer import Answer, check_signature, decode, error_of, signature_claims
from operator_sdk.client.request import Call, Prepared, Signing, build, encode_body
from operator_sdk.client.trust import authorities
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.messages.access import AccessToken, Jwk, JwkSet
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.operations import HUB, OPERATOR, Operation
from operator_sdk.contract.operations import Scope as Caller
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import SignatureProblem, SigningKey, read_claims, sign_answer
from operator_sdk.guard import NonceMemory, Refuse, admit
from operator_sdk.keys import TokenRefused, new_key, verify_token
from operator_sdk.receiving import (
    decode_message,
    error_answer,
    json_answer,
    read_body,
    request_id_of,
    target_uri,
)
from operator_sdk.testing import answers as usual_answers


@dataclass(frozen=True, slots=True)
class Received:
    """A message that the hub took."""

    operation_id: str
    party_id: str
    message: Any
    path: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Party:
    key: SigningKey
    base_url: str


@dataclass(slots=True)
class _Failure:
    times: int
    code: Code
    after: bool


class FakeHub:
    """An ASGI app. `url` is its public base URL and OAuth issuer."""

    def __init__(self, *, clock: Clock | None = None, url: str = "http://hub.test") -> None:
        self.url = url
        self.clock = clock or Clock()
        self.key = new_key("hub-1")
        self.log: list[Received] = []
        self.answers: dict[str, Callable[[Received], Message]] = {}
        self.updates: dict[str, dict[int, SessionUpdate]] = defaultdict(dict)
        self._parties: dict[str, _Party] = {}
        self._tokens: dict[str, str] = {}
        self._assertions: set[str] = set()
        self._nonces = NonceMemory()
        self._stored: dict[tuple[str, str, str], tuple[str, Message]] = {}
        self._failures: dict[str, _Failure] = {}
        offered = [op for op in HUB.values() if {Caller.OPERATOR, Caller.PUBLIC} & op.scopes]
        self._app = Starlette(
            routes=[Route(op.path, self._endpoint(op), methods=[op.method]) for op in offered]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        await self._app(scope, receive, send)

    def at(self, url: str) -> "FakeHub":
        """The same hub, known by this address."""
        self.url = url
        return self

    def add_party(self, party_id: str, key: SigningKey, *, base_url: str = "") -> None:
        """Let an operator in; `base_url` is where its OperatorApp listens."""
        self._parties[party_id] = _Party(key, base_url.rstrip("/"))

    def received(self, operation_id: str) -> list[Any]:
        """The messages of one operation, in order of arrival, repeats left out."""
        return [one.message for one in self.log if one.operation_id == operation_id]

    def fail(
        self, operation_id: str, *, times: int = 1, code: Code = Code.UNAVAILABLE, after: bool = False
    ) -> None:
        """Fail the next calls; with `after`, the message is taken and only its answer is lost."""
        self._failures[operation_id] = _Failure(times, code, after)

    def revoke_tokens(self) -> None:
        """Forget every access token, as a hub does that starts anew."""
        self._tokens.clear()

    async def call(
        self,
        party_id: str,
        operation_id: str,
        message: Message | None = None,
        *,
        path: Mapping[str, str] | None = None,
    ) -> Any:
        """Ask an operator, as the hub does: signed, and the signed answer is checked.

        Raises:
            InterpileError: as drawn in `operator_sdk.errors`.
        """
        operation = OPERATOR[operation_id]
        call = Call(operation, operation.reply, message, path or {})
        party = self._parties[party_id]
        prepared = build(
            call,
            encode_body(call),
            base_url=party.base_url,
            request_id=fresh_id("hub"),
            signing=Signing(self.key, unix_s(self.clock.wall()), fresh_nonce()),
        )
        answer = await self.send(prepared)
        claims = signature_claims(answer) if operation.signed else None
        if claims is not None:
            known = party.key.private.public_key() if claims.key_id == party.key.key_id else None
            signature = prepared.headers["signature"]
            now_s = unix_s(self.clock.wall())
            check_signature(answer, claims, known, request_signature=signature, now_s=now_s)
        refused = error_of(answer)
        if refused is not None:
            raise refused
        return decode(call, answer)

    async def send(self, prepared: Prepared) -> Answer:
        """Send a request as it is; for tests that spoil it first."""
        async with httpx.AsyncClient(trust_env=False, timeout=10, verify=authorities()) as http:
            got = await http.request(
                prepared.method, prepared.url, headers=prepared.headers, content=prepared.body
            )
        return Answer(got.status_code, got.headers, got.content)

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request_id = request_id_of(request)
            try:
                body = await read_body(request, operation.max_body)
                answer = self._serve(operation, request, body, request_id)
            except Refuse as refusal:
                answer = error_answer(refusal, request_id)
            if operation.signed and "signature" in request.headers:
                self._sign(answer, request.headers["signature"])
            return answer

        return endpoint

    def _serve(self, operation: Operation, request: Request, body: bytes, request_id: str) -> Response:
        if operation.id == "jwks":
            published = [Jwk(kid=self.key.key_id, x=self.key.public_b64url())]
            return json_answer(JwkSet(keys=published), request_id)
        failure = self._failures.get(operation.id)
        failing = failure if failure is not None and failure.times > 0 else None
        if failing is not None:
            failing.times -= 1
            if not failing.after:
                raise Refuse(failing.code, retry_after_s=0)
        if operation.id == "issue_token":
            return json_answer(self._issue_token(body), request_id)
        party_id = self._caller(operation, request, body)
        if operation.stream:
            return self._stream(request)
        path = dict(request.path_params)
        given = Received(operation.id, party_id, decode_message(operation, body, path), path)
        reply = self._take(operation, given, body)
        if failing is not None:
            raise Refuse(failing.code, retry_after_s=0)
        return json_answer(reply, request_id, status=operation.success)

    def _caller(self, operation: Operation, request: Request, body: bytes) -> str:
        given = request.headers.get("authorization", "")
        if not given.startswith("Bearer "):
            raise Refuse(Code.UNAUTHENTICATED)
        party_id = self._tokens.get(given.removeprefix("Bearer "))
        if party_id is None:
            raise Refuse(Code.TOKEN_INVALID)
        if operation.signed:
            self._verify(self._parties[party_id].key, request, body)
        return party_id

    def _verify(self, key: SigningKey, request: Request, body: bytes) -> None:
        headers = request.headers
        try:
            claims = read_claims(headers.get("signature-input"), headers.get("signature"))
        except SignatureProblem as problem:
            raise Refuse(problem.code) from problem
        now_s = unix_s(self.clock.wall())
        admit(
            claims,
            key.private.public_key() if claims.key_id == key.key_id else None,
            method=request.method,
            target_uri=target_uri(request, self.url),
            body=body,
            digest_header=headers.get("content-digest"),
            now_s=now_s,
        )
        self._nonces.take(claims, now_s)

    def _issue_token(self, body: bytes) -> AccessToken:
        form = httpx.QueryParams(body.decode("utf-8", "replace"))
        party = self._parties.get(form.get("client_id", ""))
        if party is None:
            raise Refuse(Code.SIGN_IN_FAILED)
        try:
            claims = verify_token(form.get("client_assertion", ""), party.key.private.public_key())
        except TokenRefused as problem:
            raise Refuse(Code.SIGN_IN_FAILED) from problem
        now_s = unix_s(self.clock.wall())
        names = claims.get("iss"), claims.get("sub"), claims.get("aud")
        if names != (form["client_id"], form["client_id"], self.url):
            raise Refuse(Code.SIGN_IN_FAILED)
        if not now_s < claims["exp"] <= now_s + 300:
            raise Refuse(Code.SIGN_IN_FAILED)
        if claims["jti"] in self._assertions:
            raise Refuse(Code.REPLAYED)
        self._assertions.add(claims["jti"])
        token = fresh_nonce()
        self._tokens[token] = form["client_id"]
        return AccessToken(access_token=token, expires_in=600)

    def _take(self, operation: Operation, given: Received, body: bytes) -> Message:
        """Answer a message, a repeat from memory."""
        own_id = usual_answers.senders_id(given.message, given.path)
        digest = hashlib.sha256(body).hexdigest()
        stored_under = (given.party_id, operation.id, own_id or fresh_id("once"))
        if stored_under in self._stored:
            said, reply = self._stored[stored_under]
            if said != digest:
                raise Refuse(Code.ID_REUSED)
            return reply
        answer = self.answers.get(operation.id)
        reply = answer(given) if answer else usual_answers.usual(given, self.log, self.clock)
        self._stored[stored_under] = (digest, reply)
        self.log.append(given)
        if isinstance(given.message, SessionUpdate):
            self.updates[given.path["session_id"]][given.message.number] = given.message
        return reply

    def _stream(self, request: Request) -> Response:
        """What is stored beyond the last event; then the stream closes, and clients come again."""
        session_id = request.path_params["session_id"]
        after = int(request.headers.get("last-event-id", "0"))
        stored = self.updates.get(session_id, {})
        events = [
            usual_answers.event(session_id, stored[number]) for number in sorted(stored) if number > after
        ]
        return StreamingResponse(iter([": here\n\n", *events]), media_type="text/event-stream")

    def _sign(self, answer: Response, request_signature: str) -> None:
        signed = sign_answer(
            self.key,
            status=answer.status_code,
            body=bytes(answer.body),
            request_signature=request_signature,
            created=unix_s(self.clock.wall()),
            nonce=fresh_nonce(),
        )
        answer.headers.update(signed.as_dict())
