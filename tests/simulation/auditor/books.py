"""The books: postings sum to zero, balances are the sums of their entries, holds end once."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.auditor.rows import Source

ENDED = frozenset({"captured", "voided", "expired", "refused"})
FLOORED = frozenset({"wallet", "settlement_cash", "deposit", "customer_debt"})
"""Kinds of accounts that never go below zero on their own side; wallets also keep what is held."""

DEBIT_SIDE = frozenset({"settlement_cash", "customer_debt", "suspense", "receivable", "funds_at_bank", "bank"})

ACCOUNTS = "SELECT account_id, book, kind, subject, currency, posted_fen, held_fen, version FROM ledger_account"
HELD = "SELECT account_id, SUM(amount_fen) AS fen FROM ledger_hold WHERE state = 'open' GROUP BY account_id"
NEW_ENTRIES = """
SELECT account_version, posting_id, amount_fen, balance_after_fen FROM ledger_entry
WHERE account_id = ? AND account_version > ? ORDER BY account_version
"""
OF_POSTING = """
SELECT a.book, a.currency, SUM(e.amount_fen) AS fen, COUNT(*) AS lines
FROM ledger_entry e JOIN ledger_account a ON a.account_id = e.account_id
WHERE e.posting_id = ? GROUP BY a.book, a.currency
"""


@dataclass
class Kept:
    """An account as the auditor's own books have it."""

    posted_fen: int = 0
    version: int = 0


@dataclass
class Books:
    """Follows the books commit by commit. `voided` is told of every hold that was given back."""

    source: Source
    voided: Callable[[str], None]
    accounts: dict[int, Kept] = field(default_factory=lambda: defaultdict(Kept))
    holds: dict[str, str] = field(default_factory=dict)
    seen: tuple[int, ...] = ()

    def step(self) -> None:
        """What was just committed."""
        now = tuple(
            self.source.one(
                "SELECT COUNT(*), COALESCE(SUM(version), 0), COALESCE(SUM(held_fen), 0),"
                " (SELECT COUNT(*) FROM ledger_hold_event) FROM ledger_account"
            )
        )
        if now != self.seen:
            self.seen = now
            self._holds()
            self._accounts()

    def _accounts(self) -> None:
        held = {row["account_id"]: row["fen"] for row in self.source.rows(HELD)}
        postings: dict[str, None] = {}
        for row in self.source.rows(ACCOUNTS):
            name = f"{row['book']}/{row['kind']}/{row['subject']}"
            kept = self.accounts[row["account_id"]]
            for entry in self.source.rows(NEW_ENTRIES, row["account_id"], kept.version):
                kept.version += 1
                kept.posted_fen += entry["amount_fen"]
                self.source.same(f"{name}: version", entry["account_version"], kept.version)
                self.source.same(f"{name}: balance after", entry["balance_after_fen"], kept.posted_fen)
                postings[entry["posting_id"]] = None
            self.source.same(f"{name}: posted", row["posted_fen"], kept.posted_fen)
            self.source.same(f"{name}: version", row["version"], kept.version)
            self.source.same(f"{name}: held", row["held_fen"], held.get(row["account_id"], 0))
            self._floor(name, row["kind"], row["posted_fen"], row["held_fen"])
        for posting_id in postings:
            self._posting(posting_id)

    def _floor(self, name: str, kind: str, posted_fen: int, held_fen: int) -> None:
        if kind in FLOORED:
            own_side = posted_fen if kind in DEBIT_SIDE else -posted_fen
            self.source.expect(own_side >= held_fen, f"{name}: {own_side} fen, of which {held_fen} are held")

    def _posting(self, posting_id: str) -> None:
        lines = 0
        for row in self.source.rows(OF_POSTING, posting_id):
            lines += row["lines"]
            self.source.same(f"{posting_id} in {row['book']} {row['currency']}: sum", row["fen"], 0)
        self.source.expect(lines >= 2, f"{posting_id} has {lines} entries")
        head = self.source.rows("SELECT 1 FROM ledger_posting WHERE posting_id = ?", posting_id)
        self.source.same(f"{posting_id}: heads", len(head), 1)

    def _holds(self) -> None:
        for row in self.source.rows("SELECT reference, state, amount_fen, captured_fen FROM ledger_hold"):
            reference, state = row["reference"], row["state"]
            before = self.holds.get(reference)
            if before == state:
                continue
            self.source.expect(before not in ENDED, f"hold {reference} was {before} and became {state}")
            self.source.expect(
                0 <= row["captured_fen"] <= row["amount_fen"],
                f"hold {reference}: {row['captured_fen']} fen captured of {row['amount_fen']}",
            )
            self.holds[reference] = state
            if state in {"voided", "expired"} and before == "open":
                self.voided(reference)

    def end(self) -> None:
        """Everything again from the first row, without what was remembered."""
        self.accounts.clear()
        self.seen = ()
        self.step()
        total = self.source.number("SELECT SUM(amount_fen) FROM ledger_entry")
        self.source.same("all entries together", total, 0)
        orphans = self.source.number(
            "SELECT COUNT(*) FROM ledger_posting p WHERE NOT EXISTS"
            " (SELECT 1 FROM ledger_entry e WHERE e.posting_id = p.posting_id)"
        )
        self.source.same("postings without entries", orphans, 0)

    def balances(self, book: str) -> dict[tuple[str, str], int]:
        """Debit-positive balances of a book by (kind, subject), those that are not zero."""
        rows = self.source.rows(
            "SELECT a.kind, a.subject, SUM(e.amount_fen) AS fen FROM ledger_entry e"
            " JOIN ledger_account a ON a.account_id = e.account_id WHERE a.book = ?"
            " GROUP BY a.kind, a.subject HAVING fen <> 0",
            book,
        )
        return {(row["kind"], row["subject"]): row["fen"] for row in rows}
