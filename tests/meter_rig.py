"""A site's meter line for tests: simulated meters on a pty, and the agent's line on the other end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.codecs.dlt645 import Frame, FrameReader, encode_frame
from edge_agent.codecs.dlt645_messages import Answer, Message, parse, to_frame
from edge_agent.drivers.meter import MeterLine
from edge_agent.sim.meter import WMS_PER_WH, MeterValues, SimulatedMeter
from edge_agent.sim.meter_line import SimulatedLine
from edge_agent.sim.pty import Pty

METER = "202506180042"
OTHER = "202506180057"
PATIENT = {"answer_ms": 20_000, "gap_ms": 5_000, "attempts": 1}
"""Nothing is waited for this long unless it is broken."""

HASTY = {"answer_ms": 150, "gap_ms": 60, "attempts": 1, "baud": 115_200}
"""For answers that must not come."""


@dataclass
class Truth:
    """What the meter has measured; tests change it while it runs."""

    total_wh: int = 123_456_789
    power_w: int = 7_123
    voltage_mv: int = 220_512
    current_ma: int = 32_105
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self) -> MeterValues:
        self.asked.set()
        return MeterValues(
            total_wms=self.total_wh * WMS_PER_WH + 1,
            power_w=self.power_w,
            voltage_mv=self.voltage_mv,
            current_ma=self.current_ma,
        )


@asynccontextmanager
async def agent_line(port: str, **settings: Any) -> AsyncIterator[MeterLine]:
    """The agent's line on `port`, closed at the end."""
    line = MeterLine(port=port, **{"parity": "N", **PATIENT, **settings})
    try:
        yield line
    finally:
        await line.close()


@asynccontextmanager
async def simulated(*meters: SimulatedMeter, link: Path | None = None) -> AsyncIterator[SimulatedLine]:
    """Simulated meters on a line of their own."""
    line = SimulatedLine(*(meters or [SimulatedMeter(address=METER, values=Truth())]), link=link)
    line.start()
    try:
        yield line
    finally:
        line.stop()


@asynccontextmanager
async def scripted(script: Callable[[Message, int], list[Answer]]) -> AsyncIterator[str]:
    """A line on which question number n gets exactly the frames the script says, in one write."""
    pty = Pty()
    reader = FrameReader()
    asked = 0

    def heard() -> None:
        nonlocal asked
        for seen in reader.feed(pty.read()):
            assert isinstance(seen, Frame)
            said = script(parse(seen), asked)
            asked += 1
            pty.write(b"".join(encode_frame(to_frame(answer), wake=2) for answer in said))

    loop = asyncio.get_running_loop()
    loop.add_reader(pty.fileno(), heard)
    try:
        yield pty.port
    finally:
        loop.remove_reader(pty.fileno())
        pty.close()
