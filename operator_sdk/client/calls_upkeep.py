"""The typed calls of upkeep: drivers report, hosts look, staff repair."""

from datetime import datetime
from typing import TypeVar

import msgspec

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import upkeep
from operator_sdk.contract.messages.common import Message

Reply = TypeVar("Reply")


def _call(operation_id: str, reply: type[Reply], message: Message | None = None, **path: str) -> Call[Reply]:
    return Call(hub_operation(operation_id), reply, message, path)


def _page(
    operation_id: str,
    reply: type[Reply],
    limit: int | None,
    after: str | None,
    updated_since: datetime | None,
    asked: Message | None = None,
) -> Call[Reply]:
    query: dict[str, QueryValue] = {"limit": limit, "after": after, "updated_since": updated_since}
    return Call(hub_operation(operation_id), reply, None, {}, query | _query(asked))


def _query(asked: Message | None) -> dict[str, QueryValue]:
    """What was asked for beyond what is meant anyway."""
    fields = {} if asked is None else msgspec.to_builtins(asked)
    return {name: _plain(value) for name, value in fields.items() if value not in {None, False}}


def _plain(value: str | int) -> str | int:
    return "true" if value is True else value


def report_fault(message: upkeep.FaultReport) -> Call[upkeep.Fault]:
    """Driver: something is wrong with this connector."""
    return _call("report_fault", upkeep.Fault, message)


def list_my_faults(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[upkeep.FaultPage]:
    """Driver: what I reported, and what came of it."""
    return _page("list_my_faults", upkeep.FaultPage, limit, after, updated_since)


def get_my_fault(fault_id: str) -> Call[upkeep.Fault]:
    """Driver: one of my faults."""
    return _call("get_my_fault", upkeep.Fault, fault_id=fault_id)


def list_my_work_orders(
    *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[upkeep.HostWorkOrderPage]:
    """Host: work orders at my piles."""
    return _page("list_my_work_orders", upkeep.HostWorkOrderPage, limit, after, updated_since)


def create_work_order(message: upkeep.WorkOrderCreate) -> Call[upkeep.WorkOrderDetail]:
    """Dispatcher: open an order."""
    return _call("create_work_order", upkeep.WorkOrderDetail, message)


def list_work_orders(
    query: upkeep.WorkOrderQuery, *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[upkeep.WorkOrderPage]:
    """Staff: orders, narrowed; the nearest first where a place is given."""
    return _page("list_work_orders", upkeep.WorkOrderPage, limit, after, updated_since, query)


def get_work_order(order_id: str) -> Call[upkeep.WorkOrderDetail]:
    """Staff: one order with its history."""
    return _call("get_work_order", upkeep.WorkOrderDetail, order_id=order_id)


def assign_work_order(order_id: str, message: upkeep.OrderAssign) -> Call[upkeep.WorkOrderDetail]:
    """Dispatcher: give an order to a worker."""
    return _call("assign_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def take_work_order(order_id: str, message: upkeep.OrderChange) -> Call[upkeep.WorkOrderDetail]:
    """Worker: take an open order."""
    return _call("take_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def accept_work_order(order_id: str, message: upkeep.OrderChange) -> Call[upkeep.WorkOrderDetail]:
    """Worker: accept what was assigned to me."""
    return _call("accept_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def start_work_order(order_id: str, message: upkeep.OrderChange) -> Call[upkeep.WorkOrderDetail]:
    """Worker: begin the work."""
    return _call("start_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def finish_work_order(order_id: str, message: upkeep.OrderChange) -> Call[upkeep.WorkOrderDetail]:
    """Worker: the work is done."""
    return _call("finish_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def confirm_work_order(order_id: str, message: upkeep.OrderClose) -> Call[upkeep.WorkOrderDetail]:
    """Dispatcher: it is done indeed."""
    return _call("confirm_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def reopen_work_order(order_id: str, message: upkeep.OrderChange) -> Call[upkeep.WorkOrderDetail]:
    """Dispatcher: it is not done after all."""
    return _call("reopen_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def cancel_work_order(order_id: str, message: upkeep.OrderClose) -> Call[upkeep.WorkOrderDetail]:
    """Dispatcher: nothing is to be done."""
    return _call("cancel_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def note_work_order(order_id: str, message: upkeep.OrderChange) -> Call[upkeep.WorkOrderDetail]:
    """Add a note to an order."""
    return _call("note_work_order", upkeep.WorkOrderDetail, message, order_id=order_id)


def work_order_statistics(query: upkeep.StatisticsQuery) -> Call[upkeep.WorkOrderStatistics]:
    """Staff: counts, and how long orders take."""
    return Call(hub_operation("work_order_statistics"), upkeep.WorkOrderStatistics, None, {}, _query(query))


def list_alarms(
    query: upkeep.AlarmQuery, *, limit: int | None, after: str | None, updated_since: datetime | None
) -> Call[upkeep.AlarmPage]:
    """Staff: alarms."""
    return _page("list_alarms", upkeep.AlarmPage, limit, after, updated_since, query)


def acknowledge_alarm(alarm_id: str) -> Call[upkeep.Alarm]:
    """Dispatcher: I have seen it."""
    return _call("acknowledge_alarm", upkeep.Alarm, alarm_id=alarm_id)
