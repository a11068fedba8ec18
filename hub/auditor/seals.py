"""The chain of seals over all postings, what waits for a seal, and the days that were closed."""

import hashlib
from collections.abc import Iterator

import orjson

from hub.auditor.findings import Findings
from hub.auditor.source import Row, Source, instant_text

FIRST = "0" * 64
"""What stands before the first seal, and before the first day."""

_SEALS = """
SELECT s.number, s.posting_id, s.chain_digest, p.digest
FROM ledger_seal s LEFT JOIN ledger_posting p ON p.posting_id = s.posting_id
ORDER BY s.number
"""
_FORGOTTEN = """
SELECT p.posting_id FROM ledger_posting p
LEFT JOIN ledger_seal s ON s.posting_id = p.posting_id
LEFT JOIN ledger_unsealed u ON u.posting_id = p.posting_id
WHERE s.posting_id IS NULL AND u.posting_id IS NULL ORDER BY p.posting_id
"""
_WAITING = """
SELECT u.posting_id, p.posting_id, s.number FROM ledger_unsealed u
LEFT JOIN ledger_posting p ON p.posting_id = u.posting_id
LEFT JOIN ledger_seal s ON s.posting_id = u.posting_id
WHERE p.posting_id IS NULL OR s.number IS NOT NULL ORDER BY u.posting_id
"""
_LINK = "SELECT chain_digest FROM ledger_seal WHERE number = ?"
_COUNTER = "SELECT value FROM counter WHERE name = 'ledger_seal'"
_DAYS = """
SELECT d.day, d.closed_at, d.seal_number, d.chain_digest, d.postings, d.entries, d.debits, d.digest,
  s.chain_digest
FROM ledger_day d LEFT JOIN ledger_seal s ON s.number = d.seal_number ORDER BY d.day
"""
_SEALED_BETWEEN = """
SELECT a.currency, count(*), sum(CASE WHEN e.amount_fen > 0 THEN e.amount_fen ELSE 0 END)
FROM ledger_seal s
JOIN ledger_entry e ON e.posting_id = s.posting_id
JOIN ledger_account a ON a.account_id = e.account_id
WHERE s.number > ? AND s.number <= ? GROUP BY a.currency ORDER BY a.currency
"""


def check_seals(source: Source, findings: Findings, count: int) -> None:
    """The chain from its first link, and that every posting is in it or waits; `count`: how many links."""
    last = _check_chain(source, findings, count)
    for (value,) in source.few(_COUNTER):
        if value != last:
            findings.add(f"seal {last}: the sealer says that the last one is {value}")
    for (posting_id,) in source.few(_FORGOTTEN):
        findings.add(f"posting {posting_id}: neither sealed nor waiting for its seal")
    for waiting, posting_id, number in source.few(_WAITING):
        why = "it does not exist" if posting_id is None else f"it has seal {number}"
        findings.add(f"posting {waiting}: waits for a seal although {why}")


def _check_chain(source: Source, findings: Findings, count: int) -> int:
    before, last = FIRST, 0
    links = findings.along("seals", source.rows(_SEALS), count)
    for expected, (number, posting_id, chained, digest) in enumerate(links, 1):
        if number != expected or chained != link(before, expected, posting_id, digest):
            findings.add(f"seal {number}: the chain is broken")
            # From here on every link would differ; one finding says it.
            return count
        before, last = chained, number
    return last


def link(before: str, number: int, posting_id: str, digest: str | None) -> str:
    """The chain digest of a seal, over the one before it; see docs/ledger.md."""
    return hashlib.sha256(f"{before}:{number}:{posting_id}:{digest}".encode()).hexdigest()


def check_witness(source: Source, findings: Findings, number: int, chained: str) -> None:
    """That the chain goes through a link that somebody wrote down elsewhere: it was not cut and grown anew."""
    if [chained] not in [list(row) for row in source.few(_LINK, number)]:
        findings.add(f"seal {number}: the witness knows another one")


def check_days(source: Source, findings: Findings) -> int:
    """Every closed day against the chain and the postings that were sealed in it; how many there are."""
    before, begin, count = FIRST, 0, 0
    for row in list(source.few(_DAYS)):
        count += 1
        for problem in _wrong_day(source, row, begin, before):
            findings.add(f"day {row[0]}: {problem}")
        begin, before = row[2], row[7]
    return count


def _wrong_day(source: Source, row: Row, begin: int, before: str) -> Iterator[str]:
    day, closed_at, number, chained, postings, entries, debits, digest, sealed = row
    if day_digest([day, instant_text(closed_at), number, chained, postings, entries, debits], before) != digest:
        yield "changed since it was closed"
    if number and sealed != chained:
        yield f"seal {number} is not the one that closed it"
    sums = list(source.few(_SEALED_BETWEEN, begin, number))
    if (number - begin, sum(one[1] for one in sums)) != (postings, entries):
        yield "it counts other postings or entries than were sealed in it"
    if orjson.dumps([[currency, int(fen)] for currency, _, fen in sums]).decode() != debits:
        yield "its debits are not those of its postings"


def day_digest(facts: list[object], before: str) -> str:
    """SHA-256 over the canonical form of docs/ledger.md.

    `facts` are day, closed_at, seal_number, chain_digest, postings, entries, debits; `before` is the digest of
    the day closed before this one.
    """
    return hashlib.sha256(orjson.dumps([*facts, before])).hexdigest()
