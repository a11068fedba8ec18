"""Rows of what people decide: about suspended records, about authorizations for which no bill stands, and about
hosts whose records are disputed too often.

Staff alone see them, so no query here takes a viewer.
"""

from datetime import datetime

from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.core.types import TableRow, instant, text


class RecordDecisionRow(TableRow, table=True):
    """What a person said about a suspended record; the table only grows.

    Where two people are needed, the first is not `final`, and the second says the same.
    """

    __tablename__ = "record_decision"
    record_id: str = Field(primary_key=True, max_length=40)
    number: int = Field(primary_key=True)
    decision: str = Field(max_length=6)
    home_party_id: str | None = Field(default=None, max_length=9)
    reason: str = text()
    said_by: str = Field(max_length=60)
    said_at: datetime = instant()
    final: bool = False


class SessionReleaseRow(TableRow, table=True):
    """That a person let a session's authorization go; the table only grows.

    Where two people are needed, the first is not `final`.
    """

    __tablename__ = "session_release"
    session_id: str = Field(primary_key=True, max_length=40)
    number: int = Field(primary_key=True)
    reason: str = text()
    said_by: str = Field(max_length=60)
    said_at: datetime = instant()
    final: bool = False


class PartnerTrustRow(TableRow, table=True):
    """Disputes over a host's records on one day, and since when the hub does not accept them by itself."""

    __tablename__ = "partner_trust"
    party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    day: str = Field(max_length=10)
    disputes: int = 0
    disputes_most: int
    stopped_day: str | None = Field(default=None, max_length=10)
    lifted_by: str | None = Field(default=None, max_length=60)
    reason: str | None = Field(default=None, max_length=200)


async def last_decision(unit: Unit, record_id: str) -> RecordDecisionRow | None:
    """What was said last of a record; its row is locked."""
    statement = (
        select(RecordDecisionRow)
        .where(RecordDecisionRow.record_id == record_id)
        .order_by(col(RecordDecisionRow.number).desc())
        .limit(1)
    )
    return (await unit.session.exec(statement)).first()


async def last_release(unit: Unit, session_id: str) -> SessionReleaseRow | None:
    """What was said last about letting a session go; its row is locked."""
    statement = (
        select(SessionReleaseRow)
        .where(SessionReleaseRow.session_id == session_id)
        .order_by(col(SessionReleaseRow.number).desc())
        .limit(1)
    )
    return (await unit.session.exec(statement)).first()


async def trust_for_update(unit: Unit, party_id: str, day: str, disputes_most: int) -> PartnerTrustRow:
    """A host's row, made where there is none, and held until the unit ends."""
    await insert_new(unit, PartnerTrustRow, party_id=party_id, day=day, disputes=0, disputes_most=disputes_most)
    statement = select(PartnerTrustRow).where(PartnerTrustRow.party_id == party_id).with_for_update()
    statement = statement.execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).one()


async def page_of_trust(unit: Unit, *, after: str | None, limit: int) -> list[PartnerTrustRow]:
    """Hosts whose records were ever disputed, in order of id."""
    statement = select(PartnerTrustRow).order_by(col(PartnerTrustRow.party_id)).limit(limit)
    if after is not None:
        statement = statement.where(col(PartnerTrustRow.party_id) > after)
    return list((await unit.session.exec(statement)).all())
