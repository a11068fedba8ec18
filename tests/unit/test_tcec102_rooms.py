"""A partner that is slow or silent keeps nobody waiting but itself."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from hub.core.clock import ManualClock
from hub.parties.link import LinkError
from hub.protocols.tcec102 import rooms
from hub.protocols.tcec102.rooms import ASKED_AT_ONCE, SILENT_MOST, TOLD_AT_ONCE, Rooms

SLOW, QUICK = "MA5TCEC01", "MA5TCEC02"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 10, 1, tzinfo=UTC))


async def fill(places: Rooms, *, told: bool, count: int) -> tuple[list[asyncio.Task[None]], asyncio.Event]:
    """So many calls under way, until told to end."""
    end, inside = asyncio.Event(), asyncio.Semaphore(0)

    async def call() -> None:
        async with places.place(SLOW, told=told):
            inside.release()
            await end.wait()

    tasks = [asyncio.create_task(call()) for _ in range(count)]
    for _ in tasks:
        await inside.acquire()
    return tasks, end


@pytest.mark.parametrize(("told", "most"), [(True, TOLD_AT_ONCE), (False, ASKED_AT_ONCE)])
async def test_who_finds_no_place_is_sent_away_and_for_a_while_at_once(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, told: bool, most: int
) -> None:
    monkeypatch.setattr(rooms, "WAIT_S", 0.02)
    places = Rooms(clock)
    tasks, end = await fill(places, told=told, count=most)
    for wait_s in (0.02, 60):
        monkeypatch.setattr(rooms, "WAIT_S", wait_s)
        with pytest.raises(LinkError, match="too many") as refused:
            async with places.place(SLOW, told=told):
                pass
        assert not refused.value.sent
    for party_id, kind in ((QUICK, told), (SLOW, not told)):
        async with places.place(party_id, told=kind):
            pass
    end.set()
    await asyncio.gather(*tasks)
    async with places.place(SLOW, told=told):
        pass


async def test_a_silent_partner_is_tried_now_and_then_until_it_answers(clock: ManualClock) -> None:
    places = Rooms(clock)

    async def is_let_in() -> bool:
        with contextlib.suppress(LinkError):
            async with places.place(SLOW, told=True):
                return True
        return False

    for _ in range(SILENT_MOST):
        assert await is_let_in()
        places.was_silent(SLOW)
    assert [await is_let_in() for _ in range(3)] == [True, False, False]
    clock.advance(seconds=3)
    assert [await is_let_in() for _ in range(2)] == [True, False]
    places.answered(SLOW)
    assert await is_let_in()
