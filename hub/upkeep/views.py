"""Rows as messages: one view for the driver, one for the host, one for the staff."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from hub.upkeep.model import LIVING
from hub.upkeep.tables import WorkOrderRow, WorkOrderStepRow
from hub.upkeep.tables_alarms import AlarmRow
from hub.upkeep.tables_faults import FaultRow
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.upkeep import (
    Alarm,
    Fault,
    HostWorkOrder,
    OrderFault,
    OrderStep,
    WorkOrder,
    WorkOrderDetail,
)

_PHOTOS = msgspec.json.Decoder(list[str])


def fault_view(row: FaultRow) -> Fault:
    """To the driver who reported it."""
    return Fault(
        fault_id=row.fault_id,
        request_ref=row.request_ref,
        connector=connector_ref(row.host_party_id, row.connector_id),
        station_name=row.station_name,
        kind=row.kind,
        text=row.text,
        photos=_PHOTOS.decode(row.photos),
        session_id=row.session_id,
        state=row.state,
        order_state=row.order_state,
        outcome=row.outcome,
        reported_at=row.reported_at,
        updated_at=row.updated_at,
    )


def host_view(row: WorkOrderRow, now: datetime) -> HostWorkOrder:
    """To the host of the pile: no words of drivers or staff but the outcome."""
    return HostWorkOrder(
        order_id=row.order_id,
        state=row.state,
        kind=row.kind,
        priority=row.priority,
        due_at=row.due_at,
        overdue=_is_overdue(row, now),
        host_party_id=row.host_party_id,
        connector=_connector(row),
        station_id=row.station_id,
        fault_count=row.fault_count,
        alarm_count=row.alarm_count,
        outcome=row.outcome,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def order_view(row: WorkOrderRow, now: datetime, distance_m: int | None = None) -> WorkOrder:
    """To the staff, in a list."""
    return WorkOrder(**_order(row, now), distance_m=distance_m)


def detail_view(
    row: WorkOrderRow,
    now: datetime,
    *,
    steps: Iterable[WorkOrderStepRow],
    faults: Iterable[FaultRow],
    alarms: Iterable[AlarmRow],
) -> WorkOrderDetail:
    """To the staff, with everything on it."""
    return WorkOrderDetail(
        **_order(row, now),
        history=[_step(step) for step in steps],
        faults=[
            OrderFault(
                fault_id=fault.fault_id,
                kind=fault.kind,
                text=fault.text,
                photos=_PHOTOS.decode(fault.photos),
                reported_at=fault.reported_at,
            )
            for fault in faults
        ],
        alarms=[alarm_view(alarm) for alarm in alarms],
    )


def alarm_view(row: AlarmRow) -> Alarm:
    """To the staff."""
    return Alarm(
        alarm_id=row.alarm_id,
        host_party_id=row.host_party_id,
        connector=_connector(row),
        site_id=row.site_id,
        code=row.code,
        text=row.text,
        count=row.count,
        urgent=row.urgent,
        state=row.state,
        first_at=row.first_at,
        last_at=row.last_at,
        cleared_at=row.cleared_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        order_id=row.order_id,
        updated_at=row.updated_at,
    )


def _order(row: WorkOrderRow, now: datetime) -> dict[str, Any]:
    return {
        "order_id": row.order_id,
        "version": row.version,
        "state": row.state,
        "title": row.title,
        "kind": row.kind,
        "priority": row.priority,
        "due_at": row.due_at,
        "overdue": _is_overdue(row, now),
        "assignee": row.assignee,
        "host_party_id": row.host_party_id,
        "connector": _connector(row),
        "station_id": row.station_id,
        "station_name": row.station_name,
        "latitude_e6": row.latitude_e6,
        "longitude_e6": row.longitude_e6,
        "fault_count": row.fault_count,
        "alarm_count": row.alarm_count,
        "outcome": row.outcome,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "accepted_at": row.accepted_at,
        "done_at": row.done_at,
    }


def _step(row: WorkOrderStepRow) -> OrderStep:
    return OrderStep(
        number=row.number,
        who=row.who,
        at=row.at,
        from_state=row.from_state,
        to_state=row.to_state,
        note=row.note,
        photos=_PHOTOS.decode(row.photos),
    )


def _is_overdue(row: WorkOrderRow, now: datetime) -> bool:
    return row.state in LIVING and row.due_at < now


def _connector(row: WorkOrderRow | AlarmRow) -> str | None:
    return row.connector_id and connector_ref(row.host_party_id, row.connector_id)
