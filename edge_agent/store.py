"""What the agent must not forget, in one SQLite file: charges, results of commands, tariffs, and the spool.

A step of a charge and the messages it makes are one transaction (`write`), durable when it returns: WAL,
synchronous FULL for everything, because a site makes few commits. `edge_agent.spool` reads what waits.

    StoreProblem
    ├── StoreFull    the disk is full or fails, the file is damaged, or another program holds it
    └── StoreInUse   another agent runs on this file
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from edge_agent.charge import Charge
from edge_agent.schema import SCHEMA
from operator_sdk.contract.edge_link.frames import (
    BillItem,
    FaultItem,
    HealthItem,
    Item,
    Result,
    StatusItem,
    Stream,
    UpdateItem,
    encode,
)
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import AuthorizeRequest, HostStartReply, ReleaseRequest

KEEP = timedelta(days=30)
"""How long results of commands, closed charges and delivered bills stay to be asked for."""

TAPS_MOST = 100

HELD_S = 1
"""How long the agent stands still where another program holds its file."""


class StoreProblem(Exception):
    """The base of what the file can do to its user."""


class StoreFull(StoreProblem):
    """Nothing was written, or nothing could be read."""


class StoreInUse(StoreProblem):
    """One file, one agent."""


class Tap(msgspec.Struct, frozen=True, kw_only=True):
    """A card shown at a pile and what came of it; never the card's number."""

    at: datetime
    connector_id: str
    outcome: str
    refusal: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one step leaves behind. `result`: of a command, by its id; `reply`: to a session's start."""

    at: datetime
    charge: Charge | None = None
    live: Sequence[Item] = ()
    bill: ChargeRecord | None = None
    result: tuple[str, Result] | None = None
    reply: tuple[str, HostStartReply] | None = None
    authorization_done: str | None = None
    release: ReleaseRequest | None = None
    tap: Tap | None = None


