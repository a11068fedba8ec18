"""The network: which process listens where, what each is told, and starting them in order."""

import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec

from operator_sdk.client import AsyncHubClient, OperatorCredentials
from operator_sdk.clock import Clock
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.admin import Readiness
from operator_sdk.contract.signing import SigningKey
from operator_sdk.examples.demo import city
from operator_sdk.examples.demo.administrator import HUB, NAMES, PHONES, A, B
from operator_sdk.examples.demo.commands import PRODUCTION, command_of, embedded_command, installed
from operator_sdk.examples.demo.databases import Addresses
from operator_sdk.examples.demo.options import Options
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.processes import Processes
from operator_sdk.examples.demo.sites import Gateway, SitePlan
from operator_sdk.examples.demo.trouble import Trouble
from operator_sdk.examples.home.store import Driver
from operator_sdk.examples.host.site import Site
from operator_sdk.keys import new_key, save_key

BROKER_URL = "amqp://guest:guest@127.0.0.1:5672//"
REDIS_URL = "redis://127.0.0.1:6379/0"
QUEUE = "interpile_demo"
STATUS_LIFE_S = 86_400
"""Generous: a few seconds' cut are hours at these speeds, and phones should still see the plug."""
READY_S = 30
OUR_VARIABLES = ("INTERPILE_", "BFF_", "DATABASE_", "REDIS_URL", "BROKER_URL", "SPEED")
NOT_FOR_CHILDREN = (*OUR_VARIABLES, "OPERATOR_", "ONCE", "REPORT", "STATIONS")

