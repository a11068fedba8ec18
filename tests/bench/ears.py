"""Who hears what, and when: the frames on the simulated piles' buses, and the messages on the drivers' phones.

A frame's time is the kernel's own, taken as the datagram arrives at a listener that has no part in the work; a
phone's message is stamped when the client hands it over. Both are the machine's real-time clock.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import can

from edge_agent.codecs.pile_bus import BITRATE, decode
from edge_agent.codecs.pile_bus_messages import BusProblem, Commanded, Faults, Status
from operator_sdk.contract.messages.roaming import SessionProgress
from operator_sdk.examples.demo.phone import Phone
from tests.bench.processes import BenchError

WITHIN_S = 20.0
Thing = TypeVar("Thing")
BusWord = Status | Faults | Commanded


class Heard(Generic[Thing]):
    """What was heard, with its time in seconds since 1970, and a way to wait for more."""

    def __init__(self) -> None:
        self._things: list[tuple[float, Thing]] = []
        self._news = asyncio.Event()

    def mark(self) -> int:
        """Here is now."""
        return len(self._things)

    def hear(self, at: float, thing: Thing) -> None:
        """It was heard."""
        self._things.append((at, thing))
        self._news.set()

    async def first(
        self, since: int, suits: Callable[[Thing], bool], what: str, *, within_s: float = WITHIN_S
    ) -> float:
        """When the first that suits came after a mark, now or as soon as it comes.

        Raises:
            BenchError: it does not come.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for at, thing in self._things[since:]:
                        if suits(thing):
                            return at
                    since = len(self._things)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise BenchError(f"not heard within {within_s:.0f} s: {what}") from None


class BusEar:
    """Listens on buses. By node: each status and faults that differ from the ones before, and every command."""

    def __init__(self) -> None:
        self.nodes: defaultdict[int, Heard[BusWord]] = defaultdict(Heard)
        self._last: dict[int, bytes] = {}

    @contextmanager
    def listening(self, buses: Sequence[Mapping[str, Any]]) -> Iterator["BusEar"]:
        """Listen on all of them while the block lasts."""
        opened = [_opened(bus) for bus in buses]
        notifier = can.Notifier(opened, [self._take], loop=asyncio.get_running_loop())
        try:
            yield self
        finally:
            notifier.stop()
            for bus in opened:
                bus.shutdown()

    def _take(self, message: can.Message) -> None:
        now = time.time()
        can_id, data = message.arbitration_id, bytes(message.data)
        if self._last.get(can_id) == data:
            return
        heard = decode(can_id, data)
        if isinstance(heard, BusProblem):
            return
        if isinstance(heard, Status | Faults):
            self._last[can_id] = data
        if isinstance(heard, BusWord):
            # A line over TCP has no times of its own.
            self.nodes[heard.node].hear(message.timestamp or now, heard)


def _opened(bus: Mapping[str, Any]) -> can.BusABC:
    options = {"bitrate": BITRATE, **bus}
    if bus["interface"] == "udp_multicast":
        # Hop limit 0, as the drivers have it: a simulated bus stays on its machine.
        options |= {"fd": False, "hop_limit": 0}
    return can.Bus(ignore_config=True, **options)


class PhoneEar:
    """Follows a charge on its driver's phone."""

    def __init__(self, phone: Phone, session_id: str) -> None:
        self.heard: Heard[SessionProgress] = Heard()
        self._task = asyncio.create_task(self._follow(phone, session_id))

    async def _follow(self, phone: Phone, session_id: str) -> None:
        async for update in phone.follow(session_id):
            self.heard.hear(time.time(), update)

    async def reached(self, state: str, since: int = 0) -> float:
        """When the first update of that state came."""
        return await self.heard.first(since, lambda update: update.state == state, f"the phone's {state}")

    async def close(self) -> None:
        """Hang up."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
