"""Live updates: one stream from the hub for each driver and session, shared by all who follow it."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator

from mobile_bff.drivers import Driver, Drivers
from mobile_bff.hub_backend import HubBackend, plain_id
from mobile_bff.refused import Refused, told
from operator_sdk.client import AsyncHubClient
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.contract.public_codes import Code

KEPT_MOST = 500
"""Updates that a feed remembers for who comes later, or is slow."""

FEEDS_MOST_DRIVER = 6
"""Fewer than the streams that the hub lets a driver have."""

Key = tuple[tuple[str, str], str]


class _Feed:
    """One stream from the hub, and the last updates that came through it."""

    def __init__(self, hub: AsyncHubClient, session_id: str, after: int, token_ends_at: int) -> None:
        self.token_ends_at = token_ends_at
        self.followers = 0
        self._oldest_after = after
        self._kept: deque[SessionProgress] = deque()
        self._news = asyncio.Event()
        self._problem: Refused | None = None
        self._task = asyncio.create_task(self._run(hub, session_id, after))

    def has_all_above(self, number: int) -> bool:
        """Whether nothing above that number was missed or forgotten."""
        return number >= self._oldest_after

    @property
    def finished(self) -> bool:
        """Nothing more will come."""
        return self._task.done()

    async def _run(self, hub: AsyncHubClient, session_id: str, after: int) -> None:
        try:
            with told():
                async for update in hub.session_events(session_id, after=after or None):
                    self._keep(update)
        except Refused as problem:
            self._problem = problem
        finally:
            self._ring()

    def _keep(self, update: SessionProgress) -> None:
        self._kept.append(update)
        if len(self._kept) > KEPT_MOST:
            self._oldest_after = self._kept.popleft().number
        self._ring()

    def _ring(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def above(self, number: int) -> AsyncGenerator[SessionProgress, None]:
        """Updates above that number, until the stream ends.

        Raises:
            Refused: the hub's refusal; unavailable, when this reader was so slow that updates were forgotten.
        """
        while True:
            news, ended = self._news, self.finished
            if not self.has_all_above(number):
                raise Refused(Code.UNAVAILABLE)
            for update in [one for one in self._kept if one.number > number]:
                number = update.number
                yield update
            if news is self._news:
                if ended:
                    break
                await news.wait()
        if self._problem is not None:
            raise self._problem

    async def close(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
