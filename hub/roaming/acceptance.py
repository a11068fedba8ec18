"""What a judged record sets off, each within its taker's unit: owed from now on, waiting, or nothing."""

from dataclasses import replace
from typing import Any

import msgspec

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.errors import HubError
from hub.parties.scope import HUB
from hub.parties.tables import AgreementRow, change_exposure, lock_exposures
from hub.roaming.context import RoamingContext
from hub.roaming.model import may_follow
from hub.roaming.model_records import may_become, shares_of, weights_of
from hub.roaming.ports import AcceptedRecord, Fees, WaitingMoney
from hub.roaming.tables import SessionRow, get_authorization
from hub.roaming.tables_disputes import DisputeRow
from hub.roaming.tables_records import RecordRow
from hub.roaming.unexplained import explained
from operator_sdk.contract.codes import (
    AuthorizationState,
    DisputeState,
    Frequency,
    RecordState,
    SessionState,
    SuspenseKind,
    SuspenseOutcome,
)
from operator_sdk.contract.messages.records import Finding
from operator_sdk.contract.public_codes import Code

ENDS = {
    DisputeState.ACCEPTED: SuspenseOutcome.ACCEPTED,
    DisputeState.CREDITED: SuspenseOutcome.RETURNED,
}
"""What becomes of a disputed claim in suspense."""


def move(row: RecordRow, state: RecordState) -> None:
    """Take a record to its next state.

    Raises:
        HubError: state_conflict, nothing leads there.
    """
    if not may_become(RecordState(row.state), state):
        raise HubError(Code.STATE_CONFLICT, state=row.state)
    row.state = state.value


