"""A partner that is slow keeps nobody's letters waiting but its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from hub.core import outbox_shares
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SeededIds
from hub.core.outbox import Letter
from hub.core.outbox_shares import PUT_OFF_MOST_S, SLOW_MOST, Shares
from hub.core.runner import LANES_AT_ONCE, JobsRunner
from tests.integration.test_outbox import Post

SLOW, QUICK = "MA5SLOW01", "MA5QUICK1"
MANY = 3 * LANES_AT_ONCE


class Partners(Post):
    """Letters to one partner arrive when it may go on, all others at once."""

    waiting = 0

    async def _deliver(self, letter: Letter) -> None:
        if letter.party_id == SLOW:
            self.waiting += 1
            await self.go_on.wait()
        self.delivered.append(str(letter.party_id))
        self.arrived.release()


@pytest.fixture
async def post(
    database: Database, clock: ManualClock, ids: SeededIds, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Partners]:
    monkeypatch.setattr(outbox_shares, "SLOW_S", 0.05)
    post = Partners(database, clock, ids)
    post.go_on.clear()
    yield post
    post.go_on.set()


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_letters_to_others_arrive_while_a_slow_partner_has_more_than_there_are_places(
    post: Partners,
) -> None:
    for number in range(MANY):
        await post.write("x", lane=f"slow:{number}", party_id=SLOW)
    for number in range(LANES_AT_ONCE):
        await post.write("x", lane=f"quick:{number}", party_id=QUICK)
    running = asyncio.create_task(JobsRunner(post.outbox, post.bell, poll_ms=20).run())
    async with asyncio.timeout(10):
        for _ in range(LANES_AT_ONCE):
            await post.arrived.acquire()
    assert set(post.delivered) == {QUICK}
    assert SLOW_MOST <= post.waiting <= LANES_AT_ONCE
    assert {one.attempts for one in await post.letters() if one.party_id == SLOW} == {0}
    post.go_on.set()
    async with asyncio.timeout(10):
        while post.delivered.count(SLOW) < MANY:
            post.clock.advance(seconds=1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await post.arrived.acquire()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (post.delivered.count(SLOW), post.delivered.count(QUICK)) == (MANY, LANES_AT_ONCE)


async def test_of_many_letters_that_are_put_off_a_few_come_back_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox_shares, "SLOW_S", 0)
    shares = Shares()
    with contextlib.ExitStack() as under_way:
        for number in range(SLOW_MOST):
            assert (shares.slow(), shares.put_off_s(SLOW)) == (number, 0)
            under_way.enter_context(shares.under_way(SLOW))
        waits = [shares.put_off_s(SLOW) for _ in range(200)]
        assert waits[:9] == [1, 1, 1, 2, 2, 2, 2, 3, 3]
        assert waits[-1] == PUT_OFF_MOST_S
        assert [shares.put_off_s(other) for other in (QUICK, None)] == [0, 0]
    assert (shares.slow(), shares.put_off_s(SLOW)) == (0, 0)


async def test_a_partner_that_is_quick_may_have_everything() -> None:
    shares = Shares()
    with contextlib.ExitStack() as under_way:
        for _ in range(LANES_AT_ONCE):
            assert shares.put_off_s(QUICK) == 0
            under_way.enter_context(shares.under_way(QUICK))
        assert shares.slow() == 0
