"""A site with fourteen piles: what its agent costs, how fast a frame gets to a phone and a fault to a stop.

The frame's way: simulated pile -> agent -> the operator's platform (SiteGateway, inbox, courier) -> hub ->
phones' service -> phone, each a process of its own. What is timed begins when the pile's status frame is on the
bus: the vehicle pauses or goes on, which the pile says at once and the agent passes on at once. How often
updates are sent anyway, and how often a pile repeats its status, has no part in it. A fault's way is shorter:
the frame that tells of it, the agent, its STOP on the bus.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import httpx
import msgspec

from edge_agent.codecs.pile_bus_messages import Commanded, Faults, PileFault, PileState, Status, Stop
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages import directory
from operator_sdk.examples.demo.phone import Phone
from operator_sdk.examples.demo.trouble import Trouble
from operator_sdk.examples.host.site import Site as Published
from operator_sdk.examples.host.site import SiteAgent, SiteStation, SiteTariff
from operator_sdk.keys import save_key
from tests.bench.ears import BusEar, BusWord, PhoneEar
from tests.bench.edge_world import Driver, prices
from tests.bench.load import percentile
from tests.bench.machine import cpu_s, load_average, memory_mb
from tests.bench.processes import BenchError, Processes
from tests.bench.site import Gateway, Pile, Site
from tests.bench.stages import Bench
from tests.bench.world import TARIFF_ID, World

Done = TypeVar("Done")
FIGURES = ("frame_to_phone_ms_p99", "fault_to_stop_ms_p99", "agent_rss_mb", "agent_cpu_percent")
KINDS = [("ac", 7_000)] * 9 + [("dc", 60_000)] * 5
SETTLE_S, COST_S = 5.0, 20.0
CHANGES, FAULTS = 16, 8
"""For each pile: its vehicle pauses or goes on so often, it fails so often. 224 and 112 samples."""

CHANGE_EVERY_MS = (800, 2_400)
UP_S, AGAIN_S, STEPS = 30.0, 0.25, 5
UNDER_WAY = frozenset({SessionState.STARTING, SessionState.CHARGING})
FAULT = PileFault.LEAKAGE
SITE_ID = "bench-site"

METHOD = {
    "frame_to_phone_ms_p99": "from a pile's status frame on the bus (the kernel's time, at a listener "
    f"beside the agent) to the message on its driver's phone; {len(KINDS)} piles charging, {CHANGES} "
    "pauses and resumptions of each at random times; through agent, the operator's platform, hub with "
    "PostgreSQL, phones' service; nothing pinned",
    "fault_to_stop_ms_p99": "from the frame with a fault, about which the pile itself does nothing, to the "
    f"agent's STOP on the bus, both times the kernel's at one listener; {FAULTS} charges of each pile",
    "agent_rss_mb": f"resident memory of the agent's process with {len(KINDS)} piles charging, each on a bus"
    " and a meter line of its own, polled and reported as by a site that sets nothing",
    "agent_cpu_percent": f"its CPU time over {COST_S:.0f} s of that, percent of one core",
}


def steps(wanted: set[str]) -> int:
    """How many there will be."""
    return STEPS if wanted & set(FIGURES) else 0


def run(bench: Bench, drivers: Sequence[Driver]) -> None:
    """Everything of these figures that is wanted."""
    if not bench.wanted & set(FIGURES):
        return
    processes = bench.processes
    bench.step("site: piles")
    processes.ensure("home", "hub", "jobs")
    processes.free()
    site = Site(processes, SITE_ID, bench.world.platform.party_id)
    try:
        site.start_piles(KINDS)
        start_bff(processes)
        platform = _start_platform(bench.world, processes, site)
        site.write(platform)
        site.start_agent()
        asyncio.run(_Measured(bench, site, drivers).run())
    finally:
        site.stop()
        processes.stop("platform")
        processes.stop("bff")


def start_bff(processes: Processes, *, stacks: str = "") -> None:
    """The phones' service."""
    app = processes.world.app
    file = processes.folder / app.key_file
    if not file.exists():
        save_key(app.key(), file)
    processes.start("bff", url=processes.world.bff_url, stacks=stacks)


def _start_platform(world: World, processes: Processes, site: Site) -> Gateway:
    """The example host, which publishes the site's piles."""
    party, folder = world.platform, site.folder
    piles = [
        directory.Pile(
            pile_id=f"P{pile.connector_id}",
            kind=pile.kind,
            rated_power_w=pile.rated_power_w,
            connectors=[directory.Connector(connector_id=pile.connector_id)],
        )
        for pile in site.piles
    ]
    put = prices()
    tariff = SiteTariff(tariff_id=TARIFF_ID, valid_from=put.valid_from, periods=put.periods)
    station = SiteStation(
        station_id="ST-EDGE",
        name="Bench",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id=TARIFF_ID,
        piles=piles,
    )
    plugs = [pile.connector_id for pile in site.piles]
    agent = SiteAgent(site_id=site.site_id, public_key=site.public_key, connectors=plugs)
    (folder / "data.json").write_bytes(msgspec.json.encode(Published(tariffs=[tariff], stations=[station])))
    (folder / "sites.json").write_bytes(msgspec.json.encode([agent]))
    save_key(party.key(), folder / party.key_file)
    address = party.base_url.removeprefix("http://")
    words = {
        "party-id": party.party_id, "key": folder / party.key_file, "hub": world.hub_url, "listen": address,
        "database": folder / "platform.db", "data": folder / "data.json", "sites": folder / "sites.json",
    }  # fmt: skip
    arguments = [f"--{word}={value}" for word, value in words.items()]
    processes.spawn("platform", "operator_sdk.examples.host", *arguments, url=party.base_url)
    return Gateway(f"ws://{address}/edge", party.party_id, party.key().public_b64url())


