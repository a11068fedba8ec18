"""Seals and closed days: every posting in the chain once, every day closed once."""

import asyncio
import logging

import pytest
from sqlalchemy import text

from hub.auditor.verify import audit
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.ledger import jobs
from hub.ledger.model import FIRST_LINK, chain_digest
from hub.ledger.tables import LedgerDay
from hub.ledger.tables_days import closed_days
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
    return await audit(books.database.url)


async def test_the_report_counts_everything(books: Books) -> None:
    report = await report_of(books)
    assert report == LedgerReport(verified=True, postings=7, entries=14, accounts=4, sealed=6, holds=2)


async def test_empty_books_are_in_order(database: Database) -> None:
    report = await audit(database.url)
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


async def days_of(books: Books) -> list[LedgerDay]:
    async with books.database.reading() as unit:
        return await closed_days(unit, 10)


async def test_a_day_is_closed_with_what_was_booked_on_it(books: Books) -> None:
    books.clock.advance(days=1)
    await books.post("next day", fund("w1", 1))
    assert await books.jobs.close_days("2026-03-03") == 1
    (day,) = await days_of(books)
    assert (day.day, day.closed_at, day.seal_number) == ("2026-03-02", books.clock.now, 7)
    assert (day.postings, day.entries, day.debits) == (7, 14, '[["CNY",547]]')
    report = await report_of(books)
    assert report.verified, report.problems
    assert report.sealed == 8


async def test_a_day_that_is_not_over_is_not_closed(books: Books) -> None:
    assert await books.jobs.close_days("2026-03-02") == 0
    assert await days_of(books) == []


async def test_days_that_nobody_closed_are_closed_one_by_one_and_quiet_days_are_passed_over(
    books: Books,
) -> None:
    for n in (1, 3):
        books.clock.advance(days=n)
        await books.post(f"after {n}", fund("w1", n))
    books.clock.advance(days=1)
    assert [await books.jobs.close_days("2026-03-07"), await books.jobs.close_days("2026-03-07")] == [3, 0]
    days = await days_of(books)
    assert [(day.day, day.postings) for day in days] == [
        ("2026-03-06", 1),
        ("2026-03-03", 1),
        ("2026-03-02", 7),
    ]
    await books.audit()


async def test_what_is_sealed_after_its_day_was_closed_belongs_to_the_next_day(books: Books) -> None:
    await books.jobs.close_days("2026-03-03")
    await books.post("late", fund("w1", 9), kind="other")
    await books.jobs.seal()
    assert await books.jobs.close_days("2026-03-03") == 0
    assert await books.jobs.close_days("2026-03-04") == 1
    assert [(day.day, day.postings) for day in await days_of(books)] == [("2026-03-03", 1), ("2026-03-02", 7)]
    await books.audit()


async def test_many_closers_close_a_day_once(books: Books) -> None:
    closed = await asyncio.gather(*(books.jobs.close_days("2026-03-03") for _ in range(6)))
    assert sum(closed) == 1
    assert len(await days_of(books)) == 1
    await books.audit()


async def test_the_close_of_a_day_leaves_a_witness_outside_the_database(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interpile.ledger")
    await books.jobs.close_days("2026-03-03")
    (day,) = await days_of(books)
    witness = vars(caplog.records[-1])
    assert (witness["day"], witness["seal"], witness["chain"]) == (day.day, 7, day.chain_digest)


async def test_the_first_round_of_a_day_closes_the_day_before(books: Books) -> None:
    await books.jobs.round()
    assert await days_of(books) == []
    books.clock.advance(days=1)
    await books.jobs.round()
    await books.jobs.round()
    assert [day.day for day in await days_of(books)] == ["2026-03-02"]


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
