"""What happens to the bus itself: it goes, comes back, carries rubbish, or cannot be had on this machine."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import can
import pytest

from edge_agent.codecs.pile_bus import encode
from edge_agent.codecs.pile_bus_messages import BusProblem, Meter, ProblemKind, Start, Status, Stop
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.pile_bus import BusBack, BusGone, BusLost, BusUnusable, PileBus
from edge_agent.drivers.probe import free_udp_port, probe
from edge_agent.sim.can_hub import LINE_BYTES_MOST, CanHub
from tests.pile_rig import (
    LONG_S,
    NODE,
    Heard,
    Processes,
    Site,
    agent_on,
    ask_control,
    has_multicast,
    new_clock,
    new_controller,
)

STATUS = encode(new_controller(new_clock()).status())
METER_ADDRESS = "202506180042"


@pytest.fixture
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    started.end()


async def nobody(line: str) -> dict[str, object]:
    raise AssertionError(line)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def on_slcan(channel: str) -> Site:
    return Site({"interface": "slcan", "channel": channel}, nobody)


def as_slcan(can_id: int, data: bytes) -> bytes:
    return f"T{can_id:08X}{len(data)}{data.hex().upper()}\r".encode()


async def test_a_bus_that_goes_is_told_once_and_comes_back_by_itself(processes: Processes) -> None:
    hub, said = processes.start("edge_agent.sim.can_hub")
    site = on_slcan(said["channels"][0])
    port = site.options["channel"].rpartition(":")[2]
    async with agent_on(site, lost_after_s=LONG_S) as (bus, heard):
        waiting = asyncio.create_task(bus.command(NODE, Start(), within_s=LONG_S))
        await asyncio.sleep(0)
        hub.kill()
        with pytest.raises(BusGone):
            await waiting
        with pytest.raises(BusGone):
            await bus.command(NODE, Stop(), within_s=LONG_S)
        assert len(heard.of(BusLost)) == 1
        hub.wait(LONG_S)
        processes.start("edge_agent.sim.can_hub", f"--port={port}")
        await heard.until(BusBack)
        _, pile = await asyncio.open_connection("127.0.0.1", int(port))
        pile.write(as_slcan(*encode(Meter(NODE, 5))))
        assert await heard.until(Meter) == Meter(NODE, 5)
        await hang_up(pile)


async def test_a_bus_that_is_not_there_yet_is_waited_for() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    async with agent_on(on_slcan(f"socket://127.0.0.1:{port}")) as (bus, heard):
        assert [type(event) for event in heard.events] == [BusLost]
        with pytest.raises(BusGone):
            await bus.command(NODE, Stop())
        hub = await CanHub().open(port=port)
        await heard.until(BusBack)
    await hub.close()


@pytest.mark.parametrize(
    "options",
    [
        {"interface": "no_such_interface", "channel": "can0"},
        {"interface": "slcan", "channel": ""},
        {"interface": "udp_multicast", "channel": "239.74.163.2", "receive_own_messages": True},
    ],
)
async def test_a_bus_that_can_never_be_opened_says_so_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(BusUnusable):
        await PileBus(on_event=Heard(), **options).open()


async def test_datagrams_that_are_no_frames_are_named_and_the_bus_goes_on() -> None:
    if not await asyncio.to_thread(has_multicast):
        pytest.skip("no route for multicast here")
    port = free_udp_port()
    site = Site({"interface": "udp_multicast", "channel": "239.74.163.2", "port": port}, nobody)
    rubbish = [b"", b"\xff" * 40, b"\x81\xa4data\xc4\x01\xff", b"\xa2\xff\xfe", b"\x01", b"hello"]
    async with agent_on(site) as (bus, heard):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            for datagram in rubbish:
                raw.sendto(datagram, ("127.0.0.1", port))
        await heard.until(BusProblem, lambda _: bus.problems == len(rubbish))
        # One of them is msgpack of what could be a frame, but of no message here.
        kinds = [problem.kind for problem in heard.of(BusProblem)]
        assert kinds.count(ProblemKind.NOT_A_FRAME) == len(rubbish) - 1
        with await asyncio.to_thread(can.Bus, fd=False, hop_limit=0, **site.options) as pile:
            can_id, data = STATUS
            pile.send(can.Message(arbitration_id=can_id, data=data))
            await heard.until(Status)
        assert not heard.of(BusLost)


@asynccontextmanager
async def adapter_that_says(*lines: bytes) -> AsyncIterator[str]:
    """An slcan adapter that sends these as soon as its channel is open, and then one status after the other."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"O\r")
        writer.writelines(lines)
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(100), 0.05)
                writer.write(as_slcan(*STATUS))
        await hang_up(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield "socket://{}:{}".format(*server.sockets[0].getsockname())


@pytest.mark.parametrize(
    "rubbish", [b"T12\r", b"Txyz\r", b"T0CA0E00194\r", b"\xff\xfe\xfd\r", b"t1230\r", b"R0CA0E0038\r"]
)
async def test_lines_that_are_no_frames_are_named_and_the_next_one_is_read(rubbish: bytes) -> None:
    async with (
        adapter_that_says(b"\r\a", rubbish) as channel,
        agent_on(on_slcan(channel)) as (bus, heard),
    ):
        problem = await heard.until(BusProblem)
        assert problem.kind is ProblemKind.NOT_A_FRAME
        await heard.until(Status)
        assert not heard.of(BusLost)
        assert bus.problems == 1


async def test_a_hub_passes_frames_to_all_others_and_nothing_else() -> None:
    hub = await CanHub().open()
    host, port = hub.channel.removeprefix("socket://").split(":")
    ends = [await asyncio.open_connection(host, port) for _ in range(3)]
    (own, speaker), (first, _), (second, _) = ends
    frames = as_slcan(*STATUS) + b"t12328899\r"
    rubbish = b"C\rS5\rO\rT12\r" + b"9" * LINE_BYTES_MOST * 3 + b"\r\xff\xfe\r"
    # In two pieces: a line may be cut anywhere.
    speaker.write(rubbish + frames[:7])
    await speaker.drain()
    speaker.write(frames[7:])
    for reader in (first, second):
        assert await asyncio.wait_for(reader.readexactly(len(frames)), LONG_S) == frames
    answer = as_slcan(*encode(Meter(NODE, 5)))
    ends[1][1].write(answer)
    assert await asyncio.wait_for(own.readuntil(b"\r"), LONG_S) == answer
    for _, writer in ends:
        await hang_up(writer)
    await hub.close()


async def test_the_probe_finds_multicast_or_says_why_not() -> None:
    found = await probe()
    assert found.interface in {"udp_multicast", "slcan"}
    refused = await probe("127.0.0.1")  # no multicast group: the same as no route
    assert refused.interface == "slcan"
    assert "slcan" in refused.en
    assert "不支持多播" in refused.zh


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine grants no network namespace",
)
def test_without_a_route_for_multicast_the_probe_says_slcan() -> None:
    probe_here = [sys.executable, "-m", "edge_agent.drivers.probe"]
    told = subprocess.run(["unshare", "-rn", *probe_here], check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["interface"] == "slcan"
    assert not told.stderr


async def test_the_meter_on_the_line_counts_what_the_pile_delivers(
    processes: Processes, tmp_path: Path
) -> None:
    options = processes.bus("slcan")
    link = tmp_path / "meter"
    process, said = processes.start(
        "edge_agent.sim",
        f"--node={NODE}",
        *(f"--{name}={value}" for name, value in options.items()),
        f"--meter-address={METER_ADDRESS}",
        f"--meter-link={link}",
        "--meter-start-wh=5000",
        "--soc=20",
        "--plugged",
    )
    assert said["meter"] == str(link)
    line = MeterLine(port=str(link), parity="N")
    async with agent_on(Site(options, nobody)) as (bus, heard):
        assert (await line.read_total(METER_ADDRESS)).total_wh == 5_000
        await bus.command(NODE, Start(), within_s=10)
        await heard.until(Meter, lambda meter: meter.energy_wh > 6_000)
        await bus.command(NODE, Stop(), within_s=10)
        pile = await ask_control(said["control"], "status")
        assert (await line.read_total(METER_ADDRESS)).total_wh == pile["meter_wh"] // 10 * 10
        assert (await ask_control(said["control"], "meter vanish"))["ok"]
        assert not link.exists()
        assert (await ask_control(said["control"], "meter behave"))["ok"]
        assert (await line.read_total(METER_ADDRESS)).total_wh == pile["meter_wh"] // 10 * 10
    await line.close()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(LONG_S) == 0
    assert not link.is_symlink()
