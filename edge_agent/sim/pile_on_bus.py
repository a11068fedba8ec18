"""A simulated pile on a bus: it speaks as often as the DBC says and at once on a change, and takes commands."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus import AGENT, AGENT_SILENT_S, BITRATE, CYCLES_MS, decode, encode
from edge_agent.codecs.pile_bus_card import TAPS, split_card
from edge_agent.codecs.pile_bus_messages import Commanded, Report
from edge_agent.drivers.can_port import BusGone, CanPort
from edge_agent.sim.pile import REPORTS, PileController

MIND_EVERY_S = 0.5


class PileOnBus:
    """Moves a controller with the clock, and carries its words. `is_silent`: it neither speaks nor hears.

    It charges as long without a command as the DBC says, in seconds of `wall_s`, by default the loop's.
    """

    def __init__(
        self,
        pile: PileController,
        clock: Clock,
        *,
        interface: str,
        channel: str,
        wall_s: Callable[[], float] | None = None,
        **options: Any,
    ) -> None:
        self.pile, self._clock = pile, clock
        self.is_silent = False
        self.slow_ms = 0
        self._wall_s, self._commanded_s = wall_s, 0.0
        self._taps = 0
        self._waiting: deque[Commanded] = deque()
        self._said: dict[type, Report] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._port = CanPort(
            interface=interface,
            channel=channel,
            bitrate=BITRATE,
            on_frame=self._take,
            on_garbage=lambda _: None,
            **options,
        )

    async def open(self) -> None:
        """Come onto the bus."""
        await self._port.open()
        self._tasks = [
            asyncio.create_task(self._repeat(kind, report)) for kind, report in REPORTS if kind in CYCLES_MS
        ]
        self._tasks.append(asyncio.create_task(self._keep_minding()))

    async def close(self) -> None:
        """Leave it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._port.close()

    def until_now(self) -> PileController:
        """The pile as it is at this moment."""
        self.pile.advance(self._clock.business())
        return self.pile

    def changed(self) -> None:
        """Say what has changed since it was last said."""
        for kind, report in REPORTS:
            said = report(self.pile)
            if said != self._said.get(kind):
                self._say(said)

    def tap(self, number: str) -> None:
        """A card is shown.

        Raises:
            ValueError: no number, too long a number, or characters that no card has.
        """
        parts = split_card(self.pile.node, self._taps, number)
        frames = [encode(part) for part in parts]
        self._taps = (self._taps + 1) % TAPS
        for frame in frames:
            self._send(*frame)

    def make_noise(self) -> int:
        """Frames that mean nothing; how many."""
        frames = list(_noise(self.pile))
        for frame in frames:
            self._send(*frame)
        return len(frames)

    def _take(self, can_id: int, data: bytes) -> None:
        if self.is_silent or can_id & 0xFF != AGENT:
            return
        message = decode(can_id, data)
        if isinstance(message, Commanded) and message.node == self.pile.node:
            loop = asyncio.get_running_loop()
            self._commanded_s = self._now_s()
            self._waiting.append(message)
            loop.call_later(self.slow_ms / 1000, self._obey_next)

    def _obey_next(self) -> None:
        """However slow, in the order in which they came."""
        message = self._waiting.popleft()
        pile = self.until_now()
        pile.take(message.sequence, message.command)
        self._say(pile.status())
        self.changed()

    async def _repeat(self, kind: type, report: Callable[[PileController], Report]) -> None:
        while True:
            pile = self.until_now()
            self._say(report(pile))
            await asyncio.sleep(CYCLES_MS[kind] / 1000)

    def mind_agent(self) -> None:
        """Stop a charge over which nobody has watched for too long."""
        if self._now_s() - self._commanded_s > AGENT_SILENT_S:
            self.until_now().miss_agent()
            self.changed()

    async def _keep_minding(self) -> None:
        while True:
            await asyncio.sleep(MIND_EVERY_S)
            self.mind_agent()

    def _now_s(self) -> float:
        return self._wall_s() if self._wall_s is not None else asyncio.get_running_loop().time()

    def _say(self, report: Report) -> None:
        self._said[type(report)] = report
        self._send(*encode(report))

    def _send(self, can_id: int, data: bytes) -> None:
        if self.is_silent or not self._port.is_open:
            return
        try:
            self._port.send(can_id, data)
        except BusGone:
            return  # as on a real bus: what could not be said is said again at the next turn


def _noise(pile: PileController) -> Iterator[tuple[int, bytes]]:
    """Unknown ids, and of each report one too short, one too long, one of bits only, one of nobody."""
    yield 0x1FFFFFFF, b"\xff" * 8
    yield 0, b""
    for _, report in REPORTS:
        can_id, data = encode(report(pile))
        yield can_id, data[:-1]
        yield can_id, (data + b"\xff" * 8)[:8] if len(data) < 8 else b""
        yield can_id, b"\xff" * len(data)
        yield can_id & ~0xFF, data
