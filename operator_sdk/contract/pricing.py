"""Tariff and meter readings in, bill lines out. Host, home, hub and edge agent all price with this.

A tariff divides the local day into periods; within one, electricity and service have one price each. A line
covers one contiguous stretch of one period; each fee kind is rounded once per line and totals are sums of
lines. Readings are cumulative integer Wh; where no reading stands on a tariff edge, the edge's reading is
interpolated by time and rounded half up at the cumulative value, so that the lines still sum to the whole.

Parking and idle fees are for time: whole seconds after the free minutes, rounded once, at most the cap.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from operator_sdk.contract.codes import FeeKind
from operator_sdk.contract.messages.common import BillLine, FeeLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TariffPut, TimeFee
from operator_sdk.contract.money import WH_MICRO_PER_FEN, amount_fen, round_half_up

DAY_MINUTES = 24 * 60
MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)
S_MICRO_PER_FEN = 36_000_000
"""seconds x price_micro_per_hour is 1/3600 x 10^-6 yuan; a fen is 3600 x 10^4 of those."""


class PricingError(ValueError):
    """Readings or a tariff that cannot be priced."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The meter's cumulative reading `meter_wh` at an instant."""

    at: datetime
    meter_wh: int


def published(put: TariffPut, *, party_id: str, tariff_id: str, version: int) -> Tariff:
    """The version that a host publishes with this message, as everybody then knows it."""
    said = {name: getattr(put, name) for name in TariffPut.__struct_fields__}
    return Tariff(party_id=party_id, tariff_id=tariff_id, version=version, **said)


def check_tariff(tariff: Tariff) -> None:
    """Raise PricingError unless the periods cover the local day exactly once, in order."""
    expected = 0
    for period in tariff.periods:
        if period.start_minute != expected or period.end_minute <= period.start_minute:
            raise PricingError("tariff periods must cover the day once, in order, without gaps")
        expected = period.end_minute
    if expected != DAY_MINUTES:
        raise PricingError("tariff periods must end at minute 1440")


def _local_midnight(tariff: Tariff, at: datetime) -> datetime:
    offset = timedelta(minutes=tariff.utc_offset_minutes)
    # In UTC first: an instant may come with any offset of its own.
    local = at.astimezone(UTC) + offset
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - offset


def period_at(tariff: Tariff, at: datetime) -> tuple[TariffPeriod, datetime]:
    """The period in force at an instant (its start included) and the instant at which it ends."""
    midnight = _local_midnight(tariff, at)
    minute = (at - midnight) // timedelta(minutes=1)
    for period in tariff.periods:
        if period.start_minute <= minute < period.end_minute:
            return period, midnight + timedelta(minutes=period.end_minute)
    raise PricingError("tariff periods leave a gap")


def edges_between(tariff: Tariff, start: datetime, end: datetime) -> list[datetime]:
    """The tariff edges strictly between two instants at which a price changes, in order."""
    return [begun for begun, _ in _stretches(tariff, start, end)[1:]]


def _stretches(tariff: Tariff, start: datetime, end: datetime) -> list[tuple[datetime, TariffPeriod]]:
    """Where prices begin to hold from the start on, each with a period that has them."""
    period, edge = period_at(tariff, start)
    found = [(start, period)]
    while edge < end:
        following, next_edge = period_at(tariff, edge)
        if _prices(following) != _prices(period):
            found.append((edge, following))
        period, edge = following, next_edge
    return found


def _prices(period: TariffPeriod) -> tuple[int, int]:
    return period.electricity_micro, period.service_micro


def reading_at(readings: Sequence[Reading], at: datetime) -> int:
    """The cumulative reading at an instant within the readings, interpolated by time, rounded half up.

    Of several readings at that very instant it is the last: what they tell has flowed by then.
    """
    place = bisect_right(readings, at, key=lambda reading: reading.at)
    before = readings[max(place - 1, 0)]
    if before.at >= at or place == len(readings):
        return before.meter_wh
    after = readings[place]
    span, passed = (after.at - before.at) // MICROSECOND, (at - before.at) // MICROSECOND
    return before.meter_wh + round_half_up((after.meter_wh - before.meter_wh) * passed, span)


def check_readings(readings: Sequence[Reading]) -> None:
    """Raise PricingError unless there are two readings or more, in time order, never going down."""
    if len(readings) < 2:
        raise PricingError("at least a first and a last reading are needed")
    for earlier, later in pairwise(readings):
        if later.at < earlier.at or later.meter_wh < earlier.meter_wh:
            raise PricingError("readings must not go back in time or value")


