"""Two clocks. Wall: tokens, signatures, time-outs, leases. Business: meters, sessions, tariffs, days.

Business time = business epoch + (wall - epoch) x speed. Both clocks give UTC cut to milliseconds.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The port that every use case takes its time from."""

    def wall(self) -> datetime:
        """Now, for machines that talk to machines."""

    def business(self) -> datetime:
        """Now, for meters and money."""

    def wall_for(self, business: timedelta) -> timedelta:
        """How long a stretch of business time takes on the wall."""


def cut_to_ms(at: datetime) -> datetime:
    """An instant cut to milliseconds, in UTC."""
    if at.tzinfo is not UTC:  # asked a dozen times a message, and nearly always it is
        at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock, with business time run at `speed` from `epoch`."""

    epoch: datetime | None = None
    business_epoch: datetime | None = None
    speed: int = 1

    def wall(self) -> datetime:
        """Wall time."""
        # Asked a dozen times a message; cutting what the calendar made takes more than twice as long.
        return _EPOCH + timedelta(milliseconds=time.time_ns() // 1_000_000)

    def business(self) -> datetime:
        """Business time."""
        if self.epoch is None:
            return self.wall()
        begun = self.business_epoch or self.epoch
        return cut_to_ms(begun + (datetime.now(UTC) - self.epoch) * self.speed)

    def wall_for(self, business: timedelta) -> timedelta:
        """Divided by the speed."""
        return business // self.speed


@dataclass(slots=True)
class ManualClock:
    """A clock that stands until it is moved: for tests and simulation."""

    now: datetime

    def wall(self) -> datetime:
        """The instant it stands at."""
        return cut_to_ms(self.now)

    def business(self) -> datetime:
        """The same instant."""
        return cut_to_ms(self.now)

    def wall_for(self, business: timedelta) -> timedelta:
        """The same stretch."""
        return business

    def advance(self, **delta: int) -> None:
        """Move on; arguments as for timedelta."""
        self.now += timedelta(**delta)


_EPOCH, _SECOND, _MILLISECOND = (
    datetime(1970, 1, 1, tzinfo=UTC),
    timedelta(seconds=1),
    timedelta(milliseconds=1),
)


def unix_s(at: datetime) -> int:
    """Whole Unix seconds."""
    return (at - _EPOCH) // _SECOND


def unix_ms(at: datetime) -> int:
    """Whole Unix milliseconds."""
    return (at - _EPOCH) // _MILLISECOND


ZONE = timedelta(hours=8)
"""The hub's zone, Asia/Shanghai: no summer time since 1991."""


def local_day(at: datetime) -> str:
    """The hub's calendar day of an instant, as YYYY-MM-DD."""
    return (at.astimezone(UTC) + ZONE).date().isoformat()
