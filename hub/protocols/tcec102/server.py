"""The served shell: every interface of T/CEC 102 that partners call, one way through for all of them.

Order: path, size, envelope, who and from where, signature and decryption, how often, time, token, the partner's
own prefix, role, stored answer, shape; only then the handler. A refused call has changed nothing. Before the
signature was good the partner's limits are not touched: anybody can write its OperatorID.

The HTTP status is 200 whatever the answer (T/CEC 102.4 puts the result in `Ret`); only a path that is nobody's,
or another method than POST, gets the application's own 404 or 405.
"""

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.core.database import OutOfReach
from hub.core.errors import HubError, TooManyError
from hub.core.limits import Limits
from hub.core.tables import Evidence
from hub.parties.link import LinkError
from hub.protocols.tcec102.profiles import Partner
from hub.protocols.tcec102.replay import BUSINESS
from hub.protocols.tcec102.stamps import read_stamp, write_stamp
from hub.protocols.tcec102.tools import TcecTools
from operator_sdk.contract.codes import Role
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code
from operator_sdk.contract.tcec102.interfaces import INTERFACES, Interface, is_final
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.messages import QueryToken
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.reading import read_request
from operator_sdk.contract.tcec102.wire import (
    UNREADABLE,
    Envelope,
    Ret,
    WireProblem,
    open_request,
    read_envelope,
    seal_answer,
)
from operator_sdk.contract.tcec102.writing import write

log = logging.getLogger("interpile.tcec102")

TOKEN = "query_token"
NO_DATABASE = "our database does not answer now"
STRANGER_RATE_PER_S = 50
"""Refused calls of one address a second; above it they are only told to come later."""

NEEDS = {"infrastructure": Role.HOME, "customer": Role.HOST}
"""What the caller of an interface must be: the infrastructure side's callers are homes (T/CEC 102.3)."""

RETS = {
    Code.NOT_FOUND: Ret.BUSINESS,
    Code.MALFORMED: Ret.BUSINESS,
    Code.RULE_VIOLATED: Ret.BUSINESS,
    Code.ID_REUSED: Ret.BUSINESS,
    Code.STATE_CONFLICT: Ret.BUSINESS,
    Code.TOO_LARGE: Ret.BUSINESS,
    Code.FORBIDDEN: Ret.ENVELOPE,
    Code.TOO_MANY_REQUESTS: Ret.BUSY,
    Code.UNAVAILABLE: Ret.BUSY,
    Code.IN_PROGRESS: Ret.BUSY,
    Code.INTERNAL: Ret.ERROR,
}
"""How a partner is told of the hub's own refusals; every other code is a business refusal too."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a partner as its handler sees it; `plain` is the business object as it came, JSON.

    `body` is the envelope around it as it came, `key_id` the keys that it was sealed with.

    `operator_id` is the hub's own towards this partner, `party_id` the partner's.
    """

    party_id: str
    roles: frozenset[str]
    profile: Profile
    operator_id: str
    plain: bytes
    body: bytes
    key_id: str
    envelope: Envelope
    tools: TcecTools

    def evidence(self, *, with_plain: bool = False) -> Evidence:
        """The envelope as it came, sealed; `with_plain`: with the business object in clear behind it.

        The keys that an envelope came under are gone one day. Most messages need no evidence, so none is made.
        """
        kept = self.body + b"\n" + self.plain if with_plain else self.body
        return Evidence(body=self.tools.seal.close(kept), key_id=self.key_id, signature=self.envelope.sig)


Handler = Callable[[Context, Any], Awaitable[Any]]
Handlers = dict[str, Handler]
"""By interface. A handler gets the request message and returns the reply message.

It raises WireProblem for what the protocol has a Ret for; a HubError or LinkError becomes one (`RETS`), and any
other error is Ret 500 and a line in the log.
"""


