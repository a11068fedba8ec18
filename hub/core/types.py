"""What tables are made of: their base, column types that mean the same on both engines, and fields."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TableRow(SQLModel):
    """The base of every table.

    Rows are made by our own code and never validated by their model, so building the validators is put off:
    it was more than half of what loading all tables takes, in every process and every call of a command.
    """

    model_config = {"defer_build": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant: timestamptz on PostgreSQL, integer microseconds on SQLite. Refuses naive values."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        if dialect.name == "sqlite":
            return (value - _EPOCH) // timedelta(microseconds=1)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _EPOCH + timedelta(microseconds=int(value))
        return value.astimezone(UTC)  # type: ignore[no-any-return]


def instant(*, nullable: bool = False, index: bool = False, primary_key: bool = False) -> Any:
    """A field holding an instant."""
    column: Column[datetime] = Column(UtcDateTime(), nullable=nullable, index=index, primary_key=primary_key)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def big(*, nullable: bool = False, default: Any = ..., index: bool = False) -> Any:
    """A field holding a 64-bit integer (fen, Wh, numbers)."""
    column: Column[int] = Column(BigInteger(), nullable=nullable, index=index)
    if nullable:
        return Field(default=None, sa_column=column)
    return Field(sa_column=column) if default is ... else Field(default=default, sa_column=column)


def text(*, nullable: bool = False) -> Any:
    """A field holding long text (JSON included)."""
    column = Column(Text(), nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def blob(*, nullable: bool = False) -> Any:
    """A field holding bytes."""
    column = Column(LargeBinary(), nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)
