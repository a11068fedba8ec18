"""Two clocks. Wall: time-outs, retries, the link. Business: meters, sessions, tariffs.

business = business epoch + (wall - epoch) x speed; both give UTC cut to milliseconds. The processes of one
network share INTERPILE_EPOCH, INTERPILE_EPOCH_BUSINESS and SPEED through the environment.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

ENVIRONMENTS = ("production", "demo", "test")


def environment_of(environ: Mapping[str, str] = os.environ) -> str:
    """INTERPILE_ENV: production, unless it says demo or test.

    Raises:
        ValueError: it says something else.
    """
    environment = environ.get("INTERPILE_ENV") or "production"
    if environment not in ENVIRONMENTS:
        raise ValueError(f"INTERPILE_ENV must be one of {', '.join(ENVIRONMENTS)}")
    return environment


def cut_to_ms(at: datetime) -> datetime:
    """An instant in UTC, cut to milliseconds."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Clock:
    """Both clocks of one process.

    Raises:
        ValueError: a speed below 1, or other than 1 without an epoch.
    """

    epoch: datetime | None = None
    business_epoch: datetime | None = None
    speed: int = 1

    def __post_init__(self) -> None:
        if self.speed < 1:
            raise ValueError("SPEED must be a whole number from 1 up")
        if self.epoch is None and (self.speed != 1 or self.business_epoch is not None):
            raise ValueError("SPEED and INTERPILE_EPOCH_BUSINESS need INTERPILE_EPOCH")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The clock that the environment describes.

        Raises:
            ValueError: as for the class; what is no instant or no number; another speed than 1 in production.
        """
        environment = environment_of(environ)
        speed = int(environ.get("SPEED") or "1")
        if environment == "production" and speed != 1:
            raise ValueError("SPEED other than 1 needs INTERPILE_ENV demo or test")
        return cls(
            epoch=_instant(environ.get("INTERPILE_EPOCH")),
            business_epoch=_instant(environ.get("INTERPILE_EPOCH_BUSINESS")),
            speed=speed,
        )

    def wall(self) -> datetime:
        """Now, for machines that talk to machines."""
        return cut_to_ms(datetime.now(UTC))

    def business(self) -> datetime:
        """Now, for meters and money."""
        if self.epoch is None:
            return self.wall()
        begun = self.business_epoch or self.epoch
        return cut_to_ms(begun + (datetime.now(UTC) - self.epoch) * self.speed)

    def wall_for(self, business: timedelta) -> timedelta:
        """How long a stretch of business time takes on the wall."""
        return business / self.speed

    async def sleep(self, business: timedelta) -> None:
        """Sleep until that much business time has passed."""
        await asyncio.sleep(self.wall_for(business).total_seconds())


def _instant(text: str | None) -> datetime | None:
    at = datetime.fromisoformat(text) if text else None
    if at is not None and at.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return at
