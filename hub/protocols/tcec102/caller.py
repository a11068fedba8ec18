"""Calls to partners: written strictly to the profile, sealed, sent with a token, and the answer opened.

Nothing here decides; what the partner says comes back as its reply message or as an error of `parties.link`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.core.clock import Clock
from hub.core.errors import NotFoundError
from hub.core.outbound import Outbound, OutboundAnswer, OutboundError
from hub.core.requests import current_request_id
from hub.parties.link import LinkError, LinkRefused
from hub.protocols.tcec102.profiles import Partner, PartnerProfiles
from hub.protocols.tcec102.rooms import Rooms
from hub.protocols.tcec102.stamps import Stamps
from hub.protocols.tcec102.tokens import Granted, HeldTokens
from hub.protocols.tcec102.tolerance import Tolerance
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.messages import QueryToken
from operator_sdk.contract.tcec102.profile import DatedKeys, Profile
from operator_sdk.contract.tcec102.reading import read
from operator_sdk.contract.tcec102.wire import Answered, Ret, WireProblem, open_answer, seal_request
from operator_sdk.contract.tcec102.writing import write

TOKEN = "query_token"
CALL_S, TOKEN_S = 10, 8
OWN_RET = "own_ret"
"""What the codec notes where the profile gave a code of the partner's own the standard's meaning."""

DONE = ("succ_stat", "fail_reason", "confirm_result", "status")
"""Fields of replies whose 0 says that all is well."""


class UnreadAnswer(LinkError):
    """A sound envelope around an answer that cannot be read: what it holds, and what is wrong there by name."""

    def __init__(self, problem: WireProblem, plain: bytes) -> None:
        super().__init__(f"answer: {problem.reason}")
        self.msg, self.plain = problem.msg, plain


class PartnerCaller:
    """Calls every partner by its profile."""

    def __init__(
        self,
        outbound: Outbound,
        clock: Clock,
        *,
        profiles: PartnerProfiles,
        held: HeldTokens,
        tolerance: Tolerance,
        first_seq: int = 0,
    ) -> None:
        self._outbound, self._clock, self._profiles = outbound, clock, profiles
        self._held, self._tolerance, self._stamps = held, tolerance, Stamps(clock, first_seq)
        self._rooms = Rooms(clock)

    async def call(self, party_id: str, interface: str, message: Any, *, timeout_s: int = CALL_S) -> Any:
        """One call, with at most one more try where a token or a key set had just been replaced.

        Returns the reply message of the interface. The partner's business answer (SuccStat, ConfirmResult,
        Status) is in it and is the caller's to judge.

        Raises:
            LinkRefused: the partner decided against the message: 4003 or 4004 of the standard.
            LinkError: no decided answer: busy, broken, too slow, wrongly signed, no profile or no keys. Its
                `sent` is False only when the message certainly never reached the partner.
            UnitOpenError: called inside an open unit of work.
        """
        try:
            partner = await self._profiles.of(party_id)
        except NotFoundError as problem:
            raise LinkError("no profile", sent=False) from problem
        attempt = _Attempt(partner, interface, message)
        told = INTERFACES[interface].served_by == "customer"
        try:
            async with asyncio.timeout(timeout_s), self._rooms.place(party_id, told=told):
                return await self._call(attempt, timeout_s)
        except TimeoutError as problem:
            self._rooms.was_silent(party_id)
            raise LinkError("too slow", sent=attempt.sent) from problem

    async def _call(self, attempt: "_Attempt", timeout_s: int) -> Any:
        partner = attempt.partner
        key_sets = partner.theirs(self._clock.wall())
        if not key_sets:
            raise LinkError("no keys in force", sent=False)

        async def fetch() -> Granted:
            return await self._fetch_token(partner)

        keys = key_sets[0]
        token = await self._held.token(partner.party_id, fetch)
        answered = await self._exchange(attempt, keys, timeout_s, token=token)
        if answered.ret == Ret.TOKEN:
            token = await self._held.renewed(partner.party_id, token, fetch)
        elif answered.ret == Ret.SIGNATURE and len(key_sets) > 1:
            keys = key_sets[1]  # the partner has not taken the newest into use yet
        else:
            return self._reply(attempt, answered)
        answered = await self._exchange(attempt, keys, timeout_s, token=token)
        return self._reply(attempt, answered)

    async def _fetch_token(self, partner: Partner) -> Granted:
        """Ask for a token with the newest key set, then with the one before."""
        refused: LinkError = LinkError("no keys in force", sent=False)
        for keys in partner.theirs(self._clock.wall())[:2]:
            message = QueryToken(operator_id=partner.operator_id, operator_secret=keys.keys.operator_secret)
            attempt = _Attempt(partner, TOKEN, message)
            try:
                answered = await self._exchange(attempt, keys, TOKEN_S, token=None)
                reply = self._reply(attempt, answered)
            except LinkError as problem:
                # The message that the token is for was not sent, whatever became of this one.
                refused = LinkError(f"query_token: {problem.reason}", sent=False)
                if problem.reason != RET_WORDS[Ret.SIGNATURE]:
                    break
                continue
            if reply.succ_stat == 0 and reply.access_token:
                return Granted(reply.access_token, reply.token_available_time)
            refused = LinkError(f"query_token: FailReason {reply.fail_reason}", sent=False)
        raise refused

    async def _exchange(
        self, attempt: "_Attempt", keys: DatedKeys, timeout_s: int, *, token: str | None
    ) -> Answered:
        partner = attempt.partner
        profile = partner.profile
        stamp, seq = self._stamps.next(partner.party_id, profile)
        body = seal_request(keys.keys, partner.operator_id, attempt.plain, stamp=stamp, seq=seq)
        headers = {"content-type": "application/json; charset=utf-8", "x-request-id": current_request_id()}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        before, attempt.sent = attempt.sent, True
        try:
            answer = await self._post(partner, attempt.interface, headers, body, timeout_s)
        except OutboundError as problem:
            self._rooms.was_silent(partner.party_id)
            attempt.sent = before or problem.sent
            raise LinkError(problem.reason, sent=attempt.sent) from problem
        self._rooms.answered(partner.party_id)
        others = [one.keys for one in partner.theirs(self._clock.wall()) if one.keys is not keys.keys]
        return self._opened(partner, answer, [keys.keys, *others])

    async def _post(
        self, partner: Partner, interface: str, headers: dict[str, str], body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        url, pins = url_of(partner.profile, interface), partner.pins
        if pins:
            return await self._outbound.call_pinned(url, pins, headers=headers, body=body, timeout_s=timeout_s)
        if partner.profile.network.plain:
            return await self._outbound.call_plain(url, headers=headers, body=body, timeout_s=timeout_s)
        return await self._outbound.call("POST", url, headers=headers, body=body, timeout_s=timeout_s)

    def _opened(self, partner: Partner, answer: OutboundAnswer, key_sets: Sequence[KeySet]) -> Answered:
        try:
            answered = open_answer(answer.body, key_sets, partner.profile)
        except WireProblem as problem:
            if not 200 <= answer.status < 300:
                raise LinkError(f"status {answer.status}") from problem
            raise LinkError(f"answer: {problem.reason}") from problem
        if not 200 <= answer.status < 300 and answered.ret == Ret.OK:
            raise LinkError(f"status {answer.status}")
        self._tolerance.note(partner.party_id, answered.tolerated)
        return answered

    def _reply(self, attempt: "_Attempt", answered: Answered) -> Any:
        if answered.ret in {Ret.ENVELOPE, Ret.BUSINESS}:
            raise LinkRefused(RET_WORDS[answered.ret])
        if answered.ret != Ret.OK:
            raise LinkError(RET_WORDS.get(answered.ret, f"Ret {answered.ret}"))
        kind = INTERFACES[attempt.interface].reply
        if answered.plain is None or (OWN_RET in answered.tolerated and answered.plain == b"{}"):
            return done_reply(kind, attempt.message)
        try:
            reply, tolerated = read(kind, answered.plain)
        except WireProblem as problem:
            raise UnreadAnswer(problem, answered.plain) from problem
        self._tolerance.note(attempt.partner.party_id, tolerated)
        return reply


RET_WORDS: dict[int, str] = {
    Ret.BUSY: "busy",
    Ret.SIGNATURE: "signature refused",
    Ret.TOKEN: "token refused",
    Ret.ENVELOPE: "envelope refused",
    Ret.BUSINESS: "message refused",
    Ret.ERROR: "server error",
}


@dataclass(slots=True)
class _Attempt:
    """A message on its way; `sent` once it may have reached the partner."""

    partner: Partner
    interface: str
    message: Any
    sent: bool = False
    _plain: bytes | None = None

    @property
    def plain(self) -> bytes:
        """The business object as the partner wants it written."""
        if self._plain is None:
            self._plain = write(self.message, self.partner.profile)
        return self._plain


def url_of(profile: Profile, interface: str) -> str:
    """Where a partner serves an interface."""
    return profile.base_url.rstrip("/") + profile.path_of(interface)


def done_reply(kind: type[Any], message: Any) -> Any:
    """The reply that a partner's own code for `done already` stands for: what was asked, and all well.

    Raises:
        LinkError: a reply of this kind says more than that.
    """
    fields = [name for name in kind.__struct_fields__ if name != "extra"]
    said: dict[str, Any] = {name: 0 for name in fields if name in DONE}
    said |= {name: getattr(message, name) for name in fields if hasattr(message, name)}
    try:
        return kind(**said)
    except TypeError as problem:
        raise LinkError("answer: no data") from problem
