"""The thin typed methods of the async client about payments, deposits and bank working days."""

from datetime import datetime

from operator_sdk.client import calls_payments
from operator_sdk.client.runner import AsyncRunner
from operator_sdk.contract.messages import payments


class AsyncPaymentsMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_payments`, with the same names and arguments."""

    async def list_payments(
        self,
        *,
        cycle_id: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
    ) -> payments.PaymentPage:
        """What is to be paid in and out, of one cycle or of all."""
        return await self.run(
            calls_payments.list_payments(
                cycle_id=cycle_id, limit=limit, after=after, updated_since=updated_since
            )
        )

    async def get_payment(self, payment_id: str) -> payments.Payment:
        """One payment."""
        return await self.run(calls_payments.get_payment(payment_id))

    async def begin_payments(self, cycle_id: str) -> payments.PaymentPage:
        """Staff: ask for what a fixed cycle comes to."""
        return await self.run(calls_payments.begin_payments(cycle_id))

    async def book_payment(self, payment_id: str, message: payments.PaymentBook) -> payments.Payment:
        """Staff: money moved for a payment."""
        return await self.run(calls_payments.book_payment(payment_id, message))

    async def get_deposit(self) -> payments.Deposit:
        """What I have deposited."""
        return await self.run(calls_payments.get_deposit())

    async def book_deposit(self, party_id: str, message: payments.DepositBook) -> payments.Deposit:
        """Staff: money moved for a party's deposit."""
        return await self.run(calls_payments.book_deposit(party_id, message))

    async def list_bank_days(self) -> payments.BankDayList:
        """Days on which banks do otherwise than on their weekday."""
        return await self.run(calls_payments.list_bank_days())

    async def put_bank_day(self, day: str, message: payments.BankDayPut) -> payments.BankDay:
        """Staff: whether banks work on a day."""
        return await self.run(calls_payments.put_bank_day(day, message))
