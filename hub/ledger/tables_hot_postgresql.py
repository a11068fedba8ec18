"""PostgreSQL's statements behind every posting and hold.

Each write is one statement with several parts. A part that reads another waits for it: that is how entries come
before their posting, and how nothing is written under a reference that is known.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.ledger.model import Account, Hold, HoldState
from hub.ledger.model_booking import Booking, HoldEvent, Key, Line, Locked
from hub.ledger.tables_hot import Booked, ReferenceTaken

EXISTING = (
    "SELECT a.book, a.kind, a.subject, a.currency FROM ledger_account a"
    " JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS wanted (book, kind, subject, currency)"
    " USING (book, kind, subject, currency)"
)
# The database must sort as Python does, or two units could lock in opposite orders.
LOCK = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS one (book, kind, subject, currency)
),
used AS (SELECT FROM ledger_account JOIN wanted USING (book, kind, subject, currency))
SELECT a.account_id, a.posted_fen, a.held_fen, a.version
FROM ledger_account a JOIN wanted USING (book, kind, subject, currency)
WHERE (SELECT count(*) FROM used) = cardinality($1::text[])
ORDER BY a.book COLLATE "C", a.kind COLLATE "C", a.subject COLLATE "C", a.currency COLLATE "C"
FOR NO KEY UPDATE OF a
"""
POSTINGS = (
    "SELECT p.kind, p.reference, p.posting_id FROM ledger_posting p"
    " JOIN unnest($1::text[], $2::text[]) AS wanted (kind, reference) USING (kind, reference)"
)
POSTING = ("posting_id", "kind", "reference", "event_at", "booked_at", "business_day", "note", "digest")
ENTRY = ("account_id", "account_version", "posting_id", "amount_fen", "balance_after_fen")
MOVE = (
    "UPDATE ledger_account a SET posted_fen = became.posted, held_fen = became.held, version = became.version"
    " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])"
    " AS became (account_id, posted, held, version) WHERE a.account_id = became.account_id"
)


def _book(ends: str, only_if: str, tells: str) -> str:
    """$1 to $8 the posting, $9 to $12 its entries, $13 to $16 what the accounts become."""
    return f"""
    WITH known AS (SELECT posting_id FROM ledger_posting WHERE kind = $2 AND reference = $3),
    {ends}
    lines AS (
        INSERT INTO ledger_entry ({", ".join(ENTRY)})
        SELECT account_id, version, $1, amount, balance
        FROM unnest($9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
            AS line (account_id, version, amount, balance)
        WHERE {only_if} RETURNING 1),
    moved AS (
        UPDATE ledger_account a
        SET posted_fen = became.posted, held_fen = became.held, version = became.version
        FROM unnest($13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[])
            AS became (account_id, posted, held, version)
        WHERE a.account_id = became.account_id AND {only_if}),
    booked AS (
        INSERT INTO ledger_posting ({", ".join(POSTING)})
        SELECT $1, $2, $3, $4, $5, $6, $7, $8 FROM (SELECT count(*) AS count FROM lines) AS written
        WHERE written.count > 0
        ON CONFLICT DO NOTHING RETURNING posting_id)
    {tells}
    SELECT (SELECT posting_id FROM known), EXISTS (SELECT 1 FROM booked)
    """  # noqa: S608 - from the constants above


BOOK = _book("", "NOT EXISTS (SELECT 1 FROM known)", "")
CAPTURE = _book(
    """ended AS (
        UPDATE ledger_hold SET state = $18, captured_fen = $19, released_fen = $20
        WHERE hold_id = $17 AND state = 'open' AND NOT EXISTS (SELECT 1 FROM known)
        RETURNING hold_id),""",
    "EXISTS (SELECT 1 FROM ended)",
    """, told AS (
        INSERT INTO ledger_hold_event (hold_id, number, event, amount_fen, at, posting_id, digest)
        SELECT ended.hold_id, $21, $22, $23, $24, booked.posting_id, $25 FROM ended, booked)""",
)
HOLD = (
    "SELECT h.hold_id, h.reference, a.book, a.kind, a.subject, a.currency, h.amount_fen, h.captured_fen,"
    " h.released_fen, h.state, h.made_at, h.expires_at"
    " FROM ledger_hold h LEFT JOIN ledger_account a ON a.account_id = h.account_id WHERE h.reference = $1"
)
ADD_HOLD = """
WITH made AS (
    INSERT INTO ledger_hold (hold_id, account_id, reference, amount_fen, captured_fen, released_fen, state,
        made_at, expires_at)
    VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $7)
    ON CONFLICT DO NOTHING RETURNING hold_id),
told AS (
    INSERT INTO ledger_hold_event (hold_id, number, event, amount_fen, at, digest)
    SELECT hold_id, $8, $9, $10, $11, $12 FROM made),
moved AS (
    UPDATE ledger_account SET held_fen = $13 WHERE account_id = $2 AND EXISTS (SELECT 1 FROM made))
SELECT count(*) FROM made
"""
END_HOLD = """
WITH ended AS (
    UPDATE ledger_hold SET state = $2, captured_fen = $3, released_fen = $4
    WHERE hold_id = $1 AND state = 'open' RETURNING hold_id),
told AS (
    INSERT INTO ledger_hold_event (hold_id, number, event, amount_fen, at, digest)
    SELECT hold_id, $5, $6, $7, $8, $9 FROM ended),
moved AS (
    UPDATE ledger_account SET held_fen = $11 WHERE account_id = $10 AND EXISTS (SELECT 1 FROM ended))
SELECT count(*) FROM ended
"""


