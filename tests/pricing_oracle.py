"""What a charge costs, found slowly: minute by minute and with exact fractions.

Written apart from `contract.pricing`, of which it takes only the shapes of tariffs and readings: instants are
whole microseconds since 1970, a day is a list of 1,440 prices, and nothing is rounded before its time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import NamedTuple

from operator_sdk.contract.messages.directory import Tariff, TimeFee
from operator_sdk.contract.pricing import Reading

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US, MINUTE_US = 1_000_000, 60_000_000
DAY = 1440


class Stretch(NamedTuple):
    """A time of equal prices: instants in microseconds, energy in Wh, prices per kWh, money in fen."""

    start_us: int
    end_us: int
    energy_wh: int
    electricity_micro: int
    service_micro: int
    electricity_fen: int
    service_fen: int


class Fee(NamedTuple):
    """Money for time, from the end of its free minutes."""

    kind: str
    start_us: int
    end_us: int
    amount_fen: int


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def half_up(exact: Fraction) -> int:
    """The nearest whole number; none of what is rounded here is negative."""
    return floor(exact + Fraction(1, 2))


def fen(energy_wh: int, price_micro: int) -> int:
    """kWh times yuan, in fen."""
    return half_up(Fraction(energy_wh, 1000) * Fraction(price_micro, 10**6) * 100)


def day_of(tariff: Tariff) -> list[tuple[int, int]]:
    """(electricity, service) of every minute of the local day."""
    day: list[tuple[int, int]] = [(-1, -1)] * DAY
    for one in tariff.periods:
        for minute in range(one.start_minute, one.end_minute):
            day[minute] = one.electricity_micro, one.service_micro
    return day


def minute_of(tariff: Tariff, at_us: int) -> int:
    """Which minute of the local day it is."""
    return (at_us // MINUTE_US + tariff.utc_offset_minutes) % DAY


def meter_at(points: Sequence[tuple[int, int]], at_us: int) -> int:
    """The reading at an instant: the last one there is by then, and its share of the way to the next."""
    for (us, wh), (next_us, next_wh) in pairwise(points):
        if us <= at_us < next_us:
            return half_up(wh + (next_wh - wh) * Fraction(at_us - us, next_us - us))
    raise AssertionError("an instant outside all readings")


def stretches_of(tariff: Tariff, readings: Sequence[Reading]) -> list[Stretch]:
    """Every time of equal prices, found by walking the minutes from the first reading to the last."""
    points = [(micros(one.at), one.meter_wh) for one in readings]
    (start_us, start_wh), (end_us, end_wh) = points[0], points[-1]
    day = day_of(tariff)
    begun = [(start_us, start_wh, day[minute_of(tariff, start_us)])]
    at_us = (start_us // MINUTE_US + 1) * MINUTE_US
    while at_us < end_us:
        prices = day[minute_of(tariff, at_us)]
        if prices != begun[-1][2]:
            begun.append((at_us, meter_at(points, at_us), prices))
        at_us += MINUTE_US
    closed = [(us, wh) for us, wh, _ in begun[1:]] + [(end_us, end_wh)]
    return [
        Stretch(
            us, close_us, close_wh - wh, *prices, fen(close_wh - wh, prices[0]), fen(close_wh - wh, prices[1])
        )
        for (us, wh, prices), (close_us, close_wh) in zip(begun, closed, strict=True)
    ]


def time_fee(fee: TimeFee, start_us: int, end_us: int) -> int:
    """What a time costs, counted by the minute and then by the second."""
    minutes = seconds = 0
    while start_us + (minutes + 1) * MINUTE_US <= end_us:
        minutes += 1
    while start_us + minutes * MINUTE_US + (seconds + 1) * SECOND_US <= end_us:
        seconds += 1
    billed_s = 60 * (minutes - fee.free_minutes) + seconds
    if billed_s <= 0:
        return 0
    exact = Fraction(billed_s, 3600) * Fraction(fee.price_micro_per_hour, 10**6) * 100
    return half_up(exact) if fee.cap_fen is None else min(half_up(exact), fee.cap_fen)


def fees_of(tariff: Tariff, start: datetime, end: datetime, left: datetime | None = None) -> list[Fee]:
    """Parking from the start until the vehicle left, or to the end; idle from the end until it left."""
    start_us, end_us = micros(start), micros(end)
    left_us = end_us if left is None else micros(left)
    found = []
    for kind, fee, from_us in (("parking", tariff.parking, start_us), ("idle", tariff.idle, end_us)):
        if fee is not None and (amount := time_fee(fee, from_us, left_us)):
            found.append(Fee(kind, from_us + fee.free_minutes * MINUTE_US, left_us, amount))
    return found
