"""Many postings in one unit: their accounts locked once, in one order, and their rows written in bulk."""

from collections.abc import Callable, Sequence
from datetime import datetime

from hub.core.database import Unit
from hub.core.errors import HubError
from hub.ledger import tables_moves as moves
from hub.ledger.model import Account, Posting, PostingFacts, check_posting, same_content
from hub.ledger.model_booking import Booking, Key, Locked, booking
from hub.ledger.tables_hot import ReferenceTaken
from operator_sdk.contract.public_codes import Code

MakeFacts = Callable[[str, str, datetime, str], PostingFacts]
"""The facts of a new posting from its kind, reference, event_at and note."""


async def book_all(unit: Unit, postings: Sequence[Posting], make_facts: MakeFacts) -> list[str]:
    """The ids of the postings, booked now or before; see `Ledger.post_many`."""
    wanted = _by_key(postings)
    locked = await moves.lock_accounts(
        unit, {entry.account for posting in wanted.values() for entry in posting.entries}
    )
    known = await _known(unit, wanted)
    new = {key: posting for key, posting in wanted.items() if key not in known}
    bookings, after = _book_in_turn(new, locked, make_facts)
    if bookings:
        moved = [after[account] for account in sorted(after)]
        try:
            await (await moves.hot(unit)).book_many(bookings, moved)
        except ReferenceTaken as problem:
            raise HubError(Code.ID_REUSED) from problem
    ids = known | {Key(*one.facts[1:3]): one.facts.posting_id for one in bookings}
    return [ids[Key(posting.kind, posting.reference)] for posting in postings]


def _by_key(postings: Sequence[Posting]) -> dict[Key, Posting]:
    wanted: dict[Key, Posting] = {}
    for posting in postings:
        check_posting(posting.entries)
        first = wanted.setdefault(Key(posting.kind, posting.reference), posting)
        if first is not posting and not same_content(first.entries, posting.entries):
            raise HubError(Code.ID_REUSED, kind=posting.kind)
    return wanted


async def _known(unit: Unit, wanted: dict[Key, Posting]) -> dict[Key, str]:
    known = await (await moves.hot(unit)).postings(list(wanted))
    booked = await moves.entries_of(unit, list(known.values()))
    for key, posting_id in known.items():
        if not same_content(wanted[key].entries, booked[posting_id]):
            raise HubError(Code.ID_REUSED, kind=key.kind)
    return known


def _book_in_turn(
    new: dict[Key, Posting], locked: dict[Account, Locked], make_facts: MakeFacts
) -> tuple[list[Booking], dict[Account, Locked]]:
    now = dict(locked)
    after: dict[Account, Locked] = {}
    bookings = []
    for posting in new.values():
        facts = make_facts(posting.kind, posting.reference, posting.event_at, posting.note)
        one = booking(facts, posting.entries, now)
        if one.overdraws():
            raise HubError(Code.INSUFFICIENT_FUNDS)
        now.update(one.after)
        after.update(one.after)
        bookings.append(one)
    return bookings, after
