"""Disputes over charge records: either side raises one, the other answers, silence consents, staff decide.

Lock order as everywhere: session, record, dispute; then what clearing locks. Whoever comes second to the row
finds it in another state, so of an answer, a withdrawal and the end of the time exactly one happens.
"""

from datetime import datetime
from typing import Any

import msgspec

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence, claim_message
from hub.parties.scope import HUB, PartyScope, of_party
from hub.roaming.acceptance import move
from hub.roaming.locking import lock_dispute, lock_record
from hub.roaming.model_disputes import (
    ANSWER_WITHIN,
    INSIST_WITHIN,
    MAY_BE_DISPUTED,
    OPEN,
    RAISED_WITHIN,
    STAFF_WITHIN,
    may_answer,
    may_insist,
    other_side,
)
from hub.roaming.reading_disputes import dispute_view
from hub.roaming.resolving import Resolving, check_time
from hub.roaming.tables_disputes import DisputeRow, find_dispute_in_the_way, get_dispute, list_disputes
from hub.roaming.tables_records import RecordRow
from hub.roaming.trust import count_dispute
from operator_sdk.contract.codes import DisputeState, RecordKind, RecordState
from operator_sdk.contract.ids import DISPUTE
from operator_sdk.contract.messages import disputes as messages
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.public_codes import Code


