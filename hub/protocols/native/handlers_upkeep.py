"""Handlers: faults of drivers, work orders of staff and hosts, alarms."""

from hub.protocols.native.call import Call, Handler
from hub.upkeep.model import Step
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.upkeep import (
    Alarm,
    AlarmPage,
    AlarmQuery,
    Fault,
    FaultPage,
    FaultReport,
    HostWorkOrderPage,
    OrderChange,
    StatisticsQuery,
    WorkOrderCreate,
    WorkOrderDetail,
    WorkOrderPage,
    WorkOrderQuery,
    WorkOrderStatistics,
)

DISPATCH = "upkeep_dispatch"


async def report_fault(call: Call, report: FaultReport) -> Fault:
    """Something is wrong with this connector."""
    return await call.services.upkeep.faults.report(call.viewer, report)


async def list_my_faults(call: Call, _: Empty) -> FaultPage:
    """The calling driver's faults."""
    return await call.services.upkeep.faults.mine(
        call.viewer,
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit,
        newest=call.newest_first,
    )


async def get_my_fault(call: Call, _: Empty) -> Fault:
    """One of them."""
    return await call.services.upkeep.faults.one(call.viewer, call.path["fault_id"])


async def list_my_work_orders(call: Call, _: Empty) -> HostWorkOrderPage:
    """Orders at the calling host's piles."""
    return await call.services.upkeep.orders.at_my_piles(
        call.viewer, after=call.after, updated_since=call.updated_since, limit=call.limit
    )


async def create_work_order(call: Call, request: WorkOrderCreate) -> WorkOrderDetail:
    """Open an order."""
    return await call.services.upkeep.orders.create(request, actor=call.subject)


async def list_work_orders(call: Call, _: Empty) -> WorkOrderPage:
    """Orders, narrowed."""
    return await call.services.upkeep.orders.many(
        call.viewer,
        call.asked(WorkOrderQuery),
        actor=call.subject,
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit,
    )


async def get_work_order(call: Call, _: Empty) -> WorkOrderDetail:
    """One order."""
    return await call.services.upkeep.orders.one(call.viewer, call.path["order_id"])


async def change_work_order(call: Call, request: OrderChange) -> WorkOrderDetail:
    """Every step of an order; the operation's id begins with the step."""
    return await call.services.upkeep.orders.change(
        Step(call.operation.id.partition("_")[0]),
        call.path["order_id"],
        request,
        actor=call.subject,
        may_dispatch=DISPATCH in call.principal.roles,
    )


async def work_order_statistics(call: Call, _: Empty) -> WorkOrderStatistics:
    """Counts and spans."""
    return await call.services.upkeep.statistics.all(call.viewer, call.asked(StatisticsQuery))


async def list_alarms(call: Call, _: Empty) -> AlarmPage:
    """Alarms, narrowed."""
    return await call.services.upkeep.alarms.many(
        call.viewer,
        call.asked(AlarmQuery),
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit,
    )


async def acknowledge_alarm(call: Call, _: Empty) -> Alarm:
    """Somebody has seen it."""
    return await call.services.upkeep.alarms.acknowledge(call.path["alarm_id"], actor=call.subject)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        report_fault,
        list_my_faults,
        get_my_fault,
        list_my_work_orders,
        create_work_order,
        list_work_orders,
        get_work_order,
        work_order_statistics,
        list_alarms,
        acknowledge_alarm,
    )
} | {f"{step}_work_order": change_work_order for step in Step}
