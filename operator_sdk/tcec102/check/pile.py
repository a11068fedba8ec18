"""A pile that exists in this process alone: what a home finds when it calls us. It costs nothing."""

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal

from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.tcec102.handlers import Caller

STATION, PILE, CONNECTOR = "INTERPILECHECK", "INTERPILECHECK1", "INTERPILECHECK101"
ZERO = Decimal(0)
_IDLE, _OCCUPIED, _CHARGING = 1, 2, 3
_NO_EQUIPMENT, _BUSY = 1, 3


@dataclass(slots=True)
class Pile:
    """`Infrastructure`: one station with one connector where a vehicle waits; `begun_at` is local time."""

    operator_id: str
    started: m.QueryStartCharge | None = None
    begun_at: str = ""
    is_over: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def query_stations_info(
        self, message: m.QueryStationsInfo, caller: Caller
    ) -> m.QueryStationsInfoReply:
        """The station, on the first page."""
        stations = [self._station()] if message.page_no == 1 else []
        return m.QueryStationsInfoReply(
            page_no=message.page_no, page_count=1, item_size=1, station_infos=stations
        )

    async def query_station_status(
        self, message: m.QueryStationStatus, caller: Caller
    ) -> m.QueryStationStatusReply:
        """The connector's status."""
        info = m.ConnectorStatusInfo(connector_id=CONNECTOR, status=self._status())
        found = [m.StationStatusInfo(station_id=STATION, connector_status_infos=[info])]
        found = found if STATION in message.station_ids else []
        return m.QueryStationStatusReply(total=len(found), station_status_infos=found)

    async def query_station_stats(
        self, message: m.QueryStationStats, caller: Caller
    ) -> m.QueryStationStatsReply:
        """Nothing was ever charged here."""
        stats = m.StationStatsInfo(
            station_id=message.station_id,
            start_time=message.start_time,
            end_time=message.end_time,
            station_electricity=ZERO,
            equipment_stats_infos=[],
        )
        return m.QueryStationStatsReply(station_stats=stats)

    async def query_equip_auth(self, message: m.QueryEquipAuth, caller: Caller) -> m.QueryEquipAuthReply:
        """Ready, if it is our connector."""
        unknown = int(message.connector_id != CONNECTOR)
        return m.QueryEquipAuthReply(
            equip_auth_seq=message.equip_auth_seq,
            connector_id=message.connector_id,
            succ_stat=unknown,
            fail_reason=2 * unknown,
        )

    async def query_equip_business_policy(
        self, message: m.QueryEquipBusinessPolicy, caller: Caller
    ) -> m.QueryEquipBusinessPolicyReply:
        """It costs nothing, all day."""
        known = message.connector_id == CONNECTOR
        policy = m.PolicyInfo(start_time="000000", elec_price=ZERO, service_price=ZERO)
        return m.QueryEquipBusinessPolicyReply(
            equip_biz_seq=message.equip_biz_seq,
            connector_id=message.connector_id,
            succ_stat=int(not known),
            fail_reason=int(not known),
            sum_period=int(known),
            policy_infos=[policy] if known else [],
        )

    async def query_start_charge(self, message: m.QueryStartCharge, caller: Caller) -> m.QueryStartChargeReply:
        """One charge in all; the same start again is answered the same."""
        fail_reason = 0
        if message.connector_id != CONNECTOR:
            fail_reason = _NO_EQUIPMENT
        elif self.started is not None and self.started.start_charge_seq != message.start_charge_seq:
            fail_reason = _BUSY
        else:
            self.started = message
            self.changed.set()
        return m.QueryStartChargeReply(
            start_charge_seq=message.start_charge_seq,
            start_charge_seq_stat=4 if fail_reason else 1,
            connector_id=message.connector_id,
            succ_stat=int(bool(fail_reason)),
            fail_reason=fail_reason,
        )

    async def query_equip_charge_status(
        self, message: m.QueryEquipChargeStatus, caller: Caller
    ) -> m.QueryEquipChargeStatusReply:
        """No energy, no money."""
        return m.QueryEquipChargeStatusReply(
            start_charge_seq=message.start_charge_seq,
            start_charge_seq_stat=4 if self.is_over or self.started is None else 2,
            connector_id=CONNECTOR,
            connector_status=self._status(),
            current_a=ZERO,
            voltage_a=ZERO,
            soc=ZERO,
            start_time=self.begun_at,
            end_time=self.begun_at,
            total_power=ZERO,
        )

    async def query_stop_charge(self, message: m.QueryStopCharge, caller: Caller) -> m.QueryStopChargeReply:
        """Taken, if it is the charge."""
        known = self.started is not None and self.started.start_charge_seq == message.start_charge_seq
        return m.QueryStopChargeReply(
            start_charge_seq=message.start_charge_seq,
            start_charge_seq_stat=3 if known else 4,
            succ_stat=int(not known),
            fail_reason=int(not known),
        )

    async def wait(self, patience_s: int) -> m.QueryStartCharge | None:
        """The start, once it came or patience has ended."""
        try:
            async with asyncio.timeout(patience_s):
                await self.changed.wait()
        except TimeoutError:
            return None
        return self.started

    def _status(self) -> int:
        if self.is_over:
            return _IDLE
        return _CHARGING if self.started else _OCCUPIED

    def _station(self) -> m.StationInfo:
        connector = m.ConnectorInfo(
            connector_id=CONNECTOR,
            connector_type=4,
            voltage_upper_limits=750,
            voltage_lower_limits=200,
            current=160,
            power=Decimal(120),
            national_standard=2,
        )
        pile = m.EquipmentInfo(
            equipment_id=PILE, equipment_type=1, power=Decimal(120), connector_infos=[connector]
        )
        return m.StationInfo(
            station_id=STATION,
            operator_id=self.operator_id,
            equipment_owner_id=self.operator_id,
            station_name="互联互通测试站",
            country_code="CN",
            area_code="310115",
            address="互联互通测试",
            service_tel="00000000",
            station_type=255,
            station_status=50,
            park_nums=0,
            station_lng=Decimal("121.544379"),
            station_lat=Decimal("31.221461"),
            construction=255,
            equipment_infos=[pile],
        )
