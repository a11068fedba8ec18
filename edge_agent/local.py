"""Cards shown at a pile: stop the charge that the same card began, or ask home and start.

Every question is kept before it is asked, so that an answer that comes too late, or after a restart, is still
used for the one thing left to do: to give back what it granted.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from edge_agent.attendant import Attendant
from edge_agent.charge import Charge
from edge_agent.clock import Clock
from edge_agent.keeper import Keeper
from edge_agent.session import StopAsked
from edge_agent.store import Store, StoreFull, Tap, Written
from edge_agent.uplink import LinkDown, Uplink
from operator_sdk.contract.codes import AuthorizationState, StopReason, TokenKind
from operator_sdk.contract.edge_link.frames import Answer, Ask, AuthorizeAsk, Authorized, Refused, ReleaseAsk
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import (
    Authorization,
    AuthorizeRequest,
    HostStartReply,
    ReleaseRequest,
)
from operator_sdk.contract.pricing import PricingError, check_tariff
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.edge.cards")

ASK_S, SETTLE_S = 8, 1

NOT_NOW = frozenset({Code.UNAVAILABLE, Code.TOO_MANY_REQUESTS, Code.IN_PROGRESS, Code.INTERNAL})
"""Refusals that decide nothing: the same question is asked again."""

SAME_TAP = timedelta(seconds=3)
"""A card that is held on is one tap."""


class NotNow(LinkDown):
    """Home was reached and has not decided; ask again."""


Opening = Callable[[Attendant, Authorization, bytes], Charge]


class Cards:
    """All cards of a site. `opening` makes the charge of an authorization that was granted."""

    def __init__(self, keeper: Keeper, uplink: Uplink, clock: Clock, opening: Opening) -> None:
        self._keeper, self._uplink, self._clock = keeper, uplink, clock
        self._store: Store = keeper.store
        self._opening = opening
        self._asking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._taps: dict[str, tuple[bytes, datetime]] = {}

    def shown(self, attendant: Attendant, number: str) -> None:
        """A card was shown at this connector."""
        token = Token(kind=TokenKind.CARD, ref=number)
        digest, now = token_digest(token), self._clock.wall()
        before = self._taps.get(attendant.connector_id)
        self._taps[attendant.connector_id] = digest, now
        if before is not None and before[0] == digest and now - before[1] < SAME_TAP:
            return
        task = asyncio.create_task(self._tapped(attendant, token, digest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tapped(self, attendant: Attendant, token: Token, digest: bytes) -> None:
        running = attendant.charge
        if running is not None and running.card == digest:
            await attendant.told(StopAsked(at=attendant.moment(), reason=StopReason.CARD))
            self._note(attendant, "stopped", session_id=running.session_id)
            return
        refusal = attendant.objection() or self._objection(digest)
        if refusal is not None:
            self._note(attendant, "refused", refusal)
            return
        attendant.is_reserved = True
        attendant.look()
        try:
            await self._ask(attendant, token, digest)
        finally:
            attendant.is_reserved = False
            attendant.look()

    def _objection(self, digest: bytes) -> Code | None:
        try:
            return Code.TOKEN_BLOCKED if self._store.is_blacklisted(digest) else None
        except StoreFull as problem:
            log.warning("the list of refused cards cannot be read: %s", problem)
            return Code.CONNECTOR_OFFLINE

    async def _ask(self, attendant: Attendant, token: Token, digest: bytes) -> None:
        if not self._uplink.is_open:
            self._note(attendant, "refused", Code.HOME_UNAVAILABLE)
            return
        ask_id = f"card-{secrets.token_hex(16)}"
        request = AuthorizeRequest(
            authorization_ref=ask_id, token=token, connector_id=attendant.connector_id, target=Target()
        )
        self._asking.add(ask_id)
        try:
            self._store.put_ask(ask_id, request)
            answer = await self._home_says(ask_id, AuthorizeAsk(request=request))
            attendant.is_reserved = False
            self._decided(attendant, ask_id, answer, digest)
        except LinkDown as problem:
            log.warning("%s: home cannot be asked: %s", attendant.connector_id, problem)
            self._note(attendant, "refused", Code.HOME_UNAVAILABLE)
        except StoreFull:
            self._note(attendant, "refused", Code.CONNECTOR_OFFLINE)
        finally:
            self._asking.discard(ask_id)

    def _decided(self, attendant: Attendant, ask_id: str, answer: Answer, digest: bytes) -> None:
        granted = granted_by(answer)
        if granted is None:
            self._note(attendant, "refused", _refusal(answer), done=ask_id)
            return
        objection = attendant.objection()
        if objection is None and (granted.session_id is None or not _can_be_priced(granted.tariff)):
            objection = Code.TARIFF_UNKNOWN
        if objection is not None:
            self._note(attendant, "refused", objection, done=ask_id, release=_release(granted))
            return
        charge = self._opening(attendant, granted, digest)
        self._keeper.write(
            Written(
                at=self._clock.business(),
                charge=charge,
                reply=(charge.session_id, HostStartReply(accepted=True, host_ref=charge.host_ref)),
                authorization_done=ask_id,
                tap=self._tap(attendant, "started", session_id=charge.session_id),
            )
        )
        attendant.begin(charge)

    async def run(self) -> None:
        """Settle what is open, again and again while the link is there."""
        while True:
            if self._uplink.is_open:
                try:
                    await self.settle()
                except (LinkDown, StoreFull) as problem:
                    log.info("still to be settled: %s", problem)
            await asyncio.sleep(SETTLE_S)

    async def settle(self) -> None:
        """Give back what is to be given back, then ask what is open, one after the other.

        Nothing is asked while something could not be given back, so that a card holds money once at most.

        Raises:
            LinkDown: the link was lost.
            StoreFull: what was settled could not be noted.
        """
        if not await self._give_back():
            return
        for ask_id, request in self._store.asks().items():
            if ask_id in self._asking:
                continue
            try:
                answer = await self._home_says(ask_id, AuthorizeAsk(request=request))
            except NotNow as problem:
                log.info("%s is still open: %s", ask_id, problem)
                continue
            self.answered_late(ask_id, answer)
            if not await self._give_back():
                return

    async def _give_back(self) -> bool:
        """Whether nothing is left to be given back."""
        for release in self._store.releases():
            try:
                await self._home_says(f"release-{release.authorization_id}", ReleaseAsk(request=release))
            except NotNow as problem:
                log.info("%s is not given back yet: %s", release.authorization_id, problem)
            else:
                self._store.released(release.authorization_id)
        return not self._store.releases()

    async def _home_says(self, ask_id: str, ask: Ask) -> Answer:
        """What home decided.

        Raises:
            NotNow: it cannot decide just now.
            LinkDown: there is no answer.
        """
        answer = await self._uplink.ask(ask_id, ask, within_s=ASK_S)
        if not is_decided(answer):
            raise NotNow(getattr(answer, "code", AuthorizationState.PENDING))
        return answer

    def answered_late(self, ask_id: str, answer: Answer) -> None:
        """An answer that nobody waits for any more: what it granted is given back."""
        granted = granted_by(answer)
        if not ask_id.startswith("card-") or ask_id in self._asking or not is_decided(answer):
            return
        self._keeper.keep(
            Written(
                at=self._clock.business(),
                authorization_done=ask_id,
                release=_release(granted) if granted is not None else None,
            )
        )

    def _note(
        self,
        attendant: Attendant,
        outcome: str,
        refusal: str | None = None,
        *,
        session_id: str | None = None,
        done: str | None = None,
        release: ReleaseRequest | None = None,
    ) -> None:
        log.info("%s: card %s %s", attendant.connector_id, outcome, refusal or session_id or "")
        self._keeper.keep(
            Written(
                at=self._clock.business(),
                authorization_done=done,
                release=release,
                tap=self._tap(attendant, outcome, refusal, session_id=session_id),
            )
        )

    def _tap(
        self, attendant: Attendant, outcome: str, refusal: str | None = None, *, session_id: str | None = None
    ) -> Tap:
        return Tap(
            at=self._clock.business(),
            connector_id=attendant.connector_id,
            outcome=outcome,
            refusal=refusal,
            session_id=session_id,
        )


def is_decided(answer: Answer) -> bool:
    """Whether this answer settles its question."""
    if isinstance(answer, Authorized):
        return answer.authorization.state != AuthorizationState.PENDING
    return not isinstance(answer, Refused) or answer.code not in NOT_NOW


def granted_by(answer: Answer) -> Authorization | None:
    """The authorization, if this answer grants one."""
    if isinstance(answer, Authorized) and answer.authorization.state == AuthorizationState.GRANTED:
        return answer.authorization
    return None


def _refusal(answer: Answer) -> str:
    if isinstance(answer, Authorized):
        return answer.authorization.refusal or Code.TOKEN_UNKNOWN
    return getattr(answer, "code", Code.HOME_UNAVAILABLE)


def _can_be_priced(tariff: Tariff | None) -> bool:
    if tariff is None:
        return False
    try:
        check_tariff(tariff)
    except PricingError as problem:
        log.warning("%s %s: %s", tariff.tariff_id, tariff.version, problem)
        return False
    return True


def _release(granted: Authorization) -> ReleaseRequest:
    return ReleaseRequest(authorization_id=granted.authorization_id, reason="start_failed")
