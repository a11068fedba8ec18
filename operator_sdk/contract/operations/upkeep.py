"""What the hub serves about faults, alarms and work orders."""

from operator_sdk.contract.messages import upkeep
from operator_sdk.contract.messages.common import Empty, ListQuery, Message
from operator_sdk.contract.operations.model import Operation, Scope, op
from operator_sdk.contract.public_codes import Code

_ORDERS, _ORDER = "/v1/staff/work-orders", "/v1/staff/work-orders/{order_id}"
_READ, _WORK, _DISPATCH = "upkeep_read", "upkeep_work", "upkeep_dispatch"
_CHANGE = (Code.ID_REUSED, Code.STATE_CONFLICT)


def _change(name: str, request: type[Message], role: str, summary: str, *errors: Code) -> Operation:
    return op(
        f"{name}_work_order",
        f"POST {_ORDER}/{name}",
        request,
        upkeep.WorkOrderDetail,
        Scope.STAFF,
        summary,
        role=role,
        errors=(*_CHANGE, *errors),
        max_body=16_384,
    )


UPKEEP = (
    op("report_fault", "POST /v1/driver/faults", upkeep.FaultReport, upkeep.Fault, Scope.DRIVER,
        "Something is wrong with this connector",
        errors=(Code.ID_REUSED, Code.CONNECTOR_UNKNOWN, Code.RULE_VIOLATED), success=201, max_body=16_384),
    op("list_my_faults", "GET /v1/driver/faults", Empty, upkeep.FaultPage, Scope.DRIVER,
        "What I reported, and what came of it", paged=True, query=ListQuery),
    op("get_my_fault", "GET /v1/driver/faults/{fault_id}", Empty, upkeep.Fault, Scope.DRIVER,
        "One of my faults"),
    op("list_my_work_orders", "GET /v1/work-orders", Empty, upkeep.HostWorkOrderPage, Scope.OPERATOR,
        "Work orders at my piles", role="host", paged=True),
    op("create_work_order", f"POST {_ORDERS}", upkeep.WorkOrderCreate, upkeep.WorkOrderDetail, Scope.STAFF,
        "Open an order", role=_DISPATCH,
        errors=(*_CHANGE, Code.CONNECTOR_UNKNOWN, Code.RULE_VIOLATED), success=201, max_body=16_384),
    op("list_work_orders", f"GET {_ORDERS}", Empty, upkeep.WorkOrderPage, Scope.STAFF,
        "Orders; with latitude_e6 and longitude_e6 the nearest first", role=_READ, paged=True,
        query=upkeep.WorkOrderQuery),
    op("get_work_order", f"GET {_ORDER}", Empty, upkeep.WorkOrderDetail, Scope.STAFF,
        "One order with its history", role=_READ),
    _change("assign", upkeep.OrderAssign, _DISPATCH, "Give it to a worker", Code.RULE_VIOLATED),
    _change("take", upkeep.OrderChange, _WORK, "Take an open order: assigned to me and accepted"),
    _change("accept", upkeep.OrderChange, _WORK, "Accept what was assigned to me"),
    _change("start", upkeep.OrderChange, _WORK, "Begin the work"),
    _change("finish", upkeep.OrderChange, _WORK, "The work is done"),
    _change("confirm", upkeep.OrderClose, _DISPATCH, "It is done indeed (another person)",
        Code.SECOND_PERSON_NEEDED),
    _change("reopen", upkeep.OrderChange, _DISPATCH, "It is not done after all"),
    _change("cancel", upkeep.OrderClose, _DISPATCH, "Nothing is to be done"),
    _change("note", upkeep.OrderChange, _READ, "Add a note: the order's worker, or a dispatcher"),
    op("work_order_statistics", "GET /v1/staff/work-order-statistics", Empty, upkeep.WorkOrderStatistics,
        Scope.STAFF, "Counts, and how long orders take", role=_READ, query=upkeep.StatisticsQuery),
    op("list_alarms", "GET /v1/staff/alarms", Empty, upkeep.AlarmPage, Scope.STAFF, "Alarms", role=_READ,
        paged=True, query=upkeep.AlarmQuery),
    op("acknowledge_alarm", "POST /v1/staff/alarms/{alarm_id}/acknowledge", Empty, upkeep.Alarm, Scope.STAFF,
        "Somebody has seen it; again changes nothing", role=_DISPATCH, errors=(Code.STATE_CONFLICT,)),
)  # fmt: skip
