"""Staff let an authorization go for which no bill stands: of a charge that is over, or that nobody can explain.

Otherwise what it holds would be held for ever: by the home, in the driver's wallet, in the home's exposure.
"""

from datetime import timedelta

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB
from hub.parties.tables_staff import same_person
from hub.roaming.charges import Charges
from hub.roaming.context import RoamingContext
from hub.roaming.stopping import Stopping
from hub.roaming.tables import AuthorizationRow, SessionRow, get_authorization, get_session
from hub.roaming.tables_facts import standing_record
from hub.roaming.tables_trust import SessionReleaseRow, last_release
from hub.roaming.unexplained import given_up
from operator_sdk.contract.codes import AuthorizationState, SessionState, StopReason
from operator_sdk.contract.messages.roaming import SessionRelease, SessionReleased
from operator_sdk.contract.public_codes import Code

BILL_WITHIN = timedelta(hours=24)
"""Business time that a host has for its bill before staff may say that none comes."""

RELEASABLE = frozenset(
    {SessionState.ENDED, SessionState.UNKNOWN, SessionState.START_FAILED, SessionState.REFUSED}
)
"""Over, or unknown. What is billed has a record; of what runs the host will say the end."""


class Releasing:
    """Lets go of what no bill will take."""

    def __init__(self, context: RoamingContext, charges: Charges, stopping: Stopping) -> None:
        self._c, self._charges, self._stopping = context, charges, stopping
        self._audit = AuditLog(context.clock, context.ids)

    async def release(
        self, session_id: str, message: SessionRelease, actor: str, *, alone: bool = False
    ) -> SessionReleased:
        """Let a session's authorization go: exposure back, home told, its item in suspense returned.

        Above `second_person_fen` the first call proposes, and another person's releases; `alone` is for whoever
        holds the database. Once released, saying it again changes nothing. A bill that comes later is judged
        like any other.

        Raises:
            NotFoundError: no such session.
            HubError: second_person_needed; state_conflict: it is not over, a record of it stands, its
                authorization was consumed by one, or its host may still bill it (`not_before`).
        """
        async with self._c.database.unit() as unit:
            session = await get_session(HUB, unit, session_id, lock=True)
            if session is None:
                raise NotFoundError
            # The session is always locked before its authorization.
            authorization = await get_authorization(HUB, unit, session.authorization_id, lock=True)
            assert authorization is not None
            last = await last_release(unit, session_id)
            if last is None or not last.final:
                await self._check(unit, session, authorization)
                final = alone or not self._is_large(authorization)
                if not final and last is not None:
                    if await same_person(unit, last.said_by, actor):
                        raise HubError(Code.SECOND_PERSON_NEEDED)
                    final = True
                last = self._write(unit, session, message.reason, actor, after=last, final=final)
                if final:
                    await self._let_go(unit, session, last)
            return await _said(unit, session, authorization, last)

    async def _check(self, unit: Unit, session: SessionRow, authorization: AuthorizationRow) -> None:
        if session.state not in RELEASABLE:
            raise HubError(Code.STATE_CONFLICT, state=session.state)
        record_id = await standing_record(HUB, unit, session.session_id)
        if record_id is not None:
            raise HubError(Code.STATE_CONFLICT, record_id=record_id)
        if authorization.state == AuthorizationState.CONSUMED:
            raise HubError(Code.STATE_CONFLICT, authorization=authorization.state)
        if session.state == SessionState.ENDED:
            # Of an end that the host only confirmed when asked, the hub knows no more than when it heard of it.
            not_before = (session.ended_at or session.updated_at) + BILL_WITHIN
            if self._c.clock.business() < not_before:
                raise HubError(Code.STATE_CONFLICT, state=session.state, not_before=not_before.isoformat())

    def _is_large(self, authorization: AuthorizationRow) -> bool:
        """Whether two people must say so: an authorization without a limit is about any amount."""
        if authorization.state != AuthorizationState.GRANTED:
            return False
        return authorization.limit_fen is None or authorization.limit_fen > self._c.second_person_fen

    def _write(
        self,
        unit: Unit,
        session: SessionRow,
        reason: str,
        actor: str,
        *,
        after: SessionReleaseRow | None,
        final: bool,
    ) -> SessionReleaseRow:
        said = SessionReleaseRow(
            session_id=session.session_id,
            number=after.number + 1 if after is not None else 1,
            reason=reason,
            said_by=actor,
            said_at=self._c.clock.wall(),
            final=final,
        )
        unit.session.add(said)
        action = "release_session" if final else "propose_release_session"
        self._audit.note(unit, actor=actor, action=action, subject=session.session_id, reason=reason)
        return said

    async def _let_go(self, unit: Unit, session: SessionRow, said: SessionReleaseRow) -> None:
        if session.state == SessionState.UNKNOWN:
            # It may be charging after all: then it must not go on for nobody's money.
            await self._stopping.ask(unit, session, StopReason.HUB)
            await self._charges.fail_start(unit, session, Code.RELEASED)
        else:
            await self._charges.let_go(unit, session, Code.RELEASED, AuthorizationState.RELEASED)
        await given_up(unit, self._c.money_waits, session, reason=said.reason, by=said.said_by)
        session.updated_at = self._c.clock.business()


async def _said(
    unit: Unit, session: SessionRow, authorization: AuthorizationRow, said: SessionReleaseRow
) -> SessionReleased:
    proposed_by = said.said_by
    if said.number > 1:
        before = await unit.session.get(SessionReleaseRow, (said.session_id, said.number - 1))
        proposed_by = before.said_by if before is not None else proposed_by
    return SessionReleased(
        session_id=session.session_id,
        state=session.state,
        authorization_id=authorization.authorization_id,
        authorization_state=authorization.state,
        reason=said.reason,
        proposed_by=proposed_by,
        decided_by=said.said_by if said.final else None,
    )