class Postgresql:
    """The statements on one unit's connection."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._fetch = driver.fetch

    async def lock(self, wanted: Sequence[Account]) -> dict[Account, Locked]:
        """Lock accounts."""
        rows = await self._fetch(LOCK, *_columns(wanted, 4))
        return {account: Locked(*row) for account, row in zip(wanted, rows, strict=False)}

    async def existing(self, wanted: Sequence[Account]) -> set[Account]:
        """Which were ever used."""
        return {Account(*row) for row in await self._fetch(EXISTING, *_columns(wanted, 4))}

    async def postings(self, keys: Sequence[Key]) -> dict[Key, str]:
        """Those that are booked."""
        return {Key(*row[:2]): row[2] for row in await self._fetch(POSTINGS, *_columns(keys, 2))}

    async def book(self, booking: Booking) -> Booked:
        """Write a posting."""
        (row,) = await self._fetch(BOOK, *_values(booking))
        return Booked(*row)

    async def capture(self, booking: Booking, end: HoldEvent) -> Booked:
        """Write a posting that ends a hold."""
        hold, (number, event, amount_fen, at, _), digest = end
        ended = (hold.hold_id, hold.state.value, hold.captured_fen, hold.released_fen)
        told = (number, event, amount_fen, at, digest)
        (row,) = await self._fetch(CAPTURE, *_values(booking), *ended, *told)
        return Booked(*row)

    async def book_many(self, bookings: Sequence[Booking], moved: Iterable[Locked]) -> None:
        """Write postings."""
        await self._fetch(MOVE, *_columns(moved, 4))
        entries = [(*row[:2], one.facts.posting_id, *row[2:]) for one in bookings for row in _rows(one.lines)]
        postings = [(*one.facts, one.digest) for one in bookings]
        copy = self._driver.copy_records_to_table
        await copy("ledger_entry", records=entries, columns=ENTRY)
        try:
            await copy("ledger_posting", records=postings, columns=POSTING)
        except asyncpg.UniqueViolationError as problem:
            raise ReferenceTaken from problem

    async def hold(self, reference: str) -> Hold | None:
        """The hold under a reference."""
        rows = await self._fetch(HOLD, reference)
        return _hold(rows[0]) if rows else None

    async def add_hold(self, begin: HoldEvent, on: Locked | None) -> bool:
        """A new hold."""
        hold, (number, event, amount_fen, at, _), digest = begin
        made = (hold.reference, hold.amount_fen, hold.state.value, hold.made_at, hold.expires_at)
        told = (number, event, amount_fen, at, digest)
        account_id, held_fen = (on.account_id, on.held_fen) if on is not None else (None, 0)
        return bool((await self._fetch(ADD_HOLD, hold.hold_id, account_id, *made, *told, held_fen))[0][0])

    async def end_hold(self, end: HoldEvent, on: Locked) -> bool:
        """The end of a hold."""
        hold, (number, event, amount_fen, at, _), digest = end
        ended = (hold.hold_id, hold.state.value, hold.captured_fen, hold.released_fen)
        told = (number, event, amount_fen, at, digest)
        return bool((await self._fetch(END_HOLD, *ended, *told, on.account_id, on.held_fen))[0][0])


async def begin(connection: AsyncConnection, raw: Any) -> None:
    """Begin the unit's transaction, for SQLAlchemy begins only when it executes something itself."""
    if raw.driver_connection.is_in_transaction():
        return
    adapter = raw.dbapi_connection
    try:
        # What it does before its first statement, without the statement: 0.5 ms of CPU and one way less.
        await adapter._start_transaction()
    except adapter.dbapi.Error:
        # It must notice by itself that the connection is gone, and give up its sisters too.
        await connection.exec_driver_sql("SELECT 1")


def _hold(row: Sequence[Any]) -> Hold:
    return Hold(
        hold_id=row[0],
        reference=row[1],
        account=None if row[2] is None else Account(*row[2:6]),
        amount_fen=row[6],
        captured_fen=row[7],
        released_fen=row[8],
        state=HoldState(row[9]),
        made_at=row[10],
        expires_at=row[11],
    )


def _values(booking: Booking) -> tuple[object, ...]:
    lines, moved = _columns(_rows(booking.lines), 4), _columns(booking.after.values(), 4)
    return (*booking.facts, booking.digest, *lines, *moved)


def _rows(lines: Sequence[Line]) -> list[tuple[int, int, int, int]]:
    return [
        (account_id, facts.account_version, facts.amount_fen, facts.balance_after_fen)
        for account_id, facts in lines
    ]


def _columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    listed = list(rows)
    return [[row[n] for row in listed] for n in range(width)]
