"""Rows of alarms: one while a fault lasts, however often it is reported. Queries take their viewer first."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Index, and_, case, null
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.tables import insert_for, table_of
from hub.core.types import TableRow, instant
from hub.parties.scope import PartyScope
from hub.upkeep.model import MOMENTARY_CODES, UNFINISHED
from hub.upkeep.tables import WorkOrderRow


class AlarmRow(TableRow, table=True):
    """A fault that a pile, a site or a host's status reports. `open_key` names it until it is cleared."""

    __tablename__ = "alarm"
    alarm_id: str = Field(primary_key=True, max_length=40)
    open_key: str | None = Field(default=None, max_length=160, unique=True)
    host_party_id: str = Field(max_length=9)
    connector_id: str | None = Field(default=None, max_length=26)
    site_id: str | None = Field(default=None, max_length=64)
    code: str = Field(max_length=40)
    text: str = Field(max_length=200)
    count: int = 1
    urgent: bool = False
    state: str = Field(max_length=12)
    first_at: datetime = instant()
    last_at: datetime = instant()
    cleared_at: datetime | None = instant(nullable=True)
    acknowledged_by: str | None = Field(default=None, max_length=60)
    acknowledged_at: datetime | None = instant(nullable=True)
    order_id: str | None = Field(default=None, max_length=40, foreign_key="work_order.order_id", index=True)
    updated_at: datetime = instant()

    __table_args__ = (Index("alarm_updated", "updated_at", "alarm_id"),)


async def raise_alarm(unit: Unit, row: AlarmRow) -> bool:
    """Store a new alarm, or count one more report of the open one; says whether it was new.

    What does not last and happens again after somebody acknowledged it is raised anew.
    """
    alarm = table_of(AlarmRow).c
    statement = insert_for(unit, AlarmRow).values(**row.model_dump())
    fresh = statement.excluded
    anew = and_(alarm.code.in_(MOMENTARY_CODES), alarm.acknowledged_at < fresh.last_at)
    statement = statement.on_conflict_do_update(
        index_elements=["open_key"],
        set_={
            "count": alarm.count + 1,
            "text": fresh.text,
            "last_at": case((alarm.last_at < fresh.last_at, fresh.last_at), else_=alarm.last_at),
            "updated_at": fresh.updated_at,
            "state": case((anew, fresh.state), else_=alarm.state),
            "acknowledged_by": case((anew, null()), else_=alarm.acknowledged_by),
            "acknowledged_at": case((anew, null()), else_=alarm.acknowledged_at),
        },
    ).returning(alarm.alarm_id)
    return bool((await unit.execute(statement)).scalar_one() == row.alarm_id)


async def list_open_alarms(viewer: PartyScope, unit: Unit, open_keys: Collection[str]) -> list[AlarmRow]:
    """The open alarms among these names, held until the unit ends."""
    host = col(AlarmRow.host_party_id)
    statement = (
        select(AlarmRow)
        .where(col(AlarmRow.open_key).in_(open_keys), viewer.sees(host, host))
        .order_by(col(AlarmRow.open_key))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list((await unit.session.exec(statement)).all())


async def get_alarm(viewer: PartyScope, unit: Unit, alarm_id: str, *, lock: bool = False) -> AlarmRow | None:
    """An alarm within the viewer's scope."""
    host = col(AlarmRow.host_party_id)
    statement = select(AlarmRow).where(AlarmRow.alarm_id == alarm_id, viewer.sees(host, host))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def list_alarms_of(viewer: PartyScope, unit: Unit, order_id: str) -> list[AlarmRow]:
    """The alarms on an order, oldest first."""
    host = col(AlarmRow.host_party_id)
    statement = (
        select(AlarmRow)
        .where(AlarmRow.order_id == order_id, viewer.sees(host, host))
        .order_by(col(AlarmRow.first_at), col(AlarmRow.alarm_id))
    )
    return list((await unit.session.exec(statement)).all())


async def find_unfinished_of_site(
    viewer: PartyScope, unit: Unit, host_party_id: str, site_id: str
) -> WorkOrderRow | None:
    """The oldest order of a whole site's alarms that is not confirmed and not cancelled, held."""
    host = col(AlarmRow.host_party_id)
    of_site = select(AlarmRow.order_id).where(
        host == host_party_id,
        AlarmRow.site_id == site_id,
        col(AlarmRow.connector_id).is_(None),
        viewer.sees(host, host),
    )
    statement = (
        select(WorkOrderRow)
        .where(
            WorkOrderRow.host_party_id == host_party_id,
            col(WorkOrderRow.connector_id).is_(None),
            col(WorkOrderRow.state).in_(UNFINISHED),
            col(WorkOrderRow.order_id).in_(of_site),
        )
        .order_by(col(WorkOrderRow.created_at), col(WorkOrderRow.order_id))
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).first()


async def list_alarms(
    viewer: PartyScope,
    unit: Unit,
    *,
    state: str | None,
    host_party_id: str | None,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
) -> list[AlarmRow]:
    """Alarms by (updated_at, alarm_id), after a keyset position."""
    host = col(AlarmRow.host_party_id)
    statement = select(AlarmRow).where(viewer.sees(host, host))
    if state is not None:
        statement = statement.where(AlarmRow.state == state)
    if host_party_id is not None:
        statement = statement.where(host == host_party_id)
    return await page_of(
        unit, statement, AlarmRow, "alarm_id", after=after, updated_since=updated_since, limit=limit
    )
