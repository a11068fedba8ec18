"""Our line against a meter written by others, and our meter against their client: the PyPI package `dlt645`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dlt645 import MeterClientService
from dlt645.common.transform import string_to_bcd

from edge_agent.drivers.meter_errors import MeterRefused
from edge_agent.drivers.meter_reading import MeterReading
from edge_agent.sim.pty import Pty
from tests.meter_rig import METER, agent_line, simulated

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def package_meter(*arguments: str) -> AsyncIterator[str]:
    """The package as a meter in its own process; gives what it listens on."""
    pipe = asyncio.subprocess.PIPE
    peer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.dlt645_peer", *arguments, cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert peer.stdin
    assert peer.stdout
    try:
        where = await asyncio.wait_for(peer.stdout.readline(), 60)
        assert where, "the package's meter did not start"
        yield where.decode().strip()
    finally:
        peer.stdin.close()
        try:
            await asyncio.wait_for(peer.wait(), 20)
        except TimeoutError:
            peer.kill()
            await peer.wait()


@asynccontextmanager
async def cross_connected() -> AsyncIterator[tuple[str, str]]:
    """Two ptys, each hearing what is said into the other."""
    left, right = Pty(), Pty()
    loop = asyncio.get_running_loop()
    loop.add_reader(left.fileno(), lambda: right.write(left.read()))
    loop.add_reader(right.fileno(), lambda: left.write(right.read()))
    try:
        yield left.port, right.port
    finally:
        for pty in (left, right):
            loop.remove_reader(pty.fileno())
            pty.close()


@asynccontextmanager
async def meter_over(way: str) -> AsyncIterator[str]:
    """The port behind which the package's meter is."""
    if way == "tcp":
        async with package_meter("tcp") as port:
            yield f"socket://127.0.0.1:{port}"
    else:
        async with cross_connected() as (ours, theirs), package_meter("rtu", theirs):
            yield ours


@pytest.mark.parametrize("way", ["tcp", "rtu"])
async def test_our_line_reads_the_packages_meter(way: str) -> None:
    async with meter_over(way) as port, agent_line(port) as line:
        assert await line.find_address() == METER
        assert await line.read_total(METER) == MeterReading(METER, 123_456_780, resolution_wh=10)
        assert (await line.read_total(METER, "reverse_total")).total_wh == 10
        assert (await line.read(METER, "voltage_a")).number == 220_500
        assert (await line.read(METER, "current_a")).number == 32_105
        assert (await line.read(METER, "current_b")).number == -1_500
        assert (await line.read(METER, "power_total")).number == 7_123_400
        assert (await line.read(METER, "frequency")).number == 50_010
        assert line.frames == 16


async def test_the_packages_meter_refuses_what_it_does_not_have() -> None:
    async with meter_over("tcp") as port, agent_line(port) as line:
        with pytest.raises(MeterRefused) as refused:
            await line.read(METER, "voltage_block")
        assert refused.value.reasons == ("no_such_data",)


async def test_a_refusal_in_a_strangers_name_is_no_reading() -> None:
    # Where a real meter keeps quiet, this one refuses in the name it was called by.
    async with meter_over("tcp") as port, agent_line(port) as line:
        with pytest.raises(MeterRefused) as refused:
            await line.read_total("000000000161")
        assert refused.value.reasons == ("other",)


async def test_the_packages_client_reads_our_meter() -> None:
    async with simulated() as meters:
        client = MeterClientService.new_rtu_client(meters.port, 2400, 8, 1, "N", 20.0)
        client.address = string_to_bcd(METER, "little")
        assert await asyncio.to_thread(client.connect)
        try:
            total = await asyncio.to_thread(client.read_00, 0x00010000)
            voltage = await asyncio.to_thread(client.read_02, 0x02010100)
            current = await asyncio.to_thread(client.read_02, 0x02020100)
        finally:
            await asyncio.to_thread(client.disconnect)
        assert (total.value, voltage.value, current.value) == (123456.78, 220.5, 32.105)
