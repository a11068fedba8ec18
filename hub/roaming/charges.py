"""The steps that all three ways to start share: open, decide, start at the host, let go.

Each function with a `unit` runs inside the caller's step. Nothing here calls a party inside a unit.
"""

from dataclasses import dataclass
from datetime import timedelta

from hub.core.database import Unit
from hub.core.errors import NotFoundError
from hub.core.tables import BusinessMessage, Evidence, insert_new
from hub.parties.link import Capability, LinkError, LinkRefused, PartyLink
from hub.parties.scope import HUB
from hub.parties.tables import change_exposure, find_agreement, find_party, reserve_exposure
from hub.roaming.asking import NOT_ASKED, Asked
from hub.roaming.context import (
    AUTHORIZE_MARGIN,
    START_RESULT,
    UNUSED_AUTHORIZATION,
    RoamingContext,
)
from hub.roaming.drafting import Drafts, Facts, Wanted, grant_message, leg
from hub.roaming.model import may_follow
from hub.roaming.model_stops import marks_for
from hub.roaming.tables import AuthorizationRow, LegRow, SessionRow, get_authorization, get_session
from operator_sdk.contract.codes import AuthorizationState, SessionState, StartMode, TargetKind
from operator_sdk.contract.ids import AUTHORIZATION, SESSION
from operator_sdk.contract.messages.roaming import (
    HomeAuthorization,
    HomeAuthorizeRequest,
    HostStartReply,
    HostStartRequest,
)
from operator_sdk.contract.progress import goal_fen
from operator_sdk.contract.public_codes import Code

HomeAnswer = tuple[HomeAuthorization | None, Evidence | None]


