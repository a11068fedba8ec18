"""The sites: simulated piles, each in a process with its bus and its meter, and the agents that drive them."""

import asyncio
import contextlib
import json
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operator_sdk.examples.demo.commands import installed
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.processes import Processes
from operator_sdk.examples.demo.trouble import Trouble
from operator_sdk.keys import new_key, save_key

READY_S = 20
MULTICAST_GROUP = "239.74.163.2"
METER_POLL_MS = 150
METER_START_WH = 123_450


@dataclass(frozen=True, slots=True)
class PilePlan:
    """A pile that is to stand there, with the vehicle that comes to it."""

    connector_id: str
    kind: str
    power_w: int
    soc_percent: int = 35


@dataclass(frozen=True, slots=True)
class SitePlan:
    """A site of an operator."""

    site_id: str
    party_id: str
    piles: tuple[PilePlan, ...]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a site's agent reports, and how it knows it."""

    url: str
    id: str
    public_key: str


@dataclass(frozen=True, slots=True)
class Bus:
    """What kind of CAN bus this machine has, and what the probe said of it."""

    interface: str
    words: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Counted:
    """Frames that an agent has counted."""

    can: int
    meter: int


class Site:
    """One site: its piles' control ports, and its agent as the command line shows it."""

    def __init__(self, processes: Processes, site_id: str, folder: Path) -> None:
        self._processes = processes
        self.site_id, self.folder = site_id, folder
        self.controls: dict[str, tuple[str, int]] = {}

    @property
    def file(self) -> Path:
        """The agent's settings."""
        return self.folder / "site.toml"

    async def pile(self, connector_id: str, command: str) -> dict[str, Any]:
        """What happens at a pile: plug, tap CARD, fault NAME, clear ...

        Raises:
            Trouble: the simulated pile does not know it.
        """
        reader, writer = await asyncio.open_connection(*self.controls[connector_id])
        try:
            writer.write(command.encode() + b"\n")
            said: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
        if not said["ok"]:
            raise Trouble(f"the pile {connector_id} did not understand {command!r}: {said['error']}")
        return said

    async def status(self, session_id: str | None = None) -> dict[str, Any]:
        """What `interpile edge status` says."""
        words = ["interpile", "edge", "status", str(self.file), "--json"]
        if session_id is not None:
            words += ["--session", session_id]
        said: dict[str, Any] = json.loads(await self._processes.run(installed(words)))
        return said

    async def frames(self) -> Counted:
        """Frames on the pile buses and on the meters' lines."""
        frames = (await self.status())["frames"]
        return Counted(frames["can"], frames["meter"])


class Sites:
    """Builds sites."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes, self._folder = processes, folder
        self._free_node = 0

    async def probe(self) -> Bus:
        """Which virtual CAN bus works here."""
        said = json.loads(await self._processes.run([sys.executable, "-m", "edge_agent.drivers.probe"]))
        return Bus(said["interface"], (said["zh"], said["en"]))

    def plan_key(self, site_id: str) -> str:
        """Make the site's key; returns its public half."""
        key = new_key()
        folder = self._folder / site_id
        folder.mkdir(parents=True)
        save_key(key, folder / "key.json")
        return key.public_b64url()

    async def build(self, plan: SitePlan, gateway: Gateway, bus: Bus, *, update_every_s: int) -> Site:
        """Start a site's piles and its agent."""
        site_id, piles = plan.site_id, plan.piles
        site = Site(self._processes, site_id, self._folder / site_id)
        buses = await self._buses(site_id, bus, len(piles))
        tables = await asyncio.gather(
            *(self._start_pile(site, pile, where) for pile, where in zip(piles, buses, strict=True))
        )
        site.file.write_text(_settings(plan, gateway, tables, update_every_s), "utf-8")
        await self._processes.start(f"edge-{site_id}", installed(["interpile", "edge", "run", str(site.file)]))
        return site

    async def _buses(self, site_id: str, bus: Bus, count: int) -> list[dict[str, str | int]]:
        """One bus a pile: a port of its own in the multicast group, or a channel of the TCP hub."""
        if bus.interface == "udp_multicast":
            ports = _free_udp_ports(count)
            return [{"interface": bus.interface, "channel": MULTICAST_GROUP, "port": port} for port in ports]
        name = f"can-{site_id}"
        module = [sys.executable, "-m", "edge_agent.sim.can_hub", "--buses", str(count)]
        await self._processes.start(name, module)
        said = await self._said(name)
        return [{"interface": bus.interface, "channel": channel} for channel in said["channels"]]

    async def _start_pile(self, site: Site, pile: PilePlan, bus: dict[str, str | int]) -> str:
        self._free_node += 1
        number = self._free_node
        name = f"pile-{pile.connector_id}"
        line = site.folder / f"{pile.connector_id}.meter"
        address = f"2025061800{number:02d}"
        words = {
            "node": number, "kind": pile.kind, "rated-power-w": pile.power_w, **bus,
            "meter-address": address, "meter-link": line, "meter-start-wh": METER_START_WH + 10_000 * number,
            "soc": pile.soc_percent, "vehicle-dc-power-w": pile.power_w, "vehicle-ac-power-w": pile.power_w,
        }  # fmt: skip
        arguments = [part for word, value in words.items() for part in (f"--{word}", str(value))]
        await self._processes.start(name, [sys.executable, "-m", "edge_agent.sim", *arguments, "--plugged"])
        said = await self._said(name)
        host, _, port = said["control"].rpartition(":")
        site.controls[pile.connector_id] = host, int(port)
        can = {**bus, "node": number}
        meter = {"port": str(line), "parity": "N", "address": address, "poll_ms": METER_POLL_MS}
        facts = {"connector_id": pile.connector_id, "kind": pile.kind, "rated_power_w": pile.power_w}
        return "\n".join(
            ["[[pile]]", *_lines(facts), "[pile.can]", *_lines(can), "[pile.meter]", *_lines(meter), ""]
        )

    async def _said(self, name: str) -> dict[str, Any]:
        """The line of JSON with which a process says that it is ready."""

        async def ready() -> dict[str, Any] | None:
            self._processes.check()
            first = self._processes.log(name).read_text("utf-8", "replace").partition("\n")
            return json.loads(first[0]) if first[1] else None

        return await until(ready, within_s=READY_S, missing=f"{name} was not ready")


def _settings(plan: SitePlan, gateway: Gateway, piles: list[str], update_every_s: int) -> str:
    site = {
        "site_id": plan.site_id,
        "party_id": plan.party_id,
        "key_file": "key.json",
        "state_dir": "state",
        "updates_every_s": update_every_s,
    }
    known = {"url": gateway.url, "id": gateway.id, "public_key": gateway.public_key}
    return "\n".join(["[site]", *_lines(site), "", "[gateway]", *_lines(known), "", *piles])


def _lines(table: dict[str, Any]) -> list[str]:
    # What JSON writes for a text or a number, TOML reads as the same.
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in table.items()]


def _free_udp_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(count)]
        for one in bound:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in bound]
