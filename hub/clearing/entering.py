"""Into which cycle an obligation goes: always the open one of its currency and frequency, and at once.

The unit that writes the obligation holds the cycle until it ends, so that a cycle is frozen only after all who
were entering it have come to an end. Whoever enters is never made to wait for a cut-off.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hub.clearing import times
from hub.clearing.model import ObligationState
from hub.clearing.tables import CycleRow, ObligationRow
from hub.clearing.tables_cycles import enter_open_cycle, insert_open_cycle
from hub.core.clock import Clock, local_day, unix_ms
from hub.core.database import Unit
from hub.core.ids import Ids
from operator_sdk.contract.codes import Frequency, ObligationKind
from operator_sdk.contract.ids import CYCLE, OBLIGATION, hub_id

_ID_BITS = 74


def derived_id(at: datetime, *words: str) -> str:
    """An obligation's id that follows from its arguments: what is done again comes to the same obligation."""
    seed = hashlib.sha256(":".join(words).encode()).digest()
    return hub_id(OBLIGATION, unix_ms(at), int.from_bytes(seed) >> (len(seed) * 8 - _ID_BITS))


@dataclass(frozen=True, slots=True)
class Claim:
    """What a debtor left unpaid of a cycle to one creditor."""

    debtor: str
    creditor: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class OpenCycles:
    """The way into the open cycles. `at_once`: cycles are cut off when somebody says so, as in the demo."""

    clock: Clock
    ids: Ids
    at_once: bool

    async def enter(self, unit: Unit, *, currency: str, frequency: Frequency, at: datetime) -> str:
        """The id of the open cycle, opened if there is none; it is not frozen before this unit ends.

        Lock order: cycles first, then accounts of the ledger.
        """
        while (cycle_id := await enter_open_cycle(unit, currency=currency, frequency=frequency)) is None:
            # None yet, or cut off a moment ago: then this opens nothing, and the new one is seen next.
            await self.open(unit, currency=currency, frequency=frequency, at=times.period_start(at, frequency))
        return cycle_id

    async def open(self, unit: Unit, *, currency: str, frequency: Frequency, at: datetime) -> None:
        """Open a cycle from an instant on, unless one is open."""
        await insert_open_cycle(
            unit,
            self.ids.new(CYCLE),
            currency=currency,
            frequency=frequency.value,
            opened_at=at,
            due_at=None if self.at_once else times.next_cutoff(at, frequency),
            now=self.clock.business(),
        )

    async def add_claims(self, unit: Unit, cycle: CycleRow, claims: Iterable[Claim]) -> list[str]:
        """Put what a default left of a paying, locked cycle into the next one of its kind; the new ids.

        Books nothing: what stayed unpaid still stands under receivable and payable. Called once per cycle; a
        second time the database refuses the ids, which follow from cycle, debtor and creditor.
        """
        now = self.clock.business()
        frequency = Frequency(cycle.frequency)
        cycle_id = await self.enter(unit, currency=cycle.currency, frequency=frequency, at=now)
        assert cycle.cutoff_at is not None, "a claim is left by a cycle that was cut off"
        rows = [
            ObligationRow(
                obligation_id=derived_id(
                    cycle.cutoff_at, "claim", cycle.cycle_id, claim.debtor, claim.creditor
                ),
                kind=ObligationKind.CLAIM.value,
                debtor_party_id=claim.debtor,
                creditor_party_id=claim.creditor,
                amount_fen=claim.amount_fen,
                currency=cycle.currency,
                frequency=cycle.frequency,
                booked_day=local_day(now),
                accepted_at=now,
                state=ObligationState.IN_CYCLE.value,
                claim_of=cycle.cycle_id,
                cycle_id=cycle_id,
                updated_at=now,
            )
            for claim in claims
        ]
        unit.session.add_all(rows)
        await unit.session.flush()
        return [row.obligation_id for row in rows]
