"""Books from before their holds had digests verify after the migration, and the guards are up again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from hub.auditor.verify import audit
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.migrations.run import migrate, sync_url
from hub.settings import Settings
from tests import databases
from tests.books import Books, fund

BEGUN, OF_OLD = datetime(2026, 3, 2, 4, 0, tzinfo=UTC), datetime(2026, 3, 2, 4, 0, 0, 123_456, tzinfo=UTC)
EVENTS = [
    ("h1", 1, "made", 400, None),
    ("h1", 2, "voided", 400, None),
    ("h2", 1, "made", 30, None),
    ("h3", 1, "voided", 0, None),
]


@pytest.fixture
async def url(kind: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database without any table."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/old.db"
        return
    name = f"{databases._PREFIX}_old_books"
    await databases.on_server(f"CREATE DATABASE {name}")
    yield databases._address(name)
    await databases.on_server(f"DROP DATABASE {name} WITH (FORCE)")


def _write_old_rows(url: str) -> None:
    """An open hold, one that ended and one that was burnt; instants were not always cut to milliseconds."""
    sqlite = url.startswith("sqlite")

    def at(instant: datetime) -> Any:
        return int(instant.timestamp()) * 1_000_000 + instant.microsecond if sqlite else instant

    engine = create_engine(sync_url(url))
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ledger_account (account_id, book, kind, subject, currency, side, may_overdraw,"
                " posted_fen, held_fen, version) VALUES (1000, 'MA5CCCCC3', 'customer_debt', '顾客', 'CNY',"
                " 'debit', :no, 0, 0, 0), (1001, 'MA5CCCCC3', 'payable', 'x', 'CNY', 'credit', :yes, 0, 30, 0)"
            ),
            {"no": False, "yes": True},
        )
        for hold_id, account_id, fen, state, expires_at in (
            ("h1", 1000, 400, "voided", None),
            ("h2", 1001, 30, "open", OF_OLD),
            ("h3", None, 0, "voided", None),
        ):
            connection.execute(
                text(
                    "INSERT INTO ledger_hold (hold_id, account_id, reference, amount_fen, captured_fen,"
                    " released_fen, state, made_at, expires_at)"
                    " VALUES (:hold_id, :account_id, :hold_id, :fen, 0, :released, :state, :made_at,"
                    " :expires_at)"
                ),
                {
                    "hold_id": hold_id,
                    "account_id": account_id,
                    "fen": fen,
                    "released": 0 if state == "open" else fen,
                    "state": state,
                    "made_at": at(BEGUN),
                    "expires_at": expires_at and at(expires_at),
                },
            )
        for event in EVENTS:
            names = ("hold_id", "number", "event", "amount_fen", "posting_id")
            connection.execute(
                text(
                    "INSERT INTO ledger_hold_event (hold_id, number, event, amount_fen, at, posting_id)"
                    " VALUES (:hold_id, :number, :event, :amount_fen, :at, :posting_id)"
                ),
                {**dict(zip(names, event, strict=True)), "at": at(BEGUN)},
            )
    engine.dispose()


async def test_books_of_before_verify_after_the_migration(url: str, clock: ManualClock) -> None:
    settings = Settings(env="test", database_url=url)
    await asyncio.to_thread(migrate, settings, "0005")
    await asyncio.to_thread(_write_old_rows, url)
    await asyncio.to_thread(migrate, settings)
    report = await audit(url)
    assert report.verified, report.problems
    database = Database(url)
    try:
        books = Books(database, clock)
        clock.advance(minutes=1)
        assert await books.jobs.expire() == 1
        await books.post("t1", fund("w1", 5))
        await books.audit()
        with pytest.raises(DBAPIError, match="only grows"):
            async with database.engine.begin() as connection:
                await connection.execute(text("UPDATE ledger_hold_event SET digest = 'x'"))
    finally:
        await database.close()
