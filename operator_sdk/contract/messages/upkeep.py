"""Faults that drivers report, alarms that piles raise, and the work orders that come of both.

A driver sees his own faults and what came of them; a host the orders at its own piles, without the drivers; the
hub's staff see and do the work. Instants are business time. Photos are links: text that nobody here fetches.
"""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.codes import AlarmState, FaultKind, OrderPriority
from operator_sdk.contract.messages.common import (
    ConnectorRef,
    ForeignId,
    HubId,
    Instant,
    Message,
    Number,
    Page,
    PartyId,
    Word,
)
from operator_sdk.contract.messages.directory import DegreeE6

Words = Annotated[str, Meta(max_length=500)]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
PhotoLink = Annotated[
    str,
    Meta(
        pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[!-~]*)?$(?!\n)",
        max_length=300,
        description="kept as text, never fetched",
    ),
]
Photos = Annotated[list[PhotoLink], Meta(max_length=5)]
StaffLogin = Annotated[str, Meta(pattern=r"^[a-z0-9._-]{2,40}$(?!\n)")]


class FaultReport(Message, frozen=True, kw_only=True):
    """Something is wrong with this connector. The same `request_ref` again is the same report."""

    request_ref: ForeignId
    connector: ConnectorRef
    kind: FaultKind
    text: Words = ""
    photos: Photos = []
    session_id: HubId | None = None


class Fault(Message, frozen=True, kw_only=True):
    """A driver's own report, and what came of it.

    `state` is open, resolved or rejected; `order_state` that of the work order it became a part of; `outcome`
    what the dispatcher tells the driver, empty until the order is confirmed or cancelled.
    """

    fault_id: HubId
    request_ref: ForeignId
    connector: ConnectorRef
    station_name: str
    kind: str
    text: str
    photos: list[str]
    session_id: str | None
    state: str
    order_state: str
    outcome: str
    reported_at: Instant
    updated_at: Instant


class FaultPage(Page, frozen=True, kw_only=True):
    """A page of a driver's faults, oldest change first."""

    items: list[Fault]


class WorkOrderCreate(Message, frozen=True, kw_only=True):
    """Staff open an order: for a connector, or out of an alarm; one of the two.

    Left out, `title` and `kind` are those of the alarm, and `due_at` follows from the priority.
    """

    request_ref: ForeignId
    connector: ConnectorRef | None = None
    alarm_id: HubId | None = None
    title: Title | None = None
    kind: Word | None = None
    priority: OrderPriority = OrderPriority.NORMAL
    due_at: Instant | None = None
    note: Words = ""


class OrderChange(Message, frozen=True, kw_only=True):
    """A change of an order, or a note on it.

    `version` is the one the sender saw: when the order has moved on, it is refused with `state_conflict`.
    """

    request_ref: ForeignId
    version: Number
    note: Words = ""
    photos: Photos = []


class OrderAssign(OrderChange, frozen=True, kw_only=True):
    """Give an order to a worker; priority and due time change with it where they are named."""

    assignee: StaffLogin
    priority: OrderPriority | None = None
    due_at: Instant | None = None


class OrderClose(OrderChange, frozen=True, kw_only=True):
    """Confirm or cancel; `outcome` is what the drivers who reported it are told."""

    outcome: Words = ""


class WorkOrderQuery(Message, frozen=True, kw_only=True):
    """What a list of orders is narrowed by; `state` may name several, with commas between them.

    `text` is looked for in title, station, connector and id. With both coordinates the list is of the nearest
    orders that have a place, and has no next page. `overdue` and `mine` false leave the list as it is.
    """

    state: Annotated[str, Meta(pattern=r"^[a-z_]{1,20}(,[a-z_]{1,20}){0,7}$")] | None = None
    priority: OrderPriority | None = None
    text: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    host_party_id: PartyId | None = None
    overdue: bool = False
    mine: bool = False
    latitude_e6: Annotated[int, Meta(ge=-90_000_000, le=90_000_000)] | None = None
    longitude_e6: DegreeE6 | None = None


