"""Handlers: payments, deposits and bank working days."""

from hub.core.paging import cut_page
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages import payments
from operator_sdk.contract.messages.common import Empty


async def list_payments(call: Call, _: Empty) -> payments.PaymentPage:
    """What is to be paid in and out."""
    found = await call.services.payments.payments(
        call.viewer,
        call.asked(payments.PaymentQuery),
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit + 1,
    )
    items, after = cut_page(found, call.limit, lambda one: (one.updated_at, one.payment_id))
    return payments.PaymentPage(items=items, next_after=after)


async def get_payment(call: Call, _: Empty) -> payments.Payment:
    """One payment."""
    return await call.services.payments.payment(call.viewer, call.path["payment_id"])


async def begin_payments(call: Call, _: Empty) -> payments.PaymentPage:
    """Ask for what a fixed cycle comes to."""
    return payments.PaymentPage(items=await call.services.payments.ask(call.path["cycle_id"]))


async def book_payment(call: Call, message: payments.PaymentBook) -> payments.Payment:
    """Money moved for a payment."""
    return await call.services.payments.book(call.path["payment_id"], message, by=call.subject)


async def get_deposit(call: Call, _: Empty) -> payments.Deposit:
    """What the caller has deposited."""
    return await call.services.payments.deposit(call.party_id)


async def book_deposit(call: Call, message: payments.DepositBook) -> payments.Deposit:
    """Money moved for a deposit."""
    return await call.services.payments.book_deposit(call.path["party_id"], message, by=call.subject)


async def list_bank_days(call: Call, _: Empty) -> payments.BankDayList:
    """The calendar's exceptions."""
    return payments.BankDayList(items=await call.services.payments.bank_days())


async def put_bank_day(call: Call, message: payments.BankDayPut) -> payments.BankDay:
    """Whether banks work on a day."""
    return await call.services.payments.put_bank_day(call.path["day"], message, by=call.subject)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        list_payments,
        get_payment,
        begin_payments,
        book_payment,
        get_deposit,
        book_deposit,
        list_bank_days,
        put_bank_day,
    )
}
