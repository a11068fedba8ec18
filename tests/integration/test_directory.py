"""The directory on both engines: stations, their tombstones, their order; connectors and their states."""

from datetime import timedelta

import msgspec
import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.directory.service import DirectoryService
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    Station,
    StationPut,
    StatusPush,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.public_codes import Code

HOST, OTHER, HOME = "MA5AAAAA1", "MA5CCCCC3", "MA5BBBBB2"
DAY = [TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=800_000, service_micro=200_000)]


def pile(pile_id: str, *connector_ids: str, power_w: int = 60_000, plug_w: int = 0) -> Pile:
    plugs = [Connector(connector_id=name, rated_power_w=plug_w) for name in connector_ids]
    return Pile(pile_id=pile_id, kind="dc", rated_power_w=power_w, connectors=plugs)


def put(*piles: Pile, name: str = "Nanshan", tariff_id: str = "t1") -> StationPut:
    return StationPut(
        name=name, latitude_e6=22_540_000, longitude_e6=114_050_000, tariff_id=tariff_id, piles=list(piles)
    )


@pytest.fixture
async def directory(database: Database, clock: ManualClock) -> DirectoryService:
    async with database.unit() as unit:
        for party_id, roles in ((HOST, "home,host"), (OTHER, "host"), (HOME, "home")):
            unit.session.add(
                PartyRow(
                    party_id=party_id, name=party_id, roles=roles, protocol="native", created_at=clock.wall()
                )
            )
    service = DirectoryService(database, clock)
    for party_id in (HOST, OTHER):
        await service.put_tariff(party_id, "t1", 1, TariffPut(valid_from=clock.business(), periods=DAY))
    return service


async def whole_list(directory: DirectoryService, limit: int) -> list[Station]:
    found: list[Station] = []
    after = None
    while True:
        page = await directory.list_stations(after=after, limit=limit)
        found += page.items
        after = page.next_after
        if after is None:
            return found


async def test_a_station_is_given_back_as_it_was_described(
    directory: DirectoryService, clock: ManualClock
) -> None:
    piles = [pile("P1", "C1", "C2"), pile("P2", "C3", power_w=7_000)]
    station = await directory.put_station(HOST, "S1", put(*piles))
    assert (station.party_id, station.station_id, station.updated_at) == (HOST, "S1", clock.business())
    assert station.piles == piles
    assert await directory.get_station(HOST, "S1") == station


async def test_the_same_description_again_writes_nothing(
    directory: DirectoryService, clock: ManualClock
) -> None:
    first = await directory.put_station(HOST, "S1", put(pile("P1", "C1", "C2")))
    clock.advance(minutes=1)
    assert await directory.put_station(HOST, "S1", put(pile("P1", "C2", "C1"))) == first


