"""The access tokens that we issue to those who call us (T/CEC 102.4, query_token).

A new token leaves the earlier ones good until their own end, so that a caller of several processes never finds
itself locked out by itself; with `reuse` the running one is given again while most of its life is left.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from operator_sdk.chance import fresh_challenge

LIVE_TOKENS_MAX = 64
"""Per caller. One that asks for more at a time loses its oldest."""


def fresh_token() -> str:
    """256 random bits, 64 hexadecimal digits."""
    return fresh_challenge().hex()


@dataclass(frozen=True, slots=True)
class Issued:
    """One token and when it ends (wall time, UTC)."""

    token: str
    ends_at: datetime

    def life_s(self, now: datetime) -> int:
        """Whole seconds left."""
        return max(0, (self.ends_at - now) // timedelta(seconds=1))


class IssuedTokens:
    """Tokens of all callers, in memory: after a restart every caller gets 4002 once and asks anew."""

    def __init__(self, new_token: Callable[[], str] = fresh_token) -> None:
        self._new_token = new_token
        self._live: dict[str, list[Issued]] = {}

    def issue(self, operator_id: str, now: datetime, *, life_s: int, reuse: bool) -> Issued:
        """A token for this caller that is good for `life_s` seconds, or the running one."""
        live = self._prune(operator_id, now)
        if reuse and live and live[-1].life_s(now) * 2 > life_s:
            return live[-1]
        issued = Issued(self._new_token(), now + timedelta(seconds=life_s))
        self._live[operator_id] = [*live, issued][-LIVE_TOKENS_MAX:]
        return issued

    def is_good(self, operator_id: str, token: str, now: datetime) -> bool:
        """Whether this caller holds this token now; compared in constant time."""
        given = token.encode("utf-8", "replace")
        held = [hmac.compare_digest(one.token.encode(), given) for one in self._prune(operator_id, now)]
        return any(held)

    def forget(self, operator_id: str) -> None:
        """End all tokens of a caller at once."""
        self._live.pop(operator_id, None)

    def _prune(self, operator_id: str, now: datetime) -> list[Issued]:
        live = [one for one in self._live.get(operator_id, []) if one.ends_at > now]
        if live:
            self._live[operator_id] = live
        else:
            self._live.pop(operator_id, None)
        return live
