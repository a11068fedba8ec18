"""A ledger to test with, and the audit that every ledger test ends in."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hub.auditor.verify import audit
from hub.core.clock import ManualClock
from hub.core.database import Database, Unit
from hub.core.ids import SystemIds
from hub.ledger.jobs import LedgerJobs
from hub.ledger.model import Account, Balance, Entry, Hold
from hub.ledger.service import Ledger

BOOK = "MA5CCCCC3"
AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def wallet(name: str = "w1") -> Account:
    return Account(BOOK, "wallet", name)


def entry(account: Account, amount_fen: int) -> Entry:
    return Entry(**account._asdict(), amount_fen=amount_fen)


def fund(name: str, amount_fen: int) -> list[Entry]:
    """Money comes in from the bank."""
    return [entry(Account(BOOK, "funds_at_bank"), amount_fen), entry(wallet(name), -amount_fen)]


def spend(name: str, amount_fen: int) -> list[Entry]:
    """Money is owed to a host."""
    return [entry(wallet(name), amount_fen), entry(Account(BOOK, "payable", "MA5AAAAA1"), -amount_fen)]


@dataclass
class Books:
    """A ledger on a database of its own, one unit per call."""

    database: Database
    clock: ManualClock

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.clock, SystemIds(self.clock))
        self.jobs = LedgerJobs(self.database, self.clock, self.ledger)

    async def post(self, reference: str, entries: list[Entry], kind: str = "test") -> str:
        async with self.database.unit() as unit:
            return await self.ledger.post(unit, kind=kind, reference=reference, event_at=AT, entries=entries)

    async def hold(
        self, reference: str, amount_fen: int, name: str = "w1", expires_at: datetime | None = None
    ) -> Hold:
        async with self.database.unit() as unit:
            return await self.ledger.make_hold(unit, wallet(name), reference, amount_fen, expires_at)

    async def capture(self, reference: str, amount_fen: int, name: str = "w1") -> Hold:
        async with self.database.unit() as unit:
            return await self.capture_in(unit, reference, amount_fen, name)

    async def capture_in(self, unit: Unit, reference: str, amount_fen: int, name: str = "w1") -> Hold:
        return await self.ledger.capture_hold(
            unit,
            reference,
            amount_fen,
            kind="capture",
            posting_reference=reference,
            event_at=AT,
            entries=spend(name, amount_fen) if amount_fen else [],
        )

    async def void(self, reference: str) -> Hold:
        async with self.database.unit() as unit:
            return await self.ledger.void_hold(unit, reference)

    async def balance(self, account: Account) -> Balance:
        async with self.database.reading() as unit:
            return await self.ledger.balances(unit, *account)

    async def audit(self) -> None:
        """The books are whole; called by every test that moved money."""
        report = await audit(self.database.url)
        assert report.verified, report.problems
