"""Postings and their entries: whole, balanced, unchanged, and none without the other."""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import orjson

from hub.auditor.findings import Findings
from hub.auditor.source import Row, Source, instant_text, local_day

_POSTINGS = """
SELECT p.posting_id, p.kind, p.reference, p.event_at, p.booked_at, p.business_day, p.note, p.digest,
  a.book, a.kind, a.subject, a.currency, e.account_version, e.amount_fen, e.balance_after_fen
FROM ledger_posting p
LEFT JOIN ledger_entry e ON e.posting_id = p.posting_id
LEFT JOIN ledger_account a ON a.account_id = e.account_id
ORDER BY p.posting_id
"""
_STRAYS = """
SELECT e.account_id, e.account_version, e.posting_id FROM ledger_entry e
WHERE NOT EXISTS (SELECT 1 FROM ledger_posting p WHERE p.posting_id = e.posting_id)
ORDER BY e.account_id, e.account_version
"""
_VERSION = 12


def check_postings(source: Source, findings: Findings, count: int) -> None:
    """Every posting against its entries and its digest; `count` is how many there are."""
    for posting in findings.along("postings", _grouped(source), count):
        _check(posting, findings)
    for account_id, version, posting_id in source.few(_STRAYS):
        findings.add(f"entry {account_id}/{version}: its posting {posting_id} does not exist")


def _grouped(source: Source) -> Iterator[list[Row]]:
    for _, rows in groupby(source.rows(_POSTINGS), itemgetter(0)):
        yield list(rows)


def _check(rows: list[Row], findings: Findings) -> None:
    posting_id, kind, reference, event_at, booked_at, day, note, digest = rows[0][:8]
    entries = [[list(row[8:_VERSION]), *row[_VERSION:]] for row in rows if row[_VERSION] is not None]
    if any(row[8] is None for row in rows if row[_VERSION] is not None):
        findings.add(f"posting {posting_id}: the account of an entry does not exist")
        return
    if len(entries) < 2:
        findings.add(f"posting {posting_id}: fewer than two entries")
    if not _balanced(rows):
        findings.add(f"posting {posting_id}: its entries do not sum to zero")
    head = [posting_id, kind, reference, instant_text(event_at), instant_text(booked_at), day, note]
    if posting_digest(head, entries) != digest:
        findings.add(f"posting {posting_id}: changed since it was booked")
    if local_day(booked_at) != day:
        findings.add(f"posting {posting_id}: booked on another day than {day}")


def _balanced(rows: list[Row]) -> bool:
    sums: dict[Row, int] = {}
    for row in rows:
        book_and_currency = (row[8], row[11])
        sums[book_and_currency] = sums.get(book_and_currency, 0) + (row[13] or 0)
    return not any(sums.values())


def posting_digest(head: list[object], entries: list[list[object]]) -> str:
    """SHA-256 over the canonical form of docs/ledger.md.

    `head` is posting_id, kind, reference, event_at, booked_at, business_day, note; an entry is
    [[book, kind, subject, currency], account_version, amount_fen, balance_after_fen].
    """
    return hashlib.sha256(orjson.dumps([*head, sorted(entries)])).hexdigest()
