"""Rows of the books. The statements over them are in tables_hot, tables_moves and tables_seals."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy import text as sql_text
from sqlmodel import Field

from hub.core.tables import table_of
from hub.core.types import TableRow, big, instant, text


class LedgerAccount(TableRow, table=True):
    """An account. `posted_fen` is the sum of its entries, debit positive; `version` counts them."""

    __tablename__ = "ledger_account"
    account_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True),
    )
    book: str = Field(max_length=9)
    kind: str = Field(max_length=20)
    subject: str = Field(max_length=64)
    currency: str = Field(max_length=3)
    side: str = Field(max_length=6)
    may_overdraw: bool
    posted_fen: int = big(default=0)
    held_fen: int = big(default=0)
    version: int = big(default=0)

    __table_args__ = (
        UniqueConstraint("book", "kind", "subject", "currency"),
        CheckConstraint("held_fen >= 0", name="ledger_account_held"),
        CheckConstraint(
            "may_overdraw OR held_fen <= CASE side WHEN 'debit' THEN posted_fen ELSE -posted_fen END",
            name="ledger_account_floor",
        ),
    )


class LedgerPosting(TableRow, table=True):
    """One movement of money. Written after its entries, never changed."""

    __tablename__ = "ledger_posting"
    posting_id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(max_length=30)
    reference: str = Field(max_length=120)
    event_at: datetime = instant()
    booked_at: datetime = instant()
    business_day: str = Field(max_length=10)
    digest: str = Field(max_length=64)
    note: str = Field(max_length=200)

    __table_args__ = (UniqueConstraint("kind", "reference"), {"sqlite_with_rowid": False})


class LedgerEntry(TableRow, table=True):
    """One line of a posting. The foreign key waits for the commit, because entries come first."""

    __tablename__ = "ledger_entry"
    account_id: int = Field(
        sa_column=Column(BigInteger(), ForeignKey("ledger_account.account_id"), primary_key=True)
    )
    account_version: int = Field(sa_column=Column(BigInteger(), primary_key=True))
    posting_id: str = Field(
        sa_column=Column(
            String(40),
            ForeignKey("ledger_posting.posting_id", deferrable=True, initially="DEFERRED"),
            nullable=False,
            index=True,
        )
    )
    amount_fen: int = big()
    balance_after_fen: int = big()

    __table_args__ = (
        CheckConstraint("amount_fen <> 0", name="ledger_entry_moves"),
        {"sqlite_with_rowid": False},
    )


class LedgerHold(TableRow, table=True):
    """Money reserved on an account. Without an account: a release that came before its hold."""

    __tablename__ = "ledger_hold"
    hold_id: str = Field(primary_key=True, max_length=40)
    account_id: int | None = Field(
        default=None, sa_column=Column(BigInteger(), ForeignKey("ledger_account.account_id"))
    )
    reference: str = Field(max_length=120, unique=True)
    amount_fen: int = big()
    captured_fen: int = big(default=0)
    released_fen: int = big(default=0)
    state: str = Field(max_length=10)
    made_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        CheckConstraint(
            "captured_fen >= 0 AND released_fen >= 0 AND captured_fen + released_fen ="
            " CASE WHEN state IN ('captured', 'voided', 'expired') THEN amount_fen ELSE 0 END",
            name="ledger_hold_whole",
        ),
        Index(
            "ledger_hold_open",
            "account_id",
            "expires_at",
            postgresql_where=sql_text("state = 'open'"),
            sqlite_where=sql_text("state = 'open'"),
        ),
    )


class LedgerHoldEvent(TableRow, table=True):
    """What became of a hold: number 1 is its beginning, number 2 its only end."""

    __tablename__ = "ledger_hold_event"
    hold_id: str = Field(primary_key=True, max_length=40, foreign_key="ledger_hold.hold_id")
    number: int = Field(primary_key=True)
    event: str = Field(max_length=10)
    amount_fen: int = big()
    at: datetime = instant()
    posting_id: str | None = Field(default=None, max_length=40, foreign_key="ledger_posting.posting_id")
    digest: str = Field(max_length=64)

    __table_args__ = ({"sqlite_with_rowid": False},)


class LedgerUnsealed(TableRow, table=True):
    """Postings that the sealer has not chained yet; filled by trigger, so that none is forgotten."""

    __tablename__ = "ledger_unsealed"
    posting_id: str = Field(primary_key=True, max_length=40)


class LedgerSeal(TableRow, table=True):
    """One link of the chain over all postings."""

    __tablename__ = "ledger_seal"
    number: int = Field(sa_column=Column(BigInteger(), primary_key=True, autoincrement=False))
    posting_id: str = Field(max_length=40, unique=True, foreign_key="ledger_posting.posting_id")
    chain_digest: str = Field(max_length=64)

    __table_args__ = ({"sqlite_with_rowid": False},)


class LedgerDay(TableRow, table=True):
    """A closed day: the chain up to `seal_number`, and what was sealed since the day before it."""

    __tablename__ = "ledger_day"
    day: str = Field(primary_key=True, max_length=10)
    closed_at: datetime = instant()
    seal_number: int = big()
    chain_digest: str = Field(max_length=64)
    postings: int = big()
    entries: int = big()
    debits: str = text()
    digest: str = Field(max_length=64)

    __table_args__ = ({"sqlite_with_rowid": False},)


ACCOUNT, ENTRY, POSTING = table_of(LedgerAccount), table_of(LedgerEntry), table_of(LedgerPosting)
HOLD, HOLD_EVENT = table_of(LedgerHold), table_of(LedgerHoldEvent)
UNSEALED, SEAL, DAY = table_of(LedgerUnsealed), table_of(LedgerSeal), table_of(LedgerDay)
