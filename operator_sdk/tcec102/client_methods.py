"""One method for each interface but query_token; all go through `call`."""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
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
        Part,
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


class Methods:
    """The calls of `Tcec102Client`. Queries go to a host, notifications and the check to a home."""

    async def call(self, interface: str, message: "Part", *, timeout_s: int | None = None) -> Any:
        """Call an interface by its name."""
        raise NotImplementedError

    async def query_stations_info(self, message: "QueryStationsInfo") -> "QueryStationsInfoReply":
        """Stations with their piles and connectors, a page at a time (102.2, 2-1)."""
        return cast("QueryStationsInfoReply", await self.call("query_stations_info", message))

    async def query_station_status(self, message: "QueryStationStatus") -> "QueryStationStatusReply":
        """The state of every connector of up to 50 stations (102.2, 2-3)."""
        return cast("QueryStationStatusReply", await self.call("query_station_status", message))

    async def query_station_stats(self, message: "QueryStationStats") -> "QueryStationStatsReply":
        """A station's energy between two days (102.2, 2-4)."""
        return cast("QueryStationStatsReply", await self.call("query_station_stats", message))

    async def query_equip_auth(self, message: "QueryEquipAuth") -> "QueryEquipAuthReply":
        """Whether a connector is plugged in and in order (102.3, 6.2)."""
        return cast("QueryEquipAuthReply", await self.call("query_equip_auth", message))

    async def query_equip_business_policy(
        self, message: "QueryEquipBusinessPolicy"
    ) -> "QueryEquipBusinessPolicyReply":
        """The prices of a connector's day (102.3, 6.3)."""
        return cast("QueryEquipBusinessPolicyReply", await self.call("query_equip_business_policy", message))

    async def query_start_charge(self, message: "QueryStartCharge") -> "QueryStartChargeReply":
        """Start. SuccStat 0 says that it was taken up, not that it charges (102.3, 6.4)."""
        return cast("QueryStartChargeReply", await self.call("query_start_charge", message))

    async def query_equip_charge_status(
        self, message: "QueryEquipChargeStatus"
    ) -> "QueryEquipChargeStatusReply":
        """How a charge stands now (102.3, 6.6)."""
        return cast("QueryEquipChargeStatusReply", await self.call("query_equip_charge_status", message))

    async def query_stop_charge(self, message: "QueryStopCharge") -> "QueryStopChargeReply":
        """Stop (102.3, 6.8)."""
        return cast("QueryStopChargeReply", await self.call("query_stop_charge", message))

    async def notification_stationStatus(  # noqa: N802 (the standard's name)
        self, message: "NotificationStationStatus"
    ) -> "NotificationStationStatusReply":
        """A connector's state changed; answer Status 1 to drop it for good (102.2, 2-2)."""
        return cast("NotificationStationStatusReply", await self.call("notification_stationStatus", message))

    async def notification_start_charge_result(
        self, message: "NotificationStartChargeResult"
    ) -> "NotificationStartChargeResultReply":
        """A start succeeded (2) or failed (4 or 5) (102.3, 6.5)."""
        return cast(
            "NotificationStartChargeResultReply", await self.call("notification_start_charge_result", message)
        )

    async def notification_equip_charge_status(
        self, message: "NotificationEquipChargeStatus"
    ) -> "NotificationEquipChargeStatusReply":
        """How a charge stands; EndTime is the sample's time (102.3, 6.7)."""
        return cast(
            "NotificationEquipChargeStatusReply", await self.call("notification_equip_charge_status", message)
        )

    async def notification_stop_charge_result(
        self, message: "NotificationStopChargeResult"
    ) -> "NotificationStopChargeResultReply":
        """A charge ended, or did not want to (102.3, 6.9)."""
        return cast(
            "NotificationStopChargeResultReply", await self.call("notification_stop_charge_result", message)
        )

    async def notification_charge_order_info(
        self, message: "NotificationChargeOrderInfo"
    ) -> "NotificationChargeOrderInfoReply":
        """The bill; comes again until a ConfirmResult is answered (102.3, 6.10)."""
        return cast(
            "NotificationChargeOrderInfoReply", await self.call("notification_charge_order_info", message)
        )

    async def check_charge_orders(self, message: "CheckChargeOrders") -> "CheckChargeOrdersReply":
        """The host's list of the day; answer what differs (102.3, 6.11)."""
        return cast("CheckChargeOrdersReply", await self.call("check_charge_orders", message))
