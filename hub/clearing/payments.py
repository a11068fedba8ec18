"""Paying fixed cycles: pay-ins first, deposits, what a default leaves, pay-outs; and the calendar of banks.

The hub keeps the books of the settlement account; money itself is moved at the bank by people, who book what
moved under the bank's own number. The same number twice with the same content changes nothing.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

from hub.clearing import postings_payments as postings
from hub.clearing.entering import OpenCycles
from hub.clearing.movements import Movement, take_movement
from hub.clearing.paying import Paying, mark
from hub.clearing.tables import CycleRow
from hub.clearing.tables_cycles import lock_cycle_alone
from hub.clearing.tables_payments import (
    BankDay,
    DepositMovement,
    PaymentMovement,
    PaymentRow,
    bank_day_rows,
    cycles_to_pay,
    get_payment,
    list_payments,
    payment_message,
    payments_of,
    settle_some_records,
)
from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.runner import each
from hub.ledger.model import CLEARING, CNY
from hub.ledger.service import Ledger
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, PartyScope
from hub.parties.tables import find_party
from operator_sdk.contract.codes import CycleState, PaymentDirection
from operator_sdk.contract.messages import payments as messages
from operator_sdk.contract.public_codes import Code

AT_ONCE = frozenset({"demo", "test"})


class Payments:
    """Use cases of payments, deposits and bank working days."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        ledger: Ledger,
        audit: AuditLog,
        hub_party_id: str,
        env: str,
    ) -> None:
        self._database, self._clock, self._ledger, self._audit = database, clock, ledger, audit
        self._hub_party_id = hub_party_id
        at_once = env in AT_ONCE
        self.by_itself = not at_once
        """Whether fixed cycles are paid without anybody saying so; in demo and test somebody says so."""
        self._paying = Paying(ledger, ids, OpenCycles(clock, ids, at_once), hub_party_id)

    # Steps.

    async def ask(self, cycle_id: str) -> list[messages.Payment]:
        """Ask for what a fixed cycle comes to; a second time changes nothing.

        Raises:
            NotFoundError: no such cycle.
            HubError: state_conflict, it is not fixed yet.
        """
        async with self._cycle(cycle_id) as (unit, cycle):
            if cycle.state == CycleState.FIXED:
                await self._paying.ask(unit, cycle, self._clock.business())
            rows = await payments_of(HUB, unit, cycle_id)
            if not rows and cycle.state in {CycleState.OPEN, CycleState.CUT_OFF, CycleState.PROPOSED}:
                raise HubError(Code.STATE_CONFLICT, state=cycle.state)
            return [payment_message(row) for row in rows]

    async def advance(self, now: datetime) -> list[str]:
        """Do what is due at a business instant, one step a unit; the cycles that were looked at."""
        async with self._database.reading() as unit:
            due = await cycles_to_pay(unit, now)
        return await each("paying", due, lambda cycle_id: self._carry_on(cycle_id, now))

    async def _carry_on(self, cycle_id: str, now: datetime) -> str:
        while await self._step(cycle_id, now):
            pass
        return cycle_id

    async def _step(self, cycle_id: str, now: datetime) -> bool:
        async with self._cycle(cycle_id) as (unit, cycle):
            if cycle.state == CycleState.FIXED:
                await self._paying.ask(unit, cycle, now)
                return True
            if cycle.state != CycleState.PAYING:
                return False
            rows = await payments_of(HUB, unit, cycle_id)
            late = [row for row in rows if row.direction == PaymentDirection.PAY_IN and row.open_fen]
            if any(row.due_at <= now for row in late):
                await self._paying.collect(unit, cycle, now)
                return True
            if any(row.open_fen for row in rows):
                return False
            if not await settle_some_records(unit, cycle_id, now):
                await self._paying.end(unit, cycle, now)
            return True

    @asynccontextmanager
    async def _cycle(self, cycle_id: str) -> AsyncIterator[tuple[Unit, CycleRow]]:
        async with self._database.unit() as unit:
            cycle = await lock_cycle_alone(unit, cycle_id)
            if cycle is None:
                raise NotFoundError
            yield unit, cycle
            await unit.session.flush()

    # Money that moved.

    async def book(self, payment_id: str, message: messages.PaymentBook, *, by: str) -> messages.Payment:
        """Book money that moved for a payment, under the bank's own number.

        Raises:
            NotFoundError: no such payment.
            HubError: id_reused, the number was booked with other content or into a deposit; rule_violated, more
                than is open, or a number like the hub's own; state_conflict, a pay-out while a pay-in of the
                cycle is open.
        """
        async with self._database.reading() as unit:
            seen = await get_payment(HUB, unit, payment_id)
        if seen is None:
            raise NotFoundError
        async with self._cycle(seen.cycle_id) as (unit, cycle):
            row = await get_payment(HUB, unit, payment_id, lock=True)
            assert row is not None, "payments are kept"
            if not await self._claim_movement(unit, row, message, by):
                return payment_message(row)
            await self._check(unit, cycle, row, message.amount_fen)
            await self._move(unit, row, message)
            row.paid_fen += message.amount_fen
            mark(row, self._clock.business())
            self._audit.note(
                unit,
                actor=by,
                action=f"book_{row.direction}",
                subject=payment_id,
                amount_fen=message.amount_fen,
                movement_ref=message.movement_ref,
            )
            return payment_message(row)

    async def _claim_movement(
        self, unit: Unit, row: PaymentRow, message: messages.PaymentBook, by: str
    ) -> bool:
        movement = PaymentMovement(payment_id=row.payment_id, **self._booked(message, by))
        return await self._claim(unit, movement)

    def _booked(self, message: messages.PaymentBook | messages.DepositBook, by: str) -> dict[str, Any]:
        return {
            "movement_ref": message.movement_ref,
            "amount_fen": message.amount_fen,
            "moved_at": message.moved_at,
            "booked_at": self._clock.business(),
            "booked_by": by,
        }

    async def _claim(self, unit: Unit, movement: Movement) -> bool:
        """Whether the bank's number is new; the same with other content is refused."""
        return await take_movement(unit, movement, hub_party_id=self._hub_party_id, now=self._clock.wall())

    async def _check(self, unit: Unit, cycle: CycleRow, row: PaymentRow, amount_fen: int) -> None:
        if cycle.state != CycleState.PAYING or not row.open_fen:
            raise HubError(Code.STATE_CONFLICT, state=row.state)
        if row.direction == PaymentDirection.PAY_OUT:
            others = await payments_of(HUB, unit, cycle.cycle_id)
            if any(one.direction == PaymentDirection.PAY_IN and one.open_fen for one in others):
                raise HubError(Code.STATE_CONFLICT, reason="pay_ins_are_open")
        if amount_fen > row.open_fen:
            raise HubError(Code.RULE_VIOLATED, at_most_fen=row.open_fen)

    async def _move(self, unit: Unit, row: PaymentRow, message: messages.PaymentBook) -> None:
        pays_in = row.direction == PaymentDirection.PAY_IN
        make = postings.pay_in_entries if pays_in else postings.pay_out_entries
        await self._ledger.post(
            unit,
            kind=postings.PAY_IN if pays_in else postings.PAY_OUT,
            reference=message.movement_ref,
            event_at=message.moved_at,
            entries=make(
                row.party_id, message.amount_fen, currency=row.currency, hub_party_id=self._hub_party_id
            ),
            note=row.payment_id,
        )

    async def book_deposit(self, party_id: str, message: messages.DepositBook, *, by: str) -> messages.Deposit:
        """Book money that came into a party's deposit or went back to it.

        Raises:
            NotFoundError: no such party.
            HubError: rule_violated, nothing moves, or a number like the hub's own; insufficient_funds, more
                than the deposit; id_reused, the number was booked with other content or for a payment.
        """
        if not message.amount_fen:
            raise HubError(Code.RULE_VIOLATED, field="amount_fen")
        async with self._database.unit() as unit:
            if await find_party(unit, party_id) is None:
                raise NotFoundError
            if await self._claim(unit, DepositMovement(party_id=party_id, **self._booked(message, by))):
                await self._ledger.post(
                    unit,
                    kind=postings.DEPOSIT,
                    reference=message.movement_ref,
                    event_at=message.moved_at,
                    entries=postings.deposit_entries(party_id, message.amount_fen, currency=CNY),
                )
                moved = {"amount_fen": message.amount_fen, "movement_ref": message.movement_ref}
                self._audit.note(unit, actor=by, action="book_deposit", subject=party_id, **moved)
            return await self._deposit(unit, party_id)

    # Reading.

    async def deposit(self, party_id: str) -> messages.Deposit:
        """What a party has deposited."""
        async with self._database.reading() as unit:
            return await self._deposit(unit, party_id)

    async def _deposit(self, unit: Unit, party_id: str) -> messages.Deposit:
        balance = await self._ledger.balances(unit, CLEARING, "deposit", party_id)
        return messages.Deposit(party_id=party_id, balance_fen=balance.balance_fen, currency=CNY)

    async def payment(self, viewer: PartyScope, payment_id: str) -> messages.Payment:
        """One payment.

        Raises:
            NotFoundError: unknown, or somebody else's.
        """
        async with self._database.reading() as unit:
            row = await get_payment(viewer, unit, payment_id)
        if row is None:
            raise NotFoundError
        return payment_message(row)

    async def payments(
        self,
        viewer: PartyScope,
        query: messages.PaymentQuery,
        *,
        after: tuple[datetime, str] | None = None,
        updated_since: datetime | None = None,
        limit: int = 50,
    ) -> list[messages.Payment]:
        """Payments in order of (updated_at, payment_id)."""
        async with self._database.reading() as unit:
            rows = await list_payments(
                viewer,
                unit,
                cycle_id=query.cycle_id,
                after=after,
                updated_since=updated_since,
                limit=limit,
            )
        return [payment_message(row) for row in rows]

    # The calendar.

    async def put_bank_day(self, day: str, message: messages.BankDayPut, *, by: str) -> messages.BankDay:
        """Say whether banks work on a day.

        Raises:
            HubError: malformed, no such day.
        """
        try:
            date.fromisoformat(day)
        except ValueError as problem:
            raise HubError(Code.MALFORMED, field="day") from problem
        async with self._database.unit() as unit:
            row = await unit.session.get(BankDay, day)
            if row is None:
                row = BankDay(day=day, works=message.works, updated_at=self._clock.business())
                unit.session.add(row)
            row.works, row.note, row.updated_at = message.works, message.note, self._clock.business()
            self._audit.note(unit, actor=by, action="put_bank_day", subject=day, works=message.works)
        return messages.BankDay(day=day, works=message.works, note=message.note)

    async def bank_days(self) -> list[messages.BankDay]:
        """The calendar's exceptions, in order of day."""
        async with self._database.reading() as unit:
            rows = await bank_day_rows(unit)
        return [messages.BankDay(day=row.day, works=row.works, note=row.note) for row in rows]
