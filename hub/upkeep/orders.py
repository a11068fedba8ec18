"""What staff do with work orders, and what they and the hosts see of them."""

from collections.abc import Sequence
from datetime import datetime
from heapq import nsmallest

import msgspec

from hub.core.clock import Clock, cut_to_ms
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.paging import cut_page
from hub.core.tables import claim_message
from hub.directory.distance import metres, place_at
from hub.directory.model import is_plausible
from hub.parties.scope import HUB, PartyScope
from hub.parties.tables_staff import functions_of_login, same_person
from hub.upkeep.alarms import Alarms
from hub.upkeep.model import (
    LIVING,
    UNFINISHED,
    NotYours,
    OutOfStep,
    Step,
    check_person,
    due_at,
    follow,
)
from hub.upkeep.orderbook import Job, OrderBook
from hub.upkeep.tables import (
    Narrowed,
    WorkOrderRow,
    get_order,
    list_by_ids,
    list_orders,
    list_places,
    list_steps,
)
from hub.upkeep.tables_alarms import AlarmRow, get_alarm, list_alarms_of
from hub.upkeep.tables_faults import list_faults_of
from hub.upkeep.views import detail_view, host_view, order_view
from operator_sdk.contract.codes import OrderState
from operator_sdk.contract.ids import ORDER, split_connector
from operator_sdk.contract.messages.upkeep import (
    HostWorkOrderPage,
    OrderAssign,
    OrderChange,
    OrderClose,
    WorkOrderCreate,
    WorkOrderDetail,
    WorkOrderPage,
    WorkOrderQuery,
)
from operator_sdk.contract.public_codes import Code

WORKER = "upkeep_work"
"""The function that whoever is given an order must have."""


