"""Rows of suspense and their queries. Every query takes its viewer first."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, case, func
from sqlalchemy import select as columns
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.tables import table_of
from hub.core.types import TableRow, big, instant, text
from hub.ledger.model import CLEARING
from hub.ledger.tables import ACCOUNT
from hub.parties.scope import PartyScope


class SuspenseRow(TableRow, table=True):
    """Money that waits. `evidence` is JSON; a proposal to close a large item waits for a second person."""

    __tablename__ = "suspense_item"
    item_id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(max_length=10)
    subject_id: str = Field(max_length=64)
    home_party_id: str | None = Field(default=None, max_length=9)
    host_party_id: str = Field(max_length=9)
    amount_fen: int = big()
    currency: str = Field(max_length=3)
    reason: str = Field(max_length=200)
    evidence: str = text()
    owner: str | None = Field(default=None, max_length=60)
    opened_at: datetime = instant()
    due_at: datetime = instant()
    proposed_outcome: str | None = Field(default=None, max_length=12)
    proposed_by: str | None = Field(default=None, max_length=60)
    outcome: str | None = Field(default=None, max_length=12)
    closing_reason: str | None = Field(default=None, max_length=200)
    closed_by: str | None = Field(default=None, max_length=60)
    closed_at: datetime | None = instant(nullable=True)
    updated_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("kind", "subject_id"),
        Index("suspense_item_updated", "updated_at", "item_id"),
        CheckConstraint("amount_fen >= 0", name="suspense_item_amount"),
        CheckConstraint(
            "(outcome IS NULL) = (closed_at IS NULL) AND (outcome IS NULL) = (closed_by IS NULL)",
            name="suspense_item_closed_whole",
        ),
    )


SUSPENSE = table_of(SuspenseRow)


async def get_item(viewer: PartyScope, unit: Unit, item_id: str, *, lock: bool = False) -> SuspenseRow | None:
    """An item within the viewer's scope."""
    statement = select(SuspenseRow).where(
        SuspenseRow.item_id == item_id, viewer.sees(SuspenseRow.home_party_id, SuspenseRow.host_party_id)
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def find_item(viewer: PartyScope, unit: Unit, kind: str, subject_id: str) -> SuspenseRow | None:
    """The item about a subject, locked."""
    statement = (
        select(SuspenseRow)
        .where(
            SuspenseRow.kind == kind,
            SuspenseRow.subject_id == subject_id,
            viewer.sees(SuspenseRow.home_party_id, SuspenseRow.host_party_id),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).first()


async def list_items(
    viewer: PartyScope,
    unit: Unit,
    *,
    closed: bool,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
) -> list[SuspenseRow]:
    """Items behind a keyset position: those that are open, or those that were closed."""
    statement = select(SuspenseRow).where(
        col(SuspenseRow.closed_at).is_not(None) if closed else col(SuspenseRow.closed_at).is_(None),
        viewer.sees(SuspenseRow.home_party_id, SuspenseRow.host_party_id),
    )
    return await page_of(
        unit, statement, SuspenseRow, "item_id", after=after, updated_since=updated_since, limit=limit
    )


async def ages(
    viewer: PartyScope, unit: Unit, edges: list[tuple[int, datetime]]
) -> list[tuple[str, int, int, int]]:
    """Open items as (kind, days, how many, fen); `edges` are (days, the instant that many days ago)."""
    opened = SUSPENSE.c.opened_at
    days = case(*((opened <= edge, age) for age, edge in sorted(edges, reverse=True)), else_=0).label("days")
    statement = (
        columns(SUSPENSE.c.kind, days, func.count(), func.sum(SUSPENSE.c.amount_fen))
        .where(
            SUSPENSE.c.closed_at.is_(None),
            viewer.sees(SUSPENSE.c.home_party_id, SUSPENSE.c.host_party_id),
        )
        .group_by(SUSPENSE.c.kind, days)
        .order_by(SUSPENSE.c.kind, days)
    )
    rows: Any = await unit.execute(statement)
    return [(str(kind), int(age), int(count), int(fen)) for kind, age, count, fen in rows]


async def booked_fen(unit: Unit) -> int:
    """What all accounts of suspense come to in the clearing book."""
    statement = columns(func.coalesce(func.sum(ACCOUNT.c.posted_fen), 0)).where(
        ACCOUNT.c.book == CLEARING, ACCOUNT.c.kind == "suspense"
    )
    return int((await unit.execute(statement)).scalar_one())
