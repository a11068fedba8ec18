"""Two clocks. Wall: tokens, signatures, time-outs. Business: meters, sessions, tariffs.

business = business epoch + (wall - epoch) x speed, in whole microseconds; both clocks give UTC
cut to milliseconds. The epochs are shared by every process of a network through the environment:
INTERPILE_EPOCH, INTERPILE_EPOCH_BUSINESS and SPEED.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENVIRONMENTS = ("production", "demo", "test")


def machine_now() -> datetime:
    """The machine's clock, UTC."""
    return datetime.now(UTC)


def cut_to_ms(at: datetime) -> datetime:
    """An instant in UTC, cut to milliseconds."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def unix_s(at: datetime) -> int:
    """Whole seconds since 1970."""
    return (at - UNIX_EPOCH) // timedelta(seconds=1)


def unix_ms(at: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (at - UNIX_EPOCH) // timedelta(milliseconds=1)


class Clock:
    """Both clocks of one process.

    Raises:
        ValueError: a naive epoch, a speed below 1, or another speed than 1 in production.
    """

    def __init__(
        self,
        *,
        epoch: datetime | None = None,
        business_epoch: datetime | None = None,
        speed: int = 1,
        environment: str = "production",
        now: Callable[[], datetime] = machine_now,
    ) -> None:
        if environment not in ENVIRONMENTS:
            raise ValueError(f"INTERPILE_ENV must be one of {', '.join(ENVIRONMENTS)}")
        if speed < 1:
            raise ValueError("SPEED must be a whole number from 1 up")
        if environment == "production" and speed != 1:
            raise ValueError("SPEED other than 1 needs INTERPILE_ENV demo or test")
        if epoch is None and (speed != 1 or business_epoch is not None):
            raise ValueError("SPEED and INTERPILE_EPOCH_BUSINESS need INTERPILE_EPOCH")
        self._epoch = _aware(epoch or UNIX_EPOCH)
        self._business_epoch = _aware(business_epoch or self._epoch)
        self.speed = speed
        self._now = now

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Clock":
        """The clock that the environment describes.

        Raises:
            ValueError: as for the class, and what is not an instant or not a whole number.
        """
        given = os.environ if environ is None else environ
        return cls(
            epoch=_instant(given.get("INTERPILE_EPOCH")),
            business_epoch=_instant(given.get("INTERPILE_EPOCH_BUSINESS")),
            speed=int(given.get("SPEED") or "1"),
            environment=given.get("INTERPILE_ENV") or "production",
        )

    def wall(self) -> datetime:
        """Now, for machines that talk to machines."""
        return cut_to_ms(self._now())

    def business(self) -> datetime:
        """Now, for meters and money."""
        return cut_to_ms(self._business_epoch + (self._now() - self._epoch) * self.speed)

    async def sleep_business(self, seconds: int) -> None:
        """Sleep until that much business time has passed."""
        await asyncio.sleep(seconds / self.speed)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an epoch needs a zone")
    return at.astimezone(UTC)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
