"""The nine roads with everybody in a process of their own: the hub with its jobs, operators, partners, sites.

A and B are native and run the SDK's examples, A with a site of its own. C is a hosted home with phones,
E a hosted host whose site's agent reports to the hub. HOST and HOME are simulated T/CEC 102 platforms. What was
agreed before is written by services of this process, which serve nobody and do no jobs: from then on whatever
happens, happens in the other processes and over their ports. A minute of business time is twelve seconds.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from edge_agent.drivers.probe import probe
from hub.settings import Settings
from hub.wiring import Hub, open_hub
from operator_sdk import AsyncHubClient, OperatorCredentials, SigningKey
from operator_sdk.client.trust import authorities
from operator_sdk.contract.codes import ConnectorState, Role
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import AgreementAdd, CustomerAdd, PartyAdd, TopUp
from operator_sdk.contract.messages.directory import StationPut, TariffPut
from operator_sdk.contract.messages.sites import SiteAdd
from operator_sdk.contract.signing import public_to_b64url
from operator_sdk.errors import ApiError
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.phone import Phone
from operator_sdk.examples.demo.processes import Processes
from operator_sdk.examples.demo.sites import Bus, Gateway, PilePlan, Site, SitePlan, Sites
from operator_sdk.examples.home.store import Driver
from operator_sdk.examples.host import site as published
from operator_sdk.examples.host.described import described_pile, public_station
from operator_sdk.keys import new_key, save_key
from tests import databases
from tests.faults.processes import INTERPILE, Child, Fleet, free_port
from tests.rig import EXPOSURE_FEN, HOLD_FEN, HUB, A, B, C
from tests.roads_world import HOME, HOST, NOON
from tests.site_world import E
from tests.tcec_partner import Pair, Simulator, keys_of, simulator

TURNS = (1, 2, 3)
"""A home has a driver for each host, and a host a connector for each home."""

WALLET_FEN = 20_000
SPEED, PILE_W = 5, 7_000
"""A bill may come before the last update, and is then held against what the meter said half a second earlier:
this slow and this weak, that is less than the 10 Wh which the hub lets pass.
"""
READY_S, UPDATE_EVERY_S = 20, 5
STATUS_LIFE_S = 86_400
"""Three minutes, as usual, would be 36 seconds here."""

PROFILE = """[push]
status_s = 5
[limits]
rate_per_s = 200
concurrent = 100
"""
OPTIONS = ("--connectors", "4", "--stations", "1", "--push-s", "1")
FREE = {ConnectorState.AVAILABLE, ConnectorState.OCCUPIED}


class Born(Processes):
    """What the demonstration's sites begin, as children of a test's fleet."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(fleet.folder, fleet.environment)
        self._fleet = fleet
        self._born: dict[str, Child] = {}

    async def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process that is to stay."""
        program, *words = command
        whole = (*INTERPILE, *words) if Path(program).name == "interpile" else command
        self._born[name] = self._fleet.start(name, *whole)

    def check(self) -> None:
        """All of them still run."""
        for child in self._born.values():
            assert child.alive, f"{child.name} ended: {child.said()[-800:]}"

    def log(self, name: str) -> Path:
        """What a process has printed."""
        return self._born[name].log


@dataclass(frozen=True)
class Plan:
    """Who listens where, with which keys."""

    folder: Path
    at: dict[str, str]
    keys: dict[str, SigningKey]
    pairs: dict[str, Pair]
    clock: dict[str, str]

    @property
    def code_file(self) -> Path:
        """Where drivers' one-time codes arrive."""
        return self.folder / "codes.jsonl"

    def environment(self, database_url: str) -> dict[str, str]:
        """Of the hub, and of every process but the simulators."""
        return {
            **self.clock,
            "DATABASE_URL": database_url,
            "INTERPILE_PUBLIC_URL": self.at[HUB],
            "INTERPILE_SECRET_FILE": str(self.folder / "secrets.json"),
            "INTERPILE_CODE_FILE": str(self.code_file),
            "INTERPILE_STATUS_LIFE_S": str(STATUS_LIFE_S),
            "BFF_SIGN_INS_PER_S": "20",
        }


@dataclass
class Network:
    """Everything up. `books` are services on the hub's database, to look at what is stored."""

    plan: Plan
    books: Hub
    fleet: Fleet
    hub: Child
    http: httpx.AsyncClient
    tcec_host: Simulator
    tcec_home: Simulator
    site_of_e: Site
    phones: dict[int, Phone]

    def log_is_clean(self) -> None:
        """The hub has printed no error."""
        said = self.hub.said()
        assert '"level": "ERROR"' not in said, said[-3000:]
        assert "Traceback" not in said, said[-3000:]

    async def ledger_verifies(self) -> None:
        """`interpile ledger verify` finds nothing."""
        child = self.fleet.start("verify", *INTERPILE, "ledger", "verify", "--json")
        assert await child.ended(READY_S) == 0, child.said()


