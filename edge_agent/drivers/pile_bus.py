"""The agent's end of a pile bus: what the piles on it say, and commands: answered, refused or not heard.

    async with PileBus(interface="socketcan", channel="can0", nodes=(1, 2), on_event=take) as bus:
        status = await bus.command(1, Start())

`on_event` is called in the loop, with what changed: a report equal to the one before it is not repeated.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from edge_agent.codecs.pile_bus import AGENT, BITRATE, CYCLES_MS, FRAME_IDS, decode, encode
from edge_agent.codecs.pile_bus_card import CardReader
from edge_agent.codecs.pile_bus_messages import (
    Ability,
    BusProblem,
    Card,
    CardPart,
    Command,
    Commanded,
    CommandResult,
    Faults,
    Measure,
    Meter,
    ProblemKind,
    Status,
    Stop,
)
from edge_agent.drivers.can_port import BusError, BusGone, BusUnusable, CanPort

__all__ = [
    "BusBack",
    "BusError",
    "BusEvent",
    "BusGone",
    "BusLost",
    "BusUnusable",
    "Overtaken",
    "PileBus",
    "PileLost",
    "PileRefused",
    "PileSilent",
    "PileView",
]

LOST_AFTER_S: Final = 3.0
RESEND_S: Final = 0.25
LAST_SEQUENCE: Final = 255
MISSED_CYCLES: Final = 2
"""How many reports may be missed beyond what a silence may be: FAULTS come every second only."""


class PileSilent(BusError):
    """No answer in time. The pile may have taken the command all the same: a start is followed by a stop."""

    def __init__(self, node: int) -> None:
        super().__init__(f"pile {node} does not answer")
        self.node = node


class PileRefused(BusError):
    """The pile answered no."""

    def __init__(self, node: int, result: CommandResult) -> None:
        super().__init__(f"pile {node} refuses: {result}")
        self.node, self.result = node, result


class Overtaken(BusError):
    """A stop went out meanwhile; the pile may have taken the command before it."""

    def __init__(self, node: int) -> None:
        super().__init__(f"pile {node} is being stopped")
        self.node = node


@dataclass(frozen=True, slots=True)
class PileLost:
    """No STATUS of this pile for too long; its next one is an event again."""

    node: int


@dataclass(frozen=True, slots=True)
class BusLost:
    """The whole bus is gone, and is tried again every second."""

    reason: str


@dataclass(frozen=True, slots=True)
class BusBack:
    """The bus can be used again."""


BusEvent = Status | Measure | Meter | Faults | Ability | Card | BusProblem | PileLost | BusLost | BusBack


@dataclass(slots=True)
class PileView:
    """The last that a pile said of each kind; `is_lost` while it is not heard.

    `is_stale`: STATUS comes and MEASURE or FAULTS do not, so that these are no longer so.
    """

    status: Status | None = None
    measure: Measure | None = None
    meter: Meter | None = None
    faults: Faults | None = None
    ability: Ability | None = None
    is_lost: bool = False
    is_stale: bool = False


@dataclass(slots=True)
class _Pile:
    """`since_s`: from when on its reports are awaited; `heard_s`: when each id was last heard."""

    node: int
    since_s: float
    heard_s: dict[int, float] = field(default_factory=dict)
    view: PileView = field(default_factory=PileView)
    frames: dict[int, bytes] = field(default_factory=dict)
    card: CardReader = field(default_factory=CardReader)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    sequence: int = 0
    stops: int = 0

    def silent_s(self, kind: type, now_s: float) -> float:
        """For how long there was no report of that kind."""
        return now_s - max(self.since_s, self.heard_s.get(FRAME_IDS[kind] | self.node, self.since_s))

    def take_status(self, status: Status) -> None:
        """A sign of life: one that was lost is awaited anew from here on."""
        if self.view.is_lost:
            self.view.is_lost = self.view.is_stale = False
            self.since_s = asyncio.get_running_loop().time()
        self.view.status = status
        self.news.set()

    def next_sequence(self, echoed: int) -> int:
        """One that the pile cannot take for a repetition, though either end may have restarted."""
        self.sequence = self.sequence % LAST_SEQUENCE + 1
        if self.sequence == echoed:
            self.sequence = self.sequence % LAST_SEQUENCE + 1
        return self.sequence


class PileBus:
    """A bus with its piles. `nodes` are those expected; frames of others are problems, unless none are named.

    `frames` counts what was heard from piles and sent to them, `problems` what could not be read. Other
    keywords go to python-can: `port` for `udp_multicast`, `tty_baudrate` for `slcan` and so on.
    """

    def __init__(
        self,
        *,
        interface: str,
        channel: str,
        on_event: Callable[[BusEvent], None],
        nodes: Iterable[int] = (),
        bitrate: int = BITRATE,
        lost_after_s: float = LOST_AFTER_S,
        **options: Any,
    ) -> None:
        self._on_event, self._lost_after_s = on_event, lost_after_s
        self._expected = frozenset(nodes)
        self._piles: dict[int, _Pile] = {}
        self._watch: asyncio.Task[None] | None = None
        self._port = CanPort(
            interface=interface,
            channel=channel,
            bitrate=bitrate,
            on_frame=self._take,
            on_garbage=self._garbage,
            on_gone=self._gone,
            on_back=lambda: on_event(BusBack()),
            **options,
        )
        self.frames = 0
        self.problems = 0

    async def open(self) -> None:
        """Open the bus; one that is not there yet is a BusLost, and is tried again.

        Raises:
            BusUnusable: it can never be opened as configured.
        """
        await self._port.open()
        self._watch = asyncio.create_task(self._keep_watch())
        for node in self._expected:
            self._pile(node)

    async def close(self) -> None:
        """Close it for good; piles go on by themselves."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._port.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def view(self, node: int) -> PileView:
        """What is known of a pile."""
        return self._pile(node).view

    async def command(self, node: int, command: Command, *, within_s: float = 2.0) -> Status:
        """Tell a pile what to do, as often as it takes; the STATUS in which it accepts.

        One command after the other, but for a stop: that goes out at once, and whatever was under way or waited
        for its turn is given up.

        Raises:
            Overtaken: a stop went out while this waited.
            PileRefused: it says no, and why.
            PileSilent: it does not say anything in time.
            BusGone: the bus is not there.
            ValueError: a value that has no place on the bus.
        """
        pile = self._pile(node)
        try:
            async with asyncio.timeout(within_s):
                status = await self._ask(pile, command)
        except TimeoutError:
            raise PileSilent(node) from None
        if status.last_result is not CommandResult.ACCEPTED:
            raise PileRefused(node, status.last_result)
        return status

    async def _ask(self, pile: _Pile, command: Command) -> Status:
        sent: Commanded | None = None
        if isinstance(command, Stop):
            pile.stops += 1
            pile.news.set()
            if pile.view.status is not None:
                # To a silent pile too: it may be mute and not deaf.
                sent = self._send(pile, command, pile.view.status)
        stops = pile.stops
        async with pile.turn:
            if sent is None:
                sent = self._send(pile, command, await self._status(pile, None, stops))
            while True:
                try:
                    async with asyncio.timeout(RESEND_S):
                        return await self._status(pile, sent.sequence, stops)
                except TimeoutError:
                    self._put(sent)

    def _send(self, pile: _Pile, command: Command, before: Status) -> Commanded:
        sent = Commanded(pile.node, pile.next_sequence(before.last_sequence), command)
        self._put(sent)
        return sent

    def _put(self, sent: Commanded) -> None:
        self._port.send(*encode(sent))
        self.frames += 1

    async def _status(self, pile: _Pile, sequence: int | None, stops: int) -> Status:
        """The pile's status: of now, or as soon as it echoes that sequence."""
        while True:
            if not self._port.is_open:
                raise BusGone("not open")
            if pile.stops != stops:
                raise Overtaken(pile.node)
            status = pile.view.status
            if status is not None and not pile.view.is_lost and sequence in {None, status.last_sequence}:
                return status
            pile.news.clear()
            await pile.news.wait()

    def _pile(self, node: int) -> _Pile:
        if node not in self._piles:
            self._piles[node] = _Pile(node, asyncio.get_running_loop().time())
        return self._piles[node]

    def _take(self, can_id: int, data: bytes) -> None:
        node = can_id & 0xFF
        if node == AGENT:
            return  # our own, heard back: udp_multicast does that
        self.frames += 1
        pile = self._piles.get(node)
        if pile is not None and pile.frames.get(can_id) == data:
            pile.heard_s[can_id] = asyncio.get_running_loop().time()
            return
        message = decode(can_id, data)
        if isinstance(message, BusProblem):
            self._problem(message)
        elif isinstance(message, Commanded) or (self._expected and node not in self._expected):
            self._problem(BusProblem(ProblemKind.WRONG_NODE, can_id, data, str(node)))
        else:
            self._report(self._pile(node), can_id, data, message)

    def _report(
        self,
        pile: _Pile,
        can_id: int,
        data: bytes,
        report: Status | Measure | Meter | Faults | CardPart | Ability,
    ) -> None:
        if isinstance(report, CardPart):
            if card := pile.card.take(report):
                self._on_event(card)
            return
        pile.frames[can_id] = data
        pile.heard_s[can_id] = asyncio.get_running_loop().time()
        match report:
            case Status():
                pile.take_status(report)
            case Measure():
                pile.view.measure = report
            case Meter():
                pile.view.meter = report
            case Faults():
                pile.view.faults = report
            case Ability():
                pile.view.ability = report
        self._on_event(report)

    def _problem(self, problem: BusProblem) -> None:
        self.problems += 1
        self._on_event(problem)

    def _garbage(self, what: str) -> None:
        self._problem(BusProblem(ProblemKind.NOT_A_FRAME, 0, b"", what))

    def _gone(self, reason: str) -> None:
        for pile in self._piles.values():
            pile.news.set()
        self._on_event(BusLost(reason))

    async def _keep_watch(self) -> None:
        loop, every_s = asyncio.get_running_loop(), self._lost_after_s / 4
        while True:
            due_s = loop.time() + every_s
            await asyncio.sleep(every_s)
            now_s = loop.time()
            if now_s - due_s > every_s:
                continue  # this process stood still: what the piles said meanwhile is yet to be read
            for pile in self._piles.values():
                self._mind(pile, now_s)

    def _mind(self, pile: _Pile, now_s: float) -> None:
        """STATUS alone is a sign of life: a controller may hang while its meter still counts."""
        pile.view.is_stale = any(
            pile.silent_s(kind, now_s) > self._lost_after_s + MISSED_CYCLES * CYCLES_MS[kind] / 1000
            for kind in (Measure, Faults)
        )
        if not pile.view.is_lost and pile.silent_s(Status, now_s) > self._lost_after_s:
            pile.view.is_lost = True
            pile.frames.clear()
            asyncio.get_running_loop().call_soon(self._on_event, PileLost(pile.node))
