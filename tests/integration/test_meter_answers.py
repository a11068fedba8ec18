"""Which of the frames that come after a question is taken for its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge_agent.codecs.dlt645 import encode_frame
from edge_agent.codecs.dlt645_items import STANDARD_ITEMS, MeterValue, encode_value
from edge_agent.codecs.dlt645_messages import Answer, Data, Message, NextData, Read, Refusal, to_frame
from edge_agent.drivers.meter import MAX_PIECES
from edge_agent.drivers.meter_errors import MeterSilent, MeterUnreadable
from edge_agent.sim.pty import Pty
from tests.meter_rig import HASTY, METER, OTHER, agent_line, scripted, simulated


def data(item: str, number: int, address: str = METER) -> Data:
    row = STANDARD_ITEMS[item]
    return Data(address, row.identifier, encode_value(MeterValue(row, (number,))))


async def test_only_the_answer_to_this_very_question_is_taken() -> None:
    # Late, doubled and foreign answers all stand before the right one.
    def script(question: Message, _: int) -> list[Answer]:
        assert isinstance(question, Read)
        return [
            data("forward_total", 10),  # of the question before
            data("voltage_b", 1_000),
            data("voltage_a", 2_000, address=OTHER),
            NextData(METER, question.identifier, b"\x33\x33", 1),
            Refusal(OTHER, 0x11, 0x02),
            Refusal(METER, 0x12, 0x02),
            data("voltage_a", 220_500),
            data("voltage_a", 3_000),
        ]

    async with scripted(script) as port, agent_line(port) as line:
        assert (await line.read(METER, "voltage_a")).number == 220_500
        assert line.frames == 1 + 7


async def test_a_late_answer_is_not_taken_for_that_of_the_next_question() -> None:
    clock = asyncio.get_running_loop()
    async with simulated() as meters, agent_line(meters.port, **{**HASTY, "answer_ms": 800}) as line:
        meters.misbehave("late", ms=1_200, times=1)
        asked_at = clock.time()
        with pytest.raises(MeterSilent):
            await line.read_total(METER)
        while clock.time() < asked_at + 1.5:
            assert (await line.read(METER, "voltage_a")).number == 220_500


async def test_an_item_that_never_ends_is_given_up() -> None:
    def script(question: Message, asked: int) -> list[Answer]:
        identifier = STANDARD_ITEMS["forward_block"].identifier
        if asked == 0:
            return [Data(METER, identifier, b"\x00", more=True)]
        return [NextData(METER, identifier, b"", asked, more=True)]

    async with scripted(script) as port, agent_line(port) as line:
        with pytest.raises(MeterUnreadable, match="never ends"):
            await line.read(METER, "forward_block")
        assert line.frames == 2 * (1 + MAX_PIECES)


FALSE_START = bytes.fromhex("68 00 00 00 00 00 00 68 91 C8")
"""The head of a frame of 200 bytes that never comes."""


async def test_a_frame_behind_a_false_start_is_found_once_the_line_is_still() -> None:
    answer = encode_frame(to_frame(data("voltage_a", 220_500)))
    async with speaking(FALSE_START + answer, then=b"") as port, agent_line(port, gap_ms=100) as line:
        assert (await line.read(METER, "voltage_a")).number == 220_500


async def test_a_frame_behind_a_false_start_is_found_though_the_line_is_never_still() -> None:
    answer = encode_frame(to_frame(data("voltage_a", 220_500)))
    hasty = {**HASTY, "answer_ms": 1000, "gap_ms": 300}
    async with speaking(FALSE_START + answer, then=b"\x00") as port, agent_line(port, **hasty) as line:
        assert (await line.read(METER, "voltage_a")).number == 220_500


@asynccontextmanager
async def speaking(said: bytes, *, then: bytes) -> AsyncIterator[str]:
    """A line that says this when spoken to, and from then on goes on with `then`, every 20 ms."""
    pty = Pty()
    loop = asyncio.get_running_loop()
    going_on: asyncio.TimerHandle | None = None

    def go_on() -> None:
        nonlocal going_on
        pty.write(then)
        going_on = loop.call_later(0.02, go_on)

    def heard() -> None:
        if pty.read() and going_on is None:
            pty.write(said)
            go_on()

    loop.add_reader(pty.fileno(), heard)
    try:
        yield pty.port
    finally:
        loop.remove_reader(pty.fileno())
        if going_on:
            going_on.cancel()
        pty.close()
