"""The jobs loop: finds due lanes and works them, woken by the doorbell or by the clock.

Runs inside `interpile serve` when embedded, as `interpile jobs` in production; a Celery worker runs
`work_one` for the lane that was rung. With the broker gone this loop alone finishes the work.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from hub.core.outbox import LocalDoorbell, Outbox

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger("interpile.jobs")

POLL_S_EMBEDDED = 1
LANES_AT_ONCE = 16


async def keep_running(name: str, every_s: int, work: Callable[[], Awaitable[object]]) -> None:
    """Do some work again and again until cancelled. No failure ends it: the next round may do better."""
    while True:
        try:
            await work()
        except OSError:
            log.warning("%s: database out of reach; trying again", name)
        except Exception:
            log.exception("%s failed; trying again", name)
        await asyncio.sleep(every_s)


async def each(what: str, items: Iterable[T], work: Callable[[T], Awaitable[R]]) -> list[R]:
    """Work on one item after the other; one that fails keeps none of those behind it waiting.

    Raises:
        OSError: the database is out of reach; nothing more is tried.
        ExceptionGroup: those that failed, once all were tried.
    """
    done, problems = [], []
    for item in items:
        try:
            done.append(await work(item))
        except OSError:
            raise
        except Exception as problem:
            log.exception("%s: one failed; going on with the others", what)
            problems.append(problem)
    if problems:
        raise ExceptionGroup(f"{what}: {len(problems)} of {len(problems) + len(done)} failed", problems)
    return done


class JobsRunner:
    """Works lanes off, a bounded number at a time."""

    def __init__(self, outbox: Outbox, doorbell: LocalDoorbell, *, poll_ms: int = 1000) -> None:
        self._outbox, self._doorbell, self._poll_ms = outbox, doorbell, poll_ms
        self._working: set[asyncio.Task[int]] = set()
        self._more = False
        """Whether due lanes may have found no room: then every lane that is finished makes us look again."""

    async def run(self) -> None:
        """Loop until cancelled; lanes under way are finished first."""
        try:
            while True:
                self._doorbell.rung.clear()
                self._more = True  # what finishes meanwhile makes room that is not counted
                self._more = await self._start_due()
                await self._wait()
        finally:
            if self._working:
                await asyncio.wait(self._working, timeout=10)

    async def run_until_idle(self) -> int:
        """Work everything that is due now; returns letters done. For commands and tests."""
        done = 0
        while lanes := await self._outbox.due_lanes(LANES_AT_ONCE):
            done += sum(await asyncio.gather(*(self._outbox.work_lane(lane) for lane in lanes)))
        return done

    async def _start_due(self) -> bool:
        """Begin to work as many due lanes as there is room for; whether there may be more."""
        room = LANES_AT_ONCE - max(0, len(self._working) - self._outbox.slow_now())
        if room <= 0:
            return True
        try:
            lanes = await self._outbox.due_lanes(room)
        except OSError:
            log.warning("jobs: database out of reach; trying again")
            return False
        except Exception:
            log.exception("jobs failed to look for work; trying again")
            return False
        for lane in lanes:
            task = asyncio.create_task(self._outbox.work_lane(lane))
            self._working.add(task)
            task.add_done_callback(self._finished)
        return len(lanes) == room

    def _finished(self, task: asyncio.Task[int]) -> None:
        self._working.discard(task)
        if self._more:
            self._doorbell.rung.set()
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.error("lane failed: %s", type(problem).__name__)

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_ms / 1000):
                await self._doorbell.rung.wait()
