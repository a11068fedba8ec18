"""What runs beside the books: the sealer, the end of holds whose time has come, and the check of everything."""

import logging

from hub.core.clock import Clock, local_day
from hub.core.database import Database, Unit
from hub.core.runner import keep_running
from hub.ledger.service import Ledger
from hub.ledger.tables_audit import Audit
from hub.ledger.tables_seals import Head, lock_head, seal_waiting
from operator_sdk.contract.messages.admin import LedgerReport

log = logging.getLogger("interpile.ledger")

SEALED_AT_ONCE = 500


class LedgerJobs:
    """Seals postings each second and at day close, and expires holds."""

    def __init__(self, database: Database, clock: Clock, ledger: Ledger) -> None:
        self._database, self._clock, self._ledger = database, clock, ledger
        self._day: str | None = None

    async def run(self) -> None:
        """Seal and expire every second, and close each day, until cancelled."""
        await keep_running("ledger", 1, self.round)

    async def round(self) -> None:
        """What is due now. The first round after midnight closes the day before."""
        day = local_day(self._clock.business())
        if self._day is not None and self._day != day:
            await self.close_day(self._day)
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

    async def close_day(self, day: str) -> Head:
        """Seal what waits and log where the chain ends: a witness kept outside the database."""
        await self.seal()
        async with self._database.unit() as unit:
            head = await lock_head(unit)
        log.info("ledger sealed", extra={"day": day, "seal": head.number, "chain": head.chain_digest})
        return head

    async def expire(self) -> int:
        """Expire every hold whose time has come; returns how many."""
        expired = 0
        while True:
            async with self._database.unit() as unit:
                ended = await self._ledger.expire_due(unit, self._clock.business())
            expired += len(ended)
            if not ended:
                return expired


async def verify(unit: Unit) -> LedgerReport:
    """Recompute every balance, digest and link from raw entries, in one snapshot; the unit must be new."""
    audit = Audit(unit)
    await audit.run()
    return LedgerReport(
        verified=not audit.problems,
        postings=audit.postings,
        entries=audit.entries,
        accounts=audit.accounts,
        sealed=audit.sealed,
        problems=audit.problems,
    )
