"""What an operator implements to be called: `Infrastructure` as the host, `Customer` as the home, or both.

A method that is missing is answered with Ret 4004. A method may raise `WireProblem` with the Ret and Msg to
answer; anything else that it raises becomes Ret 500, and the words of the exception stay in the process.
"""

from dataclasses import dataclass
from typing import Protocol

from operator_sdk.contract.tcec102.messages import (
    CheckChargeOrders,
    CheckChargeOrdersReply,
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
    QueryEquipAuth,
    QueryEquipAuthReply,
    QueryEquipBusinessPolicy,
    QueryEquipBusinessPolicyReply,
    QueryEquipChargeStatus,
    QueryEquipChargeStatusReply,
    QueryStartCharge,
    QueryStartChargeReply,
    QueryStationsInfo,
    QueryStationsInfoReply,
    QueryStationStats,
    QueryStationStatsReply,
    QueryStationStatus,
    QueryStationStatusReply,
    QueryStopCharge,
    QueryStopChargeReply,
)
from operator_sdk.contract.tcec102.profile import Profile


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the envelope's OperatorID, verified by its signature and token, and its profile."""

    operator_id: str
    profile: Profile


class Infrastructure(Protocol):
    """The infrastructure operator's side 基础设施运营商: owns the piles, is asked."""

    async def query_stations_info(self, message: QueryStationsInfo, caller: Caller) -> QueryStationsInfoReply:
        """Stations with their piles and connectors, a page at a time (102.2, 2-1)."""
        ...

    async def query_station_status(
        self, message: QueryStationStatus, caller: Caller
    ) -> QueryStationStatusReply:
        """The state of every connector of up to 50 stations (102.2, 2-3)."""
        ...

    async def query_station_stats(self, message: QueryStationStats, caller: Caller) -> QueryStationStatsReply:
        """A station's energy between two days (102.2, 2-4)."""
        ...

    async def query_equip_auth(self, message: QueryEquipAuth, caller: Caller) -> QueryEquipAuthReply:
        """Whether a connector is plugged in and in order (102.3, 6.2)."""
        ...

    async def query_equip_business_policy(
        self, message: QueryEquipBusinessPolicy, caller: Caller
    ) -> QueryEquipBusinessPolicyReply:
        """The prices of a connector's day (102.3, 6.3)."""
        ...

    async def query_start_charge(self, message: QueryStartCharge, caller: Caller) -> QueryStartChargeReply:
        """Start. SuccStat 0 says that it was taken up, not that it charges (102.3, 6.4)."""
        ...

    async def query_equip_charge_status(
        self, message: QueryEquipChargeStatus, caller: Caller
    ) -> QueryEquipChargeStatusReply:
        """How a charge stands now (102.3, 6.6)."""
        ...

    async def query_stop_charge(self, message: QueryStopCharge, caller: Caller) -> QueryStopChargeReply:
        """Stop (102.3, 6.8)."""
        ...


class Customer(Protocol):
    """The customer's home operator's side 客户归属运营商: has the driver, is told."""

    async def notification_stationStatus(  # noqa: N802 (the standard's name)
        self, message: NotificationStationStatus, caller: Caller
    ) -> NotificationStationStatusReply:
        """A connector's state changed; answer Status 1 to drop it for good (102.2, 2-2)."""
        ...

    async def notification_start_charge_result(
        self, message: NotificationStartChargeResult, caller: Caller
    ) -> NotificationStartChargeResultReply:
        """A start succeeded (2) or failed (4 or 5) (102.3, 6.5)."""
        ...

    async def notification_equip_charge_status(
        self, message: NotificationEquipChargeStatus, caller: Caller
    ) -> NotificationEquipChargeStatusReply:
        """How a charge stands; EndTime is the sample's time (102.3, 6.7)."""
        ...

    async def notification_stop_charge_result(
        self, message: NotificationStopChargeResult, caller: Caller
    ) -> NotificationStopChargeResultReply:
        """A charge ended, or did not want to (102.3, 6.9)."""
        ...

    async def notification_charge_order_info(
        self, message: NotificationChargeOrderInfo, caller: Caller
    ) -> NotificationChargeOrderInfoReply:
        """The bill; comes again until a ConfirmResult is answered (102.3, 6.10)."""
        ...

    async def check_charge_orders(self, message: CheckChargeOrders, caller: Caller) -> CheckChargeOrdersReply:
        """The host's list of the day; answer what differs (102.3, 6.11)."""
        ...
