"""Rows of charge records with their settlement. Every query takes its viewer first."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel, and_, col, or_, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.types import big, instant, text
from hub.parties.scope import PartyScope


class RecordRow(SQLModel, table=True):
    """A charge record; `lines` and `findings` are JSON as on the wire."""

    __tablename__ = "charge_record"
    record_id: str = Field(primary_key=True, max_length=40)
    record_ref: str = Field(max_length=64)
    session_id: str = Field(max_length=40, index=True)
    home_party_id: str = Field(max_length=9)
    host_party_id: str = Field(max_length=9)
    driver_ref: str | None = Field(default=None, max_length=64)
    connector_id: str = Field(max_length=26)
    state: str = Field(max_length=10)
    started_at: datetime = instant()
    ended_at: datetime = instant()
    meter_start_wh: int = big()
    meter_end_wh: int = big()
    energy_wh: int = big()
    lines: str = text()
    findings: str = text()
    electricity_fen: int = big()
    service_fen: int = big()
    amount_fen: int = big()
    owed_fen: int = big()
    currency: str = Field(max_length=3)
    tariff_id: str = Field(max_length=64)
    tariff_version: int
    stop_reason: str = Field(max_length=40)
    energy_resolution_wh: int = 1
    amount_resolution_fen: int = 1
    booked_day: str = Field(max_length=10)
    service_day: str = Field(max_length=10)
    reason: str | None = Field(default=None, max_length=200)
    settlement_ref: str | None = Field(default=None, max_length=64)
    driver_amount_fen: int | None = big(nullable=True)
    captured_fen: int | None = big(nullable=True)
    released_fen: int | None = big(nullable=True)
    settled_at: datetime | None = instant(nullable=True)
    updated_at: datetime = instant()

    __table_args__ = (
        Index("charge_record_home", "home_party_id", "updated_at", "record_id"),
        Index("charge_record_host", "host_party_id", "updated_at", "record_id"),
        Index("charge_record_driver", "driver_ref", "updated_at", "record_id"),
        Index("charge_record_state", "state"),
    )


async def get_record(viewer: PartyScope, unit: Unit, record_id: str, *, lock: bool = False) -> RecordRow | None:
    """A record within the viewer's scope."""
    statement = select(RecordRow).where(
        RecordRow.record_id == record_id,
        viewer.sees(RecordRow.home_party_id, RecordRow.host_party_id, RecordRow.driver_ref),
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def find_standing_record(viewer: PartyScope, unit: Unit, session_id: str) -> RecordRow | None:
    """A session's record that was not rejected, if there is one."""
    statement = select(RecordRow).where(
        RecordRow.session_id == session_id,
        RecordRow.state != "rejected",
        viewer.sees(RecordRow.home_party_id, RecordRow.host_party_id, RecordRow.driver_ref),
    )
    return (await unit.session.exec(statement)).first()


async def list_records(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool = False,
) -> list[RecordRow]:
    """Records behind a keyset position: oldest change first, or newest first."""
    statement = select(RecordRow).where(
        viewer.sees(RecordRow.home_party_id, RecordRow.host_party_id, RecordRow.driver_ref)
    )
    return await page_of(
        unit,
        statement,
        RecordRow,
        "record_id",
        after=after,
        updated_since=updated_since,
        limit=limit,
        newest=newest,
    )


async def list_waiting(viewer: PartyScope, unit: Unit, *, after: str | None, limit: int) -> list[RecordRow]:
    """Records that money waits for: suspended, disputed, or above what the home owes; in order of id."""
    statement = select(RecordRow).where(
        or_(
            col(RecordRow.state).in_(("suspended", "disputed")),
            and_(RecordRow.state != "rejected", col(RecordRow.amount_fen) > col(RecordRow.owed_fen)),
        ),
        viewer.sees(RecordRow.home_party_id, RecordRow.host_party_id, RecordRow.driver_ref),
    )
    if after is not None:
        statement = statement.where(col(RecordRow.record_id) > after)
    return list((await unit.session.exec(statement.order_by(col(RecordRow.record_id)).limit(limit))).all())
