"""One WebSocket with the gateway's machine at its end: messages in, events out, goodbye said."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from operator_sdk.contract.edge_link.frames import LinkCode, LinkProblem
from operator_sdk.contract.edge_link.gateway_end import GatewayEnd, GatewayEvent

NORMAL, GOING_AWAY, POLICY, TOO_BIG, FAILED = 1000, 1001, 1008, 1009, 1011
_CLOSE_CODES = {
    LinkCode.GOING_DOWN: GOING_AWAY,
    LinkCode.TOO_LARGE: TOO_BIG,
    LinkCode.NOT_STORED: FAILED,
}
FAREWELL_S = 1
_LEFT = LinkProblem(LinkCode.GOING_DOWN)


class Line:
    """A connection from its acceptance to its end. A writer of its own sends what the machine says."""

    def __init__(self, socket: WebSocket, end: GatewayEnd, *, send_s: float) -> None:
        self.end = end
        self._socket, self._send_s = socket, send_s
        self._more, self._drained = asyncio.Event(), asyncio.Event()
        self._stopped: asyncio.Future[LinkProblem] = asyncio.get_running_loop().create_future()

    @property
    def is_stopped(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._stopped.done()

    def stop(self, problem: LinkProblem) -> None:
        """End it, and tell the site why."""
        if not self._stopped.done():
            self._stopped.set_result(problem)

    def flush(self) -> None:
        """Have sent what the machine says."""
        if self.end.outgoing:
            self._drained.clear()
            self._more.set()

    async def drained(self) -> None:
        """Wait until everything is sent: who does not read is not read from."""
        if self.end.outgoing:
            await self._drained.wait()

    async def receive(self, within_s: float) -> GatewayEvent | None:
        """The next message's event.

        Raises:
            LinkProblem: silent, or the site broke a rule.
            WebSocketDisconnect: the site is gone.
        """
        try:
            async with asyncio.timeout(within_s):
                message = await self._socket.receive()
        except TimeoutError as late:
            raise LinkProblem(LinkCode.SILENT) from late
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or NORMAL)
        data = message.get("bytes")
        if data is None:
            raise LinkProblem(LinkCode.MALFORMED, "a text message")
        event = self.end.receive(data)
        self.flush()
        return event

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work until it ends, the line is stopped, or the site no longer takes what is sent."""
        self.flush()
        tasks = [asyncio.create_task(work), asyncio.create_task(self._write())]
        ends: set[asyncio.Future[Any]] = {*tasks, self._stopped}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        problems = [one for one in ended if isinstance(one, LinkProblem)]
        problems += [self._stopped.result()] if self._stopped.done() else []
        self.stop(_LEFT)
        for one in ended:
            if isinstance(one, Exception) and not isinstance(one, LinkProblem | WebSocketDisconnect):
                raise one
        if not any(isinstance(one, WebSocketDisconnect) for one in ended):
            await self._farewell(problems[0] if problems else None)

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self.end.outgoing:
                frame = self.end.outgoing.popleft()
                try:
                    async with asyncio.timeout(self._send_s):
                        await self._socket.send_bytes(frame)
                except TimeoutError as late:
                    raise LinkProblem(LinkCode.SILENT, "it does not read") from late
            self._drained.set()

    async def _farewell(self, problem: LinkProblem | None) -> None:
        with contextlib.suppress(TimeoutError, WebSocketDisconnect):
            async with asyncio.timeout(FAREWELL_S):
                if problem is not None:
                    self.end.bye(problem.code, problem.detail)
                while self.end.outgoing:
                    await self._socket.send_bytes(self.end.outgoing.popleft())
                code = NORMAL if problem is None else _CLOSE_CODES.get(problem.code, POLICY)
                await self._socket.close(code)
