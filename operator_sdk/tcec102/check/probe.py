"""Calls to the platform under check, honest or bent, every one of them kept with its bytes."""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
import msgspec

from operator_sdk.chance import fresh_id
from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.messages import Part, QueryToken
from operator_sdk.contract.tcec102.profile import Profile, Secrets, Signature
from operator_sdk.contract.tcec102.reading import read
from operator_sdk.contract.tcec102.sequences import make_seq
from operator_sdk.contract.tcec102.values import format_stamp
from operator_sdk.contract.tcec102.wire import Answered, WireProblem, open_answer, seal_request
from operator_sdk.contract.tcec102.writing import write
from operator_sdk.tcec102.check.report import Evidence, shown
from operator_sdk.tcec102.partner import keys_in_force

M = TypeVar("M", bound=Part)
ANSWER_BYTES_MAX = 32_000_000
_TOKEN = re.compile(r'("access_?token"\s*:\s*)"[^"]*"', re.IGNORECASE)


class Fails(Exception):
    """What should hold does not; the text says what came instead, `evidence` with which bytes.

    Without evidence of its own it is shown with the last calls of its check.
    """

    def __init__(self, text: str, evidence: Sequence[Evidence] = ()) -> None:
        super().__init__(text)
        self.evidence = tuple(evidence)


class Noted(Exception):
    """It works, and somebody should know how."""


class Skipped(Exception):
    """It was not looked at; the text says why."""


@dataclass(slots=True)
class Exchange:
    """One call and what came back; `answered` is None where it could not be opened: `problem` says why."""

    interface: str
    sent: bytes
    received: bytes = b""
    http_status: int = 0
    took_ms: int = 0
    answered: Answered | None = None
    problem: str = ""
    tolerated: set[str] = field(default_factory=set)

    def evidence(self) -> Evidence:
        """For the report, without tokens."""
        plain = (self.answered.plain or b"") if self.answered else b""
        opened = _TOKEN.sub(r'\1"(hidden)"', shown(plain))
        return Evidence(
            self.interface, shown(self.sent), shown(self.received), opened, self.http_status, self.took_ms
        )

    def opened(self) -> Answered:
        """The opened answer. Raises Fails."""
        if self.answered is None:
            raise Fails(f"{self.interface}: {self.problem}")
        return self.answered

    def claimed_ret(self) -> int | None:
        """The Ret of an answer that need not be signed: who is not known has no keys. None: there is none."""
        try:
            ret = msgspec.json.decode(self.received).get("Ret")
        except (msgspec.MsgspecError, AttributeError, ValueError, RecursionError):
            return None
        return int(ret) if isinstance(ret, int | str) and str(ret).lstrip("-").isdecimal() else None

    def reply(self, kind: type[M]) -> M:
        """The reply of a call that must succeed. Raises Fails."""
        answered = self.opened()
        if answered.ret != 0:
            raise Fails(f"{self.interface}: Ret {answered.ret} {answered.msg!r}, expected 0")
        if answered.plain is None:
            raise Fails(f"{self.interface}: Ret 0 without Data")
        try:
            message, tolerated = read(kind, answered.plain)
        except WireProblem as problem:
            raise Fails(f"{self.interface}: {problem.msg}") from None
        self.tolerated |= tolerated
        return message


