"""Alarms on both engines: one while a fault lasts, an order at once where it is urgent."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import update

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.core.ids import SeededIds
from hub.sites.model import BAD_ITEM, BILL_REFUSED, PROOF_WRONG, SUPERSEDED
from hub.sites.ports import SeenFault
from hub.upkeep.model import MOMENTARY_CODES, URGENT_CODES, Step
from hub.upkeep.tables import WorkOrderStepRow
from operator_sdk.contract.codes import AlarmState, ConnectorState
from operator_sdk.contract.messages.directory import ConnectorStatus, StatusPush
from operator_sdk.contract.messages.upkeep import WorkOrderCreate
from operator_sdk.contract.public_codes import Code
from tests.upkeep_world import A, World, make_world

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(database: Database, clock: ManualClock, ids: SeededIds) -> World:
    return await make_world(database, clock, ids)


async def code_of(refused: Any) -> Code:
    with pytest.raises(HubError) as refusal:
        await refused
    return refusal.value.code


async def test_a_fault_that_repeats_is_one_alarm_and_later_another(world: World) -> None:
    begun = world.clock.business()
    for _ in range(3):
        await world.seen("fan")
        world.clock.advance(seconds=10)
    (alarm,) = await world.alarms()
    assert (alarm.count, alarm.first_at, alarm.last_at) == (3, begun, begun + timedelta(seconds=20))
    assert (alarm.state, alarm.urgent, alarm.connector, alarm.site_id) == ("raised", False, f"A1.{A}", "site-1")
    assert await world.orders() == [], "nobody is sent out for a fan"

    await world.seen("fan", cleared=True)
    (alarm,) = await world.alarms()
    assert (alarm.state, alarm.cleared_at) == ("cleared", begun + timedelta(seconds=30))
    world.clock.advance(seconds=10)
    await world.seen("fan", cleared=True)
    await world.seen("fan")
    states = [(one.state, one.count) for one in await world.alarms()]
    assert states == [("cleared", 3), ("raised", 1)]


async def test_faults_of_other_places_and_codes_are_other_alarms(world: World) -> None:
    await world.seen("fan")
    await world.seen("fan", connector_id="A2")
    await world.seen("fan", connector_id=None)
    await world.seen("door")
    assert len(await world.alarms()) == 4
    await world.seen("fan", connector_id=None, cleared=True)
    assert [one.connector for one in await world.alarms(state=AlarmState.CLEARED)] == [None]


async def test_a_fault_seen_by_many_at_once_is_counted_exactly(world: World) -> None:
    await asyncio.gather(*(world.seen("leakage") for _ in range(8)))
    (alarm,) = await world.alarms()
    assert alarm.count == 8
    assert (await world.order()).alarm_count == 1


@pytest.mark.parametrize("code", sorted(URGENT_CODES))
async def test_an_urgent_fault_opens_an_order_by_itself(world: World, code: str) -> None:
    await world.seen(code)
    await world.seen(code)
    order = await world.order()
    assert (order.priority, order.kind, order.connector, order.history[0].who) == (
        "urgent",
        code,
        f"A1.{A}",
        "hub",
    )
    assert order.due_at == world.clock.business() + timedelta(hours=4)
    assert [one.count for one in order.alarms] == [2]


async def test_an_urgent_fault_makes_the_order_that_is_there_urgent(world: World) -> None:
    await world.report()
    await world.step(Step.TAKE, "wes")
    await world.seen("insulation")
    order = await world.order()
    assert (order.priority, order.alarm_count, order.fault_count, order.state) == ("urgent", 1, 1, "accepted")
    assert (order.history[-1].note, order.history[-1].who) == ("insulation at A1", "hub")
    assert order.version == len(order.history) == 4


async def test_an_urgent_fault_of_a_site_without_a_place_still_opens_an_order(world: World) -> None:
    await world.seen("emergency_stop", connector_id=None)
    order = await world.order()
    assert (order.connector, order.latitude_e6, order.station_name) == (None, None, "site-1")
    assert await world.orders(latitude_e6=0, longitude_e6=0) == []


async def test_urgent_faults_of_one_site_share_an_order_until_it_is_closed(world: World) -> None:
    for _ in range(5):
        await world.seen("leakage", connector_id=None)
        await world.seen("leakage", connector_id=None, cleared=True)
    order = await world.order()
    assert (order.alarm_count, len(order.alarms), order.connector) == (5, 5, None)
    await world.seen("leakage", connector_id=None, site_id="site-2")
    assert sorted(one.station_name for one in await world.orders()) == ["site-1", "site-2"]
    await world.step(Step.CANCEL, "dan", order.order_id)
    await world.seen("emergency_stop", connector_id=None)
    assert sorted(one.state for one in await world.orders()) == ["cancelled", "open", "open"]


async def test_a_connector_that_its_host_reports_faulted_raises_an_alarm_until_it_is_well(world: World) -> None:
    await world.status(ConnectorState.AVAILABLE)
    assert await world.alarms() == []
    world.clock.advance(seconds=60)
    await world.status(ConnectorState.FAULTED)
    faulted_at = world.clock.business()
    assert await world.status(ConnectorState.AVAILABLE, at=faulted_at - timedelta(seconds=1)) == 0
    (alarm,) = await world.alarms()
    assert (alarm.code, alarm.state, alarm.connector, alarm.site_id) == (
        "connector_faulted",
        "raised",
        f"A1.{A}",
        None,
    )
    world.clock.advance(seconds=60)
    await world.status(ConnectorState.FAULTED)
    await world.status(ConnectorState.CHARGING, "A2")
    (alarm,) = await world.alarms()
    assert (alarm.state, alarm.count) == ("raised", 2)
    world.clock.advance(seconds=60)
    await world.status(ConnectorState.OCCUPIED)
    (alarm,) = await world.alarms()
    assert (alarm.state, alarm.cleared_at) == ("cleared", world.clock.business())


async def test_news_that_come_late_neither_raise_nor_clear_an_alarm(world: World) -> None:
    begun = world.clock.business()
    world.clock.advance(seconds=60)
    await world.status(ConnectorState.AVAILABLE)
    late = ConnectorStatus(connector_id="A1", state=ConnectorState.FAULTED, at=begun)
    news = ConnectorStatus(connector_id="A2", state=ConnectorState.AVAILABLE, at=begun)
    pushed = await world.directory.push_status(A, StatusPush(statuses=[late, news]))
    assert pushed.written == 1
    assert await world.alarms() == []
    await world.seen("fan")
    await world.seen("fan", cleared=True, at=begun)
    assert [one.state for one in await world.alarms()] == ["raised"]


async def test_a_fault_that_clears_and_returns_within_one_report_is_another_alarm(world: World) -> None:
    await world.seen("fan")
    at = world.clock.business()
    async with world.database.unit() as unit:
        for cleared in (True, False):
            fault = SeenFault(
                host_party_id=A, site_id="site-1", connector_id="A1", code="fan", at=at, cleared=cleared
            )
            await world.upkeep.fault_seen(unit, fault)
    assert sorted(one.state for one in await world.alarms()) == ["cleared", "raised"]


async def test_a_code_of_any_length_is_kept_short_and_still_one_alarm(world: World) -> None:
    await world.seen("x" * 500)
    await world.seen("x" * 500)
    (alarm,) = await world.alarms()
    assert (alarm.code, alarm.count) == ("x" * 40, 2)
    await world.seen("x" * 500, cleared=True)
    assert len(await world.alarms(state=AlarmState.CLEARED)) == 1


async def test_an_alarm_is_acknowledged_once_by_the_first_who_sees_it(world: World) -> None:
    await world.seen("fan")
    (alarm,) = await world.alarms()
    first = await world.upkeep.alarms.acknowledge(alarm.alarm_id, actor="dan")
    again = await world.upkeep.alarms.acknowledge(alarm.alarm_id, actor="eve")
    assert (first.state, again.acknowledged_by) == ("acknowledged", "dan")
    await world.seen("fan")
    (alarm,) = await world.alarms()
    assert (alarm.state, alarm.count) == ("acknowledged", 2)
    await world.seen("door")
    await world.seen("door", cleared=True)
    (gone,) = await world.alarms(state=AlarmState.CLEARED)
    assert await code_of(world.upkeep.alarms.acknowledge(gone.alarm_id, actor="dan")) == Code.STATE_CONFLICT


def test_what_does_not_last_is_what_the_hub_sees_in_a_sites_link() -> None:
    assert {BAD_ITEM, BILL_REFUSED, PROOF_WRONG, SUPERSEDED} == MOMENTARY_CODES


@pytest.mark.parametrize("code", sorted(MOMENTARY_CODES))
async def test_what_does_not_last_is_raised_again_after_it_was_acknowledged(world: World, code: str) -> None:
    await world.seen(code, connector_id=None)
    before = world.clock.business()
    world.clock.advance(seconds=10)
    (alarm,) = await world.alarms()
    await world.upkeep.alarms.acknowledge(alarm.alarm_id, actor="dan")
    await world.seen(code, connector_id=None, at=before)
    (alarm,) = await world.alarms()
    assert (alarm.state, alarm.acknowledged_by) == ("acknowledged", "dan"), "it was seen with the first"
    world.clock.advance(hours=1)
    await world.seen(code, connector_id=None)
    (alarm,) = await world.alarms()
    assert (alarm.state, alarm.count, alarm.acknowledged_by, alarm.acknowledged_at) == ("raised", 3, None, None)
    again = await world.upkeep.alarms.acknowledge(alarm.alarm_id, actor="eve")
    assert (again.state, again.acknowledged_by) == ("acknowledged", "eve")


async def test_an_order_is_opened_out_of_an_alarm_once(world: World) -> None:
    await world.seen("fan")
    (alarm,) = await world.alarms()
    create = WorkOrderCreate(request_ref="c-1", alarm_id=alarm.alarm_id)
    order = await world.upkeep.orders.create(create, actor="dan")
    assert (order.title, order.kind, order.station_id) == ("fan at A1", "fan", "S1")
    assert [one.alarm_id for one in order.alarms] == [alarm.alarm_id]
    second = WorkOrderCreate(request_ref="c-2", alarm_id=alarm.alarm_id)
    assert await code_of(world.upkeep.orders.create(second, actor="eve")) == Code.STATE_CONFLICT
    await world.step(Step.CANCEL, "dan")
    again = await world.upkeep.orders.create(second, actor="eve")
    assert again.order_id != order.order_id


async def test_history_is_never_changed(world: World) -> None:
    await world.report()
    with pytest.raises(DBAPIError):
        async with world.database.unit() as unit:
            await unit.execute(update(WorkOrderStepRow).values(who="nobody"))
    assert (await world.order()).history[0].who == "driver"
