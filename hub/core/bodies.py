"""Bodies of calls: read whole, bounded in size and in time, before anything is known of who sends them."""

import asyncio
from asyncio import Task, TimerHandle
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from hub.core.errors import HubError
from operator_sdk.contract.public_codes import Code

PATIENCE_S, LOOK_S = 20, 1
SLOWEST_BYTES_PER_S = 100_000
"""Of a large body: a list of all stations over a poor line takes longer than a message may."""

LENGTH_DIGITS = 12

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""ASGI's."""


class Bodies:
    """Reads bodies, and gives up those that take longer than so many seconds and what their size needs.

    One look a second at all that are under way: a timer for each would cost more than reading it does.
    """

    def __init__(self, patience_s: int = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._until: dict[Task[Any], float] = {}
        self._late: set[Task[Any]] = set()
        self._timer: TimerHandle | None = None

    async def read(self, receive: Receive, *, length: str | None, most: int) -> bytes:
        """The body, of at most so many bytes; `length` is its Content-Length.

        Raises:
            HubError: too_large; malformed, the length is no number, or it did not arrive whole and in time.
        """
        if length is not None and not (length.isascii() and length.isdigit()):
            raise HubError(Code.MALFORMED, problem="Content-Length is no number")
        size = most if length is None else int(length[:LENGTH_DIGITS])
        if size > most:
            raise HubError(Code.TOO_LARGE)
        task = asyncio.current_task()
        assert task is not None
        self._watch(task, self._patience_s + size // SLOWEST_BYTES_PER_S)
        try:
            return await _whole(receive, most)
        except asyncio.CancelledError:
            if task in self._late and not task.uncancel():
                raise _cut_off() from None
            raise
        finally:
            del self._until[task]
            self._late.discard(task)

    def _watch(self, task: Task[Any], patience_s: int) -> None:
        loop = asyncio.get_running_loop()
        self._until[task] = loop.time() + patience_s
        if self._timer is None:
            self._timer = loop.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for task in [task for task, until in self._until.items() if until < now]:
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        self._timer = loop.call_later(LOOK_S, self._look) if self._until else None


async def _whole(receive: Receive, most: int) -> bytes:
    body, goes_on = bytearray(), True
    while goes_on:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _cut_off()
        body += message.get("body", b"")
        if len(body) > most:
            raise HubError(Code.TOO_LARGE)
        goes_on = message.get("more_body", False)
    return bytes(body)


def _cut_off() -> HubError:
    return HubError(Code.MALFORMED, problem="the body did not arrive")