DRIVERS = [
    Driver(driver_id="B-0001", name="陈晓 Chen Xiao", card="B2000001", balance_fen=20_000),
    Driver(driver_id="B-0002", name="李雷 Li Lei", card="B2000002", balance_fen=12_000),
    Driver(driver_id="B-0003", name="韩梅 Han Mei", card="B2000003", balance_fen=15_000),
    Driver(driver_id="B-0004", name="王芳 Wang Fang", card="B2000004", balance_fen=9_000, blocked=True),
    Driver(driver_id="B-0005", name="赵强 Zhao Qiang", card="B2000005", balance_fen=8_000),
    Driver(driver_id="B-0006", name="孙丽 Sun Li", card="B2000006", balance_fen=10_000),
]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on 127.0.0.1."""

    hub: int
    a: int
    b: int
    bff: int
    to_site: int
    control: int


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses, files, keys and the clock of one run."""

    options: Options
    addresses: Addresses
    ports: Ports
    processes: Processes
    keys: dict[str, SigningKey]
    clock: Clock

    @property
    def own_environment(self) -> dict[str, str]:
        """What `interpile` needs in its environment to work on this hub."""
        given = self.processes.environment
        return {name: value for name, value in given.items() if name.startswith(OUR_VARIABLES)}

    @property
    def hub_url(self) -> str:
        """The hub's public URL."""
        return _url(self.ports.hub)

    @property
    def a_url(self) -> str:
        """A as people at its piles reach it."""
        return _url(self.ports.a)

    @property
    def phones_url(self) -> str:
        """The phones' service, with the driver's page: a process of its own in production."""
        return _url(self.ports.bff) if self.options.production else self.hub_url

    @property
    def graphql_url(self) -> str:
        """Where phones ask."""
        return f"{self.phones_url}/graphql"

    @property
    def gateway_of_a(self) -> Gateway:
        """Where A's site reports: to A's platform, through the proxy."""
        url = f"ws://127.0.0.1:{self.ports.to_site}/edge"
        return Gateway(url, A, self.keys[A].public_b64url())

    async def label(self, party_id: str, connector_id: str) -> str:
        """What the label on a plug of this operator says, as the hub signed it."""
        who = OperatorCredentials(party_id, self.keys[party_id])
        async with AsyncHubClient(self.hub_url, who, clock=self.clock) as hub:
            return (await hub.get_connector_code(connector_ref(party_id, connector_id))).url

    @property
    def b_url(self) -> str:
        """B as everybody reaches it."""
        return _url(self.ports.b)

    @property
    def control(self) -> tuple[str, int]:
        """The proxy's control port."""
        return "127.0.0.1", self.ports.control

    @property
    def code_file(self) -> Path:
        """Where one-time codes arrive."""
        return self.options.folder / "codes.jsonl"

    @property
    def secret_file(self) -> Path:
        """The hub's keys."""
        return self.options.folder / "secrets.json"

    @property
    def key_files(self) -> dict[str, Path]:
        """The operators' keys."""
        return {party: self.options.folder / f"{party}.key.json" for party in (A, B, PHONES)}

    async def migrate(self) -> None:
        """Bring the database to the newest revision."""
        await self.processes.run(installed(command_of("migrate", host="", port=0)))

    async def start_hub(self) -> None:
        """The hub's processes and the phones' service, and until they are ready."""
        here = "127.0.0.1"
        if self.options.production:
            for name in PRODUCTION:
                port = self.ports.bff if name == "bff" else self.ports.hub
                await self.processes.start(name, installed(command_of(name, host=here, port=port)))
        else:
            command = embedded_command(host=here, port=self.ports.hub)
            await self.processes.start("hub", installed(command))
        await self._until_answers(f"{self.hub_url}/readyz")
        await self._until_answers(f"{self.phones_url}/app/")

    async def start_proxy(self) -> None:
        """The proxy between A's site and A's platform."""
        here = "127.0.0.1"
        channel = f"to_site={here}:{self.ports.to_site}={here}:{self.ports.a}"
        arguments = ("--control", f"{here}:{self.ports.control}", "--channel", channel)
        await self._start_module("proxy", "operator_sdk.examples.demo.proxy", *arguments)

    async def start_b(self) -> None:
        """The home with a platform."""
        file = self.options.folder / "drivers.json"
        file.write_bytes(msgspec.json.encode(DRIVERS))
        await self._start_operator("home", B, hub=self.hub_url, port=self.ports.b, data=file)
        await self._until_answers(f"{self.b_url}/app/drivers")

    async def start_a(self, site: Site, plan: SitePlan, site_key: str) -> None:
        """The host's platform, and until it has told the hub what it has."""
        file, sites = self.options.folder / "site.json", self.options.folder / "sites.json"
        file.write_bytes(msgspec.json.encode(site))
        plugs = [pile.connector_id for pile in plan.piles]
        known = [{"site_id": plan.site_id, "public_key": site_key, "connectors": plugs}]
        sites.write_bytes(msgspec.json.encode(known))
        more = ("--sites", str(sites))
        await self._start_operator("host", A, *more, hub=self.hub_url, port=self.ports.a, data=file)
        await self._until_answers(f"{self.a_url}/local/connectors", b'"published":true')

    async def readiness(self) -> Readiness:
        """What the hub says of itself."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return msgspec.json.decode((await http.get(f"{self.hub_url}/readyz")).content, type=Readiness)

    async def _start_operator(
        self, kind: str, party_id: str, *more: str, hub: str, port: int, data: Path
    ) -> None:
        await self._start_module(
            f"{party_id}-{kind}",
            f"operator_sdk.examples.{kind}",
            *("--party-id", party_id, "--key", str(self.key_files[party_id])),
            *("--hub", hub, "--listen", f"127.0.0.1:{port}"),
            *("--database", str(self.options.folder / f"{kind}.db"), "--data", str(data)),
            *("--hub-issuer", hub, "--public-url", _url(port)),
            *more,
        )

    async def _start_module(self, name: str, module: str, *arguments: str) -> None:
        await self.processes.start(name, [sys.executable, "-m", module, *arguments])

    async def _until_answers(self, url: str, containing: bytes = b"") -> None:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers() -> bool | None:
                self.processes.check()
                with contextlib.suppress(httpx.TransportError):
                    answer = await http.get(url)
                    return True if answer.status_code == 200 and containing in answer.content else None
                return None

            await until(answers, within_s=READY_S, missing=f"{url} was not ready")


@contextlib.asynccontextmanager
async def network(options: Options, addresses: Addresses, wall: datetime) -> AsyncIterator[Network]:
    """A network whose business clock begins now; every process of it is ended at the end."""
    begun = city.business_epoch(wall, options.speed)
    ports = Ports(*_free_ports(6))
    processes = Processes(options.folder / "logs", _environment(options, addresses, ports, wall, begun))
    clock = Clock(epoch=wall, business_epoch=begun, speed=options.speed, environment=options.environment)
    made = Network(options, addresses, ports, processes, {party: new_key() for party in (A, B, PHONES)}, clock)
    for party, file in made.key_files.items():
        save_key(made.keys[party], file)
    try:
        yield made
    finally:
        await processes.stop()


def check_servers() -> None:
    """Whether the broker and Redis answer, one line for the one that does not.

    Raises:
        Trouble: which one.
    """
    for name, url, usual in (("RabbitMQ", BROKER_URL, 5672), ("Redis", REDIS_URL, 6379)):
        parts = urlsplit(url)
        where = parts.hostname or "127.0.0.1", parts.port or usual
        try:
            socket.create_connection(where, timeout=3).close()
        except OSError as problem:
            raise Trouble(f"{name} does not answer at {where[0]}:{where[1]}") from problem


def _environment(
    options: Options, addresses: Addresses, ports: Ports, wall: datetime, begun: datetime
) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_FOR_CHILDREN)}
    ours = {
        "PYTHONUNBUFFERED": "1",
        "INTERPILE_ENV": options.environment,
        "INTERPILE_EPOCH": wall.isoformat(),
        "INTERPILE_EPOCH_BUSINESS": begun.isoformat(),
        "SPEED": str(options.speed),
        "DATABASE_URL": addresses.database_url,
        "INTERPILE_PUBLIC_URL": _url(ports.hub),
        "INTERPILE_PARTY_ID": HUB,
        "INTERPILE_PARTY_NAME": NAMES[HUB],
        "INTERPILE_SECRET_FILE": str(options.folder / "secrets.json"),
        "INTERPILE_CODE_FILE": str(options.folder / "codes.jsonl"),
        "INTERPILE_STATUS_LIFE_S": str(STATUS_LIFE_S),
        "BFF_HUB_URL": _url(ports.hub),
        "BFF_PARTY_ID": PHONES,
        "BFF_KEY_FILE": str(options.folder / f"{PHONES}.key.json"),
    }
    if addresses.migration_url is not None:
        ours["DATABASE_MIGRATION_URL"] = addresses.migration_url
    if options.production:
        ours |= {"BROKER_URL": BROKER_URL, "REDIS_URL": REDIS_URL, "INTERPILE_QUEUE": QUEUE}
    return kept | ours


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        bound = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
