"""The edge agent's two clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import Clock
from operator_sdk.clock import Clock as SdkClock

EPOCH = "2026-03-02T04:00:00+00:00"
DEMO = {"INTERPILE_ENV": "demo", "INTERPILE_EPOCH": EPOCH, "SPEED": "60"}


def test_without_anything_said_business_time_is_the_wall() -> None:
    clock = Clock.from_env({})
    assert abs(clock.business() - clock.wall()) < timedelta(seconds=1)
    assert clock.wall().microsecond % 1000 == 0
    assert clock.wall().tzinfo is UTC


def test_business_time_runs_as_fast_as_in_every_other_process_of_the_network() -> None:
    environ = {**DEMO, "INTERPILE_EPOCH_BUSINESS": "2026-03-02T12:00:00+08:00"}
    ours, theirs = Clock.from_env(environ), SdkClock.from_env(environ)
    before, here, after = theirs.business(), ours.business(), theirs.business()
    assert before <= here <= after
    assert ours.wall_for(timedelta(minutes=1)) == timedelta(seconds=1)


@given(st.integers(1, 600), st.integers(0, 10**6))
def test_a_stretch_of_business_time_is_so_much_shorter_on_the_wall(speed: int, seconds: int) -> None:
    clock = Clock(epoch=datetime(2026, 1, 1, tzinfo=UTC), speed=speed)
    wall = clock.wall_for(timedelta(seconds=seconds))
    assert abs(wall * speed - timedelta(seconds=seconds)) <= timedelta(microseconds=speed)


async def test_a_sleep_ends_when_its_business_time_has_passed() -> None:
    clock = Clock(epoch=datetime.now(UTC), speed=60)
    begun = clock.business()
    await clock.sleep(timedelta(seconds=3))
    assert clock.business() - begun >= timedelta(seconds=2)


@pytest.mark.parametrize(
    "environ",
    [
        {"SPEED": "60", "INTERPILE_EPOCH": EPOCH},
        {"SPEED": "60", "INTERPILE_ENV": "demo"},
        {"SPEED": "0", "INTERPILE_ENV": "demo"},
        {"SPEED": "fast", "INTERPILE_ENV": "demo"},
        {"INTERPILE_ENV": "holiday"},
        {**DEMO, "INTERPILE_EPOCH": "yesterday"},
        {**DEMO, "INTERPILE_EPOCH": "2026-03-02T04:00:00"},
        {"INTERPILE_EPOCH_BUSINESS": EPOCH},
    ],
)
def test_a_clock_that_makes_no_sense_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Clock.from_env(environ)
