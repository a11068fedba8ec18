"""What happens to the bus itself: it goes and comes back, carries rubbish, or is none that this machine can have."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.codecs.pile_bus import encode
from edge_agent.codecs.pile_bus_messages import BusProblem, Meter, ProblemKind, Start, Status, Stop
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.pile_bus import BusBack, BusGone, BusLost, BusUnusable, PileBus, PileLost
from edge_agent.drivers.probe import GROUP, free_udp_port, probe
from edge_agent.sim.can_hub import channel_of, open_bus
from tests.pile_rig import (
    LONG_S,
    NODE,
    Processes,
    Site,
    agent_on,
    ask_control,
    has_multicast,
    new_clock,
    new_controller,
)

HEARTBEAT = encode(new_controller(new_clock()).status())


@pytest.fixture
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    started.end()


async def nobody(line: str) -> dict[str, object]:
    raise AssertionError(line)


def on_slcan(channel: str) -> Site:
    return Site({"interface": "slcan", "channel": channel}, nobody)


async def next_line(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r"), LONG_S)


def as_slcan(can_id: int, data: bytes) -> bytes:
    return f"T{can_id:08X}{len(data)}{data.hex().upper()}\r".encode()


async def test_a_bus_that_goes_is_told_and_comes_back_by_itself() -> None:
    hub = await open_bus()
    port = hub.sockets[0].getsockname()[1]
    async with agent_on(on_slcan(channel_of(hub)), lost_after_s=60) as (bus, heard):
        _, pile = await asyncio.open_connection("127.0.0.1", port)
        pile.write(as_slcan(*HEARTBEAT))
        await heard.until(Status)
        waiting = asyncio.create_task(bus.command(NODE, Start(), within_s=LONG_S))
        await asyncio.sleep(0.05)
        hub.close()
        pile.close()
        for transport in [*_ends_of(hub)]:
            transport.abort()
        await heard.until(BusLost)
        with pytest.raises(BusGone):
            await waiting
        with pytest.raises(BusGone):
            await bus.command(NODE, Stop(), within_s=LONG_S)
        again = await open_bus(port=port)
        await heard.until(BusBack)
        assert len(heard.of(BusLost)) == 1
        heard.forget()
        _, pile = await asyncio.open_connection("127.0.0.1", port)
        pile.write(as_slcan(*encode(Meter(NODE, 5))))
        assert await heard.until(Meter) == Meter(NODE, 5)
        pile.close()
    again.close()


def _ends_of(server: asyncio.Server) -> list[asyncio.Transport]:
    raise NotImplementedError
