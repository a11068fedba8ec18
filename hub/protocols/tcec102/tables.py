"""Rows of partners that speak T/CEC 102: profiles, tokens both ways, stored answers, what was tolerated.

None of this is party-visible: a partner learns of it only through the protocol, staff through commands.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, bindparam, delete, func, select
from sqlmodel import Field, col

from hub.core.clock import local_day
from hub.core.database import Unit
from hub.core.tables import insert_for, insert_new, table_of
from hub.core.types import TableRow, big, blob, instant, text

ANSWERS_KEPT = timedelta(days=7)
COUNTS_KEPT = timedelta(days=400)


class ProfileRow(TableRow, table=True):
    """A partner's profile as JSON, without secrets; the secrets beside it are sealed."""

    __tablename__ = "tcec102_profile"
    party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    profile: str = text()
    secrets: bytes = blob()
    revision: int = 1
    updated_at: datetime = instant()


class AnswerRow(TableRow, table=True):
    """The answer to a business message, by the digest of its envelope, as it left."""

    __tablename__ = "tcec102_answer"
    party_id: str = Field(primary_key=True, max_length=9)
    digest: bytes = Field(primary_key=True)
    interface: str = Field(max_length=40)
    answer: bytes = blob()
    stored_at: datetime = instant(index=True)


class ToleratedRow(TableRow, table=True):
    """How often a partner's messages strayed from the standard in one way on one day."""

    __tablename__ = "tcec102_tolerated"
    day: str = Field(primary_key=True, max_length=10)
    party_id: str = Field(primary_key=True, max_length=9)
    word: str = Field(primary_key=True, max_length=60)
    count: int = big()


class IssuedTokenRow(TableRow, table=True):
    """A token that a partner calls us with. The token itself is not kept and cannot be made from this row."""

    __tablename__ = "tcec102_issued_token"
    digest: str = Field(primary_key=True, max_length=64)
    token_id: str = Field(max_length=40)
    party_id: str = Field(max_length=9)
    expires_at: datetime = instant(index=True)

    __table_args__ = (Index("tcec102_issued_token_party", "party_id", "expires_at"),)


class HeldTokenRow(TableRow, table=True):
    """The token that we call a partner with, sealed; shared by all processes of the hub.

    Empty: a process asks for one since `fetched_at`.
    """

    __tablename__ = "tcec102_held_token"
    party_id: str = Field(primary_key=True, max_length=9)
    token: bytes = blob()
    fetched_at: datetime = instant()
    refresh_at: datetime = instant()


_PROFILE, _TOLERATED, _ANSWER = (table_of(row).c for row in (ProfileRow, ToleratedRow, AnswerRow))
_STORED = select(_ANSWER.interface, _ANSWER.answer).where(
    _ANSWER.party_id == bindparam("party_id"), _ANSWER.digest == bindparam("digest")
)
"""Asked with every business message, so it is put together once."""


async def revisions(unit: Unit) -> dict[str, int]:
    """Which revision of its profile every partner has."""
    rows = await unit.execute(select(_PROFILE.party_id, _PROFILE.revision))
    return {row.party_id: row.revision for row in rows}


async def profile_rows(unit: Unit, party_ids: Sequence[str]) -> Sequence[Any]:
    """The profiles of these partners: party_id, profile, secrets, revision."""
    columns = (_PROFILE.party_id, _PROFILE.profile, _PROFILE.secrets, _PROFILE.revision, _PROFILE.updated_at)
    return (await unit.execute(select(*columns).where(_PROFILE.party_id.in_(party_ids)))).all()


async def put_profile(unit: Unit, party_id: str, profile: str, secrets: bytes, now: datetime) -> int:
    """Store a partner's profile in the place of the one before; returns its revision."""
    row = await unit.session.get(ProfileRow, party_id, with_for_update=True)
    if row is None:
        row = ProfileRow(party_id=party_id, profile=profile, secrets=secrets, updated_at=now)
        unit.session.add(row)
    else:
        row.profile, row.secrets, row.updated_at = profile, secrets, now
        row.revision += 1
    await unit.session.flush()
    return row.revision


