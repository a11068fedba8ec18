"""Charge records in, settlement records back: the moment of acceptance is the moment the home owes."""

import logging
from typing import Any

import msgspec

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence, claim_message
from hub.parties.scope import HUB, of_party
from hub.roaming.acceptance import Acceptance, lane_of
from hub.roaming.context import RoamingContext
from hub.roaming.following import refuse_implausible
from hub.roaming.judging import Judged, Judging
from hub.roaming.model import may_follow
from hub.roaming.model_records import OWED, owed_fen, weights_of
from hub.roaming.model_rules import letters_of, objections, state_of
from hub.roaming.tables import SessionRow, get_session, session_of_leg
from hub.roaming.tables_disputes import find_open_dispute
from hub.roaming.tables_records import RecordRow, get_record
from operator_sdk.contract.codes import RecordKind, RecordState, SessionState
from operator_sdk.contract.ids import RECORD
from operator_sdk.contract.messages.records import (
    Bill,
    ChargeRecord,
    CreditRecord,
    Finding,
    RecordReply,
    SettlementRecord,
    SettlementReply,
    UnmatchedRecord,
)
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.roaming.records")

AS_BILLED = (
    "record_ref", "connector_id", "started_at", "ended_at", "left_at", "meter_start_wh", "meter_end_wh",
    "energy_wh", "electricity_fen", "service_fen", "parking_fen", "idle_fen", "amount_fen", "currency",
    "tariff_id", "tariff_version", "stop_reason", "energy_resolution_wh", "amount_resolution_fen", "metered",
)  # fmt: skip
"""What a row takes from the bill as it is."""


class Records:
    """Judges and keeps charge records; takes settlement records."""

    def __init__(self, context: RoamingContext) -> None:
        self._c, self._judging, self._acceptance = context, Judging(context), Acceptance(context)

    async def push(
        self,
        host_party_id: str,
        record: ChargeRecord,
        evidence: Evidence | None = None,
        *,
        said: bytes | None = None,
    ) -> RecordReply:
        """Take a record once: accepted, suspended or rejected, in one step with everything it sets off.

        `said` is what makes it the same record when it comes again, where that is not the record as it is here.

        Raises:
            NotFoundError: not one of this host's sessions.
            HubError: id_reused; rule_violated for instants of no age of ours.
        """
        _check_instants(record)
        async with self._c.database.unit() as unit:
            session = await get_session(of_party(host_party_id), unit, record.session_id, lock=True)
            if session is None or session.host_party_id != host_party_id:
                raise NotFoundError
            record_id = self._c.ids.new(RECORD)
            known = await self.claim(unit, host_party_id, record, record_id, evidence, said=said)
            if known is not None:
                return known
            judged, _ = await self._judging.of_session(unit, host_party_id, session, record)
            row = self._row(record, judged, session.limit_fen)
            row.record_id, row.host_party_id = record_id, host_party_id
            row.session_id, row.home_party_id = session.session_id, session.home_party_id
            row.driver_ref, row.token_ref = session.driver_ref, session.token_ref
            return await self._keep(unit, row, session, judged)

    async def push_unmatched(
        self,
        host_party_id: str,
        record: UnmatchedRecord,
        evidence: Evidence | None = None,
        *,
        said: bytes | None = None,
    ) -> RecordReply:
        """Take the bill of a charge that the hub opened no session for: a person decides who owes it.

        `said` is as in `push`.

        Raises:
            HubError: id_reused; rule_violated for instants of no age of ours, or where the hub knows the
                session by the host's number after all.
        """
        _check_instants(record)
        async with self._c.database.unit() as unit:
            record_id = self._c.ids.new(RECORD)
            known = await self.claim(unit, host_party_id, record, record_id, evidence, said=said)
            if known is not None:
                return known
            known_as = await session_of_leg(of_party(host_party_id), unit, "host", record.session_ref)
            if known_as is not None:
                session_id = known_as.session_id
                raise HubError(Code.RULE_VIOLATED, problem="the session is known", session_id=session_id)
            judged = await self._judging.of_stranger(unit, host_party_id, record)
            row = self._row(record, judged, None)
            row.record_id, row.host_party_id = record_id, host_party_id
            row.session_ref, row.home_party_id = record.session_ref, record.home_party_id
            row.token_kind, row.token_digest = record.token_kind, record.token_digest
            return await self._keep(unit, row, None, judged)

    async def claim(
        self,
        unit: Unit,
        host_party_id: str,
        record: ChargeRecord | UnmatchedRecord | CreditRecord,
        record_id: str,
        evidence: Evidence | None,
        *,
        said: bytes | None = None,
    ) -> RecordReply | None:
        """Take a host's number for a record, once; the stored answer where it was said before.

        Raises:
            HubError: id_reused, the number came with another body before. That is rule 2: nothing is stored,
                and somebody should look.
        """
        try:
            new, known = await claim_message(
                unit,
                party_id=host_party_id,
                kind="record",
                external_id=record.record_ref,
                canonical=msgspec.json.encode(record) if said is None else said,
                subject_id=record_id,
                now=self._c.clock.wall(),
                evidence=evidence,
            )
        except HubError as problem:
            if problem.code is Code.ID_REUSED:
                log.warning("a record's number came again with another body", extra={"party_id": host_party_id})
            raise
        if new:
            return None
        row = await get_record(HUB, unit, known)
        assert row is not None
        return reply_of(row)

    async def _keep(
        self, unit: Unit, row: RecordRow, session: SessionRow | None, judged: Judged
    ) -> RecordReply:
        unit.session.add(row)
        await self._acceptance.settle_in(unit, row, session, judged.agreement)
        return reply_of(row)

    def _row(self, record: Bill, judged: Judged, limit_fen: int | None) -> RecordRow:
        now = self._c.clock.business()
        return RecordRow(
            **{name: getattr(record, name) for name in AS_BILLED},
            kind=RecordKind.CHARGE.value,
            station_id=judged.station_id,
            state=state_of(judged.outcomes).value,
            lines=msgspec.json.encode(record.lines).decode(),
            fees=msgspec.json.encode(record.fees).decode() if record.fees else None,
            owed_fen=owed_fen(weights_of(record), limit_fen),
            booked_day=local_day(now),
            service_day=local_day(record.ended_at),
            updated_at=now,
            **outcome_columns(judged),
        )

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
            session = None
            if settlement.session_id is not None:
                session = await get_session(of_party(home_party_id), unit, settlement.session_id, lock=True)
            row = await get_record(of_party(home_party_id), unit, settlement.record_id, lock=True)
            if row is None or row.home_party_id != home_party_id or row.session_id != settlement.session_id:
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
        self, unit: Unit, session: SessionRow | None, row: RecordRow, settlement: SettlementRecord
    ) -> None:
        _check_settlement(session, row, settlement)
        if row.state in MAY_HAVE_A_DISPUTE:
            dispute = await find_open_dispute(HUB, unit, row.record_id)
            if dispute is not None and dispute.raised_by == row.home_party_id:
                # Whoever settles a bill accepts it: the host is owed again.
                why = ("the home settled it", dispute.raised_by)
                await self._acceptance.uphold(unit, row, dispute, why=why)
        now = self._c.clock.business()
        row.settlement_ref, row.settled_at = settlement.settlement_ref, settlement.settled_at
        row.driver_amount_fen = settlement.driver_amount_fen
        row.captured_fen, row.released_fen = settlement.captured_fen, settlement.released_fen
        row.updated_at = now
        if session is not None and row.kind == RecordKind.CHARGE:
            session.updated_at = now
            if may_follow(SessionState(session.state), SessionState.SETTLED):
                session.state = SessionState.SETTLED
            unit.after_commit(lambda: self._c.live.publish(session.session_id))
        await self._c.outbox.post(
            unit,
            kind="push_settlement",
            lane=lane_of(row),
            subject=row.session_id or row.record_id,
            party_id=row.host_party_id,
            payload={"record_id": row.record_id},
        )


