"""Tasks beside the server: kept while they run, told of when they break, ended with the platform."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("interpile.tcec102.sim")


class Tasks:
    """What runs in the background."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it; what ends it other than being told to is logged at once."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def cancel(self) -> None:
        """End all of them."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.critical("a background task ended", exc_info=problem)