def plugs_of(party_id: str) -> list[str]:
    """A1, A2, A3 of A, and so on."""
    return [f"{party_id[3]}{turn}" for turn in TURNS]


@asynccontextmanager
async def open_network(folder: Path) -> AsyncIterator[Network]:
    """Everything up: sites connected, stations known on all sides, drivers signed in on their phones."""
    plan = _plan(folder)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh_url("postgresql"))
        environment = plan.environment(url)
        books = await stack.enter_async_context(open_hub(Settings.from_env(environment)))
        fleet = stack.enter_context(Fleet(folder, environment))
        sites = Sites(Born(fleet), folder)
        site_keys = {party_id: sites.plan_key(_site_id(party_id)) for party_id in (A, E)}
        await _agree(books, plan)
        await _describe(books, site_keys[E])
        # The partners first: the hub leaves a host alone for a while that does not answer its first question.
        up = (stack.enter_async_context(_partner(plan, party_id)) for party_id in plan.pairs)
        tcec_host, tcec_home = await asyncio.gather(*up)
        hub = fleet.serve(plan.at[HUB])
        await _start_operators(fleet, plan, site_keys[A])
        site_of_e = await _build_sites(sites, plan, public_to_b64url(books.secrets.signer.private.public_key()))
        await hub.answers(plan.at[HUB])
        await _all_is_known(plan, tcec_home)
        http = await stack.enter_async_context(
            httpx.AsyncClient(timeout=15, trust_env=False, verify=authorities())
        )
        phone = Phone(http, f"{plan.at[HUB]}/graphql")
        phones = {turn: await phone.by_code(C, _number(turn), plan.code_file) for turn in TURNS}
        yield Network(plan, books, fleet, hub, http, tcec_host, tcec_home, site_of_e, phones)


def _plan(folder: Path) -> Plan:
    keys = {party_id: new_key() for party_id in (A, B)}
    for party_id, key in keys.items():
        save_key(key, folder / f"{party_id}.jwk")
    pairs = {
        one: Pair(one, HUB, keys_of(f"issued by {one}"), keys_of(f"issued to {one}")) for one in (HOST, HOME)
    }
    clock = {
        "SPEED": str(SPEED),
        "INTERPILE_EPOCH": datetime.now(UTC).isoformat(),
        "INTERPILE_EPOCH_BUSINESS": NOON.isoformat(),
        "INTERPILE_ENV": "test",
    }
    at = {party_id: f"http://127.0.0.1:{free_port()}" for party_id in (HUB, A, B, HOST, HOME)}
    return Plan(folder, at, keys, pairs, clock)


def _site_id(party_id: str) -> str:
    return f"site-{party_id[3].lower()}"


def _role(partner: str) -> str:
    return "host" if partner == HOST else "home"


def _number(turn: int) -> str:
    return f"1380000111{turn}"


# What is agreed beforehand.


async def _agree(books: Hub, plan: Plan) -> None:
    """Parties, their keys and profiles, agreements of all homes with all hosts, and C's drivers."""
    for party_id, role in ((A, Role.HOST), (B, Role.HOME), (C, Role.HOME), (E, Role.HOST)):
        key, base_url = plan.keys.get(party_id), plan.at.get(party_id)
        add = PartyAdd(
            party_id=party_id,
            name=f"Operator {party_id}",
            roles=[role],
            protocol="native" if key else "hosted",
            base_url=base_url,
            deposit_fen=EXPOSURE_FEN,
            exposure_limit_fen=EXPOSURE_FEN,
        )
        await books.parties.add_party(add, actor="test")
        if key is not None:
            told = KeyAdd(key_id=key.key_id, public_key=key.public_b64url())
            await books.parties.add_key(party_id, told, actor="test", alone=True)
    for party_id, pair in plan.pairs.items():
        text = pair.hub_profile(plan.at[party_id], roles=[_role(party_id)], more=PROFILE)
        await books.tcec102.profiles.add(text, "test", deposit_fen=EXPOSURE_FEN, limit_fen=EXPOSURE_FEN)
    for home in (B, C, HOME):
        for host in (A, E, HOST):
            terms = AgreementAdd(home_party_id=home, host_party_id=host, hold_fen=HOLD_FEN)
            await books.parties.add_agreement(terms, actor="test")
    for turn in TURNS:
        driver = CustomerAdd(home_party_id=C, customer_ref=f"c-{turn}", phone=_number(turn), name=f"C {turn}")
        customer = await books.accounts.add_customer(driver)
        top_up = TopUp(top_up_ref=f"top-{turn}", amount_fen=WALLET_FEN)
        await books.accounts.top_up(customer.customer_id, top_up)


