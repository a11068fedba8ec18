"""Ten failed scans in any minute, never eleven; the wait ends when the first of the ten is a minute old."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.roaming.model_scans import FAILURES_MOST, WINDOW, still_counted, wait_s

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


def test_it_waits_for_the_tenth_last_failure() -> None:
    failures = [NOON - timedelta(seconds=second, milliseconds=500) for second in range(10)]
    assert wait_s(failures[:9], NOON) is None
    assert wait_s(failures, NOON) == 51
    assert wait_s([*failures, NOON - timedelta(seconds=59)], NOON) == 51
    assert wait_s(failures, NOON + timedelta(seconds=50)) == 1
    assert wait_s(failures, NOON + timedelta(milliseconds=50_500)) is None


def test_a_failure_from_ahead_of_this_clock_does_not_wait_longer_than_a_minute() -> None:
    assert wait_s([NOON + timedelta(hours=1)] * 10, NOON) == 60


@given(st.lists(st.integers(0, 300_000), max_size=80))
def test_no_minute_has_more_than_ten(moments_ms: list[int]) -> None:
    kept: list[datetime] = []
    answered: list[datetime] = []
    for moment in sorted(moments_ms):
        now = NOON + timedelta(milliseconds=moment)
        if wait_s(kept, now) is None:
            kept = [*still_counted(kept, now), now]
            answered.append(now)
        else:
            assert sum(now - WINDOW < at for at in answered) == FAILURES_MOST
        assert len(kept) <= FAILURES_MOST
    for first in answered:
        assert sum(first <= at < first + WINDOW for at in answered) <= FAILURES_MOST
