"""The statements of the outbox: each is about many lanes at once, and put together once for each engine.

**A lane's row is locked before its letters are read.** Whoever writes a letter wakes its lane in the same unit,
and so either has committed, and its letter is seen, or waits for the lane and makes it due again afterwards. A
lane that was given back before a letter was seen would sleep on it.

**Who holds lanes waits for no other lane.** Units that write letters lock lanes in whatever order they come,
so lanes are locked together only with SKIP LOCKED. What was delivered is noted before any lane is locked:
there are units that lock a letter and then its lane. Letters are noted together in no particular order, so
another unit with several of them may be in conflict with ours: `Outbox` then tries the turns one by one.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Row,
    String,
    any_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from hub.core.database import Unit
from hub.core.tables import OutboxLane, OutboxLetter, table_of
from hub.core.types import UtcDateTime

LANES, LETTERS = table_of(OutboxLane), table_of(OutboxLetter)
_LANE, _LETTER = LANES.c, LETTERS.c
_NOW = bindparam("now", type_=UtcDateTime())
_UNTIL = bindparam("until", type_=UtcDateTime())
_ANY_KEY = "keys"


def is_open(letters: Any) -> tuple[ColumnElement[bool], ...]:
    """Neither done nor dead."""
    return letters.done_at.is_(None), letters.dead_at.is_(None)


def still_open(letters: Any) -> ColumnElement[bool]:
    """The same of letters found by their ids, in words that no index has.

    Else PostgreSQL, whose statistics may know of hardly an open letter, walks the index of all that there are.
    """
    found: ColumnElement[bool] = func.coalesce(letters.done_at, letters.dead_at).is_(None)
    return found


class _Statements:
    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        of_lanes = self._among(_LANE.lane)
        free = or_(_LANE.lease_until.is_(None), _LANE.lease_until < _NOW)
        due = select(_LANE.lane).where(_LANE.due_at <= _NOW, free).with_for_update(skip_locked=True)
        self.due = due.order_by(_LANE.due_at).limit(bindparam("most", type_=Integer()))
        self.due_one = due.where(_LANE.lane == bindparam("key"))
        owners = select(_LANE.lane, _LANE.lease_owner).where(of_lanes)
        self.hold, self.hold_waiting = owners.with_for_update(skip_locked=True), owners.with_for_update()
        lease = update(LANES).where(of_lanes)
        self.claim = lease.values(lease_until=_UNTIL, lease_owner=bindparam("token"))
        self.renew = lease.values(lease_until=_UNTIL)
        free_again = {"lease_until": None, "lease_owner": None}
        self.release = lease.values(due_at=None, **free_again)
        self.release_until = (
            update(LANES).where(_LANE.lane == bindparam("key")).values(due_at=_UNTIL, **free_again)
        )
        self.heads = self._heads()
        of_letters = (self._among(_LETTER.letter_id), still_open(_LETTER))
        self.forget = delete(LETTERS).where(*of_letters)
        self.done = update(LETTERS).where(*of_letters).values(done_at=_NOW, attempts=_LETTER.attempts + 1)
        beaten = _LETTER.position.in_(self._beaten())
        self.forget_beaten = delete(LETTERS).where(beaten, self._among(_LETTER.kind, "kinds"))
        self.pass_over = update(LETTERS).where(beaten).values(done_at=_NOW, reason="superseded")

    def _among(self, column: Any, name: str = _ANY_KEY) -> ColumnElement[bool]:
        """One parameter, however many there are, so that PostgreSQL prepares a statement but once."""
        if self._dialect == "postgresql":
            found: ColumnElement[bool] = column == any_(bindparam(name, type_=ARRAY(String())))
            return found
        return column.in_(bindparam(name, expanding=True))  # type: ignore[no-any-return]

    def _heads(self) -> Any:
        """The first open letter of each lane, and whether a newer one beats it."""
        any_one, newer = LETTERS.alias().c, LETTERS.alias().c
        first = select(func.min(any_one.position)).where(any_one.lane == _LANE.lane, *is_open(any_one))
        firsts = select(first.scalar_subquery()).where(self._among(_LANE.lane))
        beaten = exists().where(
            newer.lane == _LETTER.lane,
            newer.newest_key == _LETTER.newest_key,
            newer.position > _LETTER.position,
            *is_open(newer),
        )
        columns = (
            _LETTER.letter_id, _LETTER.lane, _LETTER.kind, _LETTER.party_id, _LETTER.subject, _LETTER.payload,
            _LETTER.due_at, _LETTER.created_at, _LETTER.attempts,
        )  # fmt: skip
        return select(*columns, beaten.label("beaten")).where(_LETTER.position.in_(firsts))

    def _beaten(self) -> Any:
        """All letters of these lanes that a newer one with the same key beats."""
        ranks = func.row_number().over(
            partition_by=(_LETTER.lane, _LETTER.newest_key), order_by=_LETTER.position.desc()
        )
        keyed = (self._among(_LETTER.lane), _LETTER.newest_key.is_not(None), *is_open(_LETTER))
        ranked = select(_LETTER.position, ranks.label("rank")).where(*keyed).subquery()
        return select(ranked.c.position).where(ranked.c.rank > 1)


_statements = cache(_Statements)


async def lock_due(unit: Unit, now: datetime, most: int) -> list[str]:
    """Lanes that are due and nobody's, the longest due first; those that somebody holds are left out."""
    connection = await unit.session.connection()
    found = await connection.execute(_statements(unit.dialect).due, {"now": now, "most": most})
    return list(found.scalars())


