"""What a phone is shown of prices: bands, parking and idle fees, and what its driver's home has agreed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import replace

from operator_sdk.contract.codes import Band
from operator_sdk.contract.messages.directory import (
    Connector,
    Pile,
    StationPut,
    TariffAssignmentPut,
    TimeFee,
)
from tests.bff_rig import Bff, Phone, open_bff
from tests.rig import A, B, C, Rig, flat, open_rig

STATION = (
    "query($id: ID!) { station(id: $id) { priceNowMicro tariff { tariffId periods { band electricityMicro }"
    " parking { priceMicroPerHour freeMinutes cap } idle { priceMicroPerHour freeMinutes cap } } } }"
)
STATIONS = '{ stations(search: "一站", first: 5) { edges { node { priceNowMicro } } } }'


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as opened:
        yield opened


@pytest.fixture
async def bff(rig: Rig) -> AsyncIterator[Bff]:
    async with open_bff(rig.url) as opened:
        yield opened


async def shown(phone: Phone) -> dict[str, Any]:
    station = (await phone.data(STATION, id=f"S1.{A}"))["station"]
    (edge,) = (await phone.data(STATIONS))["stations"]["edges"]
    assert edge["node"]["priceNowMicro"] == station["priceNowMicro"]
    return dict(station)


async def test_each_kind_of_pile_has_its_tariff_and_the_station_the_lowest_price(rig: Rig, bff: Bff) -> None:
    document = (
        "query($id: ID!) { station(id: $id) { priceNowMicro tariff { tariffId }"
        " tariffs { kind kindText tariff { tariffId version } } } }"
    )
    slow = Pile(pile_id="P2", kind="ac", rated_power_w=7_000, connectors=[Connector(connector_id="A9")])
    station = await rig.hub.directory.get_station(A, "S1")
    put = convert(station, StationPut, from_attributes=True)
    await rig.hub.directory.put_station(A, "S1", replace(put, piles=[*put.piles, slow]))
    await rig.hub.directory.put_tariff(A, "slow", 1, flat(rig.hub, 600_000))
    assignment = TariffAssignmentPut(tariff_id="slow", valid_from=rig.hub.clock.business(), kind="ac")
    await rig.hub.directory.assign_tariff(A, assignment)
    shown = (await bff.phone(rig.token(B, "u-1")).data(document, id=f"S1.{A}"))["station"]
    assert shown == {
        "priceNowMicro": 1_100_000,
        "tariff": {"tariffId": "slow"},
        "tariffs": [
            {"kind": "AC", "kindText": "ac", "tariff": {"tariffId": "slow", "version": 1}},
            {"kind": "DC", "kindText": "dc", "tariff": {"tariffId": "t", "version": 1}},
        ],
    }


async def test_each_driver_sees_the_price_that_his_home_has_agreed(rig: Rig, bff: Bff) -> None:
    """Within the moment for which answers are remembered: what one was told is not what the other is."""
    plain = flat(rig.hub)
    agreed = replace(
        plain,
        periods=[replace(plain.periods[0], electricity_micro=600_000, band=Band.VALLEY)],
        parking=TimeFee(price_micro_per_hour=5_000_000, free_minutes=30, cap_fen=2_000),
        idle=TimeFee(price_micro_per_hour=30_000_000),
    )
    await rig.hub.directory.put_tariff(A, "for-b", 1, agreed)
    put = TariffAssignmentPut(tariff_id="for-b", valid_from=rig.hub.clock.business(), home_party_id=B)
    await rig.hub.directory.assign_tariff(A, put)
    of_b, of_c = bff.phone(rig.token(B, "u-1")), bff.phone(rig.token(C, rig.customer.customer_id))
    for _ in range(2):
        assert await shown(of_b) == {
            "priceNowMicro": 1_100_000,
            "tariff": {
                "tariffId": "for-b",
                "periods": [{"band": "VALLEY", "electricityMicro": 600_000}],
                "parking": {"priceMicroPerHour": 5_000_000, "freeMinutes": 30, "cap": 2_000},
                "idle": {"priceMicroPerHour": 30_000_000, "freeMinutes": 0, "cap": None},
            },
        }
        assert await shown(of_c) == {
            "priceNowMicro": 1_500_000,
            "tariff": {
                "tariffId": "t",
                "periods": [{"band": None, "electricityMicro": 1_000_000}],
                "parking": None,
                "idle": None,
            },
        }
