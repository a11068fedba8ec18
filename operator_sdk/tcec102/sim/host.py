"""The simulated host's answers: the infrastructure side of T/CEC 102."""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.messages import (
    CheckChargeOrders,
    ConnectorStatsInfo,
    EquipmentInfo,
    EquipmentStatsInfo,
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
    StationInfo,
    StationStatsInfo,
    StationStatusInfo,
)
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import (
    degrees_of,
    e6_of,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    kwh_of,
    parse_day,
    parse_time,
    zone_of,
)
from operator_sdk.contract.tcec102.wire import Ret, WireProblem
from operator_sdk.tcec102.handlers import Caller
from operator_sdk.tcec102.sim.charges import BY_HOME, ENDED, STARTING, STOPPING, Charge, Told, whole_second
from operator_sdk.tcec102.sim.life import Life
from operator_sdk.tcec102.sim.pains import Pains
from operator_sdk.tcec102.sim.policy import DAY, policy_infos
from operator_sdk.tcec102.sim.world import Place, Plug, World

NOT_PLUGGED, NOT_READY, UNKNOWN_THERE = 1, 2, 3
"""FailReason of query_equip_auth; 3 is our own."""
NO_EQUIPMENT, OFFLINE, BUSY = 1, 2, 3
"""FailReason of query_start_charge; 3 is our own."""
ALREADY_STOPPED = 3
_MOST_STATUS_IDS = 50
_VEHICLE_DC_W, _VEHICLE_AC_W = 60_000, 7_000


