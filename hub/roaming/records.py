"""Charge records in, settlement records back: the moment of acceptance is the moment the home owes."""

import msgspec

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence, claim_message
from hub.parties.scope import HUB, of_party
from hub.parties.tables import AgreementRow, change_exposure, find_agreement
from hub.roaming.context import RoamingContext
from hub.roaming.following import refuse_implausible
from hub.roaming.model import may_follow
from hub.roaming.model_records import Against, judge, owed_fen, state_of
from hub.roaming.ports import AcceptedRecord, Fees
from hub.roaming.tables import SessionRow, get_authorization, get_session
from hub.roaming.tables_records import RecordRow, find_standing_record, get_record
from operator_sdk.contract.codes import AuthorizationState, Frequency, RecordState, SessionState
from operator_sdk.contract.ids import RECORD
from operator_sdk.contract.messages.records import (
    ChargeRecord,
    Finding,
    RecordReply,
    SettlementRecord,
    SettlementReply,
)
from operator_sdk.contract.public_codes import Code

NEVER_GRANTED = frozenset({AuthorizationState.PENDING, AuthorizationState.REFUSED})


class Records:
    """Judges and keeps charge records; takes settlement records."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def push(
        self, host_party_id: str, record: ChargeRecord, evidence: Evidence | None = None
    ) -> RecordReply:
        """Take a record once: accepted, suspended or rejected, in one step with everything it sets off.

        Raises:
            NotFoundError: not one of this host's sessions.
            HubError: id_reused; rule_violated for instants of no age of ours.
        """
        instants = [at for line in record.lines for at in (line.start, line.end)]
        refuse_implausible(record.started_at, record.ended_at, *instants)
        async with self._c.database.unit() as unit:
            session = await get_session(of_party(host_party_id), unit, record.session_id, lock=True)
            if session is None or session.host_party_id != host_party_id:
                raise NotFoundError
            record_id = self._c.ids.new(RECORD)
            new, known = await claim_message(
                unit,
                party_id=host_party_id,
                kind="record",
                external_id=record.record_ref,
                canonical=msgspec.json.encode(record),
                subject_id=record_id,
                now=self._c.clock.wall(),
                evidence=evidence,
            )
            if not new:
                row = await get_record(HUB, unit, known)
                assert row is not None
                return _reply(row)
            return _reply(await self._judge(unit, session, record, record_id))

    async def _judge(self, unit: Unit, session: SessionRow, record: ChargeRecord, record_id: str) -> RecordRow:
        agreement = await find_agreement(
            unit, home_party_id=session.home_party_id, host_party_id=session.host_party_id
        )
        authorization = await get_authorization(HUB, unit, session.authorization_id, lock=True)
        assert authorization is not None
        now = self._c.clock.business()
        granted = authorization.limit_fen is not None or authorization.state not in NEVER_GRANTED
        findings = judge(
            record,
            Against(
                connector_id=session.connector_id,
                tariff=await self._c.directory.tariff_version(
                    unit, session.host_party_id, session.tariff_id, session.tariff_version
                ),
                limit_fen=session.limit_fen,
                tolerance_fen=agreement.amount_tolerance_fen if agreement else 0,
                now=now,
                second=await find_standing_record(HUB, unit, session.session_id) is not None,
                authorized=granted,
            ),
        )
        row = self._row(session, record, record_id, findings)
        unit.session.add(row)
        if row.state == RecordState.ACCEPTED:
            await self._accept(unit, session, row, agreement)
        return row

    def _row(
        self, session: SessionRow, record: ChargeRecord, record_id: str, findings: list[Finding]
    ) -> RecordRow:
        now = self._c.clock.business()
        return RecordRow(
            record_id=record_id,
            record_ref=record.record_ref,
            session_id=session.session_id,
            home_party_id=session.home_party_id,
            host_party_id=session.host_party_id,
            driver_ref=session.driver_ref,
            connector_id=record.connector_id,
            state=state_of(findings),
            started_at=record.started_at,
            ended_at=record.ended_at,
            meter_start_wh=record.meter_start_wh,
            meter_end_wh=record.meter_end_wh,
            energy_wh=record.energy_wh,
            lines=msgspec.json.encode(record.lines).decode(),
            findings=msgspec.json.encode(findings).decode(),
            electricity_fen=record.electricity_fen,
            service_fen=record.service_fen,
            amount_fen=record.amount_fen,
            owed_fen=owed_fen(record.amount_fen, session.limit_fen),
            currency=record.currency,
            tariff_id=record.tariff_id,
            tariff_version=record.tariff_version,
            stop_reason=record.stop_reason,
            energy_resolution_wh=record.energy_resolution_wh,
            amount_resolution_fen=record.amount_resolution_fen,
            booked_day=local_day(now),
            service_day=local_day(record.ended_at),
            updated_at=now,
        )

    async def _accept(
        self, unit: Unit, session: SessionRow, row: RecordRow, agreement: AgreementRow | None
    ) -> None:
        now = self._c.clock.business()
        authorization = await get_authorization(HUB, unit, session.authorization_id)
        assert authorization is not None
        if session.home_party_id != session.host_party_id:
            await change_exposure(
                unit, session.home_party_id, owed=row.owed_fen, open_limits=-authorization.reserved_fen
            )
        authorization.reserved_fen = 0
        authorization.state, authorization.updated_at = AuthorizationState.CONSUMED, now
        if may_follow(SessionState(session.state), SessionState.BILLED):
            session.state = SessionState.BILLED
        session.ended_at = session.ended_at or row.ended_at
        session.started_at = session.started_at or row.started_at
        session.stop_reason = session.stop_reason or row.stop_reason
        session.energy_wh, session.amount_fen = row.energy_wh, row.amount_fen
        session.power_w, session.suspense, session.updated_at = 0, None, now
        await unit.session.flush()
        await self._c.record_accepted.record_accepted(unit, _accepted(row, agreement, self._c))
        await self._c.outbox.post(
            unit,
            kind="push_record",
            lane=f"session:{session.session_id}",
            subject=session.session_id,
            party_id=session.home_party_id,
            payload={"record_id": row.record_id},
        )
        unit.after_commit(lambda: self._c.live.publish(session.session_id))

    async def settle(
        self, home_party_id: str, settlement: SettlementRecord, evidence: Evidence | None = None
    ) -> SettlementReply:
        """Take a home's settlement record once; the host is told.

        Raises:
            NotFoundError: not a record this home owes.
            HubError: id_reused; rule_violated when it does not add up to what was held, or a second one comes.
        """
        refuse_implausible(settlement.settled_at)
        async with self._c.database.unit() as unit:
            session = await get_session(of_party(home_party_id), unit, settlement.session_id, lock=True)
            row = await get_record(of_party(home_party_id), unit, settlement.record_id, lock=True)
            if row is None or session is None or row.home_party_id != home_party_id:
                raise NotFoundError
            if row.session_id != session.session_id:
                raise NotFoundError
            new, _ = await claim_message(
                unit,
                party_id=home_party_id,
                kind="settlement",
                external_id=settlement.settlement_ref,
                canonical=msgspec.json.encode(settlement),
                subject_id=row.record_id,
                now=self._c.clock.wall(),
                evidence=evidence,
            )
            if new:
                await self._note_settlement(unit, session, row, settlement)
            return SettlementReply(record_id=row.record_id, state=row.state)

    async def _note_settlement(
        self, unit: Unit, session: SessionRow, row: RecordRow, settlement: SettlementRecord
    ) -> None:
        if row.settlement_ref is not None:
            raise HubError(Code.RULE_VIOLATED, problem="the record was settled with another settlement")
        if row.state not in {RecordState.ACCEPTED, RecordState.DISPUTED}:
            raise HubError(Code.STATE_CONFLICT)
        held = session.limit_fen
        if held is not None and settlement.captured_fen + settlement.released_fen != held:
            raise HubError(Code.RULE_VIOLATED, problem="captured + released is not what was held")
        if row.state == RecordState.DISPUTED:
            # Whoever settles a bill accepts it: the host is owed again.
            row.state, row.reason = RecordState.ACCEPTED, None
            await self._c.record_accepted.record_reinstated(unit, row.record_id)
        now = self._c.clock.business()
        row.settlement_ref, row.settled_at = settlement.settlement_ref, settlement.settled_at
        row.driver_amount_fen = settlement.driver_amount_fen
        row.captured_fen, row.released_fen = settlement.captured_fen, settlement.released_fen
        row.updated_at = session.updated_at = now
        if may_follow(SessionState(session.state), SessionState.SETTLED):
            session.state = SessionState.SETTLED
        await self._c.outbox.post(
            unit,
            kind="push_settlement",
            lane=f"session:{session.session_id}",
            subject=session.session_id,
            party_id=session.host_party_id,
            payload={"record_id": row.record_id},
        )
        unit.after_commit(lambda: self._c.live.publish(session.session_id))

    async def dispute(self, record_id: str, reason: str) -> None:
        """The home refused an accepted record: its obligation leaves the cycle, the host's side stands."""
        async with self._c.database.unit() as unit:
            row = await get_record(HUB, unit, record_id, lock=True)
            assert row is not None
            if row.state != RecordState.ACCEPTED:
                return
            row.state, row.reason = RecordState.DISPUTED, reason[:200]
            row.updated_at = self._c.clock.business()
            try:
                await self._c.record_accepted.record_disputed(unit, record_id)
            except HubError as problem:
                if problem.code is not Code.STATE_CONFLICT:
                    raise
                # Its cycle is fixed: what is settled is never touched, and only a credit can undo it.
                row.reason = f"after its cycle was fixed: {reason}"[:200]


def _accepted(row: RecordRow, agreement: AgreementRow | None, context: RoamingContext) -> AcceptedRecord:
    return AcceptedRecord(
        record_id=row.record_id,
        session_id=row.session_id,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        amount_fen=row.amount_fen,
        owed_fen=row.owed_fen,
        currency=row.currency,
        booked_day=row.booked_day,
        at=context.clock.business(),
        commission_ppm=agreement.commission_ppm if agreement else 0,
        energy_wh=row.energy_wh,
        station_id=None,
        fees=Fees(electricity_fen=row.owed_fen),
        frequency=Frequency.DAILY,
    )


def _reply(row: RecordRow) -> RecordReply:
    owed = row.owed_fen if row.state not in {RecordState.REJECTED, RecordState.SUSPENDED} else 0
    return RecordReply(
        record_id=row.record_id,
        record_ref=row.record_ref,
        state=row.state,
        owed_fen=owed,
        findings=msgspec.json.decode(row.findings, type=list[Finding]),
    )
