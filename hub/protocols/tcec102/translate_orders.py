"""A host's order as a charge record, and what its sender is answered (T/CEC 102.3-2016, 6.10).

The standard's numbers have two decimals and are rounded by whoever made them, so that an order's parts often
miss its totals by a hundredth. What rounding explains is put right here, and said; what it does not explain
stays as it came, and is for the rules of records to object to.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hub.protocols.tcec102.translate_fields import checked, instant, nearest, scaled, whole
from operator_sdk.contract.codes import RecordState, StopReason
from operator_sdk.contract.messages.common import BillLine, ConnectorId
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply, UnmatchedRecord
from operator_sdk.contract.money import WH_MICRO_PER_FEN
from operator_sdk.contract.pricing import edges_between, period_at
from operator_sdk.contract.tcec102.messages import ChargeDetail, NotificationChargeOrderInfo
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import format_time
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

CONFIRMED, DISPUTED = 0, 1
"""ConfirmResult."""

NOT_CONFIRMED = frozenset({RecordState.RECEIVED, RecordState.SUSPENDED, RecordState.REJECTED})
SECOND = timedelta(seconds=1)
Seq = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,51}$")]
"""27 characters in the standard; with a point and twelve more it must still be an id of ours."""

LINES_MOST, SPAN_MOST = 500, timedelta(days=7)
WH_PER_KWH, FEN_PER_YUAN, MICRO_PER_YUAN = 1_000, 100, 1_000_000
ROUNDING, TIMES = "order:rounding", "order:times"
"""What was tolerated: sums that rounding explains, and details whose times miss each other by a second."""

STOPS = {
    0: StopReason.DRIVER_LOCAL,
    1: StopReason.DRIVER_REMOTE,
    2: StopReason.VEHICLE,
    3: StopReason.FAULT,
    4: StopReason.UNPLUGGED,
}
"""StopReason; from 5 on the codes are the operator's own, and kept as `host_{code}`."""


@dataclass(frozen=True, slots=True)
class Billed:
    """The session that an order bills. `tariff` is the version that it began with, where the hub has one."""

    session_id: str
    tariff_id: str
    tariff_version: int
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A detail of an order before anything is rounded: Wh, fen, 10^-6 yuan a kWh (None: not said)."""

    start: datetime
    end: datetime
    energy_wh: Decimal
    electricity_fen: Decimal
    service_fen: Decimal
    electricity_micro: int | None = None
    service_micro: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """An order's totals before anything is rounded: Wh and fen."""

    energy_wh: Decimal
    electricity_fen: Decimal
    service_fen: Decimal
    amount_fen: Decimal


@dataclass(frozen=True, slots=True)
class Whole:
    """The same in integers; `parts` are (energy_wh, electricity_fen, service_fen)."""

    energy_wh: int
    electricity_fen: int
    service_fen: int
    amount_fen: int
    parts: list[tuple[int, int, int]]


def record_of(
    order: NotificationChargeOrderInfo, profile: Profile, session: Billed | None
) -> tuple[ChargeRecord | UnmatchedRecord, frozenset[str]]:
    """The record that an order is, and what was tolerated in it. Without a session it is an unmatched one.

    `record_ref` is the order's number with a digest of what it says: the same order in another envelope or with
    other decimals is the same record, a corrected one is another.

    Raises:
        WireProblem: a field that no record can hold; the message names it.
    """
    resolution_wh = max(1, 10 ** (3 - profile.numbers.energy_decimals))
    totals, parts = totals_of(order), parts_of(order, profile)
    met = edges_met(parts, instant(order.start_time, profile, "StartTime"), _end(order, profile))
    exact = exact_sums(totals, met, resolution_wh)
    sums = exact or as_they_came(totals, met)
    tolerated = {TIMES} if met != parts else set()
    if exact is not None and exact != as_they_came(totals, met):
        tolerated.add(ROUNDING)
    tariff = session.tariff if session is not None else None
    said: dict[str, Any] = {
        "record_ref": checked(order.start_charge_seq, Seq, "StartChargeSeq"),
        "connector_id": checked(order.connector_id, ConnectorId, "ConnectorID"),
        "started_at": instant(order.start_time, profile, "StartTime"),
        "ended_at": _end(order, profile),
        **_meter(order, sums.energy_wh),
        "energy_wh": sums.energy_wh,
        "lines": [_line(part, some, tariff) for part, some in zip(met, sums.parts, strict=True)],
        "electricity_fen": sums.electricity_fen,
        "service_fen": sums.service_fen,
        "amount_fen": sums.amount_fen,
        "stop_reason": stop_reason(order.stop_reason),
        "energy_resolution_wh": resolution_wh,
        "amount_resolution_fen": max(1, 10 ** (2 - profile.numbers.money_decimals)),
    }
    ref = f"{order.start_charge_seq}.{_digest(order, totals, parts, profile)}"
    return msgspec.structs.replace(_named(said, session), record_ref=ref), frozenset(tolerated)


