"""Units committed together: each caller gets its own answer, and one that fails rolls back alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from hub.core.database import Database, OutOfReach, Unit
from hub.core.group_writer import GroupWriter, singly_after_conflict
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


class Refused:
    """A group's work that the database refuses wherever these names are in it."""

    def __init__(self, database: Database, sqlstate: str, *, alone: set[str]) -> None:
        self.database, self.sqlstate, self.alone = database, sqlstate, alone
        self.units: list[list[str]] = []

    async def work(self, names: list[str]) -> list[str]:
        self.units.append(names)
        async with self.database.unit() as unit:
            if len(names) > 1 or self.alone & {*names}:
                refuse = f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{self.sqlstate}'; END $$"
                await (await unit.session.connection()).exec_driver_sql(refuse)
        return [f"answer-{name}" for name in names]


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
async def test_a_group_in_conflict_is_tried_again_one_by_one_and_who_still_is_fails_alone(
    database: Database, sqlstate: str
) -> None:
    refused = Refused(database, sqlstate, alone={"b"})
    first, second, third = await singly_after_conflict(refused.work, ["a", "b", "c"])
    assert (first, third) == ("answer-a", "answer-c")
    assert isinstance(second, DBAPIError)
    assert refused.units == [["a", "b", "c"], ["a"], ["b"], ["c"]]


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize(("sqlstate", "raised"), [("57P01", OutOfReach), ("23505", DBAPIError)])
async def test_a_group_that_is_wrong_or_without_a_database_is_not_tried_again(
    database: Database, sqlstate: str, raised: type[Exception]
) -> None:
    refused = Refused(database, sqlstate, alone=set())
    with pytest.raises(raised):
        await singly_after_conflict(refused.work, ["a", "b"])
    assert refused.units == [["a", "b"]]


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
