"""Pricing held against the slow oracle, case by case; a case is its number.

`make test` takes a share. All of them: INTERPILE_PRICING_CASES=200000; one alone: INTERPILE_PRICING_FROM=number
beside INTERPILE_PRICING_CASES=1.
"""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate, pairwise
from random import Random

import pytest

from operator_sdk.contract.codes import Band
from operator_sdk.contract.messages.common import BillLine, FeeLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.pricing import Reading, check_tariff, fee_lines, price, total_fen
from tests.pricing_oracle import MINUTE_US, Fee, Stretch, fees_of, micros, stretches_of

pytestmark = pytest.mark.property

CASES = int(os.environ.get("INTERPILE_PRICING_CASES", "600"))
FIRST = int(os.environ.get("INTERPILE_PRICING_FROM", "1"))
AT_ONCE = 1000
PERIODS_MOST = 32
US = timedelta(microseconds=1)
BEGIN = datetime(2026, 2, 27, tzinfo=UTC)
"""Charges begin within the three days behind it: into a month's end."""


def tariff_of(random: Random) -> Tariff:
    """Any tariff of up to 32 periods."""
    count = random.choice((0, 1, 3, 7, random.randrange(PERIODS_MOST), PERIODS_MOST - 1))
    # Here and there all edges lie within an hour.
    among = range(1, 1440) if random.random() < 0.8 else range(first := random.randrange(1, 1380), first + 60)
    bounds = [0, *sorted(random.sample(among, count)), 1440]
    if random.random() < 0.5:
        # Few prices: neighbours are often alike, and then are one stretch.
        prices = [0, 350_000, 1_150_000]
    else:
        prices = [random.choice((1, 999_999, 10**9, random.randrange(3_000_000))) for _ in range(8)]
    periods = [
        TariffPeriod(
            start_minute=start,
            end_minute=end,
            electricity_micro=random.choice(prices),
            service_micro=random.choice(prices),
            band=random.choice((None, *Band)),
        )
        for start, end in pairwise(bounds)
    ]
    return Tariff(
        party_id="MA5AAAAA1",
        tariff_id="t",
        version=1,
        valid_from=BEGIN,
        periods=periods,
        utc_offset_minutes=random.choice((480, 480, 0, 345, random.randint(-720, 840))),
        parking=time_fee_of(random),
        idle=time_fee_of(random),
    )


def time_fee_of(random: Random) -> TimeFee | None:
    """None, or any time fee."""
    if random.random() < 0.3:
        return None
    return TimeFee(
        price_micro_per_hour=random.choice((0, 1, 18_000_000, 36_000_000, random.randrange(10**9))),
        free_minutes=random.choice((0, 15, 30, 1440, random.randrange(200))),
        cap_fen=random.choice((None, 0, 2_000, random.randrange(100_000))),
    )


def readings_of(random: Random, tariff: Tariff) -> list[Reading]:
    """Two to a dozen readings over minutes or days, on edges, between them, or several at one instant."""
    span_us = random.choice((3, 3, 3, 30, 90)) * 60 * MINUTE_US
    start = BEGIN + timedelta(seconds=random.randrange(3 * 86_400))
    edges = [one.start_minute - tariff.utc_offset_minutes for one in tariff.periods]
    instants: list[datetime] = []
    for _ in range(random.randint(2, 12)):
        at = start + random.randrange(span_us) * US
        match random.randrange(6):
            case 0:
                midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
                at = midnight + timedelta(minutes=random.choice(edges))
            case 1:
                at = at.replace(second=0, microsecond=0)
            case 2 if instants:
                at = instants[-1]
            case _:
                at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        instants.append(at)
    steps = random.choice(((0, 1, 9_999), (0, 10, 20_000), (100_000,), (10**9,)))
    grown = accumulate((random.choice(steps) for _ in instants), initial=random.randrange(10**9))
    zone = timezone(timedelta(minutes=random.choice((0, 0, 480, -570))))
    return [Reading(at.astimezone(zone), wh) for at, wh in zip(sorted(instants), grown, strict=False)]


