"""Rows of charge records with their settlement. Every query takes its viewer first."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy import text as sql_text
from sqlmodel import Field, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.types import TableRow, big, instant, text
from hub.parties.scope import PartyScope


def _only(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sql_text(condition), "sqlite_where": sql_text(condition)}


class RecordRow(TableRow, table=True):
    """A charge record, or the credit of one; `lines`, `fees`, `findings`, `repriced` are JSON as on the wire.

    `verdicts` is what each of the 25 rules said, one letter each. A record that the hub opened no session for
    has the host's own number (`session_ref`) instead, and a home once somebody has named it. `token_ref` is the
    session's. What was billed never changes, and the state only forward: `triggers` holds both.
    """

    __tablename__ = "charge_record"
    record_id: str = Field(primary_key=True, max_length=40)
    record_ref: str = Field(max_length=64)
    kind: str = Field(default="charge", max_length=8)
    credit_of: str | None = Field(default=None, max_length=40)
    session_id: str | None = Field(default=None, max_length=40, index=True)
    session_ref: str | None = Field(default=None, max_length=64)
    home_party_id: str | None = Field(default=None, max_length=9)
    host_party_id: str = Field(max_length=9)
    driver_ref: str | None = Field(default=None, max_length=64)
    token_ref: str | None = Field(default=None, max_length=64)
    token_kind: str | None = Field(default=None, max_length=10)
    token_digest: str | None = Field(default=None, max_length=32)
    station_id: str | None = Field(default=None, max_length=40)
    connector_id: str = Field(max_length=26)
    state: str = Field(max_length=10)
    started_at: datetime = instant()
    ended_at: datetime = instant()
    left_at: datetime | None = instant(nullable=True)
    meter_start_wh: int = big()
    meter_end_wh: int = big()
    energy_wh: int = big()
    lines: str = text()
    fees: str | None = text(nullable=True)
    verdicts: str = Field(default="", max_length=25)
    findings: str = text()
    repriced: str | None = text(nullable=True)
    electricity_fen: int = big()
    service_fen: int = big()
    parking_fen: int = big(default=0)
    idle_fen: int = big(default=0)
    amount_fen: int = big()
    owed_fen: int = big()
    currency: str = Field(max_length=3)
    tariff_id: str = Field(max_length=64)
    tariff_version: int
    stop_reason: str = Field(max_length=40)
    energy_resolution_wh: int = 1
    amount_resolution_fen: int = 1
    metered: bool = True
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
        Index("charge_record_home_day", "home_party_id", "service_day", "record_id"),
        Index("charge_record_host_day", "host_party_id", "service_day", "record_id"),
        Index("charge_record_ref", "host_party_id", "record_ref"),
        Index("charge_record_state", "state"),
        Index("charge_record_connector", "host_party_id", "connector_id", "ended_at"),
        Index("charge_record_token", "token_ref", "ended_at", **_only("token_ref IS NOT NULL")),
        Index(
            "charge_record_one_credit",
            "credit_of",
            unique=True,
            **_only("credit_of IS NOT NULL AND state <> 'rejected'"),
        ),
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


async def list_records(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool = False,
    state: str | None = None,
) -> list[RecordRow]:
    """Records behind a keyset position, of one state or of all: oldest change first, or newest first."""
    statement = select(RecordRow).where(
        viewer.sees(RecordRow.home_party_id, RecordRow.host_party_id, RecordRow.driver_ref)
    )
    if state is not None:
        statement = statement.where(RecordRow.state == state)
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
