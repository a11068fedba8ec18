"""Rows of payments, of the movements of money that fulfil them, of deposits and of bank days."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, case, func, update
from sqlalchemy import select as columns
from sqlmodel import Field, col, select

from hub.clearing.tables import OBLIGATION, CycleRow
from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.tables import table_of
from hub.core.types import TableRow, big, instant
from hub.parties.scope import PartyScope
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import (
    CycleState,
    ObligationKind,
    PaymentDirection,
    PaymentState,
    RecordState,
)
from operator_sdk.contract.messages import payments

SETTLED_AT_ONCE = 5_000


class PaymentRow(TableRow, table=True):
    """One party's payment of one cycle.

    `amount_fen` = `paid_fen` + `deposit_fen` (drawn) + `missing_fen` + what is still open of a pay-in, and
    `paid_fen` + `withheld_fen` + what is still open of a pay-out.
    """

    __tablename__ = "payment"
    payment_id: str = Field(primary_key=True, max_length=40)
    cycle_id: str = Field(max_length=40, foreign_key="cycle.cycle_id")
    party_id: str = Field(max_length=9)
    direction: str = Field(max_length=7)
    amount_fen: int = big()
    currency: str = Field(max_length=3)
    state: str = Field(max_length=5)
    paid_fen: int = big(default=0)
    deposit_fen: int = big(default=0)
    missing_fen: int = big(default=0)
    withheld_fen: int = big(default=0)
    due_at: datetime = instant()
    updated_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("cycle_id", "party_id"),
        Index("payment_party", "party_id", "updated_at", "payment_id"),
        Index("payment_updated", "updated_at", "payment_id"),
        CheckConstraint("amount_fen > 0 AND paid_fen >= 0 AND deposit_fen >= 0", name="payment_amounts"),
        CheckConstraint("missing_fen >= 0 AND withheld_fen >= 0", name="payment_losses"),
        CheckConstraint(
            "paid_fen + deposit_fen + missing_fen + withheld_fen <= amount_fen", name="payment_whole"
        ),
        CheckConstraint(
            "CASE direction WHEN 'pay_in' THEN withheld_fen = 0"
            " WHEN 'pay_out' THEN deposit_fen = 0 AND missing_fen = 0 ELSE 1 = 0 END",
            name="payment_direction",
        ),
    )

    @property
    def open_fen(self) -> int:
        """What is still to be paid."""
        return self.amount_fen - self.paid_fen - self.deposit_fen - self.missing_fen - self.withheld_fen


class PaymentMovement(TableRow, table=True):
    """Money that moved at the bank, under the bank's own number, which no deposit has. Append-only."""

    __tablename__ = "payment_movement"
    movement_ref: str = Field(primary_key=True, max_length=64)
    payment_id: str = Field(max_length=40, foreign_key="payment.payment_id", index=True)
    amount_fen: int = big()
    moved_at: datetime = instant()
    booked_at: datetime = instant()
    booked_by: str = Field(max_length=60)

    __table_args__ = (CheckConstraint("amount_fen > 0", name="payment_movement_moves"),)


class DepositMovement(TableRow, table=True):
    """Money into (positive) or out of a party's deposit. Append-only; a draw names its payment."""

    __tablename__ = "deposit_movement"
    movement_ref: str = Field(primary_key=True, max_length=64)
    party_id: str = Field(max_length=9)
    amount_fen: int = big()
    payment_id: str | None = Field(default=None, max_length=40, foreign_key="payment.payment_id")
    moved_at: datetime = instant()
    booked_at: datetime = instant()
    booked_by: str = Field(max_length=60)

    __table_args__ = (
        Index("deposit_movement_party", "party_id", "booked_at", "movement_ref"),
        CheckConstraint("amount_fen <> 0", name="deposit_movement_moves"),
    )


class BankDay(TableRow, table=True):
    """A day that is not what its weekday says: a holiday, or a weekend on which banks work."""

    __tablename__ = "bank_day"
    day: str = Field(primary_key=True, max_length=10)
    works: bool
    note: str = Field(default="", max_length=100)
    updated_at: datetime = instant()


PAYMENT = table_of(PaymentRow)
_RECORD = table_of(RecordRow)


async def get_payment(
    viewer: PartyScope, unit: Unit, payment_id: str, *, lock: bool = False
) -> PaymentRow | None:
    """A payment within the viewer's scope."""
    party = PaymentRow.party_id
    statement = select(PaymentRow).where(PaymentRow.payment_id == payment_id, viewer.sees(party, party))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def list_payments(
    viewer: PartyScope,
    unit: Unit,
    *,
    cycle_id: str | None,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
) -> list[PaymentRow]:
    """Payments behind a keyset position, of one cycle or of all."""
    party = PaymentRow.party_id
    statement = select(PaymentRow).where(viewer.sees(party, party))
    if cycle_id is not None:
        statement = statement.where(PaymentRow.cycle_id == cycle_id)
    return await page_of(
        unit, statement, PaymentRow, "payment_id", after=after, updated_since=updated_since, limit=limit
    )


