"""A fault that a driver reports: a worker finds it near and mends it, a dispatcher confirms."""

from operator_sdk.chance import fresh_id
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.upkeep import OrderChange, OrderClose, WorkOrderDetail, WorkOrderQuery
from operator_sdk.examples.demo.administrator import A
from operator_sdk.examples.demo.patience import until
from operator_sdk.examples.demo.people import People
from operator_sdk.examples.demo.phone import Phone
from operator_sdk.examples.demo.report import Repair
from operator_sdk.examples.demo.screen import Screen
from operator_sdk.examples.demo.trouble import Trouble

TOLD_S = 10
OUTCOME = "屏幕已更换, 谢谢您的反馈 The display was replaced; thank you"


async def play(people: People, driver: Phone, connector_id: str, screen: Screen) -> Repair:
    """From the driver's report to what the driver is told.

    Raises:
        Trouble: the order is not found near, or the driver is not told.
    """
    connector = connector_ref(A, connector_id)
    async with screen.step("司机报障", "a driver reports a fault"):
        fault = await driver.report_fault(connector, "DISPLAY", "屏幕不亮 The display stays dark")
    async with screen.step(
        "维修员就近找到、接单、修好", "a worker finds it near, takes it, mends it"
    ) as detail:
        order = await _near(people, connector)
        order = await people.worker.take_work_order(order.order_id, _change(order))
        order = await people.worker.start_work_order(order.order_id, _change(order))
        order = await people.worker.finish_work_order(
            order.order_id, _change(order, "换了屏幕 display replaced")
        )
        detail.append(order.title)
    async with screen.step("调度员确认, 司机得到答复", "a dispatcher confirms, the driver is told") as detail:
        close = OrderClose(request_ref=fresh_id("order"), version=order.version, outcome=OUTCOME)
        order = await people.dispatcher.confirm_work_order(order.order_id, close)
        await _told(driver, str(fault["id"]))
        states = [step.to_state for step in order.history if step.from_state != step.to_state]
        detail.append(" → ".join(states))
    return Repair(order.order_id, states)


async def _near(people: People, connector: str) -> WorkOrderDetail:
    """The worker stands at the pile and looks for what is open nearby."""
    place = await people.where(connector)
    query = WorkOrderQuery(state="open", latitude_e6=place.latitude_e6, longitude_e6=place.longitude_e6)
    found = (await people.worker.list_work_orders(query, limit=10)).items
    mine = [one for one in found if one.connector == connector and one.fault_count]
    if not mine:
        raise Trouble("the worker did not find the order nearby")
    return await people.worker.get_work_order(mine[0].order_id)


async def _told(driver: Phone, fault_id: str) -> None:
    async def told() -> bool | None:
        mine = [one for one in await driver.faults() if one["id"] == fault_id]
        return True if mine and mine[0]["stateText"] == "resolved" and mine[0]["outcome"] == OUTCOME else None

    await until(told, within_s=TOLD_S, missing="the driver was not told what came of the report")


def _change(order: WorkOrderDetail, note: str = "") -> OrderChange:
    return OrderChange(request_ref=fresh_id("order"), version=order.version, note=note)
