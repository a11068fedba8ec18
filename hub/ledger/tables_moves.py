"""The statements that lock, move and read accounts and holds.

What every posting needs is in tables_hot; the rest goes through SQLAlchemy Core on the unit's connection.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, tuple_, update

from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.ledger.model import (
    Account,
    Balance,
    Entry,
    EntryFacts,
    Hold,
    HoldState,
    PostingFacts,
    kind_of,
)
from hub.ledger.tables import ACCOUNT, ENTRY, HOLD, HOLD_EVENT, LedgerAccount, LedgerHold
from hub.ledger.tables_hot import Locked, hot

_KEY_COLUMNS = (ACCOUNT.c.book, ACCOUNT.c.kind, ACCOUNT.c.subject, ACCOUNT.c.currency)
_KEY = tuple_(*_KEY_COLUMNS)
_STATE = (ACCOUNT.c.account_id, ACCOUNT.c.posted_fen, ACCOUNT.c.held_fen, ACCOUNT.c.version)


async def lock_accounts(unit: Unit, accounts: Iterable[Account]) -> dict[Account, Locked]:
    """Lock accounts in sorted order; those never used before are made first, before any lock is held."""
    wanted = sorted(set(accounts))
    statements = await hot(unit)
    existing = await statements.existing(wanted)
    for account in wanted:
        if account not in existing:
            await _make_account(unit, account)
    return await statements.lock(wanted)


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
    connection = await unit.session.connection()
    row = (await connection.execute(select(*_STATE).where(tuple_(*account) == _KEY))).first()
    return Locked(*row).balance(account) if row else Balance()


async def move_accounts(unit: Unit, changed: Iterable[Locked]) -> None:
    """Write what locked accounts have become."""
    await (await hot(unit)).move(list(changed))


async def insert_entries(unit: Unit, posting_id: str, lines: Sequence[tuple[int, EntryFacts]]) -> None:
    """Entries, each with its account's id; before their posting."""
    await (await hot(unit)).insert_entries(posting_id, lines)


async def insert_posting(unit: Unit, facts: PostingFacts, digest: str) -> bool:
    """The posting itself, after its entries. False: its reference was taken in the meantime."""
    return await (await hot(unit)).insert_posting(facts, digest)


async def posting_id_of(unit: Unit, kind: str, reference: str) -> str | None:
    """The posting under a reference."""
    return await (await hot(unit)).posting_id_of(kind, reference)


async def entries_of(unit: Unit, posting_id: str) -> list[Entry]:
    """What a posting moved."""
    connection = await unit.session.connection()
    statement = (
        select(*_KEY_COLUMNS, ENTRY.c.amount_fen)
        .join_from(ENTRY, ACCOUNT, ENTRY.c.account_id == ACCOUNT.c.account_id)
        .where(ENTRY.c.posting_id == posting_id)
    )
    return [
        Entry(book=row[0], kind=row[1], subject=row[2], currency=row[3], amount_fen=row[4])
        for row in await connection.execute(statement)
    ]


_HOLD_WITH_ACCOUNT = select(HOLD, *_KEY_COLUMNS).join_from(
    HOLD, ACCOUNT, HOLD.c.account_id == ACCOUNT.c.account_id, isouter=True
)


async def read_hold(unit: Unit, reference: str) -> Hold | None:
    """The hold under a reference."""
    connection = await unit.session.connection()
    row = (await connection.execute(_HOLD_WITH_ACCOUNT.where(HOLD.c.reference == reference))).first()
    return _hold(row) if row else None


async def due_holds(unit: Unit, now: datetime, limit: int) -> list[Hold]:
    """Open holds whose time has come, the oldest first."""
    connection = await unit.session.connection()
    statement = (
        _HOLD_WITH_ACCOUNT.where(HOLD.c.state == HoldState.OPEN.value, HOLD.c.expires_at <= now)
        .order_by(HOLD.c.expires_at, HOLD.c.hold_id)
        .limit(limit)
    )
    return [_hold(row) for row in await connection.execute(statement)]


def _hold(row: Row[Any]) -> Hold:
    key = (row.book, row.kind, row.subject, row.currency)
    return Hold(
        hold_id=row.hold_id,
        reference=row.reference,
        account=None if row.account_id is None else Account(*key),
        amount_fen=row.amount_fen,
        captured_fen=row.captured_fen,
        released_fen=row.released_fen,
        state=HoldState(row.state),
        made_at=row.made_at,
        expires_at=row.expires_at,
    )


async def insert_hold(unit: Unit, hold: Hold, account_id: int | None) -> bool:
    """A new hold with its first event. False: the reference was taken in the meantime."""
    new = await insert_new(
        unit,
        LedgerHold,
        hold_id=hold.hold_id,
        account_id=account_id,
        reference=hold.reference,
        amount_fen=hold.amount_fen,
        captured_fen=hold.captured_fen,
        released_fen=hold.released_fen,
        state=hold.state.value,
        made_at=hold.made_at,
        expires_at=hold.expires_at,
    )
    if new:
        first = "made" if hold.state is HoldState.OPEN else hold.state.value
        await _insert_event(unit, hold, number=1, event=first, at=hold.made_at, posting_id=None)
    return new


async def end_hold(unit: Unit, ended: Hold, *, at: datetime, posting_id: str | None) -> None:
    """Write how an open hold ended, with its last event."""
    connection = await unit.session.connection()
    statement = update(HOLD).where(HOLD.c.hold_id == ended.hold_id)
    await connection.execute(
        statement.values(
            state=ended.state.value, captured_fen=ended.captured_fen, released_fen=ended.released_fen
        )
    )
    await _insert_event(unit, ended, number=2, event=ended.state.value, at=at, posting_id=posting_id)


async def _insert_event(
    unit: Unit, hold: Hold, *, number: int, event: str, at: datetime, posting_id: str | None
) -> None:
    connection = await unit.session.connection()
    values: Mapping[str, Any] = {
        "hold_id": hold.hold_id,
        "number": number,
        "event": event,
        "amount_fen": hold.captured_fen if event == HoldState.CAPTURED.value else hold.amount_fen,
        "at": at,
        "posting_id": posting_id,
    }
    await connection.execute(HOLD_EVENT.insert(), values)


def apply_entries(
    entries: Sequence[Entry], locked: Mapping[Account, Locked], held_change: Mapping[Account, int]
) -> tuple[list[tuple[int, EntryFacts]], dict[Account, Locked]]:
    """Each entry with its account's version and balance after it, and what the accounts become."""
    now = dict(locked)
    lines = []
    for entry in entries:
        before = now[entry.account]
        after = before._replace(posted_fen=before.posted_fen + entry.amount_fen, version=before.version + 1)
        now[entry.account] = after
        facts = EntryFacts(entry.account, after.version, entry.amount_fen, after.posted_fen)
        lines.append((after.account_id, facts))
    for account, change in held_change.items():
        now[account] = now[account]._replace(held_fen=now[account].held_fen + change)
    return lines, now
