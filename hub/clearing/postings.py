"""What clearing writes into the books. Debit positive; every list of entries sums to zero within its book.

While a cycle is open, each obligation stands gross in the clearing book. When the cycle is fixed, two postings
pass everything through the account of the cycle, one entry per party each way:

    B owes A 100.00, A owes B 30.00, A owes the hub 2.00 (fen below):

                                  receivable             payable               cycle:{id}
                                A       B      hub     A       B      hub
    obligations, commission   +3200  +10000     0   -10000  -3000   -200          0
    cycle_gross               -3200  -10000     0   +10000  +3000   +200   A -6800, B +7000, hub -200
    cycle_net                           +7000        -6800          -200   A +6800, B -7000, hub +200
    left                          0   +7000     0    -6800      0   -200          0

`cycle_gross` takes each party's gross legs out, `cycle_net` puts the one net leg back: what is left under
receivable is to be paid in, what is left under payable is to be paid out, and the history of cycle:{id} reads
as the list of positions. Both sums are zero because the positions are. Obligations that are disputed or belong
to a later cycle keep standing gross beside it, since only the legs of this cycle's obligations are moved.

The hub's own book is not touched here: its commission is a claim in the clearing book (payable:{hub}) like
anybody else's, and becomes commission against bank in the book `hub` when it is paid out.
"""

from collections.abc import Mapping

from hub.clearing.model import Gross
from hub.ledger.model import CLEARING, Entry

OBLIGATION, COMMISSION = "obligation", "commission"
CYCLE_GROSS, CYCLE_NET = "cycle_gross", "cycle_net"
"""Kinds of postings; the reference is the record's id, and then the cycle's."""


def obligation_entries(*, debtor: str, creditor: str, amount_fen: int, currency: str) -> list[Entry]:
    """The debtor owes the agent, the agent owes the creditor."""
    return [
        _entry("receivable", debtor, amount_fen, currency),
        _entry("payable", creditor, -amount_fen, currency),
    ]


def commission_entries(owed: Mapping[tuple[str, str], int], *, hub_party_id: str, currency: str) -> list[Entry]:
    """Every host owes the hub its commission of the whole cycle, by (debtor, creditor).

    Where credits took more back than charges brought, it is the hub that owes the host.
    """
    hub_owes = sum(fen for (debtor, _), fen in owed.items() if debtor == hub_party_id)
    hub_is_owed = sum(fen for (_, creditor), fen in owed.items() if creditor == hub_party_id)
    entries = []
    for (debtor, creditor), fen in owed.items():
        if debtor == hub_party_id:
            entries.append(_entry("payable", creditor, -fen, currency))
        else:
            entries.append(_entry("receivable", debtor, fen, currency))
    entries.append(_entry("receivable", hub_party_id, hub_owes, currency))
    entries.append(_entry("payable", hub_party_id, -hub_is_owed, currency))
    return [entry for entry in entries if entry.amount_fen]


def gross_entries(sides: Mapping[str, Gross], *, cycle_id: str, currency: str) -> list[Entry]:
    """Each party's gross legs, moved into the cycle."""
    entries = []
    for party, side in sides.items():
        entries += [
            _entry("receivable", party, -side.owes_fen, currency),
            _entry("payable", party, side.is_owed_fen, currency),
            _entry("cycle", cycle_id, -side.net_fen, currency),
        ]
    return [entry for entry in entries if entry.amount_fen]


def net_entries(sides: Mapping[str, Gross], *, cycle_id: str, currency: str) -> list[Entry]:
    """Each party's one net leg, taken out of the cycle."""
    entries = []
    for party, side in sides.items():
        if net_fen := side.net_fen:
            kind = "payable" if net_fen > 0 else "receivable"
            entries += [
                _entry(kind, party, -net_fen, currency),
                _entry("cycle", cycle_id, net_fen, currency),
            ]
    return entries


def _entry(kind: str, subject: str, amount_fen: int, currency: str) -> Entry:
    return Entry(book=CLEARING, kind=kind, subject=subject, amount_fen=amount_fen, currency=currency)
