"""The agent's meter line over a pty: real bytes, a meter that behaves, and one that does not."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.codecs.dlt645 import Dlt645Error
from edge_agent.codecs.dlt645_items import STANDARD_ITEMS, Item, Unit, item_table
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.meter_errors import (
    MeterError,
    MeterGarbled,
    MeterGone,
    MeterRefused,
    MeterSilent,
    MeterUnreadable,
)
from edge_agent.drivers.meter_guard import MeterGuard
from edge_agent.drivers.meter_reading import MeterReading
from edge_agent.sim.meter import SimulatedMeter
from edge_agent.sim.meter_line import Misbehaviour
from tests.meter_rig import HASTY, METER, OTHER, Truth, agent_line, simulated

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


async def test_a_total_is_the_truth_cut_to_ten_watt_hours() -> None:
    async with simulated() as meters, agent_line(meters.port) as line:
        assert await line.read_total(METER) == MeterReading(METER, 123_456_780, resolution_wh=10)
        assert line.frames == 2


async def test_a_meter_is_found_without_its_address() -> None:
    async with simulated() as meters, agent_line(meters.port) as line:
        assert await line.find_address() == METER


@pytest.mark.parametrize(
    ("item", "numbers"),
    [
        ("voltage_a", (220_500,)),
        ("current_a", (32_105,)),
        ("power_total", (7_123_000,)),
        ("forward_block", (123_456_780, 0, 0, 123_456_780, 0)),
    ],
)
async def test_an_item_comes_in_its_unit(item: str, numbers: tuple[int, ...]) -> None:
    async with simulated() as meters, agent_line(meters.port) as line:
        value = await line.read(METER, item)
        assert (value.item, value.numbers) == (STANDARD_ITEMS[item], numbers)


async def test_a_makers_own_row_is_asked_for_by_its_own_identifier() -> None:
    own = Item(name="forward_total", identifier="00900100", unit=Unit.ENERGY_WH, octets=5, decimals=4)
    meter = SimulatedMeter(address=METER, values=Truth(), items=item_table([own]))
    async with simulated(meter) as meters, agent_line(meters.port, items=item_table([own])) as line:
        assert await line.read_total(METER) == MeterReading(METER, 123_456_789, resolution_wh=1)


async def test_an_item_longer_than_a_frame_is_fetched_in_pieces() -> None:
    meter = SimulatedMeter(address=METER, values=Truth(), piece_bytes=6)
    async with simulated(meter) as meters, agent_line(meters.port) as line:
        value = await line.read(METER, "forward_block")
        assert value.numbers == (123_456_780, 0, 0, 123_456_780, 0)
        assert line.frames == 8


async def test_every_meter_is_told_the_time_and_none_answers() -> None:
    first, second = (SimulatedMeter(address=name, values=Truth()) for name in (METER, OTHER))
    async with simulated(first, second) as meters, agent_line(meters.port) as line:
        await line.set_time(AT)
        await line.read_total(METER)
        assert (first.shown_at, second.shown_at) == (AT, AT)
        assert line.frames == 3


async def test_several_meters_share_a_line_and_callers_queue() -> None:
    truths = {METER: Truth(total_wh=1_000), OTHER: Truth(total_wh=2_000)}
    sharing = [SimulatedMeter(address=name, values=truth) for name, truth in truths.items()]
    async with simulated(*sharing) as meters, agent_line(meters.port) as line:
        names = [METER, OTHER] * 8
        readings = await asyncio.gather(*map(line.read_total, names))
        assert [(one.address, one.total_wh) for one in readings] == [
            (name, truths[name].total_wh) for name in names
        ]


async def test_several_meters_that_answer_at_once_cannot_be_told_apart() -> None:
    sharing = [SimulatedMeter(address=name, values=Truth()) for name in (METER, OTHER)]
    async with simulated(*sharing) as meters, agent_line(meters.port, **{**HASTY, "answer_ms": 1000}) as line:
        with pytest.raises(MeterGarbled):
            await line.find_address()


FAULTY = {
    Misbehaviour.SILENT: (MeterSilent, "meter_silent"),
    Misbehaviour.LATE: (MeterSilent, "meter_silent"),
    Misbehaviour.NOISE_BETWEEN: (MeterGarbled, "meter_garbled"),
    Misbehaviour.TRUNCATED: (MeterGarbled, "meter_garbled"),
    Misbehaviour.WRONG_ADDRESS: (MeterSilent, "meter_silent"),
    Misbehaviour.WRONG_CHECKSUM: (MeterGarbled, "meter_garbled"),
    Misbehaviour.OVERSIZED: (MeterGarbled, "meter_garbled"),
    Misbehaviour.REFUSE: (MeterRefused, "meter_refused"),
    Misbehaviour.NOT_BCD: (MeterUnreadable, "meter_unreadable"),
    Misbehaviour.VANISH: (MeterGone, "meter_gone"),
}
HARMLESS = {Misbehaviour.TWICE, Misbehaviour.NOISE_BEFORE}
IMPLAUSIBLE = {Misbehaviour.BACKWARD, Misbehaviour.JUMP}


@pytest.mark.parametrize(("kind", "expected"), FAULTY.items())
async def test_each_misbehaviour_has_its_error_and_ends_with_it(
    kind: Misbehaviour, expected: tuple[type[MeterError], str], tmp_path: Path
) -> None:
    async with simulated(link=tmp_path / "meter") as meters:
        port = meters.port
        # Bytes that spoil an answer must have time to come.
        hasty = {**HASTY, "answer_ms": 1000 if expected[0] is MeterGarbled else 150}
        async with agent_line(port, **hasty, reopen_ms=1) as line:
            meters.misbehave(kind, ms=1500)
            with pytest.raises(expected[0]) as failure:
                await line.read_total(METER)
            assert failure.value.fault == expected[1]
        meters.behave()
        async with agent_line(port) as line:
            assert (await line.read_total(METER)).total_wh == 123_456_780


@pytest.mark.parametrize("kind", sorted(HARMLESS))
async def test_what_does_no_harm_is_passed_over(kind: Misbehaviour) -> None:
    truth = Truth()
    meter = SimulatedMeter(address=METER, values=truth)
    async with simulated(meter) as meters, agent_line(meters.port) as line:
        meters.misbehave(kind)
        for _ in range(4):
            truth.total_wh += 1_000
            assert (await line.read_total(METER)).total_wh == truth.total_wh // 10 * 10
            assert (await line.read(METER, "current_a")).number == truth.current_ma
            truth.current_ma += 1
            assert (await line.read(METER, "current_a")).number == truth.current_ma


def test_every_misbehaviour_is_tried() -> None:
    assert set(FAULTY) | HARMLESS | IMPLAUSIBLE == set(Misbehaviour)


async def test_a_refusal_tells_its_reasons_and_is_not_asked_again() -> None:
    async with simulated() as meters, agent_line(meters.port, attempts=3) as line:
        with pytest.raises(MeterRefused) as refused:
            await line.read(METER, "power_factor")
        assert (refused.value.code, refused.value.reasons) == (0x02, ("no_such_data",))
        meters.misbehave("refuse", code=0x05)
        with pytest.raises(MeterRefused) as refused:
            await line.read_total(METER)
        assert refused.value.reasons == ("other", "not_permitted")
        assert meters.answered == 2


@pytest.mark.parametrize("kind", ["silent", "truncated", "wrong_checksum", "noise_between", "wrong_address"])
async def test_a_question_is_asked_again_before_it_fails(kind: str) -> None:
    hasty = {**HASTY, "answer_ms": 1000, "attempts": 2}
    async with simulated() as meters, agent_line(meters.port, **hasty) as line:
        meters.misbehave(kind, times=1)
        assert (await line.read_total(METER)).total_wh == 123_456_780
        assert meters.answered == 2


async def test_a_total_that_goes_down_or_leaps_is_not_believed() -> None:
    async with simulated() as meters, agent_line(meters.port) as line:
        guard = MeterGuard(rated_power_w=7_000).accept(await line.read_total(METER), AT)
        for kind, fault in (("backward", "meter_went_back"), ("jump", "meter_jumped")):
            meters.misbehave(kind)
            with pytest.raises(MeterError) as failure:
                guard.accept(await line.read_total(METER), AT)
            assert failure.value.fault == fault
        meters.behave()
        guard.accept(await line.read_total(METER), AT)


async def test_a_line_that_vanishes_and_comes_back_is_opened_again(tmp_path: Path) -> None:
    link = tmp_path / "meter"
    async with simulated(link=link) as meters, agent_line(str(link), reopen_ms=20, attempts=2) as line:
        await line.read_total(METER)
        meters.misbehave("vanish")
        for _ in range(3):
            with pytest.raises(MeterGone):
                await line.read_total(METER)
        meters.behave()
        assert (await until_read(line)).total_wh == 123_456_780


async def test_a_line_that_vanishes_and_is_back_at_once_loses_no_reading(tmp_path: Path) -> None:
    async with simulated(link=tmp_path / "meter") as meters, agent_line(meters.port, attempts=2) as line:
        await line.read_total(METER)
        meters.misbehave("vanish")
        meters.behave()
        assert (await line.read_total(METER)).total_wh == 123_456_780


async def test_a_line_that_vanishes_while_it_is_waited_for_is_gone_at_once() -> None:
    truth = Truth()
    meter = SimulatedMeter(address=METER, values=truth)
    async with simulated(meter) as meters, agent_line(meters.port) as line:
        meters.misbehave("silent")
        reading = asyncio.create_task(line.read_total(METER))
        await asyncio.wait_for(truth.asked.wait(), 20)
        meters.stop()
        with pytest.raises(MeterGone):
            await asyncio.wait_for(reading, 10)


async def test_a_port_that_is_not_there_is_tried_once_in_a_while(tmp_path: Path) -> None:
    async with agent_line(str(tmp_path / "nothing"), reopen_ms=60_000, attempts=3) as line:
        with pytest.raises(MeterGone, match=r"closed|does not open"):
            await line.read_total(METER)
        async with simulated(link=tmp_path / "nothing"):
            with pytest.raises(MeterGone, match="closed"):
                await line.read_total(METER)
        assert line.frames == 0


async def test_an_address_of_no_known_kind_is_a_port_that_is_not_there() -> None:
    async with agent_line("carrier-pigeon://loft") as line:
        with pytest.raises(MeterGone, match="does not open with 2400 8N1"):
            await line.read_total(METER)


async def test_two_agents_cannot_have_one_line() -> None:
    async with simulated() as meters, agent_line(meters.port) as line, agent_line(meters.port) as second:
        await line.read_total(METER)
        with pytest.raises(MeterGone):
            await second.read_total(METER)


async def test_parity_on_a_pty_is_refused_as_a_port_that_does_not_open() -> None:
    """A pty drops parity when opened; opened alike again it refuses, and pyserial lets that error through."""
    async with simulated() as meters:
        async with agent_line(meters.port, parity="E") as line:
            assert await line.find_address() == METER
        async with agent_line(meters.port, parity="E") as line:
            with pytest.raises(MeterGone, match="does not open with 2400 8E1"):
                await line.find_address()


async def test_the_loop_runs_on_while_a_meter_is_silent() -> None:
    async with simulated() as meters, agent_line(meters.port, **{**HASTY, "answer_ms": 1000}) as line:
        meters.misbehave("silent")
        reading = asyncio.create_task(line.read_total(METER))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert isinstance(reading.exception(), MeterSilent)
        assert turns >= 20


async def test_a_cancelled_question_leaves_the_line_usable() -> None:
    truth = Truth()
    meter = SimulatedMeter(address=METER, values=truth)
    async with simulated(meter) as meters, agent_line(meters.port, **{**HASTY, "answer_ms": 1000}) as line:
        meters.misbehave("silent", times=1)
        reading = asyncio.create_task(line.read_total(METER))
        await asyncio.wait_for(truth.asked.wait(), 20)
        reading.cancel()
        assert (await line.read(METER, "voltage_a")).number == 220_500


async def test_closing_ends_the_question_under_way_and_the_thread() -> None:
    truth = Truth()
    meter = SimulatedMeter(address=METER, values=truth)
    async with simulated(meter) as meters:
        before = set(threading.enumerate())
        async with agent_line(meters.port) as line:
            meters.misbehave("silent")
            reading = asyncio.create_task(line.read_total(METER))
            await asyncio.wait_for(truth.asked.wait(), 20)
            await asyncio.wait_for(line.close(), 10)
            with pytest.raises(MeterError):
                await reading
            with pytest.raises(MeterGone):
                await line.read_total(METER)
        for thread in set(threading.enumerate()) - before:
            await asyncio.to_thread(thread.join, 10)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    "wrong", [{"parity": "X"}, {"stop_bits": 3}, {"baud": 0}, {"port": ""}, {"attempts": 0}, {"answer_ms": 0}]
)
def test_settings_that_no_line_has_are_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"serial line|parity|whole numbers"):
        MeterLine(**{"port": "/dev/null", **wrong})  # type: ignore[arg-type]  # wrong on purpose


async def test_what_is_no_address_is_never_asked() -> None:
    async with simulated() as meters, agent_line(meters.port) as line:
        with pytest.raises(Dlt645Error):
            await line.read_total("42")
        assert line.frames == 0


async def until_read(line: MeterLine) -> MeterReading:
    async with asyncio.timeout(20):
        while True:
            try:
                return await line.read_total(METER)
            except MeterGone:
                await asyncio.sleep(0.01)
