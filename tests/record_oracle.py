"""What a bill's lines come to, found slowly: minute by minute, in fractions, with nothing of the contract's."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

MINUTE = timedelta(minutes=1)
SHANGHAI = timedelta(hours=8)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Prices = tuple[int, int]
"""Electricity and service, in 10^-6 yuan/kWh."""


def nearest(amount: Fraction) -> int:
    """To the nearest whole number, halves up."""
    return floor(amount + Fraction(1, 2))


@dataclass
class Version:
    """A tariff version: from when it is valid, the prices of every minute of the local day, fees for time.

    A fee is (10^-6 yuan/hour, free minutes, cap in fen or None).
    """

    valid_from: datetime
    minutes: list[Prices]
    parking: tuple[int, int, int | None] | None = None
    idle: tuple[int, int, int | None] | None = None

    def at(self, instant: datetime) -> Prices:
        """The prices of the minute that an instant lies in."""
        return self.minutes[((instant - EPOCH + SHANGHAI) // MINUTE) % 1440]


@dataclass
class _Stretch:
    """Minutes of one price, and the energy until their end, as it would be read on a meter."""

    prices: Prices
    read: Fraction = field(default_factory=Fraction)


def version_at(versions: list[Version], start: datetime) -> Version:
    """The last one that had begun."""
    return max((one for one in versions if one.valid_from <= start), key=lambda one: one.valid_from)


def line_fen(version: Version, start: datetime, end: datetime, energy_wh: int) -> tuple[int, int]:
    """Electricity and service of a line whose energy flowed evenly, priced minute by minute."""
    if start == end:
        return tuple(nearest(Fraction(energy_wh * one, 10**7)) for one in version.at(start))  # type: ignore[return-value]
    stretches: list[_Stretch] = []
    at = start
    while at < end:
        after = min(EPOCH + ((at - EPOCH) // MINUTE + 1) * MINUTE, end)
        prices = version.at(at)
        if not stretches or stretches[-1].prices != prices:
            stretches.append(_Stretch(prices))
        stretches[-1].read = (
            energy_wh
            * Fraction((after - start) // timedelta(microseconds=1))
            / ((end - start) // timedelta(microseconds=1))
        )
        at = after
    electricity = service = before = 0
    for stretch in stretches:
        flowed, before = nearest(stretch.read) - before, nearest(stretch.read)
        electricity += nearest(Fraction(flowed * stretch.prices[0], 10**7))
        service += nearest(Fraction(flowed * stretch.prices[1], 10**7))
    return electricity, service


def time_fen(fee: tuple[int, int, int | None] | None, start: datetime, end: datetime) -> int:
    """A fee for time, second by second being too slow: whole seconds behind the free minutes."""
    if fee is None:
        return 0
    micro, free, cap = fee
    billed = max(0, (end - start) // timedelta(seconds=1) - 60 * free)
    amount = nearest(Fraction(billed * micro, 3600 * 10**4))
    return amount if cap is None else min(amount, cap)
