"""Rows of disputes. Every query takes its viewer first."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql_text
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.types import TableRow, big, instant, text
from hub.parties.scope import PartyScope
from hub.roaming.model_disputes import OPEN
from operator_sdk.contract.codes import DisputeState

_OPEN = sql_text("state IN ('raised', 'answered')")


class DisputeRow(TableRow, table=True):
    """A dispute over a charge record; `evidence` and `answer_evidence` are JSON as on the wire.

    `amount_fen` is what is owed for the record. `resolved_by` is a party, a person's login, or `hub` where it
    was silence. A proposal to decide about much waits for a second person. `triggers_disputes` holds that what
    was said stays as it was said, and what is resolved stays so.
    """

    __tablename__ = "dispute"
    dispute_id: str = Field(primary_key=True, max_length=40)
    dispute_ref: str = Field(max_length=64)
    record_id: str = Field(max_length=40, foreign_key="charge_record.record_id")
    home_party_id: str = Field(max_length=9)
    host_party_id: str = Field(max_length=9)
    raised_by: str = Field(max_length=9)
    in_time: bool
    amount_fen: int = big()
    currency: str = Field(max_length=3)
    reason: str = text()
    evidence: str = text()
    raised_at: datetime = instant()
    due_at: datetime = instant()
    state: str = Field(default=DisputeState.RAISED.value, max_length=8)
    answer: str | None = Field(default=None, max_length=7)
    answered_by: str | None = Field(default=None, max_length=9)
    answered_at: datetime | None = instant(nullable=True)
    answer_reason: str | None = text(nullable=True)
    answer_evidence: str | None = text(nullable=True)
    insisted_at: datetime | None = instant(nullable=True)
    insist_reason: str | None = text(nullable=True)
    proposed_outcome: str | None = Field(default=None, max_length=8)
    proposed_by: str | None = Field(default=None, max_length=60)
    resolution_reason: str | None = text(nullable=True)
    resolved_by: str | None = Field(default=None, max_length=60)
    resolved_at: datetime | None = instant(nullable=True)
    updated_at: datetime = instant()

    __table_args__ = (
        Index("dispute_one_open", "record_id", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN),
        Index("dispute_due", "due_at", postgresql_where=_OPEN, sqlite_where=_OPEN),
        UniqueConstraint("record_id", "raised_by"),
        Index("dispute_home", "home_party_id", "updated_at", "dispute_id"),
        Index("dispute_host", "host_party_id", "updated_at", "dispute_id"),
        Index("dispute_updated", "updated_at", "dispute_id"),
        CheckConstraint("raised_by IN (home_party_id, host_party_id)", name="dispute_raised_by_a_side"),
        CheckConstraint("home_party_id <> host_party_id", name="dispute_two_sides"),
        CheckConstraint("amount_fen >= 0", name="dispute_amount"),
        CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)",
            name="dispute_answered_whole",
        ),
        CheckConstraint(
            "(state IN ('accepted', 'credited')) = (resolved_at IS NOT NULL)"
            " AND (resolved_at IS NULL) = (resolved_by IS NULL)",
            name="dispute_resolved_whole",
        ),
    )


async def get_dispute(
    viewer: PartyScope, unit: Unit, dispute_id: str, *, lock: bool = False
) -> DisputeRow | None:
    """A dispute within the viewer's scope. Lock order: session, record, dispute."""
    statement = select(DisputeRow).where(
        DisputeRow.dispute_id == dispute_id, viewer.sees(DisputeRow.home_party_id, DisputeRow.host_party_id)
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def find_open_dispute(viewer: PartyScope, unit: Unit, record_id: str) -> DisputeRow | None:
    """The open dispute over a record, locked; the record is locked already."""
    statement = (
        select(DisputeRow)
        .where(
            DisputeRow.record_id == record_id,
            col(DisputeRow.state).in_(sorted(OPEN)),
            viewer.sees(DisputeRow.home_party_id, DisputeRow.host_party_id),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).first()


async def find_dispute_in_the_way(
    viewer: PartyScope, unit: Unit, record_id: str, party_id: str
) -> DisputeRow | None:
    """What keeps a party from disputing a record: its own dispute, however that ended; else one that is open.

    The record is locked already.
    """
    own = col(DisputeRow.raised_by) == party_id
    statement = (
        select(DisputeRow)
        .where(
            DisputeRow.record_id == record_id,
            own | col(DisputeRow.state).in_(sorted(OPEN)),
            viewer.sees(DisputeRow.home_party_id, DisputeRow.host_party_id),
        )
        .order_by(col(DisputeRow.raised_by) != party_id)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).first()


async def list_disputes(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool = False,
    state: str | None = None,
) -> list[DisputeRow]:
    """Disputes behind a keyset position, of one state or of all: oldest change first, or newest first."""
    statement = select(DisputeRow).where(viewer.sees(DisputeRow.home_party_id, DisputeRow.host_party_id))
    if state is not None:
        statement = statement.where(DisputeRow.state == state)
    return await page_of(
        unit,
        statement,
        DisputeRow,
        "dispute_id",
        after=after,
        updated_since=updated_since,
        limit=limit,
        newest=newest,
    )


async def due_disputes(unit: Unit, now: datetime, *, after: str, limit: int) -> list[str]:
    """Ids, in their order and above `after`, of open disputes in which somebody let the time pass."""
    statement = (
        select(DisputeRow.dispute_id)
        .where(
            col(DisputeRow.state).in_(sorted(OPEN)),
            col(DisputeRow.insisted_at).is_(None),
            col(DisputeRow.due_at) <= now,
            col(DisputeRow.dispute_id) > after,
        )
        .order_by(col(DisputeRow.dispute_id))
        .limit(limit)
    )
    return list((await unit.session.exec(statement)).all())
