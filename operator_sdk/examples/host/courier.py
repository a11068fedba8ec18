"""Brings what the sites sent to the hub unchanged: per session in order, one in flight, until acknowledged."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from operator_sdk.client import AsyncHubClient, is_decided
from operator_sdk.contract.edge_link.frames import BillItem, UpdateItem
from operator_sdk.contract.messages.records import RecordReply
from operator_sdk.errors import InterpileError
from operator_sdk.site_gateway import KeptItem, SqliteInbox

log = logging.getLogger("interpile.host")

_WAIT_S_FIRST, _WAIT_S_MAX = 1, 15
_AT_ONCE = 32


class Courier:
    """One task per session of which something waits in the inbox."""

    def __init__(
        self, inbox: SqliteInbox, hub: AsyncHubClient, on_record: Callable[[str, RecordReply], None]
    ) -> None:
        self._inbox = inbox
        self._hub = hub
        self._on_record = on_record
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken: set[str] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def wake(self, sessions: Iterable[str]) -> None:
        """There is something to bring for these sessions."""
        for session_id in sessions:
            self._woken.add(session_id)
            if session_id not in self._tasks:
                self._tasks[session_id] = asyncio.create_task(self._bring(session_id))

    async def aclose(self) -> None:
        """Stop; what is not acknowledged stays in the inbox."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring(self, session_id: str) -> None:
        wait_s = _WAIT_S_FIRST
        try:
            while session_id in self._woken:
                self._woken.discard(session_id)
                while kept := await self._inbox.next_of_session(session_id):
                    delivered = await self._deliver(session_id, kept)
                    if not delivered:
                        await asyncio.sleep(wait_s)
                    wait_s = _WAIT_S_FIRST if delivered else min(2 * wait_s, _WAIT_S_MAX)
        finally:
            # Between the last look for a wake-up and here nothing was awaited, so none is lost.
            del self._tasks[session_id]

    async def _deliver(self, session_id: str, kept: KeptItem) -> bool:
        """Whether the hub has decided about it."""
        try:
            async with self._room:
                await self._send(session_id, kept)
            await self._inbox.done(kept.position)
        except InterpileError as problem:
            if not is_decided(problem):
                log.warning("not delivered yet: %s %s", session_id, problem)
                return False
            log.warning("refused for good: %s %s", session_id, problem)
            await self._inbox.refused(kept.position, str(problem))
        return True

    async def _send(self, session_id: str, kept: KeptItem) -> None:
        if isinstance(kept.item, UpdateItem):
            await self._hub.push_session(session_id, kept.item.update)
        elif isinstance(kept.item, BillItem):
            self._on_record(session_id, await self._hub.push_record(kept.item.record))
