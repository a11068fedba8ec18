"""Rows of operators, keys, agreements, exposure, staff and the audit log."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, delete, update
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.types import TableRow, big, instant, text


class PartyRow(TableRow, table=True):
    """An operator."""

    __tablename__ = "party"
    party_id: str = Field(primary_key=True, max_length=9)
    name: str = Field(max_length=100)
    roles: str = Field(max_length=60)
    protocol: str = Field(max_length=12)
    base_url: str | None = Field(default=None, max_length=200)
    created_at: datetime = instant()


class TokenPrefix(TableRow, table=True):
    """Which home issued the tokens that begin like this."""

    __tablename__ = "token_prefix"
    prefix: str = Field(primary_key=True, max_length=64)
    party_id: str = Field(max_length=9, foreign_key="party.party_id")


class PartyKey(TableRow, table=True):
    """A party's Ed25519 key: proposed, live or revoked."""

    __tablename__ = "party_key"
    party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    key_id: str = Field(primary_key=True, max_length=64)
    public_key: str = Field(max_length=43)
    state: str = Field(max_length=10)
    proposed_by: str = Field(max_length=60)
    approved_by: str | None = Field(default=None, max_length=60)
    created_at: datetime = instant()
    last_used_at: datetime | None = instant(nullable=True)


class AgreementRow(TableRow, table=True):
    """What a home and a host have agreed."""

    __tablename__ = "agreement"
    agreement_id: str = Field(primary_key=True, max_length=40)
    home_party_id: str = Field(max_length=9, foreign_key="party.party_id")
    host_party_id: str = Field(max_length=9, foreign_key="party.party_id")
    commission_ppm: int = 0
    hold_fen: int = big()
    amount_tolerance_fen: int = big()
    late_days: int = 90
    frequency: str = Field(default="daily", max_length=10)
    currency: str = Field(default="CNY", max_length=3)
    created_at: datetime = instant()

    __table_args__ = (UniqueConstraint("home_party_id", "host_party_id"),)


class Exposure(TableRow, table=True):
    """What a home owes and may come to owe, against what it may."""

    __tablename__ = "exposure"
    home_party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    deposit_fen: int = big(default=0)
    limit_fen: int = big(default=0)
    owed_fen: int = big(default=0)
    open_limits_fen: int = big(default=0)


class StaffRow(TableRow, table=True):
    """A person who works for the hub's operator."""

    __tablename__ = "staff"
    login: str = Field(primary_key=True, max_length=40)
    password_hash: str = Field(max_length=200)
    roles: str = Field(max_length=400)
    created_by: str = Field(default="", max_length=60)
    created_at: datetime = instant()


class StaffSessionRow(TableRow, table=True):
    """A staff token, kept as a digest."""

    __tablename__ = "staff_session"
    token_digest: str = Field(primary_key=True, max_length=64)
    login: str = Field(max_length=40, foreign_key="staff.login")
    expires_at: datetime = instant(index=True)


class AssertionUse(TableRow, table=True):
    """A client or driver assertion's `jti`, used once."""

    __tablename__ = "assertion_use"
    issuer: str = Field(primary_key=True, max_length=40)
    jti: str = Field(primary_key=True, max_length=80)
    expires_at: datetime = instant(index=True)


class AuditRow(TableRow, table=True):
    """Who did what to the hub itself. Append-only."""

    __tablename__ = "audit_log"
    audit_id: str = Field(primary_key=True, max_length=40)
    at: datetime = instant()
    actor: str = Field(max_length=60)
    action: str = Field(max_length=40)
    subject: str = Field(max_length=120)
    detail: str = text()

    __table_args__ = (Index("audit_log_at", "at"),)


async def find_party(unit: Unit, party_id: str) -> PartyRow | None:
    """A party by its id."""
    return await unit.session.get(PartyRow, party_id)


async def find_agreement(unit: Unit, *, home_party_id: str, host_party_id: str) -> AgreementRow | None:
    """The agreement of a pair."""
    statement = select(AgreementRow).where(
        AgreementRow.home_party_id == home_party_id, AgreementRow.host_party_id == host_party_id
    )
    return (await unit.session.exec(statement)).first()


async def find_home_by_token(unit: Unit, ref: str) -> str | None:
    """The home whose prefix of this token is the longest."""
    beginnings = [ref[:length] for length in range(1, len(ref) + 1)]
    statement = select(TokenPrefix).where(col(TokenPrefix.prefix).in_(beginnings))
    rows = (await unit.session.exec(statement)).all()
    return max(rows, key=lambda row: len(row.prefix)).party_id if rows else None


async def all_prefixes(unit: Unit) -> dict[str, str]:
    """Every token prefix and its home."""
    rows = (await unit.session.exec(select(TokenPrefix))).all()
    return {row.prefix: row.party_id for row in rows}


def _note_exposures(unit: Unit, homes: Collection[str]) -> None:
    """Exposures are locked before accounts of the ledger, always: the other way about two units wait for each
    other.
    """
    assert not unit.in_ledger or unit.exposures.issuperset(homes), "exposures are locked before accounts"
    unit.exposures.update(homes)


async def lock_exposures(unit: Unit, homes: Collection[str]) -> None:
    """Lock the exposures of homes, in order, until the unit ends; those without one are passed over."""
    _note_exposures(unit, homes)
    statement = (
        select(Exposure.home_party_id)
        .where(col(Exposure.home_party_id).in_(homes))
        .order_by(col(Exposure.home_party_id))
        .with_for_update(key_share=True)
    )
    await unit.execute(statement)


async def change_exposure(unit: Unit, home_party_id: str, *, owed: int = 0, open_limits: int = 0) -> None:
    """Move what a home owes or may come to owe."""
    _note_exposures(unit, {home_party_id})
    statement = (
        update(Exposure)
        .where(col(Exposure.home_party_id) == home_party_id)
        .values(
            owed_fen=Exposure.owed_fen + owed,
            open_limits_fen=Exposure.open_limits_fen + open_limits,
        )
    )
    await unit.execute(statement)


async def reserve_exposure(unit: Unit, home_party_id: str, limit_fen: int) -> bool:
    """Add an authorization's limit unless that would take the home above what it may owe."""
    _note_exposures(unit, {home_party_id})
    statement = (
        update(Exposure)
        .where(
            col(Exposure.home_party_id) == home_party_id,
            col(Exposure.owed_fen) + col(Exposure.open_limits_fen) + limit_fen <= col(Exposure.limit_fen),
        )
        .values(open_limits_fen=Exposure.open_limits_fen + limit_fen)
    )
    return bool((await unit.execute(statement)).rowcount)


async def forget_assertions(unit: Unit, now: datetime) -> None:
    """Forget assertions that have expired."""
    await unit.execute(delete(AssertionUse).where(col(AssertionUse.expires_at) < now))
