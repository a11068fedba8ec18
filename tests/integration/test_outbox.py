"""Lanes and letters: delivered in order, by one worker at a time, never lost, given up only with a reason."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from hub.core import outbox_rows
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError, UnitOpenError
from hub.core.ids import SeededIds
from hub.core.outbox import ATTEMPTS_MOST, LEASE, Dead, Later, Lease, Letter, LocalDoorbell, Outbox, list_dead
from hub.core.runner import LANES_AT_ONCE, JobsRunner
from hub.core.tables import OutboxLetter
from tests.counting import commits, statements

LANE = "session:s-1"
LANES = [f"session:s-{number}" for number in range(LANES_AT_ONCE)]
ON_POSTGRESQL = pytest.mark.parametrize("kind", ["postgresql"])


class Post:
    """An outbox with a handler that remembers, and does as it is told."""

    def __init__(self, database: Database, clock: ManualClock, ids: SeededIds) -> None:
        self.database, self.clock, self.ids = database, clock, ids
        self.bell = LocalDoorbell()
        self.outbox = Outbox(database, clock, ids, self.bell, "here")
        self.outbox.handle("note", self._deliver)
        self.delivered: list[str] = []
        self.outcomes: list[Exception] = []
        self.in_hand, self.arrived = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def _deliver(self, letter: Letter) -> None:
        self.in_hand.release()
        await self.go_on.wait()
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.delivered.append(letter.payload["text"])
        self.arrived.release()

    async def begin(self, *leases: Lease | None) -> list[asyncio.Task[int]]:
        """Workers with these leases, each with its first letter in hand until `go_on` is set."""
        self.go_on.clear()
        workers = [asyncio.create_task(self.outbox.work_lane(lease)) for lease in leases if lease is not None]
        for _ in workers:
            await self.in_hand.acquire()
        return workers

    async def write(self, *texts: str, lane: str = LANE, kind: str = "note", **more: object) -> None:
        """One letter each, in one unit."""
        async with self.database.unit() as unit:
            for text in texts:
                await self.outbox.post(
                    unit,
                    kind=kind,
                    lane=lane,
                    subject="s",
                    payload={"text": text},
                    **more,  # type: ignore[arg-type]
                )

    async def work(self) -> int:
        """Work off all that is due."""
        return await JobsRunner(self.outbox, self.bell).run_until_idle()

    async def letters(self) -> list[OutboxLetter]:
        """All that there are, in order."""
        async with self.database.reading() as unit:
            return list(
                (await unit.session.exec(select(OutboxLetter).order_by(col(OutboxLetter.position)))).all()
            )


@pytest.fixture
def post(database: Database, clock: ManualClock, ids: SeededIds) -> Post:
    return Post(database, clock, ids)


async def test_letters_of_a_lane_are_delivered_once_and_in_order(post: Post) -> None:
    await post.write("a", "b", "c")
    await post.write("d")
    assert await post.work() == 4
    assert post.delivered == ["a", "b", "c", "d"]
    assert await post.work() == 0


async def test_a_letter_of_a_unit_that_was_rolled_back_was_never_written(post: Post) -> None:
    async def write_and_break() -> None:
        async with post.database.unit() as unit:
            await post.outbox.post(unit, kind="note", lane=LANE, subject="s", payload={"text": "a"})
            raise KeyError

    with pytest.raises(KeyError):
        await write_and_break()
    assert await post.work() == 0


async def test_a_later_letter_holds_up_its_own_lane_and_no_other(post: Post) -> None:
    await post.write("a", "b")
    await post.write("x", lane="session:s-2")
    post.outcomes = [Later("not now", after_s=30)]
    first = await post.outbox.claim(LANE)  # both are due since the same instant: neither is the first by itself
    assert first is not None
    await post.outbox.work_lane(first)
    await post.work()
    assert post.delivered == ["x"]
    post.clock.advance(seconds=31)
    await post.work()
    assert post.delivered == ["x", "a", "b"]


async def test_of_letters_with_one_key_the_newest_wins_and_those_without_are_kept(post: Post) -> None:
    await post.write("first")
    await post.write("2", "3", "4", newest_key="update")
    await post.write("last")
    await post.work()
    assert post.delivered == ["first", "4", "last"]


async def test_a_letter_with_a_time_waits_for_it(post: Post) -> None:
    await post.write("timer", lane="timer:s-1", after=timedelta(minutes=1))
    assert await post.work() == 0
    post.clock.advance(seconds=61)
    assert await post.work() == 1


async def test_a_handler_that_breaks_is_tried_again_and_keeps_the_reason(post: Post) -> None:
    await post.write("a")
    post.outcomes = [RuntimeError("bug")]
    await post.work()
    post.clock.advance(seconds=5)
    await post.work()
    assert post.delivered == ["a"]


async def test_a_letter_that_gave_up_is_dead_with_its_reason_and_the_next_goes_on(post: Post) -> None:
    await post.write("a", "b", party_id="MA5BBBBB2")
    post.outcomes = [Dead("refused by the home")]
    await post.work()
    assert post.delivered == ["b"]
    async with post.database.reading() as unit:
        (dead,) = await list_dead(unit, party_id="MA5BBBBB2", after=None, limit=10)
        assert await list_dead(unit, party_id="MA5AAAAA1", after=None, limit=10) == []
    assert (dead.reason, dead.attempts) == ("refused by the home", 1)


async def test_attempts_are_counted_and_end(post: Post) -> None:
    await post.write("a")
    post.outcomes = [Later("down", after_s=1) for _ in range(ATTEMPTS_MOST + 5)]
    for _ in range(ATTEMPTS_MOST):
        await post.work()
        post.clock.advance(seconds=2)
    async with post.database.reading() as unit:
        (dead,) = await list_dead(unit, party_id=None, after=None, limit=10)
    assert (dead.attempts, dead.reason) == (ATTEMPTS_MOST, "down")


async def test_a_dead_letter_is_replayed_under_its_own_id_by_its_own_party_only(post: Post) -> None:
    await post.write("a", party_id="MA5BBBBB2")
    post.outcomes = [Dead("no")]
    await post.work()
    async with post.database.reading() as unit:
        (dead,) = await list_dead(unit, party_id=None, after=None, limit=10)
    with pytest.raises(NotFoundError):
        async with post.database.unit() as unit:
            await post.outbox.replay(unit, dead.letter_id, party_id="MA5AAAAA1")
    async with post.database.unit() as unit:
        await post.outbox.replay(unit, dead.letter_id, party_id="MA5BBBBB2")
    await post.work()
    assert post.delivered == ["a"]
    with pytest.raises(HubError, match="state_conflict"):
        async with post.database.unit() as unit:
            await post.outbox.replay(unit, dead.letter_id)


async def test_a_lane_is_claimed_by_one_of_many(post: Post) -> None:
    await post.write("a")
    claims = await asyncio.gather(*(post.outbox.claim(LANE) for _ in range(8)))
    assert sum(claim is not None for claim in claims) == 1
    assert await post.outbox.due_lanes(10) == []


async def test_a_lease_that_ran_out_goes_to_another_and_the_first_delivers_nothing_more(post: Post) -> None:
    await post.write("a", "b")
    slow = await post.outbox.claim(LANE)
    assert slow is not None
    post.clock.now += LEASE + timedelta(seconds=1)
    quick = await post.outbox.claim(LANE)
    assert quick is not None
    assert await post.outbox.work_lane(slow) == 0
    assert post.delivered == []
    assert await post.outbox.work_lane(quick) == 2


@pytest.mark.parametrize("passing", [False, True])
async def test_letters_beaten_by_a_newer_one_are_passed_over_all_at_once(post: Post, passing: bool) -> None:
    post.outbox.handle("note", post._deliver, passing=passing)
    spent = []
    for count in (2, 60):
        await post.write(*map(str, range(count)), newest_key="update")
        with statements(post.database) as asked:
            assert await post.work() == 1
        spent.append(len(asked))
    assert spent[0] == spent[1]
    assert post.delivered == ["1", "59"]
    reasons = [letter.reason for letter in await post.letters()]
    assert reasons == ([] if passing else ["superseded", None, *["superseded"] * 59, None])


async def test_what_lanes_finish_at_the_same_time_is_one_commit(post: Post) -> None:
    for lane in LANES:
        await post.write(lane, lane=lane)
    workers = await post.begin(*await post.outbox.due_lanes(len(LANES)))
    with commits(post.database) as committed:
        post.go_on.set()
        assert sum(await asyncio.gather(*workers)) == len(LANES)
    assert len(committed) == 1
    assert await post.outbox.due_lanes(1) == []
    assert all(letter.done_at and letter.attempts == 1 for letter in await post.letters())


@ON_POSTGRESQL
async def test_a_lane_that_is_being_written_to_holds_up_no_other_and_nobody_waits_in_a_circle(
    post: Post,
) -> None:
    first, second = LANES[:2]
    for lane in (first, second):
        await post.write(f"1 of {lane}", lane=lane)
    of_first, of_second = await post.begin(await post.outbox.claim(first), await post.outbox.claim(second))
    async with post.database.unit() as unit:
        await post.outbox.post(unit, kind="note", lane=second, subject="s", payload={"text": f"2 of {second}"})
        post.go_on.set()
        async with asyncio.timeout(5):
            assert await of_first == 1
        assert not of_second.done()
        await post.outbox.post(unit, kind="note", lane=first, subject="s", payload={"text": f"2 of {first}"})
    assert await of_second == 2, "it waited for the writer, and saw the letter"
    assert await post.work() == 1
    assert sorted(post.delivered) == [f"{turn} of {lane}" for turn in (1, 2) for lane in (first, second)]


@pytest.mark.parametrize("outcome", [None, Dead("no"), Later("not now"), RuntimeError("bug")])
async def test_who_lost_a_lane_finishes_nothing_that_another_has_finished(
    post: Post, outcome: Exception | None
) -> None:
    await post.write("a", "b")
    (slow,) = await post.begin(await post.outbox.claim(LANE))
    post.clock.now += LEASE + timedelta(seconds=1)
    quick = await post.outbox.claim(LANE)
    assert quick is not None
    other = Post(post.database, post.clock, post.ids)
    assert await other.outbox.work_lane(quick) == 2
    before = [letter.model_dump() for letter in await post.letters()]
    post.clock.advance(seconds=1)
    post.outcomes = [] if outcome is None else [outcome]
    post.go_on.set()
    assert await slow == (outcome is None)
    assert [letter.model_dump() for letter in await post.letters()] == before
    assert other.delivered == ["a", "b"]


async def test_what_arrived_is_noted_by_one_who_lost_the_lane_and_what_did_not_is_for_the_other(
    post: Post,
) -> None:
    await post.write("a", "b")
    (slow,) = await post.begin(await post.outbox.claim(LANE))
    post.clock.now += LEASE + timedelta(seconds=1)
    quick = await post.outbox.claim(LANE)
    assert quick is not None
    post.go_on.set()
    assert await slow == 1, "it goes on to nothing else"
    assert [letter.done_at is not None for letter in await post.letters()] == [True, False]

    (slow,) = await post.begin(quick)
    post.clock.now += LEASE + timedelta(seconds=1)
    assert await post.outbox.claim(LANE) is not None
    post.outcomes = [Dead("no")]
    post.go_on.set()
    assert await slow == 0
    assert [letter.dead_at for letter in await post.letters()] == [None, None]


async def test_a_reason_that_no_database_takes_keeps_no_lane_busy(post: Post) -> None:
    await post.write("a", "b")
    post.outcomes = [Dead("no\x00 \ud800" + "!" * 300)]
    assert await post.work() == 1
    (dead, _) = await post.letters()
    assert dead.reason == "no ?" + "!" * 196


async def test_more_lanes_than_there_is_room_for_are_worked_without_waiting_for_the_clock(post: Post) -> None:
    lanes = [f"{lane} {turn}" for turn in range(3) for lane in LANES]
    for lane in lanes:
        await post.write(lane, lane=lane)
    running = asyncio.create_task(JobsRunner(post.outbox, post.bell, poll_ms=60_000).run())
    async with asyncio.timeout(20):
        for _ in lanes:
            await post.arrived.acquire()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_lane_that_is_finished_makes_nobody_look_where_all_had_room(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    due_lanes = post.outbox.due_lanes

    async def looking(most: int) -> list[Lease]:
        looks.append(most)
        return await due_lanes(most)

    monkeypatch.setattr(post.outbox, "due_lanes", looking)
    runner = JobsRunner(post.outbox, post.bell, poll_ms=60_000)
    await post.write("a")
    running = asyncio.create_task(runner.run())
    await post.arrived.acquire()
    await asyncio.gather(*runner._working)
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert looks == [LANES_AT_ONCE]


async def test_a_letter_written_while_its_lane_is_worked_is_not_forgotten(post: Post) -> None:
    await post.write("a")
    lease = await post.outbox.claim(LANE)
    assert lease is not None
    await post.write("b")
    await post.outbox.work_lane(lease)
    await post.work()
    assert post.delivered == ["a", "b"]


async def test_a_letter_whose_row_was_spoilt_is_dead_and_stops_no_other(post: Post) -> None:
    await post.write("spoilt", "next")
    await post.write("other", lane=LANES[2])
    async with post.database.unit() as unit:
        first = (await unit.session.exec(select(OutboxLetter).limit(1))).one()
        first.payload = '{"text": "spo'
    await post.work()
    assert sorted(post.delivered) == ["next", "other"]
    assert [one.dead_at is not None for one in await post.letters()] == [True, False, False]


async def test_no_unit_can_be_opened_and_nothing_remote_called_inside_a_unit(post: Post) -> None:
    async with post.database.unit():
        with pytest.raises(UnitOpenError):
            async with post.database.unit():
                pass


@ON_POSTGRESQL
async def test_a_letter_is_noted_without_a_look_at_all_that_wait(post: Post) -> None:
    """Statistics that lag behind know of hardly an open letter, and many may wait for a home that is down."""
    many = (
        "INSERT INTO outbox_letter (letter_id, lane, kind, subject, payload, due_at, created_at, attempts,"
        " done_at) SELECT '{0}' || g, '{0}' || g, 'note', 's', '', now(), now(), 0, {1}"
        " FROM generate_series(1, {2}) g"
    )
    async with post.database.engine.begin() as connection:
        await connection.exec_driver_sql(many.format("done-", "now()", 10_000))
        await connection.exec_driver_sql("ANALYZE outbox_letter")
        await connection.exec_driver_sql(many.format("open-", "NULL", 500))
    now, asked = post.clock.wall(), list[tuple[str, Any]]()

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    async with post.database.unit() as unit:
        connection = await unit.session.connection()
        event.listen(post.database.engine.sync_engine, "before_cursor_execute", note)
        await outbox_rows.note_done(unit, {"open-1": "kept", "open-2": "gone"}, {"gone"}, now)
        await outbox_rows.note_failed(unit, "open-3", "open-3", "token", attempts=1)
        for statement, parameters in asked.copy():
            plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            assert "outbox_letter_open" not in str(plan.all()), statement
