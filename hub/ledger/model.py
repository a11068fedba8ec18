"""The rules of the books: kinds of accounts, what a posting must be, how digests are made and chained.

A book belongs to one legal entity: the hub as clearing agent (`clearing`), the hub itself (`hub`), or a hosted
operator (its party id). Amounts are signed integers of fen, debit positive.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

CLEARING = "clearing"
HUB = "hub"
CNY = "CNY"


class Side(StrEnum):
    """On which side an account's balance naturally stands."""

    DEBIT = "debit"
    CREDIT = "credit"


class HoldState(StrEnum):
    """A hold is open once and ends once; a refused one was never open."""

    OPEN = "open"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Kind:
    """What every account of a kind has in common."""

    side: Side
    may_overdraw: bool = True


_DEBIT, _CREDIT = Kind(Side.DEBIT), Kind(Side.CREDIT)

OPERATOR_KINDS = {
    "funds_at_bank": _DEBIT,
    "wallet": Kind(Side.CREDIT, may_overdraw=False),
    "customer_debt": Kind(Side.DEBIT, may_overdraw=False),
    "charging_sales": _CREDIT,
    "receivable": _DEBIT,
    "payable": _CREDIT,
    "subsidy": _DEBIT,
    "rounding": _DEBIT,
}
CLEARING_KINDS = {
    "receivable": _DEBIT,
    "payable": _CREDIT,
    "cycle": _CREDIT,
    # Pay-ins are collected before anything is paid out, so the agent's cash is never below zero.
    "settlement_cash": Kind(Side.DEBIT, may_overdraw=False),
    "deposit": Kind(Side.CREDIT, may_overdraw=False),
    "suspense": _DEBIT,
    "claimed": _CREDIT,
    "rounding": _DEBIT,
}
HUB_KINDS = {"commission": _CREDIT, "bank": _DEBIT}


class Account(NamedTuple):
    """Whose, in which book, for what. Tuples sort, and locks are taken in that order."""

    book: str
    kind: str
    subject: str = ""
    currency: str = CNY


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a posting; debit positive."""

    book: str
    kind: str
    subject: str = ""
    amount_fen: int
    currency: str = CNY

    @property
    def account(self) -> Account:
        """The account it moves."""
        return Account(self.book, self.kind, self.subject, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What is to be booked, once per (kind, reference)."""

    kind: str
    reference: str
    event_at: datetime
    entries: Sequence[Entry]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance on its natural side; `available_fen` counts holds."""

    balance_fen: int = 0
    held_fen: int = 0
    version: int = 0

    @property
    def available_fen(self) -> int:
        """What is neither spent nor held."""
        return self.balance_fen - self.held_fen


@dataclass(frozen=True, slots=True)
class Hold:
    """Money reserved. `account` is None where a release came before the hold."""

    hold_id: str
    reference: str
    account: Account | None
    amount_fen: int
    captured_fen: int
    released_fen: int
    state: HoldState
    made_at: datetime
    expires_at: datetime | None


def kind_of(account: Account) -> Kind:
    """The kind of an account.

    Raises:
        ValueError: no such kind in such a book.
    """
    kinds = {CLEARING: CLEARING_KINDS, HUB: HUB_KINDS}.get(account.book, OPERATOR_KINDS)
    if account.kind not in kinds:
        raise ValueError(f"no accounts of kind {account.kind} in book {account.book}")
    return kinds[account.kind]


def natural_fen(side: Side, posted_fen: int) -> int:
    """A debit-positive sum, seen from the account's own side."""
    return posted_fen if side is Side.DEBIT else -posted_fen


def check_posting(entries: Sequence[Entry]) -> None:
    """What the database holds as well, said earlier and more clearly.

    Raises:
        ValueError: fewer than two entries, one that moves nothing, an unknown kind, or a sum that is not zero.
    """
    if len(entries) < 2:
        raise ValueError("a posting has at least two entries")
    sums: dict[tuple[str, str], int] = {}
    for entry in entries:
        if entry.amount_fen == 0:
            raise ValueError("an entry moves something")
        kind_of(entry.account)
        key = (entry.book, entry.currency)
        sums[key] = sums.get(key, 0) + entry.amount_fen
    if any(sums.values()):
        raise ValueError(f"a posting sums to zero within each book and currency: {sums}")


def same_content(one: Iterable[Entry], other: Iterable[Entry]) -> bool:
    """Whether two postings move the same money between the same accounts, in whatever order."""
    return sorted((e.account, e.amount_fen) for e in one) == sorted((e.account, e.amount_fen) for e in other)


class PostingFacts(NamedTuple):
    """What a posting's digest covers beside its entries; instants are cut to milliseconds."""

    posting_id: str
    kind: str
    reference: str
    event_at: datetime
    booked_at: datetime
    business_day: str
    note: str


class EntryFacts(NamedTuple):
    """What a posting's digest covers of an entry."""

    account: Account
    account_version: int
    amount_fen: int
    balance_after_fen: int


def posting_digest(posting: PostingFacts, entries: Iterable[EntryFacts]) -> str:
    """SHA-256 over a posting and its entries, whatever their order."""
    head = [posting.posting_id, posting.kind, posting.reference, _ms(posting.event_at), _ms(posting.booked_at)]
    return _sha256([*head, posting.business_day, posting.note, sorted(entries)])


class EventFacts(NamedTuple):
    """What happened to a hold; number 1 is its beginning, number 2 its only end."""

    number: int
    event: str
    amount_fen: int
    at: datetime
    posting_id: str | None


def hold_event_digest(hold: Hold, event: EventFacts) -> str:
    """SHA-256 over an event and what never changes about its hold."""
    expires_at = None if hold.expires_at is None else _ms(hold.expires_at)
    facts = [hold.reference, hold.account, hold.amount_fen, _ms(hold.made_at), expires_at]
    number, name, amount_fen, at, posting_id = event
    return _sha256([hold.hold_id, number, name, amount_fen, _ms(at), posting_id, facts])


FIRST_LINK = "0" * 64


def chain_digest(before: str, number: int, posting_id: str, digest: str) -> str:
    """The seal of one posting, over the seal before it."""
    return hashlib.sha256(f"{before}:{number}:{posting_id}:{digest}".encode()).hexdigest()


class DayFacts(NamedTuple):
    """A closed day: where the chain of seals stood, and what was sealed since the day before it."""

    day: str
    closed_at: datetime
    seal_number: int
    chain_digest: str
    postings: int
    entries: int
    debits: str


def debits_text(debits: Mapping[str, int]) -> str:
    """The sum of debits in fen by currency, as a day keeps it: `[["CNY",1200]]`, in order of currency."""
    return _json(sorted(debits.items()))


def day_digest(facts: DayFacts, before: str) -> str:
    """SHA-256 over a closed day and the digest of the one before it."""
    return _sha256([facts.day, _ms(facts.closed_at), *facts[2:], before])


def _ms(at: datetime) -> str:
    """Milliseconds, or microseconds where there are any, so that nobody can add some unseen."""
    at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds" if at.microsecond % 1000 else "milliseconds")


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _sha256(whole: object) -> str:
    return hashlib.sha256(_json(whole).encode()).hexdigest()
