"""Clearing: obligations as records are accepted, cycles that close once, statements for whoever is in them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from hub.clearing import model, postings, times
from hub.clearing.closing import Closing
from hub.clearing.model import ObligationState
from hub.clearing.statements import make_statement
from hub.clearing.tables import (
    CycleRow,
    Keyset,
    ObligationRow,
    charge_of,
    cycle_cut_at,
    cycle_message,
    due_cycles,
    everybody,
    get_cycle,
    insert_open_cycle,
    list_cycles,
    list_lines,
    list_obligations,
    list_positions,
    lock_cycle,
    lock_open_cycle,
    obligation_message,
    open_cycle_id,
    take_into_cycle,
)
from hub.core.clock import Clock, cut_to_ms, local_day
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.ledger.service import Ledger
from hub.parties.scope import HUB, PartyScope, of_party
from hub.roaming.ports import AcceptedRecord
from operator_sdk.contract.codes import CycleState, ObligationKind
from operator_sdk.contract.ids import CYCLE, OBLIGATION
from operator_sdk.contract.messages import clearing
from operator_sdk.contract.public_codes import Code

CNY = "CNY"
AT_ONCE = frozenset({"demo", "test"})


class ClearingService:
    """Implements `roaming.RecordAccepted`, and closes cycles."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        ids: Ids,
        ledger: Ledger,
        hub_party_id: str,
        env: str,
    ) -> None:
        self._database, self._clock, self._ids, self._ledger = database, clock, ids, ledger
        self._at_once = env in AT_ONCE
        self._hub_party_id = hub_party_id
        self._closing = Closing(ledger, hub_party_id, self._at_once)

    # What roaming sets off, inside its own unit.

    async def record_accepted(self, unit: Unit, record: AcceptedRecord) -> None:
        """From now on the home owes the host; a record accepted before, or owing nothing, adds nothing."""
        if record.owed_fen == 0 or record.home_party_id == record.host_party_id:
            return
        if await charge_of(unit, record.record_id) is not None:
            return
        if await open_cycle_id(unit, currency=record.currency, frequency=times.DAILY) is None:
            await self._open(unit, record.currency, times.day_start(record.at))
        unit.session.add(
            ObligationRow(
                obligation_id=self._ids.new(OBLIGATION),
                kind=ObligationKind.CHARGE.value,
                debtor_party_id=record.home_party_id,
                creditor_party_id=record.host_party_id,
                amount_fen=record.owed_fen,
                currency=record.currency,
                booked_day=record.booked_day,
                accepted_at=record.at,
                state=ObligationState.OPEN.value,
                record_id=record.record_id,
                session_id=record.session_id,
                energy_wh=record.energy_wh,
                commission_ppm=record.commission_ppm,
                updated_at=self._clock.business(),
            )
        )
        await self._ledger.post(
            unit,
            kind=postings.OBLIGATION,
            reference=record.record_id,
            event_at=record.at,
            entries=postings.obligation_entries(
                debtor=record.home_party_id,
                creditor=record.host_party_id,
                amount_fen=record.owed_fen,
                currency=record.currency,
            ),
            note="",
        )

    async def record_disputed(self, unit: Unit, record_id: str) -> None:
        """Take the obligation out whole; its claim keeps standing gross in the books until it is resolved.

        Raises:
            HubError: state_conflict, its cycle is fixed or the time to dispute it is over.
        """
        async with self._obligation(unit, record_id) as (row, cycle):
            if row is None or row.state == ObligationState.DISPUTED:
                return
            now = self._clock.business()
            taken = row.cycle_id is not None
            if taken and (cycle is None or not self._may_dispute(cycle, now)):
                raise HubError(Code.STATE_CONFLICT, cycle_id=row.cycle_id)
            row.state, row.cycle_id, row.updated_at = ObligationState.DISPUTED.value, None, now
            if taken and cycle is not None:
                await self._closing.recompute(unit, cycle, now)

    async def record_reinstated(self, unit: Unit, record_id: str) -> None:
        """The dispute was settled in the host's favour: the next cycle takes the obligation, whole."""
        async with self._obligation(unit, record_id) as (row, _):
            if row is not None and row.state == ObligationState.DISPUTED:
                row.state, row.updated_at = ObligationState.OPEN.value, self._clock.business()

    async def record_withdrawn(self, unit: Unit, record_id: str) -> None:
        """A disputed record was credited before any cycle fixed it: its obligation is owed by nobody."""
        async with self._obligation(unit, record_id) as (row, _):
            if row is not None and row.state == ObligationState.DISPUTED:
                row.state, row.updated_at = ObligationState.WITHDRAWN.value, self._clock.business()

    def _may_dispute(self, cycle: CycleRow, now: datetime) -> bool:
        in_time = cycle.disputes_until is None or now <= cycle.disputes_until
        return in_time and not model.is_fixed(cycle.state)

    @asynccontextmanager
    async def _obligation(
        self, unit: Unit, record_id: str
    ) -> AsyncIterator[tuple[ObligationRow | None, CycleRow | None]]:
        """A record's obligation with the cycle that has it, or would take it, locked.

        Cycles are always locked before their obligations, as every step of a cycle does.
        """
        row = await charge_of(unit, record_id)
        cycle = None
        while row is not None:
            if row.cycle_id is not None:
                cycle = await lock_cycle(unit, row.cycle_id)
            else:
                cycle = await lock_open_cycle(unit, currency=row.currency, frequency=times.DAILY)
            row = await charge_of(unit, record_id)
            if row is None or cycle is None or row.cycle_id == cycle.cycle_id:
                break
            if row.cycle_id is None and cycle.state == CycleState.OPEN:
                break
        yield row, cycle
        await unit.session.flush()

    # Closing.

    async def close_cycle(self, cutoff_at: datetime, *, currency: str = CNY) -> clearing.CycleResult:
        """Cut the open cycle off at an instant of business time; in demo and test, also net and fix it at once.

        The same cut-off again takes up what a crash left undone and returns the one result.

        Raises:
            HubError: rule_violated, the instant is in the future; state_conflict, it is not after the cut-off
                before, or no cycle is open.
        """
        now = self._clock.business()
        cycle_id = await self._cut_off(cut_to_ms(cutoff_at), currency, now)
        if self._at_once:
            await self.carry_on(cycle_id, now)
        return await self.cycle_result(cycle_id)

    async def carry_on(self, cycle_id: str, now: datetime) -> bool:
        """Do every step of a cycle that is due, one unit each; says whether there was any."""
        done = False
        while await self._step(cycle_id, now):
            done = True
        return done

    async def close_due(self, now: datetime) -> list[str]:
        """Do what is due at a business instant: cut off, net, propose, fix. Returns the cycles that moved."""
        async with self._database.reading() as unit:
            due = [(row.cycle_id, row.currency, row.state, row.due_at) for row in await due_cycles(unit, now)]
        moved = []
        for cycle_id, currency, state, due_at in due:
            if state == CycleState.OPEN and due_at is not None:
                moved.append(await self._cut_off(due_at, currency, now))
                await self.carry_on(moved[-1], now)
            elif await self.carry_on(cycle_id, now):
                moved.append(cycle_id)
        return moved

    async def _cut_off(self, cutoff_at: datetime, currency: str, now: datetime) -> str:
        if cutoff_at > now:
            raise HubError(Code.RULE_VIOLATED, reason="cutoff_in_the_future")
        async with self._database.unit() as unit:
            cycle = await lock_open_cycle(unit, currency=currency, frequency=times.DAILY)
            # Looked up with the lock in hand: whoever held it before may have made this very cut-off.
            known = await cycle_cut_at(unit, currency=currency, frequency=times.DAILY, cutoff_at=cutoff_at)
            if known is not None:
                return known
            if cycle is None:
                raise HubError(Code.STATE_CONFLICT, reason="no_cycle_is_open")
            if cutoff_at <= cycle.opened_at:
                raise HubError(Code.STATE_CONFLICT, reason="not_after_the_cutoff_before")
            cycle.state, cycle.cutoff_at = CycleState.CUT_OFF.value, cutoff_at
            cycle.due_at = cutoff_at if self._at_once else times.proposal_at(cutoff_at)
            await unit.session.flush()
            await take_into_cycle(unit, cycle, cutoff_at=cutoff_at, day=local_day(cutoff_at), now=now)
            await self._closing.recompute(unit, cycle, now)
            await self._open(unit, currency, cutoff_at)
            return cycle.cycle_id

    async def _open(self, unit: Unit, currency: str, opened_at: datetime) -> None:
        await insert_open_cycle(
            unit,
            self._ids.new(CYCLE),
            currency=currency,
            frequency=times.DAILY,
            opened_at=opened_at,
            due_at=None if self._at_once else times.next_midnight(opened_at),
            now=self._clock.business(),
        )

    async def _step(self, cycle_id: str, now: datetime) -> bool:
        async with self._database.unit() as unit:
            cycle = await lock_cycle(unit, cycle_id)
            if cycle is None:
                raise NotFoundError
            step = model.next_step(
                cycle.state,
                commissioned=cycle.commissioned_at is not None,
                netted=cycle.netted_at is not None,
            )
            # Where nobody is waited for, a due time set by another process's clock, ahead of ours, is none.
            due = self._at_once or (cycle.due_at is not None and cycle.due_at <= now)
            if step is None or not due:
                return False
            await self._closing.run(unit, cycle, step, now)
            return True

    # Reading.

    async def cycle_result(self, cycle_id: str) -> clearing.CycleResult:
        """A cycle with everybody's position and all obligations: for staff.

        Raises:
            NotFoundError: no such cycle.
        """
        async with self._database.reading() as unit:
            cycle = await get_cycle(HUB, unit, cycle_id)
            if cycle is None:
                raise NotFoundError
            positions = await list_positions(HUB, unit, cycle_id)
            lines = await list_lines(HUB, unit, cycle_id)
        return clearing.CycleResult(
            cycle=cycle_message(cycle),
            positions=[clearing.Position(party_id=p, amount_fen=fen) for p, fen in positions.items()],
            obligations=[obligation_message(line) for line in lines],
        )

    async def obligations(
        self,
        viewer: PartyScope,
        *,
        after: Keyset | None = None,
        updated_since: datetime | None = None,
        limit: int = 50,
    ) -> list[clearing.Obligation]:
        """What the viewer owes and is owed, in order of (updated_at, obligation_id)."""
        async with self._database.reading() as unit:
            rows = await list_obligations(viewer, unit, after=after, updated_since=updated_since, limit=limit)
        return [obligation_message(row) for row in rows]

    async def cycles(
        self,
        viewer: PartyScope,
        *,
        after: Keyset | None = None,
        updated_since: datetime | None = None,
        limit: int = 50,
    ) -> list[tuple[Keyset, clearing.Cycle]]:
        """Cycles in order of (updated_at, cycle_id), each with its place in that order."""
        async with self._database.reading() as unit:
            rows = await list_cycles(viewer, unit, after=after, updated_since=updated_since, limit=limit)
        return [((row.updated_at, row.cycle_id), cycle_message(row)) for row in rows]

    async def statement(
        self, viewer: PartyScope, cycle_id: str, party_id: str | None = None
    ) -> clearing.Statement:
        """The viewer's own statement; the hub names whose.

        Raises:
            NotFoundError: no such cycle, or not the viewer's party.
            HubError: state_conflict, the cycle has no positions yet.
        """
        party_id = party_id or viewer.party_id
        own = viewer.everything or (viewer.driver_ref is None and viewer.party_id == party_id)
        if party_id is None or not own:
            raise NotFoundError
        async with self._database.reading() as unit:
            cycle = await get_cycle(viewer, unit, cycle_id)
            names = await everybody(unit)
            if cycle is None or party_id not in {*names, self._hub_party_id}:
                raise NotFoundError
            if cycle.netted_at is None:
                raise HubError(Code.STATE_CONFLICT, state=cycle.state)
            party = of_party(party_id)
            position = (await list_positions(party, unit, cycle_id)).get(party_id, 0)
            lines = await list_lines(party, unit, cycle_id)
        statement = make_statement(cycle, party_id, names.get(party_id, party_id), lines)
        assert statement.net_fen == position, "a statement says what the position says"
        return statement

    async def names(self) -> dict[str, str]:
        """Operators' names by party id, for papers that people read."""
        async with self._database.reading() as unit:
            return await everybody(unit)
