"""Rounding and shares, against exact fractions."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_sdk.contract.money import (
    amount_fen,
    largest_remainder,
    owed_at_most_fen,
    part_ppm,
    round_half_up,
)

pytestmark = pytest.mark.property
BIG = 10**15


def half_away_from_zero(exact: Fraction) -> int:
    whole = floor(abs(exact) + Fraction(1, 2))
    return whole if exact >= 0 else -whole


@given(st.integers(-BIG, BIG) | st.integers(-(BIG**2), BIG**2), st.integers(1, BIG))
def test_rounding_is_to_the_nearest_with_halves_away_from_zero(top: int, bottom: int) -> None:
    """Tops beyond what a float can count, and bottoms down to what makes their quotients as large."""
    for denominator in (bottom, 10**7, 3):
        assert round_half_up(top, denominator) == half_away_from_zero(Fraction(top, denominator))
        assert round_half_up(-top, denominator) == -round_half_up(top, denominator)


@given(st.integers(0, BIG), st.integers(1, BIG))
def test_an_exact_half_is_rounded_up_whatever_its_neighbours_are(whole: int, half: int) -> None:
    top, bottom = (2 * whole + 1) * half, 2 * half
    assert round_half_up(top, bottom) == whole + 1
    assert round_half_up(-top, bottom) == -(whole + 1)


@given(st.integers(-BIG, BIG), st.integers(-5, 0))
def test_a_denominator_that_is_not_positive_is_refused(top: int, bottom: int) -> None:
    with pytest.raises(ValueError, match="denominator"):
        round_half_up(top, bottom)


@given(st.integers(0, 10**12), st.integers(0, 10**9))
def test_an_amount_is_energy_times_price_to_the_nearest_fen(energy_wh: int, price: int) -> None:
    exact = Fraction(energy_wh, 1000) * Fraction(price, 10**6) * 100
    assert abs(amount_fen(energy_wh, price) - exact) <= Fraction(1, 2)
    assert amount_fen(energy_wh, price) == half_away_from_zero(exact)


@given(st.integers(0, 10**12), st.integers(0, 10**6))
def test_a_part_is_never_more_than_the_whole(amount: int, ppm: int) -> None:
    part = part_ppm(amount, ppm)
    assert 0 <= part <= amount
    assert abs(part - Fraction(amount * ppm, 10**6)) <= Fraction(1, 2)


WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any)


@given(st.integers(0, 10**12), WEIGHTS)
def test_shares_sum_to_the_whole_and_each_is_within_a_fen(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(total * weight, sum(weights))
        assert abs(part - exact) < 1
        assert part == 0 or weight > 0


@given(st.integers(0, 10**6), WEIGHTS)
def test_the_largest_remainders_are_rounded_up(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, weights)
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    up = [e - floor(e) for e, part in zip(exact, parts, strict=True) if part > floor(e)]
    down = [e - floor(e) for e, part in zip(exact, parts, strict=True) if part == floor(e)]
    assert not up or not down or min(up) >= max(down)


@given(st.integers(1, 10**9), st.integers(1, 10))
def test_weightless_shares_carry_nothing(total: int, count: int) -> None:
    assert largest_remainder(0, [0] * count) == [0] * count
    for weights in ([0] * count, [-1] * count):
        with pytest.raises(ValueError, match="weight"):
            largest_remainder(total, weights)


@given(st.integers(0, 10**10))
def test_an_overrun_is_owed_up_to_one_percent_or_three_yuan(limit: int) -> None:
    assert owed_at_most_fen(limit) - limit == max(limit // 100, 300)
