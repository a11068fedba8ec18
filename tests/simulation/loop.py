"""Virtual time: an event loop that never waits, and the clocks that read it.

Whatever sleeps is woken in the order of its time, and time jumps to whoever is next. With one thread, no socket
and no real clock, the same seed gives the same order of everything.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

from hub.core.clock import cut_to_ms

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
LONGEST_S = 100 * 24 * 3600


class Stuck(Exception):
    """Nobody is ready and nobody sleeps, or it goes on for ever: what is waited for never comes."""


class _NoSelector:
    """Stands where a loop waits for sockets: there are none, so waiting is moving the time."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None or self._loop.now_s > LONGEST_S:
            raise Stuck
        self._loop.now_s += timeout
        return []

    def close(self) -> None:
        """Nothing is open."""


async def _done(func: Callable[[*Ts], T], *args: *Ts) -> T:
    return func(*args)


class VirtualLoop(asyncio.BaseEventLoop):
    """The standard loop, over no selector. `now_s` is the time since its beginning."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__()
        self._selector = _NoSelector(self)

    def time(self) -> float:
        """Virtual seconds."""
        return self.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """There is one thread: what would be done in another is done at once, and in its turn."""
        return self.create_task(_done(func, *args))

    def _process_events(self, event_list: list[Any]) -> None:
        """No events come from outside."""

    def _write_to_self(self) -> None:
        """Nobody else's thread wakes us."""


@dataclass(slots=True)
class SimClock:
    """The hub's clock: the true time, and by how much it is wrong just now. Implements `core.Clock`."""

    loop: VirtualLoop
    begun: datetime
    wrong_by: timedelta = field(default=timedelta(0))

    def true(self) -> datetime:
        """The time that piles, operators and the bank go by."""
        return cut_to_ms(self.begun + timedelta(seconds=self.loop.now_s))

    def wall(self) -> datetime:
        """What the hub believes."""
        return self.true() + self.wrong_by

    def business(self) -> datetime:
        """The same: business time runs at speed 1."""
        return self.wall()

    def wall_for(self, business: timedelta) -> timedelta:
        """The same stretch."""
        return business