def _digest(order: NotificationChargeOrderInfo, totals: Totals, parts: Sequence[Part], profile: Profile) -> str:
    """Of what an order says, to the fen, the Wh and the second of its own local time.

    Nothing of the profile is in it: an operator changes its decimals, and yesterday's order stays the same one.
    """

    def local(at: datetime) -> str:
        return format_time(at, profile.time.zone)

    came = as_they_came(totals, parts)
    lines = [
        (local(one.start), local(one.end), *amounts, one.electricity_micro, one.service_micro)
        for one, amounts in zip(parts, came.parts, strict=True)
    ]
    said = (
        order.connector_id,
        local(instant(order.start_time, profile, "StartTime")),
        local(_end(order, profile)),
        (came.energy_wh, came.electricity_fen, came.service_fen, came.amount_fen),
        sorted(lines, key=repr),
        order.stop_reason,
        _meter(order, came.energy_wh),
    )
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:12]


def _named(said: dict[str, Any], session: Billed | None) -> ChargeRecord | UnmatchedRecord:
    if session is None:
        tariff_id = tariff_id_of(said["connector_id"])
        return UnmatchedRecord(session_ref=said["record_ref"], tariff_id=tariff_id, tariff_version=1, **said)
    return ChargeRecord(
        session_id=session.session_id,
        tariff_id=session.tariff_id,
        tariff_version=session.tariff_version,
        **said,
    )


def confirm_result(reply: RecordReply) -> int:
    """ConfirmResult: 0 when the record was accepted, whatever became of it since; 1 when it was not."""
    return DISPUTED if reply.state in NOT_CONFIRMED else CONFIRMED


def stop_reason(code: int) -> str:
    """Why the charge ended, in the hub's words."""
    known = STOPS.get(code)
    return f"host_{min(abs(code), 999)}" if known is None else known.value


def tariff_id_of(connector_id: str) -> str:
    """What the hub calls the tariff of a connector whose host knows no tariffs, only prices of connectors."""
    return f"tcec-{connector_id}"


# What an order says.


def totals_of(order: NotificationChargeOrderInfo) -> Totals:
    """The totals as they came."""
    return Totals(
        scaled(order.total_power, WH_PER_KWH, "TotalPower"),
        scaled(order.total_elec_money, FEN_PER_YUAN, "TotalElecMoney"),
        scaled(order.total_service_money, FEN_PER_YUAN, "TotalSeviceMoney"),
        scaled(order.total_money, FEN_PER_YUAN, "TotalMoney"),
    )


def parts_of(order: NotificationChargeOrderInfo, profile: Profile) -> list[Part]:
    """The details as they came, in order of time; the whole charge where they do not say what they cost."""
    details = order.charge_details or []
    if len(details) > LINES_MOST:
        raise WireProblem(Ret.BUSINESS, f"ChargeDetails: at most {LINES_MOST}", "too_many_details")
    totals = totals_of(order)
    if details and all(_has_prices(detail, totals) for detail in details):
        return sorted((_part(detail, profile) for detail in details), key=lambda part: (part.start, part.end))
    started, ended = instant(order.start_time, profile, "StartTime"), _end(order, profile)
    return [Part(started, ended, totals.energy_wh, totals.electricity_fen, totals.service_fen)]


def _has_prices(detail: ChargeDetail, totals: Totals) -> bool:
    """Whether a detail says what it costs, in money or by prices."""
    kinds = (
        (totals.electricity_fen, detail.detail_elec_money, detail.elec_price),
        (totals.service_fen, detail.detail_service_money, detail.service_price),
    )
    return all(not total or money is not None or price is not None for total, money, price in kinds)


def _part(detail: ChargeDetail, profile: Profile) -> Part:
    energy_wh = scaled(detail.detail_power, WH_PER_KWH, "DetailPower")
    electricity_micro = _micro(detail.elec_price, "ElecPrice")
    service_micro = _micro(detail.service_price, "SevicePrice")
    return Part(
        start=instant(detail.detail_start_time, profile, "DetailStartTime"),
        end=instant(detail.detail_end_time, profile, "DetailEndTime"),
        energy_wh=energy_wh,
        electricity_fen=_money(detail.detail_elec_money, energy_wh, electricity_micro, "DetailElecMoney"),
        service_fen=_money(detail.detail_service_money, energy_wh, service_micro, "DetailSeviceMoney"),
        electricity_micro=electricity_micro,
        service_micro=service_micro,
    )


def _micro(price: Decimal | None, name: str) -> int | None:
    return None if price is None else nearest(scaled(price, MICRO_PER_YUAN, name, most=1_000_000_000))


def _money(money: Decimal | None, energy_wh: Decimal, micro: int | None, name: str) -> Decimal:
    if money is not None:
        return scaled(money, FEN_PER_YUAN, name)
    return energy_wh * (micro or 0) / WH_MICRO_PER_FEN


