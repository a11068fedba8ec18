"""What balances would be if they were replayed from entries and open holds, beside what is stored."""

from dataclasses import dataclass

from hub.auditor.source import opened

_REPLAYED = """
SELECT a.book, a.kind, a.subject, a.currency, a.posted_fen, a.held_fen, a.version,
  coalesce(e.posted_fen, 0), coalesce(h.held_fen, 0), coalesce(e.entries, 0)
FROM ledger_account a
LEFT JOIN (
  SELECT account_id, sum(amount_fen) AS posted_fen, count(*) AS entries FROM ledger_entry GROUP BY account_id
) e ON e.account_id = a.account_id
LEFT JOIN (
  SELECT account_id, sum(amount_fen) AS held_fen FROM ledger_hold WHERE state = 'open' GROUP BY account_id
) h ON h.account_id = a.account_id
ORDER BY a.book, a.kind, a.subject, a.currency
"""


@dataclass(frozen=True, slots=True)
class Balances:
    """An account's sum of entries (debit positive), sum of open holds and number of entries."""

    posted_fen: int
    held_fen: int
    version: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An account whose stored balances are not those of its entries."""

    account: str
    stored: Balances
    replayed: Balances


@dataclass(frozen=True, slots=True)
class Replay:
    """How many accounts were replayed, and which came out differently, in order of name."""

    accounts: int
    differences: list[Difference]


def replay(url: str) -> Replay:
    """Replay every account of a database; nothing is written.

    Raises:
        Unreadable: no database of ours answers at the URL.
    """
    accounts, differences = 0, []
    with opened(url) as source:
        for row in source.rows(_REPLAYED):
            accounts += 1
            stored, replayed = Balances(*row[4:7]), Balances(*map(int, row[7:]))
            if stored != replayed:
                differences.append(Difference("/".join(row[:4]), stored, replayed))
    return Replay(accounts, differences)
