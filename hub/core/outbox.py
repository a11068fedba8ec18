"""The outbox: what leaves the hub was written in the unit that caused it, and is delivered from here.

Workers claim a **lane** (a session, a cycle, a timer) under a lease and deliver its letters in order. A handler
says Done, raises `Later` to be tried again, or `Dead` to give up; attempts and reasons stay on the letter.
Lane claims use SKIP LOCKED on PostgreSQL; SQLite has one writer. Nothing here needs a broker: the doorbell only
makes it quicker.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Integer, bindparam, delete, exists, func, or_, update
from sqlmodel import col, select

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.tables import OutboxLane, OutboxLetter, insert_for
from hub.core.types import UtcDateTime
from operator_sdk.contract.ids import LETTER
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.outbox")

LEASE = timedelta(seconds=30)
"""Longer than any one delivery; renewed before each."""
ATTEMPTS_MOST = 40
BACKOFF_MOST_S = 300
DONE_KEPT = timedelta(days=7)


class Later(Exception):
    """Try this letter again; `after_s` overrides the back-off."""

    def __init__(self, reason: str, *, after_s: int | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Dead(Exception):
    """Give this letter up; it joins the dead letters with this reason."""


class Doorbell(Protocol):
    """Tells whoever delivers that a lane has work. Losing a ring loses nothing."""

    def ring(self, lane: str) -> None:
        """Ring; must not block and must not fail."""

    def close(self) -> None:
        """No more rings."""


@dataclass(slots=True)
class LocalDoorbell:
    """Wakes the jobs of this process."""

    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self, lane: str) -> None:
        """Wake the runner."""
        self.rung.set()

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as its handler sees it."""

    letter_id: str
    lane: str
    kind: str
    party_id: str | None
    subject: str
    payload: dict[str, Any]
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work a lane for a while. No two claims have the same token, not even of one process."""

    lane: str
    token: str


Handler = Callable[[Letter], Awaitable[None]]


def backoff_s(attempts: int) -> int:
    """Seconds before the next attempt: 1, 2, 4 ... capped."""
    return int(min(1 << min(attempts, 12), BACKOFF_MOST_S))


class Outbox:
    """Writes letters inside units, and works lanes off."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, doorbell: Doorbell, owner: str) -> None:
        self._database, self._clock, self._ids, self._doorbell = database, clock, ids, doorbell
        self._owner = owner
        self._handlers: dict[str, Handler] = {}
        self._stubborn: set[str] = set()
        self._passing: set[str] = set()

    def handle(self, kind: str, handler: Handler, *, stubborn: bool = False, passing: bool = False) -> None:
        """Register who delivers letters of a kind; stubborn ones are tried until they arrive.

        Passing ones are forgotten as soon as they are done: there are very many, and none proves anything.
        """
        self._handlers[kind] = handler
        for kinds, asked in ((self._stubborn, stubborn), (self._passing, passing)):
            if asked:
                kinds.add(kind)

    def ring(self, lane: str) -> None:
        """Ring for a lane whose letter was written, durably, by a set-based statement."""
        self._doorbell.ring(lane)

    async def post(
        self,
        unit: Unit,
        *,
        kind: str,
        lane: str,
        subject: str,
        payload: dict[str, Any] | None = None,
        party_id: str | None = None,
        newest_key: str | None = None,
        after: timedelta = timedelta(0),
    ) -> None:
        """Write a letter within an open unit. Letters of one lane with one `newest_key`: the newest wins."""
        now = self._clock.wall()
        due = now + after
        unit.session.add(
            OutboxLetter(
                letter_id=self._ids.new(LETTER),
                lane=lane,
                kind=kind,
                party_id=party_id,
                subject=subject,
                payload=json.dumps(payload or {}),
                newest_key=newest_key,
                due_at=due,
                created_at=now,
            )
        )
        await self._wake(unit, lane, due)
        if not after:
            unit.after_commit(lambda: self._doorbell.ring(lane))

    async def _wake(self, unit: Unit, lane: str, due: datetime) -> None:
        insert = insert_for(unit, OutboxLane).values(lane=lane, due_at=due)
        earlier = or_(col(OutboxLane.due_at).is_(None), col(OutboxLane.due_at) > due)
        statement = insert.on_conflict_do_update(index_elements=["lane"], set_={"due_at": due}, where=earlier)
        await unit.execute(statement)

    async def due_lanes(self, most: int) -> list[Lease]:
        """Claim lanes that are due."""
        now = self._clock.wall()
        async with self._database.unit() as unit:
            lanes = (await unit.session.exec(_DUE_LANES, params={"now": now, "most": most})).all()
            return [self._lease(lane, now) for lane in lanes]

    def _lease(self, row: OutboxLane, now: datetime) -> Lease:
        lease = Lease(row.lane, f"{self._owner}:{self._ids.digits(12)}")
        row.lease_until, row.lease_owner = now + LEASE, lease.token
        return lease

    async def claim(self, lane: str) -> Lease | None:
        """Claim one lane that somebody rang for; None when it is not due or another holds it."""
        now = self._clock.wall()
        async with self._database.unit() as unit:
            row = await unit.session.get(OutboxLane, lane, with_for_update={"skip_locked": True})
            if row is None or row.due_at is None or row.due_at > now:
                return None
            if row.lease_until is not None and row.lease_until >= now:
                return None
            return self._lease(row, now)

    async def work_lane(self, lease: Lease) -> int:
        """Deliver a claimed lane's due letters in order, then give the lease back. Returns letters done.

        Whoever lost the lease in the meantime (a process that stood still) delivers nothing more.
        """
        done = 0
        while (letter := await self._next(lease)) is not None:
            try:
                await self._handlers[letter.kind](letter)
            except Later as outcome:
                await self._retry(letter, str(outcome), outcome.after_s)
                break
            except (Dead, KeyError) as outcome:
                await self._bury(letter, str(outcome))
            except Exception as problem:
                # A handler's bug must not stop other lanes; the letter keeps the reason and is tried again.
                log.exception("letter failed", extra={"letter_id": letter.letter_id, "kind": letter.kind})
                await self._retry(letter, type(problem).__name__, None)
                break
            else:
                await self._finish(letter)
                done += 1
        await self._release(lease)
        return done

    async def forget_leases(self) -> None:
        """Take back what a process that is gone had claimed: only where this process is the only one."""
        async with self._database.unit() as unit:
            await unit.execute(update(OutboxLane).values(lease_until=None, lease_owner=None))

    async def _next(self, lease: Lease) -> Letter | None:
        """The lane's first open letter if it is due, letters beaten by a newer one passed over."""
        async with self._database.unit() as unit:
            held = await unit.execute(
                update(OutboxLane)
                .where(col(OutboxLane.lane) == lease.lane, col(OutboxLane.lease_owner) == lease.token)
                .values(lease_until=self._clock.wall() + LEASE)
            )
            if not held.rowcount:
                return None
            rows = (await unit.session.exec(_open_letters(lease.lane))).all()
            newest = {row.newest_key: row.letter_id for row in rows if row.newest_key}
            for row in rows:
                if row.newest_key and newest[row.newest_key] != row.letter_id:
                    await self._pass_over(unit, row)
                    continue
                if row.due_at > self._clock.wall():
                    return None
                return _letter(row)
        return None

    async def _pass_over(self, unit: Unit, row: OutboxLetter) -> None:
        if row.kind in self._passing:
            await unit.session.delete(row)
        else:
            row.done_at, row.reason = self._clock.wall(), "superseded"

    async def _finish(self, letter: Letter) -> None:
        async with self._database.unit() as unit:
            if letter.kind in self._passing:
                await unit.execute(delete(OutboxLetter).where(col(OutboxLetter.letter_id) == letter.letter_id))
                return
            await _set(unit, letter, done_at=self._clock.wall(), attempts=letter.attempts + 1)

    async def _retry(self, letter: Letter, reason: str, after_s: int | None) -> None:
        attempts = letter.attempts + 1
        if attempts >= ATTEMPTS_MOST and letter.kind not in self._stubborn:
            await self._bury(letter, reason)
            return
        wait = timedelta(seconds=backoff_s(attempts) if after_s is None else after_s)
        async with self._database.unit() as unit:
            await _set(
                unit,
                letter,
                attempts=attempts,
                reason=reason[:200],
                due_at=self._clock.wall() + wait,
            )

    async def _bury(self, letter: Letter, reason: str) -> None:
        log.warning("dead letter", extra={"letter_id": letter.letter_id, "kind": letter.kind})
        async with self._database.unit() as unit:
            now = self._clock.wall()
            await _set(unit, letter, attempts=letter.attempts + 1, reason=reason[:200], dead_at=now)

    async def _release(self, lease: Lease) -> None:
        async with self._database.unit() as unit:
            row = await unit.session.get(OutboxLane, lease.lane, with_for_update=True)
            if row is None or row.lease_owner != lease.token:
                return
            due = (await unit.session.exec(_open_letters(lease.lane))).first()
            row.due_at = due.due_at if due else None
            row.lease_until = row.lease_owner = None

    async def replay(self, unit: Unit, letter_id: str, *, party_id: str | None = None) -> OutboxLetter:
        """Put a dead letter back, under the same id.

        Raises:
            HubError: not_found (also for another party's letter) or state_conflict, it is not dead.
        """
        statement = select(OutboxLetter).where(OutboxLetter.letter_id == letter_id).with_for_update()
        row = (await unit.session.exec(statement)).first()
        if row is None or (party_id is not None and row.party_id != party_id):
            raise NotFoundError
        if row.dead_at is None:
            raise HubError(Code.STATE_CONFLICT)
        row.dead_at, row.attempts, row.due_at = None, 0, self._clock.wall()
        await self._wake(unit, row.lane, row.due_at)
        unit.after_commit(lambda: self._doorbell.ring(row.lane))
        return row


