"""Calls to one T/CEC 102 platform, in either direction of the standard."""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Sequence
from typing import Any, Self, TypeVar, cast

import httpx

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.messages import Part, QueryToken, QueryTokenReply
from operator_sdk.contract.tcec102.profile import Profile, Secrets
from operator_sdk.contract.tcec102.reading import read
from operator_sdk.contract.tcec102.values import format_stamp
from operator_sdk.contract.tcec102.wire import Ret, WireProblem, open_answer
from operator_sdk.errors import ConnectionFailed, MalformedAnswer, SignatureError, TimedOut
from operator_sdk.tcec102.calling import HeldToken, SeqCounter, held_token
from operator_sdk.tcec102.client_methods import Methods
from operator_sdk.tcec102.errors import Tcec102Refused, TokenRefused
from operator_sdk.tcec102.partner import keys_in_force
from operator_sdk.tcec102.pen import Pen

M = TypeVar("M", bound=Part)
ANSWER_BYTES_MAX = 32_000_000


class Tcec102Client(Methods):
    """Calls a platform within one event loop; close it, or use it as a context manager.

        async with Tcec102Client(profile, secrets, operator_id="MA5AAAAA1", clock=Clock()) as partner:
            reply = await partner.query_equip_auth(QueryEquipAuth(equip_auth_seq=seq, connector_id="31010001"))

    `profile` and `secrets` are the partner's (`read_profile`); `operator_id` is ours, as it goes into every
    envelope. The token is asked for when it is first needed, kept until shortly before its end, and asked for
    again exactly once where a call is answered with 4002. Every method may raise:

    - `ConnectionFailed`, `TimedOut`: no answer; a call with the same business number may be made again.
    - `Tcec102Refused`: Ret was not 0. `TokenRefused`: query_token said no.
    - `SignatureError`, `MalformedAnswer`: an answer that cannot be believed, or read.
    """

    def __init__(
        self,
        profile: Profile,
        secrets: Secrets,
        *,
        operator_id: str,
        clock: Clock,
        http: httpx.AsyncClient | None = None,
        pen: Pen | None = None,
        timeout_s: int = 10,
    ) -> None:
        self._profile, self._secrets = profile, secrets
        self._operator_id, self._clock = operator_id, clock
        self._pen = pen or Pen()
        self._own_http = http is None
        self._http = http or _http(profile)
        self._timeout_s = timeout_s
        self._seq = SeqCounter()
        self._token: HeldToken | None = None
        self._token_lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, unless they were given."""
        if self._own_http:
            await self._http.aclose()

    async def call(self, interface: str, message: Part, *, timeout_s: int | None = None) -> Any:
        """Call an interface by its name; the reply is that of `INTERFACES[interface]`."""
        token = await self._held_token()
        try:
            return await self._exchange(interface, message, token, timeout_s)
        except Tcec102Refused as refusal:
            if refusal.ret != Ret.TOKEN:
                raise
        if self._token is not None and self._token.token == token:
            self._token = None
        return await self._exchange(interface, message, await self._held_token(), timeout_s)

    async def query_token(self) -> QueryTokenReply:
        """Sign in. Rarely called by hand: every other call does it by itself (102.4, annex A)."""
        keys = keys_in_force(self._secrets.theirs, self._clock.wall())[0]
        message = QueryToken(operator_id=self._operator_id, operator_secret=keys.operator_secret)
        return cast("QueryTokenReply", await self._exchange("query_token", message, None, None))

    def put_secrets(self, secrets: Secrets) -> None:
        """Other key sets from now on, in a rotation; the token stays what it is."""
        self._secrets = secrets

    def forget_token(self) -> None:
        """Ask for a new token before the next call."""
        self._token = None

    async def _held_token(self) -> str:
        async with self._token_lock:
            if self._token is None or self._clock.wall() >= self._token.renew_at:
                said = await self.query_token()
                if said.succ_stat != 0 or not said.access_token:
                    raise TokenRefused(said.fail_reason)
                self._token = held_token(said.access_token, said.token_available_time, self._clock.wall())
            return self._token.token

    async def _exchange(self, interface: str, message: Part, token: str | None, timeout_s: int | None) -> Any:
        # An answer is signed as the question was, also where the keys have changed in between.
        key_sets = keys_in_force(self._secrets.theirs, self._clock.wall())
        body = self._sealed(message, key_sets[0])
        headers = {"content-type": "application/json; charset=utf-8"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        answer = await self.post(
            self._profile.base_url + self._profile.path_of(interface), body, headers, timeout_s
        )
        return self._read(interface, answer, key_sets)

    def _sealed(self, message: Part, keys: KeySet) -> bytes:
        stamp = format_stamp(self._clock.wall(), self._profile.time.zone, self._profile.time.stamp)
        return self._pen.seal_request(
            keys,
            self._operator_id,
            self._pen.write(message, self._profile),
            stamp=stamp,
            seq=self._seq.next(stamp),
        )

    async def post(self, url: str, body: bytes, headers: dict[str, str], timeout_s: int | None) -> bytes:
        """Send a sealed envelope as it is. Raises what a call raises where no answer came."""
        try:
            answer = await self._http.post(
                url,
                content=body,
                headers=headers,
                timeout=timeout_s or self._timeout_s,
                extensions=self._pinning(),
            )
        except httpx.TimeoutException as slow:
            raise TimedOut(f"no answer within {timeout_s or self._timeout_s} s") from slow
        except httpx.HTTPError as broken:
            raise ConnectionFailed(type(broken).__name__) from broken
        if len(answer.content) > ANSWER_BYTES_MAX:
            raise MalformedAnswer(f"an answer of {len(answer.content)} bytes")
        if answer.status_code >= 300 and not answer.content.lstrip().startswith(b"{"):
            raise MalformedAnswer(f"HTTP {answer.status_code} without a T/CEC 102 answer")
        return answer.content

    def _read(self, interface: str, body: bytes, key_sets: Sequence[KeySet]) -> Any:
        kind = INTERFACES[interface].reply
        try:
            answered = open_answer(body, key_sets, self._profile)
            if answered.ret != Ret.OK:
                raise Tcec102Refused(interface, answered.ret, answered.msg)
            if answered.plain is None:
                raise MalformedAnswer(f"{interface}: Ret 0 without Data")
            return read(kind, answered.plain)[0]
        except WireProblem as problem:
            if problem.ret == Ret.SIGNATURE:
                raise SignatureError("signature") from problem
            raise MalformedAnswer(f"{interface}: {problem.msg}") from problem

    def _pinning(self) -> dict[str, Any]:
        pins = self._profile.network.server_certificate_sha256
        return {"trace": _Pins(pins)} if pins else {}


class _Pins:
    """Ends a connection before a byte is sent where the server's certificate is not one of the profile's."""

    def __init__(self, pins: list[str]) -> None:
        self._pins = [pin.lower().replace(":", "") for pin in pins]

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event != "connection.start_tls.complete":
            return
        line = info["return_value"].get_extra_info("ssl_object")
        shown = hashlib.sha256(line.getpeercert(binary_form=True)).hexdigest()
        if not any(hmac.compare_digest(shown, pin) for pin in self._pins):
            # The library closes no connection that it does not have yet.
            await info["return_value"].aclose()
            raise ConnectionFailed("the server's certificate is not one of the profile's")


def _http(profile: Profile) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=10)
    return httpx.AsyncClient(limits=limits, trust_env=False, verify=_trust(profile))


def _trust(profile: Profile) -> ssl.SSLContext | bool:
    if profile.base_url.startswith("http:"):
        return False  # there is nothing to verify, and the authorities take long to read
    trust = httpx.create_ssl_context(trust_env=False)
    if profile.network.server_certificate_sha256:
        # The profile names the certificate itself: who signed it does not matter then.
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    return trust
