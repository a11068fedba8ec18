"""The rules of pricing, each against any tariff and any readings."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from operator_sdk.contract.codes import FeeKind
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.pricing import (
    PricingError,
    Reading,
    check_tariff,
    edges_between,
    fee_lines,
    highest_price_micro,
    period_at,
    price,
    reading_at,
    time_fee_fen,
    time_fee_line,
    total_fen,
)
from tests.pricing_oracle import day_of, micros, minute_of, stretches_of, time_fee
from tests.property.test_pricing_cases import as_stretches

pytestmark = pytest.mark.property
DAY = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    cuts = draw(st.sets(st.integers(1, 1439), max_size=8) | st.sets(st.integers(1, 1439), max_size=31))
    bounds = [0, *sorted(cuts), 1440]
    # Few prices, so that neighbours are often alike and then are one line.
    prices = st.sampled_from([0, 1, 350_000, 723_456, 1_150_000])
    periods = [
        TariffPeriod(
            start_minute=start,
            end_minute=end,
            electricity_micro=draw(prices),
            service_micro=draw(prices),
        )
        for start, end in pairwise(bounds)
    ]
    return Tariff(
        party_id="MA5AAAAA1",
        tariff_id="t",
        version=1,
        valid_from=DAY,
        periods=periods,
        utc_offset_minutes=draw(st.sampled_from([-720, 0, 345, 480, 840])),
    )


@st.composite
def meters(draw: st.DrawFn) -> list[Reading]:
    start = DAY + timedelta(milliseconds=draw(st.integers(0, 86_400_000)))
    steps = st.tuples(st.integers(0, 40_000_000), st.integers(0, 100_000))
    readings = [Reading(start, draw(st.integers(0, 10**9)))]
    for ms, energy_wh in draw(st.lists(steps, min_size=1, max_size=8)):
        last = readings[-1]
        readings.append(Reading(last.at + timedelta(milliseconds=ms), last.meter_wh + energy_wh))
    return readings


@settings(max_examples=60, deadline=None)
@given(tariffs(), meters())
def test_lines_are_those_of_the_slow_oracle(tariff: Tariff, readings: list[Reading]) -> None:
    """`test_pricing_cases` does the same with many more cases; here a failure shrinks."""
    assert as_stretches(price(tariff, readings)) == stretches_of(tariff, readings)


@given(tariffs(), meters())
def test_the_energy_of_the_lines_sums_to_last_minus_first(tariff: Tariff, readings: list[Reading]) -> None:
    lines = price(tariff, readings)
    assert sum(line.energy_wh for line in lines) == readings[-1].meter_wh - readings[0].meter_wh
    assert lines[0].start == readings[0].at
    assert lines[-1].end == readings[-1].at
    assert all(earlier.end == later.start for earlier, later in pairwise(lines))
    assert total_fen(lines) == sum(fees(line) for line in lines)


def fees(line: BillLine) -> int:
    return line.electricity_fen + line.service_fen


@given(tariffs(), meters())
def test_the_total_is_within_a_fen_per_line_of_the_exact_price(tariff: Tariff, readings: list[Reading]) -> None:
    lines = price(tariff, readings)
    exact = Fraction(
        sum(line.energy_wh * (line.electricity_micro + line.service_micro) for line in lines), 10**7
    )
    assert -len(lines) <= total_fen(lines) - exact <= len(lines)
    energy_wh = readings[-1].meter_wh - readings[0].meter_wh
    assert exact <= Fraction(energy_wh * highest_price_micro(tariff), 10**7)


@given(tariffs(), meters())
def test_readings_at_the_edges_change_nothing(tariff: Tariff, readings: list[Reading]) -> None:
    start, end = readings[0].at, readings[-1].at
    edges = [Reading(edge, reading_at(readings, edge)) for edge in edges_between(tariff, start, end)]
    merged = sorted([*readings, *edges], key=lambda one: (one.at, one.meter_wh))
    assert price(tariff, merged) == price(tariff, readings)


@given(tariffs(), meters(), st.data())
def test_a_bill_never_falls_while_the_meter_runs(
    tariff: Tariff, readings: list[Reading], data: st.DataObject
) -> None:
    shorter = readings[: data.draw(st.integers(2, len(readings)))]
    assert total_fen(price(tariff, shorter)) <= total_fen(price(tariff, readings))


@given(tariffs(), st.integers(0, 2_000_000))
def test_an_instant_is_in_one_period_that_ends_later(tariff: Tariff, seconds: int) -> None:
    at = DAY + timedelta(seconds=seconds)
    period, ends = period_at(tariff, at)
    assert (period.electricity_micro, period.service_micro) == day_of(tariff)[minute_of(tariff, micros(at))]
    assert at < ends <= at + timedelta(minutes=period.end_minute - period.start_minute)


@given(tariffs(), st.integers(0, 20))
def test_a_tariff_with_a_gap_or_out_of_order_is_refused(tariff: Tariff, which: int) -> None:
    from msgspec.structs import replace

    check_tariff(tariff)
    periods = list(tariff.periods)
    del periods[which % len(periods)]
    assume(periods)
    with pytest.raises(PricingError):
        check_tariff(replace(tariff, periods=periods))


@given(tariffs(), meters())
def test_readings_that_go_back_are_refused(tariff: Tariff, readings: list[Reading]) -> None:
    last = readings[-1]
    for spoilt in (
        [*readings, Reading(last.at, last.meter_wh - 1)],
        [*readings, Reading(last.at - MINUTE, last.meter_wh)],
        readings[:1],
    ):
        with pytest.raises(PricingError):
            price(tariff, spoilt)


TIME_FEES = st.builds(
    TimeFee,
    price_micro_per_hour=st.sampled_from([0, 1, 7_500_000, 36_000_000]) | st.integers(0, 10**9),
    free_minutes=st.sampled_from([0, 1, 15, 1440]),
    cap_fen=st.none() | st.integers(0, 10_000),
)
HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)


@given(TIME_FEES, st.integers(0, 10 * 86_400_000))
def test_a_time_costs_its_whole_seconds_behind_the_free_minutes(fee: TimeFee, ms: int) -> None:
    end = DAY + ms * MS
    amount = time_fee_fen(fee, DAY, end)
    assert amount == time_fee(fee, micros(DAY), micros(end))
    line = time_fee_line(FeeKind.PARKING, fee, DAY, end)
    assert (0 if line is None else line.amount_fen) == amount
    if line is not None:
        # The line alone says how its amount came about, but for the cap.
        rest = TimeFee(price_micro_per_hour=line.price_micro_per_hour, cap_fen=fee.cap_fen)
        assert time_fee_fen(rest, line.start, line.end) == amount


@given(TIME_FEES, st.integers(0, 10**8), st.integers(0, 10**8))
def test_more_time_never_costs_less_nor_more_than_the_cap(fee: TimeFee, ms: int, more: int) -> None:
    amount = time_fee_fen(fee, DAY, DAY + ms * MS)
    assert amount <= time_fee_fen(fee, DAY, DAY + (ms + more) * MS)
    assert fee.cap_fen is None or amount <= fee.cap_fen


def test_parking_runs_to_the_departure_and_idle_from_the_end() -> None:
    day = [TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=0, service_micro=0)]
    tariff = Tariff(
        party_id="MA5AAAAA1",
        tariff_id="t",
        version=1,
        valid_from=DAY,
        periods=day,
        parking=TimeFee(price_micro_per_hour=5_000_000, free_minutes=30),
        idle=TimeFee(price_micro_per_hour=30_000_000, free_minutes=15, cap_fen=3_000),
    )

    def said(left_at: datetime | None) -> list[tuple[str, timedelta, timedelta, int]]:
        lines = fee_lines(tariff, started_at=DAY, ended_at=DAY + 2 * HOUR, left_at=left_at)
        return [(line.kind, line.start - DAY, line.end - DAY, line.amount_fen) for line in lines]

    half, quarter = HOUR / 2, HOUR / 4
    assert said(None) == [("parking", half, 2 * HOUR, 750)]
    assert said(DAY + 3 * HOUR) == [
        ("parking", half, 3 * HOUR, 1_250),
        ("idle", 2 * HOUR + quarter, 3 * HOUR, 2_250),
    ]
    assert said(DAY + 5 * HOUR)[1] == ("idle", 2 * HOUR + quarter, 5 * HOUR, 3_000)
    with pytest.raises(PricingError):
        said(DAY + HOUR)
