"""What a T/CEC 102 home reads of stations, connectors, prices and its own drivers' energy."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hub.protocols.tcec102.aliases import Kind
from hub.protocols.tcec102.stations_out import StationsOut
from operator_sdk.contract.codes import ConnectorState, Role
from operator_sdk.contract.messages.admin import AgreementAdd, PartyAdd
from operator_sdk.contract.messages.directory import Connector
from operator_sdk.contract.tcec102.messages import (
    QueryEquipAuth,
    QueryEquipBusinessPolicy,
    QueryStationsInfo,
    QueryStationsInfoReply,
    QueryStationStats,
    QueryStationStatus,
)
from operator_sdk.contract.tcec102.values import format_time
from operator_sdk.tcec102 import Tcec102Refused
from tests.rig import A, D, flat
from tests.rig_charges import charge_of
from tests.tcec_home_world import HOME, STATION_SAID, HomeWorld, described, open_homes, piles

ONE_ENGINE = pytest.mark.parametrize("kind", ["sqlite"])
"""For what no engine does otherwise than another."""

OTHER = "MA5OTHER1"


@pytest.fixture
async def world(kind: str) -> AsyncIterator[HomeWorld]:
    async with open_homes(kind) as opened:
        yield opened


async def second_host(world: HomeWorld, party_id: str = OTHER) -> None:
    """A hosted operator whose connectors are called like A's, and which the home has an agreement with."""
    hub = world.rig.hub
    add = PartyAdd(party_id=party_id, name="托管", roles=[Role.HOST], protocol="hosted", base_url=None)
    await hub.parties.add_party(add, actor="test")
    terms = AgreementAdd(home_party_id=HOME, host_party_id=party_id, commission_ppm=0, hold_fen=5_000)
    await hub.parties.add_agreement(terms, actor="test")
    await hub.directory.put_tariff(party_id, "t", 1, flat(hub))
    await hub.directory.put_station(party_id, "S1", described(name="二站"))


async def pages(world: HomeWorld, size: int, since: str | None = None) -> list[QueryStationsInfoReply]:
    """Every page, and the one past the end."""
    found: list[QueryStationsInfoReply] = []
    while not found or found[-1].station_infos:
        asked = QueryStationsInfo(page_no=len(found) + 1, page_size=size, last_query_time=since)
        found.append(await world.hub.query_stations_info(asked))
    return found


async def test_every_host_with_an_agreement_is_told_and_ids_are_unique(world: HomeWorld) -> None:
    rig, hub = world.rig, world.rig.hub
    await second_host(world)
    await hub.directory.put_tariff(D, "t", 1, flat(hub))
    await hub.directory.put_station(D, "S9", described(piles=piles("D1")))  # no agreement
    await hub.directory.put_station(A, "poor", described(details=None, piles=piles("A9")))
    first, second, past = await pages(world, 1)
    assert [(one.page_count, one.item_size, len(one.station_infos)) for one in (first, second, past)] == [
        (2, 2, 1),
        (2, 2, 1),
        (2, 2, 0),
    ]
    assert past.page_no == 3
    mine, other = first.station_infos[0], second.station_infos[0]
    assert (mine.station_id, mine.operator_id, mine.electricity_fee) == ("S1", A, "1.00元/度")
    assert (other.operator_id, other.equipment_owner_id, other.station_name) == (OTHER, OTHER, "二站")
    assert other.station_id.startswith(OTHER)
    plugs = [
        plug.connector_id
        for one in (mine, other)
        for pile in one.equipment_infos
        for plug in pile.connector_infos
    ]
    assert plugs[:2] == ["A1", "A2"]
    assert all(name.startswith(OTHER) for name in plugs[2:])
    assert [one.station_id for one in await world.listed()] == [mine.station_id, other.station_id]
    stations = StationsOut(
        rig.hub.database, rig.hub.clock, directory=hub.directory, aliases=hub.tcec102.aliases
    )
    gaps = await stations.gaps([A, OTHER])
    assert [(one.party_id, one.station_id) for one in gaps] == [(A, "poor")]
    assert set(gaps[0].missing) == {"CountryCode", "AreaCode", "ServiceTel", "StationType", "Construction"}

    ids = [mine.station_id, "nowhere", other.station_id]
    await rig.report(ConnectorState.CHARGING)
    states = await world.hub.query_station_status(QueryStationStatus(station_ids=ids))
    assert [one.station_id for one in states.station_status_infos] == [mine.station_id, other.station_id]
    assert [
        (one.connector_id, one.status) for one in states.station_status_infos[0].connector_status_infos
    ] == [
        ("A1", 3),
        ("A2", 1),
    ]
    assert {one.status for one in states.station_status_infos[1].connector_status_infos} == {0}
    with pytest.raises(Tcec102Refused, match="at most 50"):
        await world.hub.query_station_status(QueryStationStatus(station_ids=[f"S{n}" for n in range(51)]))


