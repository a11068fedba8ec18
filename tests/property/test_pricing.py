"""Pricing against a slow oracle that walks minute by minute with exact fractions."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.money import round_half_up
from operator_sdk.contract.pricing import (
    PricingError,
    Reading,
    check_tariff,
    edges_between,
    highest_price_micro,
    period_at,
    price,
    reading_at,
    total_fen,
)

pytestmark = pytest.mark.property
DAY = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    cuts = draw(st.sets(st.integers(1, 1439), max_size=8))
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
        grown = energy_wh if ms else 0
        readings.append(Reading(last.at + timedelta(milliseconds=ms), last.meter_wh + grown))
    return readings


def prices_at(tariff: Tariff, at: datetime) -> tuple[int, int]:
    """The oracle's own search: the last period that has begun in the local day."""
    local = at + timedelta(minutes=tariff.utc_offset_minutes)
    minute = local.hour * 60 + local.minute
    period = [one for one in tariff.periods if one.start_minute <= minute][-1]
    return period.electricity_micro, period.service_micro


def meter_at(readings: list[Reading], at: datetime) -> int:
    """The oracle's own interpolation."""
    for before, after in pairwise(readings):
        if before.at < at <= after.at:
            share = Fraction((at - before.at) // timedelta(microseconds=1)) / Fraction(
                (after.at - before.at) // timedelta(microseconds=1)
            )
            exact = before.meter_wh + (after.meter_wh - before.meter_wh) * share
            return round_half_up(exact.numerator, exact.denominator)
    return readings[0].meter_wh


def oracle(tariff: Tariff, readings: list[Reading]) -> list[tuple[datetime, int, tuple[int, int]]]:
    """(start, energy, prices) of every stretch of equal prices, found by walking the minutes."""
    start, end = readings[0].at, readings[-1].at
    stretches = [(start, prices_at(tariff, start))]
    at = start.replace(second=0, microsecond=0) + MINUTE
    while at < end:
        prices = prices_at(tariff, at)
        if prices != stretches[-1][1]:
            stretches.append((at, prices))
        at += MINUTE
    closes = [*(begun for begun, _ in stretches[1:]), end]
    return [
        (begun, meter_at(readings, close) - meter_at(readings, begun), prices)
        for (begun, prices), close in zip(stretches, closes, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(tariffs(), meters())
def test_lines_are_those_of_the_slow_oracle(tariff: Tariff, readings: list[Reading]) -> None:
    assume(readings[-1].at > readings[0].at)
    lines = price(tariff, readings)
    expected = oracle(tariff, readings)
    assert [
        (line.start, line.energy_wh, (line.electricity_micro, line.service_micro)) for line in lines
    ] == expected
    for line, (_, energy_wh, (electricity, service)) in zip(lines, expected, strict=True):
        assert line.electricity_fen == half_up(Fraction(energy_wh * electricity, 10**7))
        assert line.service_fen == half_up(Fraction(energy_wh * service, 10**7))


def half_up(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


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
    # Cutting a line in two may round its parts the other way, by a fen for each fee kind.
    assert total_fen(price(tariff, shorter)) <= total_fen(price(tariff, readings)) + 2


@given(tariffs(), st.integers(0, 2_000_000))
def test_an_instant_is_in_one_period_that_ends_later(tariff: Tariff, seconds: int) -> None:
    at = DAY + timedelta(seconds=seconds)
    period, ends = period_at(tariff, at)
    assert (period.electricity_micro, period.service_micro) == prices_at(tariff, at)
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
