"""The books: closed days, and digests of what happened to holds."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from hub.core.types import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQLITE = (
    "CREATE TRIGGER ledger_day_no_update BEFORE UPDATE ON ledger_day"
    " BEGIN SELECT RAISE(ABORT, 'ledger: ledger_day only grows'); END",
    "CREATE TRIGGER ledger_day_no_delete BEFORE DELETE ON ledger_day"
    " BEGIN SELECT RAISE(ABORT, 'ledger: ledger_day only grows'); END",
    "CREATE TRIGGER ledger_day_no_replace BEFORE INSERT ON ledger_day"
    " WHEN EXISTS (SELECT 1 FROM ledger_day WHERE day = NEW.day)"
    " BEGIN SELECT RAISE(ABORT, 'ledger: ledger_day only grows'); END",
)
POSTGRESQL = (
    "CREATE TRIGGER ledger_day_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_day"
    " FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()",
)
TRIGGERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
LAY_DOWN = {
    "sqlite": "DROP TRIGGER ledger_hold_event_no_update",
    "postgresql": "ALTER TABLE ledger_hold_event DISABLE TRIGGER ledger_hold_event_only_grows",
}
TAKE_UP = {
    "sqlite": "CREATE TRIGGER ledger_hold_event_no_update BEFORE UPDATE ON ledger_hold_event"
    " BEGIN SELECT RAISE(ABORT, 'ledger: ledger_hold_event only grows'); END",
    "postgresql": "ALTER TABLE ledger_hold_event ENABLE TRIGGER ledger_hold_event_only_grows",
}
"""The guard of hold events, for as long as those of before get their digests."""

AT_ONCE = 1000
EVENTS = sa.table(
    "ledger_hold_event",
    *(sa.column(name) for name in ("hold_id", "number", "event", "amount_fen", "posting_id", "digest")),
    sa.column("at", UtcDateTime()),
)
HOLDS = sa.table(
    "ledger_hold",
    *(sa.column(name) for name in ("hold_id", "account_id", "reference", "amount_fen")),
    *(sa.column(name, UtcDateTime()) for name in ("made_at", "expires_at")),
)
ACCOUNTS = sa.table(
    "ledger_account", *(sa.column(name) for name in ("account_id", "book", "kind", "subject", "currency"))
)


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "ledger_day",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=False),
        sa.Column("seal_number", sa.BigInteger(), nullable=False),
        sa.Column("chain_digest", sa.String(length=64), nullable=False),
        sa.Column("postings", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("debits", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day"),
        sqlite_with_rowid=False,
    )
    engine = op.get_bind().dialect.name
    for statement in TRIGGERS[engine]:
        op.execute(statement)
    column = sa.Column("digest", sa.String(length=64), nullable=False, server_default="")
    op.add_column("ledger_hold_event", column)
    op.execute(LAY_DOWN[engine])
    _fill(op.get_bind())
    op.execute(TAKE_UP[engine])


def _fill(connection: sa.Connection) -> None:
    """Give the events of before their digests: of what is there now, for nothing older proves them."""
    event, hold, account = EVENTS.c, HOLDS.c, ACCOUNTS.c
    statement = (
        sa.select(EVENTS, HOLDS, *ACCOUNTS.c)
        .select_from(EVENTS)
        .join(HOLDS, hold.hold_id == event.hold_id)
        .outerjoin(ACCOUNTS, account.account_id == hold.account_id)
        .order_by(event.hold_id, event.number)
        .limit(AT_ONCE)
    )
    write = (
        EVENTS.update()
        .where(event.hold_id == sa.bindparam("of"), event.number == sa.bindparam("nth"))
        .values(digest=sa.bindparam("sha256"))
    )
    after: tuple[str, int] = ("", 0)
    key = sa.tuple_(event.hold_id, event.number)
    while rows := connection.execute(statement.where(key > after)).all():
        found = [{"of": row[0], "nth": row[1], "sha256": _digest(row)} for row in rows]
        connection.execute(write, found)
        after = (rows[-1][0], rows[-1][1])


def _digest(row: Any) -> str:
    hold_id, number, name, amount_fen, posting_id, _, at = row[:7]
    _, account_id, reference, held_fen, made_at, expires_at, _, *account = row[7:]
    hold = [reference, account if account_id is not None else None, held_fen, _ms(made_at)]
    hold.append(None if expires_at is None else _ms(expires_at))
    whole = [hold_id, number, name, amount_fen, _ms(at), posting_id, hold]
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _ms(at: datetime) -> str:
    at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds" if at.microsecond % 1000 else "milliseconds")