@dataclass(slots=True)
class Arrival:
    """One call on its way in. `partner` once it is admitted, `keys` once its signature was good."""

    interface: str
    prefix: str
    body: bytes
    bearer: str
    address: str
    certificate: str | None = None
    partner: Partner | None = None
    keys: KeySet | None = None


class TcecServer:
    """Answers partners."""

    def __init__(self, tools: TcecTools, handlers: Handlers) -> None:
        self._t = tools
        self._handlers: Handlers = {**handlers, TOKEN: self._query_token}
        self._limits: dict[str, tuple[int, Limits]] = {}
        self._strangers = Limits(tools.clock, STRANGER_RATE_PER_S, 1)

    async def answer(self, arrival: Arrival) -> tuple[int, bytes]:
        """The Ret and the whole answer envelope, whatever was sent."""
        try:
            return Ret.OK, await self._take(arrival)
        except WireProblem as problem:
            return self.refuse(arrival, problem)
        except (HubError, LinkError, OutOfReach) as problem:
            return self.refuse(arrival, _in_words(problem))
        except Exception as problem:
            log.exception("unhandled %s", type(problem).__name__, extra={"operation": arrival.interface})
            return self.refuse(arrival, WireProblem(Ret.ERROR, "internal error; it is on our log", "internal"))

    def refuse(self, arrival: Arrival, problem: WireProblem) -> tuple[int, bytes]:
        """Say no: signed and encrypted as the profile asks where the partner is known, bare where it is not.

        Who is refused again and again before its signature was good is only told to come later, and not logged.
        """
        partner, keys = arrival.partner, arrival.keys
        try:
            if keys is None and problem.reason != UNREADABLE:
                with self._strangers.admit(arrival.address):
                    pass
            facts = {"operation": arrival.interface, "status": int(problem.ret), "code": problem.reason}
            party = {"party_id": partner.party_id} if partner is not None else {}
            log.info("refused", extra=facts | party)
        except TooManyError as too_many:
            problem = _in_words(too_many)
        if partner is not None and keys is None:
            newest = partner.ours(self._t.clock.wall())
            keys = newest[0].keys if newest else None
        profile = partner.profile if partner is not None else None
        return problem.ret, seal_answer(keys, problem.ret, problem.msg, None, profile)

    async def _take(self, arrival: Arrival) -> bytes:
        envelope = read_envelope(arrival.body)
        partner = await self._admit(arrival, envelope)
        now = self._t.clock.wall()
        dated = partner.ours(now)
        opened = open_request(envelope, [one.keys for one in dated], partner.profile)
        arrival.keys = opened.keys
        with self._limits_of(partner).admit(partner.party_id):
            _check_time(partner, envelope, now)
            interface = await self._check_call(arrival, partner)
            digest = envelope.digest if interface.name in BUSINESS else None
            if digest is not None:
                known = await self._t.answers.find(partner.party_id, interface.name, digest)
                if known is not None:
                    return known
            message, tolerated = read_request(interface, opened.plain)
            self._t.tolerance.note(partner.party_id, envelope.tolerated | opened.tolerated | tolerated)
            key_id = next(one.id for one in dated if one.keys is opened.keys)
            context = self._context(arrival, partner, opened.plain, key_id, envelope)
            reply = await self._handlers[interface.name](context, message)
            answer = seal_answer(opened.keys, Ret.OK, "", write(reply, partner.profile), partner.profile)
            if digest is not None and is_final(reply):
                await self._t.answers.keep(partner.party_id, interface.name, digest, answer)
            return answer

    def _context(
        self, arrival: Arrival, partner: Partner, plain: bytes, key_id: str, envelope: Envelope
    ) -> Context:
        return Context(
            party_id=partner.party_id,
            roles=partner.roles,
            profile=partner.profile,
            operator_id=partner.operator_id,
            plain=plain,
            body=arrival.body,
            key_id=key_id,
            envelope=envelope,
            tools=self._t,
        )

    async def _admit(self, arrival: Arrival, envelope: Envelope) -> Partner:
        """The partner that the envelope names, if it may call from there. Unknown and barred look the same."""
        partner = await self._t.profiles.find(envelope.operator_id)
        if partner is None or not _from_its_place(partner, arrival):
            raise WireProblem(Ret.ENVELOPE, "OperatorID is not admitted", "not_admitted")
        arrival.partner = partner
        most = partner.profile.limits.body_bytes
        if len(arrival.body) > most:
            raise WireProblem(Ret.ENVELOPE, f"the body is larger than {most} bytes", "too_large")
        return partner

    def _limits_of(self, partner: Partner) -> Limits:
        known = self._limits.get(partner.party_id)
        if known is None or known[0] != partner.revision:
            asked = partner.profile.limits
            known = partner.revision, Limits(self._t.clock, asked.rate_per_s, asked.concurrent)
            self._limits[partner.party_id] = known
        return known[1]

    async def _check_call(self, arrival: Arrival, partner: Partner) -> Interface:
        if arrival.interface != TOKEN and await self._t.issued.owner(arrival.bearer) != partner.party_id:
            problem = "the token is missing, unknown or over; ask query_token for one"
            raise WireProblem(Ret.TOKEN, problem, "token")
        prefix = partner.profile.serve_prefix
        if arrival.prefix != prefix:
            problem = f"this is served to you under {prefix or '/'}"
            raise WireProblem(Ret.ENVELOPE, problem, "prefix")
        interface = INTERFACES.get(arrival.interface)
        if interface is None or interface.name not in self._handlers:
            raise WireProblem(Ret.BUSINESS, "there is no such interface", "interface_unknown")
        needed = NEEDS.get(interface.served_by)
        if needed is not None and needed not in partner.roles:
            problem = f"only an operator with the role {needed} may call this"
            raise WireProblem(Ret.ENVELOPE, problem, "role")
        return interface

    async def _query_token(self, context: Context, message: QueryToken) -> Any:
        partner = await self._t.profiles.of(context.party_id)
        return await self._t.issued.answer(partner, message)


