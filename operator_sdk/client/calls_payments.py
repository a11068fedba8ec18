"""The typed calls about payments, deposits and bank working days."""

from datetime import datetime

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import payments


def list_payments(
    *,
    cycle_id: str | None = None,
    limit: int | None = None,
    after: str | None = None,
    updated_since: datetime | None = None,
) -> Call[payments.PaymentPage]:
    """What is to be paid in and out, of one cycle or of all."""
    query: dict[str, QueryValue] = {
        "cycle_id": cycle_id,
        "limit": limit,
        "after": after,
        "updated_since": updated_since,
    }
    return Call(hub_operation("list_payments"), payments.PaymentPage, None, {}, query)


def get_payment(payment_id: str) -> Call[payments.Payment]:
    """One payment."""
    return Call(hub_operation("get_payment"), payments.Payment, None, {"payment_id": payment_id})


def begin_payments(cycle_id: str) -> Call[payments.PaymentPage]:
    """Staff: ask for what a fixed cycle comes to."""
    return Call(hub_operation("begin_payments"), payments.PaymentPage, None, {"cycle_id": cycle_id})


def book_payment(payment_id: str, message: payments.PaymentBook) -> Call[payments.Payment]:
    """Staff: money moved for a payment."""
    return Call(hub_operation("book_payment"), payments.Payment, message, {"payment_id": payment_id})


def get_deposit() -> Call[payments.Deposit]:
    """What I have deposited."""
    return Call(hub_operation("get_deposit"), payments.Deposit, None, {})


def book_deposit(party_id: str, message: payments.DepositBook) -> Call[payments.Deposit]:
    """Staff: money moved for a party's deposit."""
    return Call(hub_operation("book_deposit"), payments.Deposit, message, {"party_id": party_id})


def list_bank_days() -> Call[payments.BankDayList]:
    """Days on which banks do otherwise than on their weekday."""
    return Call(hub_operation("list_bank_days"), payments.BankDayList, None, {})


def put_bank_day(day: str, message: payments.BankDayPut) -> Call[payments.BankDay]:
    """Staff: whether banks work on a day."""
    return Call(hub_operation("put_bank_day"), payments.BankDay, message, {"day": day})
