"""SQLite's statements behind every posting and hold.

A writing unit has the whole file to itself: what it has looked up stays so until it writes. Instants are
integer microseconds, as in hub.core.types.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.ledger.model import Account, Hold, HoldState
from hub.ledger.model_booking import Booking, HoldEvent, Key, Locked
from hub.ledger.tables_hot import Booked

CHUNK = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OF_ACCOUNTS = " FROM ledger_account WHERE (book, kind, subject, currency) IN (VALUES {})"
EXISTING = f"SELECT book, kind, subject, currency{_OF_ACCOUNTS}"
LOCK = f"SELECT account_id, posted_fen, held_fen, version, book, kind, subject, currency{_OF_ACCOUNTS}"
POSTINGS = "SELECT kind, reference, posting_id FROM ledger_posting WHERE (kind, reference) IN (VALUES {})"
POSTING = (
    "INSERT INTO ledger_posting"
    " (posting_id, kind, reference, event_at, booked_at, business_day, note, digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
ENTRY = (
    "INSERT INTO ledger_entry (account_id, account_version, posting_id, amount_fen, balance_after_fen)"
    " VALUES (?, ?, ?, ?, ?)"
)
MOVE = "UPDATE ledger_account SET posted_fen = ?2, held_fen = ?3, version = ?4 WHERE account_id = ?1"
HOLD = (
    "SELECT h.hold_id, h.reference, a.book, a.kind, a.subject, a.currency, h.amount_fen, h.captured_fen,"
    " h.released_fen, h.state, h.made_at, h.expires_at"
    " FROM ledger_hold h LEFT JOIN ledger_account a ON a.account_id = h.account_id WHERE h.reference = ?"
)
ADD_HOLD = (
    "INSERT INTO ledger_hold (hold_id, account_id, reference, amount_fen, captured_fen, released_fen, state,"
    " made_at, expires_at) VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?)"
)
END_HOLD = (
    "UPDATE ledger_hold SET state = ?2, captured_fen = ?3, released_fen = ?4"
    " WHERE hold_id = ?1 AND state = 'open'"
)
TELL = (
    "INSERT INTO ledger_hold_event (hold_id, number, event, amount_fen, at, posting_id, digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class Sqlite:
    """The statements on one unit's connection."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def lock(self, wanted: Sequence[Account]) -> dict[Account, Locked]:
        """Lock accounts."""
        found = {Account(*row[4:]): Locked(*row[:4]) async for row in self._find(LOCK, wanted)}
        return found if len(found) == len(wanted) else {}

    async def existing(self, wanted: Sequence[Account]) -> set[Account]:
        """Which were ever used."""
        return {Account(*row) async for row in self._find(EXISTING, wanted)}

    async def postings(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Those that are booked."""
        return {Key(*row[:2]): row[2] async for row in self._find(POSTINGS, keys)}

    async def _find(self, statement: str, wanted: Sequence[Sequence[str]]) -> AsyncIterator[Sequence[Any]]:
        for first in range(0, len(wanted), CHUNK):
            chunk = wanted[first : first + CHUNK]
            values = ", ".join(f"({', '.join('?' * len(key))})" for key in chunk)
            flat = [part for key in chunk for part in key]
            for row in await self._driver.execute_fetchall(statement.format(values), flat):
                yield row

    async def book(self, booking: Booking) -> Booked:
        """Write a posting."""
        key = Key(booking.facts.kind, booking.facts.reference)
        known_id = (await self.postings([key])).get(key)
        if known_id is None:
            await self.book_many([booking], booking.after.values())
        return Booked(known_id, known_id is None)

    async def capture(self, booking: Booking, end: HoldEvent) -> Booked:
        """Write a posting that ends a hold."""
        key = Key(booking.facts.kind, booking.facts.reference)
        known_id = (await self.postings([key])).get(key)
        if known_id is not None or not await self._ended(end.hold):
            return Booked(known_id, is_new=False)
        await self.book_many([booking], booking.after.values())
        await self._tell(end)
        return Booked(None, is_new=True)

    async def book_many(self, bookings: Sequence[Booking], moved: Iterable[Locked]) -> None:
        """Write postings."""
        entries = [
            (account_id, facts.account_version, one.facts.posting_id, facts.amount_fen, facts.balance_after_fen)
            for one in bookings
            for account_id, facts in one.lines
        ]
        await self._run_many(ENTRY, entries)
        await self._run_many(MOVE, list(moved))
        postings = [
            (*facts[:3], _microseconds(facts.event_at), _microseconds(facts.booked_at), *facts[5:], digest)
            for facts, digest, _, _ in bookings
        ]
        await self._run_many(POSTING, postings)

    async def hold(self, reference: str) -> Hold | None:
        """The hold under a reference."""
        rows = list(await self._driver.execute_fetchall(HOLD, (reference,)))
        return _hold(rows[0]) if rows else None

    async def add_hold(self, begin: HoldEvent, on: Locked | None) -> bool:
        """A new hold."""
        hold = begin.hold
        expires = None if hold.expires_at is None else _microseconds(hold.expires_at)
        facts = (hold.reference, hold.amount_fen, hold.state.value, _microseconds(hold.made_at), expires)
        account_id = None if on is None else on.account_id
        if await self.hold(hold.reference) is not None:
            return False
        await self._run_many(ADD_HOLD, [(hold.hold_id, account_id, *facts)])
        await self._tell(begin)
        if on is not None:
            await self._run_many(MOVE, [on])
        return True

    async def end_hold(self, end: HoldEvent, on: Locked) -> bool:
        """The end of a hold."""
        if not await self._ended(end.hold):
            return False
        await self._run_many(MOVE, [on])
        await self._tell(end)
        return True

    async def _ended(self, hold: Hold) -> bool:
        row = (hold.hold_id, hold.state.value, hold.captured_fen, hold.released_fen)
        return bool(await self._run_many(END_HOLD, [row]))

    async def _tell(self, event: HoldEvent) -> None:
        number, name, amount_fen, at, posting_id = event.facts
        row = (event.hold.hold_id, number, name, amount_fen, _microseconds(at), posting_id, event.digest)
        await self._run_many(TELL, [row])

    async def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        cursor = await self._driver.executemany(statement, rows)
        count = int(cursor.rowcount)
        await cursor.close()
        return count


def _hold(row: Sequence[Any]) -> Hold:
    return Hold(
        hold_id=row[0],
        reference=row[1],
        account=None if row[2] is None else Account(*row[2:6]),
        amount_fen=row[6],
        captured_fen=row[7],
        released_fen=row[8],
        state=HoldState(row[9]),
        made_at=_instant(row[10]),
        expires_at=None if row[11] is None else _instant(row[11]),
    )


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
