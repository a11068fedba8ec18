"""Puts the T/CEC 102 host with its stations, the home and their agreement into the run's database."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from hub.directory.model import change_of
from hub.directory.tables import write_changes
from hub.settings import Settings
from hub.wiring import Hub, open_hub
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    StationDetails,
    StationPut,
    TariffPut,
)
from operator_sdk.contract.station_details import (
    ConnectorType,
    Construction,
    NationalStandard,
    StationStatus,
    StationType,
)
from tests.bench.tcec_world import TCEC_HOME, TCEC_HOST, connector_id, profile_text, station_sizes
from tests.bench.world import HOLD_FEN, LATITUDE_E6, LIMIT_FEN, LONGITUDE_E6, PERIODS, TARIFF_ID, World

ACTOR, AT_ONCE = "bench", 100
SPREAD_E6 = 720_000
OF_STATION = StationDetails(
    country_code="CN",
    area_code="440304",
    operator_phone="4008000000",
    station_type=StationType.PUBLIC,
    status=StationStatus.IN_SERVICE,
    construction=Construction.CAR_PARK,
    park_spaces=20,
    business_hours="00:00-24:00",
    payment="线上",
)
OF_CONNECTOR = ConnectorDetails(
    name="A",
    connector_type=ConnectorType.DC_GUN,
    voltage_lower_v=200,
    voltage_upper_v=750,
    current_a=250,
    national_standard=NationalStandard.GB_2015,
)


def furnish_tcec(world: World) -> None:
    """Everything that the stage needs to be known."""
    asyncio.run(_furnish(world))
    # PostgreSQL looks by itself within a minute how large a table has become; nobody waits for that here.
    with psycopg.connect(world.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("ANALYZE")


async def _furnish(world: World) -> None:
    async with open_hub(Settings.from_env(world.environment), warn=False) as hub:
        for party_id, most_fen in ((TCEC_HOST, 0), (TCEC_HOME, LIMIT_FEN)):
            text = profile_text(world, party_id)
            await hub.tcec102.profiles.add(text, ACTOR, deposit_fen=most_fen, limit_fen=most_fen)
        terms = AgreementAdd(home_party_id=TCEC_HOME, host_party_id=TCEC_HOST, hold_fen=HOLD_FEN)
        await hub.parties.add_agreement(terms, ACTOR)
        begun = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
        put = TariffPut(valid_from=begun, periods=PERIODS)
        await hub.directory.put_tariff(TCEC_HOST, TARIFF_ID, 1, put)
        await _put_stations(hub)


async def _put_stations(hub: Hub) -> None:
    """Many at once: one by one they would take minutes."""
    sizes = list(enumerate(station_sizes()))
    for first in range(0, len(sizes), AT_ONCE):
        changes = {
            f"S{number:05d}": change_of(None, _station(number, size), whole=True)
            for number, size in sizes[first : first + AT_ONCE]
        }
        async with hub.database.unit() as unit:
            await write_changes(unit, TCEC_HOST, changes, now=hub.clock.business())


def _station(number: int, size: int) -> StationPut:
    """A dc pile for each connector."""
    piles = [
        Pile(
            pile_id=f"P{connector_id(number, plug)}",
            kind="dc",
            rated_power_w=120_000,
            connectors=[Connector(connector_id=connector_id(number, plug), details=OF_CONNECTOR)],
        )
        for plug in range(size)
    ]
    return StationPut(
        name=f"福田{number}号充电站",
        address=f"深圳市福田区第{number}路",
        latitude_e6=LATITUDE_E6 + number * 7_919_003 % SPREAD_E6,
        longitude_e6=LONGITUDE_E6 + number * 6_007_019 % SPREAD_E6,
        tariff_id=TARIFF_ID,
        piles=piles,
        details=OF_STATION,
    )