def _end(order: NotificationChargeOrderInfo, profile: Profile) -> datetime:
    return instant(order.end_time, profile, "EndTime")


def _meter(order: NotificationChargeOrderInfo, energy_wh: int) -> dict[str, Any]:
    """The meter's readings where the host gives them; without, the energy stands for both."""
    start, end = order.meter_value_start, order.meter_value_end
    if start is None or end is None:
        return {"meter_start_wh": 0, "meter_end_wh": energy_wh, "metered": False}
    return {
        "meter_start_wh": nearest(scaled(start, WH_PER_KWH, "MeterValueStart")),
        "meter_end_wh": nearest(scaled(end, WH_PER_KWH, "MeterValueEnd")),
        "metered": True,
    }


# What rounding explains.


def edges_met(parts: Sequence[Part], started: datetime, ended: datetime) -> list[Part]:
    """Parts whose edges meet each other and the charge's own where they miss by at most a second."""
    met = list(parts)
    for place, part in enumerate(met):
        before = met[place - 1].end if place else started
        after = met[place + 1].start if place + 1 < len(met) else ended
        start = before if not place and _misses(part.start, before) else part.start
        end = after if _misses(part.end, after) else part.end
        if start <= end:
            met[place] = replace(part, start=start, end=end)
    return met


def _misses(one: datetime, other: datetime) -> bool:
    return abs(one - other) <= SECOND


def exact_sums(totals: Totals, parts: Sequence[Part], resolution_wh: int) -> Whole | None:
    """Integers of which every total is the sum of its parts; None where rounding does not explain them all.

    No number is further from what came than the resolution, which for money is a fen.
    """
    energy_wh, amount_fen = nearest(totals.energy_wh), nearest(totals.amount_fen)
    energies = fitted(energy_wh, [part.energy_wh for part in parts], resolution_wh)
    kinds = fitted(amount_fen, [totals.electricity_fen, totals.service_fen], 1)
    if energies is None or kinds is None:
        return None
    electricity = fitted(kinds[0], [part.electricity_fen for part in parts], 1)
    service = fitted(kinds[1], [part.service_fen for part in parts], 1)
    if electricity is None or service is None:
        return None
    parts_whole = list(zip(energies, electricity, service, strict=True))
    return Whole(energy_wh, kinds[0], kinds[1], amount_fen, parts_whole)


def as_they_came(totals: Totals, parts: Sequence[Part]) -> Whole:
    """Every number to the nearest integer by itself."""
    return Whole(
        nearest(totals.energy_wh),
        nearest(totals.electricity_fen),
        nearest(totals.service_fen),
        nearest(totals.amount_fen),
        [(nearest(one.energy_wh), nearest(one.electricity_fen), nearest(one.service_fen)) for one in parts],
    )


def fitted(total: int, parts: Sequence[Decimal], resolution: int) -> list[int] | None:
    """Integers near the parts that sum to the total; None where one would be off by more than the resolution.

    What is missing, or too much, goes to the largest parts first; none goes below zero.
    """
    near = [nearest(part) for part in parts]
    missing = total - sum(near)
    for place in sorted(range(len(parts)), key=lambda one: (-parts[one], one)):
        part = parts[place]
        if missing > 0:
            moved = min(missing, whole(part + resolution, ROUND_FLOOR) - near[place])
        else:
            moved = max(missing, max(0, whole(part - resolution, ROUND_CEILING)) - near[place])
        near[place] += moved
        missing -= moved
    return None if missing else near


def _line(part: Part, amounts: tuple[int, int, int], tariff: Tariff | None) -> BillLine:
    energy_wh, electricity_fen, service_fen = amounts
    electricity_micro, service_micro = _prices(part, tariff)
    return BillLine(
        start=part.start,
        end=part.end,
        energy_wh=energy_wh,
        electricity_micro=electricity_micro,
        service_micro=service_micro,
        electricity_fen=electricity_fen,
        service_fen=service_fen,
    )


def _prices(part: Part, tariff: Tariff | None) -> tuple[int, int]:
    """The prices that the order says; what it leaves out is the tariff's, where it has one for the part."""
    electricity, service = part.electricity_micro, part.service_micro
    left_out = electricity is None or service is None
    if left_out and tariff is not None and tariff.binding and _one_price(part, tariff):
        period, _ = period_at(tariff, part.start)
        electricity = period.electricity_micro if electricity is None else electricity
        service = period.service_micro if service is None else service
    return electricity or 0, service or 0


def _one_price(part: Part, tariff: Tariff) -> bool:
    """Whether a part lies within one price; a part of weeks has more edges than anybody needs to look for."""
    return timedelta(0) <= part.end - part.start <= SPAN_MOST and not edges_between(
        tariff, part.start, part.end
    )