class _Measured:
    """The site at work."""

    def __init__(self, bench: Bench, site: Site, drivers: Sequence[Driver]) -> None:
        self._bench, self._site, self._drivers = bench, site, drivers
        self._chance = random.Random(1)
        self._ear = BusEar()
        self._phones: dict[str, Phone] = {}
        self._ears: dict[str, PhoneEar] = {}

    async def run(self) -> None:
        """Charge, and measure what is wanted."""
        bench, piles = self._bench, self._site.piles
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            for pile, driver in zip(piles, self._drivers, strict=True):
                url = f"{bench.world.bff_url}/graphql"
                self._phones[pile.connector_id] = Phone(http, url, driver.token)
            bench.step("site: starting charges")
            with self._ear.listening([pile.bus for pile in piles]):
                await _each(self._begin(pile) for pile in piles)
                bench.step("site: the agent's cost")
                if bench.wanted & {"agent_rss_mb", "agent_cpu_percent"}:
                    await self._cost()
                bench.step("site: frame to phone")
                if "frame_to_phone_ms_p99" in bench.wanted:
                    self._note("frame_to_phone", await _samples(self._changes(pile) for pile in piles))
                bench.step("site: fault to stop")
                if "fault_to_stop_ms_p99" in bench.wanted:
                    self._note("fault_to_stop", await _samples(self._faults(pile) for pile in piles))
            for ear in self._ears.values():
                await ear.close()

    async def _begin(self, pile: Pile) -> None:
        """A charge, and its driver follows it."""
        phone, began = self._phones[pile.connector_id], time.monotonic()
        code = f"hlht://{connector_ref(self._bench.world.platform.party_id, pile.connector_id)}/"
        while True:
            session = await _started(phone, code)
            if session.get("stateText") in UNDER_WAY:
                break
            if time.monotonic() - began > UP_S:
                raise BenchError(f"no charge at {pile.connector_id}: {session}")
            await asyncio.sleep(AGAIN_S)
        ear = self._ears[pile.connector_id] = PhoneEar(phone, str(session["id"]))
        await ear.reached(SessionState.CHARGING)

    async def _cost(self) -> None:
        """What the agent takes while everything charges."""
        pid = self._bench.processes.pid(self._site.agent)
        await asyncio.sleep(SETTLE_S)
        before, began = cpu_s(pid), time.monotonic()
        await asyncio.sleep(COST_S)
        share = (cpu_s(pid) - before) / (time.monotonic() - began)
        rss_mb = memory_mb(pid)
        self._bench.found("agent_cpu_percent", round(100 * share, 1))
        self._bench.found("agent_rss_mb", round(rss_mb, 1))
        facts = {"peak_rss_mb": round(memory_mb(pid, "VmHWM"), 1), "piles": len(KINDS), "load": load_average()}
        self._bench.rounds["agent"] = [facts]

    async def _changes(self, pile: Pile) -> list[float]:
        """A vehicle that pauses and goes on: how long each takes to its driver, in ms."""
        bus, phone = self._ear.nodes[pile.node], self._ears[pile.connector_id]
        found = []
        for number in range(CHANGES):
            await asyncio.sleep(self._chance.randint(*CHANGE_EVERY_MS) / 1000)
            line, state = (("pause", PileState.PAUSED), ("resume", PileState.CHARGING))[number % 2]
            on_bus, on_phone = bus.mark(), phone.heard.mark()
            await pile.do(line)
            begun = await bus.first(on_bus, _is_state(state), f"{state} on the bus")
            found.append(1000 * (await phone.reached(state, on_phone) - begun))
        return found

    async def _faults(self, pile: Pile) -> list[float]:
        """A pile that fails in every charge: how long until it is told to stop, in ms."""
        bus, found = self._ear.nodes[pile.node], []
        for number in range(FAULTS):
            if number:
                await self._begin(pile)
            await asyncio.sleep(self._chance.random())
            since, ear = bus.mark(), self._ears[pile.connector_id]
            await pile.do(f"unnoticed {FAULT}")
            begun = await bus.first(since, _is_fault, f"{FAULT} on the bus")
            found.append(1000 * (await bus.first(since, _is_stop, "a stop on the bus") - begun))
            await ear.reached(SessionState.ENDED)
            await ear.close()
            await pile.do("clear")
        return found

    def _note(self, what: str, samples: Sequence[float]) -> None:
        facts = {f"p{percent}_ms": round(percentile(list(samples), percent), 2) for percent in (50, 90, 99)}
        more = {"most_ms": round(max(samples), 2), "samples": len(samples), "load": load_average()}
        self._bench.rounds[what] = [facts | more]
        self._bench.found(f"{what}_ms_p99", facts["p99_ms"])


async def _started(phone: Phone, code: str) -> dict[str, str | None]:
    try:
        return await phone.start(code)
    except (Trouble, httpx.TransportError) as problem:
        return {"trouble": str(problem)}


async def _each(works: Iterable[Coroutine[Any, Any, Done]]) -> list[Done]:
    """All at once; the first that fails ends the others, and is what is raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            begun = [tasks.create_task(work) for work in works]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in begun]


async def _samples(works: Iterable[Coroutine[Any, Any, list[float]]]) -> list[float]:
    return [sample for found in await _each(works) for sample in found]


def _is_state(state: PileState) -> Callable[[BusWord], bool]:
    return lambda heard: isinstance(heard, Status) and heard.state is state


def _is_fault(heard: BusWord) -> bool:
    return isinstance(heard, Faults) and FAULT in heard.active


def _is_stop(heard: BusWord) -> bool:
    return isinstance(heard, Commanded) and isinstance(heard.command, Stop)
