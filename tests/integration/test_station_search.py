"""What a hit and a detail page show, who may look, and what is refused; on both engines."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import event

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.directory.search import StationSearch
from hub.directory.service import DirectoryService
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.messages.places import KindCounts, StationHit, StationQuery
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from tests.rig import A, B, C, Rig, open_rig
from tests.rig_raw import send

HOST = "MA5AAAAA1"
LATITUDE, LONGITUDE = 22_540_000, 114_050_000
NEAR = StationQuery(latitude_e6=LATITUDE, longitude_e6=LONGITUDE)
NOWHERE = StationQuery()
TWO_PRICES = [
    TariffPeriod(start_minute=0, end_minute=780, electricity_micro=800_000, service_micro=200_000),
    TariffPeriod(start_minute=780, end_minute=1440, electricity_micro=500_000, service_micro=100_000),
]


def pile(pile_id: str, *plugs: str, kind: str = "dc", power_w: int = 60_000, plug_w: int = 0) -> Pile:
    connectors = [Connector(connector_id=name, rated_power_w=plug_w) for name in plugs]
    return Pile(pile_id=pile_id, kind=kind, rated_power_w=power_w, connectors=connectors)


def station(*piles: Pile, name: str = "深圳北站", north: int = 0, tariff_id: str = "t") -> StationPut:
    return StationPut(
        name=name,
        address="致远中路28号",
        latitude_e6=LATITUDE + north,
        longitude_e6=LONGITUDE,
        tariff_id=tariff_id,
        piles=list(piles),
    )


@pytest.fixture
async def directory(database: Database, clock: ManualClock) -> DirectoryService:
    async with database.unit() as unit:
        unit.session.add(
            PartyRow(party_id=HOST, name="南方充电", roles="host", protocol="native", created_at=clock.wall())
        )
    service = DirectoryService(database, clock)
    begun = clock.business() - timedelta(days=1)
    await service.put_tariff(HOST, "t", 1, TariffPut(valid_from=begun, periods=TWO_PRICES))
    return service


@pytest.fixture
def search(database: Database, clock: ManualClock) -> StationSearch:
    """As another process has it: it shares nothing with `directory` but the database."""
    return StationSearch(database, clock)


async def found(search: StationSearch, text: str = "", query: StationQuery = NOWHERE) -> list[StationHit]:
    return (await search.search(replace(query, text=text))).items


async def report(directory: DirectoryService, clock: ManualClock, **states: ConnectorState) -> None:
    statuses = [
        ConnectorStatus(connector_id=plug, state=state, at=clock.business()) for plug, state in states.items()
    ]
    await directory.push_status(HOST, StatusPush(statuses=statuses))


async def test_a_hit_says_what_a_driver_wants_to_know(
    directory: DirectoryService, search: StationSearch, clock: ManualClock
) -> None:
    piles = [pile("P1", "C1", "C2", plug_w=120_000), pile("P2", "C3", kind="ac", power_w=7_000)]
    await directory.put_station(HOST, "S1", station(*piles, north=9_000))
    await report(directory, clock, C1=ConnectorState.AVAILABLE, C3=ConnectorState.AVAILABLE)
    await report(directory, clock, C2=ConnectorState.CHARGING)
    assert await found(search, query=NEAR) == [
        StationHit(
            party_id=HOST,
            party_name="南方充电",
            station_id="S1",
            name="深圳北站",
            address="致远中路28号",
            latitude_e6=22_549_000,
            longitude_e6=114_050_000,
            distance_m=1000,
            connectors_total=3,
            connectors_available=2,
            kinds=KindCounts(ac=1, dc=2),
            max_power_w=120_000,
            price_now_micro=1_000_000,
            electricity_micro=800_000,
            service_micro=200_000,
        )
    ]


async def test_a_connector_is_available_only_as_long_as_its_status_lives(
    directory: DirectoryService, search: StationSearch, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", station(pile("P1", "C1", "C2")))
    await report(directory, clock, C1=ConnectorState.AVAILABLE)
    for passed_s, free, state in ((0, 1, "available"), (180, 1, "available"), (1, 0, "offline")):
        clock.advance(seconds=passed_s)
        (hit,) = await found(search)
        detail = await search.detail(HOST, "S1")
        assert hit.connectors_available == free
        assert [plug.state for plug in detail.connectors] == [state, "offline"]
        assert state == (await directory.get_connector(HOST, "C1")).state
        assert [plug.state_at is None for plug in detail.connectors] == [False, True]


async def test_the_price_is_that_of_the_hour_and_of_the_version_in_force(
    directory: DirectoryService, search: StationSearch, clock: ManualClock
) -> None:
    """The tariff's local time is Shanghai's, where it is noon: the second period begins an hour later."""
    await directory.put_station(HOST, "S1", station(pile("P1", "C1")))
    period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=1_100_000, service_micro=0)
    later = TariffPut(valid_from=clock.business() + timedelta(hours=2), periods=[period])
    await directory.put_tariff(HOST, "t", 2, later)
    for hours, price, version in ((0, 1_000_000, 1), (1, 600_000, 1), (1, 1_100_000, 2)):
        clock.advance(hours=hours)
        (hit,) = await found(search)
        detail = await search.detail(HOST, "S1")
        assert hit.price_now_micro == detail.price_now_micro == price
        assert detail.tariff is not None
        assert detail.tariff.version == version
        assert (hit.electricity_micro, hit.service_micro) == (detail.electricity_micro, detail.service_micro)


async def test_a_station_whose_tariff_has_not_begun_has_no_price(
    directory: DirectoryService, search: StationSearch, clock: ManualClock
) -> None:
    begins = clock.business() + timedelta(days=1)
    await directory.put_tariff(HOST, "new", 1, TariffPut(valid_from=begins, periods=TWO_PRICES))
    await directory.put_station(HOST, "S1", station(tariff_id="new"))
    (hit,) = await found(search)
    assert (hit.price_now_micro, hit.electricity_micro, hit.service_micro) == (None, None, None)
    assert (hit.connectors_total, hit.max_power_w) == (0, 0)
    detail = await search.detail(HOST, "S1")
    assert (detail.tariff, detail.price_now_micro, detail.connectors) == (None, None, [])


async def test_another_process_finds_it_at_once_under_its_new_name_and_place_and_not_when_removed(
    directory: DirectoryService, search: StationSearch
) -> None:
    await directory.put_station(HOST, "S1", station(pile("P1", "C1", "C2")))
    assert [hit.connectors_total for hit in await found(search, "北站", NEAR)] == [2]
    await directory.put_station(HOST, "S1", station(pile("P1", "C1"), name="福田口岸", north=5_000_000))
    assert await found(search, "北站", NEAR) == []
    (hit,) = await found(search, "口岸", NEAR)
    assert (hit.connectors_total, hit.distance_m) == (1, 555_975)
    await directory.remove_station(HOST, "S1")
    assert await found(search, query=NEAR) == []
    with pytest.raises(NotFoundError):
        await search.detail(HOST, "S1")
    await directory.put_station(HOST, "S1", station(pile("P1", "C1")))
    assert len(await found(search, "北站")) == 1


async def test_a_new_operators_name_is_found_within_seconds(
    directory: DirectoryService, search: StationSearch, clock: ManualClock, database: Database
) -> None:
    await directory.put_station(HOST, "S1", station())
    assert await found(search, "南方") != []
    async with database.unit() as unit:
        row = await unit.session.get(PartyRow, HOST)
        assert row is not None
        row.name = "北方充电"
    assert [hit.party_name for hit in await found(search)] == ["北方充电"]
    clock.advance(seconds=6)
    assert await found(search, "南方") == []
    assert len(await found(search, "北方")) == 1


async def test_the_queries_are_as_many_for_fifty_stations_as_for_one(
    directory: DirectoryService, search: StationSearch, database: Database
) -> None:
    counts: list[int] = []
    said: list[str] = []

    @event.listens_for(database.engine.sync_engine, "before_cursor_execute")
    def hear(*given: Any) -> None:
        said.append(given[2])

    for stations in (1, 51):
        for number in range(stations):
            plugs = [f"S{number}C{plug}" for plug in range(3)]
            await directory.put_station(HOST, f"S{number:02}", station(pile("P1", *plugs)))
        said.clear()
        page = await search.search(replace(NEAR, limit=50))
        assert len(page.items) == min(stations, 50)
        counts.append(len([one for one in said if one.startswith("SELECT")]))
        said.clear()
        await search.detail(HOST, "S00")
        counts.append(len([one for one in said if one.startswith("SELECT")]))
    # Near the second time: one station does not fill the page, so it looked farther, twice.
    assert counts == [6, 3, 4, 3]


async def test_a_station_that_moves_between_pages_loses_no_other(
    directory: DirectoryService, search: StationSearch
) -> None:
    for number in range(10):
        await directory.put_station(HOST, f"S{number}", station(north=number * 1_000))
    first = await search.search(replace(NEAR, limit=4))
    await directory.put_station(HOST, "S1", station(north=8_500))
    await directory.remove_station(HOST, "S5")
    second = await search.search(replace(NEAR, limit=50, after=first.next_after))
    assert [hit.station_id for hit in first.items] == ["S0", "S1", "S2", "S3"]
    assert [hit.station_id for hit in second.items] == ["S4", "S6", "S7", "S8", "S1", "S9"]


@pytest.mark.parametrize(
    "query",
    [
        StationQuery(latitude_e6=1),
        StationQuery(longitude_e6=1),
        StationQuery(text="a\nb"),
        StationQuery(text="\u202eb"),
        StationQuery(text="a b c d e f g h i"),
        StationQuery(after="%%%"),
        StationQuery(after="AAAAAAAAAAAA"),
    ],
)
async def test_what_makes_no_sense_is_malformed(search: StationSearch, query: StationQuery) -> None:
    with pytest.raises(HubError) as problem:
        await search.search(query)
    assert problem.value.code == Code.MALFORMED


async def test_a_cursor_serves_its_own_kind_of_search_only(
    directory: DirectoryService, search: StationSearch
) -> None:
    for number in range(3):
        await directory.put_station(HOST, f"S{number}", station())
    by_name = (await search.search(StationQuery(limit=1))).next_after
    by_place = (await search.search(replace(NEAR, limit=1))).next_after
    of_a_list = (await directory.list_stations(limit=1)).next_after
    assert by_name
    assert by_place
    for query in (
        StationQuery(after=by_place),
        replace(NEAR, after=by_name),
        StationQuery(after=of_a_list),
        replace(NEAR, after=of_a_list),
    ):
        with pytest.raises(HubError) as problem:
            await search.search(query)
        assert problem.value.code == Code.MALFORMED


# Over HTTP.


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def get(rig: Rig, path: str, party: str = B, subject: str | None = None) -> httpx.Response:
    return await send(rig, HUB["search_stations"], path, b"", party=party, subject=subject)


async def test_operators_and_drivers_search_and_look_with_the_sdk(rig: Rig) -> None:
    query = StationQuery(latitude_e6=22_500_000, longitude_e6=114_000_000, text="一站")
    for client in (rig.client(A), rig.client(B), rig.driver()):
        page = await client.search_stations(query)
        assert [(hit.party_id, hit.station_id, hit.connectors_available) for hit in page.items] == [
            (A, "S1", 2)
        ]
        assert page.next_after is None
        detail = await client.get_station_detail(A, "S1")
        assert [plug.connector for plug in detail.connectors] == [f"A1.{A}", f"A2.{A}"]
    staff = await rig.staff_token("boss")
    answer = await send(rig, HUB["search_stations"], "/v1/station-search", b"", token=staff)
    assert answer.status_code == 403
    assert (await send(rig, HUB["search_stations"], "/v1/station-search", b"")).status_code == 401


BAD = (
    "latitude_e6=abc&longitude_e6=1",
    "latitude_e6=90000001&longitude_e6=1",
    "latitude_e6=22.5&longitude_e6=114.1",
    "latitude_e6=1&longitude_e6=180000001",
    "latitude_e6=1",
    "limit=0",
    "limit=51",
    "limit=-1",
    "limit=²",
    "text=" + "%E7%AB%99" * 41,
    "text=%00",
    "text=%0A",
    "after=x",
    "after=" + "A" * 301,
)


async def test_a_bad_query_is_malformed_and_not_repeated(rig: Rig) -> None:
    for bad in BAD:
        answer = await get(rig, f"/v1/station-search?{bad}")
        assert (answer.status_code, answer.json().get("code")) == (400, "malformed"), bad
        assert "90000001" not in answer.text
    good = (
        "/v1/station-search?text=" + "%E7%AB%99" * 40 + "&limit=50&latitude_e6=-90000000&longitude_e6=180000000"
    )
    assert (await get(rig, good)).json() == {"items": [], "next_after": None}


async def test_what_is_not_there_is_not_found(rig: Rig) -> None:
    for path in (f"/v1/station-details/{A}/S9", f"/v1/station-details/{B}/S1", "/v1/station-details/x/S1"):
        assert (await get(rig, path)).status_code == 404
    assert (await get(rig, f"/v1/station-details/{A}/S1", C, "somebody")).status_code == 200


async def test_searches_while_everything_moves_are_whole(rig: Rig) -> None:
    """A page is one snapshot: a hit that was found is never without its facts."""

    async def move() -> None:
        for number in range(12):
            await rig.hub.directory.put_station(A, "S1", station(pile("P1", "A1", "A2"), north=number))
            await rig.hub.directory.remove_station(A, "S1")

    async def look() -> None:
        for _ in range(12):
            assert len((await rig.client(B).search_stations(NEAR)).items) <= 1

    await asyncio.gather(move(), look(), look())
