"""Live updates: one stream from the hub for each driver and session, shared by all who follow it."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator

from mobile_bff.drivers import Driver, Drivers
from mobile_bff.hub_backend import Caller, HubBackend, plain_id
from mobile_bff.refused import Refused, told
from operator_sdk.client import AsyncHubClient
from operator_sdk.client.events import FINAL
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
        self.ended = False
        self._oldest_after = after
        self._kept: deque[SessionProgress] = deque()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._run(hub, session_id, after))

    def has_all_above(self, number: int) -> bool:
        """Whether nothing above that number was missed or forgotten."""
        return number >= self._oldest_after

    async def _run(self, hub: AsyncHubClient, session_id: str, after: int) -> None:
        try:
            with told():
                # The hub keeps an ended charge's stream open until its bill has come; a phone need not wait.
                session = await hub.get_session(session_id)
                if session.state in FINAL and session.last_number <= after:
                    return
                async for update in hub.session_events(session_id, after=after or None):
                    self._keep(update)
        finally:
            self.ended = True
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
            news, ended = self._news, self.ended
            if not self.has_all_above(number):
                raise Refused(Code.UNAVAILABLE)
            for update in [one for one in self._kept if one.number > number]:
                number = update.number
                yield update
            if news is not self._news:
                continue
            if ended:
                break
            await news.wait()
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Feeds:
    """Who follows what."""

    def __init__(self, backend: HubBackend, drivers: Drivers) -> None:
        self._backend, self._drivers = backend, drivers
        self._newest: dict[Key, _Feed] = {}
        self._open: defaultdict[tuple[str, str], int] = defaultdict(int)

    @property
    def open_feeds(self) -> int:
        """Streams that are open to the hub."""
        return sum(self._open.values())

    async def follow(
        self, driver: Driver, caller: Caller, session_id: str, after: int
    ) -> AsyncGenerator[SessionProgress, None]:
        """A session's updates above a number, in order, until it has ended or the token does.

        The hub hears the request id of whoever made it open the stream.

        Raises:
            Refused: not_found, token_invalid when the token ends, too_many_requests, unavailable.
        """
        key = driver.name, plain_id(session_id)
        feed = self._join(key, driver, caller, after)
        try:
            updates = feed.above(after)
            while True:
                try:
                    async with asyncio.timeout(self._token_life_s(driver)):
                        update = await anext(updates)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise Refused(Code.TOKEN_INVALID) from None
                yield update
        finally:
            await self._leave(key, feed)

    def _token_life_s(self, driver: Driver) -> int:
        left_s = self._drivers.seconds_left(driver)
        if not left_s:
            raise Refused(Code.TOKEN_INVALID)
        return left_s

    def _join(self, key: Key, driver: Driver, caller: Caller, after: int) -> _Feed:
        """The newest feed if it has all that is wanted, and a token that lasts as long; else another one."""
        feed = self._newest.get(key)
        if (
            feed is None
            or feed.ended
            or not feed.has_all_above(after)
            or feed.token_ends_at < driver.expires_at
        ):
            if self._open[driver.name] >= FEEDS_MOST_DRIVER:
                raise Refused(Code.TOO_MANY_REQUESTS)
            client = self._backend.as_driver(caller).client
            feed = self._newest[key] = _Feed(client, key[1], after, driver.expires_at)
            self._open[driver.name] += 1
        feed.followers += 1
        return feed

    async def _leave(self, key: Key, feed: _Feed) -> None:
        feed.followers -= 1
        if feed.followers:
            return
        if self._newest.get(key) is feed:
            del self._newest[key]
        self._open[key[0]] -= 1
        if not self._open[key[0]]:
            del self._open[key[0]]
        await feed.close()
