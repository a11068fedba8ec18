"""The rules of clearing: in which order a cycle moves, what netting leaves, and who then pays whom.

Everything here depends on nothing but its arguments, and never on the order of rows.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from operator_sdk.contract.codes import CycleState


class ObligationState(StrEnum):
    """What became of an obligation. `open` and `settled` are never stored: its cycle says so (`shown_state`).

    `withdrawn`: owed by nobody, kept so that lists can say so.
    """

    OPEN = "open"
    IN_CYCLE = "in_cycle"
    DISPUTED = "disputed"
    WITHDRAWN = "withdrawn"
    SETTLED = "settled"


ENDED = frozenset({CycleState.SETTLED, CycleState.PARTIALLY_PAID})
"""Nothing follows these. What a default left is a claim in a later cycle."""

NEXT: dict[CycleState, frozenset[CycleState]] = {
    CycleState.OPEN: frozenset({CycleState.CUT_OFF}),
    CycleState.CUT_OFF: frozenset({CycleState.PROPOSED}),
    CycleState.PROPOSED: frozenset({CycleState.FIXED}),
    CycleState.FIXED: frozenset({CycleState.PAYING}),
    CycleState.PAYING: ENDED,
    CycleState.PARTIALLY_PAID: frozenset(),
    CycleState.SETTLED: frozenset(),
}
"""What may follow each state of a cycle: never backward, and nothing is left out."""

FIXED = frozenset({CycleState.FIXED, CycleState.PAYING, *ENDED})
"""The states in which nothing about a cycle's obligations and positions can change any more."""


def shown_state(stored: str, cycle_state: str | None) -> str:
    """An obligation's state as it is told: while it is in a cycle, the cycle's progress is its own."""
    if stored != ObligationState.IN_CYCLE or cycle_state is None:
        return stored
    if cycle_state == CycleState.OPEN:
        return ObligationState.OPEN.value
    return ObligationState.SETTLED.value if cycle_state in ENDED else stored


class Step(StrEnum):
    """What is done to a cycle after its cut-off, one unit of work each."""

    FREEZE = "freeze"
    COMMISSION = "commission"
    NET = "net"
    PROPOSE = "propose"
    FIX = "fix"


def next_step(state: str, *, frozen: bool, commissioned: bool, netted: bool) -> Step | None:
    """What comes next, told from the row alone, so that any step can be taken up again after a crash.

    A proposed cycle that lost an obligation to a dispute is neither commissioned nor netted, and is so again
    before it is fixed.
    """
    if state not in {CycleState.CUT_OFF, CycleState.PROPOSED}:
        return None
    if not frozen:
        return Step.FREEZE
    if not commissioned:
        return Step.COMMISSION
    if not netted:
        return Step.NET
    return Step.FIX if state == CycleState.PROPOSED else Step.PROPOSE


@dataclass(frozen=True, slots=True)
class Gross:
    """What a party owes and is owed before netting."""

    owes_fen: int = 0
    is_owed_fen: int = 0

    @property
    def net_fen(self) -> int:
        """Positive receives, negative pays."""
        return self.is_owed_fen - self.owes_fen


def net(sides: Mapping[str, Gross], parties: Iterable[str] = ()) -> dict[str, Gross]:
    """Both sides of every party, in order of party id; those named in `parties` also when nothing moved.

    Raises:
        ValueError: the nets do not sum to zero.
    """
    if sum(side.net_fen for side in sides.values()):
        raise ValueError("every obligation has two sides")
    return {party: sides.get(party, Gross()) for party in sorted({*parties, *sides})}


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment between a party and the settlement account; which way, `pays_in` says."""

    party_id: str
    amount_fen: int
    pays_in: bool


def transfers(positions: Mapping[str, int]) -> list[Transfer]:
    """Hub and spoke: who pays in first, then who is paid out; one payment per party at most.

    Nobody learns from it for whose charges the money came.

    Raises:
        ValueError: the positions do not sum to zero.
    """
    _refuse_unless_zero(positions)
    moved = [Transfer(party, abs(fen), pays_in=fen < 0) for party, fen in positions.items() if fen]
    return sorted(moved, key=lambda transfer: (not transfer.pays_in, transfer.party_id))


@dataclass(frozen=True, slots=True)
class PeerTransfer:
    """One payment from a party that owes to one that is owed."""

    payer: str
    payee: str
    amount_fen: int


def peer_transfers(positions: Mapping[str, int]) -> list[PeerTransfer]:
    """Without a settlement account: the largest payer pays the largest receiver, until nothing is left.

    Every payment brings one of the two to zero, so there are at most n - 1 among n parties with a position;
    among equal amounts the smaller party id comes first. The least possible number would be NP-hard to find
    (it is n less the most groups that sum to zero); this is within two of it for a dozen parties. Each payer
    learns whom it pays, which is why the settlement account is the rule and this the option.

    Raises:
        ValueError: the positions do not sum to zero.
    """
    _refuse_unless_zero(positions)
    payers = [(fen, party) for party, fen in positions.items() if fen < 0]
    payees = [(-fen, party) for party, fen in positions.items() if fen > 0]
    heapq.heapify(payers)
    heapq.heapify(payees)
    moved = []
    while payers:
        (owes, payer), (owed, payee) = heapq.heappop(payers), heapq.heappop(payees)
        amount = min(-owes, -owed)
        moved.append(PeerTransfer(payer, payee, amount))
        for left, party, heap in ((owes + amount, payer, payers), (owed + amount, payee, payees)):
            if left:
                heapq.heappush(heap, (left, party))
    return moved


def _refuse_unless_zero(positions: Mapping[str, int]) -> None:
    if sum(positions.values()):
        raise ValueError("positions sum to zero")
