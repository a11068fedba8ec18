"""A day of accepted records, written set by set: every row is what acceptance would have left, with the books.

Parties, the open cycle, obligations at the rate of their agreement, and for each a posting with its two
entries, balances, account versions and digest. On PostgreSQL guards and foreign keys rest meanwhile.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import asyncpg

HUB = "MA5HUB000"
OPENED = datetime(2026, 3, 1, 16, tzinfo=UTC)
CUTOFF = OPENED + timedelta(days=1)
DAY, CYCLE_ID = "2026-03-02", "cyc_019aa000-0000-7000-8000-000000000001"
PPM = 5_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Made = tuple[int, str, str, str, str, str, str, int, int, int, str]
COLUMNS = (
    "n",
    "obligation",
    "record",
    "session",
    "posting",
    "home",
    "host",
    "electricity",
    "service",
    "us",
    "at",
)

MADE: LiteralString = (
    "CREATE TEMPORARY TABLE made (n integer, obligation text, record text, session text, posting text,"
    " home text, host text, electricity bigint, service bigint, us bigint, at text)"
)
MOVED: LiteralString = (
    "CREATE TEMPORARY TABLE moved AS SELECT m.*, electricity + service AS fen,"
    " row_number() OVER (PARTITION BY home ORDER BY n) AS owed_version,"
    " sum(electricity + service) OVER (PARTITION BY home ORDER BY n) AS owed_after,"
    " row_number() OVER (PARTITION BY host ORDER BY n) AS due_version,"
    " -sum(electricity + service) OVER (PARTITION BY host ORDER BY n) AS due_after FROM made m"
)
ACCOUNTS: LiteralString = (
    "INSERT INTO ledger_account"
    " (book, kind, subject, currency, side, may_overdraw, posted_fen, held_fen, version)"
    " SELECT 'clearing', 'receivable', home, 'CNY', 'debit', true, sum(fen), 0, count(*) FROM moved"
    " GROUP BY home UNION ALL"
    " SELECT 'clearing', 'payable', host, 'CNY', 'credit', true, -sum(fen), 0, count(*) FROM moved"
    " GROUP BY host"
)
OBLIGATIONS = (
    "INSERT INTO obligation (obligation_id, kind, debtor_party_id, creditor_party_id, amount_fen,"
    " electricity_fen, service_fen, parking_fen, idle_fen, electricity_ppm, service_ppm, parking_ppm, idle_ppm,"
    " commission_fen, currency, frequency, booked_day, accepted_at, state, record_id, session_id, energy_wh,"
    " cycle_id, updated_at)"
    f" SELECT obligation, 'charge', home, host, fen, electricity, service, 0, 0, {PPM}, {PPM}, {PPM}, {PPM},"
    f" (electricity * {PPM} + 500000) / 1000000 + (service * {PPM} + 500000) / 1000000, 'CNY', 'daily',"
    f" '{DAY}', INSTANT, 'in_cycle', record, session, electricity * 11, '{CYCLE_ID}', INSTANT"
    " FROM moved ORDER BY n"
)
ENTRIES = (
    "INSERT INTO ledger_entry (account_id, account_version, posting_id, amount_fen, balance_after_fen)"
    " SELECT a.account_id, m.owed_version, m.posting, m.fen, m.owed_after FROM moved m"
    " JOIN ledger_account a ON a.kind = 'receivable' AND a.subject = m.home"
    " UNION ALL"
    " SELECT a.account_id, m.due_version, m.posting, -m.fen, m.due_after FROM moved m"
    " JOIN ledger_account a ON a.kind = 'payable' AND a.subject = m.host ORDER BY 1, 2"
)
CANONICAL = (
    f"""'["' || posting || '","obligation","' || record || '","' || at || '","' || at || '","{DAY}","",[['"""
    """ || '["clearing","payable","' || host || '","CNY"],' || due_version || ',' || -fen || ',' || due_after"""
    """ || '],[["clearing","receivable","' || home || '","CNY"],' || owed_version || ',' || fen || ','"""
    """ || owed_after || ']]]'"""
)
"""What a posting's digest is over (hub.ledger.model.posting_digest)."""

