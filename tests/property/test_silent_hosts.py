"""What the hub takes a charge to have come to while its host is silent, by an oracle that lets time pass."""

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.roaming.model_silence import (
    PAUSE_MOST_S,
    assumed_power_w,
    next_question_s,
    seconds_to_mark,
    silent_after_s,
    why_stop,
)
from operator_sdk.contract.codes import StopReason
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from tests.record_cases import HOST, MIDNIGHT

pytestmark = pytest.mark.property

POWERS = st.sampled_from([0, 1, 7_000, 59_999, 60_000, 61_000, 480_000, 100_000_000])
PRICES = st.sampled_from([0, 1, 333_333, 1_500_000])
CADENCES = st.integers(1, 3_600)


@dataclass
class Heard:
    """A charge as it was last heard of."""

    stop_at_fen: int | None
    stop_at_wh: int | None
    amount_fen: int
    energy_wh: int
    power_w: int
    able_w: int
    target_kind: str = "full"
    target_value: int = 0


CHARGES = st.builds(
    Heard,
    stop_at_fen=st.none() | st.integers(0, 20_000),
    stop_at_wh=st.none() | st.integers(0, 100_000),
    amount_fen=st.integers(0, 20_000),
    energy_wh=st.integers(0, 100_000),
    power_w=POWERS,
    able_w=POWERS,
)


def tariff(cheap: int, dear: int) -> Tariff:
    """Two prices a day."""
    periods = [
        TariffPeriod(start_minute=0, end_minute=480, electricity_micro=cheap, service_micro=0),
        TariffPeriod(start_minute=480, end_minute=1440, electricity_micro=dear, service_micro=0),
    ]
    return Tariff(party_id=HOST, tariff_id="t", version=1, valid_from=MIDNIGHT, periods=periods)


@given(CHARGES, PRICES, PRICES)
def test_a_charge_is_stopped_from_the_second_on_at_which_it_is_taken_to_reach_its_mark(
    charge: Heard, cheap: int, dear: int
) -> None:
    prices = tariff(cheap, dear)
    wait_s = seconds_to_mark(charge, prices)
    if wait_s is None:
        assert why_stop(charge, prices, 10**9) is None
        return
    assert why_stop(charge, prices, wait_s) is not None
    assert why_stop(charge, prices, wait_s + 1) is not None
    assert wait_s == 0 or why_stop(charge, prices, wait_s - 1) is None
    watts, hours = assumed_power_w(charge), Fraction(wait_s, 3600)
    yuan_per_kwh = Fraction(max(cheap, dear), 1_000_000)
    at_wh, at_fen = charge.stop_at_wh, charge.stop_at_fen
    by_energy = at_wh is not None and charge.energy_wh + watts * hours >= at_wh
    by_money = (
        at_fen is not None and charge.amount_fen + watts * hours * yuan_per_kwh * Fraction(1, 10) >= at_fen
    )
    assert by_energy or by_money


@given(CHARGES, PRICES, PRICES)
def test_a_charge_that_its_host_stops_by_itself_is_never_stopped_for_silence(
    charge: Heard, cheap: int, dear: int
) -> None:
    free = replace(charge, stop_at_fen=None, stop_at_wh=None)
    assert seconds_to_mark(free, tariff(cheap, dear)) is None
    assert why_stop(free, tariff(cheap, dear), 10**9) is None


@pytest.mark.parametrize(
    ("drew", "able", "assumed"),
    [
        (30_000, 60_000, 30_000),
        (0, 60_000, 60_000),
        (99_000_000, 60_000, 60_000),
        (30_000, 0, 30_000),
        (0, 0, 0),
    ],
)
def test_it_goes_on_as_it_was_last_heard_or_at_all_that_the_connector_gives(
    drew: int, able: int, assumed: int
) -> None:
    assert assumed_power_w(Heard(0, 0, 0, 0, power_w=drew, able_w=able)) == assumed


def test_the_reason_is_the_mark_that_comes_first() -> None:
    prices = tariff(1_500_000, 0)
    charge = Heard(300, 5_000, amount_fen=150, energy_wh=1_000, power_w=60_000, able_w=60_000)
    assert seconds_to_mark(charge, prices) == 60
    assert why_stop(charge, prices, 60) is StopReason.LIMIT_REACHED
    assert why_stop(replace(charge, stop_at_wh=1_500), prices, 30) is StopReason.TARGET_ENERGY


@given(CADENCES, st.integers(0, 10**7), st.none() | st.integers(0, 10**7))
def test_a_silent_host_is_asked_less_and_less_often_but_in_time_for_the_mark(
    every_s: int, silent_s: int, to_mark_s: int | None
) -> None:
    wait_s = next_question_s(silent_s=silent_s, every_s=every_s, to_mark_s=to_mark_s)
    assert 0 < wait_s <= max(silent_after_s(every_s), min(silent_s, PAUSE_MOST_S))
    if to_mark_s is None or to_mark_s <= silent_s:
        assert wait_s >= min(silent_s, PAUSE_MOST_S)
    else:
        assert silent_s + wait_s <= to_mark_s or wait_s < to_mark_s - silent_s


def test_three_cadences_are_silence_and_never_less_than_a_minute() -> None:
    assert [silent_after_s(every_s) for every_s in (1, 20, 50, 60, 3_600)] == [60, 60, 150, 180, 10_800]
