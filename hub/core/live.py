"""Live fan-out: tells whoever follows a topic that there is news. The news itself is in the database.

A topic is a session's id, `site:{site_id}` or `command:{command_id}`.

In the process when embedded; through Redis in production. Losing a notice loses nothing: followers look for
themselves every few seconds.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol


class Live(Protocol):
    """The port of live fan-out."""

    def publish(self, topic: str) -> None:
        """Say that a topic has news; never blocks, never fails."""

    def follow(self, topic: str) -> contextlib.AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set at every notice for this topic, while the block lasts."""

    async def flush(self) -> None:
        """Send the notices that wait, for processes that do not stay to carry them."""

    async def run(self) -> None:
        """Carry notices between processes until cancelled."""


class LocalLive:
    """Fan-out within one process."""

    def __init__(self) -> None:
        self._followers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def publish(self, topic: str) -> None:
        """Wake the followers of this process."""
        for event in self._followers.get(topic, ()):
            event.set()

    @asynccontextmanager
    async def follow(self, topic: str) -> AsyncIterator[asyncio.Event]:
        """Follow a topic."""
        event = asyncio.Event()
        self._followers[topic].add(event)
        try:
            yield event
        finally:
            self._followers[topic].discard(event)
            if not self._followers[topic]:
                del self._followers[topic]

    async def flush(self) -> None:
        """Nothing waits."""

    async def run(self) -> None:
        """Nothing to carry."""
        await asyncio.Event().wait()
