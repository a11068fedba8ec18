"""Work that is not cut off in the middle, though whoever waits for it may be cancelled at any moment."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Uncut:
    """Runs exchanges with the network as tasks of their own.

    A call that is cancelled in the wrong round of the loop leaves httpcore's pool a connection that is neither
    idle nor closed: its place is taken for good, and after as many as the pool has places nothing is sent any
    more. So the caller's waiting ends at once, and the exchange by itself: with its answer or its time-out.
    """

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def run(
        self, work: Coroutine[Any, Any, T], *, give_back: Callable[[T], Awaitable[None]] | None = None
    ) -> T:
        """What the work gives. When nobody waits for it any more, `give_back` gets that.

        Raises:
            Exception: whatever the work raises.
        """
        task = self._begin(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if give_back is not None:
                self._begin(_give_back(task, give_back))
            raise

    def _begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # perhaps nobody waits to hear of it

    async def close(self) -> None:
        """End what is under way."""
        while self._under_way:
            for task in self._under_way:
                task.cancel()
            await asyncio.wait(self._under_way)


async def _give_back(task: "asyncio.Task[T]", give_back: Callable[[T], Awaitable[None]]) -> None:
    await give_back(await task)
