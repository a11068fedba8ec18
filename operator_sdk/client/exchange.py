"""One call from first attempt to last, without any input or output.

`exchange` is a generator: it yields what it needs done (`Send`, `Pause`, `Renew`, `Learn`) and is sent
the result. The sync and the async client are two small drivers of the same generator.
"""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from operator_sdk.chance import fresh_id, fresh_nonce
from operator_sdk.client.answer import Answer, check_signature, decode, error_of, signature_claims
from operator_sdk.client.credentials import Credentials, OperatorCredentials
from operator_sdk.client.keyring import KeyRing
from operator_sdk.client.patience import Patience
from operator_sdk.client.request import (
    Call,
    Prepared,
    Signing,
    build,
    encode_body,
    hub_operation,
)
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.messages.access import AccessToken, JwkSet
from operator_sdk.contract.operations import Scope
from operator_sdk.contract.public_codes import Code
from operator_sdk.errors import InterpileError, TransportError, Unauthenticated

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Send:
    """Send this and return the `Answer`, or throw a TransportError."""

    prepared: Prepared


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    ms: int


@dataclass(frozen=True, slots=True)
class Renew:
    """Return an access token, obtaining one where there is none that is good for a while."""


@dataclass(frozen=True, slots=True)
class Learn:
    """Return the hub's key of that id, fetching the keys where it is unknown; None if there is none."""

    key_id: str


Effect = Send | Pause | Renew | Learn
Flow = Generator[Effect, Any, Reply]


@dataclass(slots=True)
class Core:
    """What the calls of one client share."""

    base_url: str
    issuer: str
    credentials: Credentials | None
    clock: Clock
    patience: Patience = field(default_factory=Patience)
    keys: KeyRing = field(default_factory=KeyRing)
    _token: str | None = None
    _good_until: datetime | None = None

    def token(self) -> str | None:
        """The access token, while it is good."""
        if self.credentials is None:
            return None
        if not isinstance(self.credentials, OperatorCredentials):
            return self.credentials.token
        if self._good_until is None or self.clock.wall() >= self._good_until:
            return None
        return self._token

    def keep_token(self, granted: AccessToken) -> str:
        """Keep a token until shortly before it expires."""
        life_s = granted.expires_in - min(30, granted.expires_in // 10)
        self._token = granted.access_token
        self._good_until = self.clock.wall() + timedelta(seconds=life_s)
        return granted.access_token

    def token_refused(self, problem: InterpileError, sent: str | None = None) -> bool:
        """Whether our own token is the problem; it is forgotten, unless a newer one is there."""
        spent = (
            isinstance(self.credentials, OperatorCredentials)
            and isinstance(problem, Unauthenticated)
            and problem.code == Code.TOKEN_INVALID
        )
        if spent and sent in {None, self._token}:
            self._token, self._good_until = None, None
        return spent

    def acting_as(self, credentials: Credentials | None) -> "Core":
        """The same hub and keys for another caller."""
        return replace(self, credentials=credentials, _token=None, _good_until=None)

    def signing(self, call: Call[Reply]) -> Signing | None:
        """What to sign the next attempt with, where the operation is signed.

        Raises:
            TypeError: the caller has no key.
        """
        if not call.operation.signed:
            return None
        if not isinstance(self.credentials, OperatorCredentials):
            raise TypeError(f"{call.operation.id} is signed: it needs OperatorCredentials")
        return Signing(self.credentials.key, unix_s(self.clock.wall()), fresh_nonce())


def exchange(core: Core, call: Call[Reply], request_id: str | None = None) -> Flow[Reply]:
    """Ask until there is a decided answer, or patience ends; the request id stays, the nonce is always fresh.

    Raises:
        InterpileError: as drawn in `operator_sdk.errors`.
    """
    body, request_id = encode_body(call), request_id or fresh_id("req")
    renewed, attempt = False, 0
    while True:
        attempt += 1
        token = yield from _token_for(core, call)
        prepared = build(
            call,
            body,
            base_url=core.base_url,
            public_url=core.issuer,
            request_id=request_id,
            token=token,
            signing=core.signing(call),
        )
        problem: InterpileError
        try:
            answer = yield Send(prepared)
        except TransportError as silence:
            problem = silence
        else:
            yield from _verified(core, call, prepared, answer)
            refused = error_of(answer)
            if refused is None:
                return decode(call, answer)
            problem = refused
        if not renewed and core.token_refused(problem, token):
            renewed, attempt = True, attempt - 1
            continue
        wait_ms = core.patience.wait_ms(call.operation, problem, attempt)
        if wait_ms is None:
            raise problem
        yield Pause(wait_ms)


def open_stream(
    core: Core, call: Call[Reply], last_event_id: str | None, request_id: str | None = None
) -> Flow[Prepared]:
    """The request that opens an event stream."""
    token = yield from _token_for(core, call)
    prepared = build(call, b"", base_url=core.base_url, request_id=request_id or fresh_id("req"), token=token)
    if last_event_id is not None:
        prepared.headers["last-event-id"] = last_event_id
    return prepared


def token_exchange(core: Core) -> Flow[AccessToken]:
    """Obtain an access token. Every attempt has its own assertion: each is good for one use.

    Raises:
        InterpileError: as for `exchange`.
    """
    credentials = core.credentials
    assert isinstance(credentials, OperatorCredentials)
    operation = hub_operation("issue_token")
    attempt = 0
    while True:
        attempt += 1
        request = credentials.token_request(issuer=core.issuer, now=core.clock.wall(), token_id=fresh_nonce())
        once = Core(core.base_url, core.issuer, None, core.clock, patience=Patience(attempts=1))
        try:
            return (yield from exchange(once, Call(operation, AccessToken, request)))
        except InterpileError as problem:
            wait_ms = core.patience.wait_ms(operation, problem, attempt)
            if wait_ms is None:
                raise
        yield Pause(wait_ms)


def key_exchange(core: Core) -> Flow[JwkSet]:
    """Fetch the hub's public keys."""
    return exchange(core, Call(hub_operation("jwks"), JwkSet))


def _token_for(core: Core, call: Call[Reply]) -> Flow[str | None]:
    if core.credentials is None or Scope.PUBLIC in call.operation.scopes:
        return None
    return core.token() or (yield Renew())


def _verified(core: Core, call: Call[Reply], prepared: Prepared, answer: Answer) -> Flow[None]:
    if not call.operation.signed:
        return
    claims = signature_claims(answer)
    if claims is None:
        return
    key = core.keys.find(claims.key_id) or (yield Learn(claims.key_id))
    check_signature(
        answer,
        claims,
        key,
        request_signature=prepared.headers["signature"],
        now_s=unix_s(core.clock.wall()),
    )