# Asked several times a second by every process, so it is put together once.
_NOW = bindparam("now", type_=UtcDateTime())
_DUE_LANES = (
    select(OutboxLane)
    .where(
        col(OutboxLane.due_at) <= _NOW,
        or_(col(OutboxLane.lease_until).is_(None), col(OutboxLane.lease_until) < _NOW),
    )
    .order_by(col(OutboxLane.due_at))
    .limit(bindparam("most", type_=Integer()))
    .with_for_update(skip_locked=True)
)


def _open_letters(lane: str) -> Any:
    return (
        select(OutboxLetter)
        .where(
            OutboxLetter.lane == lane,
            col(OutboxLetter.done_at).is_(None),
            col(OutboxLetter.dead_at).is_(None),
        )
        .order_by(col(OutboxLetter.position))
        .limit(500)
    )


async def _set(unit: Unit, letter: Letter, **values: Any) -> None:
    where = col(OutboxLetter.letter_id) == letter.letter_id
    await unit.execute(update(OutboxLetter).where(where).values(**values))


def _letter(row: OutboxLetter) -> Letter:
    return Letter(
        letter_id=row.letter_id,
        lane=row.lane,
        kind=row.kind,
        party_id=row.party_id,
        subject=row.subject,
        payload=json.loads(row.payload),
        attempts=row.attempts,
        created_at=row.created_at,
    )


