"""The statements of every posting, on the bare driver of the unit's connection.

Built by SQLAlchemy they cost 2.0 ms (SQLite) and 2.5 ms (PostgreSQL) per posting, written out 0.9 and 1.0 ms;
so they are written out, once per engine. Errors are the driver's own. Instants go to SQLite as integer
microseconds, as in hub.core.types.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from hub.core.database import Unit
from hub.ledger.model import Account, Balance, EntryFacts, PostingFacts, kind_of, natural_fen

CHUNK = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Locked(NamedTuple):
    """An account's row, locked until the unit ends."""

    account_id: int
    posted_fen: int
    held_fen: int
    version: int

    def balance(self, account: Account) -> Balance:
        """Seen from its own side."""
        side = kind_of(account).side
        return Balance(natural_fen(side, self.posted_fen), self.held_fen, self.version)


class Hot(Protocol):
    """The five statements."""

    async def existing(self, wanted: Sequence[Account]) -> set[Account]:
        """Which of these accounts were ever used; locks nothing."""

    async def lock(self, wanted: Sequence[Account]) -> dict[Account, Locked]:
        """Lock accounts that exist, in the order of Python's sort."""

    async def posting_id_of(self, kind: str, reference: str) -> str | None:
        """The posting under a reference."""

    async def move(self, changed: Sequence[Locked]) -> None:
        """Write what locked accounts have become; posted and held at once, for the check counts both."""

    async def insert_entries(self, posting_id: str, lines: Sequence[tuple[int, EntryFacts]]) -> None:
        """Entries, each with its account's id; before their posting."""

    async def insert_posting(self, facts: PostingFacts, digest: str) -> bool:
        """The posting itself, after its entries. False: its reference was taken in the meantime."""


async def hot(unit: Unit) -> Hot:
    """The statements on this unit's connection."""
    connection = await unit.session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if unit.dialect == "sqlite":
        return _Sqlite(driver)
    if not driver.is_in_transaction():
        # SQLAlchemy begins when it first executes something, and the bare driver would not wait for that.
        await connection.exec_driver_sql("SELECT 1")
    return _Postgresql(driver)


_POSTING = (
    "INSERT INTO ledger_posting"
    " (posting_id, kind, reference, event_at, booked_at, business_day, note, digest)"
    " VALUES ({}) ON CONFLICT DO NOTHING"
)


class _Postgresql:
    _KEYS = (
        " FROM ledger_account a JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[])"
        " AS wanted (book, kind, subject, currency) USING (book, kind, subject, currency)"
    )
    _EXISTING = "SELECT a.book, a.kind, a.subject, a.currency" + _KEYS
    # The database must sort as Python does, or two units could lock in opposite orders.
    _LOCK = (
        "SELECT a.account_id, a.posted_fen, a.held_fen, a.version,"
        " a.book, a.kind, a.subject, a.currency" + _KEYS + ' ORDER BY a.book COLLATE "C",'
        ' a.kind COLLATE "C", a.subject COLLATE "C", a.currency COLLATE "C"'
        " FOR NO KEY UPDATE OF a"
    )
    _FIND = "SELECT posting_id FROM ledger_posting WHERE kind = $1 AND reference = $2"
    _MOVE = (
        "UPDATE ledger_account a SET posted_fen = became.posted, held_fen = became.held,"
        " version = became.version"
        " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])"
        " AS became (account_id, posted, held, version) WHERE a.account_id = became.account_id"
    )
    _ENTRIES = (
        "INSERT INTO ledger_entry"
        " (account_id, account_version, posting_id, amount_fen, balance_after_fen)"
        " SELECT account_id, version, $1, amount, balance"
        " FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])"
        " AS line (account_id, version, amount, balance)"
    )
    _INSERT = _POSTING.format("$1, $2, $3, $4, $5, $6, $7, $8")

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def existing(self, wanted: Sequence[Account]) -> set[Account]:
        rows = await self._driver.fetch(self._EXISTING, *_columns(wanted, 4))
        return {Account(*row) for row in rows}

    async def lock(self, wanted: Sequence[Account]) -> dict[Account, Locked]:
        rows = await self._driver.fetch(self._LOCK, *_columns(wanted, 4))
        return {Account(*row[4:]): Locked(*row[:4]) for row in rows}

    async def posting_id_of(self, kind: str, reference: str) -> str | None:
        found: str | None = await self._driver.fetchval(self._FIND, kind, reference)
        return found

    async def move(self, changed: Sequence[Locked]) -> None:
        await self._driver.execute(self._MOVE, *_columns(changed, 4))

    async def insert_entries(self, posting_id: str, lines: Sequence[tuple[int, EntryFacts]]) -> None:
        await self._driver.execute(self._ENTRIES, posting_id, *_columns(_rows(lines), 4))

    async def insert_posting(self, facts: PostingFacts, digest: str) -> bool:
        status: str = await self._driver.execute(self._INSERT, *facts, digest)
        return status == "INSERT 0 1"


