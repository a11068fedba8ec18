"""Rows of work orders and their history. Every query takes its viewer first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Index, and_, func, or_, true
from sqlalchemy import select as select_columns
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.types import TableRow, instant, text
from hub.parties.scope import PartyScope
from hub.upkeep.model import LIVING, UNFINISHED


class WorkOrderRow(TableRow, table=True):
    """Something to be repaired at a host's connector or site. `version` is the number of its last step.

    `accept_s` and `done_s` are business seconds from opening to the first acceptance and to the last finish.
    """

    __tablename__ = "work_order"
    order_id: str = Field(primary_key=True, max_length=40)
    version: int = 0
    state: str = Field(max_length=12)
    title: str = Field(max_length=200)
    kind: str = Field(max_length=40)
    priority: str = Field(max_length=8)
    due_at: datetime = instant()
    assignee: str | None = Field(default=None, max_length=40, index=True)
    host_party_id: str = Field(max_length=9)
    connector_id: str | None = Field(default=None, max_length=26)
    station_id: str | None = Field(default=None, max_length=40)
    station_name: str = Field(default="", max_length=200)
    latitude_e6: int | None = None
    longitude_e6: int | None = None
    fault_count: int = 0
    alarm_count: int = 0
    outcome: str = Field(default="", max_length=500)
    done_by: str | None = Field(default=None, max_length=60)
    created_at: datetime = instant()
    updated_at: datetime = instant()
    accepted_at: datetime | None = instant(nullable=True)
    done_at: datetime | None = instant(nullable=True)
    accept_s: int | None = None
    done_s: int | None = None

    __table_args__ = (
        Index("work_order_updated", "updated_at", "order_id"),
        Index("work_order_host", "host_party_id", "updated_at", "order_id"),
        Index("work_order_connector", "host_party_id", "connector_id", "state"),
        Index("work_order_state", "state", "due_at"),
    )


class WorkOrderStepRow(TableRow, table=True):
    """A line of an order's history; never changed. `photos` is JSON."""

    __tablename__ = "work_order_step"
    order_id: str = Field(primary_key=True, max_length=40, foreign_key="work_order.order_id")
    number: int = Field(primary_key=True)
    who: str = Field(max_length=60)
    at: datetime = instant()
    from_state: str | None = Field(default=None, max_length=12)
    to_state: str = Field(max_length=12)
    note: str = text()
    photos: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What a list of orders is narrowed by; `overdue_at` is the instant at which they are overdue."""

    states: Sequence[str] = ()
    priority: str | None = None
    text: str | None = None
    host_party_id: str | None = None
    overdue_at: datetime | None = None
    assignee: str | None = None


async def get_order(
    viewer: PartyScope, unit: Unit, order_id: str, *, lock: bool = False
) -> WorkOrderRow | None:
    """An order within the viewer's scope; drivers see none."""
    statement = select(WorkOrderRow).where(WorkOrderRow.order_id == order_id, _seen_by(viewer))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def find_unfinished(
    viewer: PartyScope, unit: Unit, host_party_id: str, connector_id: str
) -> WorkOrderRow | None:
    """The oldest order at a connector that is not confirmed and not cancelled, held until the unit ends."""
    statement = (
        select(WorkOrderRow)
        .where(
            _seen_by(viewer),
            WorkOrderRow.host_party_id == host_party_id,
            WorkOrderRow.connector_id == connector_id,
            col(WorkOrderRow.state).in_(UNFINISHED),
        )
        .order_by(col(WorkOrderRow.created_at), col(WorkOrderRow.order_id))
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).first()


async def list_steps(viewer: PartyScope, unit: Unit, order_id: str) -> list[WorkOrderStepRow]:
    """An order's history from its beginning."""
    statement = (
        select(WorkOrderStepRow)
        .join(WorkOrderRow)
        .where(WorkOrderStepRow.order_id == order_id, _seen_by(viewer))
        .order_by(col(WorkOrderStepRow.number))
    )
    return list((await unit.session.exec(statement)).all())


async def list_orders(
    viewer: PartyScope,
    unit: Unit,
    narrowed: Narrowed,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
) -> list[WorkOrderRow]:
    """Orders by (updated_at, order_id), after a keyset position."""
    statement = select(WorkOrderRow).where(_seen_by(viewer), _narrow(narrowed))
    return await page_of(
        unit, statement, WorkOrderRow, "order_id", after=after, updated_since=updated_since, limit=limit
    )


