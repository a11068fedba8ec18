"""A meter's total never goes down, and never rises faster than the pile can deliver."""

from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.drivers.meter_errors import MeterJumped, MeterWentBack
from edge_agent.drivers.meter_guard import MeterGuard
from edge_agent.drivers.meter_reading import MeterReading

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def reading(total_wh: int) -> MeterReading:
    return MeterReading(address="202506180042", total_wh=total_wh, resolution_wh=10)


def guarded(total_wh: int = 50_000, rated_power_w: int = 7_000) -> MeterGuard:
    return MeterGuard(rated_power_w=rated_power_w).accept(reading(total_wh), NOON)


def test_the_first_total_is_believed_whatever_it_is() -> None:
    assert guarded(987_654_320).last == reading(987_654_320)


def test_a_total_that_stands_or_rises_is_believed() -> None:
    guard = guarded().accept(reading(50_000), NOON + timedelta(seconds=1))
    guard = guard.accept(reading(57_000), NOON + timedelta(hours=1))
    assert guard.last == reading(57_000)
    assert guard.last_at == NOON + timedelta(hours=1)


def test_a_total_that_goes_down_by_one_step_is_a_fault() -> None:
    with pytest.raises(MeterWentBack) as fault:
        guarded().accept(reading(49_990), NOON + timedelta(hours=1))
    assert fault.value.fault == "meter_went_back"
    assert (fault.value.before.total_wh, fault.value.now.total_wh) == (50_000, 49_990)


def test_a_total_may_rise_by_the_rating_with_its_tolerance_and_not_by_more() -> None:
    # 7 kW x 1.2 for an hour and ten seconds, and one step of 10 Wh for the cut.
    most = 8_400 + 8_400 * 10 // 3600 + 10
    later = NOON + timedelta(hours=1)
    guarded().accept(reading(50_000 + most // 10 * 10), later)
    with pytest.raises(MeterJumped) as fault:
        guarded().accept(reading(50_000 + most // 10 * 10 + 10), later)
    assert fault.value.fault == "meter_jumped"


def test_one_step_at_once_is_no_jump() -> None:
    guarded(rated_power_w=1).accept(reading(50_010), NOON)


def test_a_clock_set_back_does_not_excuse_a_jump() -> None:
    with pytest.raises(MeterJumped):
        guarded().accept(reading(51_000), NOON - timedelta(hours=1))


def test_after_a_fault_the_last_believed_total_still_counts() -> None:
    guard = guarded()
    for _ in range(2):
        with pytest.raises(MeterWentBack):
            guard.accept(reading(40_000), NOON + timedelta(hours=1))