class _Sqlite:
    _EXISTING = (
        "SELECT book, kind, subject, currency FROM ledger_account"
        " WHERE (book, kind, subject, currency) IN (VALUES {})"
    )
    _LOCK = (
        "SELECT account_id, posted_fen, held_fen, version, book, kind, subject, currency"
        " FROM ledger_account WHERE (book, kind, subject, currency) IN (VALUES {})"
    )
    _FIND = "SELECT posting_id FROM ledger_posting WHERE kind = ? AND reference = ?"
    _MOVE = "UPDATE ledger_account SET posted_fen = ?2, held_fen = ?3, version = ?4 WHERE account_id = ?1"
    _ENTRIES = (
        "INSERT INTO ledger_entry"
        " (account_id, account_version, posting_id, amount_fen, balance_after_fen)"
        " VALUES (?2, ?3, ?1, ?4, ?5)"
    )
    _INSERT = _POSTING.format("?, ?, ?, ?, ?, ?, ?, ?")

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    async def existing(self, wanted: Sequence[Account]) -> set[Account]:
        return {Account(*row) async for row in self._find(self._EXISTING, wanted)}

    async def lock(self, wanted: Sequence[Account]) -> dict[Account, Locked]:
        # A writing unit has the whole file to itself.
        found = self._find(self._LOCK, wanted)
        return {Account(*row[4:]): Locked(*row[:4]) async for row in found}

    async def _find(self, statement: str, wanted: Sequence[Account]) -> AsyncIterator[Sequence[Any]]:
        for first in range(0, len(wanted), CHUNK):
            chunk = wanted[first : first + CHUNK]
            values = ", ".join(["(?, ?, ?, ?)"] * len(chunk))
            flat = [part for account in chunk for part in account]
            for row in await self._driver.execute_fetchall(statement.format(values), flat):
                yield row

    async def posting_id_of(self, kind: str, reference: str) -> str | None:
        for (found,) in await self._driver.execute_fetchall(self._FIND, (kind, reference)):
            return str(found)
        return None

    async def move(self, changed: Sequence[Locked]) -> None:
        await self._run_many(self._MOVE, changed)

    async def insert_entries(self, posting_id: str, lines: Sequence[tuple[int, EntryFacts]]) -> None:
        await self._run_many(self._ENTRIES, [(posting_id, *row) for row in _rows(lines)])

    async def insert_posting(self, facts: PostingFacts, digest: str) -> bool:
        instants = {"event_at": _microseconds(facts.event_at), "booked_at": _microseconds(facts.booked_at)}
        values = (facts._asdict() | instants).values()
        cursor = await self._driver.execute(self._INSERT, (*values, digest))
        inserted = bool(cursor.rowcount == 1)
        await cursor.close()
        return inserted

    async def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        cursor = await self._driver.executemany(statement, rows)
        await cursor.close()


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    listed = list(rows)
    return [[row[n] for row in listed] for n in range(width)]


def _rows(lines: Sequence[tuple[int, EntryFacts]]) -> list[tuple[int, int, int, int]]:
    return [
        (account_id, line.account_version, line.amount_fen, line.balance_after_fen)
        for account_id, line in lines
    ]
