"""What the simulated host charges: a day of prices, and the lines of a charge, exact to the fen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from operator_sdk.contract.money import amount_fen
from operator_sdk.contract.tcec102.messages import PolicyInfo
from operator_sdk.contract.tcec102.values import price_of

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Prices from a minute of the local day on: electricity and service in 10^-6 yuan a kWh."""

    minute: int
    elec_micro: int
    service_micro: int


DAY = (
    Period(0, 312_500, 400_000),
    Period(7 * 60, 687_500, 400_000),
    Period(10 * 60, 1_123_400, 450_000),
    Period(15 * 60, 687_500, 400_000),
    Period(18 * 60, 1_123_400, 450_000),
    Period(21 * 60, 687_500, 400_000),
    Period(23 * 60, 312_500, 400_000),
)
"""Valley, flat, peak, flat, peak, flat, valley; prices of four decimals, as the standard allows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One stretch of one period. `start` and `end` are UTC, whole seconds."""

    start: datetime
    end: datetime
    energy_wh: int
    elec_micro: int
    service_micro: int

    @property
    def elec_fen(self) -> int:
        """Electricity, rounded once."""
        return amount_fen(self.energy_wh, self.elec_micro)

    @property
    def service_fen(self) -> int:
        """Service, rounded once."""
        return amount_fen(self.energy_wh, self.service_micro)

    @property
    def exact_yuan(self) -> tuple[Decimal, Decimal]:
        """Both unrounded, for a platform that writes four decimals."""
        kwh = Decimal(self.energy_wh).scaleb(-3)
        return kwh * Decimal(self.elec_micro).scaleb(-6), kwh * Decimal(self.service_micro).scaleb(-6)


def policy_infos(periods: Sequence[Period]) -> list[PolicyInfo]:
    """The day as query_equip_business_policy answers it."""
    return [
        PolicyInfo(
            start_time=f"{period.minute // 60:02}{period.minute % 60:02}00",
            elec_price=price_of(period.elec_micro),
            service_price=price_of(period.service_micro),
        )
        for period in periods
    ]


def lines(
    periods: Sequence[Period],
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    energy_wh_at: Callable[[datetime], int],
) -> list[Line]:
    """The lines of a charge: one for each period that it touches; at least one.

    `energy_wh_at` gives the energy since the start at an instant; the lines sum to the energy at the end.
    """
    edges = [start, *_edges(periods, zone, start, end), end]
    made = []
    for begun, ended in pairwise(edges):
        period = _period_at(periods, zone, begun)
        energy_wh = energy_wh_at(ended) - energy_wh_at(begun)
        made.append(Line(begun, ended, energy_wh, period.elec_micro, period.service_micro))
    return made


def _period_at(periods: Sequence[Period], zone: ZoneInfo, at: datetime) -> Period:
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return [period for period in periods if period.minute <= minute][-1]


def _edges(periods: Sequence[Period], zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Where a period begins between start and end, both left out."""
    found: list[datetime] = []
    day = start.astimezone(zone).date()
    while True:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for period in periods:
            edge = midnight + timedelta(minutes=period.minute)
            if edge >= end:
                return found
            if edge > start:
                found.append(edge.astimezone(start.tzinfo))
        day += timedelta(days=1)
