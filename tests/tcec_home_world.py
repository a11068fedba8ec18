"""What the tests of T/CEC 102 homes share: profiles, and stations that such a home can be told of."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    Station,
    StationDetails,
    StationPut,
)
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import DatedKeys, Profile, Secrets, Stations

HOST, HOME = "MA5AAAAA1", "MA5TCEC02"
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)

STATION_SAID = StationDetails(
    country_code="CN",
    area_code="440305",
    operator_phone="0755-1234567",
    station_type="public",
    status="in_service",
    construction="car_park",
    park_spaces=12,
    business_hours="00:00-24:00",
)
CONNECTOR_SAID = ConnectorDetails(
    connector_type="dc_gun",
    voltage_lower_v=200,
    voltage_upper_v=750,
    current_a=250,
    national_standard="gb_2015",
)


def profile(url: str = "http://partner.test", *, party_id: str = HOME, **other: Any) -> Profile:
    """A home's profile."""
    return Profile(operator_id=party_id, name="Home", roles=["home"], base_url=url, **other)


def renamed(**stations: Any) -> Stations:
    """The part of a profile about stations."""
    return Stations(**stations)


def secrets() -> Secrets:
    """One key set each way."""
    sets = [
        DatedKeys(
            id=name,
            keys=KeySet(
                operator_secret=letter * 16,
                data_secret=letter * 16,
                data_secret_iv=letter * 16,
                sig_secret=letter * 16,
            ),
        )
        for name, letter in (("theirs", "t"), ("ours", "o"))
    ]
    return Secrets(theirs=[sets[0]], ours=[sets[1]])


def piles(*plugs: str, pile_id: str = "P1", said: ConnectorDetails | None = CONNECTOR_SAID) -> list[Pile]:
    """One 120 kW pile with these connectors."""
    connectors = [Connector(connector_id=name, details=said) for name in plugs]
    return [
        Pile(pile_id=pile_id, kind="dc", rated_power_w=120_000, connectors=connectors, details=PileDetails())
    ]


def station(**changes: Any) -> Station:
    """A station with everything that the standard requires."""
    said = Station(
        party_id=HOST,
        station_id="S1",
        name="一站",
        address="深南大道1号",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id="t",
        piles=piles("A1", "A2"),
        updated_at=NOON,
        details=STATION_SAID,
    )
    return msgspec.structs.replace(said, **changes)


def described(**changes: Any) -> StationPut:
    """The same as a host describes it."""
    said = StationPut(
        name="一站",
        address="深南大道1号",
        latitude_e6=22_540_000,
        longitude_e6=114_050_000,
        tariff_id="t",
        piles=piles("A1", "A2"),
        details=STATION_SAID,
    )
    return msgspec.structs.replace(said, **changes)
