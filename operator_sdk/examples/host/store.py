"""What the host must not forget: charges, meters, answers to starts, and the spool to the hub.

A step of a charge and the messages it makes are one transaction, so a number is never given twice.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import HostStartReply, SessionUpdate
from operator_sdk.examples.host.charge import Charge
from operator_sdk.examples.host.pile import Pile

# The bill goes after every update of its session.
RECORD_POSITION = 2_000_000_001

_SCHEMA = """
create table if not exists charges (
    session_id text primary key, is_open integer not null, body blob not null) strict;
create index if not exists charges_open on charges (is_open) where is_open = 1;
create table if not exists piles (connector_id text primary key, body blob not null) strict;
create table if not exists starts (session_id text primary key, reply blob not null) strict;
create table if not exists spool (
    session_id text not null, position integer not null, body blob not null,
    state text not null check (state in ('waiting', 'acknowledged', 'refused')),
    reason text, primary key (session_id, position)) strict, without rowid;
create index if not exists spool_waiting on spool (session_id, position) where state = 'waiting';
"""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A message on its way to the hub."""

    session_id: str
    position: int
    message: SessionUpdate | ChargeRecord


class Store:
    """The host's SQLite file; used from one thread."""

    def __init__(self, path: Path | str) -> None:
        # Made by whoever puts the app together, then used by the server's thread alone.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def save(
        self,
        charge: Charge,
        pile: Pile,
        messages: Sequence[SessionUpdate | ChargeRecord] = (),
        *,
        start: HostStartReply | None = None,
    ) -> None:
        """A step of a charge with everything that follows from it, all or nothing."""
        body = msgspec.json.encode
        with self._db:
            self._db.execute("begin immediate")
            self._db.execute(
                "insert into charges values (?, ?, ?) on conflict (session_id) do update"
                " set is_open = excluded.is_open, body = excluded.body",
                (charge.session_id, int(charge.is_running), body(charge)),
            )
            self._db.execute(
                "insert into piles values (?, ?) on conflict do update set body = excluded.body",
                (charge.connector_id, body(pile)),
            )
            if start is not None:
                self._db.execute("insert into starts values (?, ?)", (charge.session_id, body(start)))
            self._db.executemany(
                "insert into spool values (?, ?, ?, 'waiting', null)",
                [(charge.session_id, _position(message), body(message)) for message in messages],
            )

    def save_charge(self, charge: Charge) -> None:
        """What became known of a charge later: the hub's answer, the settlement."""
        with self._db:
            self._db.execute(
                "update charges set body = ? where session_id = ?",
                (msgspec.json.encode(charge), charge.session_id),
            )

    def save_refused_start(self, session_id: str, reply: HostStartReply) -> None:
        """Refused stays refused."""
        with self._db:
            self._db.execute(
                "insert or ignore into starts values (?, ?)",
                (session_id, msgspec.json.encode(reply)),
            )

    def start_reply(self, session_id: str) -> HostStartReply | None:
        """What the first start of this session was answered."""
        row = self._one("select reply from starts where session_id = ?", session_id)
        return msgspec.json.decode(row, type=HostStartReply) if row else None

    def charge(self, session_id: str) -> Charge | None:
        """A charge by its session."""
        row = self._one("select body from charges where session_id = ?", session_id)
        return msgspec.json.decode(row, type=Charge) if row else None

    def open_charges(self) -> list[Charge]:
        """The charges that were running when they were last saved."""
        return self._charges("select body from charges where is_open = 1")

    def latest_charges(self, most: int = 50) -> list[Charge]:
        """The newest charges."""
        return self._charges("select body from charges order by rowid desc limit ?", most)

    def pile(self, connector_id: str) -> Pile | None:
        """A pile as it was last saved."""
        row = self._one("select body from piles where connector_id = ?", connector_id)
        return msgspec.json.decode(row, type=Pile) if row else None

    def waiting_sessions(self) -> list[str]:
        """The sessions with messages that the hub has not acknowledged."""
        rows = self._db.execute("select distinct session_id from spool where state = 'waiting'")
        return [session_id for (session_id,) in rows]

    def next_waiting(self, session_id: str) -> Spooled | None:
        """The oldest message of a session that the hub has not acknowledged."""
        row = self._db.execute(
            "select position, body from spool where session_id = ? and state = 'waiting'"
            " order by position limit 1",
            (session_id,),
        ).fetchone()
        if row is None:
            return None
        position, body = row
        if position == RECORD_POSITION:
            return Spooled(session_id, position, msgspec.json.decode(body, type=ChargeRecord))
        return Spooled(session_id, position, msgspec.json.decode(body, type=SessionUpdate))

    def done(self, spooled: Spooled, *, refused: str | None = None) -> None:
        """The hub has taken the message, or refused it for good."""
        with self._db:
            self._db.execute(
                "update spool set state = ?, reason = ? where session_id = ? and position = ?",
                (
                    "refused" if refused else "acknowledged",
                    refused,
                    spooled.session_id,
                    spooled.position,
                ),
            )

    def numbers(self, session_id: str) -> dict[str, list[int]]:
        """The numbers of the updates made, acknowledged and refused."""
        rows = self._db.execute(
            "select position, state from spool where session_id = ? and position < ? order by position",
            (session_id, RECORD_POSITION),
        ).fetchall()
        return {
            "made": [position for position, _ in rows],
            "acknowledged": [position for position, state in rows if state == "acknowledged"],
            "refused": [position for position, state in rows if state == "refused"],
        }

    def _one(self, query: str, *arguments: object) -> bytes | None:
        row = self._db.execute(query, arguments).fetchone()
        return row[0] if row else None

    def _charges(self, query: str, *arguments: object) -> list[Charge]:
        rows: Iterable[tuple[bytes]] = self._db.execute(query, arguments)
        return [msgspec.json.decode(body, type=Charge) for (body,) in rows]


def _position(message: Message) -> int:
    return message.number if isinstance(message, SessionUpdate) else RECORD_POSITION
