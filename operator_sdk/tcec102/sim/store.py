"""What a simulated platform keeps between two runs: one SQLite file, or nothing."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

T = TypeVar("T")


class Store(Protocol):
    """Keeps structs by kind and name."""

    def save(self, kind: str, name: str, value: object) -> None:
        """Keep it, in the place of what had this name."""
        ...

    def all(self, kind: str, of: type[T]) -> Iterator[T]:
        """All of a kind, in the order in which they were first kept."""
        ...

    def close(self) -> None:
        """Nothing more is kept."""
        ...


class Nothing:
    """Keeps nothing: the platform's memory is all there is."""

    def save(self, kind: str, name: str, value: object) -> None:
        """Forget it."""

    def all(self, kind: str, of: type[T]) -> Iterator[T]:
        """There is none."""
        return iter(())

    def close(self) -> None:
        """There is nothing to close."""


class File:
    """Keeps them in `platform.db` of a folder; what was saved survives a kill."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "platform.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS kept"
            " (kind TEXT, name TEXT, body BLOB, PRIMARY KEY (kind, name) ON CONFLICT ABORT)"
        )

    def save(self, kind: str, name: str, value: object) -> None:
        """Keep it, in the place of what had this name."""
        self._connection.execute(
            "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body",
            (kind, name, msgspec.json.encode(value)),
        )

    def all(self, kind: str, of: type[T]) -> Iterator[T]:
        """All of a kind, in the order in which they were first kept."""
        rows = self._connection.execute("SELECT body FROM kept WHERE kind = ? ORDER BY rowid", (kind,))
        return iter([msgspec.json.decode(body, type=of) for (body,) in rows.fetchall()])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def open_store(folder: Path | None) -> Store:
    """A file in the folder, or nothing."""
    return Nothing() if folder is None else File(folder)