async def oldest_due(unit: Unit) -> datetime | None:
    """When the oldest unworked lane was due: for the alarm on stuck work."""
    return (await unit.session.exec(select(func.min(OutboxLane.due_at)))).one()


async def list_dead(unit: Unit, *, party_id: str | None, after: str | None, limit: int) -> list[OutboxLetter]:
    """Dead letters in order of id, of one party or of all."""
    statement = select(OutboxLetter).where(col(OutboxLetter.dead_at).is_not(None))
    if party_id is not None:
        statement = statement.where(OutboxLetter.party_id == party_id)
    if after is not None:
        statement = statement.where(col(OutboxLetter.letter_id) > after)
    statement = statement.order_by(col(OutboxLetter.letter_id)).limit(limit)
    return list((await unit.session.exec(statement)).all())


async def forget_done(unit: Unit, now: datetime) -> None:
    """Forget letters done long ago, and lanes that nothing waits in. Dead letters stay."""
    await unit.execute(delete(OutboxLetter).where(col(OutboxLetter.done_at) < now - DONE_KEPT))
    await unit.execute(
        delete(OutboxLane).where(
            col(OutboxLane.due_at).is_(None),
            col(OutboxLane.lease_owner).is_(None),
            ~exists().where(col(OutboxLetter.lane) == col(OutboxLane.lane)),
        )
    )


async def oldest_late(unit: Unit) -> datetime | None:
    """Since when the oldest letter waits that was tried in vain: late is an alarm."""
    statement = select(func.min(OutboxLetter.created_at)).where(
        col(OutboxLetter.done_at).is_(None),
        col(OutboxLetter.dead_at).is_(None),
        col(OutboxLetter.attempts) > 0,
    )
    return (await unit.session.exec(statement)).one()
