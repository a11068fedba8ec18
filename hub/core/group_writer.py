"""Commits several units together, so that a commit's cost is shared by all who wait for one.

Two forms over one gatherer: `GroupWriter` runs ordinary units, each in its own savepoint, so that one that
fails rolls back alone; a set-based writer (`Gatherer` over one statement for all) serves the hottest paths.
Callers gather while a commit is under way: the group grows with the load and an idle hub waits for nobody.
An answer leaves only after its unit is durable.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from hub.core.database import Database, Unit, refuse_inside_unit
from hub.core.database_errors import DATABASE_ERRORS, is_conflict, is_out_of_reach

T = TypeVar("T")
Item = TypeVar("Item")
Outcomes = Sequence[Any]
"""One per item, in order: a result, or the exception to raise at its caller."""


class Gatherer(Generic[Item]):
    """Hands waiting items to `work` in groups, one group at a time."""

    def __init__(self, work: Callable[[list[Item]], Awaitable[Outcomes]], *, most: int = 64) -> None:
        self._work, self._most = work, most
        self._waiting: deque[tuple[Item, asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Any:
        """The item's result, once its group is durable; its error is raised here."""
        refuse_inside_unit("a group write inside a unit")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            try:
                outcomes = await self._work([item for item, _ in group])
            except Exception as problem:  # noqa: BLE001 - whatever broke the group is each caller's to know
                outcomes = [problem] * len(group)
            assert len(outcomes) == len(group), "one outcome each, or answers go to the wrong callers"
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if future.cancelled():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)


async def singly_after_conflict(
    work: Callable[[list[Item]], Awaitable[Outcomes]], items: list[Item]
) -> Outcomes:
    """What `work` makes of a group in one unit or, in conflict with another unit, of each item in its own.

    Raises:
        Exception: what broke the group, if it was no conflict.
        OutOfReach: the database does not answer; some of the items may be done.
    """
    try:
        return await work(items)
    except DATABASE_ERRORS as problem:
        if not is_conflict(problem):
            raise
    outcomes: list[Any] = []
    for item in items:
        try:
            outcomes += await work([item])
        except Exception as problem:
            if is_out_of_reach(problem):
                raise
            outcomes.append(problem)
    return outcomes


class GroupWriter:
    """Runs ordinary units in groups."""

    def __init__(self, database: Database, *, most: int = 64) -> None:
        self._database = database
        self._gatherer: Gatherer[Callable[[Unit], Awaitable[Any]]] = Gatherer(self._commit, most=most)

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run `work` in a unit of its own within the next group; its error is raised here."""
        result: T = await self._gatherer.put(work)
        return result

    async def _commit(self, works: list[Callable[[Unit], Awaitable[Any]]]) -> Outcomes:
        if len(works) == 1:
            async with self._database.unit() as unit:
                return [await works[0](unit)]
        outcomes: list[Any] = []
        outcome: Any
        async with self._database.unit() as unit:
            for work in works:
                hooks = len(unit.hooks)
                try:
                    async with unit.session.begin_nested():
                        outcome = await work(unit)
                        # What is pending must fail here, inside its own savepoint, or not at all.
                        await unit.session.flush()
                except Exception as problem:
                    if is_out_of_reach(problem):
                        raise  # with the connection went everybody's savepoint
                    del unit.hooks[hooks:]
                    outcome = problem
                outcomes.append(outcome)
        return outcomes
