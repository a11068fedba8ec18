"""Messages between the hub and everybody else: dropped, delayed, repeated, reordered, or their answers lost."""

import asyncio
import contextvars
import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tests.simulation.process import Crashed, Surroundings

ORDINARY_MS = (5, 250)
SLOW_MS = (2_000, 25_000)
LATE_MS = (60_000, 600_000)
"""Slow is beyond any time-out; late comes when everybody has given up and something newer has arrived."""

Receiver = Callable[[bytes], Awaitable[bytes]]


class Silence(Exception):
    """No answer came in time. `sent` is False only where the message certainly never arrived."""

    def __init__(self, *, sent: bool = True) -> None:
        super().__init__("no answer")
        self.sent = sent


class Refusal(Exception):
    """The other side answered, and refused: a public code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Unavailable(Exception):
    """The other side answered that it cannot say now (a 5xx, or a 409 that means later)."""


class Network:
    """Carries one message and its answer."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._carrying

    def apart(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that outlives whoever asked for it."""
        task = self._around.loop.create_task(work, context=contextvars.Context())
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def ask(self, what: str, receiver: Receiver, body: bytes, *, timeout_s: int) -> bytes:
        """Send, and wait for the answer.

        Raises:
            Silence, Refusal, Unavailable.
        """
        around = self._around
        around.note("->", what, hashlib.sha256(body).hexdigest()[:12])
        if around.fault("refused"):
            raise Silence(sent=False)
        answer: asyncio.Future[bytes] = around.loop.create_future()
        if not around.fault("dropped"):
            self.apart(self._carry(what, receiver, body, answer, self._delay_ms()))
        if around.fault("repeated"):
            self.apart(
                self._carry(what, receiver, body, None, self._delay_ms() + around.chance.between(0, 9_000))
            )
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            around.note("--", what, "unanswered")
            raise Silence from None

    def _delay_ms(self) -> int:
        around = self._around
        if around.fault("late"):
            return around.chance.between(*LATE_MS)
        return around.chance.between(*(SLOW_MS if around.fault("slow") else ORDINARY_MS))

    async def _carry(
        self,
        what: str,
        receiver: Receiver,
        body: bytes,
        answer: "asyncio.Future[bytes] | None",
        delay_ms: int,
    ) -> None:
        await asyncio.sleep(delay_ms / 1000)
        problem: Exception | None = None
        reply = b""
        try:
            reply = await receiver(body)
        except (Refusal, Unavailable) as said:
            problem = said
        except (Silence, Crashed):
            return
        if answer is None:
            return
        if self._around.fault("answer_lost"):
            return
        await asyncio.sleep(self._delay_ms() / 1000)
        if not answer.done():
            self._around.note("<-", what, problem or hashlib.sha256(reply).hexdigest()[:12])
            if problem is None:
                answer.set_result(reply)
            else:
                answer.set_exception(problem)