@dataclass(frozen=True, slots=True)
class HostCall:
    """How a charge will be started at its host; `host_ref` is the number there, where the hub makes it up.

    `qr_tail` is handed on as the home gave it or the driver scanned it. The session keeps none: no host is
    called a second time.
    """

    link: PartyLink
    host_ref: str | None
    qr_tail: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A charge as it was opened: either refused at once, or with what to ask the home."""

    authorization_id: str
    session_id: str
    refusal: Code | None
    ask: HomeAuthorizeRequest | None = None


class Charges:
    """Opens, decides, starts and lets go."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context
        self.drafts = Drafts(context.pseudonyms)

    def new_ids(self) -> tuple[str, str]:
        """(authorization_id, session_id)."""
        return self._c.ids.new(AUTHORIZATION), self._c.ids.new(SESSION)

    async def open(self, unit: Unit, wanted: Wanted, ids: tuple[str, str], asked: Asked = NOT_ASKED) -> Opened:
        """Write authorization and session with every check the hub can make by itself.

        `asked` is what the host said before, where it had to be asked.
        """
        facts = await self._facts(unit, wanted, asked)
        draft = self.drafts.make(wanted, facts, ids, self._c.clock.business())
        home = wanted.home_party_id
        if (
            draft.refusal is None
            and draft.reserve_fen
            and home is not None
            and not await reserve_exposure(unit, home, draft.reserve_fen)
        ):
            draft = draft.refused(Code.HOME_EXPOSURE_EXCEEDED)
        unit.session.add(AuthorizationRow(**draft.authorization))
        if draft.session is not None:
            unit.session.add(SessionRow(**draft.session))
        for row in draft.legs:
            # A party's numbers may serve two of its series; the session keeps them all the same.
            await insert_new(unit, LegRow, **row)
        if draft.refusal is None and wanted.start_mode is not StartMode.HOME:
            # A home that starts has decided: nobody is asked, so nobody can stay silent.
            await self._timer(unit, "authorize_timeout", ids[1], AUTHORIZE_MARGIN)
        return Opened(*ids, draft.refusal, draft.ask)

    async def _facts(self, unit: Unit, wanted: Wanted, asked: Asked) -> Facts:
        home, host = wanted.home_party_id, wanted.host_party_id
        info = asked.over(await self._c.directory.connector(unit, host, wanted.connector_id, home=home))
        if home is None:
            return Facts(info, None, home_follows=False)
        agreement = await find_agreement(unit, home_party_id=home, host_party_id=host)
        hold_fen = agreement.hold_fen if agreement else None
        spoken = await self._protocol(unit, home)
        host_protocol = await self._protocol(unit, host) if wanted.authorization_ref is not None else spoken
        return Facts(
            info,
            hold_fen,
            spoken != "hosted",
            home_protocol=spoken,
            host_protocol=host_protocol,
            host_says_no=asked.refusal,
        )

    async def _protocol(self, unit: Unit, party_id: str) -> str:
        party = await find_party(unit, party_id)
        # A home that was never added has no agreement either: the charge is refused before anybody follows it.
        return "hosted" if party is None else party.protocol

    async def _timer(self, unit: Unit, kind: str, session_id: str, after: timedelta) -> None:
        await self._c.outbox.post(unit, kind=kind, lane=f"{kind}:{session_id}", subject=session_id, after=after)

    async def ask_home(self, home_party_id: str, ask: HomeAuthorizeRequest) -> HomeAnswer:
        """The home's decided answer with its proof, or Nones when it gave none."""
        link = await self._c.links.of(home_party_id)
        if Capability.AUTHORIZE not in link.capabilities:
            refused = HomeAuthorization(
                state=AuthorizationState.REFUSED, refusal=Code.START_NOT_SUPPORTED_BY_HOME
            )
            return refused, None
        try:
            return await link.authorize(ask)
        except LinkError:
            return None, None

    async def decide(
        self,
        unit: Unit,
        authorization_id: str,
        answer: HomeAuthorization | None,
        evidence: Evidence | None = None,
    ) -> tuple[AuthorizationRow, SessionRow | None]:
        """Write the home's answer, once; silence is a refusal, and given back durably."""
        authorization = await get_authorization(HUB, unit, authorization_id)
        assert authorization is not None
        # The session is always locked before its authorization.
        session = await get_session(HUB, unit, authorization.session_id, lock=True)
        authorization = await get_authorization(HUB, unit, authorization_id, lock=True)
        assert authorization is not None
        if authorization.state != AuthorizationState.PENDING or session is None:
            return authorization, session
        if answer is not None and evidence is not None:
            message = grant_message(
                session.home_party_id, authorization_id, answer, evidence, self._c.clock.wall()
            )
            await insert_new(unit, BusinessMessage, **message)
        now = self._c.clock.business()
        authorization.updated_at = session.updated_at = now
        if answer is None:
            await self._refuse(unit, authorization, session, Code.HOME_UNAVAILABLE)
            await self.post_release(unit, session, Code.HOME_UNAVAILABLE)
        elif answer.state not in {AuthorizationState.GRANTED, AuthorizationState.CONSUMED}:
            await self._refuse(unit, authorization, session, answer.refusal or Code.TOKEN_UNKNOWN)
        elif await self._fits(unit, authorization, session, answer.limit_fen):
            await self._grant(unit, authorization, session, answer)
        else:
            await self._refuse(unit, authorization, session, Code.HOME_EXPOSURE_EXCEEDED)
            await self.post_release(unit, session, Code.HOME_EXPOSURE_EXCEEDED)
        session_id = session.session_id
        unit.after_commit(lambda: self._c.live.publish(session_id))
        return authorization, session

    async def _refuse(
        self, unit: Unit, authorization: AuthorizationRow, session: SessionRow, refusal: str
    ) -> None:
        authorization.state, authorization.refusal = AuthorizationState.REFUSED, refusal
        session.state, session.refusal = SessionState.REFUSED, refusal
        await self._give_back_exposure(unit, authorization)

    async def _fits(
        self, unit: Unit, authorization: AuthorizationRow, session: SessionRow, limit: int | None
    ) -> bool:
        """Move what is reserved to what was granted; more than was asked for must fit the home's exposure."""
        if limit is None or session.home_party_id == session.host_party_id:
            return True
        change = limit - authorization.reserved_fen
        if change > 0:
            if not await reserve_exposure(unit, session.home_party_id, change):
                return False
        elif change:
            await change_exposure(unit, session.home_party_id, open_limits=change)
        authorization.reserved_fen = limit
        return True

    async def _grant(
        self,
        unit: Unit,
        authorization: AuthorizationRow,
        session: SessionRow,
        answer: HomeAuthorization,
    ) -> None:
        limit = answer.limit_fen
        authorization.state, authorization.limit_fen = AuthorizationState.GRANTED, limit
        authorization.home_ref = authorization.home_ref or answer.home_ref
        session.state, session.limit_fen = SessionState.AUTHORIZED, limit
        session.goal_fen = goal_fen(held_fen=limit, target_estimate_fen=session.estimate_fen)
        if answer.home_ref and session.home_ref is None:
            session.home_ref = answer.home_ref
            party = (session.home_party_id, await self._protocol(unit, session.home_party_id))
            row = leg(session.session_id, "home", party, answer.home_ref, "out")
            await insert_new(unit, LegRow, **row)
        if answer.subject and session.driver_ref is None:
            session.driver_ref = self._c.pseudonyms.driver_ref(session.home_party_id, answer.subject)
        if session.start_mode == StartMode.HOST:
            wait = self._c.clock.wall_for(UNUSED_AUTHORIZATION)
            await self._timer(unit, "authorization_unused", session.session_id, wait)

    async def _give_back_exposure(self, unit: Unit, authorization: AuthorizationRow) -> None:
        if authorization.reserved_fen and authorization.home_party_id:
            await change_exposure(unit, authorization.home_party_id, open_limits=-authorization.reserved_fen)
            authorization.reserved_fen = 0

    async def post_release(self, unit: Unit, session: SessionRow, reason: str) -> None:
        """Tell the home, durably, to give back what it holds."""
        await self._c.outbox.post(
            unit,
            kind="release_authorization",
            lane=f"release:{session.session_id}",
            subject=session.session_id,
            party_id=session.home_party_id,
            payload={"authorization_id": session.authorization_id, "reason": reason},
        )

    async def let_go(self, unit: Unit, session: SessionRow, reason: str, state: AuthorizationState) -> None:
        """End an authorization without a charge, once: exposure back, home told."""
        authorization = await get_authorization(HUB, unit, session.authorization_id, lock=True)
        assert authorization is not None
        if authorization.state not in {AuthorizationState.GRANTED, AuthorizationState.PENDING}:
            return
        authorization.state, authorization.refusal = state, reason
        authorization.updated_at = self._c.clock.business()
        await self._give_back_exposure(unit, authorization)
        await self.post_release(unit, session, reason)

    async def fail_start(
        self,
        unit: Unit,
        session: SessionRow,
        reason: str,
        ended: AuthorizationState = AuthorizationState.RELEASED,
    ) -> None:
        """The charge never began: start_failed, and everything is given back."""
        if not may_follow(SessionState(session.state), SessionState.START_FAILED):
            return
        session.state, session.refusal = SessionState.START_FAILED, reason
        session.updated_at = self._c.clock.business()
        await self.let_go(unit, session, reason, ended)
        unit.after_commit(lambda: self._c.live.publish(session.session_id))

    async def host_call(self, host_party_id: str, qr_tail: str | None = None) -> HostCall | None:
        """How a host is told to start a charge; None: nobody knows such a host."""
        try:
            link = await self._c.links.of(host_party_id)
        except NotFoundError:
            return None
        return HostCall(link, link.mint_host_ref(), qr_tail)

    async def to_starting(self, unit: Unit, session: SessionRow, call: HostCall) -> bool:
        """Note that an authorized session is about to be started; False: nobody is to be called.

        A host's number that the hub makes up is there before the host is called: its first word may be quick.
        """
        if session.state != SessionState.AUTHORIZED:
            return False
        link = call.link
        if not link.carries_limits and not await self._mark(unit, session, link.push_every_s):
            await self.fail_start(unit, session, Code.INSUFFICIENT_FUNDS)
            return False
        session.state, session.updated_at = SessionState.STARTING, self._c.clock.business()
        if call.host_ref is not None:
            await self._number(unit, session, link, call.host_ref)
        await self._timer(unit, "start_check", session.session_id, START_RESULT)
        return True

    async def start_at_host(self, session: SessionRow, call: HostCall) -> SessionRow:
        """Ask the host to start what has begun; unanswered is `unknown`, never given up silently.

        A yes is told at once, with the session as it was written: what a quick host has said since is on its
        way to the home by itself.
        """
        outcome = await self._call_host(call, session)
        if _is_as_noted(outcome, session):
            return session
        async with self._c.database.unit() as unit:
            known = await get_session(HUB, unit, session.session_id, lock=True)
            assert known is not None
            await self._note_start(unit, known, call.link, outcome)
        return known

    async def _mark(self, unit: Unit, session: SessionRow, every_s: int) -> bool:
        """Note where the hub stops the charge; False: the limit is too small to stop before it."""
        tariff = await self._c.directory.tariff_version(
            unit, session.host_party_id, session.tariff_id, session.tariff_version
        )
        assert tariff is not None, "a session has a tariff, and versions stay"
        target = session.target
        marks = marks_for(
            tariff, limit_fen=session.limit_fen, target=target, able_w=session.able_w, every_s=every_s
        )
        if marks is None:
            return False
        session.stop_at_fen, session.stop_at_wh = marks.stop_at_fen, marks.stop_at_wh
        if target.kind is TargetKind.TIME:
            wait = self._c.clock.wall_for(timedelta(seconds=target.value))
            await self._timer(unit, "target_time", session.session_id, wait)
        return True

    async def _number(self, unit: Unit, session: SessionRow, link: PartyLink, host_ref: str) -> None:
        """The host's number of a session, as it is kept."""
        session.host_ref = host_ref
        party = (session.host_party_id, link.link_protocol)
        await insert_new(unit, LegRow, **leg(session.session_id, "host", party, host_ref, "out"))

    async def _call_host(self, call: HostCall, session: SessionRow) -> HostStartReply | LinkError:
        if Capability.START not in call.link.capabilities:
            return HostStartReply(accepted=False, refusal=Code.START_NOT_SUPPORTED_BY_HOST)
        try:
            return await call.link.start(_host_start(session, call))
        except LinkError as problem:
            return problem

    async def _note_start(
        self, unit: Unit, session: SessionRow, link: PartyLink, outcome: HostStartReply | LinkError
    ) -> None:
        if isinstance(outcome, HostStartReply):
            if not outcome.accepted:
                await self.fail_start(unit, session, outcome.refusal or Code.HOST_REFUSED)
            elif outcome.host_ref and session.host_ref is None:
                await self._number(unit, session, link, outcome.host_ref)
        elif isinstance(outcome, LinkRefused) or not outcome.sent:
            await self.fail_start(unit, session, Code.HOST_UNAVAILABLE)
        elif may_follow(SessionState(session.state), SessionState.UNKNOWN):
            session.state, session.updated_at = SessionState.UNKNOWN, self._c.clock.business()
            await self._c.outbox.post(
                unit,
                kind="explain_unknown",
                lane=f"unknown:{session.session_id}",
                subject=session.session_id,
                party_id=session.host_party_id,
            )


def _is_as_noted(outcome: HostStartReply | LinkError, session: SessionRow) -> bool:
    """Whether a host has taken a charge up and said nothing that is not stored already."""
    if not isinstance(outcome, HostStartReply) or not outcome.accepted:
        return False
    return session.host_ref is not None or not outcome.host_ref


def _host_start(session: SessionRow, call: HostCall) -> HostStartRequest:
    return HostStartRequest(
        session_id=session.session_id,
        authorization_id=session.authorization_id,
        connector_id=session.connector_id,
        home_party_id=session.home_party_id,
        token_ref=session.token_ref,
        start_mode=session.start_mode,
        tariff_id=session.tariff_id,
        tariff_version=session.tariff_version,
        limit_fen=session.limit_fen,
        target=session.target,
        host_ref=call.host_ref,
        qr_tail=call.qr_tail,
    )
