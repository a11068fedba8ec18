"""Units committed together: each caller gets its own answer, and one that fails rolls back alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.core.database import Database, Unit
from hub.core.group_writer import GroupWriter
from hub.core.runner import keep_running
from hub.core.tables import Counter


def adding(name: str, *, value: int = 0) -> Callable[[Unit], Awaitable[str]]:
    """Work that leaves its row to be flushed at the end of its own unit."""

    async def work(unit: Unit) -> str:
        unit.session.add(Counter(name=name, value=value))
        return f"answer-{name}"

    return work


async def test_a_unit_that_fails_at_its_flush_fails_alone_and_answers_stay_with_their_callers(
    database: Database,
) -> None:
    writer = GroupWriter(database)
    await writer.write(adding("b"))
    names = ["first", "a", "b", "c", "d"]
    told: list[Any] = await asyncio.gather(
        *(writer.write(adding(name)) for name in names),
        return_exceptions=True,
    )
    assert isinstance(told[2], Exception)
    assert [answer for answer in told if isinstance(answer, str)] == [
        "answer-first",
        "answer-a",
        "answer-c",
        "answer-d",
    ]
    async with database.reading() as unit:
        for name in ("first", "a", "b", "c", "d"):
            assert await unit.session.get(Counter, name) is not None


async def test_a_loop_beside_the_hub_outlives_whatever_its_work_raises() -> None:
    rounds, enough = 0, asyncio.Event()

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 6:
            enough.set()
        raise (OSError, RuntimeError, AssertionError)[rounds % 3]

    running = asyncio.create_task(keep_running("test", 0, work))
    await enough.wait()
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
