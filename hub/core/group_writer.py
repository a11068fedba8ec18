"""Commits several units together: one transaction, one savepoint each, so that one that fails rolls back alone.

A caller gets its answer only after the transaction that holds its unit is durable. Waiting callers gather while
a commit is under way, so the group grows with the load and an idle hub waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hub.core.database import Database, Unit, refuse_inside_unit

T = TypeVar("T")
Outcomes = list[tuple[Any, BaseException | None]]


class GroupWriter:
    """One writer task per database."""

    def __init__(self, database: Database, *, most: int = 64) -> None:
        self._database = database
        self._most = most
        self._waiting: deque[tuple[Callable[[Unit], Awaitable[Any]], asyncio.Future[Any]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run `work` in a unit of its own within the next group; its error is raised here."""
        refuse_inside_unit("a group write inside a unit")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            try:
                outcomes: Outcomes = await self._commit([work for work, _ in group])
            except Exception as problem:  # noqa: BLE001 - whatever broke the commit is each caller's to know
                outcomes = [(None, problem)] * len(group)
            for (_, future), (result, failure) in zip(group, outcomes, strict=True):
                if future.cancelled():
                    continue
                if failure is None:
                    future.set_result(result)
                else:
                    future.set_exception(failure)

    async def _commit(self, works: list[Callable[[Unit], Awaitable[Any]]]) -> Outcomes:
        if len(works) == 1:
            async with self._database.unit() as unit:
                return [(await works[0](unit), None)]
        outcomes: Outcomes = []
        async with self._database.unit() as unit:
            for work in works:
                hooks = len(unit.hooks)
                try:
                    async with unit.session.begin_nested():
                        outcomes.append((await work(unit), None))
                except Exception as problem:  # noqa: BLE001 - rolled back to its savepoint, raised at its caller
                    del unit.hooks[hooks:]
                    outcomes.append((None, problem))
        return outcomes
