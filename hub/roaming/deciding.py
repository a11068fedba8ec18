"""People decide what becomes of a suspended record: one, or two where it is about much."""

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB
from hub.parties.tables import AgreementRow, find_agreement, lock_exposures
from hub.parties.tables_staff import same_person
from hub.roaming.acceptance import Acceptance, move
from hub.roaming.context import RoamingContext
from hub.roaming.tables import SessionRow, get_session
from hub.roaming.tables_records import RecordRow, get_record
from hub.roaming.tables_trust import RecordDecisionRow, last_decision
from operator_sdk.contract.codes import RecordState, SuspenseKind, SuspenseOutcome
from operator_sdk.contract.messages.records import RecordDecided, RecordDecision
from operator_sdk.contract.public_codes import Code

BECOMES = {"accept": RecordState.ACCEPTED, "reject": RecordState.REJECTED}
CLOSES = {"accept": SuspenseOutcome.ACCEPTED, "reject": SuspenseOutcome.RETURNED}


class Deciding:
    """Takes decisions about records."""

    def __init__(self, context: RoamingContext) -> None:
        self._c, self._acceptance = context, Acceptance(context)
        self._audit = AuditLog(context.clock, context.ids)

    async def decide(
        self, record_id: str, decision: RecordDecision, actor: str, *, alone: bool = False
    ) -> RecordDecided:
        """Accept or reject a suspended record. The decision that was taken, said again, changes nothing.

        Above `second_person_fen` the first call proposes, and another person's with the same words but the
        reason decides; `alone` is for whoever holds the database.

        Raises:
            NotFoundError: no such record.
            HubError: second_person_needed; state_conflict, it is not suspended; rule_violated, nobody is named
                who owes it, another home than the record's is, or the two have no agreement.
        """
        async with self._c.database.unit() as unit:
            session, row = await self._locked(unit, record_id)
            last = await last_decision(unit, record_id)
            if last is not None and last.final and last.decision == decision.decision:
                return await self._said(unit, row, last)
            if row.state != RecordState.SUSPENDED:
                raise HubError(Code.STATE_CONFLICT, state=row.state)
            agreement = await self._agreement(unit, row, decision)
            final = alone or row.amount_fen <= self._c.second_person_fen
            if not final and last is not None and _same(last, decision):
                if await same_person(unit, last.said_by, actor):
                    raise HubError(Code.SECOND_PERSON_NEEDED)
                final = True
            said = self._write(unit, row, decision, actor, number=last.number + 1 if last else 1, final=final)
            if final:
                await self._carry_out(unit, session, row, said, agreement)
            return await self._said(unit, row, said)

    async def _locked(self, unit: Unit, record_id: str) -> tuple[SessionRow | None, RecordRow]:
        row = await get_record(HUB, unit, record_id)
        if row is None:
            raise NotFoundError
        session = None
        if row.session_id is not None:
            session = await get_session(HUB, unit, row.session_id, lock=True)
        row = await get_record(HUB, unit, record_id, lock=True)
        assert row is not None
        return session, row

    async def _agreement(self, unit: Unit, row: RecordRow, decision: RecordDecision) -> AgreementRow | None:
        """The agreement a record is accepted under; a rejected one needs none."""
        if decision.decision != "accept":
            return None
        home = row.home_party_id or decision.home_party_id
        if home is None:
            raise HubError(Code.RULE_VIOLATED, problem="name the home that owes it")
        if decision.home_party_id not in {None, home}:
            raise HubError(Code.RULE_VIOLATED, problem="another home is billed")
        agreement = await find_agreement(unit, home_party_id=home, host_party_id=row.host_party_id)
        if agreement is None and home != row.host_party_id:
            raise HubError(Code.RULE_VIOLATED, problem="the two have no agreement")
        return agreement

    def _write(
        self,
        unit: Unit,
        row: RecordRow,
        decision: RecordDecision,
        actor: str,
        *,
        number: int,
        final: bool,
    ) -> RecordDecisionRow:
        said = RecordDecisionRow(
            record_id=row.record_id,
            number=number,
            decision=decision.decision,
            home_party_id=decision.home_party_id,
            reason=decision.reason,
            said_by=actor,
            said_at=self._c.clock.wall(),
            final=final,
        )
        unit.session.add(said)
        self._audit.note(
            unit,
            actor=actor,
            action=f"{decision.decision}_record" if final else f"propose_{decision.decision}_record",
            subject=row.record_id,
            reason=decision.reason,
            home_party_id=decision.home_party_id,
        )
        return said

    async def _carry_out(
        self,
        unit: Unit,
        session: SessionRow | None,
        row: RecordRow,
        said: RecordDecisionRow,
        agreement: AgreementRow | None,
    ) -> None:
        move(row, BECOMES[said.decision])
        row.reason, row.updated_at = said.reason, self._c.clock.business()
        why = said.reason, said.said_by
        if home := row.home_party_id or said.home_party_id:
            await lock_exposures(unit, {home})
        await self._acceptance.close_waiting(unit, row, SuspenseKind.RECORD, CLOSES[said.decision], why=why)
        if row.state == RecordState.ACCEPTED:
            row.home_party_id = row.home_party_id or said.home_party_id
            await self._acceptance.accept(unit, row, session, agreement)

    async def _said(self, unit: Unit, row: RecordRow, said: RecordDecisionRow) -> RecordDecided:
        proposed_by = said.said_by
        if said.final and said.number > 1:
            before = await unit.session.get(RecordDecisionRow, (row.record_id, said.number - 1))
            proposed_by = before.said_by if before is not None and _same(before, said) else said.said_by
        return RecordDecided(
            record_id=row.record_id,
            state=row.state,
            decision=said.decision,
            reason=said.reason,
            home_party_id=row.home_party_id or said.home_party_id,
            proposed_by=proposed_by,
            decided_by=said.said_by if said.final else None,
        )


def _same(said: RecordDecisionRow, decision: RecordDecision | RecordDecisionRow) -> bool:
    """Whether two people want the same."""
    return (said.decision, said.home_party_id) == (decision.decision, decision.home_party_id)
