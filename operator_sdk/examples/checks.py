"""The daily check at an operator: its own list of charge records, and its answers about the hub's.

Works on the tables of whoever keeps bills, over the same connection, so that a bill and its line in the list
are one transaction. Every message may come twice.
"""

import sqlite3
from collections.abc import Iterator

import msgspec

from operator_sdk.contract.messages.checks import ListedRecord, RecordListPart, RecordListReply
from operator_sdk.contract.record_check import Comparing, reply_of

_SCHEMA = """
create table if not exists listed (
    role text not null, day text not null, record text not null, amount_fen integer not null,
    energy_wh integer not null, credit integer not null, primary key (role, record)) strict, without rowid;
create index if not exists listed_day on listed (role, day);
create table if not exists check_parts (
    check_ref text not null, part integer not null, lines blob not null,
    primary key (check_ref, part)) strict, without rowid;
create table if not exists check_answers (check_ref text primary key, answer blob not null) strict;
"""


class RecordLists:
    """An operator's list by day, and the hub's until all of its parts are there."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(_SCHEMA)

    def put(self, role: str, day: str, line: ListedRecord) -> None:
        """A record is one of this day; one that is known stays as it is."""
        row = (role, day, line.record, line.amount_fen, line.energy_wh, int(line.credit))
        self._db.execute("insert or ignore into listed values (?, ?, ?, ?, ?, ?)", row)

    def drop(self, role: str, record: str) -> None:
        """The hub rejected it: nobody owes it."""
        self._db.execute("delete from listed where role = ? and record = ?", (role, record))

    def of_day(self, role: str, day: str) -> Iterator[ListedRecord]:
        """The own list of a day."""
        query = "select record, amount_fen, energy_wh, credit from listed where role = ? and day = ?"
        for record, fen, wh, credit in self._db.execute(query, (role, day)):
            yield ListedRecord(record=record, amount_fen=fen, energy_wh=wh, credit=bool(credit))

    def check(self, part: RecordListPart) -> RecordListReply:
        """Keep a part of the hub's list; with the last one compare, once. An answer stays what it was."""
        query = "select answer from check_answers where check_ref = ?"
        known = self._db.execute(query, (part.check_ref,)).fetchone()
        if known is not None:
            return msgspec.json.decode(known[0], type=RecordListReply)
        keep = "insert or ignore into check_parts values (?, ?, ?)"
        self._db.execute(keep, (part.check_ref, part.part, msgspec.json.encode(part.lines)))
        query = "select count(*) from check_parts where check_ref = ?"
        (there,) = self._db.execute(query, (part.check_ref,)).fetchone()
        if there < part.parts:
            return RecordListReply(state="collecting")
        return self._compared(part)

    def _compared(self, part: RecordListPart) -> RecordListReply:
        comparing = Comparing()
        comparing.here(self.of_day(part.role, part.day))
        query = "select lines from check_parts where check_ref = ?"
        for (lines,) in self._db.execute(query, (part.check_ref,)):
            comparing.there(msgspec.json.decode(lines, type=list[ListedRecord]))
        reply = reply_of(comparing.result())
        # The answer first: without it, parts that are gone would have to come again.
        answer = (part.check_ref, msgspec.json.encode(reply))
        self._db.execute("insert into check_answers values (?, ?)", answer)
        self._db.execute("delete from check_parts where check_ref = ?", (part.check_ref,))
        return reply
