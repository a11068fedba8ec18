"""The outbox against a naive model, over any sequence of letters, claims, outcomes, lost leases and replays.

Workers stand still with a letter in hand until the machine says what became of it, so that they outlive their
leases and meet each other in every order.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlmodel import select

from hub.core.clock import ManualClock
from hub.core.ids import SeededIds
from hub.core.outbox import LEASE, Dead, Later, Lease, Letter, LocalDoorbell, Outbox
from hub.core.tables import OutboxLetter
from tests.books import AT
from tests.databases import fresh_database

pytestmark = pytest.mark.property

T = TypeVar("T")
LANES, KINDS = ("l0", "l1"), ("kept", "passing")
lanes = st.sampled_from(LANES)


@dataclass
class Told:
    """A letter as the model knows it."""

    name: str
    lane: str
    key: str | None
    due_at: datetime
    attempts: int = 0
    state: str = "open"


@dataclass
class Worker:
    """Somebody with a lane. He stands still with a letter in hand, or because he is done."""

    lane: str
    until: datetime
    letter: Told | None = None
    outcome: "asyncio.Future[None] | None" = None
    task: "asyncio.Task[int] | None" = None
    stands: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Model:
    """Letters in order, and who has which lane."""

    letters: list[Told] = field(default_factory=list)
    holders: dict[str, Worker] = field(default_factory=dict)

    def named(self, name: str) -> Told:
        return next(letter for letter in self.letters if letter.name == name)

    def head(self, lane: str) -> Told | None:
        """The first open letter; those that a newer one beats are passed over for good."""
        waiting = [letter for letter in self.letters if (letter.lane, letter.state) == (lane, "open")]
        newest = {letter.key: letter for letter in waiting if letter.key}
        for letter in waiting:
            if letter.key is None or newest[letter.key] is letter:
                return letter
            letter.state = "passed over"
        return None


def _stand(worker: Worker, _: object) -> None:
    worker.stands.set()


class OutboxMachine(RuleBasedStateMachine):
    """Drives both; every letter that a worker gets must be the one that the model gives him."""

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock, self.model, self.names = ManualClock(AT), Model(), count()
        self.workers: list[Worker] = []
        self.seen: list[tuple[str, bool]] = []
        self.opened = fresh_database("sqlite")
        self.database = self.run(self.opened.__aenter__())
        self.outbox = Outbox(self.database, self.clock, SeededIds(self.clock), LocalDoorbell(), "here")
        for kind in KINDS:
            self.outbox.handle(kind, self._deliver, passing=kind == "passing")

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    async def _deliver(self, letter: Letter) -> None:
        worker = next(one for one in self.workers if one.task is asyncio.current_task())
        told = self.model.named(letter.subject)
        now = self.clock.wall()
        # Noted, because the outbox takes what a handler raises for an attempt in vain.
        self.seen += [
            ("its own lane, and its attempts", (told.lane, told.attempts) == (worker.lane, letter.attempts)),
            ("who lost a lane delivers nothing", self.model.holders.get(worker.lane) is worker),
            ("in order, the newest of a key", self.model.head(worker.lane) is told),
            ("not before its time", told.due_at <= now),
        ]
        worker.until = now + LEASE if worker.letter is not None else worker.until
        worker.letter, worker.outcome = told, self.loop.create_future()
        worker.stands.set()
        await worker.outcome

    async def _until_all_stand(self) -> None:
        async with asyncio.timeout(10):
            for worker in self.workers:
                await worker.stands.wait()
        assert all(holds for _, holds in self.seen), self.seen
        for worker in list(self.workers):
            if worker.task is not None and worker.task.done():
                worker.task.result()
                self.workers.remove(worker)
                if self.model.holders.get(worker.lane) is worker:
                    del self.model.holders[worker.lane]

    def free(self, lane: str) -> bool:
        holder = self.model.holders.get(lane)
        return holder is None or holder.until < self.clock.wall()

    @rule(
        lane=lanes,
        kind=st.sampled_from(KINDS),
        key=st.sampled_from([None, "k"]),
        after_s=st.sampled_from([0, 0, 20]),
    )
    def post(self, lane: str, kind: str, key: str | None, after_s: int) -> None:
        after = timedelta(seconds=after_s)
        told = Told(f"n{next(self.names)}", lane, key, self.clock.wall() + after)
        self.model.letters.append(told)

        async def write() -> None:
            async with self.database.unit() as unit:
                await self.outbox.post(
                    unit, kind=kind, lane=lane, subject=told.name, newest_key=key, after=after
                )

        self.run(write())

    @rule(seconds=st.sampled_from([1, 10, 31]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @rule(most=st.sampled_from([1, 2]))
    def claim(self, most: int) -> None:
        heads = {lane: self.model.head(lane) for lane in LANES if self.free(lane)}
        due = {lane for lane, head in heads.items() if head is not None and head.due_at <= self.clock.wall()}
        leases = self.run(self.outbox.due_lanes(most))
        claimed = {lease.lane for lease in leases}
        assert all(self.free(lane) for lane in claimed)
        assert due <= claimed or len(claimed) == most, "what is due is found"
        self.run(self._begin(leases))

    async def _begin(self, leases: list[Lease]) -> None:
        for lease in leases:
            worker = Worker(lease.lane, lease.until)
            self.workers.append(worker)
            self.model.holders[lease.lane] = worker
            worker.task = asyncio.create_task(self.outbox.work_lane(lease))
            worker.task.add_done_callback(partial(_stand, worker))
        await self._until_all_stand()

    @precondition(lambda self: self.workers)
    @rule()
    def another_takes_over(self) -> None:
        self.clock.advance(seconds=31)
        self.claim(len(LANES))

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), outcome=st.sampled_from(["done", "done", "later", "dead"]))
    def answer(self, data: st.DataObject, outcome: str) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        self.run(self._answer(worker, outcome))

    async def _answer(self, worker: Worker, outcome: str) -> None:
        letter, now = worker.letter, self.clock.wall()
        assert letter is not None
        assert worker.outcome is not None
        holds = self.model.holders.get(worker.lane) is worker
        worker.stands.clear()
        if outcome == "done":
            letter.state = "done" if letter.state == "open" else letter.state
            worker.outcome.set_result(None)
        elif outcome == "later":
            if holds and letter.state == "open":
                letter.attempts, letter.due_at = letter.attempts + 1, now + timedelta(seconds=5)
            worker.outcome.set_exception(Later("not now", after_s=5))
        else:
            if holds and letter.state == "open":
                letter.attempts, letter.state = letter.attempts + 1, "dead"
            worker.outcome.set_exception(Dead("no"))
        await self._until_all_stand()

    def teardown(self) -> None:
        if not hasattr(self, "database"):
            return
        try:
            self.run(self._finish())
            self.run(self._compare())
        finally:
            self.run(self.opened.__aexit__(None, None, None))
            self.loop.close()

    async def _finish(self) -> None:
        """Whatever happened, everything that still waits arrives."""
        while self.workers:
            await self._answer(self.workers[0], "done")
        self.clock.advance(minutes=10)
        while leases := await self.outbox.due_lanes(len(LANES)):
            await self._begin(leases)
            while self.workers:
                await self._answer(self.workers[0], "done")

    async def _compare(self) -> None:
        """Every letter ended as in the model; of passing ones only the dead are left."""
        async with self.database.reading() as unit:
            rows = {row.subject: row for row in (await unit.session.exec(select(OutboxLetter))).all()}
        for told in self.model.letters:
            row = rows.pop(told.name, None)
            if row is None:
                assert told.state in {"done", "passed over"}, told
                continue
            passed = "passed over" if row.reason == "superseded" else "done"
            state = ("dead" if row.dead_at else "open") if row.done_at is None else passed
            attempts = told.attempts + (told.state == "done")
            assert (state, row.attempts, row.dead_at is None or row.done_at is None) == (
                told.state,
                attempts,
                True,
            )
            assert row.kind == "kept" or told.state == "dead"
        assert not rows


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
