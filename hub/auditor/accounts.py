"""Accounts: every balance from the entries, version by version, and what each account may be."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from hub.auditor.findings import Findings
from hub.auditor.kinds import DEBIT, rule_of
from hub.auditor.source import Row, Source

_ACCOUNTS = """
SELECT account_id, book, kind, subject, currency, side, may_overdraw, posted_fen, held_fen
FROM ledger_account ORDER BY account_id
"""
# The sign of the floor: what such an account holds, times this, is never below zero.
_ENTRIES = """
SELECT a.account_id, a.posted_fen, a.version,
  CASE WHEN a.may_overdraw THEN 0 WHEN a.side = 'debit' THEN 1 ELSE -1 END,
  e.account_version, e.amount_fen, e.balance_after_fen
FROM ledger_account a LEFT JOIN ledger_entry e ON e.account_id = a.account_id
ORDER BY a.account_id, e.account_version
"""
_HELD = """
SELECT a.book, a.kind, a.subject, a.currency FROM ledger_account a WHERE a.held_fen <> coalesce(
  (SELECT sum(h.amount_fen) FROM ledger_hold h WHERE h.account_id = a.account_id AND h.state = 'open'), 0)
ORDER BY a.account_id
"""
_NAME = "SELECT book, kind, subject, currency FROM ledger_account WHERE account_id = ?"


def check_accounts(source: Source, findings: Findings, entries: int) -> None:
    """Kind, balances, versions, floor and holds of every account; `entries` is how many entries there are."""
    for row in source.rows(_ACCOUNTS):
        for problem in _wrong_kind(row):
            findings.add(f"account {'/'.join(row[1:5])}: {problem}")
    rows = findings.along("entries", source.rows(_ENTRIES), entries)
    for account_id, history in groupby(rows, itemgetter(0)):
        for problem in _wrong_history(history):
            findings.add(f"account {_name(source, account_id)}: {problem}")
    for row in source.few(_HELD):
        findings.add(f"account {'/'.join(row)}: what it holds is not the sum of its open holds")


def _wrong_kind(row: Row) -> Iterator[str]:
    _, book, kind, _, _, side, may_overdraw, posted_fen, held_fen = row
    if rule_of(book, kind) != (side, may_overdraw):
        yield f"not what accounts of kind {kind} are in book {book}"
    natural_fen = posted_fen if side == DEBIT else -posted_fen
    if held_fen < 0 or (not may_overdraw and held_fen > natural_fen):
        yield "more is held than there is"


def _wrong_history(rows: Iterable[Row]) -> Iterator[str]:
    """What is wrong with one account; every step counts from the one before, so that one fault is told once."""
    number = total_fen = before_fen = 0
    stored: tuple[int, int] = (0, 0)
    for _, posted_fen, version, floor, account_version, amount_fen, after_fen in rows:
        stored = (posted_fen, version)
        if account_version is None:
            break
        number += 1
        if account_version != number:
            yield f"entry {number} is missing"
            number = account_version
        if after_fen != before_fen + amount_fen:
            yield f"wrong balance after entry {number}"
        if floor and floor * after_fen < 0:
            yield f"overdrawn by entry {number}"
        total_fen, before_fen = total_fen + amount_fen, after_fen
    if stored[0] != total_fen:
        yield "its balance is not the sum of its entries"
    if stored[1] != number:
        yield "its version is not the number of its entries"


def _name(source: Source, account_id: int) -> str:
    return "/".join(*source.rows(_NAME, account_id))
