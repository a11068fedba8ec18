"""Reading and locking accounts and holds; the statements behind every posting are in tables_hot."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_

from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.ledger.model import Account, Balance, Entry, HoldState, kind_of
from hub.ledger.model_booking import Locked
from hub.ledger.tables import ACCOUNT, ENTRY, HOLD, LedgerAccount
from hub.ledger.tables_hot import Hot
from hub.ledger.tables_hot_postgresql import Postgresql, begin
from hub.ledger.tables_hot_sqlite import Sqlite

_KEY_COLUMNS = (ACCOUNT.c.book, ACCOUNT.c.kind, ACCOUNT.c.subject, ACCOUNT.c.currency)
_KEY = tuple_(*_KEY_COLUMNS)
_STATE = (ACCOUNT.c.account_id, ACCOUNT.c.posted_fen, ACCOUNT.c.held_fen, ACCOUNT.c.version)
_CHUNK = 500
_KEPT = "ledger statements"


async def hot(unit: Unit) -> Hot:
    """The statements behind postings, on this unit's connection."""
    kept: Hot | None = unit.session.info.get(_KEPT)
    if kept is None:
        connection = await unit.session.connection()
        raw: Any = await connection.get_raw_connection()
        if unit.dialect == "sqlite":
            kept = Sqlite(raw.driver_connection)
        else:
            await begin(connection, raw)
            kept = Postgresql(raw.driver_connection)
        unit.session.info[_KEPT] = kept
    return kept


async def lock_accounts(unit: Unit, accounts: Iterable[Account]) -> dict[Account, Locked]:
    """Lock accounts in sorted order; those never used before are made first, before any lock is held."""
    wanted = sorted(set(accounts))
    unit.in_ledger = True
    statements = await hot(unit)
    locked = await statements.lock(wanted)
    if not locked and wanted:
        existing = await statements.existing(wanted)
        for account in wanted:
            if account not in existing:
                await _make_account(unit, account)
        locked = await statements.lock(wanted)
    return locked


async def _make_account(unit: Unit, account: Account) -> None:
    kind = kind_of(account)
    await insert_new(
        unit,
        LedgerAccount,
        **account._asdict(),
        side=kind.side.value,
        may_overdraw=kind.may_overdraw,
        posted_fen=0,
        held_fen=0,
        version=0,
    )


async def read_balance(unit: Unit, account: Account) -> Balance:
    """What an account holds; one never used is empty."""
    row = (await unit.execute(select(*_STATE).where(tuple_(*account) == _KEY))).first()
    return Locked(*tuple(row)).balance(account) if row else Balance()


async def entries_of(unit: Unit, posting_ids: Sequence[str]) -> dict[str, list[Entry]]:
    """What postings moved, by posting."""
    found: dict[str, list[Entry]] = {posting_id: [] for posting_id in posting_ids}
    for first in range(0, len(posting_ids), _CHUNK):
        statement = (
            select(ENTRY.c.posting_id, *_KEY_COLUMNS, ENTRY.c.amount_fen)
            .join_from(ENTRY, ACCOUNT, ENTRY.c.account_id == ACCOUNT.c.account_id)
            .where(ENTRY.c.posting_id.in_(posting_ids[first : first + _CHUNK]))
        )
        rows: Sequence[Any] = (await unit.execute(statement)).all()
        for row in rows:
            entry = Entry(book=row[1], kind=row[2], subject=row[3], currency=row[4], amount_fen=row[5])
            found[row[0]].append(entry)
    return found


async def due_holds(unit: Unit, now: datetime, limit: int) -> list[str]:
    """References of open holds whose time has come, the oldest first."""
    statement = (
        select(HOLD.c.reference)
        .where(HOLD.c.state == HoldState.OPEN.value, HOLD.c.expires_at <= now)
        .order_by(HOLD.c.expires_at, HOLD.c.hold_id)
        .limit(limit)
    )
    return list((await unit.execute(statement)).scalars())
