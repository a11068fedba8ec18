"""A whole site for the agent's tests: simulated piles and the agent in processes, their gateway in this one."""

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge_agent.drivers.probe import GROUP, free_udp_port, probe
from edge_agent.key_file import init_key, load_key
from edge_agent.settings import read_settings
from edge_agent.status import read_status
from operator_sdk.contract.edge_link.frames import (
    Done,
    StartCommand,
    StartResult,
    StopCommand,
    StopResult,
    TariffsCommand,
)
from operator_sdk.contract.ids import hub_id
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.messages.roaming import HostStartReply, HostStartRequest
from operator_sdk.contract.signing import public_to_b64url
from tests import nursery
from tests.edge_receiver import GATEWAY_ID, Receiver
from tests.nursery import Process
from tests.pile_rig import ask_control

SITE_ID, PARTY_ID = "test-site", "TESTPARTY"
SPEED = 60
UP_S = 20.0
EPOCH = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)

TARIFF = Tariff(
    party_id=PARTY_ID,
    tariff_id="tou",
    version=1,
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    periods=[
        TariffPeriod(start_minute=0, end_minute=725, electricity_micro=600_000, service_micro=400_000),
        TariffPeriod(start_minute=725, end_minute=1440, electricity_micro=1_100_000, service_micro=500_000),
    ],
)
UNPRICEABLE = msgspec.structs.replace(TARIFF, version=9, periods=TARIFF.periods[:1])
"""Its day has no evening."""

FULL = Target()


def new_id(prefix: str) -> str:
    """A hub id."""
    return hub_id(prefix, time.time_ns() // 1_000_000, secrets.randbits(74))


@dataclass
class Pile:
    """A simulated pile: its process, how it is reached, and a way to tell it what to do."""

    connector_id: str
    kind: str
    rated_power_w: int
    process: Process | None
    control: str
    can: dict[str, Any]
    meter_port: str

    async def do(self, *lines: str) -> dict[str, Any]:
        """Tell it, one after the other; the last answer."""
        answer: dict[str, Any] = {}
        for line in lines:
            answer = await ask_control(self.control, line)
            assert answer["ok"], (line, answer)
        return answer

    async def until(self, suits: Callable[[dict[str, Any]], bool], within_s: float = UP_S) -> dict[str, Any]:
        """Its status, once it suits; a simulated pile has to be asked."""
        async with asyncio.timeout(within_s):
            while True:
                said = await self.do("status")
                if suits(said):
                    return said
                await asyncio.sleep(0.05)

    def toml(self) -> str:
        """Its part of the site's file."""
        can = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.can.items())
        return (
            f'[[pile]]\nconnector_id = "{self.connector_id}"\nkind = "{self.kind}"\n'
            f"rated_power_w = {self.rated_power_w}\ncan = {{ {can} }}\n"
            f'meter = {{ port = "{self.meter_port}", parity = "N", poll_ms = 200 }}\n'
        )


@dataclass
class World:
    """Everything of one test."""

    folder: Path
    receiver: Receiver
    environment: dict[str, str]
    piles: list[Pile] = field(default_factory=list)
    agents: list[Process] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def site_file(self) -> Path:
        """The site's TOML."""
        return self.folder / "site.toml"

    def write_site(self, state_dir: str = "state", **site: Any) -> Path:
        """The site's file as things are now."""
        said = {"updates_every_s": 20, "status_every_s": 60, "health_every_s": 1, "stop_wait_s": 1, **site}
        lines = [
            f'[site]\nsite_id = "{SITE_ID}"\nparty_id = "{PARTY_ID}"\nkey_file = "site.jwk"',
            f'state_dir = "{state_dir}"',
            *(f"{name} = {json.dumps(value)}" for name, value in said.items()),
            "[safety]\nmeter_silent_polls = 2",
            f'[gateway]\nurl = "{self.receiver.url}"\nid = "{GATEWAY_ID}"',
            f'public_key = "{public_to_b64url(self.receiver.key.public_key())}"',
            *(pile.toml() for pile in self.piles),
        ]
        self.site_file.write_text("\n".join(lines))
        return self.site_file

    def start_agent(self, site: Path | None = None) -> Process:
        """`interpile edge run`, in a process of its own."""
        with (self.folder / "agent.log").open("ab") as log:
            agent = nursery.start(
                *("edge_agent", "run", str(site or self.site_file)),
                environment={**os.environ, **self.environment},
                stdout=log.fileno(),
                stderr=log.fileno(),
            )
        self.agents.append(agent)
        self.processes.append(agent)
        return agent

    def kill_agent(self) -> None:
        """SIGKILL."""
        agent = self.agents[-1]
        agent.send_signal(signal.SIGKILL)
        agent.wait()

    def said(self) -> str:
        """What the agents logged."""
        path = self.folder / "agent.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def status(self, session_id: str | None = None) -> dict[str, Any]:
        """`interpile edge status --json`."""
        return read_status(read_settings(self.site_file), session_id).as_json()

    async def push_tariff(self) -> None:
        """The gateway tells the agent of the tariff."""
        await self.receiver.command(TariffsCommand(tariffs=[TARIFF]), Done)

    def request(
        self, pile: Pile, session_id: str, *, limit_fen: int | None = None, target: Target = FULL
    ) -> HostStartRequest:
        """What a gateway asks for; the same for the same arguments."""
        return HostStartRequest(
            session_id=session_id,
            authorization_id=session_id.replace("ses_", "aut_"),
            connector_id=pile.connector_id,
            home_party_id="HOMEPARTY",
            token_ref="t-1",
            start_mode="home",
            tariff_id=TARIFF.tariff_id,
            tariff_version=TARIFF.version,
            limit_fen=limit_fen,
            target=target,
        )

    async def start(
        self, pile: Pile, *, limit_fen: int | None = None, target: Target = FULL, command_id: str = ""
    ) -> tuple[str, HostStartReply]:
        """Ask for a start: the session and what became of it."""
        session_id = new_id("ses")
        request = self.request(pile, session_id, limit_fen=limit_fen, target=target)
        result = await self.receiver.command(StartCommand(request=request), StartResult, command_id=command_id)
        return session_id, result.reply

    async def stop(self, session_id: str, reason: str = "driver_remote") -> str:
        """Ask for a stop: the state it led to."""
        command = StopCommand(session_id=session_id, reason=reason)
        return (await self.receiver.command(command, StopResult)).state

    async def ended(self, session_id: str) -> None:
        """Wait for the bill."""
        await self.receiver.until(lambda: self.receiver.bills(session_id))

    async def charging(self, session_id: str, energy_wh: int = 0) -> None:
        """Wait until energy flows."""
        await self.receiver.until(
            lambda: any(
                update.state == "charging" and update.energy_wh >= energy_wh
                for update in self.receiver.updates(session_id)
            )
        )

    async def available(self, *piles: Pile) -> None:
        """Wait until these can be started."""
        await self.receiver.until(
            lambda: all(
                self.receiver.states(pile.connector_id)[-1:] in (["occupied"], ["available"]) for pile in piles
            )
        )


