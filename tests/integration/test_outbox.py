"""Lanes and letters: delivered in order, by one worker at a time, never lost, given up only with a reason."""

import asyncio
from datetime import timedelta

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError, UnitOpenError
from hub.core.ids import SeededIds
from hub.core.outbox import ATTEMPTS_MOST, LEASE, Dead, Later, Letter, LocalDoorbell, Outbox, list_dead
from hub.core.runner import JobsRunner

LANE = "session:s-1"


class Post:
    """An outbox with a handler that remembers, and does as it is told."""

    def __init__(self, database: Database, clock: ManualClock, ids: SeededIds) -> None:
        self.database, self.clock = database, clock
        self.bell = LocalDoorbell()
        self.outbox = Outbox(database, clock, ids, self.bell, "here")
        self.outbox.handle("note", self._deliver)
        self.delivered: list[str] = []
        self.outcomes: list[Exception] = []

    async def _deliver(self, letter: Letter) -> None:
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.delivered.append(letter.payload["text"])

    async def write(self, *texts: str, lane: str = LANE, **more: object) -> None:
        """One letter each, in one unit."""
        async with self.database.unit() as unit:
            for text in texts:
                await self.outbox.post(
                    unit,
                    kind="note",
                    lane=lane,
                    subject="s",
                    payload={"text": text},
                    **more,  # type: ignore[arg-type]
                )

    async def work(self) -> int:
        """Work off all that is due."""
        return await JobsRunner(self.outbox, self.bell).run_until_idle()


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
    first = (await post.outbox.due_lanes(1))[0]
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


async def test_a_letter_written_while_its_lane_is_worked_is_not_forgotten(post: Post) -> None:
    await post.write("a")
    lease = await post.outbox.claim(LANE)
    assert lease is not None
    await post.write("b")
    await post.outbox.work_lane(lease)
    await post.work()
    assert post.delivered == ["a", "b"]


async def test_no_unit_can_be_opened_and_nothing_remote_called_inside_a_unit(post: Post) -> None:
    async with post.database.unit():
        with pytest.raises(UnitOpenError):
            async with post.database.unit():
                pass
