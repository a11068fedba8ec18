"""Charges and prices of the hub as T/CEC 102 homes are told of them. Pure: nothing here asks or decides.

Money is exact to the fen and energy to the profile's decimals, rounded at the cumulative value so that parts
still sum. Numbers of the standard's own lists (T/CEC 102.2 and 102.3) are named where they stand.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from operator_sdk.contract.codes import ConnectorState, SessionState, StopReason
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.messages.records import HomeRecord
from operator_sdk.contract.money import largest_remainder, round_half_up
from operator_sdk.contract.pricing import DAY_MINUTES
from operator_sdk.contract.public_codes import PUBLIC_CODES, Code, Meaning
from operator_sdk.contract.tcec102.messages import (
    ChargeDetail,
    NotificationChargeOrderInfo,
    NotificationEquipChargeStatus,
    PolicyInfo,
)
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import format_time, kwh_of, price_of, yuan_of, zone_of

PERIODS_MOST = 32
"""Periods of a day, and details of an order (SumPeriod)."""

STARTING, CHARGING, STOPPING, ENDED, UNKNOWN = 1, 2, 3, 4, 5
"""StartChargeSeqStat."""

SEQ_STAT: Mapping[str, int] = {
    SessionState.REQUESTED: STARTING,
    SessionState.AUTHORIZED: STARTING,
    SessionState.STARTING: STARTING,
    SessionState.CHARGING: CHARGING,
    SessionState.PAUSED: CHARGING,
    SessionState.STOPPING: STOPPING,
    SessionState.ENDED: ENDED,
    SessionState.BILLED: ENDED,
    SessionState.SETTLED: ENDED,
    SessionState.REFUSED: ENDED,
    SessionState.START_FAILED: ENDED,
    SessionState.UNKNOWN: UNKNOWN,
}

CONNECTOR_STATUS: Mapping[str, int] = {
    ConnectorState.OFFLINE: 0,
    ConnectorState.AVAILABLE: 1,
    ConnectorState.OCCUPIED: 2,
    ConnectorState.CHARGING: 3,
    ConnectorState.RESERVED: 4,
    ConnectorState.FAULTED: 255,
}
"""ConnectorStatusInfo.Status."""

OCCUPIED_CHARGING, OCCUPIED_IDLE = 3, 2

STOP_REASON: Mapping[str, int] = {
    StopReason.DRIVER_LOCAL: 0,
    StopReason.CARD: 0,
    StopReason.DRIVER_REMOTE: 1,
    StopReason.VEHICLE_FULL: 2,
    StopReason.VEHICLE: 2,
    StopReason.FAULT: 3,
    StopReason.UNPLUGGED: 4,
    StopReason.LIMIT_REACHED: 5,
    StopReason.TARGET_ENERGY: 6,
    StopReason.TARGET_AMOUNT: 6,
    StopReason.TARGET_TIME: 6,
    StopReason.EMERGENCY: 7,
    StopReason.HOST: 8,
    StopReason.HUB: 9,
    StopReason.UNKNOWN: 99,
}
"""StopReason of an order: 0 to 4 are the standard's, from 5 on ours."""

NO_SUCH_EQUIPMENT, EQUIPMENT_OFFLINE, ALREADY_STOPPED = 1, 2, 3
NOT_PLUGGED_IN, CHECK_FAILED = 1, 2
OTHER_REASON = 99
OTHER_MEANING = Meaning(422, "其他原因", "Another reason.")

OWN_REASONS: Mapping[str, int] = {
    Code.CONNECTOR_BUSY: 10,
    Code.CONNECTOR_FAULTED: 11,
    Code.CONNECTOR_OFFLINE: 12,
    Code.CONNECTOR_UNKNOWN: 13,
    Code.NO_AGREEMENT: 14,
    Code.TARIFF_UNKNOWN: 15,
    Code.HOME_EXPOSURE_EXCEEDED: 16,
    Code.HOST_UNAVAILABLE: 17,
    Code.HOST_REFUSED: 18,
    Code.START_NOT_SUPPORTED_BY_HOST: 19,
    Code.PRICE_CHANGED: 20,
    Code.INSUFFICIENT_FUNDS: 21,
    Code.TOKEN_BLOCKED: 22,
    Code.CONNECTOR_UNPLUGGED: 23,
}
"""FailReason where the standard leaves 3 to 99 to whoever answers: one table for all interfaces."""

START_REASONS: Mapping[str, int] = {
    Code.CONNECTOR_UNKNOWN: NO_SUCH_EQUIPMENT,
    Code.CONNECTOR_OFFLINE: EQUIPMENT_OFFLINE,
}
AUTH_REASONS: Mapping[str, int] = {
    Code.CONNECTOR_UNPLUGGED: NOT_PLUGGED_IN,
    Code.CONNECTOR_FAULTED: CHECK_FAILED,
}
"""What the standard itself has a number for, by interface."""


