"""The accounts there may be, as docs/ledger.md lists them: the side of each, and whether it may overdraw.

Written down a second time on purpose. A kind that is new to the ledger is new here too, or its accounts are
reported.
"""

DEBIT, CREDIT = "debit", "credit"

_OPERATOR = {
    "funds_at_bank": (DEBIT, True),
    "wallet": (CREDIT, False),
    "customer_debt": (DEBIT, False),
    "charging_sales": (CREDIT, True),
    "receivable": (DEBIT, True),
    "payable": (CREDIT, True),
    "subsidy": (DEBIT, True),
    "rounding": (DEBIT, True),
}
_CLEARING = {
    "receivable": (DEBIT, True),
    "payable": (CREDIT, True),
    "cycle": (CREDIT, True),
    "settlement_cash": (DEBIT, False),
    "deposit": (CREDIT, False),
    "suspense": (DEBIT, True),
    "claimed": (CREDIT, True),
    "rounding": (DEBIT, True),
}
_HUB = {"commission": (CREDIT, True), "bank": (DEBIT, True)}
_BOOKS = {"clearing": _CLEARING, "hub": _HUB}


def rule_of(book: str, kind: str) -> tuple[str, bool] | None:
    """(side, may overdraw) of a kind of account in a book; None: there is no such kind."""
    return _BOOKS.get(book, _OPERATOR).get(kind)
