"""What a caller keeps between two calls: its token, its Seq. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

ABSOLUTE_FROM = 10**10
"""As seconds this were 317 years: from here on it is an instant in milliseconds since 1970."""

_MARGIN = timedelta(seconds=60)
_SEQ_MAX = 9_999
_LATEST_MS = 10**14


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token that a platform gave us, and when to ask for the next one (wall time, UTC)."""

    token: str
    renew_at: datetime


def held_token(token: str, available_time: int, now: datetime) -> HeldToken:
    """A token to be renewed a minute, or a tenth of its life, before its end.

    `available_time` is TokenAvailableTime: seconds by the standard (102.4), with some platforms an absolute
    time in milliseconds.
    """
    if available_time < ABSOLUTE_FROM:
        life = timedelta(seconds=max(0, available_time))
    else:
        ends_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=min(available_time, _LATEST_MS))
        life = max(timedelta(0), ends_at - now)
    return HeldToken(token, now + life - min(_MARGIN, life / 10))


class SeqCounter:
    """Seq: 0001 to 9999, from 0001 again each second (102.4, request envelope)."""

    def __init__(self) -> None:
        self._stamp, self._count = "", 0

    def next(self, stamp: str) -> str:
        """The Seq of the next envelope with this TimeStamp."""
        self._count = self._count % _SEQ_MAX + 1 if stamp == self._stamp else 1
        self._stamp = stamp
        return f"{self._count:04}"