@ONE_ENGINE
async def test_a_list_since_a_time_has_what_changed_and_what_was_removed(world: HomeWorld) -> None:
    hub = world.rig.hub
    await hub.directory.put_station(A, "S2", described(piles=piles("B1")))
    await hub.directory.put_station(A, "S3", described(piles=piles("C1")))
    await world.listed()
    later = format_time(hub.clock.business() + timedelta(hours=1), "Asia/Shanghai")
    since = format_time(hub.clock.business() - timedelta(hours=1), "Asia/Shanghai")
    assert [one.item_size for one in await pages(world, 50, later)] == [0]
    await hub.directory.remove_station(A, "S2")
    await hub.directory.remove_station(A, "S3")
    (said, _) = await pages(world, 50, since)
    assert {one.station_id: one.station_status for one in said.station_infos} == {"S1": 50, "S2": 5, "S3": 5}
    assert [one.station_id for one in await world.listed()] == ["S1"]
    with pytest.raises(Tcec102Refused, match="LastQueryTime"):
        await pages(world, 50, "yesterday")
    with pytest.raises(Tcec102Refused, match="PageNo"):
        await world.hub.query_stations_info(QueryStationsInfo(page_no=0))


@ONE_ENGINE
async def test_before_a_charge_the_home_learns_whether_and_at_what_price(world: HomeWorld) -> None:
    hub, seq = world.rig.hub, world.seq()
    await world.listed()

    async def ready(connector: str, operator: str | None = None) -> tuple[int, int]:
        asked = QueryEquipAuth(equip_auth_seq=seq, connector_id=connector, operator_id=operator)
        said = await world.hub.query_equip_auth(asked)
        assert bool(said.fail_reason_msg) == bool(said.fail_reason)
        return said.succ_stat, said.fail_reason

    assert await ready("A1") == (0, 0)
    assert await ready("NOWHERE") == (1, 13)
    assert await ready("A1", A) == (0, 0)
    assert await ready("A1", D) == (1, 13)
    await world.rig.report(ConnectorState.FAULTED)
    assert await ready("A1") == (1, 2)
    await world.rig.report(ConnectorState.CHARGING)
    assert await ready("A1") == (1, 10)

    said = await world.hub.query_equip_business_policy(
        QueryEquipBusinessPolicy(equip_biz_seq=seq, connector_id="A1")
    )
    assert (said.succ_stat, said.sum_period) == (0, 1)
    (policy,) = said.policy_infos
    assert (policy.start_time, policy.elec_price) == ("000000", Decimal(1))
    assert policy.service_price == Decimal("0.5")
    await hub.directory.put_tariff(A, "t", 2, flat(hub, 1_000_010))
    fine = await world.hub.query_equip_business_policy(
        QueryEquipBusinessPolicy(equip_biz_seq=seq, connector_id="A1")
    )
    assert (fine.succ_stat, fine.fail_reason, fine.policy_infos) == (1, 1, [])
    assert await world.listed() == []