async def payments_of(viewer: PartyScope, unit: Unit, cycle_id: str) -> list[PaymentRow]:
    """Payments of a cycle that the viewer sees, in order of party; whoever changes one has locked the cycle."""
    party = PaymentRow.party_id
    statement = (
        select(PaymentRow)
        .where(PaymentRow.cycle_id == cycle_id, viewer.sees(party, party))
        .order_by(col(party))
        .execution_options(populate_existing=True)
    )
    return list((await unit.session.exec(statement)).all())


async def cycles_to_pay(unit: Unit, now: datetime) -> list[str]:
    """Fixed cycles, and paying ones of which something is due; the oldest first."""
    due = columns(PAYMENT.c.cycle_id).where(PAYMENT.c.due_at <= now, PAYMENT.c.state == PaymentState.DUE.value)
    paying = col(CycleRow.state) == CycleState.PAYING.value
    statement = (
        select(CycleRow.cycle_id)
        .where(
            (col(CycleRow.state) == CycleState.FIXED.value)
            | (paying & col(CycleRow.cycle_id).in_(due))
            | (paying & ~col(CycleRow.cycle_id).in_(_unpaid()))
        )
        .order_by(col(CycleRow.fixed_at), CycleRow.cycle_id)
    )
    return list((await unit.session.exec(statement)).all())


def _unpaid() -> Any:
    return columns(PAYMENT.c.cycle_id).where(PAYMENT.c.state == PaymentState.DUE.value)


async def bank_days(unit: Unit) -> dict[str, bool]:
    """The calendar's exceptions."""
    rows = (await unit.session.exec(select(BankDay.day, BankDay.works))).all()
    return dict(rows)


async def bank_day_rows(unit: Unit) -> list[BankDay]:
    """The calendar's exceptions, in order of day."""
    return list((await unit.session.exec(select(BankDay).order_by(col(BankDay.day)))).all())


async def settle_some_records(unit: Unit, cycle_id: str, now: datetime) -> bool:
    """Mark accepted records of a cycle as settled, a block at a time; whether there were any."""
    waiting = (
        columns(OBLIGATION.c.record_id)
        .join_from(OBLIGATION, _RECORD, _RECORD.c.record_id == OBLIGATION.c.record_id)
        .where(
            OBLIGATION.c.cycle_id == cycle_id,
            OBLIGATION.c.kind == ObligationKind.CHARGE.value,
            _RECORD.c.state == RecordState.ACCEPTED.value,
        )
    )
    if (await unit.execute(waiting.limit(1))).first() is None:
        return False
    statement = (
        update(_RECORD)
        .where(
            _RECORD.c.record_id.in_(waiting.limit(SETTLED_AT_ONCE)),
            # Once more: one that is credited or disputed while this waits for its row stays that.
            _RECORD.c.state == RecordState.ACCEPTED.value,
        )
        .values(state=RecordState.SETTLED.value, updated_at=now)
    )
    await unit.execute(statement)
    return True


async def discharged(unit: Unit, cycle_id: str) -> dict[str, int]:
    """By how much a settled cycle lowers what each home counts as owing: charges and claims, less credits."""
    credit = OBLIGATION.c.kind == ObligationKind.CREDIT.value
    home = case((credit, OBLIGATION.c.creditor_party_id), else_=OBLIGATION.c.debtor_party_id).label("home")
    amount = func.sum(case((credit, -OBLIGATION.c.amount_fen), else_=OBLIGATION.c.amount_fen))
    kinds = (ObligationKind.CHARGE.value, ObligationKind.CLAIM.value, ObligationKind.CREDIT.value)
    statement = (
        columns(home, amount)
        .where(OBLIGATION.c.cycle_id == cycle_id, OBLIGATION.c.kind.in_(kinds))
        .group_by(home)
        .order_by(home)
    )
    rows: Any = await unit.execute(statement)
    return {party: int(fen) for party, fen in rows}


def payment_message(row: PaymentRow) -> payments.Payment:
    """A row as the contract shows it."""
    return payments.Payment(
        payment_id=row.payment_id,
        cycle_id=row.cycle_id,
        party_id=row.party_id,
        direction=PaymentDirection(row.direction),
        amount_fen=row.amount_fen,
        currency=row.currency,
        state=PaymentState(row.state),
        paid_fen=row.paid_fen,
        deposit_fen=row.deposit_fen,
        missing_fen=row.missing_fen,
        withheld_fen=row.withheld_fen,
        due_at=row.due_at,
        updated_at=row.updated_at,
    )
