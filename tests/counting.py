"""What a database is asked while a test does something: for promises about how little that is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event

from hub.core.database import Database


@contextmanager
def _noting(database: Database, what: str, note: Callable[..., None]) -> Iterator[None]:
    event.listen(database.engine.sync_engine, what, note)
    try:
        yield
    finally:
        event.remove(database.engine.sync_engine, what, note)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements until the block ends, in order; one for many rows is one."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    with _noting(database, "before_cursor_execute", note):
        yield seen


@contextmanager
def commits(database: Database) -> Iterator[list[object]]:
    """The commits until the block ends."""
    seen: list[object] = []

    def note(connection: object) -> None:
        seen.append(connection)

    with _noting(database, "commit", note):
        yield seen
