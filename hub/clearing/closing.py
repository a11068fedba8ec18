"""The steps of a cycle after its cut-off. Each runs in a unit of its own with the cycle's row locked.

A step is found from the row alone (`model.next_step`) and marks the row in the same unit, so that a crash
between two steps loses nothing and a second closer finds nothing left to do.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.clearing import model, postings, times
from hub.clearing.model import ObligationState, Step
from hub.clearing.tables import (
    CycleRow,
    ObligationRow,
    commission_rows,
    everybody,
    members,
    replace_positions,
)
from hub.core.clock import local_day, unix_ms
from hub.core.database import Unit
from hub.ledger.model import Entry
from hub.ledger.service import Ledger
from operator_sdk.contract.codes import CycleState, ObligationKind
from operator_sdk.contract.ids import OBLIGATION, hub_id

_ID_BITS = 74


def commission_id(cycle_id: str, host: str, cutoff_at: datetime) -> str:
    """Follows from its arguments, so that a step done again after a crash comes to the same digest."""
    seed = hashlib.sha256(f"{cycle_id}:{host}".encode()).digest()
    return hub_id(OBLIGATION, unix_ms(cutoff_at), int.from_bytes(seed) >> (len(seed) * 8 - _ID_BITS))


@dataclass(frozen=True, slots=True)
class Closing:
    """What the steps need. `at_once`: nobody is waited for, as in the demo."""

    ledger: Ledger
    hub_party_id: str
    at_once: bool

    async def run(self, unit: Unit, cycle: CycleRow, step: Step, now: datetime) -> None:
        """Do one step of a locked cycle."""
        match step:
            case Step.COMMISSION:
                cycle.commissioned_at = now
                await self.recompute(unit, cycle, now)
            case Step.NET:
                cycle.netted_at = now
                await self.recompute(unit, cycle, now)
            case Step.PROPOSE:
                self._propose(cycle, now)
            case Step.FIX:
                await self._fix(unit, cycle, now)
        cycle.updated_at = now
        await unit.session.flush()

    async def recompute(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        """Write what follows from the obligations of a locked cycle that is not fixed yet."""
        await unit.session.flush()
        owed = await members(unit, cycle.cycle_id)
        if cycle.commissioned_at is not None:
            await self._write_commissions(unit, cycle, model.commissions(owed, self.hub_party_id), now)
            owed = await members(unit, cycle.cycle_id)
        if cycle.netted_at is not None:
            listed = {*await everybody(unit), self.hub_party_id}
            await replace_positions(unit, cycle.cycle_id, model.net(owed, listed))
        cycle.digest, cycle.obligations, cycle.updated_at = model.digest(owed), len(owed), now
        await unit.session.flush()

    async def _write_commissions(
        self, unit: Unit, cycle: CycleRow, by_host: dict[str, int], now: datetime
    ) -> None:
        rows = await commission_rows(unit, cycle.cycle_id)
        for host, amount_fen in by_host.items():
            if host not in rows:
                unit.session.add(self._commission(cycle, host, amount_fen, now))
            elif rows[host].amount_fen != amount_fen:
                rows[host].amount_fen, rows[host].updated_at = amount_fen, now
        for host in rows.keys() - by_host.keys():
            row = rows[host]
            row.state, row.cycle_id, row.updated_at = ObligationState.WITHDRAWN.value, None, now
        await unit.session.flush()

    def _commission(self, cycle: CycleRow, host: str, amount_fen: int, now: datetime) -> ObligationRow:
        assert cycle.cutoff_at is not None, "commission follows the cut-off"
        return ObligationRow(
            obligation_id=commission_id(cycle.cycle_id, host, cycle.cutoff_at),
            kind=ObligationKind.COMMISSION.value,
            debtor_party_id=host,
            creditor_party_id=self.hub_party_id,
            amount_fen=amount_fen,
            currency=cycle.currency,
            booked_day=local_day(cycle.cutoff_at),
            accepted_at=cycle.cutoff_at,
            state=ObligationState.IN_CYCLE.value,
            cycle_id=cycle.cycle_id,
            updated_at=now,
        )

    def _propose(self, cycle: CycleRow, now: datetime) -> None:
        cycle.state, cycle.proposed_at = CycleState.PROPOSED.value, now
        if self.at_once:
            cycle.due_at = now
        else:
            cycle.disputes_until, cycle.due_at = times.dispute_window(now)

    async def _fix(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        owed = await members(unit, cycle.cycle_id)
        assert model.digest(owed) == cycle.digest, "what is fixed is what was proposed"
        by_host = {one.debtor: one.amount_fen for one in owed if one.kind == ObligationKind.COMMISSION}
        sides = model.gross(owed)
        cycle_id, currency = cycle.cycle_id, cycle.currency
        # The commission is posted only now, because until now a dispute could change it.
        booked = (
            (
                postings.COMMISSION,
                postings.commission_entries(by_host, hub_party_id=self.hub_party_id, currency=currency),
            ),
            (postings.CYCLE_GROSS, postings.gross_entries(sides, cycle_id=cycle_id, currency=currency)),
            (postings.CYCLE_NET, postings.net_entries(sides, cycle_id=cycle_id, currency=currency)),
        )
        accounts = {entry.account for _, entries in booked for entry in entries}
        await self.ledger.lock(unit, sorted(accounts))
        for kind, entries in booked:
            await self._post(unit, cycle, kind, entries, now)
        cycle.state, cycle.fixed_at, cycle.due_at = CycleState.FIXED.value, now, None

    async def _post(
        self, unit: Unit, cycle: CycleRow, kind: str, entries: Sequence[Entry], now: datetime
    ) -> None:
        if entries:
            note = f"cycle cut off at {cycle.cutoff_at:%Y-%m-%dT%H:%M:%SZ}"
            await self.ledger.post(
                unit, kind=kind, reference=cycle.cycle_id, event_at=now, entries=entries, note=note
            )