MAY_SETTLE = frozenset({RecordState.ACCEPTED, RecordState.DISPUTED, RecordState.SETTLED, RecordState.CREDITED})
"""A cycle may settle before a slow home answers, and a bill may be credited before that."""

MAY_HAVE_A_DISPUTE = frozenset({RecordState.DISPUTED, RecordState.SETTLED})


def _check_settlement(session: SessionRow | None, row: RecordRow, settlement: SettlementRecord) -> None:
    if row.settlement_ref is not None:
        raise HubError(Code.RULE_VIOLATED, problem="the record was settled with another settlement")
    if row.state not in MAY_SETTLE:
        raise HubError(Code.STATE_CONFLICT)
    moved_fen = settlement.captured_fen + settlement.released_fen
    if row.kind == RecordKind.CREDIT:
        if moved_fen:
            raise HubError(Code.RULE_VIOLATED, problem="a credit captures and releases nothing")
        return
    held_fen = session.limit_fen if session is not None else None
    if held_fen is not None and moved_fen != held_fen:
        raise HubError(Code.RULE_VIOLATED, problem="captured + released is not what was held")


def _check_instants(record: Bill) -> None:
    instants = [at for line in record.lines for at in (line.start, line.end)]
    instants += [at for fee in record.fees for at in (fee.start, fee.end)]
    refuse_implausible(record.started_at, record.ended_at, record.left_at or record.ended_at, *instants)


def outcome_columns(judged: Judged) -> dict[str, Any]:
    """How a record's outcomes are kept."""
    repriced = judged.repriced
    return {
        "verdicts": letters_of(judged.outcomes),
        "findings": msgspec.json.encode(objections(judged.outcomes)).decode(),
        "repriced": None if repriced is None else msgspec.json.encode(repriced).decode(),
    }


def reply_of(row: RecordRow) -> RecordReply:
    """What the host is answered, now and whenever it asks again."""
    return RecordReply(
        record_id=row.record_id,
        record_ref=row.record_ref,
        state=row.state,
        owed_fen=row.owed_fen if row.state in OWED else 0,
        findings=msgspec.json.decode(row.findings, type=list[Finding]),
    )
