"""What every party owes and is owed in the books, against what its obligations and payments say.

An obligation stands gross until its cycle is fixed; then the party's one net leg stands until it is paid. What
a default left unpaid goes on as claims of the next cycle. What is disputed stands in suspense instead, and
comes back with its obligation or not at all.
"""

from typing import LiteralString

from hub.auditor.findings import Findings
from hub.auditor.source import Source

_BOOKED: LiteralString = """
SELECT subject AS party_id, currency, CASE kind WHEN 'receivable' THEN -posted_fen ELSE 0 END AS owes_fen,
  CASE kind WHEN 'payable' THEN posted_fen ELSE 0 END AS is_owed_fen
FROM ledger_account WHERE book = 'clearing' AND kind IN ('receivable', 'payable')
"""
_STANDING: LiteralString = """
SELECT o.debtor_party_id, o.currency, o.amount_fen, 0
FROM obligation o LEFT JOIN cycle c ON c.cycle_id = o.cycle_id
WHERE o.kind <> 'commission' AND c.fixed_at IS NULL
UNION ALL
SELECT o.creditor_party_id, o.currency, 0, o.amount_fen
FROM obligation o LEFT JOIN cycle c ON c.cycle_id = o.cycle_id
WHERE o.kind <> 'commission' AND c.fixed_at IS NULL
"""
_IN_SUSPENSE: LiteralString = """
SELECT o.debtor_party_id, o.currency, -o.amount_fen, 0
FROM obligation o WHERE o.kind <> 'commission' AND o.state <> 'in_cycle' AND EXISTS (
  SELECT 1 FROM dispute d JOIN suspense_item i ON i.kind = 'dispute' AND i.subject_id = d.dispute_id
  WHERE d.record_id = o.record_id)
UNION ALL
SELECT o.creditor_party_id, o.currency, 0, -o.amount_fen
FROM obligation o WHERE o.kind <> 'commission' AND o.state <> 'in_cycle' AND EXISTS (
  SELECT 1 FROM dispute d JOIN suspense_item i ON i.kind = 'dispute' AND i.subject_id = d.dispute_id
  WHERE d.record_id = o.record_id)
"""
_NETTED: LiteralString = """
SELECT p.party_id, c.currency, CASE WHEN p.amount_fen < 0 THEN -p.amount_fen ELSE 0 END,
  CASE WHEN p.amount_fen > 0 THEN p.amount_fen ELSE 0 END
FROM cycle_position p JOIN cycle c ON c.cycle_id = p.cycle_id WHERE c.fixed_at IS NOT NULL
"""
# What was paid, drawn from a deposit, or is missing or withheld does not stand as a net leg any more.
_PAID: LiteralString = """
SELECT party_id, currency,
  CASE direction WHEN 'pay_in' THEN -(paid_fen + deposit_fen + missing_fen) ELSE 0 END,
  CASE direction WHEN 'pay_out' THEN -(paid_fen + withheld_fen) ELSE 0 END
FROM payment
"""
_PARTS: tuple[tuple[str, LiteralString], ...] = (
    ("ledger_account", _BOOKED),
    ("obligation", _STANDING),
    ("dispute", _IN_SUSPENSE),
    ("cycle_position", _NETTED),
    ("payment", _PAID),
)


def check_parties(source: Source, findings: Findings) -> None:
    """Both sides of every party, where there is clearing at all."""
    tables = source.tables()
    if "obligation" not in tables:
        return
    parts = "\nUNION ALL\n".join([part for table, part in _PARTS if table in tables])
    query: LiteralString = (  # the parts are constants of this file
        f"SELECT party_id, sum(owes_fen), sum(is_owed_fen) FROM ({parts}) sides GROUP BY party_id, currency"  # noqa: S608
        " HAVING sum(owes_fen) <> 0 OR sum(is_owed_fen) <> 0 ORDER BY party_id"
    )
    for party_id, owes_fen, is_owed_fen in source.few(query):
        findings.add(
            f"party {party_id}: its obligations and payments say that it owes {owes_fen} and is owed"
            f" {is_owed_fen} fen more than the books"
        )