def left_after(random: Random, end: datetime) -> datetime | None:
    """When the vehicle left, if anybody knows."""
    return random.choice((None, end, end + timedelta(milliseconds=random.randrange(200_000_000))))


def as_stretches(lines: Sequence[BillLine]) -> list[Stretch]:
    return [
        Stretch(
            micros(line.start),
            micros(line.end),
            line.energy_wh,
            line.electricity_micro,
            line.service_micro,
            line.electricity_fen,
            line.service_fen,
        )
        for line in lines
    ]


def as_fees(lines: Sequence[FeeLine]) -> list[Fee]:
    return [Fee(line.kind, micros(line.start), micros(line.end), line.amount_fen) for line in lines]


def check(number: int) -> None:
    random = Random(number)
    tariff = tariff_of(random)
    check_tariff(tariff)
    readings = readings_of(random, tariff)
    lines = price(tariff, readings)
    assert as_stretches(lines) == stretches_of(tariff, readings)
    assert sum(line.energy_wh for line in lines) == readings[-1].meter_wh - readings[0].meter_wh
    assert price(tariff, readings_at_edges(lines, readings[0].meter_wh)) == lines
    start, end = readings[0].at, readings[-1].at
    left = left_after(random, end)
    fees = fee_lines(tariff, started_at=start, ended_at=end, left_at=left)
    assert as_fees(fees) == fees_of(tariff, start, end, left)
    whole = sum(line.electricity_fen + line.service_fen for line in lines) + sum(fee.amount_fen for fee in fees)
    assert total_fen(lines, fees) == whole


def readings_at_edges(lines: Sequence[BillLine], first_wh: int) -> list[Reading]:
    """The readings that the bill itself tells: a bill priced again is the same bill."""
    meters = accumulate((line.energy_wh for line in lines), initial=first_wh)
    instants = [lines[0].start, *(line.end for line in lines)]
    return [Reading(at, wh) for at, wh in zip(instants, meters, strict=True)]


@pytest.mark.parametrize("first", range(FIRST, FIRST + CASES, AT_ONCE))
def test_every_case_is_priced_as_the_oracle_prices_it_minute_by_minute(first: int) -> None:
    for number in range(first, min(first + AT_ONCE, FIRST + CASES)):
        try:
            check(number)
        except AssertionError as problem:
            problem.add_note(f"case {number}: INTERPILE_PRICING_FROM={number} INTERPILE_PRICING_CASES=1")
            raise


@pytest.mark.parametrize("number", range(5))
def test_a_months_fees_are_the_sum_of_its_days(number: int) -> None:
    """By day as the product bills it, by month as the oracle does: not a fen goes between."""
    random = Random(number)
    tariff = tariff_of(random)
    offset = timedelta(minutes=tariff.utc_offset_minutes)
    daily: Counter[tuple[str, str]] = Counter()
    monthly: Counter[str] = Counter()
    for _ in range(60):
        begun = BEGIN + timedelta(seconds=random.randrange(28 * 86_400))
        ended = begun + timedelta(seconds=random.randrange(1, 90_000))
        readings = [Reading(begun, 700), Reading(ended, 700 + random.randrange(60_000))]
        day = (ended + offset).date().isoformat()
        for line in price(tariff, readings):
            daily["electricity", day] += line.electricity_fen
            daily["service", day] += line.service_fen
        for fee in fee_lines(tariff, started_at=begun, ended_at=ended):
            daily[fee.kind, day] += fee.amount_fen
        for stretch in stretches_of(tariff, readings):
            monthly["electricity"] += stretch.electricity_fen
            monthly["service"] += stretch.service_fen
        for owed in fees_of(tariff, begun, ended):
            monthly[owed.kind] += owed.amount_fen
    by_kind: Counter[str] = Counter()
    for (kind, _), amount in daily.items():
        by_kind[kind] += amount
    assert len({day for _, day in daily}) > 15
    assert by_kind == monthly