class Store:
    """The file; used from one thread. Whatever reads it may raise StoreFull.

    Raises:
        StoreInUse: another agent has it open.
        StoreFull: it cannot be made or used.
    """

    def __init__(self, path: Path, *, new_spool_id: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = path.with_suffix(".lock").open("a", encoding="ascii")
        except OSError as problem:
            raise StoreFull(f"{path}: {problem.strerror or problem}") from problem
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            self._lock.close()
            raise StoreInUse(f"{path}: another agent runs here") from problem
        self.db = sqlite3.connect(path, isolation_level=None, timeout=HELD_S)
        try:
            self._prepare(new_spool_id)
        except StoreFull as problem:
            self.close()
            raise StoreFull(f"{path}: {problem}") from problem

    def _prepare(self, new_spool_id: str) -> None:
        with full_disk_named():
            self.db.execute("pragma journal_mode = wal")
            self.db.execute("pragma synchronous = full")
            # A small disk that is full gets room back only when the log is folded in: do it every 800 KB.
            self.db.execute("pragma wal_autocheckpoint = 200")
            self.db.executescript(SCHEMA)
            self.db.execute("insert or ignore into meta values ('spool_id', ?)", (new_spool_id,))

    def close(self) -> None:
        """Close the file; another agent may have it."""
        self.db.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and durable at the end.

        Raises:
            StoreFull: nothing was written.
        """
        with full_disk_named():
            self.db.execute("begin immediate")
            try:
                yield self.db
                self.db.execute("commit")
            except BaseException:
                # A full disk may have ended the transaction by itself.
                if self.db.in_transaction:
                    self.db.execute("rollback")
                raise

    def write(self, written: Written) -> None:
        """Keep a step with everything that follows from it.

        Raises:
            StoreFull: nothing was written.
        """
        with self.transaction() as db:
            if written.charge is not None:
                charge = written.charge
                db.execute(
                    "insert into charges values (?, ?, ?, ?, ?) on conflict (session_id) do update"
                    " set is_open = excluded.is_open, at = excluded.at, body = excluded.body",
                    (
                        charge.session_id,
                        charge.connector_id,
                        int(charge.is_open),
                        _us(written.at),
                        _pack(charge),
                    ),
                )
            for item in written.live:
                self._spool(db, item, written.at)
            if written.bill is not None:
                self._spool(db, BillItem(record=written.bill), written.at)
            self._write_answers(db, written)

    @staticmethod
    def _spool(db: sqlite3.Connection, item: Item, at: datetime) -> None:
        stream = Stream.BILLS if isinstance(item, BillItem) else Stream.LIVE
        kind, subject, weight = described(item)
        db.execute(
            "insert into spool (stream, kind, subject, weight, at, body) values (?, ?, ?, ?, ?, ?)",
            (stream, kind, subject, weight, _us(at), encode(item)),
        )
        if isinstance(item, FaultItem):
            if item.cleared:
                db.execute("delete from faults where connector_id = ? and code = ?", (subject, item.code))
            else:
                db.execute("insert or ignore into faults values (?, ?, ?)", (subject, item.code, _us(at)))
        elif isinstance(item, StatusItem):
            db.execute(
                "insert or replace into statuses values (?, ?, ?)", (subject, item.status.state, _us(at))
            )

    @staticmethod
    def _write_answers(db: sqlite3.Connection, written: Written) -> None:
        at = _us(written.at)
        if written.result is not None:
            command_id, result = written.result
            db.execute("insert or ignore into commands values (?, ?, ?)", (command_id, at, encode(result)))
        if written.reply is not None:
            session_id, reply = written.reply
            db.execute("insert or ignore into starts values (?, ?)", (session_id, _pack(reply)))
        if written.authorization_done is not None:
            db.execute("delete from asks where ask_id = ?", (written.authorization_done,))
        if written.release is not None:
            release = written.release
            db.execute(
                "insert or ignore into releases values (?, ?)", (release.authorization_id, _pack(release))
            )
        if written.tap is not None:
            db.execute("insert into taps (body) values (?)", (_pack(written.tap),))
            db.execute("delete from taps where seq <= (select max(seq) from taps) - ?", (TAPS_MOST,))

    # Charges and starts.

    def open_charges(self) -> list[Charge]:
        """The charges that were running when they were last kept."""
        rows = self.rows("select body from charges where is_open = 1")
        return [_unpack(body, Charge) for (body,) in rows]

    def charge(self, session_id: str) -> Charge | None:
        """A charge by its session."""
        row = self._one("select body from charges where session_id = ?", session_id)
        return _unpack(row, Charge) if row else None

    def reply(self, session_id: str) -> HostStartReply | None:
        """What the first start of this session was answered; a burnt one was refused."""
        row = self._one("select reply from starts where session_id = ?", session_id)
        return _unpack(row, HostStartReply) if row else None

    def result(self, command_id: str) -> Result | None:
        """What a command led to the first time."""
        row = self._one("select result from commands where command_id = ?", command_id)
        return _result.decode(row) if row else None

    # What the gateway pushes.

    def put_tariffs(self, tariffs: Sequence[Tariff]) -> None:
        """Keep versions; one that is known stays as it was."""
        with self.transaction() as db:
            db.executemany(
                "insert or ignore into tariffs values (?, ?, ?)",
                [(one.tariff_id, one.version, _pack(one)) for one in tariffs],
            )

    def tariff(self, tariff_id: str, version: int) -> Tariff | None:
        """A version that was pushed, or came with an authorization."""
        row = self._one("select body from tariffs where tariff_id = ? and version = ?", tariff_id, version)
        return _unpack(row, Tariff) if row else None

    def put_blacklist(self, version: int, digests: Sequence[bytes]) -> None:
        """Replace the list, unless a newer one is here."""
        with self.transaction() as db:
            if version < int(self.meta("blacklist_version") or "0"):
                return
            db.execute("delete from blacklist")
            db.executemany("insert or ignore into blacklist values (?)", [(digest,) for digest in digests])
            db.execute("insert or replace into meta values ('blacklist_version', ?)", (str(version),))

    def is_blacklisted(self, digest: bytes) -> bool:
        """Whether this token is refused without asking."""
        return self._one("select 1 from blacklist where digest = ?", digest) is not None

    # Asks that must be answered.

    def put_ask(self, ask_id: str, request: AuthorizeRequest) -> None:
        """Keep an authorization's question until its answer has been used or given back."""
        with self.transaction() as db:
            db.execute("insert into asks values (?, ?)", (ask_id, _pack(request)))

    def asks(self) -> dict[str, AuthorizeRequest]:
        """The questions whose answer is not known to have been used."""
        rows = self.rows("select ask_id, request from asks")
        return {ask_id: _unpack(request, AuthorizeRequest) for ask_id, request in rows}

    def releases(self) -> list[ReleaseRequest]:
        """What is to be given back."""
        rows = self.rows("select request from releases")
        return [_unpack(request, ReleaseRequest) for (request,) in rows]

    def released(self, authorization_id: str) -> None:
        """It was given back."""
        with self.transaction() as db:
            db.execute("delete from releases where authorization_id = ?", (authorization_id,))

    # Small things.

    def faults(self) -> dict[tuple[str, str], datetime]:
        """The faults that were raised and not yet cleared: (connector or "", code)."""
        rows = self.rows("select connector_id, code, at from faults")
        return {(connector_id, code): _instant(at) for connector_id, code, at in rows}

    def statuses(self) -> dict[str, tuple[str, datetime]]:
        """The last state that was reported of each connector."""
        rows = self.rows("select connector_id, state, at from statuses")
        return {connector_id: (state, _instant(at)) for connector_id, state, at in rows}

    def taps(self) -> list[Tap]:
        """The last cards and what came of them, oldest first."""
        return [_unpack(body, Tap) for (body,) in self.rows("select body from taps order by seq")]

    def meta(self, name: str) -> str | None:
        """A small value by name."""
        value = self._one("select value from meta where name = ?", name)
        return None if value is None else str(value)

    def put_meta(self, **values: str | int) -> None:
        """Keep small values."""
        with self.transaction() as db:
            db.executemany(
                "insert or replace into meta values (?, ?)",
                [(name, str(said)) for name, said in values.items()],
            )

    def forget_before(self, now: datetime) -> None:
        """Drop what nobody will ask for any more; that a session was started or refused is never forgotten."""
        oldest = _us(now - KEEP)
        with self.transaction() as db:
            db.execute("delete from commands where at < ?", (oldest,))
            db.execute("delete from charges where is_open = 0 and at < ?", (oldest,))
            db.execute("delete from spool where is_delivered = 1 and at < ?", (oldest,))

    def rows(self, query: str, *arguments: object) -> list[Any]:
        """What a query finds.

        Raises:
            StoreFull: the file cannot be read.
        """
        with full_disk_named():
            return self.db.execute(query, arguments).fetchall()

    def _one(self, query: str, *arguments: object) -> Any:
        rows = self.rows(query, *arguments)
        return rows[0][0] if rows else None


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Name what SQLite says of a file that takes or gives nothing.

    Raises:
        StoreFull: the disk is full or fails, the file is damaged, or another program holds it.
    """
    try:
        yield
    except sqlite3.DatabaseError as problem:
        if problem.sqlite_errorcode & 0xFF in {
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        }:
            raise StoreFull(str(problem)) from problem
        raise


def described(item: Item) -> tuple[str, str, int]:
    """(kind, connector or session, weight) of an item; the lighter it is, the sooner it is dropped for room."""
    match item:
        case UpdateItem():
            is_plain = item.update.state == "charging" and item.update.number > 1
            return "update", item.session_id, 2 if is_plain else 9
        case StatusItem():
            return "status", item.status.connector_id, 1
        case FaultItem():
            return "fault", item.connector_id or "", 3
        case HealthItem():
            return "health", "", 0
        case BillItem():
            return "bill", item.record.session_id, 9


_result: msgspec.msgpack.Decoder[Result] = msgspec.msgpack.Decoder(Result)
_pack = msgspec.msgpack.encode


def _unpack(body: bytes, kind: Any) -> Any:
    return msgspec.msgpack.decode(body, type=kind)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
