"""Seals and the audit: nothing passed over, nothing changed unseen."""

import asyncio
import logging
import re
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.ledger import jobs
from hub.ledger.model import FIRST_LINK, chain_digest
from operator_sdk.contract.messages.admin import LedgerReport
from tests.books import Books, fund


@pytest.fixture
async def books(database: Database, clock: ManualClock) -> Books:
    books = Books(database, clock)
    for n in range(5):
        await books.post(f"t{n}", fund(f"w{n % 2}", 100))
    await books.hold("h1", 50, "w1")
    await books.hold("h2", 60, "w1")
    await books.capture("h1", 40, "w1")
    await books.jobs.seal()
    await books.post("late", fund("w1", 7))
    return books


async def report_of(books: Books) -> LedgerReport:
    async with books.database.reading() as unit:
        return await jobs.verify(unit)


async def test_the_report_counts_everything(books: Books) -> None:
    report = await report_of(books)
    assert report == LedgerReport(verified=True, postings=7, entries=14, accounts=4, sealed=6)


async def test_empty_books_are_in_order(database: Database) -> None:
    async with database.reading() as unit:
        report = await jobs.verify(unit)
    assert report == LedgerReport(verified=True, postings=0, entries=0, accounts=0, sealed=0)


async def test_each_seal_covers_the_one_before(books: Books) -> None:
    async with books.database.reading() as unit:
        connection = await unit.session.connection()
        seals = await connection.execute(
            text(
                "SELECT number, s.posting_id, digest, chain_digest FROM ledger_seal s"
                " JOIN ledger_posting p ON p.posting_id = s.posting_id ORDER BY number"
            )
        )
        before = FIRST_LINK
        for expected, (number, posting_id, digest, chained) in enumerate(seals, 1):
            assert number == expected
            assert chained == chain_digest(before, number, posting_id, digest)
            before = chained


async def test_sealing_twice_seals_once(books: Books) -> None:
    assert [await books.jobs.seal(), await books.jobs.seal()] == [1, 0]
    assert (await report_of(books)).sealed == 7


async def test_more_than_one_batch_is_sealed_in_one_go(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SEALED_AT_ONCE", 2)
    for n in range(5):
        await books.post(f"more {n}", fund("w1", 1))
    assert await books.jobs.seal() == 6


async def test_sealers_racing_postings_and_each_other_pass_nothing_over(books: Books) -> None:
    posts = [books.post(f"race {n}", fund(f"w{n % 5}", 1)) for n in range(25)]
    seals = [books.jobs.seal() for _ in range(6)]
    await asyncio.gather(*posts[:12], *seals, *posts[12:])
    await books.jobs.seal()
    report = await report_of(books)
    assert report.verified, report.problems
    assert report.sealed == report.postings == 32


async def test_the_close_of_a_day_leaves_a_witness_outside_the_database(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interpile.ledger")
    head = await books.jobs.close_day("2026-03-02")
    assert head.number == 7
    assert vars(caplog.records[-1])["chain"] == head.chain_digest


async def test_the_sealer_runs_until_it_is_stopped(books: Books) -> None:
    running = asyncio.create_task(books.jobs.run())
    await asyncio.sleep(0.5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await report_of(books)).sealed == 7


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["postgresql"])
async def test_the_sealer_outlives_its_connections(books: Books, kind: str) -> None:
    running = asyncio.create_task(books.jobs.run())
    await asyncio.sleep(0.2)
    async with books.database.engine.connect() as killer:
        await killer.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        await asyncio.sleep(0.1)
    other = Books(Database(books.database.url), books.clock)
    await other.post("after", fund("w1", 1))
    await other.database.close()
    await asyncio.sleep(2.5)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await report_of(books)).sealed == 8