@ONE_ENGINE
async def test_a_bare_id_means_what_the_home_was_told_and_a_named_owner_its_own_connector(
    world: HomeWorld,
) -> None:
    digits = "095815801"
    await world.rig.hub.tcec102.aliases.of(Kind.CONNECTOR, [(A, "A1"), (A, "A2")])
    await second_host(world, digits)
    (theirs, mine) = await world.listed()
    told = theirs.equipment_infos[0].connector_infos[0].connector_id
    assert (mine.operator_id, theirs.operator_id) == (A, digits)

    async def begun(connector: str, **named: object) -> tuple[str, str]:
        seq = world.seq()
        await world.start(connector, seq=seq, extra=dict(named))
        session = await world.session_of(seq)
        return session.host_party_id, session.connector_id

    for bare in ({}, {"OperatorID": ""}, {"OperatorID": None}):
        assert await begun("A1", **bare) == (A, "A1")
        assert await begun(told, **bare) == (digits, "A1")
    # However the owner is written, its pile is meant, and never another's of the same name.
    for name in (digits, 95815801, f" {digits} "):
        assert await begun("A1", OperatorID=name) == (digits, "A1")
        assert await begun(told, operatorId=name) == (digits, "A1")
    for name in (A, A.lower()):
        assert await begun("A2", OperationID=name) == (A, "A2")
    for stranger in (D, "NOBODY000", 1, ["A"]):
        unknown = await world.start("A1", extra={"OperatorID": stranger})
        assert (unknown.succ_stat, unknown.fail_reason) == (1, 1)
    asked = QueryEquipAuth(equip_auth_seq=world.seq(), connector_id="A2", operator_id=A.lower())
    assert (await world.hub.query_equip_auth(asked)).succ_stat == 0


@ONE_ENGINE
async def test_statistics_are_of_the_homes_own_drivers(world: HomeWorld) -> None:
    rig, seq = world.rig, world.seq()
    await world.listed()
    await world.start(seq=seq)
    charge = await charge_of(rig, (await world.session_of(seq)).session_id)
    await charge.whole()
    day = format_time(charge.at(40), "Asia/Shanghai")[:10]
    asked = QueryStationStats(station_id="S1", start_time=day, end_time=day)
    stats = (await world.hub.query_station_stats(asked)).station_stats
    (pile,) = stats.equipment_stats_infos
    assert (stats.station_electricity, pile.equipment_electricity) == (Decimal("6.7"), Decimal("6.7"))
    assert [(one.connector_id, one.connector_electricity) for one in pile.connector_stats_infos] == [
        ("A1", Decimal("6.7")),
        ("A2", Decimal(0)),
    ]
    with pytest.raises(Tcec102Refused, match="no such station"):
        await world.hub.query_station_stats(replace(asked, station_id="S7"))
    with pytest.raises(Tcec102Refused, match="yyyy-MM-dd"):
        await world.hub.query_station_stats(replace(asked, start_time="today"))


@ONE_ENGINE
async def test_changed_states_are_told_of_connectors_that_the_home_knows(world: HomeWorld) -> None:
    rig = world.rig
    await rig.report(ConnectorState.CHARGING)
    await rig.work()
    assert world.home.heard("notification_stationStatus") == []
    await world.listed()
    await rig.report(ConnectorState.OCCUPIED)
    await rig.work()
    (said,) = world.home.heard("notification_stationStatus")
    assert (said.connector_status_info.connector_id, said.connector_status_info.status) == ("A1", 2)


@ONE_ENGINE
async def test_a_changed_station_is_told_as_it_is_now(world: HomeWorld) -> None:
    hub = world.rig.hub
    await world.listed()
    more = [*piles("A1", "A2")[0].connectors, Connector(connector_id="A3")]
    pile = replace(piles("A1")[0], connectors=more)
    await hub.directory.put_station(A, "S1", described(piles=[pile]))
    assert await world.listed() == []
    await hub.directory.put_station(A, "S1", described(details=replace(STATION_SAID, park_spaces=3)))
    (told,) = await world.listed()
    assert told.park_nums == 3
