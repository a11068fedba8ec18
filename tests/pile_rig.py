"""Simulated piles for tests, on each kind of bus: in this process on `virtual`, in their own on the others."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus_messages import PileKind
from edge_agent.drivers.pile_bus import BusEvent, PileBus
from edge_agent.drivers.probe import GROUP, free_udp_port, probe
from edge_agent.sim.control import Control
from edge_agent.sim.pile import PileController
from edge_agent.sim.pile_on_bus import PileOnBus
from edge_agent.sim.vehicle import Charger, Vehicle
from tests import nursery
from tests.nursery import Process

NODE, OTHER_NODE = 3, 4
SPEED = 60
LONG_S = 20.0
"""Nothing takes this long unless it is broken."""

RESET = ("return", "slow 0", "clear", "allow starts", "unplug")
Event = TypeVar("Event")
Options = dict[str, Any]


@dataclass
class Site:
    """A simulated pile: how its bus is opened, and a way to tell it what to do."""

    options: Options
    ask: Callable[[str], Awaitable[dict[str, Any]]]

    async def do(self, *lines: str) -> dict[str, Any]:
        """Tell it, one after the other; the last answer."""
        answer: dict[str, Any] = {}
        for line in lines:
            answer = await self.ask(line)
            assert answer["ok"], (line, answer)
        return answer


@dataclass
class Heard:
    """Every event of a bus, and a way to wait for one."""

    events: list[BusEvent] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, event: BusEvent) -> None:
        self.events.append(event)
        self._news.set()

    def of(self, kind: type[Event]) -> list[Event]:
        """All of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[Event], suits: Callable[[Event], bool] = lambda _: True) -> Event:
        """The first of that kind that suits, now or as soon as it comes."""
        async with asyncio.timeout(LONG_S):
            while True:
                for event in self.of(kind):
                    if suits(event):
                        return event
                self._news.clear()
                await self._news.wait()

    def forget(self) -> None:
        """Only what comes from now on counts."""
        self.events.clear()


@asynccontextmanager
async def agent_on(site: Site, **settings: Any) -> AsyncIterator[tuple[PileBus, Heard]]:
    """The agent's end of a site's bus."""
    heard = Heard()
    async with PileBus(**site.options, on_event=heard, **{"nodes": (NODE,), **settings}) as bus:
        yield bus, heard


def new_clock() -> Clock:
    """Business time that runs fast."""
    return Clock(epoch=datetime.now(UTC), speed=SPEED)


def new_controller(clock: Clock, node: int = NODE) -> PileController:
    """A DC pile that waits for a vehicle."""
    charger = Charger(kind=PileKind.DC, rated_power_w=120_000, vehicle=Vehicle(), meter_wms=0)
    return PileController(node=node, charger=charger, now=clock.business())


@dataclass
class Near(Site):
    """A simulated pile in this process; `wall_s` is what its lease is measured with, moved by the test."""

    bus: PileOnBus
    wall_s: int = 0


@asynccontextmanager
async def in_process(channel: str) -> AsyncIterator[Near]:
    """A pile on a `virtual` bus. Nobody is silent for too long unless the test says so."""
    clock = new_clock()
    options = {"interface": "virtual", "channel": channel}
    bus = PileOnBus(new_controller(clock), clock, wall_s=lambda: near.wall_s, **options)
    control = Control(bus, None)

    async def ask(line: str) -> dict[str, Any]:
        return control.obey(line)

    near = Near(options, ask, bus)
    await bus.open()
    try:
        yield near
    finally:
        await bus.close()


class Processes:
    """Started when first asked for, ended by their ids."""

    def __init__(self) -> None:
        self._running: list[Process] = []
        self._sites: dict[str, Site] = {}

    def site(self, kind: str) -> Site:
        """The pile on a bus of that kind."""
        if kind not in self._sites:
            self._sites[kind] = self.pile(self.bus(kind))
        return self._sites[kind]

    def bus(self, kind: str) -> Options:
        """How a new bus of that kind is opened."""
        if kind == "udp_multicast":
            return {"interface": kind, "channel": GROUP, "port": free_udp_port()}
        _, said = self.start("edge_agent.sim.can_hub")
        return {"interface": kind, "channel": said["channels"][0]}

    def pile(self, options: Options, *more: str) -> Site:
        """A pile in a process of its own."""
        named = (f"--{name}={value}" for name, value in options.items())
        _, said = self.start("edge_agent.sim", f"--node={NODE}", *named, *more)

        async def ask(line: str) -> dict[str, Any]:
            return await ask_control(said["control"], line)

        return Site(options, ask)

    def start(self, module: str, *arguments: str) -> tuple[Process, dict[str, Any]]:
        """A program of ours and the line it prints when it is ready."""
        clock = {"SPEED": str(SPEED), "INTERPILE_ENV": "test", "INTERPILE_EPOCH": datetime.now(UTC).isoformat()}
        process, said = nursery.start_and_hear(module, *arguments, environment={**os.environ, **clock})
        self._running.append(process)
        return process, said

    def end(self) -> None:
        """Every one of them."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(LONG_S)


async def ask_control(control: str, line: str) -> dict[str, Any]:
    """One line to a control port, and its answer."""
    host, _, port = control.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(line.encode() + b"\n")
        answer: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), LONG_S))
    finally:
        writer.close()
        await writer.wait_closed()
    return answer


def has_multicast() -> bool:
    """Whether this machine routes it."""
    return asyncio.run(probe()).interface == "udp_multicast"
