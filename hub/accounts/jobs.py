"""What runs beside the accounts: forgetting sign-in rows that can no longer mean anything."""

from datetime import timedelta

from hub.accounts.model import HOUR
from hub.accounts.tables_signin import purge_signin
from hub.core.clock import Clock
from hub.core.database import Database

# A spent token is kept past its end, so that its reuse is still noticed.
_SESSIONS_KEPT = timedelta(days=30)


class AccountsJobs:
    """Housekeeping of sign-in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def purge(self) -> None:
        """Forget old codes, once their hourly limit has run out too, and old refresh tokens."""
        now = self._clock.wall()
        async with self._database.unit() as unit:
            await purge_signin(unit, codes_before=now - HOUR, sessions_before=now - _SESSIONS_KEPT)