class Untellable(ValueError):
    """The standard has no way to say it; `reason` is a short word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# Charges.


def start_fail_reason(code: str | None) -> int:
    """FailReason of query_start_charge for a public code."""
    return _reason(START_REASONS, code)


def auth_fail_reason(code: str | None) -> int:
    """FailReason of query_equip_auth for a public code."""
    return _reason(AUTH_REASONS, code)


def fail_reason_msg(code: str | None) -> str:
    """FailReasonMsg, an extension of query_equip_auth: what a person reads, Chinese and English."""
    meaning = PUBLIC_CODES[Code(code)] if code and code in OWN_REASONS else OTHER_MEANING
    return f"{meaning.zh} {meaning.en}"


def _reason(standard: Mapping[str, int], code: str | None) -> int:
    return standard.get(code or "") or OWN_REASONS.get(code or "", OTHER_REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge under way, as of `at`; energy Wh, money fen."""

    seq: str
    connector: str
    state: str
    started_at: datetime
    at: datetime
    energy_wh: int
    amount_fen: int
    soc_percent: int | None


Status = TypeVar("Status", bound=NotificationEquipChargeStatus)


def charge_status(kind: type[Status], charge: Charge, profile: Profile) -> Status:
    """A charge as notification_equip_charge_status and query_equip_charge_status have it.

    Volts and amperes are the standard's 0: hosts tell us power alone. How the money divides is on the order.
    """
    stat = SEQ_STAT.get(charge.state, UNKNOWN)
    flows = stat in {CHARGING, STOPPING} and charge.state != SessionState.PAUSED
    zone = profile.time.zone
    return kind(
        start_charge_seq=charge.seq,
        start_charge_seq_stat=stat,
        connector_id=charge.connector,
        connector_status=OCCUPIED_CHARGING if flows else OCCUPIED_IDLE,
        current_a=Decimal(0),
        voltage_a=Decimal(0),
        soc=Decimal(charge.soc_percent or 0),
        start_time=format_time(charge.started_at, zone),
        end_time=format_time(charge.at, zone),
        total_power=kwh_of(rounded_wh(charge.energy_wh, profile)),
        total_money=yuan_of(charge.amount_fen),
    )


def rounded_wh(energy_wh: int, profile: Profile) -> int:
    """Energy at the profile's decimals of a kWh, halves up."""
    step = int(10 ** max(0, 3 - profile.numbers.energy_decimals))
    return round_half_up(energy_wh, step) * step


# Orders.


def order_of(record: HomeRecord, connector: str, profile: Profile) -> NotificationChargeOrderInfo:
    """An accepted record as notification_charge_order_info. `record.home_ref` is the home's StartChargeSeq.

    TotalMoney is what the home owes. Where that is less than the host billed, every part is less in proportion.
    The standard has no fee for time: parking and idle fees are service money, each a detail without energy.
    More than 32 details are left out, as the standard allows.
    """
    assert record.home_ref is not None
    stretches = _stretches(record)
    owed = largest_remainder(
        record.owed_fen, [part for one in stretches for part in (one.elec_fen, one.service_fen)]
    )
    money = list(zip(owed[::2], owed[1::2], strict=True))
    details = _details(stretches, money, profile)
    fits = len(details) <= PERIODS_MOST
    zone = profile.time.zone
    return NotificationChargeOrderInfo(
        start_charge_seq=record.home_ref,
        connector_id=connector,
        start_time=format_time(record.started_at, zone),
        end_time=format_time(record.ended_at, zone),
        total_power=kwh_of(rounded_wh(record.energy_wh, profile)),
        total_elec_money=yuan_of(sum(owed[::2])),
        total_service_money=yuan_of(sum(owed[1::2])),
        total_money=yuan_of(record.owed_fen),
        stop_reason=STOP_REASON.get(record.stop_reason, OTHER_REASON),
        sum_period=len(details) if fits else 0,
        charge_details=details if fits else [],
    )


@dataclass(frozen=True, slots=True)
class _Stretch:
    start: datetime
    end: datetime
    energy_wh: int
    elec_fen: int
    service_fen: int
    prices: tuple[int, int] | None


def _stretches(record: HomeRecord) -> list[_Stretch]:
    """What a record bills, stretch by stretch; neighbours of equal prices are one."""
    found: list[_Stretch] = []
    for line in record.lines:
        one = _of_line(line)
        if found and found[-1].end == one.start and found[-1].prices == one.prices:
            last = found.pop()
            one = _Stretch(
                last.start,
                one.end,
                last.energy_wh + one.energy_wh,
                last.elec_fen + one.elec_fen,
                last.service_fen + one.service_fen,
                one.prices,
            )
        found.append(one)
    found += [_Stretch(fee.start, fee.end, 0, 0, fee.amount_fen, None) for fee in record.fees]
    return found