async def list_places(viewer: PartyScope, unit: Unit, narrowed: Narrowed) -> list[tuple[str, int, int]]:
    """(order_id, latitude_e6, longitude_e6) of orders that have a place."""
    statement = select_columns(
        col(WorkOrderRow.order_id), col(WorkOrderRow.latitude_e6), col(WorkOrderRow.longitude_e6)
    ).where(_seen_by(viewer), _narrow(narrowed), col(WorkOrderRow.latitude_e6).is_not(None))
    rows = await unit.execute(statement)
    return [(row.order_id, row.latitude_e6, row.longitude_e6) for row in rows]


async def list_by_ids(viewer: PartyScope, unit: Unit, order_ids: Sequence[str]) -> dict[str, WorkOrderRow]:
    """Orders by their ids."""
    statement = select(WorkOrderRow).where(_seen_by(viewer), col(WorkOrderRow.order_id).in_(order_ids))
    return {row.order_id: row for row in await unit.session.exec(statement)}


async def list_counts(
    viewer: PartyScope, unit: Unit, by: str, *, host_party_id: str | None
) -> list[tuple[str, int]]:
    """How many orders have each value of a column, in order of value."""
    column: Any = getattr(WorkOrderRow, by)
    statement = (
        select_columns(column.label("name"), func.count().label("orders"))
        .where(_seen_by(viewer), _narrow(Narrowed(host_party_id=host_party_id)))
        .group_by(column)
        .order_by(column)
    )
    return [(row.name, row.orders) for row in await unit.execute(statement)]


async def find_overdue_count(
    viewer: PartyScope, unit: Unit, now: datetime, *, host_party_id: str | None
) -> int:
    """How many orders are overdue."""
    narrowed = Narrowed(host_party_id=host_party_id, overdue_at=now)
    statement = select_columns(func.count()).select_from(WorkOrderRow)
    return int((await unit.execute(statement.where(_seen_by(viewer), _narrow(narrowed)))).scalar_one())


async def find_span_count(viewer: PartyScope, unit: Unit, span: str, *, host_party_id: str | None) -> int:
    """How many orders have got as far as a span (accept_s, done_s) measures."""
    statement = select_columns(func.count(getattr(WorkOrderRow, span))).select_from(WorkOrderRow)
    narrowed = _narrow(Narrowed(host_party_id=host_party_id))
    return int((await unit.execute(statement.where(_seen_by(viewer), narrowed))).scalar_one())


async def find_span_at(
    viewer: PartyScope, unit: Unit, span: str, rank: int, *, host_party_id: str | None
) -> int:
    """The span at a place (from 0) among all in order."""
    column: Any = getattr(WorkOrderRow, span)
    statement = (
        select_columns(column)
        .where(_seen_by(viewer), _narrow(Narrowed(host_party_id=host_party_id)), column.is_not(None))
        .order_by(column)
        .offset(rank)
        .limit(1)
    )
    return int((await unit.execute(statement)).scalar_one())


def _seen_by(viewer: PartyScope) -> ColumnElement[bool]:
    """The host of the pile is the one party that an order belongs to."""
    host = col(WorkOrderRow.host_party_id)
    return viewer.sees(host, host)


def _narrow(narrowed: Narrowed) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [true()]
    if narrowed.states:
        conditions.append(col(WorkOrderRow.state).in_(narrowed.states))
    if narrowed.priority is not None:
        conditions.append(col(WorkOrderRow.priority) == narrowed.priority)
    if narrowed.host_party_id is not None:
        conditions.append(col(WorkOrderRow.host_party_id) == narrowed.host_party_id)
    if narrowed.assignee is not None:
        conditions.append(col(WorkOrderRow.assignee) == narrowed.assignee)
    if narrowed.overdue_at is not None:
        conditions += [
            col(WorkOrderRow.due_at) < narrowed.overdue_at,
            col(WorkOrderRow.state).in_(LIVING),
        ]
    if narrowed.text is not None:
        conditions.append(_names(narrowed.text))
    return and_(*conditions)


def _names(text: str) -> ColumnElement[bool]:
    columns: tuple[Any, ...] = (
        WorkOrderRow.title,
        WorkOrderRow.station_name,
        WorkOrderRow.station_id,
        WorkOrderRow.connector_id,
        WorkOrderRow.order_id,
    )
    return or_(*(col(column).icontains(text, autoescape=True) for column in columns))