LATE = "(SELECT posting_id FROM ledger_posting WHERE reference = 'late')"
FIRST = "(SELECT posting_id FROM ledger_posting WHERE reference = 't0')"
OF_W1 = "(SELECT account_id FROM ledger_account WHERE subject = 'w1')"
PLANTED = {
    "an entry's amount": (
        f"UPDATE ledger_entry SET amount_fen = amount_fen + 1 WHERE posting_id = {FIRST}",
        "do not balance|changed since",
    ),
    "two amounts that still balance": (
        f"UPDATE ledger_entry SET amount_fen = amount_fen * 2 WHERE posting_id = {FIRST}",
        "changed since",
    ),
    "an entry moved to another account": (
        "UPDATE ledger_entry SET account_version = 50, account_id ="
        " (SELECT account_id FROM ledger_account WHERE subject = 'MA5AAAAA1')"
        f" WHERE posting_id = {LATE} AND amount_fen < 0",
        "entry .* is missing",
    ),
    "a balance after an entry": (
        "UPDATE ledger_entry SET balance_after_fen = 0 WHERE account_version = 2",
        "wrong balance after entry 2",
    ),
    "a posting's note": (
        "UPDATE ledger_posting SET note = 'x' WHERE reference = 't0'",
        "changed since",
    ),
    "a posting's day": (
        "UPDATE ledger_posting SET business_day = '2026-03-03' WHERE reference = 't0'",
        "another day",
    ),
    "a deleted entry": (
        f"DELETE FROM ledger_entry WHERE posting_id = {FIRST} AND amount_fen > 0",
        "entry 1 is missing",
    ),
    "a deleted posting": (
        "DELETE FROM ledger_posting WHERE reference = 'late'",
        "its posting .* does not exist",
    ),
    "a sealed posting deleted": (
        "DELETE FROM ledger_posting WHERE reference = 't0'",
        "seal .*: the chain is broken",
    ),
    "an account's balance": (
        f"UPDATE ledger_account SET posted_fen = posted_fen - 1 WHERE account_id = {OF_W1}",
        "not the sum of its entries",
    ),
    "an account's version": (
        f"UPDATE ledger_account SET version = version + 1 WHERE account_id = {OF_W1}",
        "not the number of its entries",
    ),
    "an account's holds": (
        f"UPDATE ledger_account SET held_fen = 59 WHERE account_id = {OF_W1}",
        "not the sum of its open holds",
    ),
    "a hold that came back": (
        "UPDATE ledger_hold SET state = 'open', captured_fen = 0, released_fen = 0 WHERE reference = 'h1'",
        "tell another story",
    ),
    "a hold that ended silently": (
        "UPDATE ledger_hold SET state = 'voided', released_fen = amount_fen WHERE reference = 'h2'",
        "tell another story",
    ),
    "a seal": ("UPDATE ledger_seal SET chain_digest = 'x' WHERE number = 3", "seal 3: the chain"),
    "a missing seal": ("DELETE FROM ledger_seal WHERE number = 2", "the chain is broken"),
    "a forgotten posting": ("DELETE FROM ledger_unsealed", "neither sealed nor waiting"),
    "two seals exchanged": (
        "UPDATE ledger_seal SET number = 7 - number + 100",
        "seal 101: the chain is broken",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_planted_corruption_is_found(books: Books, planted: str) -> None:
    statement, finding = PLANTED[planted]
    await plant(books, statement)
    report = await report_of(books)
    assert not report.verified
    assert any(re.search(finding, problem) for problem in report.problems)


async def test_a_flood_of_problems_is_counted_and_not_kept(books: Books) -> None:
    async with books.database.unit() as unit:
        for n in range(130):
            await books.ledger.post(
                unit, kind="f", reference=f"{n}", event_at=books.clock.now, entries=fund("w0", 1)
            )
    await plant(books, "UPDATE ledger_posting SET note = 'x' WHERE kind = 'f'")
    problems = (await report_of(books)).problems
    assert len(problems) == 101
    assert problems[-1] == "and 30 more"


async def plant(books: Books, statement: str) -> None:
    """What somebody who holds the database could do: take triggers and foreign keys away first."""
    if books.database.dialect == "sqlite":
        with closing(sqlite3.connect(books.database.engine.url.database or "")) as file:
            for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                file.execute(f"DROP TRIGGER {name}")
            file.execute(statement)
            file.commit()
        return
    async with books.database.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement))
