"""Who takes part in the stages of piles and phones: two operators with sites, drivers, the phones' service."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from hub.core.tokens import Principal
from hub.settings import Settings
from hub.wiring import Hub, open_hub
from operator_sdk.contract.codes import Role, SessionState, TokenKind
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import AgreementAdd, CustomerAdd, PartyAdd, TopUp
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import Connector, Pile, StationPut, TariffPut
from operator_sdk.contract.messages.roaming import AuthorizeRequest, SessionUpdate
from operator_sdk.contract.messages.sites import SiteAdd
from tests.bench.world import (
    HOLD_FEN,
    LATITUDE_E6,
    LIMIT_FEN,
    LONGITUDE_E6,
    PERIODS,
    TARIFF_ID,
    Operator,
    World,
)

PILES = 14
DRIVEN, HOSTED = "MA5DRIVEN", "MA5HOSTED"
"""The hosted home of the drivers, and the hosted host whose site the hub's own gateway serves."""

CARDS, SITE_AT_HUB, STATION_AT_HUB = "DRVN", "bench-at-hub", "ST-HUB"
TOKEN_LIFE = timedelta(minutes=30)
ACTOR = "bench"


@dataclass(frozen=True, slots=True)
class Driver:
    """A customer of the hosted home, with a card, signed in."""

    customer_id: str
    card: str
    token: str


def furnish(world: World) -> list[Driver]:
    """Put them into the database; a driver for each pile."""
    return asyncio.run(_furnish(world))


async def _furnish(world: World) -> list[Driver]:
    async with open_hub(Settings.from_env(world.environment), warn=False) as hub:
        add = hub.parties.add_party
        await add(_party(DRIVEN, Role.HOME, "hosted", token_prefixes=[CARDS]), ACTOR)
        await add(_party(HOSTED, Role.HOST, "hosted"), ACTOR)
        platform, app = world.platform, world.app
        await add(_party(platform.party_id, Role.HOST, "native", base_url=platform.base_url), ACTOR)
        await add(_party(app.party_id, Role.APP, "app"), ACTOR)
        for operator in (platform, app):
            key = KeyAdd(key_id=operator.key_id, public_key=operator.key().public_b64url())
            await hub.parties.add_key(operator.party_id, key, ACTOR, alone=True)
        for host in (platform.party_id, HOSTED):
            terms = AgreementAdd(home_party_id=DRIVEN, host_party_id=host, hold_fen=HOLD_FEN)
            await hub.parties.add_agreement(terms, ACTOR)
        await hub.directory.put_tariff(HOSTED, TARIFF_ID, 1, prices())
        station = StationPut(
            name="Bench", latitude_e6=22_540_000, longitude_e6=114_050_000, tariff_id=TARIFF_ID, piles=at_hub()
        )
        await hub.directory.put_station(HOSTED, STATION_AT_HUB, station)
        return [await _driver(hub, number) for number in range(PILES)]


def _party(party_id: str, role: Role, protocol: str, **more: Any) -> PartyAdd:
    if role is Role.HOME:
        more |= {"deposit_fen": LIMIT_FEN, "exposure_limit_fen": LIMIT_FEN}
    return PartyAdd(party_id=party_id, name=party_id, roles=[role], protocol=protocol, **more)


def prices() -> TariffPut:
    """The world's prices, in force for a month."""
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    return TariffPut(valid_from=begun, periods=PERIODS)


def at_hub() -> list[Pile]:
    """The piles of the site that the hub's own gateway serves."""
    plugs = [f"H{number:02d}" for number in range(PILES)]
    return [
        Pile(pile_id=f"P{plug}", kind="ac", rated_power_w=7_000, connectors=[Connector(connector_id=plug)])
        for plug in plugs
    ]


async def _driver(hub: Hub, number: int) -> Driver:
    card = f"{CARDS}{number:04d}"
    phone = f"139{number:08d}"
    added = await hub.accounts.add_customer(
        CustomerAdd(home_party_id=DRIVEN, customer_ref=card, phone=phone, name=f"Driver {number}")
    )
    customer_id = added.customer_id
    await hub.accounts.add_token(customer_id, Token(kind=TokenKind.CARD, ref=card))
    await hub.accounts.top_up(customer_id, TopUp(top_up_ref=f"top-{number}", amount_fen=100_000_000))
    token = hub.tokens.issue(Principal("driver", DRIVEN, customer_id), TOKEN_LIFE)
    return Driver(customer_id, card, token)


