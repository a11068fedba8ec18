"""Stations as T/CEC 102 homes are told of them: nothing made up, and everything that is known."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocols.tcec102.translate_stations_out import (
    CONNECTOR_TYPE,
    CONSTRUCTION,
    EQUIPMENT_TYPE,
    NATIONAL_STANDARD,
    STATION_STATUS,
    STATION_TYPE,
    Fees,
    Names,
    fees_of,
    missing_of,
    station_info,
    station_stats,
    towards,
)
from operator_sdk.contract.messages.directory import StationDetails, Tariff, TariffPeriod
from operator_sdk.contract.station_details import (
    ConnectorType,
    Construction,
    EquipmentType,
    NationalStandard,
    StationStatus,
    StationType,
)
from tests.tcec_home_world import CONNECTOR_SAID, HOST, NOON, STATION_SAID, piles, profile, renamed, station

NAMES = Names("S1", {"P1": "P1", "P2": "MAPPED"}, {"A1": "A1", "A2": "MAPPED2", "A3": "A3"})


def without(**changes: Any) -> Any:
    """A station whose own details lack something."""
    return station(details=msgspec.structs.replace(STATION_SAID, **changes))


def test_every_word_of_the_directory_but_the_standards_unknown_has_a_number() -> None:
    assert set(STATION_TYPE) == set(StationType)
    assert set(STATION_STATUS) == set(StationStatus)
    assert set(CONSTRUCTION) == set(Construction)
    assert set(EQUIPMENT_TYPE) == {"ac", "dc", *EquipmentType}
    assert set(CONNECTOR_TYPE) == set(ConnectorType)
    assert set(NATIONAL_STANDARD) == set(NationalStandard) - {NationalStandard.OTHER}


def test_a_whole_station_lacks_nothing_and_is_told_with_all_that_is_known() -> None:
    assert missing_of(station()) == ()
    told = station_info(station(), NAMES)
    assert (told.operator_id, told.equipment_owner_id, told.station_id) == (HOST, HOST, "S1")
    assert (told.station_type, told.station_status, told.construction, told.park_nums) == (1, 50, 9, 12)
    assert (told.station_lng, told.station_lat) == (Decimal("114.05"), Decimal("22.54"))
    assert (told.business_hours, told.service_tel, told.site_guide) == ("00:00-24:00", "0755-1234567", None)
    (pile,) = told.equipment_infos
    assert (pile.equipment_id, pile.equipment_type, pile.power) == ("P1", 1, Decimal(120))
    first, second = pile.connector_infos
    assert (first.connector_id, second.connector_id) == ("A1", "MAPPED2")
    assert (first.connector_type, first.voltage_upper_limits, first.voltage_lower_limits) == (4, 750, 200)
    assert (first.current, first.power, first.national_standard) == (250, Decimal(120), 2)


@pytest.mark.parametrize(
    ("poorer", "missing"),
    [
        (without(area_code=None), ("AreaCode",)),
        (without(operator_phone=None, country_code=None), ("CountryCode", "ServiceTel")),
        (without(station_type=None), ("StationType",)),
        (without(construction="a word of later"), ("Construction",)),
        (station(address=""), ("Address",)),
        (station(piles=[]), ("EquipmentInfos",)),
        (station(piles=[msgspec.structs.replace(piles("A1")[0], power_assumed=True)]), ("Power",)),
        (
            station(piles=piles("A1", "A2", said=None)),
            ("ConnectorType", "VoltageUpperLimits", "VoltageLowerLimits", "Current", "NationalStandard"),
        ),
        (
            station(piles=piles("A1", said=msgspec.structs.replace(CONNECTOR_SAID, national_standard="other"))),
            ("NationalStandard",),
        ),
    ],
)
def test_what_nobody_said_is_a_gap_and_named_once(poorer: Any, missing: tuple[str, ...]) -> None:
    assert missing_of(poorer) == missing


def test_a_station_of_which_only_its_host_is_known_lacks_all_that_the_standard_requires() -> None:
    bare = missing_of(station(details=None, piles=piles("A1", said=None)))
    assert {"CountryCode", "AreaCode", "ServiceTel", "StationType", "Construction", "Current"} <= set(bare)


def test_the_standards_own_words_for_unknown_are_no_gap() -> None:
    quiet = without(status=None, park_spaces=None)
    assert missing_of(quiet) == ()
    told = station_info(quiet, NAMES)
    assert (told.station_status, told.park_nums) == (0, 0)


def test_a_removed_station_is_closed() -> None:
    gone = station(removed=True, piles=[])
    assert missing_of(gone) == ()
    assert station_info(gone, NAMES).station_status == 5


def test_the_owner_of_the_equipment_is_told_where_it_is_not_the_host() -> None:
    told = station_info(without(owner_party_id="MA5OWNER1"), NAMES)
    assert (told.operator_id, told.equipment_owner_id) == (HOST, "MA5OWNER1")


def test_the_owners_id_is_kept_or_renamed_as_the_profile_says() -> None:
    told = station_info(station(), NAMES)
    kept = towards(told, Fees(), profile(), "MA5HUB000")
    mine = towards(told, Fees(), profile(stations=renamed(operator_id="rename")), "MA5HUB000")
    assert (kept.operator_id, kept.equipment_owner_id) == (HOST, HOST)
    assert (mine.operator_id, mine.equipment_owner_id) == ("MA5HUB000", HOST)


def test_places_are_told_in_the_profiles_map() -> None:
    told = station_info(station(), NAMES)
    baidu = towards(told, Fees(), profile(stations=renamed(coordinates="bd09")), "MA5HUB000")
    world = towards(told, Fees(), profile(stations=renamed(coordinates="wgs84")), "MA5HUB000")
    assert told.station_lng < baidu.station_lng < told.station_lng + Decimal("0.01")
    assert told.station_lng - Decimal("0.01") < world.station_lng < told.station_lng


def priced(elec: int, **other: Any) -> Tariff:
    """One price all day."""
    period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=elec, service_micro=500_000)
    return Tariff(party_id=HOST, tariff_id="t", version=1, valid_from=NOON, periods=[period], **other)


def test_prices_are_told_once_or_by_kind_and_estimates_never() -> None:
    assert fees_of({"ac": priced(900_000), "dc": priced(900_000)}).electricity == "0.90元/度"
    both = fees_of({"dc": priced(1_000_000), "ac": priced(900_000)})
    assert (both.electricity, both.service) == ("交流：0.90元/度；直流：1.00元/度", "0.50元/度")
    assert fees_of({"dc": priced(1_000_000, binding=False)}) == Fees()
    assert fees_of({}) == Fees()


def test_a_hosts_own_words_on_prices_stand_where_the_hub_has_none() -> None:
    told = station_info(without(electricity_fee_text="见现场"), NAMES)
    assert towards(told, Fees(), profile(), "MA5HUB000").electricity_fee == "见现场"
    assert towards(told, Fees("0.90元/度"), profile(), "MA5HUB000").electricity_fee == "0.90元/度"


@given(st.lists(st.integers(0, 100_000), min_size=4, max_size=4))
def test_statistics_of_parts_sum_to_the_stations(energy: list[int]) -> None:
    two = station(piles=[*piles("A1", "A2"), *piles("A3", pile_id="P2")])
    by_plug = dict(zip(("A1", "A2", "A3", "gone"), energy, strict=True))
    said = station_stats(two, NAMES, by_plug, ("2026-03-01", "2026-03-02"))
    parts = [one for pile in said.equipment_stats_infos for one in pile.connector_stats_infos]
    piles_kwh = sum((one.equipment_electricity for one in said.equipment_stats_infos), Decimal(0))
    assert sum(one.connector_electricity for one in parts) == piles_kwh
    assert abs(piles_kwh * 1000 - sum(energy[:3])) <= 50
    assert abs(said.station_electricity * 1000 - sum(energy)) <= 50
    assert [one.connector_id for one in parts] == ["A1", "MAPPED2", "A3"]


def test_details_may_say_anything_without_words() -> None:
    assert "StationType" in missing_of(station(details=StationDetails()))
