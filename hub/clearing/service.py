"""Clearing: obligations as records are accepted, cycles that close once, statements for whoever is in them."""

from datetime import datetime
from typing import NamedTuple

from hub.clearing import model
from hub.clearing.accepting import Accepting
from hub.clearing.closing import Closing, Progress, silent
from hub.clearing.model import Step
from hub.clearing.statements import Source
from hub.clearing.tables import (
    CycleRow,
    Keyset,
    cycle_message,
    everybody,
    get_cycle,
    list_cycles,
    list_members,
    list_obligations,
    list_positions,
)
from hub.clearing.tables_cycles import (
    cycle_cut_at,
    due_cycles,
    lock_cycle_alone,
    lock_open_cycle,
    unfrozen_cycle,
)
from hub.clearing.tables_papers import list_lines
from hub.clearing.tables_rates import tax_codes
from hub.core.clock import Clock, cut_to_ms, local_day
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.runner import each
from hub.ledger.service import Ledger
from hub.parties.scope import HUB, PartyScope, of_party
from operator_sdk.contract.codes import CycleState, Frequency
from operator_sdk.contract.messages import clearing
from operator_sdk.contract.public_codes import Code

CNY = "CNY"
AT_ONCE = frozenset({"demo", "test"})
RESULT_MOST = 1_000
"""Obligations in a cycle's result; all of them are `members`."""


class Due(NamedTuple):
    """A cycle of which something is due."""

    cycle_id: str
    currency: str
    frequency: Frequency
    state: str
    due_at: datetime | None


