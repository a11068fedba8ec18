"""Live fan-out between processes, through Redis; loaded where Redis is configured."""

import asyncio
import contextlib
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.core.live import LocalLive

log = logging.getLogger("interpile.live")

CHANNEL = "interpile:live"


class RedisLive(LocalLive):
    """Fan-out between processes; with Redis gone, each process still serves its own."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(maxsize=10_000)

    def publish(self, topic: str) -> None:
        """Wake followers here and, through Redis, elsewhere."""
        super().publish(topic)
        with contextlib.suppress(asyncio.QueueFull):
            self._outgoing.put_nowait(topic)

    async def run(self) -> None:
        """Carry notices both ways, reconnecting by itself."""
        await asyncio.gather(self._send(), self._receive())

    async def _send(self) -> None:
        while True:
            first = await self._outgoing.get()
            if not await self._publish({first, *self._waiting()}):
                await asyncio.sleep(1)

    async def flush(self) -> None:
        """Publish what waits now."""
        if waiting := self._waiting():
            await self._publish(waiting)

    def _waiting(self) -> set[str]:
        waiting = set()
        while not self._outgoing.empty():
            waiting.add(self._outgoing.get_nowait())
        return waiting

    async def _publish(self, topics: set[str]) -> bool:
        try:
            pipe = self._redis.pipeline(transaction=False)
            for topic in topics:
                pipe.publish(CHANNEL, topic)
            await pipe.execute()
        except (RedisError, OSError):
            log.warning("live fan-out: redis out of reach")
            return False
        return True

    async def _receive(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        notice = await channel.get_message(ignore_subscribe_messages=True, timeout=None)
                        if notice is not None:
                            super().publish(notice["data"].decode())
            except (RedisError, OSError):
                await asyncio.sleep(1)
