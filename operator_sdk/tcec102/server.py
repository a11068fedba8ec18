"""Answering T/CEC 102 calls: one ASGI app that serves either side of the standard, or both."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.interfaces import INTERFACES, Interface, is_final
from operator_sdk.contract.tcec102.messages import Part, QueryToken, QueryTokenReply
from operator_sdk.contract.tcec102.profile import Profile, Secrets
from operator_sdk.contract.tcec102.reading import read_request
from operator_sdk.contract.tcec102.wire import (
    Envelope,
    Opened,
    Ret,
    WireProblem,
    open_request,
    read_envelope,
    seal_answer,
)
from operator_sdk.tcec102.errors import NoKeys
from operator_sdk.tcec102.handlers import Caller, Customer, Infrastructure
from operator_sdk.tcec102.issued import IssuedTokens
from operator_sdk.tcec102.own_code import run_own
from operator_sdk.tcec102.partner import is_admitted, is_in_window, keys_in_force, knows_secret
from operator_sdk.tcec102.pen import Pen
from operator_sdk.tcec102.replay import BUSINESS, Replays

BODY_BYTES_MAX = 2_000_000
"""For a caller that is not known; a known one has its profile's."""


@dataclass(slots=True)
class Admitted:
    """A platform that may call, and how many of its calls are under way."""

    profile: Profile
    secrets: Secrets
    running: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, read off HTTP."""

    interface: Interface
    path: str
    address: str
    bearer: str
    body: bytes


class Tcec102Server:
    """Serves T/CEC 102 for an operator's own functions; an ASGI app, for the root of a server.

        app = Tcec102Server([read_profile(text)], operator_id="MA5AAAAA1", clock=Clock(), infrastructure=mine)

    `partners` are the platforms that may call, each with its profile and secrets; `operator_id` is ours. What
    arrives is checked in this order, and each check has its Ret: envelope (4003), OperatorID, address and path
    (4003), size and number of calls under way (-1), signature (4001), time window (4003), token (4002), an
    envelope that came before (the same answer; 4003 at another interface), business fields (4004). The
    answer is always HTTP 200 with a Ret, but for paths that are no interface (404) and other methods (405).
    `limits.rate_per_s` and `network.client_certificate_sha256` of a profile are for a proxy to hold.
    `tolerated` counts what was read although it is not the standard's, by (OperatorID, word).
    """

    def __init__(
        self,
        partners: Iterable[tuple[Profile, Secrets]],
        *,
        operator_id: str,
        clock: Clock,
        infrastructure: Infrastructure | None = None,
        customer: Customer | None = None,
        pen: Pen | None = None,
    ) -> None:
        self._partners: dict[str, Admitted] = {}
        self._operator_id, self._clock = operator_id, clock
        self._sides = {"infrastructure": infrastructure, "customer": customer}
        self._pen = pen or Pen()
        self.tokens = IssuedTokens()
        self._replays = Replays()
        self.tolerated: Counter[tuple[str, str]] = Counter()
        self._app = Starlette(routes=[Route("/{path:path}", self._endpoint, methods=["POST"])])
        for profile, secrets in partners:
            self.put_partner(profile, secrets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._app(scope, receive, send)

    def put_partner(self, profile: Profile, secrets: Secrets) -> None:
        """Let a partner call, or change its profile and secrets while it does."""
        self._partners[profile.operator_id] = Admitted(profile, secrets)

    async def _endpoint(self, request: Request) -> Response:
        path = "/" + request.path_params["path"].lstrip("/")
        interface = INTERFACES.get(path.rpartition("/")[2])
        if interface is None:
            return _json(_unsealed(Ret.ENVELOPE, "there is no such interface"), 404)
        try:
            body = await self._read_body(request)
        except WireProblem as problem:
            return _json(_unsealed(problem.ret, problem.msg))
        address = request.client.host if request.client else ""
        bearer = request.headers.get("authorization", "")
        return _json(await self._answer(Turn(interface, path, address, bearer, body)))

    async def _read_body(self, request: Request) -> bytes:
        most = max([BODY_BYTES_MAX, *(one.profile.limits.body_bytes for one in self._partners.values())])
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise WireProblem(Ret.ENVELOPE, f"a body has at most {most} bytes", "size")
        except ClientDisconnect as gone:
            raise WireProblem(Ret.ENVELOPE, "the body is not whole", "size") from gone
        return body

    async def _answer(self, turn: Turn) -> bytes:
        try:
            envelope = read_envelope(turn.body)
        except WireProblem as problem:
            return _unsealed(problem.ret, problem.msg)
        partner = self._partners.get(envelope.operator_id)
        if partner is None:
            return _unsealed(Ret.ENVELOPE, "this OperatorID is not known here")
        try:
            keys = keys_in_force(partner.secrets.ours, self._clock.wall())[0]
        except NoKeys as none:
            return _unsealed(Ret.ENVELOPE, str(none))
        partner.running += 1
        try:
            opened = self._open(partner, turn, envelope)
            keys = opened.keys
            self.check_token(partner, turn)
            return await self._once(partner, turn, envelope.digest, opened)
        except WireProblem as problem:
            return self._pen.seal_answer(keys, problem.ret, problem.msg, None, partner.profile)
        finally:
            partner.running -= 1

    def _open(self, partner: Admitted, turn: Turn, envelope: Envelope) -> Opened:
        profile, now = partner.profile, self._clock.wall()
        expected = f"{profile.serve_prefix.rstrip('/')}/{turn.interface.name}"
        if turn.path != expected:
            raise WireProblem(Ret.ENVELOPE, f"for this OperatorID the interface is at {expected}", "path")
        if not is_admitted(profile, turn.address):
            raise WireProblem(Ret.ENVELOPE, "this address is not admitted", "address")
        if len(turn.body) > profile.limits.body_bytes:
            raise WireProblem(Ret.ENVELOPE, f"a body has at most {profile.limits.body_bytes} bytes", "size")
        if partner.running > profile.limits.concurrent:
            raise WireProblem(Ret.BUSY, "too many calls at once", "concurrency")
        opened = open_request(envelope, keys_in_force(partner.secrets.ours, now), profile)
        if not is_in_window(profile, envelope.time_stamp, now):
            raise WireProblem(Ret.ENVELOPE, "TimeStamp is too far from now", "window")
        self._count(profile, envelope.tolerated | opened.tolerated)
        return opened

    def check_token(self, partner: Admitted, turn: Turn) -> None:
        """Every call but query_token carries a running token of ours. Raises WireProblem."""
        if turn.interface.name == "query_token":
            return
        kind, _, token = turn.bearer.partition(" ")
        operator_id = partner.profile.operator_id
        good = self.tokens.is_good(operator_id, token.strip(), self._clock.wall())
        if kind.lower() != "bearer" or not good:
            raise WireProblem(Ret.TOKEN, "the token is missing, wrong or over: call query_token", "token")

    async def _once(self, partner: Admitted, turn: Turn, digest: bytes, opened: Opened) -> bytes:
        """Do the work, or give the answer that this very envelope got before."""
        name = turn.interface.name
        before = self._replays.interface_of(digest)
        if before is not None and before != name:
            raise WireProblem(Ret.ENVELOPE, f"this envelope was sent to {before} before", "replay")
        if name not in BUSINESS:
            return (await self.work(partner, turn, opened))[0]
        if (stored := await self._replays.stored(digest)) is not None:
            return stored
        self._replays.begin(digest, name)
        kept = None
        try:
            answer, final = await self.work(partner, turn, opened)
            kept = answer if final else None
        finally:
            self._replays.finish(digest, kept)
        return answer

    async def work(self, partner: Admitted, turn: Turn, opened: Opened) -> tuple[bytes, bool]:
        """The answer of Ret 0, and whether it is final; every other raises."""
        message, tolerated = read_request(turn.interface, opened.plain)
        self._count(partner.profile, tolerated)
        if isinstance(message, QueryToken):
            plain, final = self._pen.write(self.give_token(partner, message), partner.profile), False
        else:
            plain, final = await run_own(turn.interface.name, self._handle(partner, turn.interface, message))
        return self._pen.seal_answer(opened.keys, Ret.OK, "", plain, partner.profile), final

    async def _handle(self, partner: Admitted, interface: Interface, message: Part) -> tuple[bytes, bool]:
        handler = getattr(self._sides[interface.served_by], interface.name, None)
        if handler is None:
            raise WireProblem(Ret.BUSINESS, f"{interface.name} is not offered here", "not_offered")
        reply: Any = await handler(message, Caller(partner.profile.operator_id, partner.profile))
        if not isinstance(reply, interface.reply):
            raise TypeError(f"the function for {interface.name} did not return its reply")
        return self._pen.write(reply, partner.profile), is_final(reply)

    def give_token(self, partner: Admitted, message: QueryToken) -> QueryTokenReply:
        """The answer to query_token (102.4, annex A)."""
        profile, now = partner.profile, self._clock.wall()
        if message.operator_id != profile.operator_id:
            return QueryTokenReply(operator_id=self._operator_id, succ_stat=1, fail_reason=1)
        if not knows_secret(keys_in_force(partner.secrets.ours, now), message.operator_secret):
            return QueryTokenReply(operator_id=self._operator_id, succ_stat=1, fail_reason=2)
        token = profile.token
        issued = self.tokens.issue(profile.operator_id, now, life_s=token.life_s, reuse=token.reuse)
        return QueryTokenReply(
            operator_id=self._operator_id,
            succ_stat=0,
            access_token=issued.token,
            token_available_time=issued.life_s(now),
        )

    def _count(self, profile: Profile, words: Iterable[str]) -> None:
        self.tolerated.update((profile.operator_id, word) for word in words)


def _unsealed(ret: int, msg: str) -> bytes:
    """An answer to somebody whose keys we do not know: nothing to sign it with."""
    return seal_answer(None, ret, msg, None, None)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
