"""A host undoes one of its charge records: a record of its own, owed the other way; nothing is edited."""

from typing import Any

import msgspec

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence
from hub.parties.scope import HUB, of_party
from hub.parties.tables import find_agreement, lock_exposures
from hub.roaming.acceptance import Acceptance, move
from hub.roaming.context import RoamingContext
from hub.roaming.model_facts import Facts, Original
from hub.roaming.model_rules import judge, letters_of, objections, state_of
from hub.roaming.records import Records, reply_of
from hub.roaming.tables import get_session
from hub.roaming.tables_disputes import DisputeRow, find_open_dispute
from hub.roaming.tables_records import RecordRow, get_record
from operator_sdk.contract.codes import (
    DisputeState,
    RecordKind,
    RecordState,
    SuspenseKind,
    SuspenseOutcome,
)
from operator_sdk.contract.ids import RECORD
from operator_sdk.contract.messages.records import CreditRecord, RecordReply
from operator_sdk.contract.public_codes import Code

OF_THE_CHARGE = (
    "session_id", "session_ref", "home_party_id", "host_party_id", "station_id", "connector_id", "started_at",
    "ended_at", "left_at", "meter_start_wh", "meter_end_wh", "energy_wh", "lines", "fees", "electricity_fen",
    "service_fen", "parking_fen", "idle_fen", "amount_fen", "currency", "tariff_id", "tariff_version",
    "stop_reason", "energy_resolution_wh", "amount_resolution_fen", "metered", "service_day",
)  # fmt: skip
"""What a credit says as the record it undoes. Not the driver's names: a driver sees one bill, credited."""


class Credits:
    """Takes credits, and makes those by which disputes end."""

    def __init__(self, context: RoamingContext, records: Records) -> None:
        self._c, self._records, self._acceptance = context, records, Acceptance(context)

    async def push(
        self, host_party_id: str, credit: CreditRecord, evidence: Evidence | None = None
    ) -> RecordReply:
        """Take a credit once: accepted, and owed to the home from now on, or rejected.

        The record it names is credited then. Its own obligation stays, in whichever cycle it is: the credit's
        stands against it in the open one. A dispute that the home raised over it is conceded thereby.

        Raises:
            NotFoundError: not one of this host's records.
            HubError: id_reused; state_conflict, the host disputes the record itself, and withdraws that first.
        """
        async with self._c.database.unit() as unit:
            original = await self._locked(host_party_id, unit, credit.record_id)
            dispute = await find_open_dispute(HUB, unit, original.record_id)
            record_id = self._c.ids.new(RECORD)
            known = await self._records.claim(unit, host_party_id, credit, record_id, evidence)
            if known is not None:
                return known
            if dispute is not None and dispute.raised_by == host_party_id:
                raise HubError(Code.STATE_CONFLICT, state=original.state, dispute_id=dispute.dispute_id)
            why = credit.reason, host_party_id
            return reply_of(await self._take(unit, original, credit, record_id, dispute, why=why))

    async def concede(
        self, unit: Unit, original: RecordRow, dispute: DisputeRow, *, why: tuple[str, str]
    ) -> None:
        """A disputed record is credited in its host's name, and so the dispute ends; both rows are locked.

        `why` is the reason, and who says so.
        """
        credit = CreditRecord(
            record_ref=dispute.dispute_id,
            record_id=original.record_id,
            amount_fen=original.amount_fen,
            reason=why[0],
        )
        row = await self._take(unit, original, credit, self._c.ids.new(RECORD), dispute, why=why)
        assert row.state == RecordState.ACCEPTED, "what is disputed is owed, and can be credited"

    async def _locked(self, host_party_id: str, unit: Unit, record_id: str) -> RecordRow:
        """The original, locked behind its session as everywhere."""
        viewer = of_party(host_party_id)
        original = await get_record(viewer, unit, record_id)
        if original is None or original.host_party_id != host_party_id:
            raise NotFoundError
        if original.session_id is not None:
            await get_session(viewer, unit, original.session_id, lock=True)
        locked = await get_record(viewer, unit, record_id, lock=True)
        assert locked is not None
        return locked

    async def _take(
        self,
        unit: Unit,
        original: RecordRow,
        credit: CreditRecord,
        record_id: str,
        dispute: DisputeRow | None,
        *,
        why: tuple[str, str],
    ) -> RecordRow:
        """Judge a credit and write it down; where it is accepted, with everything it sets off."""
        outcomes = judge(credit, self._facts(original, dispute))
        accepted = state_of(outcomes) is RecordState.ACCEPTED
        withdrawn = accepted and await self._withdrawn(unit, original)
        row = self._row_of(
            original,
            record_id=record_id,
            record_ref=credit.record_ref,
            reason=credit.reason,
            state=state_of(outcomes).value,
            verdicts=letters_of(outcomes),
            findings=msgspec.json.encode(objections(outcomes)).decode(),
            # What was never owed is not owed back either.
            owed_fen=0 if withdrawn else original.owed_fen,
        )
        unit.session.add(row)
        if accepted:
            await lock_exposures(unit, {original.home_party_id or original.host_party_id})
            if original.amount_fen > original.owed_fen:
                await self._acceptance.close_waiting(
                    unit, original, SuspenseKind.OVER_LIMIT, SuspenseOutcome.RETURNED, why=why
                )
            await self._book(unit, original, row, withdrawn=withdrawn)
            if dispute is not None:
                await self._acceptance.end_dispute(unit, dispute, DisputeState.CREDITED, why=why)
        return row

    async def _withdrawn(self, unit: Unit, original: RecordRow) -> bool:
        """Whether its obligation was out of its cycle; then nobody owes it any more."""
        disputed = original.state == RecordState.DISPUTED
        return disputed and await self._c.record_accepted.record_withdrawn(unit, original.record_id)

    def _facts(self, original: RecordRow, dispute: DisputeRow | None) -> Facts:
        # Under its dispute a record is what it was: owed.
        disputed = dispute is not None and original.state == RecordState.DISPUTED
        return Facts(
            sender=original.host_party_id,
            now=self._c.clock.business(),
            original=Original(
                host_party_id=original.host_party_id,
                kind=original.kind,
                state=RecordState.ACCEPTED.value if disputed else original.state,
                amount_fen=original.amount_fen,
            ),
        )

    def _row_of(self, original: RecordRow, **own: Any) -> RecordRow:
        """A credit's row: what its original said, and `own`."""
        now = self._c.clock.business()
        return RecordRow(
            **{name: getattr(original, name) for name in OF_THE_CHARGE},
            **own,
            kind=RecordKind.CREDIT.value,
            credit_of=original.record_id,
            booked_day=local_day(now),
            updated_at=now,
        )

    async def _book(self, unit: Unit, original: RecordRow, row: RecordRow, *, withdrawn: bool) -> None:
        """The original is credited, and the host owes the home what `row` gives back, if anything.

        Raises:
            HubError: state_conflict, the original is owed by nobody.
        """
        assert original.home_party_id is not None
        move(original, RecordState.CREDITED)
        original.updated_at = row.updated_at
        if withdrawn:
            await self._acceptance.withdraw(unit, original, row)
            return
        agreement = await find_agreement(
            unit, home_party_id=original.home_party_id, host_party_id=original.host_party_id
        )
        await self._acceptance.reverse(unit, row, agreement)
