"""Rows of the ground floor: outbox lanes and letters, business messages with evidence, nonces."""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Table, delete
from sqlalchemy import text as sql_text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel, col

from hub.core.database import Unit
from hub.core.errors import HubError
from hub.core.types import TableRow, big, blob, instant, text
from operator_sdk.contract.public_codes import Code


class OutboxLane(TableRow, table=True):
    """One order of delivery, usually a session. Workers claim the lane, never a letter."""

    __tablename__ = "outbox_lane"
    lane: str = Field(primary_key=True, max_length=80)
    due_at: datetime | None = instant(nullable=True, index=True)
    lease_until: datetime | None = instant(nullable=True)
    lease_owner: str | None = Field(default=None, max_length=80)


class OutboxLetter(TableRow, table=True):
    """Something to be done after a commit. `payload` holds ids, never secrets."""

    __tablename__ = "outbox_letter"
    position: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    )
    letter_id: str = Field(max_length=40, unique=True)
    lane: str = Field(max_length=80)
    kind: str = Field(max_length=40)
    party_id: str | None = Field(default=None, max_length=9)
    subject: str = Field(max_length=80)
    payload: str = text()
    newest_key: str | None = Field(default=None, max_length=80)
    due_at: datetime = instant()
    created_at: datetime = instant()
    attempts: int = 0
    done_at: datetime | None = instant(nullable=True)
    dead_at: datetime | None = instant(nullable=True)
    reason: str | None = Field(default=None, max_length=200)

    __table_args__ = (
        Index(
            "outbox_letter_open",
            "lane",
            "position",
            postgresql_where=sql_text("done_at IS NULL AND dead_at IS NULL"),
            sqlite_where=sql_text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index(
            "outbox_letter_dead",
            "dead_at",
            postgresql_where=sql_text("dead_at IS NOT NULL"),
            sqlite_where=sql_text("dead_at IS NOT NULL"),
        ),
    )


class BusinessMessage(TableRow, table=True):
    """Every business message ever taken: its sender's id, the digest of its canonical body, its evidence.

    Kept forever and never partitioned: it is what makes a repeated message harmless.
    """

    __tablename__ = "business_message"
    party_id: str = Field(primary_key=True, max_length=9)
    kind: str = Field(primary_key=True, max_length=24)
    external_id: str = Field(primary_key=True, max_length=120)
    digest: str = Field(max_length=64)
    subject_id: str = Field(max_length=40)
    received_at: datetime = instant()
    key_id: str | None = Field(default=None, max_length=64)
    signature: str | None = text(nullable=True)
    body: bytes | None = blob(nullable=True)


class RequestNonce(TableRow, table=True):
    """A signature's nonce, remembered for longer than its window."""

    __tablename__ = "request_nonce"
    key_id: str = Field(primary_key=True, max_length=80)
    nonce: str = Field(primary_key=True, max_length=80)
    seen_at: datetime = instant(index=True)


class Counter(TableRow, table=True):
    """Named numbers that must be taken one by one."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True, max_length=40)
    value: int = big(default=0)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a row class."""
    return model.__table__  # type: ignore[attr-defined, no-any-return]


@lru_cache(maxsize=256)
def _insert_new(dialect: str, table: Table) -> Any:
    """Put together once for each table: what is put together anew is slower to build than to run."""
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return make(table).on_conflict_do_nothing()


def insert_for(unit: Unit, model: type[SQLModel]) -> Any:
    """An INSERT that knows ON CONFLICT on either engine."""
    make = postgresql.insert if unit.dialect == "postgresql" else sqlite.insert
    return make(table_of(model))


async def insert_new(unit: Unit, model: type[SQLModel], **values: Any) -> bool:
    """Insert a row unless its key is taken; says whether it was new."""
    return bool((await unit.execute(_insert_new(unit.dialect, table_of(model)), values)).rowcount)


class Evidence:
    """What proves that a party sent a message: the sealed bytes, the signature and the key id."""

    __slots__ = ("body", "key_id", "signature")

    def __init__(self, *, body: bytes, key_id: str, signature: str) -> None:
        self.body, self.key_id, self.signature = body, key_id, signature


async def claim_message(
    unit: Unit,
    *,
    party_id: str,
    kind: str,
    external_id: str,
    canonical: bytes,
    subject_id: str,
    now: datetime,
    evidence: Evidence | None = None,
) -> tuple[bool, str]:
    """Take a business message once: (True, subject_id) when new, (False, the first one's subject) when known.

    Raises:
        HubError: id_reused, the id came with another body before.
    """
    digest = hashlib.sha256(canonical).hexdigest()
    new = await insert_new(
        unit,
        BusinessMessage,
        party_id=party_id,
        kind=kind,
        external_id=external_id,
        digest=digest,
        subject_id=subject_id,
        received_at=now,
        key_id=evidence.key_id if evidence else None,
        signature=evidence.signature if evidence else None,
        body=evidence.body if evidence else None,
    )
    if new:
        return True, subject_id
    row = await unit.session.get(BusinessMessage, (party_id, kind, external_id))
    if row is None or row.digest != digest:
        raise HubError(Code.ID_REUSED, kind=kind)
    return False, row.subject_id


async def claim_nonce(unit: Unit, *, key_id: str, nonce: str, now: datetime) -> None:
    """Use a nonce up.

    Raises:
        HubError: replayed, it was used before.
    """
    if not await insert_new(unit, RequestNonce, key_id=key_id, nonce=nonce, seen_at=now):
        raise HubError(Code.REPLAYED)


NONCE_KEPT = timedelta(minutes=15)
"""Longer than the signature window on either side, so that a remembered nonce outlives its signature."""


async def forget_nonces(unit: Unit, now: datetime) -> None:
    """Forget nonces whose signatures are long stale."""
    await unit.execute(delete(RequestNonce).where(col(RequestNonce.seen_at) < now - NONCE_KEPT))
