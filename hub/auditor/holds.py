"""Holds: each begins once, ends at most once, and what was captured is what its posting took."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from hub.auditor.findings import Findings
from hub.auditor.kinds import DEBIT
from hub.auditor.source import Row, Source, instant_text

# What the posting of a capture moved on the held account stands beside the capture.
_HOLDS = """
SELECT h.hold_id, h.reference, h.account_id, a.book, a.kind, a.subject, a.currency, a.side,
  h.amount_fen, h.captured_fen, h.released_fen, h.state, h.made_at, h.expires_at,
  v.number, v.event, v.amount_fen, v.at, v.posting_id, v.digest,
  (SELECT sum(e.amount_fen) FROM ledger_entry e
    WHERE e.posting_id = v.posting_id AND e.account_id = h.account_id)
FROM ledger_hold h
LEFT JOIN ledger_account a ON a.account_id = h.account_id
LEFT JOIN ledger_hold_event v ON v.hold_id = h.hold_id
ORDER BY h.hold_id, v.number
"""
_STRAYS = """
SELECT v.hold_id, v.number FROM ledger_hold_event v
WHERE NOT EXISTS (SELECT 1 FROM ledger_hold h WHERE h.hold_id = v.hold_id) ORDER BY v.hold_id, v.number
"""
_STORY = {
    "open": ["made"],
    "refused": ["refused"],
    "captured": ["made", "captured"],
    "voided": ["made", "voided"],
    "expired": ["made", "expired"],
}
"""The events of a hold in each state."""
_BURNT = {"voided": ["voided"]}
"""The same of one that was released before it was made: it is voided at once, and of no account."""
_ENDED = frozenset({"captured", "voided", "expired"})
_HOLD_COLUMNS = 14


class _Hold(NamedTuple):
    hold_id: str
    reference: str
    account_id: int | None
    book: str
    kind: str
    subject: str
    currency: str
    side: str
    amount_fen: int
    captured_fen: int
    released_fen: int
    state: str
    made_at: Any
    expires_at: Any

    def facts(self) -> list[object]:
        """What never changes about it, as digests cover it."""
        key = [self.book, self.kind, self.subject, self.currency] if self.account_id is not None else None
        expires = None if self.expires_at is None else instant_text(self.expires_at)
        return [self.reference, key, self.amount_fen, instant_text(self.made_at), expires]


class _Event(NamedTuple):
    number: int
    event: str
    amount_fen: int
    at: Any
    posting_id: str | None
    digest: str
    moved_fen: int | None


def check_holds(source: Source, findings: Findings, count: int) -> None:
    """Every hold against its events and the posting that took from it; `count` is how many there are."""
    grouped = groupby(source.rows(_HOLDS), itemgetter(0))
    holds = findings.along("holds", ((next(rows), rows) for _, rows in grouped), count)
    for first, more in holds:
        rows: list[Row] = [first, *more]
        hold = _Hold(*first[:_HOLD_COLUMNS])
        events = [_Event(*row[_HOLD_COLUMNS:]) for row in rows if row[_HOLD_COLUMNS] is not None]
        for problem in _wrong_hold(hold, events):
            findings.add(f"hold {hold.hold_id}: {problem}")
    for hold_id, number in source.few(_STRAYS):
        findings.add(f"event {number} of hold {hold_id}: there is no such hold")


def _wrong_hold(hold: _Hold, events: list[_Event]) -> Iterator[str]:
    story = _STORY.get(hold.state) if hold.account_id is not None else _BURNT.get(hold.state)
    if [one.event for one in events] != story or [one.number for one in events] != [1, 2][: len(events)]:
        yield "its events tell another story"
        return
    for one in events:
        event = [hold.hold_id, *one[:3], instant_text(one.at), one.posting_id]
        if hold_event_digest(event, hold.facts()) != one.digest:
            yield f"event {one.number} changed since it was written"
    if events[0].at != hold.made_at or events[0].amount_fen != hold.amount_fen:
        yield "it was made at another time or for another amount"
    ended_fen = hold.amount_fen if hold.state in _ENDED else 0
    if hold.captured_fen < 0 or hold.released_fen < 0 or hold.captured_fen + hold.released_fen != ended_fen:
        yield "what was captured and released is not what was held"
    yield from _wrong_end(hold, events[-1])


def _wrong_end(hold: _Hold, end: _Event) -> Iterator[str]:
    took_fen = hold.captured_fen if hold.state == "captured" else hold.amount_fen
    if end.amount_fen != took_fen:
        yield "it ended with another amount"
    if hold.state == "expired" and (hold.expires_at is None or end.at < hold.expires_at):
        yield "it expired before its time"
    if (end.posting_id is not None) != (hold.captured_fen != 0):
        yield "a capture has a posting and nothing else has"
    elif end.posting_id is not None:
        moved_fen = int(end.moved_fen or 0)
        if (moved_fen if hold.side == DEBIT else -moved_fen) != -hold.captured_fen:
            yield f"posting {end.posting_id} took another amount than was captured"


def hold_event_digest(event: Sequence[object], hold: Sequence[object]) -> str:
    """SHA-256 over the canonical form of docs/ledger.md.

    `event` is hold_id, number, event, amount_fen, at, posting_id; `hold` is reference, account, amount_fen,
    made_at, expires_at.
    """
    return hashlib.sha256(orjson.dumps([*event, hold])).hexdigest()
