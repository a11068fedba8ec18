"""Work orders within a unit that somebody else opened: opening, joining, moving on, with their history."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.core.clock import Clock
from hub.core.database import Unit
from hub.core.ids import Ids
from hub.directory.tables_place import hold_place
from hub.parties.scope import HUB
from hub.upkeep.model import due_at, fault_state, is_more_urgent
from hub.upkeep.tables import WorkOrderRow, WorkOrderStepRow, find_unfinished
from hub.upkeep.tables_alarms import find_unfinished_of_site
from hub.upkeep.tables_faults import tell_faults
from operator_sdk.contract.codes import OrderPriority, OrderState
from operator_sdk.contract.ids import ORDER

BY_DRIVER, BY_HUB = "driver", "hub"
"""Who wrote a line of history when it was nobody on the staff; a driver is never named."""

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is to be repaired: a connector, or a whole site. Unknown coordinates are left out."""

    host_party_id: str
    connector_id: str | None = None
    site_id: str | None = None
    station_id: str | None = None
    station_name: str = ""
    latitude_e6: int | None = None
    longitude_e6: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an order is about, and who opens it."""

    title: str
    kind: str
    who: str
    priority: OrderPriority = OrderPriority.NORMAL
    due_at: datetime | None = None
    note: str = ""


class OrderBook:
    """Writes orders; every method runs in its caller's unit."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock, self._ids = clock, ids

    async def place_of(self, unit: Unit, host_party_id: str, connector_id: str) -> Place | None:
        """A living connector's place, held until the unit ends: its orders are opened one after another."""
        found = await hold_place(unit, host_party_id, connector_id)
        if found is None:
            return None
        return Place(host_party_id=host_party_id, connector_id=connector_id, **found._asdict())

    async def join_or_open(self, unit: Unit, place: Place, job: Job) -> WorkOrderRow:
        """The order at a place that is not finished yet, or a new one.

        A connector is held by `place_of`; a site by whoever stores what it reports.
        """
        row = None
        if place.connector_id is not None:
            row = await find_unfinished(HUB, unit, place.host_party_id, place.connector_id)
        elif place.site_id is not None:
            row = await find_unfinished_of_site(HUB, unit, place.host_party_id, place.site_id)
        if row is not None:
            await self._join(unit, row, job)
            return row
        return await self.open(unit, place, job)

    async def _join(self, unit: Unit, row: WorkOrderRow, job: Job) -> None:
        """A step of its own: whoever has not seen what joined cannot close the order over it."""
        if is_more_urgent(job.priority, OrderPriority(row.priority)):
            row.priority = job.priority
            row.due_at = min(row.due_at, due_at(job.priority, self._clock.business()))
        await self.step(unit, row, OrderState(row.state), who=job.who, note=job.title)

    async def open(self, unit: Unit, place: Place, job: Job, order_id: str | None = None) -> WorkOrderRow:
        """A new order, by an id made for it if there is one."""
        now = self._clock.business()
        row = WorkOrderRow(
            order_id=order_id or self._ids.new(ORDER),
            state=OrderState.OPEN,
            title=job.title[:200],
            kind=job.kind,
            priority=job.priority,
            due_at=job.due_at or due_at(job.priority, now),
            host_party_id=place.host_party_id,
            connector_id=place.connector_id,
            station_id=place.station_id,
            station_name=place.station_name,
            latitude_e6=place.latitude_e6,
            longitude_e6=place.longitude_e6,
            created_at=now,
            updated_at=now,
        )
        unit.session.add(row)
        await unit.session.flush()  # before what refers to it
        self._write(unit, row, None, who=job.who, note=job.note)
        return row

    async def step(
        self,
        unit: Unit,
        row: WorkOrderRow,
        to: OrderState,
        *,
        who: str,
        note: str = "",
        photos: Sequence[str] = (),
    ) -> None:
        """Move an order (held by the caller) on, or write a note that leaves it where it is."""
        before, now = row.state, self._clock.business()
        row.state, row.updated_at = to, now
        self._write(unit, row, before, who=who, note=note, photos=photos)
        if before == to:
            return
        _measure(row, to, who)
        await tell_faults(
            unit, row.order_id, state=fault_state(to), order_state=to, outcome=row.outcome, now=now
        )

    def _write(
        self,
        unit: Unit,
        row: WorkOrderRow,
        before: str | None,
        *,
        who: str,
        note: str = "",
        photos: Sequence[str] = (),
    ) -> None:
        row.version += 1
        unit.session.add(
            WorkOrderStepRow(
                order_id=row.order_id,
                number=row.version,
                who=who,
                at=row.updated_at,
                from_state=before,
                to_state=row.state,
                note=note,
                photos=json.dumps(list(photos)),
            )
        )


def _measure(row: WorkOrderRow, to: OrderState, who: str) -> None:
    now = row.updated_at
    if to is OrderState.ACCEPTED and row.accepted_at is None:
        row.accepted_at, row.accept_s = now, (now - row.created_at) // SECOND
    elif to is OrderState.DONE:
        row.done_at, row.done_s, row.done_by = now, (now - row.created_at) // SECOND, who
    elif to is OrderState.REOPENED:
        row.done_at = row.done_s = row.done_by = row.assignee = None
