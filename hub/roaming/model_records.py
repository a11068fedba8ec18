"""A charge record's life: which state may follow which, what the home owes, and for what."""

from collections.abc import Sequence
from typing import Protocol

from operator_sdk.contract.codes import RecordState
from operator_sdk.contract.money import largest_remainder, owed_at_most_fen

FOLLOWS: dict[RecordState, frozenset[RecordState]] = {
    RecordState.RECEIVED: frozenset({RecordState.ACCEPTED, RecordState.SUSPENDED, RecordState.REJECTED}),
    RecordState.SUSPENDED: frozenset({RecordState.ACCEPTED, RecordState.REJECTED}),
    RecordState.ACCEPTED: frozenset({RecordState.DISPUTED, RecordState.SETTLED, RecordState.CREDITED}),
    RecordState.DISPUTED: frozenset({RecordState.ACCEPTED, RecordState.CREDITED}),
    RecordState.SETTLED: frozenset({RecordState.CREDITED}),
    RecordState.REJECTED: frozenset(),
    RecordState.CREDITED: frozenset(),
}
"""What may become of a record. A credit undoes what is owed, and what was paid; it never edits either."""

BEGINS = frozenset({RecordState.RECEIVED, *FOLLOWS[RecordState.RECEIVED]})
"""What a record may be when it is first written: it is judged in the step that takes it."""

OWED = frozenset({RecordState.ACCEPTED, RecordState.DISPUTED, RecordState.SETTLED, RecordState.CREDITED})
"""The states in which somebody owes, or owed, a record."""


def may_become(old: RecordState, new: RecordState) -> bool:
    """Whether a record may go from one state to another."""
    return new in FOLLOWS[old]


class Billed(Protocol):
    """What a bill, on the wire or as it is kept, says of its money."""

    @property
    def energy_wh(self) -> int: ...

    @property
    def electricity_fen(self) -> int: ...

    @property
    def service_fen(self) -> int: ...

    @property
    def parking_fen(self) -> int: ...

    @property
    def idle_fen(self) -> int: ...


def weights_of(bill: Billed) -> tuple[int, int, int, int]:
    """What is to be paid of a bill: electricity, service, parking, idle; no energy costs nothing."""
    electricity, service = (bill.electricity_fen, bill.service_fen) if bill.energy_wh else (0, 0)
    return electricity, service, bill.parking_fen, bill.idle_fen


def owed_fen(weights: Sequence[int], limit_fen: int | None) -> int:
    """What the home owes of them: the host bears what lies beyond limit + max(1 %, 300 fen)."""
    due = sum(weights)
    return due if limit_fen is None else min(due, owed_at_most_fen(limit_fen))


def shares_of(owed: int, weights: Sequence[int]) -> list[int]:
    """What is owed, divided over the fees as they were billed; the parts sum to it."""
    return largest_remainder(owed, weights)
