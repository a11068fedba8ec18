"""A host undoes one of its charge records: a record of its own, owed the other way; nothing is edited."""

from typing import Any

import msgspec

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence
from hub.parties.scope import of_party
from hub.parties.tables import find_agreement
from hub.roaming.acceptance import Acceptance, move
from hub.roaming.context import RoamingContext
from hub.roaming.model_facts import Facts, Original
from hub.roaming.model_rules import judge, letters_of, objections, state_of
from hub.roaming.records import Records, reply_of
from hub.roaming.tables import get_session
from hub.roaming.tables_records import RecordRow, get_record
from operator_sdk.contract.codes import RecordKind, RecordState, SuspenseKind, SuspenseOutcome
from operator_sdk.contract.ids import RECORD
from operator_sdk.contract.messages.records import CreditRecord, RecordReply
from operator_sdk.contract.public_codes import Code

OF_THE_CHARGE = (
    "session_id", "session_ref", "home_party_id", "host_party_id", "station_id", "connector_id", "started_at",
    "ended_at", "left_at", "meter_start_wh", "meter_end_wh", "energy_wh", "lines", "fees", "electricity_fen",
    "service_fen", "parking_fen", "idle_fen", "amount_fen", "owed_fen", "currency", "tariff_id",
    "tariff_version", "stop_reason", "energy_resolution_wh", "amount_resolution_fen", "service_day",
)  # fmt: skip
"""What a credit says as the record it undoes. Not the driver's names: a driver sees one bill, credited."""


class Credits:
    """Takes credits."""

    def __init__(self, context: RoamingContext, records: Records) -> None:
        self._c, self._records, self._acceptance = context, records, Acceptance(context)

    async def push(
        self, host_party_id: str, credit: CreditRecord, evidence: Evidence | None = None
    ) -> RecordReply:
        """Take a credit once: accepted, and owed to the home from now on, or rejected.

        The record it names is credited then. Its own obligation stays, in whichever cycle it is: the credit's
        stands against it in the open one.

        Raises:
            NotFoundError: not one of this host's records.
            HubError: id_reused; state_conflict, the record is disputed: then its dispute is answered instead.
        """
        async with self._c.database.unit() as unit:
            original = await self._locked(unit, host_party_id, credit.record_id)
            record_id = self._c.ids.new(RECORD)
            known = await self._records.claim(unit, host_party_id, credit, record_id, evidence)
            if known is not None:
                return known
            if original.state == RecordState.DISPUTED:
                raise HubError(Code.STATE_CONFLICT, state=original.state)
            row = self._judged(host_party_id, original, credit, record_id)
            unit.session.add(row)
            if row.state == RecordState.ACCEPTED:
                await self.book(unit, original, row)
            return reply_of(row)

    async def _locked(self, unit: Unit, host_party_id: str, record_id: str) -> RecordRow:
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

    def _judged(
        self, host_party_id: str, original: RecordRow, credit: CreditRecord, record_id: str
    ) -> RecordRow:
        facts = Facts(
            sender=host_party_id,
            now=self._c.clock.business(),
            original=Original(
                host_party_id=original.host_party_id,
                kind=original.kind,
                state=original.state,
                amount_fen=original.amount_fen,
            ),
        )
        outcomes = judge(credit, facts)
        return self.row_of(
            original,
            record_id=record_id,
            record_ref=credit.record_ref,
            reason=credit.reason,
            state=state_of(outcomes).value,
            verdicts=letters_of(outcomes),
            findings=msgspec.json.encode(objections(outcomes)).decode(),
        )

    def row_of(self, original: RecordRow, **own: Any) -> RecordRow:
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

    async def book(self, unit: Unit, original: RecordRow, row: RecordRow) -> None:
        """The original is credited; the host owes the home what `row` gives back; both are locked or new.

        Raises:
            HubError: state_conflict, the original is owed by nobody.
        """
        assert original.home_party_id is not None
        disputed = original.state == RecordState.DISPUTED
        move(original, RecordState.CREDITED)
        original.updated_at = row.updated_at
        agreement = await find_agreement(
            unit, home_party_id=original.home_party_id, host_party_id=original.host_party_id
        )
        if disputed and await self._c.record_accepted.record_withdrawn(unit, original.record_id):
            await self._acceptance.withdraw(unit, original, row)
        else:
            await self._acceptance.reverse(unit, row, agreement)
        if original.amount_fen > original.owed_fen:
            why = (row.reason or "credited", original.host_party_id)
            await self._acceptance.close_waiting(
                unit, original, SuspenseKind.OVER_LIMIT, SuspenseOutcome.RETURNED, why=why
            )