async def test_a_pile_that_is_left_out_becomes_a_tombstone_and_may_come_back(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1"), pile("P2", "C2")))
    clock.advance(minutes=1)
    smaller = await directory.put_station(HOST, "S1", put(pile("P1", "C1")))
    assert [one.pile_id for one in smaller.piles] == ["P1"]
    assert smaller.updated_at == clock.business()
    with pytest.raises(NotFoundError):
        await directory.get_connector(HOST, "C2")
    clock.advance(minutes=1)
    whole = await directory.put_station(HOST, "S1", put(pile("P1", "C1"), pile("P2", "C2")))
    assert [one.pile_id for one in whole.piles] == ["P1", "P2"]
    assert (await directory.get_connector(HOST, "C2")).pile_id == "P2"


async def test_a_connector_may_move_to_another_pile_of_its_station(directory: DirectoryService) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1", "C2"), pile("P2", "C3")))
    moved = await directory.put_station(HOST, "S1", put(pile("P1", "C1"), pile("P2", "C2", "C3")))
    assert [[plug.connector_id for plug in one.connectors] for one in moved.piles] == [["C1"], ["C2", "C3"]]


async def test_a_connector_belongs_to_one_station_of_its_host(directory: DirectoryService) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1")))
    with pytest.raises(HubError) as refusal:
        await directory.put_station(HOST, "S2", put(pile("P1", "C1")))
    assert refusal.value.code is Code.RULE_VIOLATED
    with pytest.raises(NotFoundError):
        await directory.get_station(HOST, "S2")
    await directory.put_station(OTHER, "S2", put(pile("P1", "C1")))
    await directory.put_station(HOST, "S1", put())
    moved = await directory.put_station(HOST, "S2", put(pile("P1", "C1")))
    assert [one.pile_id for one in moved.piles] == ["P1"]
    assert (await directory.get_connector(HOST, "C1")).station_id == "S2"
    assert (await directory.get_station(HOST, "S1")).piles == []


@pytest.mark.parametrize(
    ("station", "code"),
    [
        (put(pile("P1", "C1"), pile("P1", "C2")), Code.RULE_VIOLATED),
        (put(pile("P1", "C1", "C1")), Code.RULE_VIOLATED),
        (put(pile("P1", "C1"), pile("P2", "C1")), Code.RULE_VIOLATED),
        (put(name="a\x00b"), Code.RULE_VIOLATED),
        (put(tariff_id="t2"), Code.TARIFF_UNKNOWN),
    ],
)
async def test_a_description_against_the_rules_is_refused_whole(
    directory: DirectoryService, station: StationPut, code: Code
) -> None:
    with pytest.raises(HubError) as refusal:
        await directory.put_station(HOST, "S1", station)
    assert refusal.value.code is code
    assert (await directory.list_stations()).items == []


async def test_only_a_host_describes_stations_and_ids_are_checked(directory: DirectoryService) -> None:
    for party_id in (HOME, "MA5ZZZZZ9"):
        with pytest.raises(NotFoundError):
            await directory.put_station(party_id, "S1", put())
    for bad in ("", "a/b", "x" * 41, "a b"):
        with pytest.raises(HubError) as refusal:
            await directory.put_station(HOST, bad, put())
        assert refusal.value.code is Code.MALFORMED


async def test_a_removed_station_stays_as_a_tombstone(directory: DirectoryService, clock: ManualClock) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1")))
    clock.advance(minutes=1)
    removed = await directory.remove_station(HOST, "S1")
    assert removed.removed
    assert removed.piles == []
    clock.advance(minutes=1)
    assert await directory.remove_station(HOST, "S1") == removed
    assert (await directory.list_stations(updated_since=removed.updated_at)).items == [removed]
    with pytest.raises(NotFoundError):
        await directory.get_connector(HOST, "C1")
    with pytest.raises(NotFoundError):
        await directory.remove_station(HOST, "S9")
    back = await directory.put_station(HOST, "S1", put(pile("P1", "C1")))
    assert not back.removed
    assert [one.pile_id for one in back.piles] == ["P1"]


async def test_pages_hold_every_station_once_in_order_of_change(
    directory: DirectoryService, clock: ManualClock
) -> None:
    for number in range(7):
        for party_id in (OTHER, HOST):
            await directory.put_station(party_id, f"S{number}", put(pile(f"P{number}", f"C{number}")))
        if number % 3 == 0:
            clock.advance(seconds=1)
    found = await whole_list(directory, limit=3)
    places = [(one.updated_at, one.party_id, one.station_id) for one in found]
    assert places == sorted(places)
    assert len(set(places)) == len(places) == 14
    assert all(len(one.piles) == 1 for one in found)
    mine = await directory.list_stations(party_id=HOST)
    assert {one.party_id for one in mine.items} == {HOST}
    assert mine.next_after is None


async def test_updated_since_gives_what_changed_from_then_on(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", put())
    await directory.put_station(HOST, "S2", put())
    clock.advance(minutes=1)
    changed = await directory.put_station(HOST, "S1", put(name="Futian"))
    page = await directory.list_stations(updated_since=changed.updated_at)
    assert page.items == [changed]
    assert (await directory.list_stations(updated_since=clock.business() + timedelta(seconds=1))).items == []


async def test_cursors_of_no_such_list_are_malformed(directory: DirectoryService) -> None:
    from hub.core.paging import encode_cursor

    stray = encode_cursor(directory._clock.business(), "no-slash")
    for bad in ("", "x", "AAAA====", "é", stray):
        with pytest.raises(HubError) as refusal:
            await directory.list_stations(after=bad)
        assert refusal.value.code is Code.MALFORMED


async def push(directory: DirectoryService, clock: ManualClock, *states: tuple[str, str, int]):
    statuses = [
        ConnectorStatus(
            connector_id=name, state=ConnectorState(state), at=clock.business() + timedelta(seconds=offset_s)
        )
        for name, state, offset_s in states
    ]
    return await directory.push_status(HOST, StatusPush(statuses=statuses))


async def test_a_connector_shows_its_place_its_state_and_the_price_now(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1"), pile("P2", "C2", plug_w=30_000)))
    await push(directory, clock, ("C1", "available", 0))
    info = await directory.get_connector(HOST, "C1")
    assert (info.connector, info.station_id, info.pile_id) == ("C1.MA5AAAAA1", "S1", "P1")
    assert (info.state, info.state_at, info.rated_power_w) == ("available", clock.business(), 60_000)
    assert info.tariff is not None
    assert (info.tariff.tariff_id, info.tariff.version, info.tariff.periods) == ("t1", 1, DAY)
    assert (await directory.get_connector(HOST, "C2")).rated_power_w == 30_000
    msgspec.json.decode(msgspec.json.encode(info), type=type(info))


async def test_a_connector_never_reported_or_not_lately_is_offline(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1")))
    assert (await directory.get_connector(HOST, "C1")).state == "offline"
    await push(directory, clock, ("C1", "charging", 0))
    clock.advance(seconds=180)
    assert (await directory.get_connector(HOST, "C1")).state == "charging"
    clock.advance(seconds=1)
    stale = await directory.get_connector(HOST, "C1")
    assert stale.state == "offline"
    assert stale.state_at == clock.business() - timedelta(seconds=181)


async def test_only_a_newer_status_is_written_and_unknown_connectors_are_named(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1", "C2")))
    first = await push(directory, clock, ("C1", "charging", 0), ("C2", "available", 0), ("X9", "faulted", 0))
    assert (first.written, first.unknown) == (2, ["X9"])
    again = await push(directory, clock, ("C1", "available", -5), ("C2", "occupied", 0), ("C1", "faulted", -1))
    assert again.written == 0
    newer = await push(directory, clock, ("C1", "occupied", 2), ("C1", "available", 1), ("C2", "available", 0))
    assert newer.written == 1
    assert (await directory.get_connector(HOST, "C1")).state == "occupied"
    assert (await directory.get_connector(HOST, "C2")).state == "available"


async def test_another_partys_connectors_are_unknown_to_a_push(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(OTHER, "S1", put(pile("P1", "C1")))
    pushed = await push(directory, clock, ("C1", "available", 0))
    assert (pushed.written, pushed.unknown) == (0, ["C1"])
    assert (await directory.get_connector(OTHER, "C1")).state == "offline"


async def test_a_status_from_the_future_silences_nobody(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.put_station(HOST, "S1", put(pile("P1", "C1")))
    with pytest.raises(HubError) as refusal:
        await push(directory, clock, ("C1", "available", 3_600))
    assert refusal.value.code is Code.RULE_VIOLATED
    assert (await push(directory, clock, ("C1", "available", 0))).written == 1
