"""A site that has proved itself: what it sends is stored, then acknowledged; it is commanded; it asks."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from operator_sdk.chance import fresh_id
from operator_sdk.contract.edge_link import FRAME_BYTES_MOST
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    BadItem,
    Command,
    CommandFrame,
    LinkCode,
    LinkProblem,
    Refused,
    Result,
    encode,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived, Asked, GatewayEvent, Left, Proving, Resulted
from operator_sdk.contract.public_codes import Code
from operator_sdk.errors import SiteOffline, SiteSilent
from operator_sdk.guard import Refuse
from operator_sdk.site_gateway.inbox import Inbox
from operator_sdk.site_gateway.line import Line
from operator_sdk.site_gateway.own_code import OwnCodeFailed, run_own

WITHIN_S = 4.0


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """How long and how much a gateway puts up with; times in seconds of wall time.

    `prove_s`: until the proof. `idle_s`: without a message; an agent says how it fares at least each minute.
    `send_s`: while a site takes nothing of what is sent to it. `unproved_most`: of one address, no proof yet.
    `asks_most`, `commands_most`: at work at one time for one site.
    """

    prove_s: float = 10
    idle_s: float = 180
    send_s: float = 10
    unproved_most: int = 100
    asks_most: int = 20
    commands_most: int = 100


@dataclass(frozen=True, slots=True)
class Work:
    """What a connection hands on to: the inbox and the operator's functions."""

    inbox: Inbox
    answer: Callable[[str, Ask], Awaitable[Answer]] | None
    prepare: "Callable[[SiteConnection], Awaitable[None]] | None"
    alarm: Callable[[str, str, str], None]


class SiteConnection:
    """A site while it is connected: its names, and a way to command it."""

    def __init__(self, line: Line, proving: Proving, work: Work, limits: GatewayLimits) -> None:
        self.site_id, self.spool_id = proving.site_id, proving.spool_id
        self.connectors, self.agent_version = proving.connectors, proving.agent_version
        self._line, self._work, self._limits = line, work, limits
        self._waiting: dict[str, list[asyncio.Future[Result]]] = defaultdict(list)
        self._asks: set[asyncio.Task[None]] = set()
        self._ready = asyncio.Event()
        self._is_over = False

    @property
    def is_ready(self) -> bool:
        """Whether `on_connected` has returned, and the connection holds."""
        return self._ready.is_set() and not self._has_ended

    @property
    def _has_ended(self) -> bool:
        return self._is_over or self._line.is_stopped

    async def ready(self) -> None:
        """Wait until `on_connected` has returned, or the connection has ended."""
        await self._ready.wait()

    async def command(
        self, command: Command, *, within_s: float = WITHIN_S, command_id: str | None = None
    ) -> Result:
        """Command the site; with a `command_id` of one's own a repeat gets the first result.

        Raises:
            SiteOffline: the connection has ended, or too many commands wait: certainly not sent.
            SiteSilent: no answer in time; it may have been done.
            ValueError: the command does not fit into a frame.
        """
        command_id = command_id or fresh_id("cmd")
        if len(encode(CommandFrame(command_id=command_id, command=command))) > FRAME_BYTES_MOST:
            raise ValueError("the command is larger than a frame")
        under_way = max(len(self._waiting), len(self._line.end.outgoing))
        if self._has_ended or under_way >= self._limits.commands_most:
            raise SiteOffline(self.site_id)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[command_id].append(answer)
        self._line.end.command(command_id, command)
        self._line.flush()
        try:
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError as late:
            raise SiteSilent(self.site_id) from late
        finally:
            self._waiting[command_id].remove(answer)
            if not self._waiting[command_id]:
                del self._waiting[command_id]

    def stop(self, problem: LinkProblem) -> None:
        """End the connection, and tell the site why."""
        self._line.stop(problem)

    async def serve(self) -> None:
        """Take what the site sends, until it leaves.

        Raises:
            LinkProblem: the site broke a rule, is silent, or could not be served.
            WebSocketDisconnect: the site is gone.
        """
        preparing = asyncio.create_task(self._prepare())
        try:
            while True:
                event = await self._line.receive(self._limits.idle_s)
                if isinstance(event, Left):
                    return
                await self._take(event)
                await self._line.drained()
        finally:
            self._is_over = True
            tasks = [preparing, *self._asks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._ready.set()
            for answers in self._waiting.values():
                for answer in answers:
                    if not answer.done():
                        answer.set_exception(SiteSilent(self.site_id))

    async def _prepare(self) -> None:
        try:
            if self._work.prepare is not None:
                await run_own("on_connected", self.site_id, self._work.prepare(self))
            self._ready.set()
        except (OwnCodeFailed, Refuse) as failed:
            is_silent = isinstance(failed.__cause__, SiteSilent)
            code = LinkCode.SILENT if is_silent else LinkCode.GOING_DOWN
            self.stop(LinkProblem(code, "it could not be told what it has to know"))

    async def _take(self, event: GatewayEvent | None) -> None:
        match event:
            case Arrived():
                await self._store(event)
            case Resulted():
                for answer in self._waiting.get(event.command_id, ()):
                    if not answer.done():
                        answer.set_result(event.result)
            case Asked():
                self._asked(event)
            case _:
                pass  # a batch that was known already: the machine has acknowledged it

    async def _store(self, arrived: Arrived) -> None:
        stream, first, items = arrived.stream, arrived.first, arrived.items
        storing = self._work.inbox.store(self.site_id, self.spool_id, stream, first, items)
        try:
            await run_own("the inbox", self.site_id, storing)
        except (OwnCodeFailed, Refuse) as problem:
            raise LinkProblem(LinkCode.NOT_STORED) from problem
        self._line.end.stored(stream, first + len(items) - 1)
        self._line.flush()
        for item in items:
            if isinstance(item, BadItem):
                self._work.alarm(self.site_id, "bad_item", item.problem)

    def _asked(self, asked: Asked) -> None:
        if len(self._asks) >= self._limits.asks_most:
            self._answer(asked.ask_id, Refused(code=Code.TOO_MANY_REQUESTS))
            return
        task = asyncio.create_task(self._work_out(asked))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    async def _work_out(self, asked: Asked) -> None:
        """Answer, or leave the question open: the agent asks again."""
        if self._work.answer is None:
            self._answer(asked.ask_id, Refused(code=Code.NOT_FOUND))
            return
        try:
            answer = await run_own("on_ask", self.site_id, self._work.answer(self.site_id, asked.ask))
            self._answer(asked.ask_id, answer)
        except Refuse as refusal:
            self._answer(asked.ask_id, Refused(code=refusal.code, detail=(refusal.message or "")[:200]))
        except OwnCodeFailed:
            pass  # logged where it was caught

    def _answer(self, ask_id: str, answer: Answer) -> None:
        self._line.end.answer(ask_id, answer)
        self._line.flush()
