"""Brings the spool to the hub: per session in order, one in flight, until acknowledged."""

import asyncio
import logging
from collections.abc import Callable

from operator_sdk.client import AsyncHubClient, is_decided
from operator_sdk.contract.messages.records import RecordReply
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.errors import InterpileError
from operator_sdk.examples.host.store import Spooled, Store

log = logging.getLogger("interpile.host")

_WAIT_S_FIRST, _WAIT_S_MAX = 1, 15


class Courier:
    """One task per session that has something waiting."""

    def __init__(
        self, store: Store, hub: AsyncHubClient, on_record: Callable[[str, RecordReply], None]
    ) -> None:
        self._store = store
        self._hub = hub
        self._on_record = on_record
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wake(self, session_id: str) -> None:
        """There is something to bring for this session."""
        if session_id not in self._tasks:
            self._tasks[session_id] = asyncio.create_task(self._bring(session_id))

    def wake_all(self) -> None:
        """After a start: whatever was left."""
        for session_id in self._store.waiting_sessions():
            self.wake(session_id)

    async def aclose(self) -> None:
        """Stop; what is not acknowledged stays in the spool."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring(self, session_id: str) -> None:
        wait_s = _WAIT_S_FIRST
        try:
            while spooled := self._store.next_waiting(session_id):
                try:
                    await self._send(spooled)
                    self._store.done(spooled)
                    wait_s = _WAIT_S_FIRST
                except InterpileError as problem:
                    if is_decided(problem):
                        log.warning("refused for good: %s %s", session_id, problem)
                        self._store.done(spooled, refused=str(problem))
                        continue
                    log.warning("not delivered yet: %s %s", session_id, problem)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, _WAIT_S_MAX)
        finally:
            # Between the last look and here nothing was awaited, so no wake-up is lost.
            del self._tasks[session_id]

    async def _send(self, spooled: Spooled) -> None:
        if isinstance(spooled.message, SessionUpdate):
            await self._hub.push_session(spooled.session_id, spooled.message)
        else:
            reply = await self._hub.push_record(spooled.message)
            self._on_record(spooled.session_id, reply)