class ClearingService(Accepting):
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
        self._at_once = env in AT_ONCE
        super().__init__(clock, ids, ledger=ledger, at_once=self._at_once)
        self._database, self._hub_party_id = database, hub_party_id
        self._closing = Closing(ledger, hub_party_id, self._at_once)

    # Closing.

    async def close_cycle(
        self,
        cutoff_at: datetime,
        *,
        currency: str = CNY,
        frequency: Frequency = Frequency.DAILY,
        progress: Progress = silent,
    ) -> clearing.CycleResult:
        """Cut the open cycle off at an instant of business time; in demo and test, also net and fix it at once.

        The same cut-off again takes up what a crash left undone and returns the one result.

        Raises:
            HubError: rule_violated, the instant is in the future; state_conflict, it is not after the cut-off
                before, or no cycle is open.
        """
        now = self._clock.business()
        cycle_id = await self._cut_off(cut_to_ms(cutoff_at), currency, frequency, now)
        await self._step(cycle_id, now, progress, only=Step.FREEZE)
        if self._at_once:
            await self.carry_on(cycle_id, now, progress)
        return await self.cycle_result(cycle_id)

    async def carry_on(self, cycle_id: str, now: datetime, progress: Progress = silent) -> bool:
        """Do every step of a cycle that is due, one unit each; says whether there was any."""
        done = False
        while await self._step(cycle_id, now, progress):
            done = True
        return done

    async def close_due(self, now: datetime, progress: Progress = silent) -> list[str]:
        """Do what is due at a business instant: cut off, net, propose, fix. Returns the cycles that moved."""
        async with self._database.reading() as unit:
            due = [
                Due(row.cycle_id, *_key(row), state=row.state, due_at=row.due_at)
                for row in await due_cycles(unit, now)
            ]
        moved = await each("closing", due, lambda one: self._close_one(one, now, progress))
        return [cycle_id for cycle_id in moved if cycle_id is not None]

    async def _close_one(self, due: Due, now: datetime, progress: Progress) -> str | None:
        """The cycle that moved, if one did."""
        if due.state == CycleState.OPEN and due.due_at is not None:
            cut_off = await self._cut_off(due.due_at, due.currency, due.frequency, now)
            await self._step(cut_off, now, progress, only=Step.FREEZE)
            await self.carry_on(cut_off, now, progress)
            return cut_off
        return due.cycle_id if await self.carry_on(due.cycle_id, now, progress) else None

    async def _cut_off(self, cutoff_at: datetime, currency: str, frequency: Frequency, now: datetime) -> str:
        """Close a cycle to whoever comes now and open the next. Whoever is inside comes to an end."""
        if cutoff_at > now:
            raise HubError(Code.RULE_VIOLATED, reason="cutoff_in_the_future")
        while True:
            async with self._database.unit() as unit:
                known, waiting = await self._cut(unit, cutoff_at, currency, frequency)
            if known is not None:
                return known
            assert waiting is not None
            # Its late obligations belong into the cycle that is to be cut off now.
            await self._step(waiting, now, silent, only=Step.FREEZE)

    async def _cut(
        self, unit: Unit, cutoff_at: datetime, currency: str, frequency: Frequency
    ) -> tuple[str | None, str | None]:
        """The cycle with this cut-off, or else one that must be frozen before."""
        cycle = await lock_open_cycle(unit, currency=currency, frequency=frequency)
        # Looked up with the lock in hand: whoever held it before may have made this very cut-off.
        known = await cycle_cut_at(unit, currency=currency, frequency=frequency, cutoff_at=cutoff_at)
        if known is not None:
            return known, None
        waiting = await unfrozen_cycle(unit, currency=currency, frequency=frequency)
        if waiting is not None:
            return None, waiting
        if cycle is None:
            raise HubError(Code.STATE_CONFLICT, reason="no_cycle_is_open")
        if cutoff_at <= cycle.opened_at:
            raise HubError(Code.STATE_CONFLICT, reason="not_after_the_cutoff_before")
        cycle.state, cycle.cutoff_at, cycle.due_at = CycleState.CUT_OFF.value, cutoff_at, cutoff_at
        cycle.updated_at = self._clock.business()
        await unit.session.flush()
        await self.open_cycles.open(unit, currency=currency, frequency=frequency, at=cutoff_at)
        return cycle.cycle_id, None

    async def _step(
        self, cycle_id: str, now: datetime, progress: Progress, *, only: Step | None = None
    ) -> bool:
        async with self._database.unit() as unit:
            cycle = await lock_cycle_alone(unit, cycle_id)
            if cycle is None:
                raise NotFoundError
            step = model.next_step(
                cycle.state,
                frozen=cycle.frozen_at is not None,
                commissioned=cycle.commissioned_at is not None,
                netted=cycle.netted_at is not None,
            )
            if step is None or (only is not None and step is not only):
                return False
            # Where nobody is waited for, a due time set by another process's clock, ahead of ours, is none.
            due = self._at_once or step is only or (cycle.due_at is not None and cycle.due_at <= now)
            if not due:
                return False
            await self._closing.run(unit, cycle, step, now, progress)
            return True

    # Reading.

    async def cycle_result(self, cycle_id: str) -> clearing.CycleResult:
        """A cycle with everybody's position and its first obligations: for staff.

        Raises:
            NotFoundError: no such cycle.
        """
        async with self._database.reading() as unit:
            cycle = await get_cycle(HUB, unit, cycle_id)
            if cycle is None:
                raise NotFoundError
            positions = await list_positions(HUB, unit, cycle_id) if cycle.netted_at is not None else {}
            first = await list_members(HUB, unit, cycle_id, limit=RESULT_MOST)
        return clearing.CycleResult(
            cycle=cycle_message(cycle),
            positions=[clearing.Position(party_id=p, amount_fen=fen) for p, fen in positions.items()],
            obligations=first,
        )

    async def members(
        self, viewer: PartyScope, cycle_id: str, *, after: str = "", limit: int = 50
    ) -> list[clearing.Obligation]:
        """A cycle's obligations in order of id, after one of them: the viewer's own, or all for the hub.

        Raises:
            NotFoundError: no such cycle.
        """
        async with self._database.reading() as unit:
            if await get_cycle(viewer, unit, cycle_id) is None:
                raise NotFoundError
            return await list_members(viewer, unit, cycle_id, after=after, limit=limit)

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
            return await list_obligations(viewer, unit, after=after, updated_since=updated_since, limit=limit)

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
        return (await self.statement_source(viewer, cycle_id, party_id)).make()

    async def statement_source(self, viewer: PartyScope, cycle_id: str, party_id: str | None = None) -> Source:
        """What `statement` makes the statement of, for whoever makes it elsewhere; raises the same."""
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
            assert cycle.cutoff_at is not None, "a cycle with positions was cut off"
            party = of_party(party_id)
            return Source(
                cycle,
                party_id,
                names.get(party_id, party_id),
                await list_lines(party, unit, cycle_id),
                await tax_codes(unit, local_day(cycle.cutoff_at)),
                (await list_positions(party, unit, cycle_id)).get(party_id, 0),
            )

    async def names(self) -> dict[str, str]:
        """Operators' names by party id, for papers that people read."""
        async with self._database.reading() as unit:
            return await everybody(unit)


def _key(row: CycleRow) -> tuple[str, Frequency]:
    return row.currency, Frequency(row.frequency)
