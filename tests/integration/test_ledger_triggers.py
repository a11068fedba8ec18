"""What the database refuses by itself, asked in plain SQL."""

import re

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.ledger.tables_seals import serving_role_may_change_entries
from hub.ledger.triggers import PROTECTED, grants
from tests.books import Books, fund
from tests.databases import on_server

POSTING = (
    "INSERT INTO ledger_posting"
    " (posting_id, kind, reference, event_at, booked_at, business_day, digest, note)"
    " SELECT '{0}', 'raw', '{0}', event_at, booked_at, business_day, digest, note"
    " FROM ledger_posting WHERE reference = 'funds'"
)
ENTRY = (
    "INSERT INTO ledger_entry"
    " (account_id, account_version, posting_id, amount_fen, balance_after_fen)"
    " SELECT account_id, version + {2}, '{0}', {1}, 0 FROM ledger_account WHERE kind = '{3}'"
)


@pytest.fixture
async def books(database: Database, clock: ManualClock) -> Books:
    books = Books(database, clock)
    await books.post("funds", fund("w1", 1000))
    await books.hold("h1", 100)
    await books.capture("h1", 40)
    await books.hold("h2", 100)
    await books.jobs.close_days("2026-03-03")
    return books


async def run(books: Books, *statements: str) -> None:
    async with books.database.unit() as unit:
        connection = await unit.session.connection()
        for statement in statements:
            await connection.execute(text(statement))


async def refused(books: Books, because: str, *statements: str) -> None:
    with pytest.raises(DBAPIError, match=because):
        await run(books, *statements)
    await books.audit()


async def test_balanced_entries_and_then_their_posting_are_taken(books: Books) -> None:
    await run(
        books,
        ENTRY.format("p", 5, 1, "wallet"),
        ENTRY.format("p", -5, 1, "payable"),
        POSTING.format("p"),
    )


async def test_a_posting_without_entries_is_refused(books: Books) -> None:
    await refused(books, "fewer than two", POSTING.format("p"))


async def test_a_posting_with_one_entry_is_refused(books: Books) -> None:
    await refused(books, "fewer than two", ENTRY.format("p", 5, 1, "wallet"), POSTING.format("p"))


async def test_a_posting_that_does_not_balance_is_refused(books: Books) -> None:
    await refused(
        books,
        "sum to zero",
        ENTRY.format("p", 5, 1, "wallet"),
        ENTRY.format("p", -4, 1, "payable"),
        POSTING.format("p"),
    )


async def test_a_posting_that_balances_only_across_books_is_refused(books: Books) -> None:
    other = (
        "INSERT INTO ledger_account (book, kind, subject, currency, side, may_overdraw,"
        " posted_fen, held_fen, version) VALUES ('clearing', 'cycle', 'c', 'CNY', 'credit',"
        " true, 0, 0, 0)"
    )
    await refused(
        books,
        "sum to zero",
        other,
        ENTRY.format("p", 5, 1, "wallet"),
        ENTRY.format("p", -5, 1, "cycle"),
        POSTING.format("p"),
    )


async def test_an_entry_that_moves_nothing_is_refused(books: Books) -> None:
    await refused(books, "ledger_entry_moves", ENTRY.format("p", 0, 1, "wallet"))


async def test_entries_without_a_posting_do_not_commit(books: Books) -> None:
    entries = [ENTRY.format("p", 5, 1, "wallet"), ENTRY.format("p", -5, 1, "payable")]
    await refused(books, "(?i)foreign key", *entries)


async def test_no_entry_joins_a_posting_that_exists(books: Books) -> None:
    async with books.database.reading() as unit:
        connection = await unit.session.connection()
        known = (await connection.execute(text("SELECT posting_id FROM ledger_posting"))).scalar()
    await refused(books, "closed", ENTRY.format(known, 5, 1, "wallet"))


@pytest.mark.parametrize("table", PROTECTED)
async def test_what_is_booked_is_not_deleted(books: Books, table: str) -> None:
    await refused(books, "only grows", f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "change",
    [
        "ledger_posting SET note = 'other'",
        "ledger_entry SET amount_fen = amount_fen + 1",
        "ledger_hold_event SET amount_fen = 1",
        "ledger_seal SET chain_digest = 'x'",
        "ledger_day SET closed_at = closed_at",
    ],
)
async def test_what_is_booked_is_not_changed(books: Books, change: str) -> None:
    await refused(books, "only grows", f"UPDATE {change}")


