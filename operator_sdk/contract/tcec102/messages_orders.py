"""Orders and the daily check: T/CEC 102.3, 6.10 and 6.11."""

import msgspec

from operator_sdk.contract.tcec102.messages_base import (
    Count,
    Energy,
    Money,
    Part,
    Seq,
    Text,
    Time,
    Whole,
    WireId,
)
from operator_sdk.contract.tcec102.messages_charge import ChargeDetail


class NotificationChargeOrderInfo(Part, frozen=True, kw_only=True):
    """The bill of a charge. `stop_reason` 0 by hand, 1 home platform, 2 BMS, 3 fault, 4 unplugged, 5-99 custom.

    `vin`, `plate_no`, `phone` and the meter's readings (kWh) are extensions.
    """

    start_charge_seq: Seq
    connector_id: WireId
    start_time: Time
    end_time: Time
    total_power: Energy
    total_elec_money: Money
    total_service_money: Money
    total_money: Money
    stop_reason: Whole
    sum_period: Count | None = None
    charge_details: list[ChargeDetail] = msgspec.field(default_factory=list)
    vin: Text | None = None
    plate_no: Text | None = None
    phone: Text | None = None
    meter_value_start: Energy | None = None
    meter_value_end: Energy | None = None


class NotificationChargeOrderInfoReply(Part, frozen=True, kw_only=True):
    """`confirm_result` 0 agreed, 1 disputed, 2-99 custom."""

    start_charge_seq: Seq
    connector_id: WireId
    confirm_result: Whole


class ChargeOrder(Part, frozen=True, kw_only=True):
    """One order of the daily check."""

    start_charge_seq: Seq
    total_power: Energy
    total_money: Money


class DisputeOrder(Part, frozen=True, kw_only=True):
    """An order that the other side sees differently: 1 no such transaction, 2 amount, 3 energy, 4-99 custom."""

    start_charge_seq: Seq
    total_power: Energy
    total_money: Money
    dispute_reason: Whole


class CheckChargeOrders(Part, frozen=True, kw_only=True):
    """The orders of a window, with their sums."""

    check_order_seq: Seq
    start_time: Time
    end_time: Time
    order_count: Count
    total_order_power: Energy
    total_order_money: Money
    charge_orders: list[ChargeOrder]


class CheckChargeOrdersReply(Part, frozen=True, kw_only=True):
    """The orders in dispute, with their sums."""

    check_order_seq: Seq
    start_time: Time
    end_time: Time
    total_dispute_order: Count
    total_dispute_power: Energy
    total_dispute_money: Money
    dispute_orders: list[DisputeOrder]
