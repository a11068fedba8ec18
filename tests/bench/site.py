"""A site: simulated piles and the agent that drives them, each in a process of its own."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.drivers.probe import GROUP, free_udp_port, probe
from edge_agent.key_file import init_key
from tests.bench.processes import BenchError, Processes

METER_START_WH = 1_234_560


@dataclass(frozen=True, slots=True)
class Pile:
    """A simulated pile with its meter; `control` is the port on which things happen to it."""

    connector_id: str
    node: int
    kind: str
    rated_power_w: int
    bus: dict[str, Any]
    control: str
    meter: str

    async def do(self, line: str) -> dict[str, Any]:
        """Have something happen.

        Raises:
            BenchError: the pile does not know it.
        """
        host, _, port = self.control.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(line.encode() + b"\n")
            said: dict[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
        if not said["ok"]:
            raise BenchError(f"{self.connector_id} did not understand {line!r}: {said['error']}")
        return said


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a site reports, and how it knows it."""

    url: str
    party_id: str
    public_key: str


class Site:
    """One site in a folder of its own."""

    def __init__(self, processes: Processes, site_id: str, party_id: str) -> None:
        self._processes = processes
        self.site_id, self._party_id = site_id, party_id
        self.folder = processes.folder / site_id
        self.folder.mkdir()
        self.public_key = init_key(self.folder / "key.jwk")
        self.agent = f"agent-{site_id}"
        self.piles: list[Pile] = []

    @property
    def file(self) -> Path:
        """The agent's settings."""
        return self.folder / "site.toml"

    @property
    def spool(self) -> Path:
        """The agent's SQLite file."""
        return self.folder / "state" / "edge.sqlite3"

    def start_piles(self, kinds: list[tuple[str, int]]) -> None:
        """A pile for each (kind, rated power), a vehicle at each, on a bus of its own."""
        names = [f"pile-{number}" for number in range(1, len(kinds) + 1)]
        buses = self._buses(len(kinds))
        for number, (name, bus, (kind, power_w)) in enumerate(zip(names, buses, kinds, strict=True), 1):
            words = {
                "node": number, "kind": kind, "rated-power-w": power_w, **bus, "capacity-wh": 90_000, "soc": 20,
                "vehicle-dc-power-w": power_w, "vehicle-ac-power-w": power_w,
                "meter-address": f"2025061800{number:02d}", "meter-start-wh": METER_START_WH,
            }  # fmt: skip
            arguments = [f"--{word}={value}" for word, value in words.items()]
            self._processes.spawn(name, "edge_agent.sim", *arguments, "--plugged")
        for number, (name, bus, (kind, power_w)) in enumerate(zip(names, buses, kinds, strict=True), 1):
            said = self._processes.first_line(name)
            self.piles.append(
                Pile(f"E{number:02d}", number, kind, power_w, bus, said["control"], said["meter"])
            )

    def _buses(self, count: int) -> list[dict[str, Any]]:
        if asyncio.run(probe()).interface == "udp_multicast":
            ports: set[int] = set()
            while len(ports) < count:
                ports.add(free_udp_port())
            return [{"interface": "udp_multicast", "channel": GROUP, "port": port} for port in sorted(ports)]
        self._processes.spawn("can-hub", "edge_agent.sim.can_hub", "--buses", str(count))
        channels = self._processes.first_line("can-hub")["channels"]
        return [{"interface": "slcan", "channel": channel} for channel in channels]

    def write(self, gateway: Gateway) -> None:
        """The site's file; a site without piles names one that is not there."""
        tables = [_toml_of(pile) for pile in self.piles] or [_nobody()]
        site = {
            "site_id": self.site_id,
            "party_id": self._party_id,
            "key_file": "key.jwk",
            "state_dir": "state",
        }
        known = {"url": gateway.url, "id": gateway.party_id, "public_key": gateway.public_key}
        self.file.write_text(
            "\n".join(["[site]", *_lines(site), "[gateway]", *_lines(known), *tables]), "utf-8"
        )

    def start_agent(self) -> None:
        """`interpile edge run`; it says nothing before it has to."""
        self._processes.spawn(self.agent, "edge_agent", "run", str(self.file), "--log-level", "warning")

    def stop(self) -> None:
        """End the agent, then the piles."""
        self._processes.stop(self.agent)
        for number in range(1, len(self.piles) + 1):
            self._processes.stop(f"pile-{number}")
        self._processes.stop("can-hub")


def _toml_of(pile: Pile) -> str:
    facts = {
        "connector_id": pile.connector_id,
        "kind": pile.kind,
        "rated_power_w": pile.rated_power_w,
    }
    # A pty knows no parity. All else, the poll of a second above all, is what a site has that sets nothing.
    meter = {"port": pile.meter, "parity": "N", "address": f"2025061800{pile.node:02d}"}
    can = {**pile.bus, "node": pile.node}
    return "\n".join(["[[pile]]", *_lines(facts), "[pile.can]", *_lines(can), "[pile.meter]", *_lines(meter)])


def _nobody() -> str:
    can = {"interface": "virtual", "channel": "nobody", "node": 1}
    meter = {"port": "/dev/null", "parity": "N", "address": "202506180001", "poll_ms": 60_000}
    facts = {"connector_id": "NOBODY", "kind": "ac", "rated_power_w": 7_000}
    return "\n".join(["[[pile]]", *_lines(facts), "[pile.can]", *_lines(can), "[pile.meter]", *_lines(meter)])


def _lines(table: dict[str, Any]) -> list[str]:
    # What JSON writes for a text or a number, TOML reads as the same.
    return [f"{name} = {json.dumps(value)}" for name, value in table.items()]
