"""The steps of a cycle after its cut-off. Each runs in a unit of its own with the cycle's row locked.

A step is found from the row alone (`model.next_step`) and marks the row in the same unit, so that a crash
between two steps loses nothing and a second closer finds nothing left to do. However many obligations there
are, they are summed by the database and hashed as they pass by.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.clearing import model, postings, times
from hub.clearing.entering import derived_id
from hub.clearing.model import Gross, ObligationState, Step
from hub.clearing.tables import CycleRow, ObligationRow, everybody
from hub.clearing.tables_cycles import (
    commission_rows,
    commissions_of,
    count_members,
    enter_open_cycle,
    gross_by_party,
    move_late,
    positions_of,
    replace_positions,
    stream_lines,
)
from hub.core.clock import local_day
from hub.core.database import Unit
from hub.ledger.model import Entry
from hub.ledger.service import Ledger
from operator_sdk.contract.codes import CycleState, ObligationKind

Progress = Callable[[str, int, int], None]
"""Told of long work: what is done, how much of it, of how much."""


def silent(_what: str, _done: int, _of: int) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What the steps need. `at_once`: nobody is waited for, as in the demo."""

    ledger: Ledger
    hub_party_id: str
    at_once: bool

    async def run(
        self, unit: Unit, cycle: CycleRow, step: Step, now: datetime, progress: Progress = silent
    ) -> None:
        """Do one step of a locked cycle."""
        progress(step.value, 0, cycle.obligations)
        match step:
            case Step.FREEZE:
                await self._freeze(unit, cycle, now)
            case Step.COMMISSION:
                await self._commission(unit, cycle, now)
            case Step.NET:
                await self._net(unit, cycle, now, progress)
            case Step.PROPOSE:
                self._propose(cycle, now)
            case Step.FIX:
                await self._fix(unit, cycle, now, progress)
        cycle.updated_at = now
        await unit.session.flush()
        progress(step.value, cycle.obligations, cycle.obligations)

    async def _freeze(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        assert cycle.cutoff_at is not None, "frozen after the cut-off"
        following = await enter_open_cycle(unit, currency=cycle.currency, frequency=cycle.frequency)
        assert following is not None, "nobody cuts the next cycle off before this one is frozen"
        await move_late(unit, cycle, to=following, day=local_day(cycle.cutoff_at), now=now)
        cycle.frozen_at, cycle.obligations = now, await count_members(unit, cycle.cycle_id)
        cycle.due_at = now if self.at_once else times.proposal_at(cycle.cutoff_at)

    async def _commission(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        wanted = {}
        for host, fen in (await commissions_of(unit, cycle.cycle_id)).items():
            # What credits took back may come to more than what the charges owe: then the hub owes the host.
            pair = (host, self.hub_party_id) if fen > 0 else (self.hub_party_id, host)
            if host != self.hub_party_id:
                wanted[pair] = abs(fen)
        rows = await commission_rows(unit, cycle.cycle_id)
        for pair, fen in wanted.items():
            if pair not in rows:
                unit.session.add(_commission_row(cycle, pair, fen, now))
            elif rows[pair].amount_fen != fen:
                rows[pair].amount_fen, rows[pair].updated_at = fen, now
        for pair in rows.keys() - wanted.keys():
            row = rows[pair]
            row.state, row.cycle_id, row.updated_at = ObligationState.WITHDRAWN.value, None, now
        cycle.commissioned_at = now
        await unit.session.flush()

    async def _net(self, unit: Unit, cycle: CycleRow, now: datetime, progress: Progress) -> None:
        listed = {*await everybody(unit), self.hub_party_id}
        await replace_positions(
            unit, cycle.cycle_id, model.net(await gross_by_party(unit, cycle.cycle_id), listed)
        )
        cycle.digest, cycle.obligations = await digest(unit, cycle, progress)
        cycle.netted_at = now
        if cycle.state == CycleState.PROPOSED:
            # Netted anew without what was disputed; it is fixed when everybody was told it would be.
            cycle.due_at = now if cycle.disputes_until is None else times.fixing_at(cycle.disputes_until)

    def _propose(self, cycle: CycleRow, now: datetime) -> None:
        cycle.state, cycle.proposed_at = CycleState.PROPOSED.value, now
        if self.at_once:
            cycle.due_at = now
        else:
            cycle.disputes_until, cycle.due_at = times.dispute_window(now)

    async def _fix(self, unit: Unit, cycle: CycleRow, now: datetime, progress: Progress) -> None:
        sides = await gross_by_party(unit, cycle.cycle_id)
        proposed = await positions_of(unit, cycle.cycle_id)
        assert {party: side for party, side in proposed.items() if side != Gross()} == sides
        assert await digest(unit, cycle, progress) == (cycle.digest, cycle.obligations), (
            "what is fixed is what was proposed"
        )
        await self._book(unit, cycle, proposed, now)
        cycle.state, cycle.fixed_at, cycle.due_at = CycleState.FIXED.value, now, None

    async def _book(self, unit: Unit, cycle: CycleRow, sides: Mapping[str, Gross], now: datetime) -> None:
        rows = await commission_rows(unit, cycle.cycle_id)
        owed = {pair: row.amount_fen for pair, row in rows.items()}
        cycle_id, currency = cycle.cycle_id, cycle.currency
        # The commission is posted only now, because until now a dispute could change it.
        booked = (
            (
                postings.COMMISSION,
                postings.commission_entries(owed, hub_party_id=self.hub_party_id, currency=currency),
            ),
            (postings.CYCLE_GROSS, postings.gross_entries(sides, cycle_id=cycle_id, currency=currency)),
            (postings.CYCLE_NET, postings.net_entries(sides, cycle_id=cycle_id, currency=currency)),
        )
        accounts = {entry.account for _, entries in booked for entry in entries}
        await self.ledger.lock(unit, sorted(accounts))
        for kind, entries in booked:
            await self._post(unit, cycle, kind, entries, now)

    async def _post(
        self, unit: Unit, cycle: CycleRow, kind: str, entries: Sequence[Entry], now: datetime
    ) -> None:
        if entries:
            note = f"cycle cut off at {cycle.cutoff_at:%Y-%m-%dT%H:%M:%SZ}"
            await self.ledger.post(
                unit, kind=kind, reference=cycle.cycle_id, event_at=now, entries=entries, note=note
            )


def _commission_row(cycle: CycleRow, pair: tuple[str, str], amount_fen: int, now: datetime) -> ObligationRow:
    assert cycle.cutoff_at is not None, "commission follows the cut-off"
    debtor, creditor = pair
    return ObligationRow(
        obligation_id=derived_id(cycle.cutoff_at, cycle.cycle_id, debtor, creditor),
        kind=ObligationKind.COMMISSION.value,
        debtor_party_id=debtor,
        creditor_party_id=creditor,
        amount_fen=amount_fen,
        currency=cycle.currency,
        frequency=cycle.frequency,
        booked_day=local_day(cycle.cutoff_at),
        accepted_at=cycle.cutoff_at,
        state=ObligationState.IN_CYCLE.value,
        cycle_id=cycle.cycle_id,
        updated_at=now,
    )


async def digest(unit: Unit, cycle: CycleRow, progress: Progress = silent) -> tuple[str, int]:
    """SHA-256 over a cycle's obligations as they stand, in order of id, and how many they are."""
    whole, count = hashlib.sha256(), 0
    async for lines, more in stream_lines(unit, cycle.cycle_id):
        whole.update(lines)
        count += more
        progress("digest", count, cycle.obligations)
    return whole.hexdigest(), count
