"""Progress: bounded, never backward, and 100 only where the charge came to its end."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_sdk.contract.progress import (
    B0_PPM,
    MIN_ELAPSED_S,
    goal_fen,
    percent_done,
    seconds_left,
    shortfall_s_step,
)

pytestmark = pytest.mark.property
GOALS = st.integers(1, 10**7)
AMOUNTS = st.integers(0, 2 * 10**7)
OPTIONAL = st.none() | st.integers(0, 10**7)


@given(OPTIONAL, OPTIONAL)
def test_the_goal_is_the_smaller_of_what_is_known(held: int | None, target: int | None) -> None:
    goal = goal_fen(held_fen=held, target_estimate_fen=target)
    known = [amount for amount in (held, target) if amount]
    assert goal == (min(known) if known else None)


@given(GOALS, st.lists(AMOUNTS, max_size=20))
def test_percent_never_goes_back_and_is_at_most_99_until_ended(goal: int, amounts: list[int]) -> None:
    sent: int | None = None
    for amount in amounts:
        percent = percent_done(goal=goal, amount_fen=amount, sent=sent, ended=False, at_target=False)
        assert percent is not None
        assert (sent or 0) <= percent <= 99
        assert percent >= min(99, int(Fraction(100 * amount, goal)))
        sent = percent
    ended = percent_done(
        goal=goal, amount_fen=amounts[-1] if amounts else 0, sent=sent, ended=True, at_target=True
    )
    assert ended == 100


@given(GOALS, AMOUNTS, st.none() | st.integers(0, 99))
def test_an_end_short_of_the_target_is_no_more_than_the_money_says(
    goal: int, amount: int, sent: int | None
) -> None:
    percent = percent_done(goal=goal, amount_fen=amount, sent=sent, ended=True, at_target=False)
    assert percent == max(sent or 0, min(100, int(Fraction(100 * amount, goal))))


@given(AMOUNTS, st.booleans(), st.integers(0, 10**5))
def test_without_a_goal_nothing_is_said(amount: int, ended: bool, elapsed: int) -> None:
    said = percent_done(goal=None, amount_fen=amount, sent=None, ended=ended, at_target=ended)
    left = seconds_left(
        goal=None,
        amount_fen=amount,
        elapsed_s=elapsed,
        shortfall_ws=0,
        able_w=7000,
        finishing=ended,
    )
    assert said is None
    assert left is None


@given(
    GOALS,
    AMOUNTS,
    st.integers(0, 10**5),
    st.integers(0, 10**10),
    st.integers(0, 400_000),
    st.booleans(),
)
def test_time_left_is_the_formula_within_two_seconds(
    goal: int, amount: int, elapsed: int, shortfall: int, able: int, finishing: bool
) -> None:
    left = seconds_left(
        goal=goal,
        amount_fen=amount,
        elapsed_s=elapsed,
        shortfall_ws=shortfall,
        able_w=able,
        finishing=finishing,
    )
    if finishing:
        assert left == 0
    elif amount == 0 or elapsed < MIN_ELAPSED_S:
        assert left is None
    else:
        missing = max(0, goal - amount)
        exact = Fraction(missing * elapsed, amount)
        if able:
            exact += Fraction(B0_PPM, 10**6) * Fraction(missing, goal) * Fraction(shortfall, able)
        assert left is not None
        assert 0 <= exact - left < 2
        assert left == 0 or missing > 0


@given(st.integers(0, 400_000), st.integers(0, 400_000), st.integers(-10, 1000))
def test_power_above_the_able_and_time_running_back_add_no_shortfall(able: int, power: int, step: int) -> None:
    added = shortfall_s_step(able_w=able, power_w=power, step_s=step)
    assert added == max(0, able - power) * max(0, step)
