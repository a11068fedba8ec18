"""Asks one pile's meter for its total, again and again, and believes only what can be true."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from edge_agent.clock import Clock
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.meter_errors import MeterError, MeterImplausible, MeterLost
from edge_agent.drivers.meter_guard import MeterGuard
from edge_agent.drivers.meter_reading import MeterReading
from edge_agent.session import MeterSaid, Moment
from edge_agent.settings import PileSettings

log = logging.getLogger("interpile.edge.meter")

POLL_S_MOST = 5.0
"""How long one poll may take: on a shared line others are asked first."""

SLACK = timedelta(seconds=10)
"""By how much reading and stamping may differ, wall time."""


class MeterWatch:
    """One meter. `fault`: why it is not believed now; `unanswered`: polls in a row that came to nothing."""

    def __init__(self, pile: PileSettings, line: MeterLine, clock: Clock) -> None:
        self.fault: str | None = None
        self.unanswered = 0
        self.last: MeterReading | None = None
        self.address = pile.meter.address
        self._connector_id, self._poll_s = pile.connector_id, pile.meter.poll_ms / 1000
        self._line, self._clock = line, clock
        self._guard = MeterGuard(rated_power_w=pile.rated_power_w, slack=SLACK * clock.speed)
        self._now = asyncio.Event()
        self._polled_s: float | None = None

    @property
    def missed(self) -> int:
        """Polls without an answer: those that failed, or those for which there was time if none comes back."""
        if self._polled_s is None:
            return self.unanswered
        silent_s = asyncio.get_running_loop().time() - self._polled_s
        return max(self.unanswered, int(silent_s / (self._poll_s + POLL_S_MOST)))

    def begin_from(self, meter_wh: int, at: datetime) -> None:
        """A charge that was open before a restart: its last reading binds the next."""
        reading = MeterReading(address=self.address, total_wh=meter_wh, resolution_wh=1)
        self._guard = replace(self._guard, last=reading, last_at=at)

    def hurry(self) -> None:
        """A reading is wanted now."""
        self._now.set()

    async def run(self, tell: Callable[[MeterSaid | None], None]) -> None:
        """Poll for ever; `tell` gets each reading, and None when there was none."""
        while True:
            self._now.clear()
            self._polled_s = asyncio.get_running_loop().time()
            (said,) = await asyncio.gather(self._poll(), return_exceptions=True)
            if isinstance(said, BaseException):
                # Not a word of the meter's: the driver's own. Whatever it is, the meter was not read.
                log.error("%s: meter not read", self._connector_id, exc_info=said)
                self.unanswered += 1
                said = None
            tell(said)
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def _poll(self) -> MeterSaid | None:
        asked_at = self._clock.business()
        try:
            if not self.address:
                self.address = await self._line.find_address()
                log.info("%s: found meter %s", self._connector_id, self.address)
            reading = await self._line.read_total(self.address)
            at = Moment(self._clock.business(), self._clock.wall())
            self._guard = self._guard.accept(reading, at.business)
        except MeterLost as problem:
            self.unanswered += 1
            self._doubt(None, problem)
            return None
        except MeterImplausible as problem:
            self.unanswered = 0
            self._doubt(problem.fault, problem)
            return None
        except MeterError as problem:
            self.unanswered += 1
            self._doubt(problem.fault, problem)
            return None
        if self.last is None or self.unanswered or self.fault:
            log.info("%s: meter %s reads %d Wh", self._connector_id, self.address, reading.total_wh)
        self.unanswered, self.fault, self.last = 0, None, reading
        return MeterSaid(at=at, asked_at=asked_at, meter_wh=reading.total_wh)

    def _doubt(self, fault: str | None, problem: MeterError) -> None:
        if fault != self.fault or self.unanswered == 1:
            log.warning("%s: %s", self._connector_id, problem)
        if fault is not None:
            self.fault = fault