def let_site_in(world: World, public_key: str) -> None:
    """The hosted host's site may connect to the hub."""

    async def add() -> None:
        async with open_hub(Settings.from_env(world.environment), warn=False) as hub:
            site = SiteAdd(
                site_id=SITE_AT_HUB,
                host_party_id=HOSTED,
                station_id=STATION_AT_HUB,
                public_key=public_key,
            )
            await hub.sites.registry.add(site, ACTOR, alone=True)

    asyncio.run(add())


def authorize_at_hub(world: World, drivers: Sequence[Driver], count: int) -> list[tuple[str, str]]:
    """So many sessions at the hosted host's piles in turn, authorized by card: (session, connector)."""

    async def ask() -> list[tuple[str, str]]:
        made = []
        async with open_hub(Settings.from_env(world.environment), warn=False) as hub:
            plugs = [pile.connectors[0].connector_id for pile in at_hub()]
            for number in range(count):
                plug, card = plugs[number % len(plugs)], drivers[number % len(drivers)].card
                made.append((await _authorized(hub, HOSTED, plug, card), plug))
        return made

    return asyncio.run(ask())


async def _authorized(hub: Hub, host_party_id: str, connector_id: str, card: str) -> str:
    token = Token(kind=TokenKind.CARD, ref=card)
    ref = f"bench-{secrets.token_hex(8)}"
    request = AuthorizeRequest(authorization_ref=ref, token=token, connector_id=connector_id)
    granted = await hub.roaming.authorizing.authorize(host_party_id, request)
    assert granted.session_id is not None, granted.refusal
    return granted.session_id


def sessions_to_follow(world: World, count: int) -> list[tuple[str, str]]:
    """(session, token) of so many drivers of the first stub home, each with a charge that has one update.

    The stub grants every card and names its driver after it.
    """

    async def make() -> list[tuple[str, str]]:
        home, host, plugs = world.homes[0], world.hosts[0], world.connectors()
        run, found = secrets.token_hex(3), []
        async with open_hub(Settings.from_env(world.environment), warn=False) as hub:
            for number in range(count):
                card = f"{home.prefix}{run}{number:06d}"
                session_id = await _authorized(hub, host.party_id, plugs[number % len(plugs)], card)
                await hub.roaming.following.push(host.party_id, session_id, _first_update())
                found.append((session_id, _token(hub, home, f"driver-{card}")))
        return found

    return asyncio.run(make())


def _token(hub: Hub, home: Operator, subject: str) -> str:
    return hub.tokens.issue(Principal("driver", home.party_id, subject), TOKEN_LIFE)


def _first_update() -> SessionUpdate:
    return SessionUpdate(
        number=1,
        at=datetime.now(UTC).replace(microsecond=0),
        state=SessionState.CHARGING,
        meter_wh=1_000_000,
        energy_wh=0,
        amount_fen=0,
        power_w=7_000,
    )


def import_stations(world: World, count: int) -> None:
    """So many stations of one host, over a square of 80 km, by the hub's own importer."""

    async def run(data: bytes) -> None:
        async with open_hub(Settings.from_env(world.environment), warn=False) as hub:
            await hub.importer.run_bytes(
                data,
                party_id=world.hosts[0].party_id,
                profile="interpile",
                datum="gcj-02",
                tariff_id=TARIFF_ID,
                actor=ACTOR,
            )

    # PostgreSQL looks by itself within a minute how large a table has become; nobody waits for that here.
    for part in (count // 50, count):
        asyncio.run(run(stations_file(part)))
        with psycopg.connect(world.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("ANALYZE")


SPREAD_E6 = 720_000
DISTRICTS = ("福田", "南山", "罗湖", "宝安", "龙岗", "龙华", "光明", "坪山", "盐田", "大鹏")


def stations_file(count: int) -> bytes:
    """Two plugs each, at places that follow from the number."""
    head = "station_id,name,address,latitude,longitude,tariff_id,pile_id,kind,power_kw,connector_ids"
    lines = [head]
    for number in range(count):
        latitude_e6 = LATITUDE_E6 + number * 7_919_003 % SPREAD_E6
        longitude_e6 = LONGITUDE_E6 + number * 6_007_019 % SPREAD_E6
        district = DISTRICTS[number % len(DISTRICTS)]
        kind, kw = ("dc", 120) if number % 3 else ("ac", 7)
        lines.append(
            f"N{number},{district}{number}号充电站,深圳市{district}区第{number}路,{_degrees(latitude_e6)},"
            f"{_degrees(longitude_e6)},{TARIFF_ID},P{number},{kind},{kw},N{number}A;N{number}B"
        )
    return "\n".join(lines).encode()


def _degrees(e6: int) -> str:
    return f"{e6 // 1_000_000}.{e6 % 1_000_000:06d}"
