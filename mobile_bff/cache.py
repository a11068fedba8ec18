"""A short, bounded memory of answers: each is asked for once at a time, whoever waits for it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ShortMemory(Generic[Value]):
    """Keeps the newest answers for a while, the oldest go first. What failed is not kept."""

    def __init__(self, *, life_s: int, most: int) -> None:
        self._life_s, self._most = life_s, most
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Task[Value]] = {}

    def find(self, key: Hashable) -> Value | None:
        """The answer, while it is fresh."""
        kept = self._kept.get(key)
        if kept is None or kept[0] <= asyncio.get_running_loop().time():
            return None
        return kept[1]

    def keep(self, key: Hashable, value: Value) -> None:
        """Remember an answer from now on."""
        self._kept.pop(key, None)
        self._kept[key] = asyncio.get_running_loop().time() + self._life_s, value
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        """The answer, fresh or asked for; whoever comes meanwhile waits for the same one.

        Raises:
            Exception: whatever `ask` raises, to all who waited.
        """
        found = self.find(key)
        if found is not None:
            return found
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.ensure_future(self._ask(key, ask))
            task.add_done_callback(_heard)
        # One who goes away must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Value]]) -> Value:
        try:
            value = await ask()
        finally:
            del self._under_way[key]
        self.keep(key, value)
        return value


def _heard(task: "asyncio.Task[Value]") -> None:
    """A failure that nobody waited for any more is no lost exception."""
    if not task.cancelled():
        task.exception()
