"""A driver's fault becomes a work order, is worked on, confirmed, and the driver is told; on both engines."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError, TooManyError
from hub.core.ids import SeededIds
from hub.parties.scope import HUB, of_driver, of_party
from hub.upkeep.faults import FAULTS_MOST
from hub.upkeep.model import Step
from operator_sdk.contract.codes import FaultKind, OrderPriority
from operator_sdk.contract.messages.upkeep import (
    OrderChange,
    StatisticsQuery,
    WorkOrderCreate,
    WorkOrderQuery,
)
from operator_sdk.contract.public_codes import Code
from tests.upkeep_world import ANN, BOB, DONE, A, C, World, make_world

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(database: Database, clock: ManualClock, ids: SeededIds) -> World:
    return await make_world(database, clock, ids)


async def code_of(refused: Any) -> Code:
    with pytest.raises(HubError) as refusal:
        await refused
    return refusal.value.code


async def test_a_fault_goes_from_report_to_confirmation_and_the_driver_is_told(world: World) -> None:
    fault = await world.report(text="红灯一直闪", photos=["https://p.example/1.jpg"])
    assert (fault.state, fault.order_state, fault.outcome) == ("open", "open", "")
    order = await world.order()
    assert (order.connector, order.station_id, order.station_name) == (f"A1.{A}", "S1", "南山一站")
    assert (order.latitude_e6, order.longitude_e6) == (22_540_000, 114_050_000)
    assert [one.text for one in order.faults] == ["红灯一直闪"]

    world.clock.advance(minutes=10)
    await world.step(Step.TAKE, "wes")
    world.clock.advance(minutes=50)
    await world.steps((Step.START, "wes"), (Step.FINISH, "wes"))
    assert (await world.upkeep.faults.one(ANN, fault.fault_id)).order_state == "done"
    order = await world.step(Step.CONFIRM, "dan", outcome="已更换急停按钮")

    assert [(one.from_state, one.to_state, one.who) for one in order.history] == [
        (None, "open", "driver"),
        ("open", "assigned", "wes"),
        ("assigned", "accepted", "wes"),
        ("accepted", "in_progress", "wes"),
        ("in_progress", "done", "wes"),
        ("done", "confirmed", "dan"),
    ]
    assert [one.number for one in order.history] == [1, 2, 3, 4, 5, 6]
    assert order.version == 6
    told = await world.upkeep.faults.one(ANN, fault.fault_id)
    assert (told.state, told.order_state, told.outcome) == ("resolved", "confirmed", "已更换急停按钮")
    assert told.updated_at == world.clock.business()


async def test_a_second_fault_on_the_connector_joins_the_order_and_both_drivers_are_told(world: World) -> None:
    first = await world.report(ANN)
    world.clock.advance(seconds=1)
    second = await world.report(BOB, kind=FaultKind.DAMAGED)
    order = await world.order()
    assert order.fault_count == 2
    assert [one.fault_id for one in order.faults] == [first.fault_id, second.fault_id]
    await world.step(Step.CANCEL, "dan", outcome="误报")
    for driver, fault in ((ANN, first), (BOB, second)):
        told = await world.upkeep.faults.one(driver, fault.fault_id)
        assert (told.state, told.order_state, told.outcome) == ("rejected", "cancelled", "误报")
    await world.report(ANN)
    assert len(await world.orders()) == 2, "a finished order takes no more faults"


@pytest.mark.parametrize(("before", "ending"), [(DONE, Step.CONFIRM), ((), Step.CANCEL)])
async def test_an_order_is_not_closed_by_who_has_not_seen_its_newest_fault(
    world: World, before: tuple[tuple[Step, str], ...], ending: Step
) -> None:
    await world.report(ANN)
    seen = await world.steps(*before)
    late = await world.report(BOB, text="现在冒烟了")
    refused = world.step(ending, "dan", version=seen.version, outcome="好了")
    assert await code_of(refused) == Code.STATE_CONFLICT
    order = await world.order()
    assert (order.state, order.version, len(order.history)) == (seen.state, seen.version + 1, order.version)
    assert (order.history[-1].who, order.history[-1].note) == ("driver", "wont_start at A1")
    assert (await world.upkeep.faults.one(BOB, late.fault_id)).state == "open"


async def test_faults_reported_at_the_same_moment_make_one_order(world: World) -> None:
    drivers = [of_driver(C, f"d{number}") for number in range(8)]
    await asyncio.gather(*(world.report(driver) for driver in drivers))
    order = await world.order()
    assert order.fault_count == 8 == len(order.faults)


async def test_the_same_report_again_changes_nothing_and_another_under_its_name_is_refused(
    world: World,
) -> None:
    first = await world.report(request_ref="f-1")
    await world.steps(*DONE)
    again = await world.report(request_ref="f-1")
    assert (again.fault_id, again.order_state) == (first.fault_id, "done")
    assert (await world.order()).fault_count == 1
    assert await code_of(world.report(request_ref="f-1", kind=FaultKind.OTHER)) == Code.ID_REUSED
    other = await world.report(BOB, request_ref="f-1", kind=FaultKind.OTHER)
    assert other.fault_id != first.fault_id, "ids are each driver's own"


async def test_a_report_is_refused_where_it_makes_no_sense_and_nothing_is_kept(world: World) -> None:
    assert await code_of(world.report(connector=f"X9.{A}")) == Code.CONNECTOR_UNKNOWN
    assert await code_of(world.report(connector=f"A1.{C}")) == Code.CONNECTOR_UNKNOWN
    nobodys = "ses_019aa000-0000-7000-8000-000000000001"
    assert await code_of(world.report(session_id=nobodys)) == Code.NOT_FOUND
    assert await world.orders() == []


async def test_a_driver_sees_his_own_faults_only(world: World) -> None:
    mine = await world.report(ANN)
    for stranger in (BOB, of_driver(A, "ann"), of_party(A), of_party("MA5BBBBB2")):
        if stranger == of_party(A):
            continue
        with pytest.raises(NotFoundError):
            await world.upkeep.faults.one(stranger, mine.fault_id)
    page = await world.upkeep.faults.mine(BOB, after=None, updated_since=None, limit=50)
    assert page.items == []


async def test_a_driver_with_too_much_to_report_comes_back_later(world: World) -> None:
    for _ in range(FAULTS_MOST):
        await world.report()
    with pytest.raises(TooManyError):
        await world.report()
    await world.report(BOB)
    world.clock.advance(hours=1, seconds=1)
    await world.report()


async def test_pages_of_faults_miss_none_while_they_change(world: World) -> None:
    made = []
    for connector in ("A1", "A2", "B1", "Z1"):
        made.append((await world.report(connector=f"{connector}.{A}")).fault_id)
        world.clock.advance(seconds=1)
    found, after = [], None
    while True:
        page = await world.upkeep.faults.mine(ANN, after=after, updated_since=None, limit=3)
        found += [one.fault_id for one in page.items]
        if page.next_after is None:
            break
        last = page.items[-1]
        after = (last.updated_at, last.fault_id)
    assert found == made


async def test_a_worker_acts_on_his_own_orders_only(world: World) -> None:
    await world.report()
    await world.step(Step.ASSIGN, "dan", assignee="xia")
    for step in (Step.ACCEPT, Step.NOTE):
        assert await code_of(world.step(step, "wes")) == Code.FORBIDDEN
    assert await code_of(world.step(Step.TAKE, "wes")) == Code.STATE_CONFLICT
    await world.step(Step.ACCEPT, "xia")
    await world.step(Step.START, "xia", note="开始", photos=["https://p.example/2.jpg"])
    await world.step(Step.ASSIGN, "dan", assignee="wes")
    assert await code_of(world.step(Step.FINISH, "xia")) == Code.FORBIDDEN
    order = await world.order()
    assert (order.assignee, order.state) == ("wes", "assigned")
    assert [one.photos for one in order.history if one.photos] == [["https://p.example/2.jpg"]]


async def test_only_a_worker_can_be_given_an_order(world: World) -> None:
    await world.report()
    for nobody in ("dan", "nobody"):
        assert await code_of(world.step(Step.ASSIGN, "dan", assignee=nobody)) == Code.RULE_VIOLATED
    assert (await world.order()).version == 1


async def test_nobody_confirms_his_own_work_not_even_by_a_login_he_made(world: World) -> None:
    await world.report()
    await world.steps((Step.TAKE, "boss"), (Step.START, "boss"), (Step.FINISH, "boss"))
    assert await code_of(world.step(Step.CONFIRM, "boss")) == Code.SECOND_PERSON_NEEDED
    assert (await world.step(Step.CONFIRM, "dan")).state == "confirmed"


async def test_what_has_moved_on_is_not_changed_by_who_has_not_seen_it(world: World) -> None:
    await world.report()
    await world.step(Step.ASSIGN, "dan")
    assert await code_of(world.step(Step.ASSIGN, "eve", version=1, assignee="xia")) == Code.STATE_CONFLICT
    assert await code_of(world.step(Step.CONFIRM, "dan")) == Code.STATE_CONFLICT
    assert (await world.order()).assignee == "wes"


async def test_of_two_workers_who_take_at_once_one_has_it(world: World) -> None:
    await world.report()
    results = await asyncio.gather(
        world.step(Step.TAKE, "wes"), world.step(Step.TAKE, "xia"), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, HubError)]
    assert [one.code for one in refused] == [Code.STATE_CONFLICT]
    order = await world.order()
    assert len(order.history) == 3
    assert order.assignee == order.history[1].who == order.history[2].who


async def test_the_same_step_again_is_taken_once(world: World) -> None:
    await world.report()
    order = await world.order()
    take = OrderChange(request_ref="t-1", version=order.version)
    for _ in range(2):
        taken = await world.upkeep.orders.change(Step.TAKE, order.order_id, take, actor="wes")
        assert (taken.state, taken.version) == ("accepted", 3)
    reused = world.upkeep.orders.change(Step.START, order.order_id, take, actor="wes")
    assert await code_of(reused) == Code.ID_REUSED


async def test_a_reopened_order_opens_its_faults_again_and_anybody_may_take_it(world: World) -> None:
    fault = await world.report()
    await world.steps(*DONE)
    await world.step(Step.CONFIRM, "dan", outcome="好了")
    await world.step(Step.REOPEN, "dan")
    told = await world.upkeep.faults.one(ANN, fault.fault_id)
    assert (told.state, told.order_state, told.outcome) == ("open", "reopened", "")
    order = await world.step(Step.TAKE, "xia")
    assert (order.assignee, order.done_at) == ("xia", None)


async def test_a_dispatcher_opens_an_order_and_may_do_so_again_for_the_same_connector(world: World) -> None:
    due = world.clock.business() + timedelta(days=2)
    create = WorkOrderCreate(
        request_ref="c-1", connector=f"A1.{A}", title="Yearly check", kind="patrol", due_at=due, note="ladder"
    )
    order = await world.upkeep.orders.create(create, actor="dan")
    assert (await world.upkeep.orders.create(create, actor="dan")).order_id == order.order_id
    assert (order.title, order.kind, order.due_at, order.history[0].note) == (
        "Yearly check",
        "patrol",
        due,
        "ladder",
    )
    await world.report()
    assert (await world.order()).fault_count == 1, "the driver's fault joins it"
    both = WorkOrderCreate(request_ref="c-2", connector=f"A1.{A}", alarm_id=order.order_id)
    neither = WorkOrderCreate(request_ref="c-3")
    for wrong in (both, neither):
        assert await code_of(world.upkeep.orders.create(wrong, actor="dan")) == Code.RULE_VIOLATED


async def test_the_list_is_narrowed_by_state_words_priority_lateness_host_and_mine(world: World) -> None:
    for connector in ("A1", "B1", "Z1"):
        await world.report(connector=f"{connector}.{A}")
        world.clock.advance(seconds=1)
    one, two, three = [order.order_id for order in await world.orders()]
    await world.step(Step.TAKE, "wes", two)
    await world.step(Step.ASSIGN, "dan", three, priority=OrderPriority.URGENT, assignee="xia")

    async def found(actor: str = "dan", **query: Any) -> set[str]:
        return {order.order_id for order in await world.orders(actor, **query)}

    assert await found(state="open,accepted") == {one, two}
    assert await found(priority=OrderPriority.URGENT) == {three}
    assert await found("wes", mine=True) == {two}
    assert await found("dan", mine=True) == set()
    assert await found(text="LUOHU") == {two}
    assert await found(text="南山") == {one}
    assert await found(text="%") == set(), "no pattern of its own"
    assert await found(host_party_id=A) == {one, two, three}
    assert await found(host_party_id=C) == set()
    assert await found(overdue=True) == set()
    world.clock.advance(hours=4)
    assert await found(overdue=True) == {three}
    world.clock.advance(days=3)
    assert await found(overdue=True) == {one, two, three}
    await world.step(Step.CANCEL, "dan", one)
    assert await found(overdue=True) == {two, three}


async def test_near_me_lists_living_orders_by_distance(world: World) -> None:
    for connector in ("Z1", "B1", "A1", "A2"):
        await world.report(connector=f"{connector}.{A}")
    here: dict[str, Any] = {"latitude_e6": 22_541_000, "longitude_e6": 114_050_000}
    near = await world.orders(**here)
    assert [order.station_id for order in near] == ["S1", "S1", "S2", "S3"]
    assert [order.distance_m for order in near[:2]] == [111, 111]
    assert 1_300 < (near[2].distance_m or 0) < 1_600
    assert 1_900_000 < (near[3].distance_m or 0) < 2_000_000
    await world.step(Step.CANCEL, "dan", near[0].order_id)
    assert len(await world.orders(**here)) == 3
    assert len(await world.orders(**here, state="cancelled")) == 1
    assert await code_of(world.orders(latitude_e6=1)) == Code.MALFORMED
    assert await code_of(world.orders(longitude_e6=1)) == Code.MALFORMED


async def test_a_host_sees_the_orders_at_its_own_piles_without_the_driver(world: World) -> None:
    fault = await world.report(text="call 13800001111", photos=["https://p.example/me.jpg"])
    page = await world.upkeep.orders.at_my_piles(of_party(A), after=None, updated_since=None, limit=50)
    (order,) = page.items
    assert (order.connector, order.state, order.fault_count) == (f"A1.{A}", "open", 1)
    for secret in ("13800001111", "me.jpg", fault.fault_id, "ann"):
        assert secret not in repr(order)
    for other in (of_party(C), ANN):
        page = await world.upkeep.orders.at_my_piles(other, after=None, updated_since=None, limit=50)
        assert page.items == []


async def test_statistics_count_exactly(world: World) -> None:
    spans = [(60, 600), (120, 1_200), (600, 7_200)]
    for connector, (accept_s, done_s) in zip(("A1", "B1", "Z1"), spans, strict=True):
        await world.report(connector=f"{connector}.{A}")
        (order,) = await world.orders(state="open")
        world.clock.advance(seconds=accept_s)
        await world.step(Step.TAKE, "wes", order.order_id)
        world.clock.advance(seconds=done_s - accept_s)
        await world.step(Step.START, "wes", order.order_id)
        await world.step(Step.FINISH, "wes", order.order_id)
    await world.report(connector=f"A2.{A}", kind=FaultKind.DAMAGED)
    world.clock.advance(days=4)
    found = await world.upkeep.statistics.all(HUB, StatisticsQuery())
    assert (found.total, found.overdue) == (4, 1)
    assert [(one.name, one.count) for one in found.states] == [("done", 3), ("open", 1)]
    assert [(one.name, one.count) for one in found.kinds] == [("damaged", 1), ("wont_start", 3)]
    assert [(one.name, one.count) for one in found.hosts] == [(A, 4)]
    assert (found.to_accept.count, found.to_accept.median_s, found.to_accept.p90_s) == (3, 120, 600)
    assert (found.to_done.count, found.to_done.median_s, found.to_done.p90_s) == (3, 1_200, 7_200)
    nothing = await world.upkeep.statistics.all(HUB, StatisticsQuery(host_party_id=C))
    assert (nothing.total, nothing.to_done.median_s) == (0, None)


async def test_pages_of_orders_go_on_where_they_ended(world: World) -> None:
    for connector in ("A1", "A2", "B1", "Z1"):
        await world.report(connector=f"{connector}.{A}")
    found, after = [], None
    while True:
        page = await world.upkeep.orders.many(
            HUB, WorkOrderQuery(), actor="dan", after=after, updated_since=None, limit=1
        )
        found += page.items
        if page.next_after is None:
            break
        after = (page.items[-1].updated_at, page.items[-1].order_id)
    assert len({order.order_id for order in found}) == 4 == len(found)