async def lock_due_one(unit: Unit, now: datetime, lane: str) -> list[str]:
    """The lane, if it is due and nobody's."""
    connection = await unit.session.connection()
    return list(
        (await connection.execute(_statements(unit.dialect).due_one, {"now": now, "key": lane})).scalars()
    )


async def claim(unit: Unit, lanes: Collection[str], token: str, until: datetime) -> None:
    """Lease locked lanes to whoever has the token."""
    connection = await unit.session.connection()
    values = {"keys": list(lanes), "token": token, "until": until}
    await connection.execute(_statements(unit.dialect).claim, values)


async def lock(unit: Unit, lanes: Collection[str], *, wait: bool) -> dict[str, str | None]:
    """Lock lanes: the token of each that there is. Those that somebody holds are waited for or left out."""
    statements = _statements(unit.dialect)
    statement = statements.hold_waiting if wait else statements.hold
    found = await (await unit.session.connection()).execute(statement, {"keys": list(lanes)})
    return {row.lane: row.lease_owner for row in found}


async def heads(
    unit: Unit, lanes: Sequence[str], passing: Collection[str], now: datetime
) -> dict[str, Row[Any]]:
    """The first open letter of each locked lane that has one, once those beaten by a newer one are passed over.

    Beaten letters of `passing` kinds are forgotten.
    """
    if not lanes:
        return {}
    statements, connection = _statements(unit.dialect), await unit.session.connection()
    found = {row.lane: row for row in await connection.execute(statements.heads, {"keys": list(lanes)})}
    beaten = [lane for lane, row in found.items() if row.beaten]
    if beaten:
        await connection.execute(statements.forget_beaten, {"keys": beaten, "kinds": sorted(passing)})
        await connection.execute(statements.pass_over, {"keys": beaten, "now": now})
        found |= {row.lane: row for row in await connection.execute(statements.heads, {"keys": beaten})}
    return found


async def renew(unit: Unit, lanes: Collection[str], until: datetime) -> None:
    """Lease locked lanes for longer."""
    if not lanes:
        return
    connection = await unit.session.connection()
    await connection.execute(_statements(unit.dialect).renew, {"keys": list(lanes), "until": until})


async def forget_leases(unit: Unit) -> None:
    """Every lane is nobody's."""
    await unit.execute(update(LANES).values(lease_until=None, lease_owner=None))


async def release(unit: Unit, due: Mapping[str, datetime | None]) -> None:
    """Give locked lanes back: nobody's, and due when the next letter is."""
    statements, connection = _statements(unit.dialect), await unit.session.connection()
    empty = [lane for lane, at in due.items() if at is None]
    if empty:
        await connection.execute(statements.release, {"keys": empty})
    waiting = [{"key": lane, "until": at} for lane, at in due.items() if at is not None]
    if waiting:
        await connection.execute(statements.release_until, waiting)


async def note_done(unit: Unit, letters: Mapping[str, str], passing: Collection[str], now: datetime) -> None:
    """Note letters (kinds by ids) as delivered, unless that is known; `passing` kinds are forgotten."""
    statements, connection = _statements(unit.dialect), await unit.session.connection()
    gone = [letter_id for letter_id, kind in letters.items() if kind in passing]
    kept = [letter_id for letter_id, kind in letters.items() if kind not in passing]
    if gone:
        await connection.execute(statements.forget, {"keys": gone})
    if kept:
        await connection.execute(statements.done, {"keys": kept, "now": now})


async def note_failed(unit: Unit, letter_id: str, lane: str, token: str, **values: Any) -> None:
    """Note an attempt in vain, unless the letter is done or the lane has gone to another, who decides."""
    ours = exists().where(_LANE.lane == lane, _LANE.lease_owner == token)
    await unit.execute(
        update(LETTERS).where(_LETTER.letter_id == letter_id, still_open(_LETTER), ours).values(**values)
    )


def payload_of(letter: Row[Any]) -> dict[str, Any]:
    """What a letter says; one that was spoilt by hand says nothing, so that it stops no lane but its own."""
    try:
        said = json.loads(letter.payload)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}
