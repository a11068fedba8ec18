"""The steps of paying a cycle. Each runs in a unit of its own with the cycle's row locked, found from rows.

Pay-ins first. When their time is over, deposits are drawn; what is still missing is withheld from pay-outs
(`model_payments.share_shortfall`) and goes to the next cycle as claims. Pay-outs wait until no pay-in is open.
"""

from dataclasses import dataclass
from datetime import datetime

from hub.clearing import model
from hub.clearing import postings_payments as postings
from hub.clearing.entering import Claim, OpenCycles
from hub.clearing.model_payments import Shortfall, pay_window, share_shortfall
from hub.clearing.movements import draw_ref
from hub.clearing.tables import CycleRow
from hub.clearing.tables_cycles import positions_of, stream_pairs
from hub.clearing.tables_payments import (
    DepositMovement,
    PaymentRow,
    bank_days,
    discharged,
    payments_of,
)
from hub.core.database import Unit
from hub.core.ids import Ids
from hub.ledger.model import CLEARING, Account
from hub.ledger.service import Ledger
from hub.parties.scope import HUB
from hub.parties.tables import change_exposure, lock_exposures
from operator_sdk.contract.codes import CycleState, PaymentDirection, PaymentState
from operator_sdk.contract.ids import PAYMENT


@dataclass(frozen=True, slots=True)
class Paying:
    """What the steps need."""

    ledger: Ledger
    ids: Ids
    cycles: OpenCycles
    hub_party_id: str

    async def ask(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        """Ask everybody for what a fixed, locked cycle comes to."""
        window = pay_window(now, await bank_days(unit))
        positions = {party: side.net_fen for party, side in (await positions_of(unit, cycle.cycle_id)).items()}
        for transfer in model.transfers(positions):
            direction = PaymentDirection.PAY_IN if transfer.pays_in else PaymentDirection.PAY_OUT
            unit.session.add(
                PaymentRow(
                    payment_id=self.ids.new(PAYMENT),
                    cycle_id=cycle.cycle_id,
                    party_id=transfer.party_id,
                    direction=direction.value,
                    amount_fen=transfer.amount_fen,
                    currency=cycle.currency,
                    state=PaymentState.DUE.value,
                    due_at=window.pay_in_until if transfer.pays_in else window.pay_out_at,
                    updated_at=now,
                )
            )
        cycle.state, cycle.updated_at = CycleState.PAYING.value, now
        await unit.session.flush()

    async def collect(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        """The time for pay-ins is over: draw deposits, and share what is still missing among the creditors."""
        rows = await payments_of(HUB, unit, cycle.cycle_id)
        late = [row for row in rows if row.direction == PaymentDirection.PAY_IN and row.open_fen]
        # All that may move below, in the one order of locks: claims touch whoever has a position.
        parties = await positions_of(unit, cycle.cycle_id)
        kinds = ("deposit", "payable", "receivable")
        accounts = [Account(CLEARING, kind, party, cycle.currency) for kind in kinds for party in parties]
        await lock_exposures(unit, set(parties))
        await self.ledger.lock(unit, sorted(accounts))
        for row in late:
            await self._draw(unit, row, now)
            row.missing_fen = row.open_fen
            mark(row, now)
        missing = {row.party_id: row.missing_fen for row in late if row.missing_fen}
        if missing:
            await self._withhold(unit, cycle, rows, missing, now)
        await unit.session.flush()

    async def _draw(self, unit: Unit, row: PaymentRow, now: datetime) -> None:
        deposit = await self.ledger.balances(unit, CLEARING, "deposit", row.party_id, row.currency)
        drawn = min(deposit.available_fen, row.open_fen)
        if drawn <= 0:
            return
        await self.ledger.post(
            unit,
            kind=postings.DEPOSIT_DRAW,
            reference=row.payment_id,
            event_at=now,
            entries=postings.deposit_draw_entries(row.party_id, drawn, currency=row.currency),
        )
        unit.session.add(
            DepositMovement(
                movement_ref=draw_ref(row.payment_id),
                party_id=row.party_id,
                amount_fen=-drawn,
                payment_id=row.payment_id,
                moved_at=now,
                booked_at=now,
                booked_by="hub",
            )
        )
        row.deposit_fen = drawn

    async def _withhold(
        self,
        unit: Unit,
        cycle: CycleRow,
        rows: list[PaymentRow],
        missing: dict[str, int],
        now: datetime,
    ) -> None:
        payouts = {row.party_id: row for row in rows if row.direction == PaymentDirection.PAY_OUT}
        gross: dict[str, dict[str, int]] = {}
        async for block in stream_pairs(unit, cycle.cycle_id):
            for debtor, creditor, fen, _ in block:
                gross.setdefault(debtor, {})[creditor] = fen
        shortfall = share_shortfall(missing, gross, {party: row.open_fen for party, row in payouts.items()})
        for party, fen in shortfall.withheld.items():
            payouts[party].withheld_fen = fen
            mark(payouts[party], now)
        await self._book_claims(unit, cycle, missing, shortfall, now)

    async def _book_claims(
        self, unit: Unit, cycle: CycleRow, missing: dict[str, int], shortfall: Shortfall, now: datetime
    ) -> None:
        claims = [Claim(debtor, creditor, fen) for (debtor, creditor), fen in sorted(shortfall.claims.items())]
        await self.cycles.add_claims(unit, cycle, claims)
        for claim in claims:
            await change_exposure(unit, claim.debtor, owed=claim.amount_fen)
        entries = postings.claims_entries(
            claims=shortfall.claims, missing=missing, withheld=shortfall.withheld, currency=cycle.currency
        )
        if entries:
            await self.ledger.post(
                unit, kind=postings.CLAIMS, reference=cycle.cycle_id, event_at=now, entries=entries
            )

    async def end(self, unit: Unit, cycle: CycleRow, now: datetime) -> None:
        """Everything is paid that will be paid: the cycle ends, and homes may owe anew what they have paid."""
        rows = await payments_of(HUB, unit, cycle.cycle_id)
        assert not any(row.open_fen for row in rows), "a cycle ends when nothing is open"
        for party, fen in (await discharged(unit, cycle.cycle_id)).items():
            await change_exposure(unit, party, owed=-fen)
        short = any(row.missing_fen for row in rows)
        cycle.state = (CycleState.PARTIALLY_PAID if short else CycleState.SETTLED).value
        cycle.settled_at = cycle.updated_at = now
        await unit.session.flush()


def mark(row: PaymentRow, now: datetime) -> None:
    """Write the state that follows from the amounts."""
    whole = not (row.missing_fen or row.withheld_fen)
    state = PaymentState.DUE if row.open_fen else PaymentState.PAID if whole else PaymentState.SHORT
    row.state, row.updated_at = state.value, now
