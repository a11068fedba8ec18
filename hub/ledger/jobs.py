"""What runs beside the books: the sealer, the close of days, and the end of holds whose time has come."""

import logging

from hub.core.clock import Clock, local_day
from hub.core.database import Database
from hub.core.runner import keep_running
from hub.ledger.service import Ledger
from hub.ledger.tables_days import read_ending, write_day
from hub.ledger.tables_seals import lock_head, seal_waiting

log = logging.getLogger("interpile.ledger")

SEALED_AT_ONCE = 500


class LedgerJobs:
    """Seals postings each second, closes days, and expires holds."""

    def __init__(self, database: Database, clock: Clock, ledger: Ledger) -> None:
        self._database, self._clock, self._ledger = database, clock, ledger
        self._day: str | None = None

    async def run(self) -> None:
        """Seal and expire every second, and close each day, until cancelled."""
        await keep_running("ledger", 1, self.round)

    async def round(self) -> None:
        """What is due now. The first round of a day, or of a process, closes the days before."""
        day = local_day(self._clock.business())
        if self._day != day:
            await self.close_days(day)
        self._day = day
        await self.seal()
        await self.expire()

    async def seal(self) -> int:
        """Chain every posting that waits; returns how many."""
        sealed = 0
        while True:
            async with self._database.unit() as unit:
                head = await lock_head(unit)
                after = await seal_waiting(unit, head, SEALED_AT_ONCE)
            sealed += after.number - head.number
            if after.number - head.number < SEALED_AT_ONCE:
                return sealed

    async def close_days(self, before: str) -> int:
        """Close every day before this one on which something was booked, in order and once; returns how many.

        Each is logged with the end of its chain: a witness kept outside the database.
        """
        await self.seal()
        closed = 0
        while True:
            async with self._database.reading() as unit:
                ending = await read_ending(unit, before, self._clock.business())
            if ending is None:
                return closed
            async with self._database.unit() as unit:
                await lock_head(unit)
                written = await write_day(unit, ending)
            if written:
                closed += 1
                day, seal, chain = ending.facts.day, ending.facts.seal_number, ending.facts.chain_digest
                log.info("ledger sealed", extra={"day": day, "seal": seal, "chain": chain})

    async def expire(self) -> int:
        """Expire every hold whose time has come; returns how many."""
        expired = 0
        while True:
            async with self._database.unit() as unit:
                ended = await self._ledger.expire_due(unit, self._clock.business())
            expired += len(ended)
            if not ended:
                return expired
