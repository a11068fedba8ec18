"""What clearing has written down beside the books, against the books: obligations, cycles, suspense, deposits.

Each check is one query that returns what is wrong, in an order that does not change; the database does the
joining. Tables that a database does not have (one that was never cleared in) are passed over.
"""

from typing import LiteralString, NamedTuple

from hub.auditor.findings import Findings
from hub.auditor.source import Source


class _Check(NamedTuple):
    """`problem` says what is wrong about the row's first column, the rest of the row filled in."""

    tables: tuple[str, ...]
    problem: str
    query: LiteralString


_OBLIGATIONS = _Check(
    ("obligation",),
    "obligation {}: its posting does not say that {} owes {} {} fen",
    """
SELECT o.obligation_id, o.debtor_party_id, o.creditor_party_id, o.amount_fen FROM obligation o
LEFT JOIN ledger_posting p ON p.kind = 'obligation' AND p.reference = o.record_id
LEFT JOIN ledger_entry d ON d.posting_id = p.posting_id AND d.amount_fen = o.amount_fen
LEFT JOIN ledger_account owes ON owes.account_id = d.account_id AND owes.book = 'clearing'
  AND owes.kind = 'receivable' AND owes.subject = o.debtor_party_id AND owes.currency = o.currency
LEFT JOIN ledger_entry c ON c.posting_id = p.posting_id AND c.amount_fen = -o.amount_fen
LEFT JOIN ledger_account owed ON owed.account_id = c.account_id AND owed.book = 'clearing'
  AND owed.kind = 'payable' AND owed.subject = o.creditor_party_id AND owed.currency = o.currency
WHERE o.kind IN ('charge', 'credit') AND (owes.account_id IS NULL OR owed.account_id IS NULL)
ORDER BY o.obligation_id
""",
)
_POSTINGS_OF_NONE = _Check(
    ("obligation",),
    "posting {}: record {} has no obligation",
    """
SELECT p.posting_id, p.reference FROM ledger_posting p
LEFT JOIN obligation o ON o.kind IN ('charge', 'credit') AND o.record_id = p.reference
WHERE p.kind = 'obligation' AND o.obligation_id IS NULL ORDER BY p.posting_id
""",
)
_RECORDS = _Check(
    ("obligation", "charge_record"),
    "record {}: accepted for {} fen, and there is no obligation of that amount",
    """
SELECT r.record_id, r.owed_fen FROM charge_record r
LEFT JOIN obligation o ON o.record_id = r.record_id AND o.kind IN ('charge', 'credit')
WHERE r.state IN ('accepted', 'disputed', 'credited', 'settled') AND r.owed_fen > 0
  AND r.home_party_id <> r.host_party_id AND (o.amount_fen IS NULL OR o.amount_fen <> r.owed_fen)
ORDER BY r.record_id
""",
)
_MEMBERS = _Check(
    ("obligation",),
    "obligation {}: cycle {} is not of its currency and frequency",
    """
SELECT o.obligation_id, o.cycle_id FROM obligation o LEFT JOIN cycle c ON c.cycle_id = o.cycle_id
WHERE o.cycle_id IS NOT NULL
  AND (c.cycle_id IS NULL OR o.currency <> c.currency OR o.frequency <> c.frequency)
ORDER BY o.obligation_id
""",
)
# What hosts owe the hub, and the hub where credits took more back, is booked once for the whole cycle.
_COMMISSIONS = _Check(
    ("obligation",),
    "cycle {}: the commission booked for {} is not what its obligations say",
    """
SELECT cycle_id, party_id FROM (
  SELECT o.cycle_id, o.debtor_party_id AS party_id, o.amount_fen AS owes_fen, 0 AS is_owed_fen
  FROM obligation o JOIN cycle c ON c.cycle_id = o.cycle_id
  WHERE o.kind = 'commission' AND c.fixed_at IS NOT NULL
  UNION ALL
  SELECT o.cycle_id, o.creditor_party_id, 0, o.amount_fen
  FROM obligation o JOIN cycle c ON c.cycle_id = o.cycle_id
  WHERE o.kind = 'commission' AND c.fixed_at IS NOT NULL
  UNION ALL
  SELECT p.reference, a.subject, CASE a.kind WHEN 'receivable' THEN -e.amount_fen ELSE 0 END,
    CASE a.kind WHEN 'payable' THEN e.amount_fen ELSE 0 END
  FROM ledger_posting p JOIN ledger_entry e ON e.posting_id = p.posting_id
  JOIN ledger_account a ON a.account_id = e.account_id WHERE p.kind = 'commission'
) sides
GROUP BY cycle_id, party_id HAVING sum(owes_fen) <> 0 OR sum(is_owed_fen) <> 0 ORDER BY cycle_id, party_id
""",
)
_POSITIONS = _Check(
    ("obligation", "cycle_position"),
    "cycle {}: the position of {} is not what its obligations come to",
    """
SELECT cycle_id, party_id FROM (
  SELECT p.cycle_id, p.party_id, p.owes_fen, p.is_owed_fen, p.amount_fen - p.is_owed_fen + p.owes_fen AS off_fen
  FROM cycle_position p JOIN cycle c ON c.cycle_id = p.cycle_id WHERE c.fixed_at IS NOT NULL
  UNION ALL
  SELECT o.cycle_id, o.debtor_party_id, -o.amount_fen, 0, 0
  FROM obligation o JOIN cycle c ON c.cycle_id = o.cycle_id WHERE c.fixed_at IS NOT NULL
  UNION ALL
  SELECT o.cycle_id, o.creditor_party_id, 0, -o.amount_fen, 0
  FROM obligation o JOIN cycle c ON c.cycle_id = o.cycle_id WHERE c.fixed_at IS NOT NULL
) sides
GROUP BY cycle_id, party_id HAVING sum(owes_fen) <> 0 OR sum(is_owed_fen) <> 0 OR sum(off_fen) <> 0
ORDER BY cycle_id, party_id
""",
)
_CYCLE_SUMS = _Check(
    ("cycle_position",),
    "cycle {}: its positions sum to {} fen",
    "SELECT cycle_id, sum(amount_fen) FROM cycle_position GROUP BY cycle_id"
    " HAVING sum(amount_fen) <> 0 ORDER BY cycle_id",
)
_CYCLE_POSTINGS = _Check(
    ("cycle_position",),
    "cycle {}: its postings give {} another net than its position",
    """
SELECT cycle_id, party_id FROM (
  SELECT p.cycle_id, p.party_id, p.amount_fen FROM cycle_position p
  JOIN cycle c ON c.cycle_id = p.cycle_id WHERE c.fixed_at IS NOT NULL
  UNION ALL
  SELECT p.reference, a.subject, e.amount_fen FROM ledger_posting p
  JOIN ledger_entry e ON e.posting_id = p.posting_id
  JOIN ledger_account a ON a.account_id = e.account_id
  WHERE p.kind = 'cycle_net' AND a.book = 'clearing' AND a.kind IN ('receivable', 'payable')
) legs
GROUP BY cycle_id, party_id HAVING sum(amount_fen) <> 0 ORDER BY cycle_id, party_id
""",
)
_CYCLE_ACCOUNTS = _Check(
    ("cycle",),
    "account clearing/cycle/{}: {} fen are left over",
    "SELECT subject, posted_fen FROM ledger_account"
    " WHERE book = 'clearing' AND kind = 'cycle' AND posted_fen <> 0 ORDER BY subject",
)
_SUSPENSE = _Check(
    ("suspense_item",),
    "suspense item {}: {} fen stand in the books for it, not what is open",
    """
SELECT item_id, sum(booked_fen) FROM (
  SELECT item_id, currency, CASE WHEN closed_at IS NULL THEN amount_fen ELSE 0 END AS open_fen, 0 AS booked_fen
  FROM suspense_item
  UNION ALL
  SELECT subject, currency, 0, posted_fen FROM ledger_account WHERE book = 'clearing' AND kind = 'suspense'
) items
GROUP BY item_id, currency HAVING sum(open_fen) <> sum(booked_fen) ORDER BY item_id
""",
)
_CLAIMED = _Check(
    ("suspense_item",),
    "account clearing/claimed/{}: {} fen, not what is open for this host",
    """
SELECT host_party_id, sum(booked_fen) FROM (
  SELECT host_party_id, currency, CASE WHEN closed_at IS NULL THEN amount_fen ELSE 0 END AS open_fen,
    0 AS booked_fen
  FROM suspense_item
  UNION ALL
  SELECT subject, currency, 0, -posted_fen FROM ledger_account WHERE book = 'clearing' AND kind = 'claimed'
) hosts
GROUP BY host_party_id, currency HAVING sum(open_fen) <> sum(booked_fen) ORDER BY host_party_id
""",
)
_DEPOSITS = _Check(
    ("deposit_movement",),
    "account clearing/deposit/{}: {} fen, not what went in and out",
    """
SELECT party_id, sum(booked_fen) FROM (
  SELECT party_id, amount_fen AS moved_fen, 0 AS booked_fen FROM deposit_movement
  UNION ALL
  SELECT subject, 0, -posted_fen FROM ledger_account WHERE book = 'clearing' AND kind = 'deposit'
) moved
GROUP BY party_id HAVING sum(moved_fen) <> sum(booked_fen) ORDER BY party_id
""",
)
_NUMBERS = _Check(
    ("payment_movement", "deposit_movement"),
    "bank number {}: booked as a payment and as a deposit",
    """
SELECT p.movement_ref FROM payment_movement p
JOIN deposit_movement d ON d.movement_ref = p.movement_ref ORDER BY p.movement_ref
""",
)
CHECKS = (
    _OBLIGATIONS,
    _POSTINGS_OF_NONE,
    _RECORDS,
    _MEMBERS,
    _COMMISSIONS,
    _POSITIONS,
    _CYCLE_SUMS,
    _CYCLE_POSTINGS,
    _CYCLE_ACCOUNTS,
    _SUSPENSE,
    _CLAIMED,
    _DEPOSITS,
    _NUMBERS,
)


def check_clearing(source: Source, findings: Findings) -> None:
    """Every check whose tables there are."""
    tables = source.tables()
    for number, check in enumerate(CHECKS, 1):
        findings.progress("clearing", number, len(CHECKS))
        if tables.issuperset(check.tables):
            for row in source.few(check.query):
                findings.add(check.problem.format(*row))
