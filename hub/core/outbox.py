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
from typing import Any, Final, Protocol

from sqlalchemy import Row, delete, exists, func, or_
from sqlmodel import col, select

from hub.core import outbox_rows
from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.group_writer import Gatherer, Outcomes, singly_after_conflict
from hub.core.ids import Ids
from hub.core.outbox_shares import Shares
from hub.core.tables import OutboxLane, OutboxLetter, insert_for
from operator_sdk.contract.ids import LETTER
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.outbox")

LEASE = timedelta(seconds=30)
"""Longer than any one delivery; renewed with every letter."""
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
    """The right to work a lane until an instant, and the letter to begin with where one is due.

    No two claims of a lane have the same token, not even of one process.
    """

    lane: str
    token: str
    until: datetime
    letter: Letter | None


Handler = Callable[[Letter], Awaitable[None]]


@dataclass(eq=False, frozen=True, slots=True)
class _Turn:
    """A worker between two letters: the one that arrived, and whether it goes on to the next."""

    lease: Lease
    done: Letter | None
    goes_on: bool


_BUSY: Final = object()
"""Somebody else has this lane's row, most likely to write a letter."""


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
        self._turns: Gatherer[_Turn] = Gatherer(self._turn_many)
        self._shares = Shares()

    def handle(self, kind: str, handler: Handler, *, stubborn: bool = False, passing: bool = False) -> None:
        """Register who delivers letters of a kind; stubborn ones are tried until they arrive.

        Passing ones are forgotten as soon as they are done: there are very many, and none proves anything.
        """
        self._handlers[kind] = handler
        for kinds, asked in ((self._stubborn, stubborn), (self._passing, passing)):
            if asked:
                kinds.add(kind)

    def slow_now(self) -> int:
        """How many deliveries only wait for a slow partner: whoever counts those under way leaves them out."""
        return self._shares.slow()

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
            return await self._claim(unit, await outbox_rows.lock_due(unit, now, most), now)

    async def claim(self, lane: str) -> Lease | None:
        """Claim one lane that somebody rang for; None when it is not due or another holds it."""
        now = self._clock.wall()
        async with self._database.unit() as unit:
            leases = await self._claim(unit, await outbox_rows.lock_due_one(unit, now, lane), now)
        return leases[0] if leases else None

    async def _claim(self, unit: Unit, lanes: list[str], now: datetime) -> list[Lease]:
        if not lanes:
            return []
        token, until = f"{self._owner}:{self._ids.digits(12)}", now + LEASE
        await outbox_rows.claim(unit, lanes, token, until)
        heads = await outbox_rows.heads(unit, lanes, self._passing, now)
        return [Lease(lane, token, until, _due_letter(heads.get(lane), now)) for lane in lanes]

    async def work_lane(self, lease: Lease) -> int:
        """Deliver a claimed lane's due letters in order, then give the lease back. Returns letters done.

        Whoever lost the lease in the meantime (a process that stood still) delivers nothing more.
        """
        done, held = 0, lease if lease.letter is not None else await self._turn(lease)
        while held is not None and (letter := held.letter) is not None:
            if held.until <= self._clock.wall():
                held = await self._turn(held)
                continue
            arrived, goes_on = await self._deliver(held, letter)
            done += arrived
            held = await self._turn(held, letter if arrived else None, goes_on=goes_on)
        return done

    async def _deliver(self, lease: Lease, letter: Letter) -> tuple[bool, bool]:
        """Whether a letter arrived, and whether the next may be delivered now."""
        if wait_s := self._shares.put_off_s(letter.party_id):
            due_at = self._clock.wall() + timedelta(seconds=wait_s)
            await self._note(lease, letter, attempts=letter.attempts, due_at=due_at)
            return False, False
        try:
            with self._shares.under_way(letter.party_id):
                await self._handlers[letter.kind](letter)
        except Later as outcome:
            await self._retry(lease, letter, str(outcome), outcome.after_s)
            return False, False
        except (Dead, KeyError) as outcome:
            await self._bury(lease, letter, str(outcome))
            return False, True
        except Exception as problem:
            # A handler's bug must not stop other lanes; the letter keeps the reason and is tried again.
            log.exception("letter failed", extra={"letter_id": letter.letter_id, "kind": letter.kind})
            await self._retry(lease, letter, type(problem).__name__, None)
            return False, False
        return True, True

    async def forget_leases(self) -> None:
        """Take back what a process that is gone had claimed: only where this process is the only one."""
        async with self._database.unit() as unit:
            await outbox_rows.forget_leases(unit)

    async def _turn(self, lease: Lease, done: Letter | None = None, *, goes_on: bool = True) -> Lease | None:
        """Note what arrived, then the next letter with the lease renewed; None: given back, or lost.

        Turns of several lanes share a unit, unless it conflicts with another's: then each has its own. A letter
        that arrived is noted even by one who lost the lease, so that it is not sent twice.
        """
        turn = _Turn(lease, done, goes_on)
        outcome: Any = await self._turns.put(turn)
        if outcome is _BUSY:
            async with self._database.unit() as unit:
                (outcome,) = await self._turn_over(unit, [turn], wait=True)
        following: Lease | None = outcome
        return following

    async def _turn_many(self, turns: list[_Turn]) -> Outcomes:
        return await singly_after_conflict(self._turn_in_a_unit, turns)

    async def _turn_in_a_unit(self, turns: list[_Turn]) -> Outcomes:
        arrived = {turn.done.letter_id: turn.done.kind for turn in turns if turn.done is not None}
        async with self._database.unit() as unit:
            await outbox_rows.note_done(unit, arrived, self._passing, self._clock.wall())
            return await self._turn_over(unit, turns, wait=False)

    async def _turn_over(self, unit: Unit, turns: list[_Turn], *, wait: bool) -> Outcomes:
        """What follows for each: a lease, None, or _BUSY where it may not wait for the lane."""
        owners = await outbox_rows.lock(unit, {turn.lease.lane for turn in turns}, wait=wait)
        ours = {turn.lease.lane: turn for turn in turns if owners.get(turn.lease.lane) == turn.lease.token}
        now = self._clock.wall()
        heads = await outbox_rows.heads(unit, list(ours), self._passing, now)
        kept: dict[str, Lease] = {}
        free: dict[str, datetime | None] = {}
        for lane, turn in ours.items():
            head = heads.get(lane)
            letter = _due_letter(head, now) if turn.goes_on else None
            if letter is not None:
                kept[lane] = Lease(lane, turn.lease.token, now + LEASE, letter)
            else:
                free[lane] = None if head is None else head.due_at
        await outbox_rows.renew(unit, kept, now + LEASE)
        await outbox_rows.release(unit, free)

        def following(turn: _Turn) -> Any:
            lane = turn.lease.lane
            if ours.get(lane) is turn:
                return kept.get(lane)
            return None if wait or lane in owners else _BUSY

        return [following(turn) for turn in turns]

    async def _retry(self, lease: Lease, letter: Letter, reason: str, after_s: int | None) -> None:
        attempts = letter.attempts + 1
        if attempts >= ATTEMPTS_MOST and letter.kind not in self._stubborn:
            await self._bury(lease, letter, reason)
            return
        wait = timedelta(seconds=backoff_s(attempts) if after_s is None else after_s)
        await self._note_failed(lease, letter, reason, due_at=self._clock.wall() + wait)

    async def _bury(self, lease: Lease, letter: Letter, reason: str) -> None:
        log.warning("dead letter", extra={"letter_id": letter.letter_id, "kind": letter.kind})
        await self._note_failed(lease, letter, reason, dead_at=self._clock.wall())

    async def _note_failed(self, lease: Lease, letter: Letter, reason: str, **at: datetime) -> None:
        await self._note(lease, letter, attempts=letter.attempts + 1, reason=_storable(reason), **at)

    async def _note(self, lease: Lease, letter: Letter, **values: Any) -> None:
        async with self._database.unit() as unit:
            await outbox_rows.note_failed(unit, letter.letter_id, lease.lane, lease.token, **values)

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


def _due_letter(head: Row[Any] | None, now: datetime) -> Letter | None:
    if head is None or head.due_at > now:
        return None
    return Letter(
        letter_id=head.letter_id,
        lane=head.lane,
        kind=head.kind,
        party_id=head.party_id,
        subject=head.subject,
        payload=outbox_rows.payload_of(head),
        attempts=head.attempts,
        created_at=head.created_at,
    )


def _storable(reason: str) -> str:
    """What a partner says may hold what no database takes."""
    return reason.replace("\x00", "").encode("utf-8", "replace").decode()[:200]


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
