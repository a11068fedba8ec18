"""TimeStamp and Seq of envelopes (T/CEC 102.4): wall time in the partner's zone, a counter in the second."""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from hub.core.clock import Clock, unix_ms
from operator_sdk.contract.tcec102.profile import Profile

TEXT = "%Y%m%d%H%M%S"
MILLISECOND_DIGITS = 13
"""Of a TimeStamp in Unix milliseconds, which one large platform sends."""

SEQ_MOST = 9_999

_zone = cache(ZoneInfo)


def write_stamp(at: datetime, profile: Profile) -> str:
    """An instant as the partner wants its TimeStamp."""
    if profile.time.stamp == "epoch_ms":
        return str(unix_ms(at))
    return at.astimezone(_zone(profile.time.zone)).strftime(TEXT)


def read_stamp(text: str, profile: Profile) -> datetime:
    """The instant of a TimeStamp in either form, whatever the profile says.

    Raises:
        ValueError: neither.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError("not digits")
    if len(text) == 14:
        return _instant(text, profile.time.zone)
    if len(text) == MILLISECOND_DIGITS:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(text))
    raise ValueError("neither yyyyMMddHHmmss nor milliseconds")


@lru_cache(maxsize=1_000)
def _instant(text: str, zone: str) -> datetime:
    """Kept, for thousands of messages carry the same second."""
    return datetime.strptime(text, TEXT).replace(tzinfo=_zone(zone)).astimezone(UTC)


class Stamps:
    """TimeStamp and Seq of our envelopes: the second in the partner's zone, and a counter within it (102.4).

    The processes of a hub count for themselves, all for one OperatorID. Each begins its seconds with a number
    of its own, drawn when it starts: the few messages that one has in a second keep clear of another's.
    """

    def __init__(self, clock: Clock, first: int = 0) -> None:
        self._clock, self._first = clock, first
        self._last: dict[str, tuple[datetime, int]] = {}

    def next(self, party_id: str, profile: Profile) -> tuple[str, str]:
        """The next pair for a partner; in one second never the same."""
        second = self._clock.wall().replace(microsecond=0)
        before, number = self._last.get(party_id, (second, 0))
        second = max(before, second)  # a clock that is put back does not give a pair again
        if second > before:
            number = 0
        elif number == SEQ_MOST:
            second, number = second + timedelta(seconds=1), 0
        self._last[party_id] = second, number + 1
        return write_stamp(second, profile), f"{(self._first + number) % SEQ_MOST + 1:04d}"