class Probe:
    """Seals, sends, opens and keeps. `operator_id` is ours towards the platform."""

    def __init__(
        self, profile: Profile, secrets: Secrets, *, operator_id: str, clock: Clock, http: httpx.AsyncClient
    ) -> None:
        self.profile, self.secrets, self.operator_id, self.clock = profile, secrets, operator_id, clock
        self.log: list[Exchange] = []
        self.token = ""
        self._http = http
        self._count = 0

    @property
    def keys(self) -> KeySet:
        """The newest key set that the platform issued to us."""
        return keys_in_force(self.secrets.theirs, self.clock.wall())[0]

    def new_seq(self) -> str:
        """A fresh 27-character number of ours."""
        return make_seq(self.operator_id, fresh_id("tcec102_check"))

    def seal(
        self,
        message: Part | bytes,
        *,
        keys: KeySet | None = None,
        at: datetime | None = None,
        operator_id: str | None = None,
    ) -> bytes:
        """An honest envelope; other keys, another instant or another caller bend it."""
        plain = message if isinstance(message, bytes) else write(message, self.profile)
        time = self.profile.time
        self._count = self._count % 9999 + 1
        return seal_request(
            keys or self.keys,
            operator_id or self.operator_id,
            plain,
            stamp=format_stamp(at or self.clock.wall(), time.zone, time.stamp),
            seq=f"{self._count:04}",
        )

    async def ask(self, interface: str, message: Part | bytes) -> Exchange:
        """An honest call with our token."""
        return await self.send(interface, self.seal(message))

    async def send(self, interface: str, body: bytes, *, token: str | None = None) -> Exchange:
        """Send a body as it is; `token` None is our own, "" is none at all."""
        exchange = Exchange(interface, body)
        self.log.append(exchange)
        headers = {"content-type": "application/json; charset=utf-8"}
        bearer = self.token if token is None else token
        if bearer and interface != "query_token":
            headers["authorization"] = f"Bearer {bearer}"
        url = self.profile.base_url + self.profile.path_of(interface)
        began = self.clock.wall()
        try:
            answer = await self._http.post(url, content=body, headers=headers)
        except httpx.TimeoutException:
            exchange.problem = "no answer in time"
            return exchange
        except (httpx.HTTPError, httpx.InvalidURL) as broken:
            exchange.problem = f"no answer: {type(broken).__name__}"
            return exchange
        finally:
            exchange.took_ms = (self.clock.wall() - began) // timedelta(milliseconds=1)
        exchange.http_status, exchange.received = answer.status_code, answer.content[:ANSWER_BYTES_MAX]
        self._open(exchange)
        return exchange

    def _open(self, exchange: Exchange) -> None:
        keys = keys_in_force(self.secrets.theirs, self.clock.wall())
        try:
            exchange.answered = open_answer(exchange.received, keys, self.profile)
            exchange.tolerated |= exchange.answered.tolerated
        except WireProblem as problem:
            exchange.problem = problem.msg
            self._open_anyway(exchange, keys)

    def _open_anyway(self, exchange: Exchange, keys: list[KeySet]) -> None:
        """What a wrong signature covers, and whether `ours` made it; for the reader's eyes only."""
        loose = msgspec.structs.replace(self.profile, signature=Signature(answers="none"))
        try:
            seen = open_answer(exchange.received, keys, loose)
        except WireProblem:
            return
        exchange.problem += f" (Ret {seen.ret} {seen.msg!r})"
        with contextlib.suppress(WireProblem):
            strict = msgspec.structs.replace(self.profile, signature=Signature())
            open_answer(exchange.received, keys_in_force(self.secrets.ours, self.clock.wall()), strict)
            exchange.problem += (
                "; it is signed with a set of `ours`: the two directions are swapped in the profile"
            )

    async def sign_in(self, secret: str | None = None) -> Exchange:
        """query_token with our secret, or with another."""
        given = self.keys.operator_secret if secret is None else secret
        return await self.ask("query_token", QueryToken(operator_id=self.operator_id, operator_secret=given))


def changed(body: bytes, **fields: Any) -> bytes:
    """An envelope with fields replaced; None leaves one out."""
    envelope = {**msgspec.json.decode(body), **fields}
    return msgspec.json.encode({name: value for name, value in envelope.items() if value is not None})


def must_refuse(exchange: Exchange, *rets: int) -> str:
    """Raises Fails unless the answer is one of these Rets; Noted where it is another refusal."""
    if exchange.answered is None and exchange.problem:
        raise Fails(f"{exchange.interface}: {exchange.problem}")
    ret = exchange.opened().ret
    if ret == 0:
        raise Fails(f"taken with Ret 0; expected {' or '.join(map(str, rets))}")
    if ret not in rets:
        raise Noted(f"refused with Ret {ret}; the standard's is {' or '.join(map(str, rets))}")
    return f"refused with Ret {ret}"
