"""How much one caller may ask: a rate with a burst, and a number of calls at once. In this process's memory."""

from collections import OrderedDict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.core.clock import Clock
from hub.core.errors import TooManyError

CALLERS_MOST = 50_000
MILLI = 1000
STREAM_WAIT_S = 5


@dataclass(slots=True)
class _Bucket:
    """A caller's; held as long as a call of it is under way."""

    at: datetime
    milli_tokens: int
    under_way: int = 0

    def __enter__(self) -> None:
        self.under_way += 1

    def __exit__(self, *_: object) -> None:
        self.under_way -= 1


@dataclass(slots=True)
class Limits:
    """A token bucket and a counter per caller."""

    clock: Clock
    rate_per_s: int
    concurrent_most: int
    buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def admit(self, caller: str, *, rate_per_s: int | None = None) -> AbstractContextManager[None]:
        """Let one call in for as long as the block lasts.

        Raises:
            TooManyError: above the rate or the number at once; carries seconds to wait.
        """
        bucket = self._take(caller, rate_per_s or self.rate_per_s)
        if bucket.under_way >= self.concurrent_most:
            raise TooManyError(1)
        return bucket

    def hold(self, caller: str, most: int) -> AbstractContextManager[None]:
        """Count something that lasts, such as a stream.

        Raises:
            TooManyError: the caller has that many already.
        """
        bucket = self.buckets.setdefault(caller, _Bucket(self.clock.wall(), 0))
        if bucket.under_way >= most:
            raise TooManyError(STREAM_WAIT_S)
        return bucket

    def _take(self, caller: str, rate_per_s: int) -> _Bucket:
        now, full = self.clock.wall(), 2 * rate_per_s * MILLI
        bucket = self.buckets.get(caller)
        if bucket is None:
            bucket = self.buckets[caller] = _Bucket(now, full)
            self._forget_idle()
        passed_ms = max(0, (now - bucket.at) // timedelta(milliseconds=1))
        bucket.milli_tokens = min(full, bucket.milli_tokens + passed_ms * rate_per_s)
        bucket.at = now
        if bucket.milli_tokens < MILLI:
            raise TooManyError(1 + (MILLI - bucket.milli_tokens) // (rate_per_s * MILLI))
        bucket.milli_tokens -= MILLI
        return bucket

    def _forget_idle(self) -> None:
        while len(self.buckets) > CALLERS_MOST:
            caller, bucket = next(iter(self.buckets.items()))
            if bucket.under_way:
                self.buckets.move_to_end(caller)
                return
            del self.buckets[caller]
