"""The rules of disputes: which state follows which, who may speak until when, and what silence means."""

from datetime import datetime, timedelta
from typing import Protocol

from operator_sdk.contract.codes import DisputeState, RecordState

ANSWER_WITHIN = timedelta(hours=72)
"""Three days for the other side; after that its silence is consent, and the record is credited."""

INSIST_WITHIN = timedelta(days=7)
"""For whoever raised it, once it was contested; after that its silence is consent, and the record stands."""

STAFF_WITHIN = timedelta(days=7)
"""For staff, once somebody insists. Nothing happens by itself then: the date is there to be seen."""

RAISED_WITHIN = timedelta(days=90)
"""After the day of acceptance nobody disputes a record any more."""

FOLLOWS: dict[DisputeState, frozenset[DisputeState]] = {
    DisputeState.RAISED: frozenset({DisputeState.ANSWERED, DisputeState.ACCEPTED, DisputeState.CREDITED}),
    DisputeState.ANSWERED: frozenset({DisputeState.ACCEPTED, DisputeState.CREDITED}),
    DisputeState.ACCEPTED: frozenset(),
    DisputeState.CREDITED: frozenset(),
}
"""What may become of a dispute: what is resolved stays so."""

OPEN = frozenset(state for state, following in FOLLOWS.items() if following)
RESOLVED = frozenset(DisputeState) - OPEN

MAY_BE_DISPUTED = frozenset({RecordState.ACCEPTED, RecordState.SETTLED})
"""A settled record keeps its state meanwhile: what was paid is not touched, and only a credit gives it back."""


class Standing(Protocol):
    """Where a dispute stands."""

    @property
    def state(self) -> str: ...

    @property
    def home_party_id(self) -> str: ...

    @property
    def host_party_id(self) -> str: ...

    @property
    def raised_by(self) -> str: ...

    @property
    def due_at(self) -> datetime: ...

    @property
    def insisted_at(self) -> datetime | None: ...


def other_side(dispute: Standing) -> str:
    """Who has to answer."""
    raised_by_home = dispute.raised_by == dispute.home_party_id
    return dispute.host_party_id if raised_by_home else dispute.home_party_id


def may_answer(dispute: Standing, now: datetime) -> bool:
    """Whether the other side still may; from the due time on its silence has spoken, whoever noticed."""
    return dispute.state == DisputeState.RAISED and now < dispute.due_at


def may_insist(dispute: Standing, now: datetime) -> bool:
    """Whether whoever raised it still may."""
    return dispute.state == DisputeState.ANSWERED and dispute.insisted_at is None and now < dispute.due_at


def silence_means(dispute: Standing, now: datetime) -> DisputeState | None:
    """How a dispute ends because somebody let the time pass; None while it does not."""
    if now < dispute.due_at or dispute.insisted_at is not None:
        return None
    if dispute.state == DisputeState.RAISED:
        return DisputeState.CREDITED
    return DisputeState.ACCEPTED if dispute.state == DisputeState.ANSWERED else None
