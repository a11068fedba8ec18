"""Payments of a fixed cycle, deposits, and the days on which banks work."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.codes import PaymentDirection, PaymentState
from operator_sdk.contract.messages.common import ForeignId, HubId, Instant, Message, Page, PartyId

Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
MovedFen = Annotated[int, Meta(ge=1, le=100_000_000_000_000)]


class Payment(Message, frozen=True, kw_only=True):
    """One party's payment to or from the settlement account for one cycle.

    A pay-in is fulfilled by `paid_fen` and by `deposit_fen`, drawn from the party's deposit when its time is
    over; `missing_fen` is what a default left. A pay-out is less by `withheld_fen`, the party's part of what
    others left unpaid; that stays owed to it as claims in the next cycle.
    """

    payment_id: HubId
    cycle_id: HubId
    party_id: PartyId
    direction: PaymentDirection
    amount_fen: int
    currency: str
    state: PaymentState
    paid_fen: int
    deposit_fen: int
    missing_fen: int
    withheld_fen: int
    due_at: Instant
    updated_at: Instant


class PaymentPage(Page, frozen=True, kw_only=True):
    """A page of payments."""

    items: list[Payment]


class PaymentQuery(Message, frozen=True, kw_only=True):
    """Which payments: those of one cycle."""

    cycle_id: HubId | None = None


class PaymentBook(Message, frozen=True, kw_only=True):
    """Staff: money moved at the bank for a payment.

    `movement_ref` is the bank's own number, taken once over payments and deposits together. A transfer that
    pays several cycles is booked in parts, one for each payment: NUMBER:1, NUMBER:2. References that begin with
    `draw:` are the hub's own.
    """

    movement_ref: ForeignId
    amount_fen: MovedFen
    moved_at: Instant


class DepositBook(Message, frozen=True, kw_only=True):
    """Staff: money moved at the bank into (positive) or out of (negative) a party's deposit.

    `movement_ref` as for a payment.
    """

    movement_ref: ForeignId
    amount_fen: Annotated[int, Meta(ge=-100_000_000_000_000, le=100_000_000_000_000)]
    moved_at: Instant


class Deposit(Message, frozen=True, kw_only=True):
    """What a party has deposited with the hub."""

    party_id: PartyId
    balance_fen: int
    currency: str


class BankDayPut(Message, frozen=True, kw_only=True):
    """Staff: whether banks work on a day; without an entry they do from Monday to Friday."""

    works: bool
    note: Annotated[str, Meta(max_length=100)] = ""


class BankDay(Message, frozen=True, kw_only=True):
    """A day that is not what its weekday says."""

    day: Day
    works: bool
    note: str


class BankDayList(Message, frozen=True, kw_only=True):
    """The calendar's exceptions, in order of day."""

    items: list[BankDay]