async def test_an_ended_hold_does_not_come_back(books: Books) -> None:
    again = "UPDATE ledger_hold SET state = 'open', captured_fen = 0, released_fen = 0"
    await refused(books, "ledger", f"{again} WHERE reference = 'h1'")
    await refused(books, "ledger", "DELETE FROM ledger_hold WHERE reference = 'h2'")


async def test_a_hold_that_does_not_add_up_is_refused(books: Books) -> None:
    spoilt = "UPDATE ledger_hold SET state = 'captured', captured_fen = 60, released_fen = 41"
    await refused(books, "ledger_hold_whole", f"{spoilt} WHERE reference = 'h2'")


@pytest.mark.parametrize("change", ["posted_fen = -99", "held_fen = 961", "held_fen = -1"])
async def test_the_floor_of_a_wallet_counts_holds(books: Books, change: str) -> None:
    wallet = f"UPDATE ledger_account SET {change} WHERE kind = 'wallet'"
    await refused(books, "ledger_account_(floor|held)", wallet)


class TestSqlite:
    @pytest.fixture
    def kind(self) -> str:
        return "sqlite"

    @pytest.mark.parametrize("table", [*PROTECTED, "ledger_hold"])
    async def test_replacing_a_row_is_no_way_around(self, books: Books, table: str) -> None:
        await refused(books, "ledger", f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


@pytest.mark.integration
class TestPostgresql:
    @pytest.fixture
    def kind(self) -> str:
        return "postgresql"

    @pytest.mark.parametrize("table", [*PROTECTED, "ledger_hold"])
    async def test_truncating_is_refused(self, books: Books, table: str) -> None:
        await refused(books, "only grows", f"TRUNCATE {table} CASCADE")

    async def test_an_entry_cannot_slip_into_a_posting_that_is_being_written(self, books: Books) -> None:
        async def slip_in() -> None:
            async with books.database.engine.begin() as slow:
                await slow.execute(text(ENTRY.format("p", 7, 2, "wallet")))
                await run(
                    books,
                    ENTRY.format("p", 5, 3, "wallet"),
                    ENTRY.format("p", -5, 1, "payable"),
                    POSTING.format("p"),
                )

        with pytest.raises(DBAPIError, match="sum to zero"):
            await slip_in()

    async def test_the_serving_role_may_add_and_never_change(self, books: Books) -> None:
        database = re.sub(r".*/", "", books.database.url)
        role = f"serving_{database}"
        async with books.database.engine.begin() as owner:
            await owner.execute(text(f"CREATE ROLE {role}"))
            for statement in grants(role):
                await owner.execute(text(statement))
        try:
            await self._serve(books, role)
        finally:
            async with books.database.engine.begin() as owner:
                await owner.execute(text(f"DROP OWNED BY {role}"))
            await on_server(f"DROP ROLE {role}")

    async def _serve(self, books: Books, role: str) -> None:
        async with books.database.unit() as unit:
            assert await serving_role_may_change_entries(unit)
            connection = await unit.session.connection()
            await connection.execute(text(f"SET LOCAL ROLE {role}"))
            assert not await serving_role_may_change_entries(unit)
            await books.ledger.post(
                unit, kind="test", reference="s1", event_at=books.clock.now, entries=fund("w9", 5)
            )
            await books.capture_in(unit, "h2", 10)
            await books.ledger.void_hold(unit, "never made")
        forbidden = [f"DELETE FROM {t}" for t in (*PROTECTED, "ledger_hold", "ledger_account")]
        forbidden += [f"TRUNCATE {t} CASCADE" for t in PROTECTED]
        forbidden += ["UPDATE ledger_entry SET amount_fen = 1", "DROP TABLE ledger_seal"]
        forbidden += ["DROP TRIGGER ledger_entry_only_grows ON ledger_entry"]
        for statement in forbidden:
            await refused(books, "(permission denied|must be owner)", f"SET LOCAL ROLE {role}", statement)

    @pytest.mark.parametrize("name", ["x; DROP TABLE y", "Ünsafe", "", 'a"b'])
    def test_only_plain_role_names_are_granted(self, name: str) -> None:
        with pytest.raises(ValueError, match="plain role name"):
            grants(name)
