"""Two clocks from three variables."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from operator_sdk.clock import Clock, unix_ms, unix_s

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SHARED = {"INTERPILE_EPOCH": "2026-01-01T00:00:00Z", "INTERPILE_ENV": "test", "SPEED": "60"}


def at(now: datetime, **environ: str) -> Clock:
    clock = Clock.from_env(environ)
    return Clock(
        epoch=clock._epoch,
        business_epoch=clock._business_epoch,
        speed=clock.speed,
        environment="test",
        now=lambda: now,
    )


def test_unset_both_clocks_are_the_machines() -> None:
    clock = Clock.from_env({})
    assert abs(clock.wall() - clock.business()) < timedelta(seconds=1)
    assert clock.wall().utcoffset() == timedelta(0)


def test_business_time_runs_from_its_epoch_at_speed_and_is_cut_to_milliseconds() -> None:
    now = EPOCH + timedelta(seconds=1, microseconds=17)
    clock = at(now, **SHARED, INTERPILE_EPOCH_BUSINESS="2025-06-01T08:00:00+08:00")
    assert clock.business() == datetime(2025, 6, 1, 0, 1, 0, 1000, tzinfo=UTC)
    assert clock.wall() == EPOCH + timedelta(seconds=1)


def test_speed_is_refused_in_production() -> None:
    for environment in ({}, {"INTERPILE_ENV": "production"}):
        given = {"INTERPILE_EPOCH": "2026-01-01T00:00:00Z", "SPEED": "2", **environment}
        with pytest.raises(ValueError, match="SPEED"):
            Clock.from_env(given)


@pytest.mark.parametrize(
    "environ",
    [
        {**SHARED, "SPEED": "0"},
        {**SHARED, "SPEED": "1.5"},
        {**SHARED, "INTERPILE_EPOCH": "2026-01-01T00:00:00"},
        {**SHARED, "INTERPILE_EPOCH": "soon"},
        {**SHARED, "INTERPILE_ENV": "staging"},
        {"SPEED": "60", "INTERPILE_ENV": "test"},
    ],
)
def test_what_makes_no_clock_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Clock.from_env(environ)


async def test_sleeping_in_business_time_is_shorter_by_the_speed() -> None:
    clock = Clock(epoch=EPOCH, speed=600, environment="demo")
    before = clock.business()
    await clock.sleep_business(30)
    assert clock.business() - before >= timedelta(seconds=29)


def test_unix_times_are_whole_numbers() -> None:
    instant = datetime(1970, 1, 1, 8, 0, 1, 999_999, tzinfo=timezone(timedelta(hours=8)))
    assert (unix_s(instant), unix_ms(instant)) == (1, 1999)
