"""What is about to be written: postings against locked accounts, and the events of holds. Pure arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from hub.ledger.model import (
    Account,
    Balance,
    Entry,
    EntryFacts,
    EventFacts,
    Hold,
    HoldState,
    PostingFacts,
    hold_event_digest,
    kind_of,
    natural_fen,
    posting_digest,
)


class Locked(NamedTuple):
    """An account's row, locked until the unit ends."""

    account_id: int
    posted_fen: int
    held_fen: int
    version: int

    def balance(self, account: Account) -> Balance:
        """Seen from its own side."""
        side = kind_of(account).side
        return Balance(natural_fen(side, self.posted_fen), self.held_fen, self.version)


class Key(NamedTuple):
    """What names a posting."""

    kind: str
    reference: str


class Line(NamedTuple):
    """An entry as it is stored."""

    account_id: int
    facts: EntryFacts


class Booking(NamedTuple):
    """A posting ready to be written: its entries, and what the locked accounts become."""

    facts: PostingFacts
    digest: str
    lines: Sequence[Line]
    after: Mapping[Account, Locked]

    def overdraws(self) -> bool:
        """Whether an account that may not would have less than nothing, what is held counted."""
        return any(
            not kind_of(account).may_overdraw and row.balance(account).available_fen < 0
            for account, row in self.after.items()
        )


def booking(facts: PostingFacts, entries: Sequence[Entry], before: Mapping[Account, Locked]) -> Booking:
    """A posting over accounts as they are before it; `after` has the accounts that it changes."""
    after: dict[Account, Locked] = {}
    lines = []
    for entry in entries:
        account = entry.account
        account_id, posted_fen, held_fen, version = after.get(account) or before[account]
        posted_fen, version = posted_fen + entry.amount_fen, version + 1
        after[account] = Locked(account_id, posted_fen, held_fen, version)
        lines.append(Line(account_id, EntryFacts(account, version, entry.amount_fen, posted_fen)))
    return Booking(facts, posting_digest(facts, [line.facts for line in lines]), lines, after)


class HoldEvent(NamedTuple):
    """A hold as it stands after an event."""

    hold: Hold
    facts: EventFacts
    digest: str


def beginning(hold: Hold) -> HoldEvent:
    """The first event of a hold that has just been made, refused or burnt."""
    name = "made" if hold.state is HoldState.OPEN else hold.state.value
    return _event(hold, EventFacts(1, name, hold.amount_fen, hold.made_at, None))


def ending(
    hold: Hold, state: HoldState, *, captured_fen: int, at: datetime, posting_id: str | None = None
) -> HoldEvent:
    """The last event of an open hold; what is not captured is released."""
    ended = replace(hold, state=state, captured_fen=captured_fen, released_fen=hold.amount_fen - captured_fen)
    amount_fen = captured_fen if state is HoldState.CAPTURED else hold.amount_fen
    return _event(ended, EventFacts(2, state.value, amount_fen, at, posting_id))


def _event(hold: Hold, facts: EventFacts) -> HoldEvent:
    return HoldEvent(hold, facts, hold_event_digest(hold, facts))
