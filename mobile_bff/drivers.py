"""Who a driver's token speaks for. The hub decides on every call; here it is read for limits and its end."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from mobile_bff.refused import Refused, told
from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock, unix_s
from operator_sdk.contract.public_codes import Code
from operator_sdk.keys import TokenRefused, token_key_id, verify_token

TOKEN_MOST = 4_096
REMEMBERED_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver: `subject` is the home's own name for him. `expires_at` is Unix seconds of wall time."""

    home_party_id: str
    subject: str
    expires_at: int

    @property
    def name(self) -> tuple[str, str]:
        """What tells drivers apart."""
        return self.home_party_id, self.subject


class Drivers:
    """Verifies tokens with the hub's published keys; verified ones are remembered."""

    def __init__(self, hub: AsyncHubClient, issuer: str, clock: Clock) -> None:
        self._hub, self._issuer, self._clock = hub, issuer, clock
        self._known: OrderedDict[bytes, Driver] = OrderedDict()

    def seconds_left(self, driver: Driver) -> int:
        """Until the token ends; never negative."""
        return max(0, driver.expires_at - unix_s(self._clock.wall()))

    async def of(self, token: str | None) -> Driver:
        """Whose token it is.

        Raises:
            Refused: unauthenticated, token_invalid; unavailable where the hub's keys cannot be had.
        """
        if not token:
            raise Refused(Code.UNAUTHENTICATED)
        if len(token) > TOKEN_MOST or not token.isascii():
            raise Refused(Code.TOKEN_INVALID)
        digest = hashlib.sha256(token.encode()).digest()
        driver = self._known.get(digest) or await self._read(token)
        if not self.seconds_left(driver):
            self._known.pop(digest, None)
            raise Refused(Code.TOKEN_INVALID)
        self._known[digest] = driver
        if len(self._known) > REMEMBERED_MOST:
            self._known.popitem(last=False)
        return driver

    async def _read(self, token: str) -> Driver:
        try:
            with told():
                key = await self._hub.find_key(token_key_id(token))
            if key is None:
                raise Refused(Code.TOKEN_INVALID)
            claims = verify_token(token, key)
        except TokenRefused as problem:
            raise Refused(Code.TOKEN_INVALID) from problem
        ours = claims.get("iss") == claims.get("aud") == self._issuer and claims.get("scope") == "driver"
        match claims:
            case {"party": str(home), "sub": str(subject), "exp": int(expires)} if ours:
                return Driver(home, subject, expires)
            case _:
                raise Refused(Code.TOKEN_INVALID)
