"""How often one caller may ask: a token bucket for each, in this process's memory."""

from collections import OrderedDict
from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address, ip_network

from mobile_bff.refused import Refused
from operator_sdk.clock import Clock, unix_ms
from operator_sdk.contract.public_codes import Code

BURST_S = 4
"""How many seconds' worth may come at once."""

CALLERS_MOST = 20_000
SUBSCRIBER_BITS = 64
MILLI = 1_000


class Limiter:
    """`rate_per_s` for each caller, and a burst; the callers heard of longest ago are forgotten first."""

    def __init__(self, clock: Clock, *, rate_per_s: int, most: int = CALLERS_MOST) -> None:
        self._clock, self._rate_per_s, self._most = clock, rate_per_s, most
        self._buckets: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: Hashable) -> None:
        """Count one call.

        Raises:
            Refused: too_many_requests, with the seconds to wait.
        """
        now_ms, full = unix_ms(self._clock.wall()), BURST_S * self._rate_per_s * MILLI
        then_ms, milli = self._buckets.get(caller, (now_ms, full))
        milli = min(full, milli + max(0, now_ms - then_ms) * self._rate_per_s)
        is_free = milli >= MILLI
        self._buckets[caller] = now_ms, milli - MILLI if is_free else milli
        self._buckets.move_to_end(caller)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if not is_free:
            wait_s = 1 + (MILLI - milli) // (self._rate_per_s * MILLI)
            raise Refused(Code.TOO_MANY_REQUESTS, retry_after_s=wait_s)


def plain_address(host: str) -> str:
    """What one subscriber has: an IPv4 address, or the 2^64 addresses of an IPv6 network."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, SUBSCRIBER_BITS), strict=False))
    return str(address)