@asynccontextmanager
async def open_world(
    folder: Path, *kinds: str, speed: int = SPEED, begins: datetime = EPOCH
) -> AsyncIterator[World]:
    """A site with piles of these kinds, a vehicle at each, and its gateway; the agent is not started."""
    init_key(folder / "site.jwk")
    key: Ed25519PublicKey = load_key(folder / "site.jwk").public_key()
    receiver = Receiver(folder / "gateway.sqlite3", {SITE_ID: key})
    environment = {
        "SPEED": str(speed),
        "INTERPILE_ENV": "test",
        "INTERPILE_EPOCH": datetime.now(UTC).isoformat(),
        "INTERPILE_EPOCH_BUSINESS": begins.isoformat(),
    }
    world = World(folder, receiver, environment)
    try:
        wanted = [(await _bus(world), node, kind) for node, kind in enumerate(kinds, 1)]
        beginning = (asyncio.to_thread(_pile, world, *one) for one in wanted)
        world.piles = list(await asyncio.gather(*beginning))
        async with receiver.serving():
            world.write_site()
            yield world
    except BaseException:
        sys.stderr.write(world.said()[-6000:])
        raise
    finally:
        for process in world.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for process in world.processes:
            process.wait()
        receiver.db.close()


_FOUND: dict[str, str] = {}


async def _bus(world: World) -> dict[str, Any]:
    """How a new bus is opened on this machine."""
    if "interface" not in _FOUND:
        _FOUND["interface"] = (await probe()).interface
    if _FOUND["interface"] == "udp_multicast":
        return {"interface": "udp_multicast", "channel": GROUP, "port": free_udp_port()}
    said = await asyncio.to_thread(_begin, world, "edge_agent.sim.can_hub")
    return {"interface": "slcan", "channel": said["channels"][0]}


def _pile(world: World, bus: dict[str, Any], node: int, kind: str) -> Pile:
    rated_power_w = 7_000 if kind == "ac" else 120_000
    arguments = (
        f"--node={node}",
        f"--kind={kind}",
        f"--rated-power-w={rated_power_w}",
        f"--meter-address=2025061800{node:02}",
        # A name of its own: a meter that vanishes and comes back gets another pty.
        f"--meter-link={world.folder / f'meter-{node}'}",
        "--meter-start-wh=1234560",
        "--plugged",
        *(f"--{name}={value}" for name, value in bus.items()),
    )
    said = _begin(world, "edge_agent.sim", *arguments)
    return Pile(
        connector_id=f"P{node}",
        kind=kind,
        rated_power_w=rated_power_w,
        process=world.processes[-1],
        control=said["control"],
        can={**bus, "node": node},
        meter_port=said["meter"],
    )


def _begin(world: World, module: str, *arguments: str) -> dict[str, Any]:
    environment = {**os.environ, **world.environment}
    process, said = nursery.start_and_hear(module, *arguments, environment=environment)
    world.processes.append(process)
    return said
