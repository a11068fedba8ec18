"""What an accepted record sets off in clearing, inside the accepting unit: `roaming.RecordAccepted`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from hub.clearing import model, postings
from hub.clearing.entering import OpenCycles
from hub.clearing.model import ObligationState
from hub.clearing.rates import terms_of
from hub.clearing.tables import CycleRow, ObligationRow, lock_cycle, owed_for
from hub.core.clock import Clock
from hub.core.database import Unit
from hub.core.errors import HubError
from hub.core.ids import Ids
from hub.ledger.service import Ledger
from hub.roaming.ports import AcceptedRecord
from operator_sdk.contract.codes import Frequency, ObligationKind
from operator_sdk.contract.ids import OBLIGATION
from operator_sdk.contract.public_codes import Code


class Accepting:
    """Obligations as records are accepted, disputed, reinstated and withdrawn."""

    def __init__(self, clock: Clock, ids: Ids, *, ledger: Ledger, at_once: bool) -> None:
        self._clock, self._ids, self._ledger = clock, ids, ledger
        self.open_cycles = OpenCycles(clock, ids, at_once)

    async def record_accepted(self, unit: Unit, record: AcceptedRecord) -> None:
        """From now on the home owes the host, or for a credit the host the home, in the cycle that is open.

        A record accepted before, or owing nothing, adds nothing.
        """
        if record.owed_fen == 0 or record.home_party_id == record.host_party_id:
            return
        row = self._obligation(record)
        if await owed_for(unit, ObligationKind(row.kind), record.record_id) is not None:
            return
        terms = await terms_of(unit, record)
        row.electricity_ppm, row.service_ppm = terms.electricity_ppm, terms.service_ppm
        row.parking_ppm, row.idle_ppm = terms.parking_ppm, terms.idle_ppm
        row.commission_tax_code = terms.tax_code
        row.commission_fen = terms.commission_fen(
            electricity_fen=row.electricity_fen,
            service_fen=row.service_fen,
            parking_fen=row.parking_fen,
            idle_fen=row.idle_fen,
        )
        row.cycle_id = await self.open_cycles.enter(
            unit, currency=record.currency, frequency=record.frequency, at=record.at
        )
        unit.session.add(row)
        await unit.session.flush()
        entries = postings.obligation_entries(
            debtor=row.debtor_party_id,
            creditor=row.creditor_party_id,
            amount_fen=row.amount_fen,
            currency=row.currency,
        )
        await self._ledger.post(
            unit, kind=postings.OBLIGATION, reference=record.record_id, event_at=record.at, entries=entries
        )

    def _obligation(self, record: AcceptedRecord) -> ObligationRow:
        home, host, fees = record.home_party_id, record.host_party_id, record.fees
        kind = ObligationKind.CHARGE if record.credit_of is None else ObligationKind.CREDIT
        debtor, creditor = (home, host) if kind is ObligationKind.CHARGE else (host, home)
        return ObligationRow(
            obligation_id=self._ids.new(OBLIGATION),
            kind=kind.value,
            debtor_party_id=debtor,
            creditor_party_id=creditor,
            amount_fen=record.owed_fen,
            electricity_fen=fees.electricity_fen,
            service_fen=fees.service_fen,
            parking_fen=fees.parking_fen,
            idle_fen=fees.idle_fen,
            currency=record.currency,
            frequency=Frequency(record.frequency).value,
            booked_day=record.booked_day,
            accepted_at=record.at,
            state=ObligationState.IN_CYCLE.value,
            record_id=record.record_id,
            session_id=record.session_id,
            energy_wh=record.energy_wh,
            credit_of=record.credit_of,
            updated_at=self._clock.business(),
        )

    async def record_disputed(self, unit: Unit, record_id: str) -> bool:
        """Take the obligation out whole; what its claim becomes in the books is for who opens the dispute.

        False: nothing is owed, or it is out already.

        Raises:
            HubError: state_conflict, its cycle is fixed or the time to dispute it is over.
        """
        await _refuse_fixed(unit, record_id)
        async with self._charge(unit, record_id) as (row, cycle):
            if row is None or cycle is None:
                return False  # nothing owed, disputed already, or withdrawn
            now = self._clock.business()
            if not _may_dispute(cycle, now):
                raise HubError(Code.STATE_CONFLICT, cycle_id=row.cycle_id)
            row.state, row.cycle_id, row.updated_at = ObligationState.DISPUTED.value, None, now
            if cycle.frozen_at is not None:
                cycle.obligations, cycle.updated_at = cycle.obligations - 1, now
            if cycle.commissioned_at is not None:
                # What was computed with it is computed again without it, by whoever looks at what is due next.
                cycle.commissioned_at = cycle.netted_at = cycle.digest = None
                cycle.due_at = now
            return True

    async def record_reinstated(self, unit: Unit, record_id: str) -> bool:
        """The dispute was settled for the host: the cycle that is open now takes the obligation, whole.

        True: it was disputed too late to leave its cycle, and that cycle has ended meanwhile.
        """
        async with self._charge(unit, record_id) as (row, cycle):
            if row is not None and row.state == ObligationState.DISPUTED:
                now = self._clock.business()
                row.cycle_id = await self.open_cycles.enter(
                    unit, currency=row.currency, frequency=Frequency(row.frequency), at=now
                )
                row.state, row.updated_at = ObligationState.IN_CYCLE.value, now
            return cycle is not None and cycle.state in model.ENDED

    async def record_withdrawn(self, unit: Unit, record_id: str) -> bool:
        """A disputed record was credited before any cycle fixed it: its obligation is owed by nobody.

        False: the obligation was not out of its cycle, and stays as it is.
        """
        async with self._charge(unit, record_id) as (row, _):
            if row is None or row.state != ObligationState.DISPUTED:
                return False
            row.state, row.updated_at = ObligationState.WITHDRAWN.value, self._clock.business()
            return True

    @asynccontextmanager
    async def _charge(
        self, unit: Unit, record_id: str
    ) -> AsyncIterator[tuple[ObligationRow | None, CycleRow | None]]:
        """A record's obligation, locked by the cycle that has it, or by itself when none has.

        Cycles are always locked before their obligations, as every step of a cycle does.
        """
        cycle = None
        row = await owed_for(unit, ObligationKind.CHARGE, record_id)
        while row is not None:
            seen = row.cycle_id
            cycle = None if seen is None else await lock_cycle(unit, seen)
            row = await owed_for(unit, ObligationKind.CHARGE, record_id, lock=seen is None)
            if row is None or row.cycle_id == seen:
                break
        yield row, cycle
        await unit.session.flush()


async def _refuse_fixed(unit: Unit, record_id: str) -> None:
    """What is fixed stays so, and is known without a lock.

    Whoever ends a cycle holds it and then wants its records, of which the one who disputes holds one.
    """
    row = await owed_for(unit, ObligationKind.CHARGE, record_id)
    cycle = None if row is None or row.cycle_id is None else await unit.session.get(CycleRow, row.cycle_id)
    if cycle is not None and cycle.state in model.FIXED:
        raise HubError(Code.STATE_CONFLICT, cycle_id=cycle.cycle_id)


def _may_dispute(cycle: CycleRow, now: datetime) -> bool:
    in_time = cycle.disputes_until is None or now <= cycle.disputes_until
    return in_time and cycle.state not in model.FIXED