def price(tariff: Tariff, readings: Sequence[Reading]) -> list[BillLine]:
    """Bill lines for readings in time order; the energy of the lines sums to last - first.

    Raises:
        PricingError: fewer than two readings, readings that go back, or a tariff with a gap.
    """
    check_readings(readings)
    first, last = readings[0], readings[-1]
    stretches = _stretches(tariff, first.at, last.at)
    edges = [begun for begun, _ in stretches[1:]]
    meters = [first.meter_wh, *(reading_at(readings, edge) for edge in edges), last.meter_wh]
    return [
        _line(period, (begun, ended), closed_wh - opened_wh)
        for (begun, period), ended, (opened_wh, closed_wh) in zip(
            stretches, [*edges, last.at], pairwise(meters), strict=True
        )
    ]


def _line(period: TariffPeriod, span: tuple[datetime, datetime], energy_wh: int) -> BillLine:
    return BillLine(
        start=span[0],
        end=span[1],
        energy_wh=energy_wh,
        electricity_micro=period.electricity_micro,
        service_micro=period.service_micro,
        electricity_fen=amount_fen(energy_wh, period.electricity_micro),
        service_fen=amount_fen(energy_wh, period.service_micro),
    )


def time_fee_fen(fee: TimeFee, start: datetime, end: datetime) -> int:
    """What a time costs: its whole seconds after the free minutes, rounded half up, at most the cap.

    Raises:
        PricingError: the end is before the start.
    """
    if end < start:
        raise PricingError("a time ends before it starts")
    billed_s = max(0, (end - start) // SECOND - 60 * fee.free_minutes)
    amount = round_half_up(billed_s * fee.price_micro_per_hour, S_MICRO_PER_FEN)
    return amount if fee.cap_fen is None else min(amount, fee.cap_fen)


def time_fee_line(kind: FeeKind, fee: TimeFee | None, start: datetime, end: datetime) -> FeeLine | None:
    """The bill line of a time, from the end of its free minutes; None when it comes to nothing.

    Raises:
        PricingError: the end is before the start.
    """
    amount = 0 if fee is None else time_fee_fen(fee, start, end)
    if fee is None or not amount:
        return None
    return FeeLine(
        kind=kind,
        start=start + timedelta(minutes=fee.free_minutes),
        end=end,
        price_micro_per_hour=fee.price_micro_per_hour,
        amount_fen=amount,
    )


def fee_lines(
    tariff: Tariff, *, started_at: datetime, ended_at: datetime, left_at: datetime | None = None
) -> list[FeeLine]:
    """Parking from the start of the charge until the vehicle left, idle from its end until then.

    Where nobody knows when it left, parking runs to the end of the charge and nothing is idle.

    Raises:
        PricingError: the charge ends before it starts, or the vehicle leaves before the end.
    """
    until = ended_at if left_at is None else left_at
    lines = (
        time_fee_line(FeeKind.PARKING, tariff.parking, started_at, until),
        time_fee_line(FeeKind.IDLE, tariff.idle, ended_at, until),
    )
    return [line for line in lines if line is not None]


def total_fen(lines: Iterable[BillLine], fees: Iterable[FeeLine] = ()) -> int:
    """The sum of all lines and fee kinds."""
    energy_fen = sum(line.electricity_fen + line.service_fen for line in lines)
    return energy_fen + sum(fee.amount_fen for fee in fees)


def line_tolerance_fen(energy_resolution_wh: int, price_micro: int, amount_resolution_fen: int = 1) -> int:
    """By how much a line may differ when re-priced: ceil(resolution x price / 10^7) + the amount's resolution.

    A meter that resolves single Wh adds nothing for energy.
    """
    coarse_wh = 0 if energy_resolution_wh <= 1 else energy_resolution_wh
    return -(-coarse_wh * price_micro // WH_MICRO_PER_FEN) + amount_resolution_fen


def estimate_fen(tariff: Tariff, *, start: datetime, energy_wh: int) -> int:
    """The price of an energy target, estimated with the prices in force at the start."""
    period, _ = period_at(tariff, start)
    return amount_fen(energy_wh, period.electricity_micro) + amount_fen(energy_wh, period.service_micro)


def highest_price_micro(tariff: Tariff) -> int:
    """The dearest electricity + service price of the day, for stop margins."""
    return max(period.electricity_micro + period.service_micro for period in tariff.periods)
