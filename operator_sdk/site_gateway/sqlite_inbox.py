"""A ready inbox in a SQLite file: one transaction per batch, numbers and items together."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from operator_sdk.contract.edge_link.frames import (
    BadItem,
    BillItem,
    FaultItem,
    HealthItem,
    Item,
    StatusItem,
    Stream,
    UpdateItem,
    decode_item,
    encode,
)

WAITING, DONE, REFUSED = "waiting", "done", "refused"

_KINDS: dict[type[Item | BadItem], str] = {
    UpdateItem: "update",
    StatusItem: "status",
    FaultItem: "fault",
    HealthItem: "health",
    BillItem: "bill",
    BadItem: "bad",
}
_SCHEMA = """
create table if not exists inbox_numbers (
    site_id text not null, spool_id text not null, stream text not null, number integer not null,
    primary key (site_id, spool_id, stream)) strict, without rowid;
create table if not exists inbox (
    position integer primary key, site_id text not null, spool_id text not null, stream text not null,
    number integer not null, kind text not null, session_id text, body blob not null,
    state text not null check (state in ('waiting', 'done', 'refused')), reason text,
    unique (site_id, spool_id, stream, number)) strict;
create index if not exists inbox_waiting on inbox (kind, position) where state = 'waiting';
create index if not exists inbox_session on inbox (session_id, position) where session_id is not null;
create index if not exists inbox_session_waiting on inbox (session_id)
    where state = 'waiting' and session_id is not null;
"""
_COLUMNS = "position, site_id, spool_id, stream, number, kind, session_id, body, state, reason"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptItem:
    """An item as it is kept. `position` is its place in the inbox, `number` its place in the site's stream.

    `state`: waiting, done, or refused; a refused and a bad one have a `reason`.
    """

    position: int
    site_id: str
    spool_id: str
    stream: Stream
    number: int
    session_id: str | None
    item: Item | BadItem
    state: str
    reason: str | None


class SqliteInbox:
    """An `Inbox` in a file, with what it takes to work it off: oldest first, or session by session.

    All access goes through one thread of its own, so the event loop never waits for the disk. An item waits
    until it is called done or refused, and stays in the file afterwards until `forget`.

    Raises:
        sqlite3.Error: from every method, when the file cannot be read or written.
    """

    def __init__(self, path: Path | str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")
        # Made here, then used by that thread alone.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    async def aclose(self) -> None:
        """Close the file, once all that was begun is done."""
        await self._run(self._db.close)
        self._thread.shutdown()

    async def acknowledged(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        """The highest number of each stream; nothing below it is missing."""
        query = "select stream, number from inbox_numbers where site_id = ? and spool_id = ?"
        rows = await self._run(lambda: self._db.execute(query, (site_id, spool_id)).fetchall())
        return {Stream(stream): number for stream, number in rows}

    async def store(
        self,
        site_id: str,
        spool_id: str,
        stream: Stream,
        first: int,
        items: Sequence[Item | BadItem],
    ) -> None:
        """Keep the items whose numbers are new, with the numbers, in one transaction.

        Raises:
            ValueError: there is a gap before `first`.
        """
        await self._run(partial(self._store, (site_id, spool_id, stream.value), first, items))

    async def waiting(self, *kinds: str, most: int = 100) -> list[KeptItem]:
        """The oldest that wait, of these kinds: update, bill, status, fault, health, bad."""
        places = ", ".join("?" * len(kinds))
        query = f"kind in ({places}) and state = 'waiting' order by position limit ?"
        return await self._read(query, *kinds, most)

    async def waiting_sessions(self) -> list[str]:
        """The sessions of which an update or the bill waits."""
        query = "select distinct session_id from inbox where state = 'waiting' and session_id is not null"
        return [session_id for (session_id,) in await self._run(lambda: self._db.execute(query).fetchall())]

    async def next_of_session(self, session_id: str) -> KeptItem | None:
        """What is next to hand on of a session: its updates in order, then its bill."""
        query = "session_id = ? and state = 'waiting' order by kind = 'bill', position limit 1"
        return next(iter(await self._read(query, session_id)), None)

    async def of_session(self, session_id: str) -> list[KeptItem]:
        """Everything that is kept of a session, in order of arrival."""
        return await self._read("session_id = ? order by position", session_id)

    async def done(self, *positions: int) -> None:
        """These have been worked off."""
        await self._settle(DONE, None, positions)

    async def refused(self, position: int, reason: str) -> None:
        """This one was not taken where it was to go, and never will be."""
        await self._settle(REFUSED, reason, (position,))

    async def forget(self, before: int) -> int:
        """Delete what no longer waits and came before that position; how many there were."""
        query = "delete from inbox where position < ? and state != 'waiting'"
        return await self._run(lambda: self._db.execute(query, (before,)).rowcount)

    def _store(self, spool: tuple[str, str, str], first: int, items: Sequence[Item | BadItem]) -> None:
        with self._db:
            self._db.execute("begin immediate")
            row = self._db.execute(
                "select number from inbox_numbers where site_id = ? and spool_id = ? and stream = ?", spool
            ).fetchone()
            last = row[0] if row else 0
            if first > last + 1:
                raise ValueError(f"{spool}: {first} after {last}")
            fresh = items[last + 1 - first :]
            self._db.executemany(
                "insert into inbox (site_id, spool_id, stream, number, kind, session_id, body, state, reason)"
                " values (?, ?, ?, ?, ?, ?, ?, 'waiting', ?)",
                [(*spool, number, *_row_of(item)) for number, item in enumerate(fresh, last + 1)],
            )
            self._db.execute(
                "insert into inbox_numbers values (?, ?, ?, ?)"
                " on conflict do update set number = excluded.number",
                (*spool, last + len(fresh)),
            )

    async def _settle(self, state: str, reason: str | None, positions: Iterable[int]) -> None:
        rows = [(state, reason, position) for position in positions]

        def settle() -> None:
            with self._db:
                self._db.execute("begin immediate")
                self._db.executemany("update inbox set state = ?, reason = ? where position = ?", rows)

        await self._run(settle)

    async def _read(self, where: str, *arguments: str | int) -> list[KeptItem]:
        query = f"select {_COLUMNS} from inbox where {where}"  # noqa: S608 (our own text)
        rows = await self._run(lambda: self._db.execute(query, arguments).fetchall())
        return [_kept(row) for row in rows]

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _row_of(item: Item | BadItem) -> tuple[str, str | None, bytes, str | None]:
    if isinstance(item, BadItem):
        return _KINDS[BadItem], None, item.raw, item.problem
    return _KINDS[type(item)], _session_of(item), encode(item), None


def _session_of(item: Item) -> str | None:
    match item:
        case UpdateItem():
            return item.session_id
        case BillItem():
            return item.record.session_id
        case _:
            return None


def _kept(row: tuple[int, str, str, str, int, str, str | None, bytes, str, str | None]) -> KeptItem:
    position, site_id, spool_id, stream, number, kind, session_id, body, state, reason = row
    # One that was put aside stays so, even where it could be read.
    is_bad = kind == _KINDS[BadItem]
    item = BadItem(raw=body, problem=reason or "") if is_bad else decode_item(body)
    return KeptItem(position, site_id, spool_id, Stream(stream), number, session_id, item, state, reason)
