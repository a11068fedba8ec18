"""Stations, prices and pages of T/CEC 102 hosts."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hub.core.outbound import TOO_LARGE
from hub.parties.link import LinkError
from hub.protocols.tcec102.caller import UnreadAnswer
from hub.protocols.tcec102.pages_host import UNREADABLE, all_pages
from hub.protocols.tcec102.translate_policy import PolicyProblem, estimated_tariff, tariff_of_policy
from hub.protocols.tcec102.translate_stations_in import station_put
from operator_sdk.contract.pricing import check_tariff, published
from operator_sdk.contract.station_details import details_problem
from operator_sdk.contract.tcec102.messages import (
    ConnectorInfo,
    EquipmentInfo,
    PolicyInfo,
    QueryStationsInfoReply,
    StationInfo,
)
from operator_sdk.contract.tcec102.profile import Pricing, Stations
from operator_sdk.contract.tcec102.reading import read
from operator_sdk.contract.tcec102.wire import WireProblem
from tests.tcec_host_world import BEGUN, HOST, profile

CONNECTOR = ConnectorInfo(
    connector_id="CONN1",
    connector_type=4,
    voltage_upper_limits=750,
    voltage_lower_limits=200,
    current=250,
    power=Decimal("120.0"),
    national_standard=2,
    park_no="A1",
)
UNNAMEABLE = msgspec.structs.replace(CONNECTOR, connector_id="C-1")
PILE = EquipmentInfo(
    equipment_id="PILE1", equipment_type=1, power=Decimal("120.0"), connector_infos=[CONNECTOR]
)
STATION = StationInfo(
    station_id="S1",
    operator_id=HOST,
    equipment_owner_id="MA5OWNER1",
    station_name="示例\n站",
    country_code="CN",
    area_code="310000",
    address="Road 1",
    service_tel="400-1",
    station_type=1,
    station_status=50,
    park_nums=0,
    station_lng=Decimal("121.473701"),
    station_lat=Decimal("31.230416"),
    construction=9,
    equipment_infos=[PILE],
    pictures=["http://plain.test/1.png", "https://safe.test/1.png"],
    support_order=1,
)


def changed(what: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(what, **changes)


def test_a_station_is_kept_with_everything_it_says() -> None:
    put, missing = station_put(STATION, profile(), HOST, "t")
    assert put is not None
    assert missing == ()
    assert (put.name, put.latitude_e6, put.longitude_e6) == ("示例 站", 31_230_416, 121_473_701)
    (pile,) = put.piles
    assert (pile.kind, pile.rated_power_w, pile.connectors[0].rated_power_w) == ("dc", 120_000, 120_000)
    details, plug = put.details, pile.connectors[0].details
    assert details is not None
    assert plug is not None
    assert (details.station_type, details.status, details.construction) == ("public", "in_service", "car_park")
    assert (details.owner_party_id, details.park_spaces, details.support_order) == ("MA5OWNER1", 0, True)
    assert details.pictures == ["https://safe.test/1.png"]
    assert (plug.connector_type, plug.national_standard, plug.current_a) == ("dc_gun", "gb_2015", 250)
    assert details_problem(put) is None


@pytest.mark.parametrize("coordinates", ["wgs84", "bd09"])
def test_other_systems_of_coordinates_are_moved_to_gcj02(coordinates: str) -> None:
    stations = msgspec.convert({"coordinates": coordinates}, Stations)
    put, _ = station_put(STATION, profile(stations=stations), HOST, "t")
    assert put is not None
    moved = abs(put.latitude_e6 - 31_230_416) + abs(put.longitude_e6 - 121_473_701)
    assert 1_000 < moved < 20_000


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"station_id": "S/1"}, "StationID"),
        ({"station_name": " \n"}, "StationName"),
        ({"station_lng": Decimal(0), "station_lat": Decimal(0)}, "StationLng"),
        ({"station_lng": Decimal(31), "station_lat": Decimal(121)}, "StationLng"),
        ({"equipment_infos": []}, "EquipmentInfos"),
        ({"equipment_infos": [changed(PILE, equipment_id="P-1")]}, "EquipmentID"),
        ({"equipment_infos": [changed(PILE, connector_infos=[UNNAMEABLE])]}, "ConnectorID"),
    ],
)
def test_what_a_station_lacks_is_named_and_never_made_up(changes: dict[str, Any], missing: str) -> None:
    put, gaps = station_put(changed(STATION, **changes), profile(), HOST, "t")
    assert put is None
    assert gaps == (missing,)


def test_one_connector_that_cannot_be_named_leaves_the_others() -> None:
    pile = changed(PILE, connector_infos=[UNNAMEABLE, CONNECTOR])
    put, gaps = station_put(changed(STATION, equipment_infos=[pile]), profile(), HOST, "t")
    assert put is not None
    assert [plug.connector_id for plug in put.piles[0].connectors] == ["CONN1"]
    assert gaps == ("ConnectorID",)


@pytest.mark.parametrize(
    ("equipment", "connector", "kind"), [(1, 3, "dc"), (2, 4, "ac"), (3, 4, "dc"), (3, 2, "ac"), (5, 6, "ac")]
)
def test_a_pile_is_what_it_says_or_what_its_connectors_are(equipment: int, connector: int, kind: str) -> None:
    pile = changed(
        PILE, equipment_type=equipment, connector_infos=[changed(CONNECTOR, connector_type=connector)]
    )
    put, _ = station_put(changed(STATION, equipment_infos=[pile]), profile(), HOST, "t")
    assert put is not None
    assert put.piles[0].kind == kind


# Prices.


def policy(*periods: tuple[str, str, str], price_type: int | None = None) -> list[PolicyInfo]:
    return [
        PolicyInfo(
            start_time=start,
            elec_price=Decimal(electricity),
            service_price=Decimal(service),
            price_type=price_type,
        )
        for start, electricity, service in periods
    ]


def test_a_policy_is_a_whole_day_and_its_last_period_goes_on_past_midnight() -> None:
    put = tariff_of_policy(
        policy(("220000", "0.3", "0.4"), ("08:00", "1.2345", "0.5"), ("120000", "1.2345", "0.5"), price_type=1),
        profile(),
        BEGUN,
    )
    check_tariff(published(put, party_id=HOST, tariff_id="t", version=1))
    assert [(one.start_minute, one.electricity_micro, one.service_micro) for one in put.periods] == [
        (0, 300_000, 400_000),
        (480, 1_234_500, 500_000),
        (720, 1_234_500, 500_000),
        (1320, 300_000, 400_000),
    ]
    assert (put.binding, put.utc_offset_minutes, put.periods[0].band) == (True, 480, "peak")


@pytest.mark.parametrize(
    ("infos", "field"),
    [
        ([], "PolicyInfos"),
        (policy(("000000", "1", "1"), ("00:00", "1", "1")), "StartTime"),
        (policy(("000030", "1", "1")), "StartTime"),
        (policy(("240000", "1", "1")), "StartTime"),
        (policy(("soon", "1", "1")), "StartTime"),
        (policy(("000000", "1001", "1")), "ElecPrice"),
        (policy(*((f"00{minute:02d}00", "1", "1") for minute in range(1, 33))), "PolicyInfos"),
    ],
)
def test_prices_that_make_no_tariff_are_refused_by_name(infos: Sequence[PolicyInfo], field: str) -> None:
    with pytest.raises(PolicyProblem) as refused:
        tariff_of_policy(infos, profile(), BEGUN)
    assert refused.value.field == field


def test_an_estimate_binds_nobody_and_is_there_only_where_the_profile_has_one() -> None:
    pricing = Pricing(mode="trust", estimate_electricity="1.05", estimate_service="0.5")
    put = estimated_tariff(profile(pricing=pricing), BEGUN + timedelta(days=1))
    assert put is not None
    assert (put.binding, put.periods[0].electricity_micro) == (False, 1_050_000)
    assert estimated_tariff(profile(), BEGUN) is None


# Pages.


class Host:
    """A host with so many stations, some of which cannot be read, or are as large as a hundred others.

    An answer has room for `room` of them, and never shows more than `most`.
    """

    def __init__(
        self,
        count: int,
        broken: Sequence[int] = (),
        *,
        stuck: bool = False,
        room: int = 1_000,
        large: Sequence[int] = (),
        most: int = 1_000,
    ) -> None:
        self.count, self.broken, self.stuck, self.calls = count, broken, stuck, 0
        self.room, self.large, self.most = room, large, most

    async def ask(self, number: int, size: int) -> QueryStationsInfoReply:
        """A page."""
        self.calls += 1
        size = min(size, self.most)
        begin = 0 if self.stuck else (number - 1) * size
        places = range(begin + 1, min(begin + size, self.count) + 1)
        if sum(100 if place in self.large else 1 for place in places) > self.room:
            raise LinkError(TOO_LARGE)
        if any(place in self.broken for place in places):
            raise LinkError(UNREADABLE)
        return QueryStationsInfoReply(
            page_no=number,
            page_count=-(-self.count // size),
            item_size=self.count,
            station_infos=[changed(STATION, station_id=f"S{place}") for place in places],
        )


@pytest.mark.parametrize("broken", [(51, 117), (1, 2, 117), (50, 51)])
def test_all_pages_are_read_and_a_station_that_cannot_be_read_costs_only_itself(broken: Sequence[int]) -> None:
    host = Host(117, broken)
    stations, gaps = asyncio.run(all_pages(host.ask, 50))
    assert len(stations) == 117 - len(broken)
    assert [gap.station_id for gap in gaps] == [f"#{place}" for place in broken]
    assert host.calls < 35


@pytest.mark.parametrize(("size", "room"), [(100, 30), (97, 30), (50, 1), (100, 99)])
def test_a_list_whose_pages_are_too_large_comes_whole_in_smaller_ones(size: int, room: int) -> None:
    host = Host(231, room=room)
    stations, gaps = asyncio.run(all_pages(host.ask, size))
    assert [one.station_id for one in stations] == [f"S{place}" for place in range(1, 232)]
    assert gaps == []
    assert host.calls <= 231 * 3 // room + 9


@pytest.mark.parametrize("size", [100, 30, 20])
def test_a_host_with_a_page_size_of_its_own_loses_no_station_over_one_that_cannot_be_read(size: int) -> None:
    stations, gaps = asyncio.run(all_pages(Host(90, broken=(33,), most=20).ask, size))
    assert len(stations) == 89
    assert [gap.station_id for gap in gaps] == ["#33"]
    stations, gaps = asyncio.run(all_pages(Host(90, room=110, large=(33, 77), most=20).ask, size))
    assert (len(stations), gaps) == (90, [])


def test_a_station_that_is_too_large_by_itself_costs_only_itself() -> None:
    host = Host(60, room=20, large=(31,))
    stations, gaps = asyncio.run(all_pages(host.ask, 50))
    assert len(stations) == 59
    assert [gap.station_id for gap in gaps] == ["#31"]


def unread(*stations: dict[str, Any], **page: Any) -> LinkError:
    """What a call says of this answer."""
    plain = msgspec.json.encode({"PageNo": 1, "PageCount": 1, "ItemSize": 1, **page, "StationInfos": stations})
    try:
        read(QueryStationsInfoReply, plain)
    except WireProblem as problem:
        return UnreadAnswer(problem, plain)
    raise AssertionError("it can be read")


@pytest.mark.parametrize(
    ("stations", "gap"),
    [
        ([{"stationId": "S7", "OperatorID": HOST}], ("S7", "EquipmentOwnerID")),
        ([{"StationID": 7, "StationName": {}}], ("7", "StationName")),
        ([{"StationID": ""}], ("#2", "StationInfo")),
        ([{}], ("#2", "StationInfo")),
        ([{"StationID": "S7"}, {"StationID": "S8"}], ("#2", "StationInfo")),
    ],
)
def test_a_station_that_cannot_be_read_is_a_gap_by_its_own_id_where_that_can_be(
    stations: list[dict[str, Any]], gap: tuple[str, str]
) -> None:
    host = Host(2)

    async def ask(number: int, size: int) -> QueryStationsInfoReply:
        if number == 2:
            raise unread(*stations)
        return await host.ask(number, size)

    _, (found,) = asyncio.run(all_pages(ask, 1))
    assert (found.station_id, *found.missing) == gap


def test_a_page_that_says_nothing_readable_of_itself_is_no_list() -> None:
    calls = []

    async def ask(number: int, size: int) -> QueryStationsInfoReply:
        calls.append(number)
        raise unread({"StationID": "S7"}, PageCount="many")

    with pytest.raises(LinkError, match="answer: field"):
        asyncio.run(all_pages(ask, 50))
    assert calls == [1]


@pytest.mark.parametrize("count", [0, 1, 50, 100])
def test_lists_of_every_length_come_whole(count: int) -> None:
    stations, gaps = asyncio.run(all_pages(Host(count).ask, 50))
    assert (len(stations), gaps) == (count, [])


def test_a_host_that_gives_one_page_for_all_is_not_believed() -> None:
    with pytest.raises(LinkError, match="repeats itself"):
        asyncio.run(all_pages(Host(120, stuck=True).ask, 50))


def test_a_failure_between_pages_is_no_shorter_list() -> None:
    host = Host(120)

    async def ask(number: int, size: int) -> QueryStationsInfoReply:
        if number == 2:
            raise LinkError("too slow")
        return await host.ask(number, size)

    with pytest.raises(LinkError, match="too slow"):
        asyncio.run(all_pages(ask, 50))


def test_an_empty_page_in_the_midst_of_a_list_removes_nothing_behind_it() -> None:
    host = Host(250)

    async def ask(number: int, size: int) -> QueryStationsInfoReply:
        reply = await host.ask(number, size)
        return msgspec.structs.replace(reply, station_infos=[]) if number == 4 else reply

    stations, gaps = asyncio.run(all_pages(ask, 50))
    assert len(stations) == 200
    assert [gap.station_id for gap in gaps] == ["#page 4"]


def test_a_list_is_over_behind_its_last_station_however_many_pages_are_promised() -> None:
    host = Host(120)

    async def ask(number: int, size: int) -> QueryStationsInfoReply:
        return msgspec.structs.replace(await host.ask(number, size), page_count=120)

    stations, gaps = asyncio.run(all_pages(ask, 50))
    assert (len(stations), gaps, host.calls) == (120, [], 4)