async def stored_answer(unit: Unit, party_id: str, digest: bytes) -> Any | None:
    """What was answered to this very envelope: interface, answer."""
    return (await unit.execute(_STORED, {"party_id": party_id, "digest": digest})).one_or_none()


async def store_answer(unit: Unit, **values: Any) -> None:
    """Keep an answer; the first one stays."""
    await insert_new(unit, AnswerRow, **values)


async def newest_issued(unit: Unit, party_id: str, after: datetime) -> IssuedTokenRow | None:
    """The token of a partner that lasts longest, if it lasts beyond an instant."""
    issued = table_of(IssuedTokenRow).c
    statement = (
        select(issued.digest)
        .where(issued.party_id == party_id, issued.expires_at > after)
        .order_by(issued.expires_at.desc())
        .limit(1)
    )
    digest = (await unit.execute(statement)).scalar_one_or_none()
    return None if digest is None else await unit.session.get(IssuedTokenRow, digest)


async def count_issued(unit: Unit, party_id: str, now: datetime, most: int) -> int:
    """How many tokens of a partner are in force, counted up to a bound."""
    issued = table_of(IssuedTokenRow).c
    statement = select(issued.digest).where(issued.party_id == party_id, issued.expires_at > now).limit(most)
    return len((await unit.execute(statement)).all())


async def put_held(unit: Unit, **values: Any) -> None:
    """Hold this token in the place of the one before."""
    statement = insert_for(unit, HeldTokenRow).values(**values)
    rest = {name: statement.excluded[name] for name in ("token", "fetched_at", "refresh_at")}
    await unit.execute(statement.on_conflict_do_update(index_elements=["party_id"], set_=rest))


async def claim_held(unit: Unit, party_id: str, seen: datetime | None, now: datetime) -> bool:
    """Whether it is ours to ask for a token from now on: only if the row is as it was seen, by `fetched_at`."""
    held = table_of(HeldTokenRow).c
    fresh: dict[str, Any] = {"token": b"", "fetched_at": now, "refresh_at": now}
    statement = insert_for(unit, HeldTokenRow).values(party_id=party_id, **fresh)
    claim = statement.on_conflict_do_update(
        index_elements=["party_id"], set_=fresh, where=held.fetched_at == seen
    )
    return (await unit.execute(claim.returning(held.party_id))).first() is not None


async def add_tolerated(unit: Unit, counts: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the counts of (day, party, word), in one order so that no two flushes wait for each other."""
    rows = [
        {"day": day, "party_id": party_id, "word": word, "count": count}
        for (day, party_id, word), count in sorted(counts.items())
    ]
    statement = insert_for(unit, ToleratedRow).values(rows)
    more = {"count": _TOLERATED.count + statement.excluded.count}
    await unit.execute(statement.on_conflict_do_update(index_elements=["day", "party_id", "word"], set_=more))


async def tolerated_of(unit: Unit, party_id: str) -> Sequence[Any]:
    """What was tolerated of a partner: word, count, first and last day; the most frequent first."""
    total = func.sum(_TOLERATED.count).label("count")
    from_day, to_day = func.min(_TOLERATED.day).label("first"), func.max(_TOLERATED.day).label("last")
    statement = (
        select(_TOLERATED.word, total, from_day, to_day)
        .where(_TOLERATED.party_id == party_id)
        .group_by(_TOLERATED.word)
        .order_by(total.desc(), _TOLERATED.word)
    )
    return (await unit.execute(statement)).all()


async def forget_old(unit: Unit, now: datetime) -> None:
    """Forget answers older than a week, tokens that are over, and what was tolerated more than a year ago."""
    await unit.execute(delete(AnswerRow).where(col(AnswerRow.stored_at) < now - ANSWERS_KEPT))
    await unit.execute(delete(IssuedTokenRow).where(col(IssuedTokenRow.expires_at) < now))
    await unit.execute(delete(ToleratedRow).where(col(ToleratedRow.day) < local_day(now - COUNTS_KEPT)))
