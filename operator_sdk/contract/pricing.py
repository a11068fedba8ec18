"""Tariff and meter readings in, bill lines out. Host, home, hub and edge agent all price with this.

A tariff divides the local day into periods; within one, electricity and service have one price each. A line
covers one contiguous stretch of one period; each fee kind is rounded once per line and totals are sums of
lines. Readings are cumulative integer Wh; where no reading stands on a tariff edge, the edge's reading is
interpolated by time and rounded half up at the cumulative value, so that the lines still sum to the whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.money import WH_MICRO_PER_FEN, amount_fen, round_half_up

DAY_MINUTES = 24 * 60
MICROSECOND = timedelta(microseconds=1)


class PricingError(ValueError):
    """Readings or a tariff that cannot be priced."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The meter's cumulative reading `meter_wh` at an instant."""

    at: datetime
    meter_wh: int


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
    local = at + timedelta(minutes=tariff.utc_offset_minutes)
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
        minutes=tariff.utc_offset_minutes
    )


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
    edges = []
    period, edge = period_at(tariff, start)
    while edge < end:
        following, next_edge = period_at(tariff, edge)
        if _prices(following) != _prices(period):
            edges.append(edge)
        period, edge = following, next_edge
    return edges


def _prices(period: TariffPeriod) -> tuple[int, int]:
    return period.electricity_micro, period.service_micro


def reading_at(readings: Sequence[Reading], at: datetime) -> int:
    """The cumulative reading at an instant within the readings, interpolated by time, rounded half up."""
    before = readings[0]
    for after in readings:
        if after.at >= at:
            span = (after.at - before.at) // MICROSECOND
            if span == 0:
                return after.meter_wh
            passed = (at - before.at) // MICROSECOND
            return before.meter_wh + round_half_up((after.meter_wh - before.meter_wh) * passed, span)
        before = after
    return before.meter_wh


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
    start, end = readings[0].at, readings[-1].at
    instants = [start, *edges_between(tariff, start, end), end]
    return [
        _line(tariff, (opened, closed), reading_at(readings, closed) - reading_at(readings, opened))
        for opened, closed in pairwise(instants)
    ]


def _line(tariff: Tariff, span: tuple[datetime, datetime], energy_wh: int) -> BillLine:
    period, _ = period_at(tariff, span[0])
    return BillLine(
        start=span[0],
        end=span[1],
        energy_wh=energy_wh,
        electricity_micro=period.electricity_micro,
        service_micro=period.service_micro,
        electricity_fen=amount_fen(energy_wh, period.electricity_micro),
        service_fen=amount_fen(energy_wh, period.service_micro),
    )


def total_fen(lines: Iterable[BillLine]) -> int:
    """The sum of all lines and fee kinds."""
    return sum(line.electricity_fen + line.service_fen for line in lines)


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