class Orders:
    """Work orders. Whoever changes one says which version they saw."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        book: OrderBook,
        alarms: Alarms,
        hub_party_id: str,
    ) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._book, self._alarms, self._hub_party_id = book, alarms, hub_party_id

    async def create(self, request: WorkOrderCreate, *, actor: str) -> WorkOrderDetail:
        """Open an order for a connector or out of an alarm.

        Raises:
            NotFoundError: no such alarm.
            HubError: malformed, id_reused, connector_unknown, rule_violated (connector or alarm, one of them)
                or state_conflict (the alarm has an order that is not finished).
        """
        if (request.connector is None) == (request.alarm_id is None):
            raise HubError(Code.RULE_VIOLATED, reason="an order is for a connector or an alarm")
        due = _instant(request.due_at)
        async with self._database.unit() as unit:
            new, order_id = await self._claim(unit, "create", self._ids.new(ORDER), request, actor)
            if new:
                row = await self._open(unit, order_id, request, due=due, actor=actor)
            else:
                row = await _held(unit, order_id)
            return await self._detail(unit, row)

    async def _claim(
        self, unit: Unit, what: str, order_id: str, request: WorkOrderCreate | OrderChange, actor: str
    ) -> tuple[bool, str]:
        return await claim_message(
            unit,
            party_id=self._hub_party_id,
            kind="work_order",
            external_id=f"{actor}/{request.request_ref}",
            canonical=f"{what}/".encode() + msgspec.json.encode(request, order="sorted"),
            subject_id=order_id,
            now=self._clock.business(),
        )

    async def _open(
        self, unit: Unit, order_id: str, request: WorkOrderCreate, *, due: datetime | None, actor: str
    ) -> WorkOrderRow:
        alarm = await _free_alarm(unit, request.alarm_id) if request.alarm_id else None
        if alarm is not None:
            place = await self._alarms.place(unit, alarm)
        else:
            found = await self._book.place_of(unit, *split_connector(request.connector or ""))
            if found is None:
                raise HubError(Code.CONNECTOR_UNKNOWN)
            place = found
        kind = request.kind or (alarm.code if alarm else "other")
        title = request.title or (self._alarms.title(alarm) if alarm else f"{kind} at {place.connector_id}")
        job = Job(title=title, kind=kind, who=actor, priority=request.priority, due_at=due, note=request.note)
        row = await self._book.open(unit, place, job, order_id)
        if alarm is not None:
            alarm.order_id, row.alarm_count = row.order_id, 1
        return row

    async def change(
        self, step: Step, order_id: str, request: OrderChange, *, actor: str, may_dispatch: bool = False
    ) -> WorkOrderDetail:
        """Take a step; the same again is answered with how the order stands.

        Raises:
            NotFoundError: no such order.
            HubError: malformed, id_reused, forbidden (it is somebody else's), state_conflict (not from this
                state, or the order has moved on since `version`), rule_violated (the assignee is no worker)
                or second_person_needed.
        """
        due = _instant(request.due_at) if isinstance(request, OrderAssign) else None
        async with self._database.unit() as unit:
            new, _ = await self._claim(unit, f"{step}/{order_id}", order_id, request, actor)
            row = await _held(unit, order_id)
            if new:
                states = _allowed(step, row, request, actor=actor, may_dispatch=may_dispatch)
                await self._prepare(unit, step, row, request, actor=actor)
                if due is not None:
                    row.due_at = due
                for state in states:
                    last = state is states[-1]
                    note, photos = (request.note, request.photos) if last else ("", [])
                    await self._book.step(unit, row, state, who=actor, note=note, photos=photos)
            return await self._detail(unit, row)

    async def _prepare(
        self, unit: Unit, step: Step, row: WorkOrderRow, request: OrderChange, *, actor: str
    ) -> None:
        """What a step changes beside the state."""
        if isinstance(request, OrderAssign):
            if WORKER not in await functions_of_login(unit, request.assignee):
                raise HubError(Code.RULE_VIOLATED, reason="the assignee is not a maintenance worker")
            row.assignee = request.assignee
            if request.priority is not None:
                row.priority = request.priority
                row.due_at = due_at(request.priority, row.created_at)
        elif isinstance(request, OrderClose):
            if step is Step.CONFIRM and await same_person(unit, row.done_by or "", actor):
                raise HubError(Code.SECOND_PERSON_NEEDED)
            row.outcome = request.outcome
        elif step is Step.TAKE:
            row.assignee = actor
        elif step is Step.REOPEN:
            row.outcome = ""

    async def one(self, viewer: PartyScope, order_id: str) -> WorkOrderDetail:
        """One order with its history. Raises NotFoundError when the viewer does not see it."""
        async with self._database.reading() as unit:
            row = await get_order(viewer, unit, order_id)
            if row is None:
                raise NotFoundError
            return await self._detail(unit, row)

    async def many(
        self,
        viewer: PartyScope,
        query: WorkOrderQuery,
        *,
        actor: str,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
    ) -> WorkOrderPage:
        """Orders, oldest change first; the nearest first where the query names a place.

        Raises:
            HubError: malformed: half a place, or a place and a cursor.
        """
        narrowed = self._narrowed(query, actor)
        async with self._database.reading() as unit:
            if query.latitude_e6 is not None or query.longitude_e6 is not None:
                if after is not None:
                    raise HubError(Code.MALFORMED, field="after")
                return await self._near(viewer, unit, query, narrowed, limit=limit)
            rows = await list_orders(
                viewer, unit, narrowed, after=after, updated_since=updated_since, limit=limit + 1
            )
        page, more = cut_page(rows, limit, _position)
        now = self._clock.business()
        return WorkOrderPage(items=[order_view(row, now) for row in page], next_after=more)

    def _narrowed(self, query: WorkOrderQuery, actor: str) -> Narrowed:
        states = query.state.split(",") if query.state else []
        if query.latitude_e6 is not None and not states:
            states = sorted(LIVING)  # what is done needs nobody near it
        return Narrowed(
            states=states,
            priority=query.priority,
            text=query.text,
            host_party_id=query.host_party_id,
            overdue_at=self._clock.business() if query.overdue else None,
            assignee=actor if query.mine else None,
        )

    async def _near(
        self, viewer: PartyScope, unit: Unit, query: WorkOrderQuery, narrowed: Narrowed, *, limit: int
    ) -> WorkOrderPage:
        if query.latitude_e6 is None or query.longitude_e6 is None:
            raise HubError(Code.MALFORMED, reason="a place is latitude_e6 and longitude_e6")
        here = place_at(query.latitude_e6, query.longitude_e6)
        nearest = nsmallest(
            limit,
            (
                (here.squares_to(latitude_e6, longitude_e6), order_id)
                for order_id, latitude_e6, longitude_e6 in await list_places(viewer, unit, narrowed)
            ),
        )
        rows = await list_by_ids(viewer, unit, [order_id for _, order_id in nearest])
        now = self._clock.business()
        return WorkOrderPage(
            items=[order_view(rows[order_id], now, metres(squares)) for squares, order_id in nearest]
        )

    async def at_my_piles(
        self,
        viewer: PartyScope,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
    ) -> HostWorkOrderPage:
        """A host's view of the orders at its own piles."""
        async with self._database.reading() as unit:
            rows = await list_orders(
                viewer, unit, Narrowed(), after=after, updated_since=updated_since, limit=limit + 1
            )
        page, more = cut_page(rows, limit, _position)
        now = self._clock.business()
        return HostWorkOrderPage(items=[host_view(row, now) for row in page], next_after=more)

    async def _detail(self, unit: Unit, row: WorkOrderRow) -> WorkOrderDetail:
        await unit.session.flush()
        return detail_view(
            row,
            self._clock.business(),
            steps=await list_steps(HUB, unit, row.order_id),
            faults=await list_faults_of(HUB, unit, row.order_id),
            alarms=await list_alarms_of(HUB, unit, row.order_id),
        )


async def _held(unit: Unit, order_id: str) -> WorkOrderRow:
    row = await get_order(HUB, unit, order_id, lock=True)
    if row is None:
        raise NotFoundError
    return row


async def _free_alarm(unit: Unit, alarm_id: str) -> AlarmRow:
    """An alarm without an order that somebody still has to finish, held until the unit ends."""
    alarm = await get_alarm(HUB, unit, alarm_id, lock=True)
    if alarm is None:
        raise NotFoundError
    order = await get_order(HUB, unit, alarm.order_id) if alarm.order_id else None
    if order is not None and order.state in UNFINISHED:
        raise HubError(Code.STATE_CONFLICT, order_id=order.order_id)
    return alarm


def _allowed(
    step: Step, row: WorkOrderRow, request: OrderChange, *, actor: str, may_dispatch: bool
) -> Sequence[OrderState]:
    try:
        check_person(step, actor=actor, assignee=row.assignee, may_dispatch=may_dispatch)
        states = follow(step, OrderState(row.state))
    except NotYours as problem:
        raise HubError(Code.FORBIDDEN) from problem
    except OutOfStep as problem:
        raise HubError(Code.STATE_CONFLICT, state=row.state, version=row.version) from problem
    if request.version != row.version:
        raise HubError(Code.STATE_CONFLICT, state=row.state, version=row.version)
    return states


def _position(row: WorkOrderRow) -> tuple[datetime, str]:
    return row.updated_at, row.order_id


def _instant(at: datetime | None) -> datetime | None:
    if at is not None and not is_plausible(at):
        raise HubError(Code.MALFORMED, field="due_at")
    return at and cut_to_ms(at)
