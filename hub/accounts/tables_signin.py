"""Rows of sign-in: one-time codes and refresh tokens, both as keyed digests only."""

import json
from datetime import datetime

from sqlalchemy import delete, update
from sqlmodel import Field, col

from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.core.types import TableRow, instant, text


class OneTimeCode(TableRow, table=True):
    """The newest code of a phone, known or not, and when its last codes were sent."""

    __tablename__ = "one_time_code"
    phone_digest: str = Field(primary_key=True, max_length=64)
    code_digest: str = Field(max_length=64)
    expires_at: datetime = instant(index=True)
    attempts: int = 0
    used: bool = False
    sent: str = text()

    def sent_at(self) -> list[datetime]:
        """When codes were sent."""
        return [datetime.fromisoformat(at) for at in json.loads(self.sent)]

    def remember(self, sent: list[datetime]) -> None:
        """Keep when codes were sent."""
        self.sent = json.dumps([at.isoformat() for at in sent])


class DriverSession(TableRow, table=True):
    """A refresh token: spent when used. All that follow from one sign-in are a family."""

    __tablename__ = "driver_session"
    token_digest: str = Field(primary_key=True, max_length=64)
    family: str = Field(max_length=40, index=True)
    home_party_id: str = Field(max_length=9)
    subject: str = Field(max_length=64)
    expires_at: datetime = instant(index=True)
    spent_at: datetime | None = instant(nullable=True)


async def code_for_update(unit: Unit, phone_digest: str, now: datetime) -> OneTimeCode:
    """The phone's row, made when there is none, locked until the unit ends."""
    await insert_new(
        unit,
        OneTimeCode,
        phone_digest=phone_digest,
        code_digest="",
        expires_at=now,
        attempts=0,
        used=True,
        sent="[]",
    )
    row = await unit.session.get(OneTimeCode, phone_digest, with_for_update=True, populate_existing=True)
    assert row is not None
    return row


async def session_for_update(unit: Unit, token_digest: str) -> DriverSession | None:
    """A refresh token, locked until the unit ends."""
    return await unit.session.get(DriverSession, token_digest, with_for_update=True, populate_existing=True)


async def spend_family(unit: Unit, family: str, now: datetime) -> None:
    """Nobody refreshes from this sign-in again."""
    theirs = (col(DriverSession.family) == family) & col(DriverSession.spent_at).is_(None)
    await unit.session.exec(update(DriverSession).where(theirs).values(spent_at=now))


async def purge_signin(unit: Unit, *, codes_before: datetime, sessions_before: datetime) -> None:
    """Forget what expired before then."""
    old_codes = delete(OneTimeCode).where(col(OneTimeCode.expires_at) < codes_before)
    old_sessions = delete(DriverSession).where(col(DriverSession.expires_at) < sessions_before)
    await unit.session.exec(old_codes)
    await unit.session.exec(old_sessions)
