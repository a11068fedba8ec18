"""What paying writes into the books. Debit positive; every list of entries sums to zero within its book.

                                  receivable:B   payable:A   settlement_cash   deposit:B
    pay_in, B pays 60                     -60                          +60
    deposit_draw, 10 from B's deposit     -10                                        +10
    pay_out, A is paid 70                             +70              -70

What is still missing stands under receivable of the debtor, what is withheld under payable of the creditor,
until the claims of the next cycle are paid. Only where a creditor passed its loss on to its own creditors do
claims differ from what stands there, and the posting `claims` says by how much. The hub's own payments move its
own book as well: commission against bank.
"""

from collections.abc import Mapping

from hub.ledger.model import CLEARING, HUB, Entry

PAY_IN, PAY_OUT, DEPOSIT, DEPOSIT_DRAW, CLAIMS = "pay_in", "pay_out", "deposit", "deposit_draw", "claims"
"""Kinds of postings; the reference is the bank's number of the movement, the payment's id, the cycle's id."""


def pay_in_entries(party_id: str, amount_fen: int, *, currency: str, hub_party_id: str) -> list[Entry]:
    """Money of a debtor reached the settlement account."""
    entries = [
        _entry("settlement_cash", "", amount_fen, currency),
        _entry("receivable", party_id, -amount_fen, currency),
    ]
    return entries + (_own(-amount_fen, currency) if party_id == hub_party_id else [])


def pay_out_entries(party_id: str, amount_fen: int, *, currency: str, hub_party_id: str) -> list[Entry]:
    """Money left the settlement account for a creditor."""
    entries = [
        _entry("payable", party_id, amount_fen, currency),
        _entry("settlement_cash", "", -amount_fen, currency),
    ]
    return entries + (_own(amount_fen, currency) if party_id == hub_party_id else [])


def _own(earned_fen: int, currency: str) -> list[Entry]:
    bank = Entry(book=HUB, kind="bank", amount_fen=earned_fen, currency=currency)
    return [bank, Entry(book=HUB, kind="commission", amount_fen=-earned_fen, currency=currency)]


def deposit_entries(party_id: str, amount_fen: int, *, currency: str) -> list[Entry]:
    """Money came into a deposit (positive) or went back to its party (negative)."""
    return [
        _entry("settlement_cash", "", amount_fen, currency),
        _entry("deposit", party_id, -amount_fen, currency),
    ]


def deposit_draw_entries(party_id: str, amount_fen: int, *, currency: str) -> list[Entry]:
    """What a debtor did not pay in is taken from its deposit."""
    return [
        _entry("deposit", party_id, amount_fen, currency),
        _entry("receivable", party_id, -amount_fen, currency),
    ]


def claims_entries(
    *,
    claims: Mapping[tuple[str, str], int],
    missing: Mapping[str, int],
    withheld: Mapping[str, int],
    currency: str,
) -> list[Entry]:
    """From what stands unpaid to what the claims of the next cycle say; empty where they are the same."""
    owes = {party: -fen for party, fen in missing.items()}
    is_owed = {party: -fen for party, fen in withheld.items()}
    for (debtor, creditor), fen in claims.items():
        owes[debtor] = owes.get(debtor, 0) + fen
        is_owed[creditor] = is_owed.get(creditor, 0) + fen
    entries = [_entry("receivable", party, fen, currency) for party, fen in sorted(owes.items())]
    entries += [_entry("payable", party, -fen, currency) for party, fen in sorted(is_owed.items())]
    return [entry for entry in entries if entry.amount_fen]


def _entry(kind: str, subject: str, amount_fen: int, currency: str) -> Entry:
    return Entry(book=CLEARING, kind=kind, subject=subject, amount_fen=amount_fen, currency=currency)