class Disputes(Resolving):
    """Use cases of disputes; how they end without the two sides is `Resolving`."""

    # Raising.

    async def raise_dispute(
        self, party_id: str, message: messages.DisputeRaise, evidence: Evidence | None = None
    ) -> messages.Dispute:
        """Raise a dispute; the same number with the same body gets the dispute as it is now.

        In time, the record's obligation leaves its cycle whole and its claim waits in suspense. Later only a
        credit can follow. Each side disputes a record once: raised and withdrawn again and again, what is owed
        would be put off for as long as somebody likes, and its host not be taken at its word for one record.

        Raises:
            NotFoundError: not a record of this party's.
            HubError: id_reused; state_conflict, it is disputed, was disputed by this party before, or is owed
                by nobody; rule_violated, it is a credit, is within one party, was accepted more than 90 days
                ago, or evidence says nothing.
        """
        _check_evidence(message.evidence)
        viewer = of_party(party_id)
        async with self._c.database.unit() as unit:
            record = await lock_record(viewer, unit, message.record_id)
            dispute_id = self._c.ids.new(DISPUTE)
            known = await self._claim(
                unit,
                party_id,
                kind="dispute",
                external_id=message.dispute_ref,
                message=message,
                dispute_id=dispute_id,
                evidence=evidence,
            )
            if known is not None:
                return dispute_view(viewer, await self._known(viewer, unit, known))
            return dispute_view(viewer, await self._raise(unit, record, dispute_id, party_id, message))

    async def refuse(self, record_id: str, reason: str) -> None:
        """A home refused a record that came to it: that is a dispute, which it raises.

        Nothing happens where the record is disputed already, was by this home, or is owed by nobody any more.

        Raises:
            HubError: rule_violated, as for `raise_dispute`.
        """
        async with self._c.database.unit() as unit:
            record = await lock_record(HUB, unit, record_id)
            home = record.home_party_id
            assert home is not None, "nobody is sent a record that has no home"
            if record.state not in MAY_BE_DISPUTED or await find_dispute_in_the_way(HUB, unit, record_id, home):
                return
            message = messages.DisputeRaise(dispute_ref=record_id, record_id=record_id, reason=reason[:200])
            await self._raise(unit, record, self._c.ids.new(DISPUTE), home, message)

    async def _raise(
        self, unit: Unit, record: RecordRow, dispute_id: str, party_id: str, message: messages.DisputeRaise
    ) -> DisputeRow:
        now = self._c.clock.business()
        before = await find_dispute_in_the_way(HUB, unit, record.record_id, party_id)
        if before is not None:
            raise HubError(Code.STATE_CONFLICT, dispute_id=before.dispute_id, state=before.state)
        _check_disputable(record, now)
        assert record.home_party_id is not None
        if party_id == record.home_party_id:
            await count_dispute(unit, record.host_party_id, local_day(now))
        row = DisputeRow(
            dispute_id=dispute_id,
            dispute_ref=message.dispute_ref,
            record_id=record.record_id,
            home_party_id=record.home_party_id,
            host_party_id=record.host_party_id,
            raised_by=party_id,
            in_time=await self._set_aside(unit, record, dispute_id, message.reason),
            amount_fen=record.owed_fen,
            currency=record.currency,
            reason=message.reason,
            evidence=_json(message.evidence),
            raised_at=now,
            due_at=now + ANSWER_WITHIN,
            updated_at=now,
        )
        unit.session.add(row)
        await unit.session.flush()
        return row

    async def _set_aside(self, unit: Unit, record: RecordRow, dispute_id: str, reason: str) -> bool:
        """Whether it was in time: then its obligation has left its cycle, and its claim waits in suspense."""
        if record.state == RecordState.SETTLED:
            return False
        move(record, RecordState.DISPUTED)
        record.reason, record.updated_at = reason, self._c.clock.business()
        try:
            in_time = await self._c.record_accepted.record_disputed(unit, record.record_id)
        except HubError as problem:
            if problem.code is not Code.STATE_CONFLICT:
                raise
            # Its cycle is fixed, or about to be: what is in it stays, and only a credit can undo it.
            return False
        if in_time:
            await self._acceptance.set_aside(unit, record, dispute_id, reason)
        return in_time

    # What the two sides say.

    async def answer(
        self,
        party_id: str,
        dispute_id: str,
        message: messages.DisputeAnswer,
        evidence: Evidence | None = None,
    ) -> messages.Dispute:
        """The other side concedes, and the record is credited; or contests, and whoever raised it may insist.

        Raises:
            NotFoundError: not a dispute of this party's.
            HubError: forbidden, it raised it itself; state_conflict, it is answered or over, or the time for an
                answer is; rule_violated, contested without evidence; id_reused, it gave another answer.
        """
        _check_evidence(message.evidence)
        if message.answer == "contest" and not message.evidence:
            raise HubError(Code.RULE_VIOLATED, problem="who contests a dispute shows evidence")
        async with self._c.database.unit() as unit:
            record, row, said = await self._heard(
                unit, party_id, dispute_id, what="answer", message=message, evidence=evidence
            )
            if said:
                return dispute_view(of_party(party_id), row)
            now = self._c.clock.business()
            _check_side(party_id, other_side(row))
            check_time(row, may_answer(row, now))
            row.answer, row.answered_by, row.answered_at = message.answer, party_id, now
            row.answer_reason, row.answer_evidence = message.reason, _json(message.evidence)
            if message.answer == "concede":
                await self._credits.concede(unit, record, row, why=(message.reason, party_id))
            else:
                row.state, row.due_at, row.updated_at = DisputeState.ANSWERED.value, now + INSIST_WITHIN, now
            return dispute_view(of_party(party_id), row)

    async def withdraw(
        self,
        party_id: str,
        dispute_id: str,
        message: messages.DisputeWithdraw,
        evidence: Evidence | None = None,
    ) -> messages.Dispute:
        """Whoever raised it lets the record stand: it is owed again in the cycle that is open.

        Raises:
            NotFoundError: not a dispute of this party's.
            HubError: forbidden, the other side raised it; state_conflict, it is over; id_reused.
        """
        async with self._c.database.unit() as unit:
            record, row, said = await self._heard(
                unit, party_id, dispute_id, what="withdrawal", message=message, evidence=evidence
            )
            if not said:
                _check_side(party_id, row.raised_by)
                check_time(row, row.state in OPEN)
                await self._acceptance.uphold(unit, record, row, why=(message.reason, party_id))
            return dispute_view(of_party(party_id), row)

    async def insist(
        self,
        party_id: str,
        dispute_id: str,
        message: messages.DisputeInsist,
        evidence: Evidence | None = None,
    ) -> messages.Dispute:
        """Whoever raised it is not content with the answer: it waits for staff, and no time ends it any more.

        Raises:
            NotFoundError: not a dispute of this party's.
            HubError: forbidden, the other side raised it; state_conflict, it is not answered, is over, or the
                time to insist is; id_reused.
        """
        async with self._c.database.unit() as unit:
            _, row, said = await self._heard(
                unit, party_id, dispute_id, what="insistence", message=message, evidence=evidence
            )
            if not said:
                now = self._c.clock.business()
                _check_side(party_id, row.raised_by)
                check_time(row, may_insist(row, now))
                row.insisted_at, row.insist_reason = now, message.reason
                row.due_at, row.updated_at = now + STAFF_WITHIN, now
            return dispute_view(of_party(party_id), row)

    # Reading.

    async def dispute(self, viewer: PartyScope, dispute_id: str) -> messages.Dispute:
        """One dispute.

        Raises:
            NotFoundError: unknown, or somebody else's.
        """
        async with self._c.database.reading() as unit:
            return dispute_view(viewer, await self._known(viewer, unit, dispute_id))

    async def disputes(self, viewer: PartyScope, **asked: Any) -> list[messages.Dispute]:
        """Disputes in order of (updated_at, dispute_id); `asked` as for `tables_disputes.list_disputes`."""
        async with self._c.database.reading() as unit:
            return [dispute_view(viewer, row) for row in await list_disputes(viewer, unit, **asked)]

    # Rows.

    async def _known(self, viewer: PartyScope, unit: Unit, dispute_id: str) -> DisputeRow:
        row = await get_dispute(viewer, unit, dispute_id)
        if row is None:
            raise NotFoundError
        return row

    async def _heard(
        self,
        unit: Unit,
        party_id: str,
        dispute_id: str,
        *,
        what: str,
        message: Message,
        evidence: Evidence | None,
    ) -> tuple[RecordRow, DisputeRow, bool]:
        """The record and the dispute, locked, and whether this party said this very thing about it before."""
        record, row = await lock_dispute(of_party(party_id), unit, dispute_id)
        known = await self._claim(
            unit,
            party_id,
            kind=f"dispute_{what}",
            external_id=dispute_id,
            message=message,
            dispute_id=dispute_id,
            evidence=evidence,
        )
        return record, row, known is not None

    async def _claim(
        self,
        unit: Unit,
        party_id: str,
        *,
        kind: str,
        external_id: str,
        message: Message,
        dispute_id: str,
        evidence: Evidence | None = None,
    ) -> str | None:
        """Take a message once; the dispute it was about, where it was said before."""
        new, known = await claim_message(
            unit,
            party_id=party_id,
            kind=kind,
            external_id=external_id,
            canonical=msgspec.json.encode(message),
            subject_id=dispute_id,
            now=self._c.clock.wall(),
            evidence=evidence,
        )
        return None if new else known


def _check_disputable(record: RecordRow, now: datetime) -> None:
    if record.kind != RecordKind.CHARGE:
        raise HubError(Code.RULE_VIOLATED, problem="a credit is not disputed")
    if record.home_party_id == record.host_party_id:
        raise HubError(Code.RULE_VIOLATED, problem="home and host are the same")
    if record.state not in MAY_BE_DISPUTED:
        raise HubError(Code.STATE_CONFLICT, state=record.state)
    if record.booked_day < local_day(now - RAISED_WITHIN):
        raise HubError(Code.RULE_VIOLATED, problem=f"accepted more than {RAISED_WITHIN.days} days ago")


def _check_evidence(evidence: list[messages.DisputeEvidence]) -> None:
    if any(one.text is None and one.link is None for one in evidence):
        raise HubError(Code.RULE_VIOLATED, problem="a piece of evidence has a text or a link")


def _check_side(party_id: str, whose_turn: str) -> None:
    if party_id != whose_turn:
        raise HubError(Code.FORBIDDEN, whose_turn=whose_turn)


def _json(evidence: list[messages.DisputeEvidence]) -> str:
    return msgspec.json.encode(evidence).decode()