class AlarmQuery(Message, frozen=True, kw_only=True):
    """What a list of alarms is narrowed by."""

    state: AlarmState | None = None
    host_party_id: PartyId | None = None


class StatisticsQuery(Message, frozen=True, kw_only=True):
    """All orders, or those at one host's piles."""

    host_party_id: PartyId | None = None


class WorkOrder(Message, frozen=True, kw_only=True):
    """An order as staff see it. `distance_m` is there when the list was asked for what is near."""

    order_id: HubId
    version: Number
    state: str
    title: str
    kind: str
    priority: str
    due_at: Instant
    overdue: bool
    assignee: str | None
    host_party_id: str
    connector: str | None
    station_id: str | None
    station_name: str
    latitude_e6: int | None
    longitude_e6: int | None
    fault_count: int
    alarm_count: int
    outcome: str
    created_at: Instant
    updated_at: Instant
    accepted_at: Instant | None = None
    done_at: Instant | None = None
    distance_m: int | None = None


class OrderStep(Message, frozen=True, kw_only=True):
    """A line of an order's history: who, when, from which state to which; a note stays in its state.

    `who` is a staff login, `driver` (never which one) or `hub`. `number` is the order's version after it.
    """

    number: Number
    who: str
    at: Instant
    from_state: str | None
    to_state: str
    note: str
    photos: list[str]


class OrderFault(Message, frozen=True, kw_only=True):
    """A driver's report on an order, without the driver."""

    fault_id: HubId
    kind: str
    text: str
    photos: list[str]
    reported_at: Instant


class Alarm(Message, frozen=True, kw_only=True):
    """A fault that a pile, a site or a host's status reports; repeated while it lasts, it stays one alarm.

    `state` is raised, acknowledged or cleared; `count` how often it was reported.
    """

    alarm_id: HubId
    host_party_id: str
    connector: str | None
    site_id: str | None
    code: str
    text: str
    count: int
    urgent: bool
    state: str
    first_at: Instant
    last_at: Instant
    cleared_at: Instant | None
    acknowledged_by: str | None
    acknowledged_at: Instant | None
    order_id: str | None
    updated_at: Instant


class AlarmPage(Page, frozen=True, kw_only=True):
    """A page of alarms, oldest change first."""

    items: list[Alarm]


class WorkOrderDetail(WorkOrder, frozen=True, kw_only=True):
    """An order with everything on it."""

    history: list[OrderStep]
    faults: list[OrderFault]
    alarms: list[Alarm]


class WorkOrderPage(Page, frozen=True, kw_only=True):
    """A page of orders, oldest change first; what is near comes nearest first, on one page."""

    items: list[WorkOrder]


class HostWorkOrder(Message, frozen=True, kw_only=True):
    """An order as the host of the pile sees it: neither the drivers nor the staff."""

    order_id: HubId
    state: str
    kind: str
    priority: str
    due_at: Instant
    overdue: bool
    host_party_id: str
    connector: str | None
    station_id: str | None
    fault_count: int
    alarm_count: int
    outcome: str
    created_at: Instant
    updated_at: Instant


class HostWorkOrderPage(Page, frozen=True, kw_only=True):
    """A page of orders at the caller's own piles, oldest change first."""

    items: list[HostWorkOrder]


class NamedCount(Message, frozen=True, kw_only=True):
    """How many by this name."""

    name: str
    count: int


class Spread(Message, frozen=True, kw_only=True):
    """Nearest-rank percentiles in whole seconds, over `count` orders; null without any."""

    count: int
    median_s: int | None
    p90_s: int | None


class WorkOrderStatistics(Message, frozen=True, kw_only=True):
    """All orders counted; from opening to the first acceptance, and to the last time it was done."""

    total: int
    overdue: int
    states: list[NamedCount]
    hosts: list[NamedCount]
    kinds: list[NamedCount]
    to_accept: Spread
    to_done: Spread