async def _describe(books: Hub, site_key: str) -> None:
    """What E has; A says by itself what it has."""
    (tariff,), (station,) = _published(E).tariffs, _published(E).stations
    price = msgspec.convert(tariff, TariffPut, from_attributes=True)
    await books.directory.put_tariff(E, tariff.tariff_id, tariff.version, price)
    put = msgspec.convert(station, StationPut, from_attributes=True)
    await books.directory.put_station(E, station.station_id, put)
    site = SiteAdd(site_id=_site_id(E), host_party_id=E, station_id=station.station_id, public_key=site_key)
    await books.sites.registry.add(site, actor="test", alone=True)


def _published(party_id: str) -> published.Site:
    """A station with three piles, all that a T/CEC 102 home wants to know of it, and the example's tariff."""
    tariffs = published.small_site().tariffs
    station = published.SiteStation(
        station_id=f"S-{party_id[3]}",
        name=f"Station of {party_id}",
        address="深南大道1号",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id=tariffs[0].tariff_id,
        piles=[described_pile(plug, "ac", PILE_W) for plug in plugs_of(party_id)],
        details=public_station(),
    )
    return published.Site(tariffs=tariffs, stations=[station])


# The processes.


@contextlib.asynccontextmanager
async def _partner(plan: Plan, party_id: str) -> AsyncIterator[Simulator]:
    async with simulator(
        plan.folder,
        plan.pairs[party_id],
        plan.at[HUB],
        role=_role(party_id),
        port=int(plan.at[party_id].rpartition(":")[2]),
        options=OPTIONS,
        environment=plan.clock,
    ) as partner:
        yield partner


async def _start_operators(fleet: Fleet, plan: Plan, site_key: str) -> None:
    """A and B."""
    agents = [{"site_id": _site_id(A), "public_key": site_key, "connectors": plugs_of(A)}]
    drivers = [Driver(driver_id=f"B-{turn}", name=f"B {turn}", balance_fen=WALLET_FEN) for turn in TURNS]
    given = {"host.json": _published(A), "agents.json": agents, "home.json": drivers}
    for name, message in given.items():
        (plan.folder / name).write_bytes(msgspec.json.encode(message))
    host = _operator(fleet, plan, A, "host", "--sites", str(plan.folder / "agents.json"))
    home = _operator(fleet, plan, B, "home")
    await host.answers(plan.at[A], "/local/connectors")
    await home.answers(plan.at[B], "/app/drivers")


def _operator(fleet: Fleet, plan: Plan, party_id: str, kind: str, *more: str) -> Child:
    url, file = plan.at[party_id], plan.folder / kind
    return fleet.start(
        kind,
        *(sys.executable, "-m", f"operator_sdk.examples.{kind}"),
        *("--party-id", party_id, "--key", str(plan.folder / f"{party_id}.jwk")),
        *("--hub", plan.at[HUB], "--listen", url.removeprefix("http://"), "--public-url", url),
        *("--database", str(file.with_suffix(".db")), "--data", str(file.with_suffix(".json"))),
        *more,
    )


async def _build_sites(sites: Sites, plan: Plan, hub_key: str) -> Site:
    """A's site, which reports to A, and E's, which reports to the hub: each its piles and its agent."""
    found = await probe()
    bus = Bus(found.interface, (found.zh, found.en))
    gateways = {
        A: Gateway(f"{plan.at[A].replace('http', 'ws')}/edge", A, plan.keys[A].public_b64url()),
        E: Gateway(f"{plan.at[HUB].replace('http', 'ws')}/v1/edge", HUB, hub_key),
    }
    building = []
    for party_id, gateway in gateways.items():
        piles = tuple(PilePlan(plug, "ac", PILE_W) for plug in plugs_of(party_id))
        site = SitePlan(_site_id(party_id), party_id, piles)
        building.append(sites.build(site, gateway, bus, update_every_s=UPDATE_EVERY_S))
    _, of_e = await asyncio.gather(*building)
    return of_e


async def _all_is_known(plan: Plan, tcec_home: Simulator) -> None:
    """The connectors of A and E are free, and the T/CEC 102 home knows the stations of all three hosts."""
    who = OperatorCredentials(B, plan.keys[B])
    async with AsyncHubClient(plan.at[HUB], who) as client:
        for party_id, plugs in ((A, plugs_of(A)), (E, plugs_of(E))):
            for plug in plugs:

                async def is_free(connector: str = connector_ref(party_id, plug)) -> bool | None:
                    with contextlib.suppress(ApiError):
                        return (await client.get_connector(connector)).state in FREE or None
                    return None

                await until(is_free, within_s=READY_S, missing=f"{plug} of {party_id} was not free")

    async def has_all() -> bool | None:
        return (await tcec_home.post("sync"))["stations"] == 3 or None

    await until(has_all, within_s=READY_S, missing="the T/CEC 102 home does not know all stations")