def _of_line(line: BillLine) -> _Stretch:
    prices = line.electricity_micro, line.service_micro
    return _Stretch(line.start, line.end, line.energy_wh, line.electricity_fen, line.service_fen, prices)


def _details(
    stretches: Sequence[_Stretch], money: Iterable[tuple[int, int]], profile: Profile
) -> list[ChargeDetail]:
    details, so_far_wh, zone = [], 0, profile.time.zone
    for one, (elec_fen, service_fen) in zip(stretches, money, strict=True):
        before = rounded_wh(so_far_wh, profile)
        so_far_wh += one.energy_wh
        elec, service = one.prices if one.prices is not None else (None, None)
        details.append(
            ChargeDetail(
                detail_start_time=format_time(one.start, zone),
                detail_end_time=format_time(one.end, zone),
                detail_power=kwh_of(rounded_wh(so_far_wh, profile) - before),
                elec_price=_price_if_exact(elec, profile),
                service_price=_price_if_exact(service, profile),
                detail_elec_money=yuan_of(elec_fen),
                detail_service_money=yuan_of(service_fen),
            )
        )
    return details


# Prices.


def is_exact(price_micro: int, profile: Profile) -> bool:
    """Whether the profile's decimals can say a price."""
    return price_micro % int(10 ** max(0, 6 - profile.numbers.price_decimals)) == 0


def _price_if_exact(price_micro: int | None, profile: Profile) -> Decimal | None:
    if price_micro is None or not is_exact(price_micro, profile):
        return None
    return price_of(price_micro)


def policy_of(tariff: Tariff, profile: Profile, at: datetime) -> list[PolicyInfo]:
    """A tariff as query_equip_business_policy has it: periods of the partner's own day, from 000000 on.

    Raises:
        Untellable: `price_decimals`, or `periods`: more than 32 of them.
    """
    periods = _local_periods(tariff, profile, at)
    if len(periods) > PERIODS_MOST:
        raise Untellable("periods")
    if not all(is_exact(price, profile) for _, prices in periods for price in prices):
        raise Untellable("price_decimals")
    return [
        PolicyInfo(
            start_time=f"{minute // 60:02d}{minute % 60:02d}00",
            elec_price=price_of(electricity),
            service_price=price_of(service),
        )
        for minute, (electricity, service) in periods
    ]


def _local_periods(tariff: Tariff, profile: Profile, at: datetime) -> list[tuple[int, tuple[int, int]]]:
    """From which minute of the partner's day which prices hold, in order; neighbours that are equal are one."""
    offset = at.astimezone(zone_of(profile.time.zone)).utcoffset() or timedelta(0)
    ahead = offset // timedelta(minutes=1) - tariff.utc_offset_minutes
    found: list[tuple[int, tuple[int, int]]] = []
    for minute in sorted({0} | {(one.start_minute + ahead) % DAY_MINUTES for one in tariff.periods}):
        there = (minute - ahead) % DAY_MINUTES
        period = next(one for one in tariff.periods if one.start_minute <= there < one.end_minute)
        prices = period.electricity_micro, period.service_micro
        if not found or found[-1][1] != prices:
            found.append((minute, prices))
    return found


def fee_texts(tariff: Tariff) -> tuple[str, str, str | None]:
    """ElectricityFee, ServiceFee and ParkFee as people read them, in the tariff's own local time."""
    elec = _fee_text([(one, one.electricity_micro) for one in tariff.periods], 256)
    service = _fee_text([(one, one.service_micro) for one in tariff.periods], 100)
    if tariff.parking is None:
        return elec, service, None
    hourly = f"{_yuan(tariff.parking.price_micro_per_hour)}元/小时"
    free = tariff.parking.free_minutes
    return elec, service, f"{hourly}，前{free}分钟免费" if free else hourly


def _fee_text(prices: Sequence[tuple[TariffPeriod, int]], most: int) -> str:
    merged: list[tuple[int, int, int]] = []
    for period, micro in prices:
        if merged and merged[-1][2] == micro:
            merged[-1] = (merged[-1][0], period.end_minute, micro)
        else:
            merged.append((period.start_minute, period.end_minute, micro))
    if len(merged) == 1:
        return f"{_yuan(merged[0][2])}元/度"
    said = "；".join(f"{_clock(start)}-{_clock(end)} {_yuan(micro)}元/度" for start, end, micro in merged)
    if len(said) <= most:
        return said
    lowest, highest = min(micro for *_, micro in merged), max(micro for *_, micro in merged)
    return f"{_yuan(lowest)}至{_yuan(highest)}元/度，分时计价"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _yuan(micro: int) -> str:
    """A price with at least two decimals and no more than it needs."""
    yuan, rest = divmod(micro, 1_000_000)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{yuan}.{decimals}"
