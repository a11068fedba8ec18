"""The fifteen interfaces of T/CEC 102 (102.2, 102.3 and 102.4 annex A) and who serves them."""

from dataclasses import dataclass

from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.contract.tcec102.messages import Part


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface: its name in the path, its two messages, and the side that serves it.

    `served_by` is `both`, `infrastructure` (owns piles) or `customer` (its drivers charge, 客户归属).
    """

    name: str
    request: type[Part]
    reply: type[Part]
    served_by: str


INTERFACES: dict[str, Interface] = {
    interface.name: interface
    for interface in (
        Interface("query_token", m.QueryToken, m.QueryTokenReply, "both"),
        Interface("query_stations_info", m.QueryStationsInfo, m.QueryStationsInfoReply, "infrastructure"),
        Interface(
            "notification_stationStatus",
            m.NotificationStationStatus,
            m.NotificationStationStatusReply,
            "customer",
        ),
        Interface("query_station_status", m.QueryStationStatus, m.QueryStationStatusReply, "infrastructure"),
        Interface("query_station_stats", m.QueryStationStats, m.QueryStationStatsReply, "infrastructure"),
        Interface("query_equip_auth", m.QueryEquipAuth, m.QueryEquipAuthReply, "infrastructure"),
        Interface(
            "query_equip_business_policy",
            m.QueryEquipBusinessPolicy,
            m.QueryEquipBusinessPolicyReply,
            "infrastructure",
        ),
        Interface("query_start_charge", m.QueryStartCharge, m.QueryStartChargeReply, "infrastructure"),
        Interface(
            "notification_start_charge_result",
            m.NotificationStartChargeResult,
            m.NotificationStartChargeResultReply,
            "customer",
        ),
        Interface(
            "query_equip_charge_status",
            m.QueryEquipChargeStatus,
            m.QueryEquipChargeStatusReply,
            "infrastructure",
        ),
        Interface(
            "notification_equip_charge_status",
            m.NotificationEquipChargeStatus,
            m.NotificationEquipChargeStatusReply,
            "customer",
        ),
        Interface("query_stop_charge", m.QueryStopCharge, m.QueryStopChargeReply, "infrastructure"),
        Interface(
            "notification_stop_charge_result",
            m.NotificationStopChargeResult,
            m.NotificationStopChargeResultReply,
            "customer",
        ),
        Interface(
            "notification_charge_order_info",
            m.NotificationChargeOrderInfo,
            m.NotificationChargeOrderInfoReply,
            "customer",
        ),
        Interface("check_charge_orders", m.CheckChargeOrders, m.CheckChargeOrdersReply, "customer"),
    )
}


def is_final(reply: Part) -> bool:
    """Whether an answer holds for good, so that the same envelope may get it again without being judged anew.

    What was done is done. A no may become a yes: the charge that was unknown is known, the dispute is over,
    the connector is free. Only the no to a start is final, since it ends the order of that number (its
    StartChargeSeqStat is 4): nobody waits any more for a charge that a repetition of it would begin.
    """
    if isinstance(reply, m.QueryStartChargeReply):
        return True
    if isinstance(reply, m.CheckChargeOrdersReply):
        return not reply.dispute_orders
    return not (getattr(reply, "succ_stat", 0) or getattr(reply, "confirm_result", 0))
