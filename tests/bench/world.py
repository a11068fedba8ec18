"""The world that is measured: a database of its own, operators with keys, stations, tariffs, addresses."""

import asyncio
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import asyncpg
import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.engine import make_url

from hub.core.secrets import make_secrets, read_secrets
from hub.migrations.run import migrate
from hub.settings import Settings
from hub.wiring import open_hub
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import AgreementAdd, PartyAdd
from operator_sdk.contract.messages.directory import (
    Connector,
    Pile,
    StationPut,
    Tariff,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.signing import SigningKey

ROOT = Path(__file__).resolve().parents[2]
SERVER = os.environ.get("INTERPILE_TEST_DATABASE_URL", "postgresql://127.0.0.1:5432/postgres")
DATABASE = f"interpile_bench_{os.getpid()}"
# So many connectors that one is seldom asked about twice within a second: a hub that remembers a connector for
# that long must not be measured on a handful of them.
HOSTS, HOMES, CONNECTORS = 4, 4, 500
HOLD_FEN = 5_000
LIMIT_FEN = 1_000_000_000_000
LATITUDE_E6, LONGITUDE_E6 = 22_200_000, 113_700_000
"""The corner of the square in which stations are."""

TARIFF_ID, TARIFF_FROM = "day", datetime(2026, 1, 1, tzinfo=UTC)
PERIODS = [
    TariffPeriod(start_minute=start, end_minute=end, electricity_micro=electricity, service_micro=500_000)
    for start, end, electricity in ((0, 480, 300_000), (480, 1080, 800_000), (1080, 1440, 1_200_000))
]


class Operator(msgspec.Struct, frozen=True):
    """An operator and its key; `base_url` and `prefix` where it is a home."""

    party_id: str
    key_id: str
    seed: bytes
    base_url: str = ""
    prefix: str = ""

    @property
    def key_file(self) -> str:
        """What the file with its key is called, where a process wants one."""
        return f"{self.party_id}.key.json"

    def key(self) -> SigningKey:
        """The private key, ready to sign."""
        return SigningKey(self.key_id, Ed25519PrivateKey.from_private_bytes(self.seed))


class World(msgspec.Struct, frozen=True):
    """Everything the processes of a run must agree on; handed to them as a file."""

    environment: dict[str, str]
    hub_url: str
    forwarder_url: str
    home_url: str
    bff_url: str
    core_url: str
    platform_url: str
    gateway_url: str
    tcec_partner_url: str
    tcec_bare_url: str
    hub: Operator
    forwarder: Operator
    platform: Operator
    app: Operator
    hosts: list[Operator]
    homes: list[Operator]

    def connectors(self) -> list[str]:
        """Every host has these."""
        return [f"P{number:03d}S1" for number in range(CONNECTORS)]

    def tariff(self, host: Operator) -> Tariff:
        """A host's tariff, as the hub knows it."""
        return Tariff(
            party_id=host.party_id, tariff_id=TARIFF_ID, version=1, valid_from=TARIFF_FROM, periods=PERIODS
        )

    def save(self, path: Path) -> None:
        """Write it for the other processes."""
        path.touch(0o600)
        path.write_bytes(msgspec.json.encode(self))

    @staticmethod
    def load(path: str) -> "World":
        """Read it."""
        return msgspec.json.decode(Path(path).read_bytes(), type=World)


_HELD: dict[str, socket.socket] = {}


def free_urls(count: int) -> list[str]:
    """Addresses that nobody listens on, nor will until they are `let_go`: some are used minutes later."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    urls = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    _HELD.update(zip(urls, sockets, strict=True))
    return urls


def let_go(url: str) -> None:
    """Somebody is about to listen there."""
    held = _HELD.pop(url, None)
    if held is not None:
        held.close()


def make_world(folder: Path) -> World:
    """Choose addresses and keys; nothing runs yet."""
    hub_url, forwarder_url, home_url, bff_url, core_url, platform_url, gateway_url = free_urls(7)
    tcec_partner_url, tcec_bare_url = free_urls(2)
    secret_file = folder / "secrets.json"
    make_secrets(secret_file)
    signer = read_secrets(secret_file).signer
    environment = {
        "INTERPILE_ENV": "test",
        "INTERPILE_PUBLIC_URL": hub_url,
        "INTERPILE_SECRET_FILE": str(secret_file),
        "INTERPILE_RATE_PER_S": "1000000",
        "INTERPILE_CONCURRENT_MOST": "100000",
        "DATABASE_URL": make_url(SERVER).set(database=DATABASE).render_as_string(hide_password=False),
    }
    homes = [
        _operator(
            f"MA5HOME{number:02d}", base_url=f"{home_url}/MA5HOME{number:02d}", prefix=f"BENCH{number:02d}"
        )
        for number in range(HOMES)
    ]
    return World(
        environment=environment,
        hub_url=hub_url,
        forwarder_url=forwarder_url,
        home_url=home_url,
        bff_url=bff_url,
        core_url=core_url,
        platform_url=platform_url,
        gateway_url=gateway_url,
        tcec_partner_url=tcec_partner_url,
        tcec_bare_url=tcec_bare_url,
        hub=Operator("MA5HUB000", signer.key_id, signer.private.private_bytes_raw()),
        forwarder=_operator("forwarder"),
        platform=_operator("MA5PLATF0", base_url=platform_url),
        app=_operator("MA5PHONE0"),
        hosts=[_operator(f"MA5HOST{number:02d}") for number in range(HOSTS)],
        homes=homes,
    )


def _operator(party_id: str, *, base_url: str = "", prefix: str = "") -> Operator:
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    return Operator(party_id, f"{party_id}-key", seed, base_url, prefix)


def create_database(world: World) -> None:
    """A fresh database with all tables, and everybody in it."""
    asyncio.run(on_server(f"CREATE DATABASE {DATABASE}"))
    settings = Settings.from_env(world.environment)
    migrate(settings)
    asyncio.run(_populate(world, settings))


async def _populate(world: World, settings: Settings) -> None:
    actor = "bench"
    async with open_hub(settings, warn=False) as hub:
        for operator in [*world.hosts, *world.homes]:
            add = PartyAdd(
                party_id=operator.party_id,
                name=operator.party_id,
                roles=[Role.HOME if operator.prefix else Role.HOST],
                protocol="native",
                base_url=operator.base_url or f"{world.home_url}/{operator.party_id}",
                token_prefixes=[operator.prefix] if operator.prefix else [],
                deposit_fen=LIMIT_FEN,
                exposure_limit_fen=LIMIT_FEN,
            )
            await hub.parties.add_party(add, actor)
            key = KeyAdd(key_id=operator.key_id, public_key=operator.key().public_b64url())
            await hub.parties.add_key(operator.party_id, key, actor, alone=True)
        for host in world.hosts:
            await _furnish(world, hub, host)
            for home in world.homes:
                agreement = AgreementAdd(
                    home_party_id=home.party_id, host_party_id=host.party_id, hold_fen=HOLD_FEN
                )
                await hub.parties.add_agreement(agreement, actor)


async def _furnish(world: World, hub: Any, host: Operator) -> None:
    piles = [
        Pile(
            pile_id=plug.removesuffix("S1"),
            kind="dc",
            rated_power_w=60_000,
            connectors=[Connector(connector_id=plug)],
        )
        for plug in world.connectors()
    ]
    begins = max(TARIFF_FROM, datetime.now(UTC) - timedelta(days=3650))
    tariff = TariffPut(valid_from=begins, periods=PERIODS)
    await hub.directory.put_tariff(host.party_id, TARIFF_ID, 1, tariff)
    station = StationPut(
        name="Bench", latitude_e6=22_540_000, longitude_e6=114_050_000, tariff_id=TARIFF_ID, piles=piles
    )
    await hub.directory.put_station(host.party_id, f"ST-{host.party_id}", station)


def drop_database() -> None:
    """Leave nothing behind."""
    asyncio.run(on_server(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))


async def on_server(statement: str) -> None:
    """One statement on the server itself."""
    connection = await asyncpg.connect(SERVER, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class Watch:
    """A connection of the bench's own to the run's database."""

    def __init__(self, world: World) -> None:
        self._connection = psycopg.connect(world.environment["DATABASE_URL"], autocommit=True)

    def column(self, query: LiteralString) -> list[Any]:
        """The first column of a query."""
        return [row[0] for row in self._connection.execute(query).fetchall()]

    def backends(self) -> list[int]:
        """The processes that serve everybody else's connections to this database."""
        return self.column(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