def _check_time(partner: Partner, envelope: Envelope, now: datetime) -> None:
    window_s = partner.profile.time.window_s
    if not window_s:
        return
    try:
        at = read_stamp(envelope.time_stamp, partner.profile)
    except ValueError:
        problem = "TimeStamp must be yyyyMMddHHmmss or Unix milliseconds"
        raise WireProblem(Ret.ENVELOPE, problem, "time_stamp") from None
    if abs(now - at) > timedelta(seconds=window_s):
        ours = write_stamp(now, partner.profile)
        problem = f"TimeStamp is more than {window_s} s from our {ours}"
        raise WireProblem(Ret.ENVELOPE, problem, "time_window")


def _from_its_place(partner: Partner, arrival: Arrival) -> bool:
    if not partner.may_call_from(arrival.address):
        return False
    pins = partner.profile.network.client_certificate_sha256
    shown = (arrival.certificate or "").replace(":", "").lower()
    # All are compared, so that how long it takes does not tell which was nearly right.
    matches = [hmac.compare_digest(shown.encode(), pin.replace(":", "").lower().encode()) for pin in pins]
    return not pins or any(matches)


def _in_words(problem: Exception) -> WireProblem:
    """An error of the hub's own as the partner is told of it."""
    if isinstance(problem, TooManyError):
        return WireProblem(Ret.BUSY, f"too many; come again in {problem.retry_after_s} s", "too_many")
    if isinstance(problem, HubError):
        said = problem.details.get("reason") or problem.details.get("field") or ""
        msg = f"{PUBLIC_CODES[problem.code].en} ({problem.code.value}) {said}".rstrip()
        return WireProblem(RETS.get(problem.code, Ret.BUSINESS), msg, problem.code.value)
    if isinstance(problem, LinkError):
        return WireProblem(Ret.BUSY, "the other operator does not answer now", "link")
    return WireProblem(Ret.BUSY, NO_DATABASE, "database")
