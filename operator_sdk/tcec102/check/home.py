"""A home's interfaces, called by us as a host about a charge that never was: T/CEC 102.3. Nothing is owed."""

from datetime import timedelta
from typing import Any

from operator_sdk.contract.tcec102.messages import (
    ChargeOrder,
    CheckChargeOrders,
    CheckChargeOrdersReply,
    ConnectorStatusInfo,
    NotificationChargeOrderInfo,
    NotificationChargeOrderInfoReply,
    NotificationEquipChargeStatus,
    NotificationEquipChargeStatusReply,
    NotificationStartChargeResult,
    NotificationStartChargeResultReply,
    NotificationStationStatus,
    NotificationStationStatusReply,
    NotificationStopChargeResult,
    NotificationStopChargeResultReply,
    Part,
)
from operator_sdk.contract.tcec102.values import format_day, format_time
from operator_sdk.tcec102.check.plan import Bench, Check
from operator_sdk.tcec102.check.probe import Fails, Noted
from operator_sdk.tcec102.check.protocol import UNKNOWN_CONNECTOR

_NO_SUCH = 1
"""DisputeReason: no such transaction."""


async def _station_status(bench: Bench) -> str:
    info = ConnectorStatusInfo(connector_id=UNKNOWN_CONNECTOR, status=0)
    message = NotificationStationStatus(connector_status_info=info)
    exchange = await bench.probe.ask("notification_stationStatus", message)
    if exchange.opened().ret != 0:
        raise Noted(f"Ret {exchange.opened().ret}; Status 1 (dropped) is usual")
    return f"Status {exchange.reply(NotificationStationStatusReply).status}"


async def _start_result(bench: Bench) -> str:
    message = NotificationStartChargeResult(
        start_charge_seq=bench.probe.new_seq(),
        start_charge_seq_stat=4,
        connector_id=UNKNOWN_CONNECTOR,
        start_time=_now(bench),
    )
    return await _told(bench, message, NotificationStartChargeResultReply)


async def _charge_status(bench: Bench) -> str:
    message = NotificationEquipChargeStatus(
        start_charge_seq=bench.probe.new_seq(),
        start_charge_seq_stat=4,
        connector_id=UNKNOWN_CONNECTOR,
        connector_status=1,
        current_a=bench.zero,
        voltage_a=bench.zero,
        soc=bench.zero,
        start_time=_now(bench),
        end_time=_now(bench),
        total_power=bench.zero,
    )
    return await _told(bench, message, NotificationEquipChargeStatusReply)


async def _stop_result(bench: Bench) -> str:
    message = NotificationStopChargeResult(
        start_charge_seq=bench.probe.new_seq(),
        start_charge_seq_stat=4,
        connector_id=UNKNOWN_CONNECTOR,
        succ_stat=0,
    )
    return await _told(bench, message, NotificationStopChargeResultReply)


async def _told(bench: Bench, message: Part, kind: type[Part]) -> str:
    name = {
        NotificationStartChargeResult: "notification_start_charge_result",
        NotificationEquipChargeStatus: "notification_equip_charge_status",
        NotificationStopChargeResult: "notification_stop_charge_result",
    }[type(message)]
    exchange = await bench.probe.ask(name, message)
    ret = exchange.opened().ret
    if ret == 500:
        raise Fails("Ret 500 for a charge that it does not know")
    if ret != 0:
        return f"refused with Ret {ret}"
    said: Any = exchange.reply(kind)
    return f"SuccStat {said.succ_stat}" + (
        ": taken, though it knows no such charge" if not said.succ_stat else ""
    )


async def _order(bench: Bench) -> str:
    order = _empty_order(bench)
    first = await _confirm(bench, order)
    if first == 0:
        raise Fails("an order of a charge that never was is agreed to with ConfirmResult 0")
    again = await _confirm(bench, order)
    if again != first:
        raise Fails(f"the same order is answered with {first}, then with {again}")
    return f"{'Ret 4004' if first is None else f'ConfirmResult {first}'}, both times"


async def _confirm(bench: Bench, order: NotificationChargeOrderInfo) -> int | None:
    exchange = await bench.probe.ask("notification_charge_order_info", order)
    ret = exchange.opened().ret
    if ret == 0:
        return exchange.reply(NotificationChargeOrderInfoReply).confirm_result
    if ret != 4004:
        raise Noted(f"Ret {ret}; ConfirmResult 1 or Ret 4004 is usual")
    return None


def _empty_order(bench: Bench) -> NotificationChargeOrderInfo:
    return NotificationChargeOrderInfo(
        start_charge_seq=bench.probe.new_seq(),
        connector_id=UNKNOWN_CONNECTOR,
        start_time=_now(bench),
        end_time=_now(bench),
        total_power=bench.zero,
        total_elec_money=bench.zero,
        total_service_money=bench.zero,
        total_money=bench.zero,
        stop_reason=0,
    )


async def _check(bench: Bench) -> str:
    day = format_day(bench.probe.clock.wall() - timedelta(days=1), bench.profile.time.zone)
    order = ChargeOrder(start_charge_seq=bench.probe.new_seq(), total_power=bench.zero, total_money=bench.zero)
    message = CheckChargeOrders(
        check_order_seq=bench.probe.new_seq(),
        start_time=f"{day} 00:00:00",
        end_time=f"{day} 23:59:59",
        order_count=1,
        total_order_power=bench.zero,
        total_order_money=bench.zero,
        charge_orders=[order],
    )
    said = (await bench.probe.ask("check_charge_orders", message)).reply(CheckChargeOrdersReply)
    reasons = {one.start_charge_seq: one.dispute_reason for one in said.dispute_orders}
    if order.start_charge_seq not in reasons:
        raise Fails("an order that it cannot know is not disputed")
    if said.total_dispute_order != len(said.dispute_orders):
        raise Fails(f"TotalDisputeOrder {said.total_dispute_order}, DisputeOrders {len(said.dispute_orders)}")
    if reasons[order.start_charge_seq] != _NO_SUCH:
        raise Noted(f"DisputeReason {reasons[order.start_charge_seq]}; 1 (no such transaction) is meant")
    return "disputed with DisputeReason 1"


HOME = (
    Check("told.station_status", "a connector's status is taken or dropped", _station_status),
    Check("told.start_result", "the start of an unknown charge does no harm", _start_result),
    Check("told.charge_status", "the status of an unknown charge does no harm", _charge_status),
    Check("told.stop_result", "the stop of an unknown charge does no harm", _stop_result),
    Check("told.order", "the order of an unknown charge is not agreed to, twice the same", _order),
    Check("told.check", "check_charge_orders disputes an unknown order", _check),
)


def _now(bench: Bench) -> str:
    return format_time(bench.probe.clock.wall(), bench.profile.time.zone)
