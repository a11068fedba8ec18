"""The rules of clearing: what is netted, in which order a cycle moves, and the digest that proves it.

Everything here depends on nothing but its arguments, and never on the order of rows.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from operator_sdk.contract.codes import CycleState, ObligationKind
from operator_sdk.contract.money import part_ppm


class ObligationState(StrEnum):
    """What became of an obligation. `withdrawn`: a commission on nothing, kept so that lists can say so."""

    OPEN = "open"
    IN_CYCLE = "in_cycle"
    DISPUTED = "disputed"
    WITHDRAWN = "withdrawn"
    SETTLED = "settled"


CYCLE_RANK: dict[CycleState, int] = {state: rank for rank, state in enumerate(CycleState)}
"""The states in their order; a cycle never goes back."""


class Step(StrEnum):
    """What is done to a cycle after its cut-off, one unit of work each."""

    COMMISSION = "commission"
    NET = "net"
    PROPOSE = "propose"
    FIX = "fix"


def next_step(state: str, *, commissioned: bool, netted: bool) -> Step | None:
    """What comes next, told from the row alone, so that any step can be taken up again after a crash."""
    if state == CycleState.PROPOSED:
        return Step.FIX
    if state != CycleState.CUT_OFF:
        return None
    if not commissioned:
        return Step.COMMISSION
    return Step.PROPOSE if netted else Step.NET


def is_fixed(state: str) -> bool:
    """Whether nothing about the cycle's obligations and positions can change any more."""
    return CYCLE_RANK[CycleState(state)] >= CYCLE_RANK[CycleState.FIXED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An obligation, as far as the arithmetic needs to know it."""

    obligation_id: str
    kind: str
    debtor: str
    creditor: str
    amount_fen: int
    currency: str = "CNY"
    booked_day: str = ""
    record_id: str | None = None
    commission_ppm: int = 0


@dataclass(frozen=True, slots=True)
class Gross:
    """What a party owes and is owed before netting."""

    owes_fen: int = 0
    is_owed_fen: int = 0

    @property
    def net_fen(self) -> int:
        """Positive receives, negative pays."""
        return self.is_owed_fen - self.owes_fen


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment between a party and the settlement account; which way, `pays_in` says."""

    party_id: str
    amount_fen: int
    pays_in: bool


def gross(obligations: Iterable[Owed], parties: Iterable[str] = ()) -> dict[str, Gross]:
    """Both sides of every party, in order of party id; those named in `parties` also when nothing moved.

    Raises:
        ValueError: more than one currency, an amount that is not positive, or a debt to oneself.
    """
    owes: dict[str, int] = {}
    is_owed: dict[str, int] = {}
    currencies = set()
    for owed in obligations:
        if owed.amount_fen <= 0 or owed.debtor == owed.creditor:
            raise ValueError(f"not an obligation: {owed.obligation_id}")
        currencies.add(owed.currency)
        owes[owed.debtor] = owes.get(owed.debtor, 0) + owed.amount_fen
        is_owed[owed.creditor] = is_owed.get(owed.creditor, 0) + owed.amount_fen
    if len(currencies) > 1:
        raise ValueError(f"one cycle has one currency: {sorted(currencies)}")
    everybody = sorted({*parties, *owes, *is_owed})
    return {party: Gross(owes.get(party, 0), is_owed.get(party, 0)) for party in everybody}


def net(obligations: Iterable[Owed], parties: Iterable[str] = ()) -> dict[str, int]:
    """Everybody's net position, in order of party id; the positions sum to zero."""
    positions = {party: sides.net_fen for party, sides in gross(obligations, parties).items()}
    assert sum(positions.values()) == 0, "every obligation has two sides"
    return positions


def transfers(positions: Mapping[str, int]) -> list[Transfer]:
    """Hub and spoke: who pays in first, then who is paid out; one payment per party at most.

    Nobody learns from it for whose charges the money came.

    Raises:
        ValueError: the positions do not sum to zero.
    """
    if sum(positions.values()):
        raise ValueError("positions sum to zero")
    moved = [Transfer(party, abs(fen), pays_in=fen < 0) for party, fen in positions.items() if fen]
    return sorted(moved, key=lambda transfer: (not transfer.pays_in, transfer.party_id))


def commissions(obligations: Iterable[Owed], hub_party_id: str) -> dict[str, int]:
    """What each host owes the hub for its charges: rounded per record, then summed, so that days add up."""
    sums: dict[str, int] = {}
    for owed in obligations:
        if owed.kind == ObligationKind.CHARGE and owed.creditor != hub_party_id:
            part = part_ppm(owed.amount_fen, owed.commission_ppm)
            sums[owed.creditor] = sums.get(owed.creditor, 0) + part
    return {host: fen for host, fen in sorted(sums.items()) if fen}


def digest(obligations: Iterable[Owed]) -> str:
    """SHA-256 over the obligations in order of id, one line of JSON each.

    A line is the array [obligation_id, kind, debtor, creditor, amount_fen, currency, booked_day, record_id],
    without blanks, in UTF-8, and ends with a line feed.
    """
    whole = hashlib.sha256()
    for owed in sorted(obligations, key=lambda one: one.obligation_id):
        line = [
            owed.obligation_id,
            owed.kind,
            owed.debtor,
            owed.creditor,
            owed.amount_fen,
            owed.currency,
            owed.booked_day,
            owed.record_id,
        ]
        whole.update(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return whole.hexdigest()
