"""From the equipment check to the stop: T/CEC 102.3, 6.2 to 6.9."""

import msgspec

from operator_sdk.contract.tcec102.messages_base import (
    Count,
    Energy,
    Measure,
    Money,
    Part,
    Price,
    Seq,
    Text,
    Time,
    Whole,
    WireId,
)


class QueryEquipAuth(Part, frozen=True, kw_only=True):
    """Is the connector ready? `operator_id` is an extension: the owner, where ids are not unique."""

    equip_auth_seq: Seq
    connector_id: WireId
    operator_id: WireId | None = None


class QueryEquipAuthReply(Part, frozen=True, kw_only=True):
    """`fail_reason` 0 none, 1 not plugged in, 2 equipment check failed, 3-99 custom."""

    equip_auth_seq: Seq
    connector_id: WireId
    succ_stat: Whole
    fail_reason: Whole = 0
    fail_reason_msg: Text | None = None


class PolicyInfo(Part, frozen=True, kw_only=True):
    """Prices from `start_time` (HHmmss) until the next period's, the last until 24:00."""

    start_time: Time
    elec_price: Price
    service_price: Price
    price_type: Whole | None = None


class QueryEquipBusinessPolicy(Part, frozen=True, kw_only=True):
    """What does a charge cost at this connector?"""

    equip_biz_seq: Seq
    connector_id: WireId


class QueryEquipBusinessPolicyReply(Part, frozen=True, kw_only=True):
    """`fail_reason` 0 none, 1 no policy for this equipment."""

    equip_biz_seq: Seq
    connector_id: WireId
    succ_stat: Whole
    fail_reason: Whole = 0
    sum_period: Count = 0
    policy_infos: list[PolicyInfo] = msgspec.field(default_factory=list)


class QueryStartCharge(Part, frozen=True, kw_only=True):
    """Start. `qr_code` is what follows the slash of the QR code, often empty; `balance` is an extension."""

    start_charge_seq: Seq
    connector_id: WireId
    qr_code: Text
    phone_num: Text | None = None
    balance: Money | None = None
    plate_num: Text | None = None


class QueryStartChargeReply(Part, frozen=True, kw_only=True):
    """`succ_stat` 0: the command was taken, no more.

    `start_charge_seq_stat` 1 starting, 2 charging, 3 stopping, 4 ended, 5 unknown.
    """

    start_charge_seq: Seq
    start_charge_seq_stat: Whole
    connector_id: WireId
    succ_stat: Whole
    fail_reason: Whole = 0


class NotificationStartChargeResult(Part, frozen=True, kw_only=True):
    """`start_charge_seq_stat` 2: charging; 4 or 5: it failed. `ident_code` is typed at the pile to stop."""

    start_charge_seq: Seq
    start_charge_seq_stat: Whole
    connector_id: WireId
    start_time: Time
    ident_code: Text | None = None


class NotificationStartChargeResultReply(Part, frozen=True, kw_only=True):
    """`succ_stat` 0: received."""

    start_charge_seq: Seq
    succ_stat: Whole
    fail_reason: Whole = 0


class ChargeDetail(Part, frozen=True, kw_only=True):
    """One stretch of one price period; `detail_power` is energy (kWh)."""

    detail_start_time: Time
    detail_end_time: Time
    detail_power: Energy
    elec_price: Price | None = None
    service_price: Price | None = None
    detail_elec_money: Money | None = None
    detail_service_money: Money | None = None


class QueryEquipChargeStatus(Part, frozen=True, kw_only=True):
    """How is this charge?"""

    start_charge_seq: Seq


class NotificationEquipChargeStatus(Part, frozen=True, kw_only=True):
    """A charge under way. `end_time` is the sample's time, `total_power` the energy so far (kWh)."""

    start_charge_seq: Seq
    start_charge_seq_stat: Whole
    connector_id: WireId
    connector_status: Whole
    current_a: Measure
    voltage_a: Measure
    soc: Measure
    start_time: Time
    end_time: Time
    total_power: Energy
    current_b: Measure | None = None
    current_c: Measure | None = None
    voltage_b: Measure | None = None
    voltage_c: Measure | None = None
    elec_money: Money | None = None
    service_money: Money | None = None
    total_money: Money | None = None
    sum_period: Count | None = None
    charge_details: list[ChargeDetail] = msgspec.field(default_factory=list)


class QueryEquipChargeStatusReply(NotificationEquipChargeStatus, frozen=True, kw_only=True):
    """The same fields as the push."""


class NotificationEquipChargeStatusReply(Part, frozen=True, kw_only=True):
    """`succ_stat` 0: received."""

    start_charge_seq: Seq
    succ_stat: Whole


class QueryStopCharge(Part, frozen=True, kw_only=True):
    """Stop this charge."""

    start_charge_seq: Seq
    connector_id: WireId


class QueryStopChargeReply(Part, frozen=True, kw_only=True):
    """`fail_reason` 0 none, 1 no such equipment, 2 offline, 3 already stopped, 4-99 custom."""

    start_charge_seq: Seq
    start_charge_seq_stat: Whole
    succ_stat: Whole
    fail_reason: Whole = 0


class NotificationStopChargeResult(Part, frozen=True, kw_only=True):
    """The pile has stopped, or has not: reasons as of the stop command."""

    start_charge_seq: Seq
    start_charge_seq_stat: Whole
    connector_id: WireId
    succ_stat: Whole
    fail_reason: Whole = 0


class NotificationStopChargeResultReply(Part, frozen=True, kw_only=True):
    """`succ_stat` 0: received."""

    start_charge_seq: Seq
    succ_stat: Whole
    fail_reason: Whole = 0
