"""Rules of upkeep: which step of an order follows which, who may take it, what is urgent, when it is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from operator_sdk.contract.codes import FaultState, OrderPriority, OrderState


class Step(StrEnum):
    """What somebody does to a work order; each is an operation of that name."""

    ASSIGN = "assign"
    TAKE = "take"
    ACCEPT = "accept"
    START = "start"
    FINISH = "finish"
    CONFIRM = "confirm"
    REOPEN = "reopen"
    CANCEL = "cancel"
    NOTE = "note"


LIVING = frozenset(
    {
        OrderState.OPEN,
        OrderState.ASSIGNED,
        OrderState.ACCEPTED,
        OrderState.IN_PROGRESS,
        OrderState.REOPENED,
    }
)
"""Work is still to be done: such orders can be overdue, and are what somebody is near to."""

_WAITING = frozenset({OrderState.OPEN, OrderState.REOPENED})

LEADS: Mapping[Step, tuple[frozenset[OrderState], tuple[OrderState, ...]]] = {
    Step.ASSIGN: (LIVING, (OrderState.ASSIGNED,)),
    Step.TAKE: (_WAITING, (OrderState.ASSIGNED, OrderState.ACCEPTED)),
    Step.ACCEPT: (frozenset({OrderState.ASSIGNED}), (OrderState.ACCEPTED,)),
    Step.START: (frozenset({OrderState.ACCEPTED}), (OrderState.IN_PROGRESS,)),
    Step.FINISH: (frozenset({OrderState.IN_PROGRESS}), (OrderState.DONE,)),
    Step.CONFIRM: (frozenset({OrderState.DONE}), (OrderState.CONFIRMED,)),
    Step.REOPEN: (frozenset({OrderState.DONE, OrderState.CONFIRMED}), (OrderState.REOPENED,)),
    Step.CANCEL: (LIVING, (OrderState.CANCELLED,)),
}
"""From which states a step may be taken, and through which it leads. A note is possible everywhere and leads
nowhere."""

WORKERS_OWN = frozenset({Step.ACCEPT, Step.START, Step.FINISH})
"""Only whoever the order is assigned to takes these."""

UNFINISHED = LIVING | {OrderState.DONE}
"""Something is still to be done or to be confirmed: another report of the same connector joins the order."""


class NotYours(ValueError):
    """A step on an order that is assigned to nobody or to somebody else."""


class OutOfStep(ValueError):
    """The order's state does not allow the step, or it has moved on since the sender saw it."""


def follow(step: Step, state: OrderState) -> tuple[OrderState, ...]:
    """The states that a step leads through, in order.

    Raises:
        OutOfStep: not from this state.
    """
    if step is Step.NOTE:
        return (state,)
    allowed, leads = LEADS[step]
    if state not in allowed:
        raise OutOfStep
    return leads


def check_person(step: Step, *, actor: str, assignee: str | None, may_dispatch: bool) -> None:
    """Whether this person may take the step on an order with this assignee.

    Raises:
        NotYours: it is not the person's own.
    """
    own = actor == assignee
    if step in WORKERS_OWN and not own:
        raise NotYours
    if step is Step.NOTE and not (own or may_dispatch):
        raise NotYours


def fault_state(order: OrderState) -> FaultState:
    """What an order's state means for the faults on it."""
    ends = {OrderState.CONFIRMED: FaultState.RESOLVED, OrderState.CANCELLED: FaultState.REJECTED}
    return ends.get(order, FaultState.OPEN)


_RANK = list(OrderPriority)
_DUE_WITHIN: Mapping[OrderPriority, timedelta] = {
    OrderPriority.LOW: timedelta(days=7),
    OrderPriority.NORMAL: timedelta(days=3),
    OrderPriority.HIGH: timedelta(days=1),
    OrderPriority.URGENT: timedelta(hours=4),
}


def due_at(priority: OrderPriority, since: datetime) -> datetime:
    """When an order of this priority is due, unless somebody says otherwise."""
    return since + _DUE_WITHIN[priority]


def is_more_urgent(one: OrderPriority, other: OrderPriority) -> bool:
    """Whether one priority is above the other."""
    return _RANK.index(one) > _RANK.index(other)


CONNECTOR_FAULTED = "connector_faulted"
"""The alarm of a connector whose host reports it faulted."""

URGENT_CODES = frozenset({"emergency_stop", "over_temperature", "insulation", "leakage", "meter_went_back"})
"""Faults that open a work order by themselves."""

MOMENTARY_CODES = frozenset({"bad_item", "bill_refused", "proof_wrong", "superseded"})
"""What happens and does not last, so that nobody clears it: happening anew, it is for somebody to see anew."""


CODE_MOST, TEXT_MOST = 40, 200
"""Of a code or a text that is longer, this much is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFault:
    """A fault that a pile, a site or a host's status shows, or (`cleared`) no longer shows.

    `connector_id` None is a fault of the whole site. `at` is business time.
    """

    host_party_id: str
    code: str
    text: str
    at: datetime
    cleared: bool
    connector_id: str | None = None
    site_id: str | None = None

    @property
    def open_key(self) -> str:
        """What an alarm is one alarm by, while it is open."""
        place = self.connector_id or f"site:{self.site_id}"
        return f"{self.host_party_id}/{place}/{self.code[:CODE_MOST]}"


def rank_of(percent: int, count: int) -> int:
    """The place (from 0) of a nearest-rank percentile among that many values in order."""
    return max(0, -(-percent * count // 100) - 1)