POSTINGS = (
    "INSERT INTO ledger_posting (posting_id, kind, reference, event_at, booked_at, business_day, note, digest)"
    f" SELECT posting, 'obligation', record, INSTANT, INSTANT, '{DAY}', '', DIGEST FROM moved ORDER BY n"
)
INDEXES: LiteralString = (
    "SELECT i.indexname, i.indexdef FROM pg_indexes i"
    " WHERE i.tablename IN ('obligation', 'ledger_entry', 'ledger_posting')"
    " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)"
)
UNSEALED = "INSERT INTO ledger_unsealed (posting_id) SELECT posting FROM moved ORDER BY n"


def parties(count: int) -> list[str]:
    """The operators' ids."""
    return [f"MA5{number:06d}" for number in range(count)]


def made(count: int, operators: Sequence[str]) -> Iterator[Made]:
    """That many records, a day's worth in order of time; nearly every pair of operators meets."""
    many, begun = len(operators), (OPENED - EPOCH) // timedelta(microseconds=1)
    step = timedelta(days=1) // timedelta(microseconds=1) // count // 1000 * 1000
    for n in range(count):
        us = begun + n * step
        home = n * 7919 % many
        host = (home + 1 + n * 104_729 % (many - 1)) % many
        time, chance = f"{us // 1000:012x}", hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest()
        tail = f"{time[:8]}-{time[8:]}-7{chance[:3]}-8{chance[3:6]}-{chance[6:18]}"
        at = (EPOCH + timedelta(microseconds=us)).isoformat(timespec="milliseconds")
        yield (
            n, f"obl_{tail}", f"rec_{tail}", f"ses_{tail}", f"pos_{tail}", operators[home], operators[host],
            500 + n * 37 % 9_001, 100 + n * 53 % 2_503, us, at,
        )  # fmt: skip


async def load_postgresql(url: str, count: int, operators: Sequence[str]) -> None:
    """Fill a migrated, empty database."""
    instant, digest = "to_timestamp(us / 1e6)", f"encode(sha256(convert_to({CANONICAL}, 'UTF8')), 'hex')"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SET session_replication_role = replica; SET work_mem = '256MB'; SET maintenance_work_mem = '256MB'"
        )
        await connection.executemany(
            "INSERT INTO party (party_id, name, roles, protocol, created_at)"
            " VALUES ($1, $1, 'home,host', 'hosted', now())",
            [(party,) for party in (*operators, HUB)],
        )
        await connection.execute(
            "INSERT INTO cycle (cycle_id, currency, frequency, state, opened_at, obligations, updated_at)"
            " VALUES ($1, 'CNY', 'daily', 'open', $2, 0, $2)",
            CYCLE_ID,
            OPENED,
        )
        await connection.execute(MADE)
        await connection.copy_records_to_table("made", records=made(count, operators), columns=COLUMNS)
        # An index is made much faster than it is kept.
        indexes = await connection.fetch(INDEXES)
        dropped = [f"DROP INDEX {name}" for name, _ in indexes]
        made_again = [definition for _, definition in indexes]
        filled = (MOVED, ACCOUNTS, OBLIGATIONS, ENTRIES, POSTINGS, UNSEALED)
        for statement in (*dropped, *filled, *made_again, "ANALYZE"):
            await connection.execute(
                statement.replace("INSTANT", instant).replace("DIGEST", digest), timeout=900
            )
    finally:
        await connection.close()


def load_sqlite(file: str, count: int, operators: Sequence[str]) -> None:
    """Fill a migrated, empty database; its guards look on."""
    with closing(sqlite3.connect(file)) as db:
        db.create_function("sha256", 1, lambda text: hashlib.sha256(text.encode()).hexdigest())
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -200000"):
            db.execute(f"PRAGMA {pragma}")
        opened = (OPENED - EPOCH) // timedelta(microseconds=1)
        with db:
            db.executemany(
                "INSERT INTO party (party_id, name, roles, protocol, created_at)"
                " VALUES (?, ?, 'home,host', 'hosted', 0)",
                [(party, party) for party in (*operators, HUB)],
            )
            db.execute(
                "INSERT INTO cycle (cycle_id, currency, frequency, state, opened_at, obligations, updated_at)"
                " VALUES (?, 'CNY', 'daily', 'open', ?, 0, ?)",
                (CYCLE_ID, opened, opened),
            )
            db.execute(MADE)
            db.executemany(f"INSERT INTO made VALUES ({', '.join('?' * 11)})", made(count, operators))
            for statement in (MOVED, ACCOUNTS, OBLIGATIONS, ENTRIES, POSTINGS):
                db.execute(statement.replace("INSTANT", "us").replace("DIGEST", f"sha256({CANONICAL})"))
        db.execute("ANALYZE")
