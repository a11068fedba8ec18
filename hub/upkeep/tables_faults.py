"""Rows of drivers' fault reports. Every query takes its viewer first."""

from datetime import datetime

from sqlalchemy import Index, func, update
from sqlalchemy import select as select_columns
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.types import TableRow, instant
from hub.core.types import text as long_text
from hub.parties.scope import PartyScope


class FaultRow(TableRow, table=True):
    """What a driver reported. Its states follow those of the order; `photos` is JSON."""

    __tablename__ = "fault_report"
    fault_id: str = Field(primary_key=True, max_length=40)
    request_ref: str = Field(max_length=64)
    home_party_id: str = Field(max_length=9)
    driver_ref: str = Field(max_length=64)
    host_party_id: str = Field(max_length=9)
    connector_id: str = Field(max_length=26)
    station_name: str = Field(max_length=200)
    session_id: str | None = Field(default=None, max_length=40)
    kind: str = Field(max_length=40)
    text: str = long_text()
    photos: str = long_text()
    order_id: str = Field(max_length=40, foreign_key="work_order.order_id", index=True)
    state: str = Field(max_length=12)
    order_state: str = Field(max_length=12)
    outcome: str = Field(default="", max_length=500)
    reported_at: datetime = instant()
    updated_at: datetime = instant()

    __table_args__ = (Index("fault_report_driver", "driver_ref", "updated_at", "fault_id"),)


async def get_fault(viewer: PartyScope, unit: Unit, fault_id: str) -> FaultRow | None:
    """A fault within the viewer's scope."""
    statement = select(FaultRow).where(
        FaultRow.fault_id == fault_id,
        viewer.sees(FaultRow.home_party_id, FaultRow.host_party_id, FaultRow.driver_ref),
    )
    return (await unit.session.exec(statement)).first()


async def list_faults(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool = False,
) -> list[FaultRow]:
    """Faults behind a keyset position: oldest change first, or newest first."""
    statement = select(FaultRow).where(
        viewer.sees(FaultRow.home_party_id, FaultRow.host_party_id, FaultRow.driver_ref)
    )
    return await page_of(
        unit,
        statement,
        FaultRow,
        "fault_id",
        after=after,
        updated_since=updated_since,
        limit=limit,
        newest=newest,
    )


async def list_faults_of(viewer: PartyScope, unit: Unit, order_id: str) -> list[FaultRow]:
    """The faults on an order, in order of reporting."""
    statement = (
        select(FaultRow)
        .where(
            FaultRow.order_id == order_id,
            viewer.sees(FaultRow.home_party_id, FaultRow.host_party_id, FaultRow.driver_ref),
        )
        .order_by(col(FaultRow.reported_at), col(FaultRow.fault_id))
    )
    return list((await unit.session.exec(statement)).all())


async def find_recent_count(viewer: PartyScope, unit: Unit, since: datetime) -> int:
    """How many faults the viewer has reported since."""
    statement = select_columns(func.count(col(FaultRow.fault_id))).where(
        viewer.sees(FaultRow.home_party_id, FaultRow.host_party_id, FaultRow.driver_ref),
        col(FaultRow.reported_at) >= since,
    )
    return int((await unit.execute(statement)).scalar_one())


async def tell_faults(
    unit: Unit, order_id: str, *, state: str, order_state: str, outcome: str, now: datetime
) -> None:
    """Let every fault on an order say how the order stands."""
    statement = (
        update(FaultRow)
        .where(col(FaultRow.order_id) == order_id)
        .values(state=state, order_state=order_state, outcome=outcome, updated_at=now)
    )
    await unit.execute(statement)
