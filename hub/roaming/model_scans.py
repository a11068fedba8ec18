"""How often a driver may be wrong: ten failed scans in any minute, and the next waits."""

from collections.abc import Sequence
from datetime import datetime, timedelta

FAILURES_MOST = 10
WINDOW = timedelta(minutes=1)


def still_counted(failures: Sequence[datetime], now: datetime) -> list[datetime]:
    """The failures of the last minute, oldest first; one from ahead of this clock counts as of now."""
    return sorted(min(at, now) for at in failures if at > now - WINDOW)


def wait_s(failures: Sequence[datetime], now: datetime) -> int | None:
    """Seconds until the next scan, rounded up; None when it need not wait."""
    counted = still_counted(failures, now)
    if len(counted) < FAILURES_MOST:
        return None
    return -((now - counted[-FAILURES_MOST] - WINDOW) // timedelta(seconds=1))
