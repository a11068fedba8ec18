"""What the hub serves about payments, deposits and bank working days."""

from operator_sdk.contract.messages import payments
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

_READERS = (Scope.OPERATOR, Scope.STAFF)
_BOOK = (Code.ID_REUSED, Code.RULE_VIOLATED, Code.STATE_CONFLICT)

PAYMENTS = (
    op("list_payments", "GET /v1/payments", Empty, payments.PaymentPage, _READERS,
        "What is to be paid in and out; an operator sees its own", staff_role="clearing", paged=True,
        query=payments.PaymentQuery),
    op("get_payment", "GET /v1/payments/{payment_id}", Empty, payments.Payment, _READERS, "One payment",
        staff_role="clearing"),
    op("begin_payments", "POST /v1/staff/cycles/{cycle_id}/payments", Empty, payments.PaymentPage, Scope.STAFF,
        "Ask for what a fixed cycle comes to; again changes nothing", role="clearing",
        errors=(Code.STATE_CONFLICT,)),
    op("book_payment", "POST /v1/staff/payments/{payment_id}/movements", payments.PaymentBook, payments.Payment,
        Scope.STAFF, "Money came in, or went out", role="clearing", errors=_BOOK),
    op("get_deposit", "GET /v1/deposit", Empty, payments.Deposit, Scope.OPERATOR, "What I have deposited"),
    op("book_deposit", "POST /v1/staff/parties/{party_id}/deposit-movements", payments.DepositBook,
        payments.Deposit, Scope.STAFF, "Money came into a deposit, or went back",
        role="clearing", errors=_BOOK),
    op("list_bank_days", "GET /v1/bank-days", Empty, payments.BankDayList, _READERS,
        "Days on which banks do otherwise than on their weekday", staff_role="clearing"),
    op("put_bank_day", "PUT /v1/staff/bank-days/{day}", payments.BankDayPut, payments.BankDay, Scope.STAFF,
        "Banks work on this day, or do not", role="clearing"),
)  # fmt: skip