class Acceptance:
    """Accepts, suspends, and lets go."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def settle_in(
        self, unit: Unit, row: RecordRow, session: SessionRow | None, agreement: AgreementRow | None
    ) -> None:
        """Do what the state of a record that was just written asks for."""
        if row.state == RecordState.ACCEPTED:
            await self.accept(unit, row, session, agreement)
        elif row.state == RecordState.SUSPENDED:
            await unit.session.flush()
            await self._c.money_waits.open_suspense(unit, _waiting(row, SuspenseKind.RECORD, row.amount_fen))

    async def accept(
        self, unit: Unit, row: RecordRow, session: SessionRow | None, agreement: AgreementRow | None
    ) -> None:
        """From now on the home owes the host; session and authorization are locked, where there are any."""
        row.booked_day = local_day(self._c.clock.business())
        reserved_fen = 0
        if session is not None:
            reserved_fen = await self._bill_session(unit, row, session)
        assert row.home_party_id is not None
        if row.home_party_id != row.host_party_id:
            await change_exposure(unit, row.home_party_id, owed=row.owed_fen, open_limits=-reserved_fen)
        await unit.session.flush()
        excess_fen = row.amount_fen - row.owed_fen
        if excess_fen:
            # Before what is owed, as in every unit that does both: the order in which accounts are locked.
            await self._c.money_waits.open_suspense(unit, _waiting(row, SuspenseKind.OVER_LIMIT, excess_fen))
        await self._c.record_accepted.record_accepted(unit, self._accepted(row, agreement))
        await self.tell_home(unit, row)

    async def _bill_session(self, unit: Unit, row: RecordRow, session: SessionRow) -> int:
        """The session says what the bill says; what its authorization reserved is free again."""
        now = self._c.clock.business()
        authorization = await get_authorization(HUB, unit, session.authorization_id, lock=True)
        assert authorization is not None
        reserved_fen, authorization.reserved_fen = authorization.reserved_fen, 0
        authorization.state, authorization.updated_at = AuthorizationState.CONSUMED, now
        if may_follow(SessionState(session.state), SessionState.BILLED):
            session.state = SessionState.BILLED
        session.ended_at = session.ended_at or row.ended_at
        session.started_at = session.started_at or row.started_at
        session.stop_reason = session.stop_reason or row.stop_reason
        session.energy_wh, session.amount_fen = row.energy_wh, row.amount_fen
        session.power_w, session.updated_at = 0, now
        await lock_exposures(unit, {session.home_party_id})
        await explained(unit, self._c.money_waits, session)
        unit.after_commit(lambda: self._c.live.publish(session.session_id))
        return reserved_fen

    def _accepted(self, row: RecordRow, agreement: AgreementRow | None) -> AcceptedRecord:
        assert row.home_party_id is not None
        electricity, service, parking, idle = shares_of(row.owed_fen, weights_of(row))
        return AcceptedRecord(
            record_id=row.record_id,
            session_id=row.session_id,
            home_party_id=row.home_party_id,
            host_party_id=row.host_party_id,
            station_id=row.station_id,
            amount_fen=row.amount_fen,
            owed_fen=row.owed_fen,
            fees=Fees(electricity_fen=electricity, service_fen=service, parking_fen=parking, idle_fen=idle),
            currency=row.currency,
            frequency=Frequency(agreement.frequency) if agreement else Frequency.DAILY,
            booked_day=row.booked_day,
            at=self._c.clock.business(),
            commission_ppm=agreement.commission_ppm if agreement else 0,
            energy_wh=row.energy_wh,
            credit_of=row.credit_of,
        )

    async def reverse(self, unit: Unit, row: RecordRow, agreement: AgreementRow | None) -> None:
        """From now on the host owes the home what `row`, a credit, gives back."""
        assert row.home_party_id is not None
        if row.home_party_id != row.host_party_id:
            await change_exposure(unit, row.home_party_id, owed=-row.owed_fen)
        await unit.session.flush()
        await self._c.record_accepted.record_accepted(unit, self._accepted(row, agreement))
        await self.tell_home(unit, row)

    async def withdraw(self, unit: Unit, original: RecordRow, row: RecordRow) -> None:
        """`original` was disputed in time and `row` credits it: nothing was owed, nothing is reversed."""
        assert original.home_party_id is not None
        await change_exposure(unit, original.home_party_id, owed=-original.owed_fen)
        await self.tell_home(unit, row)

    async def set_aside(self, unit: Unit, row: RecordRow, dispute_id: str, reason: str) -> None:
        """A claim whose obligation has just left its cycle waits in suspense until the dispute is over."""
        await unit.session.flush()
        if row.owed_fen:
            waiting = _waiting(row, SuspenseKind.DISPUTE, row.owed_fen)
            waiting = replace(waiting, subject_id=dispute_id, reason=reason[:200])
            await self._c.money_waits.open_suspense(unit, waiting)

    async def uphold(self, unit: Unit, row: RecordRow, dispute: DisputeRow, *, why: tuple[str, str]) -> None:
        """A dispute ends, and the record stands: what left its cycle enters the open one, whole."""
        if row.state == RecordState.DISPUTED:
            move(row, RecordState.ACCEPTED)
            row.reason, row.updated_at = None, self._c.clock.business()
            if await self._c.record_accepted.record_reinstated(unit, row.record_id):
                # It never left its cycle, and that has ended meanwhile.
                move(row, RecordState.SETTLED)
        await self.end_dispute(unit, dispute, DisputeState.ACCEPTED, why=why)

    async def end_dispute(
        self, unit: Unit, dispute: DisputeRow, state: DisputeState, *, why: tuple[str, str]
    ) -> None:
        """Write down how a dispute ended, and close what it opened in suspense; `why` as below."""
        now = self._c.clock.business()
        reason, by = why
        # In one go: once it is resolved the database refuses every other word.
        dispute.state, dispute.resolution_reason, dispute.resolved_by = state.value, reason, by
        dispute.resolved_at = dispute.updated_at = now
        await unit.session.flush()
        await self._c.money_waits.close_suspense(
            unit, SuspenseKind.DISPUTE, dispute.dispute_id, outcome=ENDS[state], reason=reason, by=by
        )

    async def tell_home(self, unit: Unit, row: RecordRow) -> None:
        """Post a record, or a credit, to the home: behind everything else about the same charge."""
        await self._c.outbox.post(
            unit,
            kind="push_record",
            lane=lane_of(row),
            subject=row.session_id or row.record_id,
            party_id=row.home_party_id,
            payload={"record_id": row.record_id},
        )

    async def close_waiting(
        self, unit: Unit, row: RecordRow, kind: SuspenseKind, outcome: SuspenseOutcome, *, why: tuple[str, str]
    ) -> None:
        """Close what a record opened in suspense; `why` is the reason and who says so."""
        reason, by = why
        await self._c.money_waits.close_suspense(
            unit, kind, row.record_id, outcome=outcome, reason=reason, by=by
        )


def lane_of(row: RecordRow) -> str:
    """The order of delivery a record belongs to: its session's, or its own where it has none."""
    return f"session:{row.session_id}" if row.session_id else f"record:{row.credit_of or row.record_id}"


def _waiting(row: RecordRow, kind: SuspenseKind, amount_fen: int) -> WaitingMoney:
    findings = msgspec.json.decode(row.findings, type=list[Finding])
    evidence: dict[str, Any] = {
        "findings": [msgspec.to_builtins(finding) for finding in findings],
        "amount_fen": row.amount_fen,
        "owed_fen": row.owed_fen,
    }
    if row.repriced is not None:
        evidence["repriced"] = msgspec.json.decode(row.repriced)
    return WaitingMoney(
        kind=kind,
        subject_id=row.record_id,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        # Within one party nobody's money is at risk.
        amount_fen=0 if row.home_party_id == row.host_party_id else amount_fen,
        currency=row.currency,
        reason=", ".join(finding.rule for finding in findings)[:200] or kind.value,
        evidence=evidence,
    )
