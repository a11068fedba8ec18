"""Upkeep through the front door: driver, dispatcher, worker and host, each with the SDK, on both engines."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.upkeep.tables_alarms import AlarmRow
from operator_sdk import AsyncHubClient, BearerToken, Conflict, Forbidden, HubClient, NotFound, Patience
from operator_sdk.contract.codes import AlarmState, ConnectorState, FaultKind, OrderPriority
from operator_sdk.contract.messages.upkeep import (
    AlarmQuery,
    FaultReport,
    OrderAssign,
    OrderChange,
    OrderClose,
    StatisticsQuery,
    WorkOrderCreate,
    WorkOrderQuery,
)
from tests.rig import A, B, C, Rig, open_rig
from tests.rig_charges import begin_by_driver

pytestmark = pytest.mark.integration

HERE = WorkOrderQuery(latitude_e6=22_541_000, longitude_e6=114_050_000)


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def staff(rig: Rig, login: str, role: str) -> AsyncHubClient:
    """Somebody of the staff, signed in."""
    token = await rig.staff_token(login, role)
    return AsyncHubClient(rig.url, BearerToken(token), patience=Patience(attempts=1))


async def test_a_fault_is_reported_found_near_taken_repaired_confirmed_and_told(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    report = FaultReport(
        request_ref="f-1",
        connector=f"A1.{A}",
        kind=FaultKind.WONT_STOP,
        text="停不下来",
        photos=["https://photos.example/1.jpg"],
        session_id=session.session_id,
    )
    fault = await rig.driver().report_fault(report)
    assert (await rig.driver().report_fault(report)).fault_id == fault.fault_id
    with pytest.raises(NotFound):
        await rig.driver(C, "somebody").get_my_fault(fault.fault_id)

    async with await staff(rig, "dan", "dispatcher") as dan, await staff(rig, "wes", "maintenance") as wes:
        (order,) = (await wes.list_work_orders(HERE)).items
        assert (order.distance_m, order.station_name, order.fault_count) == (111, "一站", 1)
        taken = await wes.take_work_order(order.order_id, OrderChange(request_ref="s-1", version=order.version))
        mine = await wes.list_work_orders(WorkOrderQuery(mine=True, state="accepted", overdue=False))
        assert [one.order_id for one in mine.items] == [order.order_id]
        assert (await dan.list_work_orders(WorkOrderQuery(mine=True))).items == []
        begun = await wes.start_work_order(
            order.order_id, OrderChange(request_ref="s-2", version=taken.version)
        )
        with pytest.raises(Conflict):
            await wes.finish_work_order(order.order_id, OrderChange(request_ref="s-3", version=taken.version))
        done = await wes.finish_work_order(
            order.order_id, OrderChange(request_ref="s-4", version=begun.version, note="接触器更换")
        )
        close = OrderClose(request_ref="s-5", version=done.version, outcome="已修好")
        with pytest.raises(Forbidden):
            await wes.confirm_work_order(order.order_id, close)
        confirmed = await dan.confirm_work_order(order.order_id, close)
        assert [one.to_state for one in confirmed.history] == [
            "open",
            "assigned",
            "accepted",
            "in_progress",
            "done",
            "confirmed",
        ]
        counted = await dan.work_order_statistics(StatisticsQuery(host_party_id=A))
        assert (counted.total, counted.to_done.count) == (1, 1)
    await check_told(rig, fault.fault_id, order.order_id)


async def check_told(rig: Rig, fault_id: str, order_id: str) -> None:
    """The driver reads the outcome, the host sees that it is over, another operator nothing."""
    (told,) = (await rig.driver().list_my_faults()).items
    assert (told.state, told.order_state, told.outcome) == ("resolved", "confirmed", "已修好")
    assert told == await rig.driver().get_my_fault(fault_id)
    (seen,) = (await rig.client(A).list_my_work_orders()).items
    assert (seen.order_id, seen.state, seen.outcome) == (order_id, "confirmed", "已修好")
    with pytest.raises(Forbidden):
        await rig.client(B).list_my_work_orders()


async def test_a_faulted_connector_is_an_alarm_that_a_dispatcher_makes_an_order_of(rig: Rig) -> None:
    await rig.report(ConnectorState.FAULTED, "A2")
    async with await staff(rig, "dan", "dispatcher") as dan, await staff(rig, "wes", "maintenance") as wes:
        (alarm,) = (await wes.list_alarms(AlarmQuery(state=AlarmState.RAISED, host_party_id=A))).items
        with pytest.raises(Forbidden):
            await wes.acknowledge_alarm(alarm.alarm_id)
        assert (await dan.acknowledge_alarm(alarm.alarm_id)).acknowledged_by == "dan"
        create = WorkOrderCreate(request_ref="c-1", alarm_id=alarm.alarm_id, priority=OrderPriority.HIGH)
        order = await dan.create_work_order(create)
        assert (order.kind, order.connector, order.alarms[0].alarm_id) == (
            "connector_faulted",
            f"A2.{A}",
            alarm.alarm_id,
        )
        given = await dan.assign_work_order(
            order.order_id, OrderAssign(request_ref="c-2", version=order.version, assignee="wes")
        )
        noted = await wes.note_work_order(
            order.order_id, OrderChange(request_ref="c-3", version=given.version, note="带备件")
        )
        gone = await dan.cancel_work_order(
            order.order_id, OrderClose(request_ref="c-4", version=noted.version, outcome="自行恢复")
        )
        assert (gone.state, gone.history[-2].note) == ("cancelled", "带备件")
        assert gone == await wes.get_work_order(order.order_id)
    await rig.report(ConnectorState.AVAILABLE, "A2")
    (row,) = await rig.rows(AlarmRow)
    assert row.state == "cleared"


async def test_the_sync_client_says_the_same(rig: Rig) -> None:
    token = rig.token(C, rig.customer.customer_id)

    def report() -> str:
        with HubClient(rig.url, BearerToken(token)) as driver:
            made = driver.report_fault(
                FaultReport(request_ref="f-1", connector=f"A1.{A}", kind=FaultKind.DISPLAY)
            )
            return driver.get_my_fault(made.fault_id).kind

    assert await asyncio.to_thread(report) == "display"