class SimulatedHost:
    """`Infrastructure` over a world of piles."""

    def __init__(
        self, *, world: World, life: Life, told: Told, pains: Pains, clock: Clock, profile: Profile
    ) -> None:
        self.world, self.life = world, life
        self.told, self._pains, self._clock, self._profile = told, pains, clock, profile

    async def query_stations_info(self, message: QueryStationsInfo, caller: Caller) -> QueryStationsInfoReply:
        """Pages of stations, all or those that changed."""
        places = list(self.world.places.values())
        if "stations_removed" in self._pains:
            places = places[1:]
        if message.last_query_time:
            places = self._changed(places, message.last_query_time)
        size = max(1, message.page_size)
        first = (max(1, message.page_no) - 1) * size
        return QueryStationsInfoReply(
            page_no=message.page_no,
            page_count=-(-len(places) // size),
            item_size=len(places),
            station_infos=[self._located(place.info) for place in places[first : first + size]],
        )

    def _changed(self, places: list[Place], since: str) -> list[Place]:
        if "incremental_unreliable" in self._pains:
            return []
        try:
            at = parse_time(since, self._profile.time.zone)
        except ValueError as wrong:
            raise WireProblem(Ret.BUSINESS, "LastQueryTime: a time is expected", "field") from wrong
        return [place for place in places if whole_second(place.changed_at) >= at]

    def _located(self, info: StationInfo) -> StationInfo:
        system = "wgs84" if "wgs84" in self._pains else self._profile.stations.coordinates
        if system == "gcj02":
            return info
        convert = gcj02_to_wgs84 if system == "wgs84" else gcj02_to_bd09
        latitude, longitude = convert(e6_of(info.station_lat), e6_of(info.station_lng))
        return replace(info, station_lat=degrees_of(latitude), station_lng=degrees_of(longitude))

    async def query_station_status(
        self, message: QueryStationStatus, caller: Caller
    ) -> QueryStationStatusReply:
        """Every connector of these stations; one that is not known is left out."""
        if len(message.station_ids) > _MOST_STATUS_IDS and "fifty_ids" in self._pains:
            raise WireProblem(Ret.BUSINESS, "StationIDs: at most 50", "field")
        infos = [
            StationStatusInfo(
                station_id=station_id,
                connector_status_infos=[plug.as_status() for plug in self.world.plugs_of(station_id)],
            )
            for station_id in message.station_ids
            if station_id in self.world.places
        ]
        return QueryStationStatusReply(total=len(infos), station_status_infos=infos)

    async def query_station_stats(self, message: QueryStationStats, caller: Caller) -> QueryStationStatsReply:
        """The energy of the charges that ended between the days."""
        place = self.world.places.get(message.station_id)
        if place is None:
            raise WireProblem(Ret.BUSINESS, "StationID is not known", "field")
        piles = [self._pile_stats(pile, message) for pile in place.info.equipment_infos]
        return QueryStationStatsReply(
            station_stats=StationStatsInfo(
                station_id=message.station_id,
                start_time=message.start_time,
                end_time=message.end_time,
                station_electricity=sum((pile.equipment_electricity for pile in piles), Decimal(0)),
                equipment_stats_infos=piles,
            )
        )

    def _pile_stats(self, pile: EquipmentInfo, asked: QueryStationStats) -> EquipmentStatsInfo:
        connectors = [
            ConnectorStatsInfo(
                connector_id=one.connector_id,
                connector_electricity=self._energy(one.connector_id, asked).quantize(Decimal("0.1")),
            )
            for one in pile.connector_infos
        ]
        return EquipmentStatsInfo(
            equipment_id=pile.equipment_id,
            equipment_electricity=sum((one.connector_electricity for one in connectors), Decimal(0)),
            connector_stats_infos=connectors,
        )

    def _energy(self, connector_id: str, asked: QueryStationStats) -> Decimal:
        try:
            first, last = parse_day(asked.start_time), parse_day(asked.end_time)
        except ValueError as wrong:
            raise WireProblem(Ret.BUSINESS, "StartTime, EndTime: days are expected", "field") from wrong
        zone = zone_of(self._profile.time.zone)
        ended = [
            charge.energy_wh_at(charge.ended_at)
            for charge in self.life.charges.values()
            if charge.connector_id == connector_id
            and charge.ended_at is not None
            and first <= charge.ended_at.astimezone(zone).date() <= last
        ]
        return kwh_of(sum(ended))

    async def query_equip_auth(self, message: QueryEquipAuth, caller: Caller) -> QueryEquipAuthReply:
        """Ready: known, plugged in, in order and free."""
        plug = self.world.plugs.get(message.connector_id)
        reason = UNKNOWN_THERE if plug is None else _not_ready(plug)
        return QueryEquipAuthReply(
            equip_auth_seq=message.equip_auth_seq,
            connector_id=message.connector_id,
            succ_stat=int(reason != 0),
            fail_reason=reason,
        )

    async def query_equip_business_policy(
        self, message: QueryEquipBusinessPolicy, caller: Caller
    ) -> QueryEquipBusinessPolicyReply:
        """The day's prices, the same at every connector."""
        known = message.connector_id in self.world.plugs
        policy = policy_infos(DAY) if known else []
        return QueryEquipBusinessPolicyReply(
            equip_biz_seq=message.equip_biz_seq,
            connector_id=message.connector_id,
            succ_stat=int(not known),
            fail_reason=int(not known),
            sum_period=len(policy),
            policy_infos=policy,
        )

    async def query_start_charge(self, message: QueryStartCharge, caller: Caller) -> QueryStartChargeReply:
        """Take up a start, once for each StartChargeSeq."""
        seq = message.start_charge_seq
        if "seq_prefix_checked" in self._pains and not seq.startswith(caller.operator_id):
            raise WireProblem(Ret.BUSINESS, "StartChargeSeq must begin with your OperatorID", "field")
        charge, reason = self.life.charges.get(seq), 0
        if charge is None:
            reason = self._may_not_start(message.connector_id)
            if not reason:
                charge = self._begin(message, self.world.plugs[message.connector_id])
        return QueryStartChargeReply(
            start_charge_seq=seq,
            start_charge_seq_stat=charge.stat if charge else ENDED,
            connector_id=message.connector_id,
            succ_stat=int(reason != 0),
            fail_reason=reason,
        )

    def _may_not_start(self, connector_id: str) -> int:
        plug = self.world.plugs.get(connector_id)
        if plug is None:
            return NO_EQUIPMENT
        if plug.is_offline:
            return OFFLINE
        return BUSY if _not_ready(plug) else 0

    def _begin(self, message: QueryStartCharge, plug: Plug) -> Charge:
        decimals = min(3, self._profile.numbers.energy_decimals)
        charge = Charge(
            seq=message.start_charge_seq,
            connector_id=plug.info.connector_id,
            qr_code=message.qr_code,
            power_w=_VEHICLE_DC_W if plug.is_dc else _VEHICLE_AC_W,
            room_wh=self.life.pace.vehicle_wh,
            resolution_wh=10 ** (3 - decimals),
            is_dc=plug.is_dc,
            asked_at=whole_second(self._clock.business()),
            stat=STARTING,
        )
        self.life.begin(charge)
        return charge

    async def query_equip_charge_status(
        self, message: QueryEquipChargeStatus, caller: Caller
    ) -> QueryEquipChargeStatusReply:
        """How a charge stands now."""
        charge = self.life.charges.get(message.start_charge_seq)
        if charge is None:
            raise WireProblem(Ret.BUSINESS, "StartChargeSeq is not known", "field")
        return QueryEquipChargeStatusReply(**self.told.status(charge, self._clock.business()))

    async def query_stop_charge(self, message: QueryStopCharge, caller: Caller) -> QueryStopChargeReply:
        """Stop, for the home."""
        charge = self.life.charges.get(message.start_charge_seq)
        reason = NO_EQUIPMENT
        if charge is not None:
            reason = 0 if self.life.stop(charge.seq, BY_HOME) else ALREADY_STOPPED
        stat = STOPPING if not reason else charge.stat if charge else ENDED
        return QueryStopChargeReply(
            start_charge_seq=message.start_charge_seq,
            start_charge_seq_stat=stat,
            succ_stat=int(reason != 0),
            fail_reason=reason,
        )

    def check(self, day: datetime, seq: str) -> CheckChargeOrders:
        """The orders of the day that begins then, by their end; the odd ones list them by their start."""
        until = day + timedelta(days=1)
        by_start = "cross_midnight" in self._pains
        orders = [
            self.told.listed(charge)
            for charge in self.life.charges.values()
            if charge.ended_at is not None
            and charge.started_at is not None
            and day <= (charge.started_at if by_start else charge.ended_at) < until
        ]
        return CheckChargeOrders(
            check_order_seq=seq,
            start_time=self.told.time(day),
            end_time=self.told.time(until - timedelta(seconds=1)),
            order_count=len(orders),
            total_order_power=sum((one.total_power for one in orders), Decimal(0)),
            total_order_money=sum((one.total_money for one in orders), Decimal(0)),
            charge_orders=orders,
        )


def _not_ready(plug: Plug) -> int:
    if plug.is_offline or plug.is_faulted or plug.charge is not None:
        return NOT_READY
    return 0 if plug.is_plugged else NOT_PLUGGED
