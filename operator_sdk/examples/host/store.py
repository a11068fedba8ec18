"""What the host must not forget beside its inbox: sessions, stops under way, prices, what sites said."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from operator_sdk.contract.codes import RecordState, Role, SessionState
from operator_sdk.contract.edge_link.frames import FaultItem, HealthItem
from operator_sdk.contract.messages.checks import ListedRecord, RecordListPart, RecordListReply
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import ConnectorStatus
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply, SettlementRecord
from operator_sdk.contract.messages.roaming import HostStartReply, SessionUpdate
from operator_sdk.contract.record_check import day_of
from operator_sdk.examples.checks import RecordLists
from operator_sdk.examples.host.site import SiteTariff

OVER = frozenset({SessionState.ENDED, SessionState.START_FAILED})

_SCHEMA = """
create table if not exists sessions (
    session_id text primary key, site_id text, connector_id text, is_open integer not null,
    body blob not null) strict;
create index if not exists sessions_open on sessions (is_open) where is_open = 1;
create table if not exists stops (
    session_id text primary key, site_id text not null, reason text not null) strict;
create table if not exists statuses (connector_id text primary key, body blob not null) strict;
create table if not exists sites (site_id text primary key, body blob not null) strict;
create table if not exists faults (
    site_id text not null, connector_id text not null, code text not null, at text not null,
    body blob not null, primary key (site_id, connector_id, code)) strict, without rowid;
create table if not exists site_alarms (
    site_id text not null, code text not null, times integer not null, body blob not null,
    primary key (site_id, code)) strict;
create table if not exists authorizations (authorization_id text primary key, site_id text not null) strict;
create table if not exists tariffs (
    tariff_id text not null, version integer not null, body blob not null,
    primary key (tariff_id, version)) strict, without rowid;
create table if not exists blacklist (version integer primary key, body blob not null) strict;
"""
T = TypeVar("T")


class Session(Struct, kw_only=True):
    """A session as the host knows it: who drives it, what the site last said, what came back from the hub.

    `may_be_sent`: a start is under way to the site, or was. `reply` is the decided answer to the hub's start.
    """

    session_id: str
    site_id: str | None = None
    connector_id: str | None = None
    limit_fen: int | None = None
    may_be_sent: bool = False
    reply: HostStartReply | None = None
    last: SessionUpdate | None = None
    bill: ChargeRecord | None = None
    record: RecordReply | None = None
    settlement: SettlementRecord | None = None

    @property
    def over(self) -> SessionState | None:
        """How it ended, once it has."""
        if self.last is not None and self.last.state in OVER:
            return self.last.state
        return SessionState.ENDED if self.bill is not None else None

    @property
    def state(self) -> SessionState:
        """What is known of it now."""
        if self.reply is not None and not self.reply.accepted:
            return SessionState.REFUSED
        return self.over or (self.last.state if self.last else SessionState.STARTING)

    @property
    def is_open(self) -> bool:
        """Whether its site may still be at work on it."""
        return self.over is None and self.state is not SessionState.REFUSED


class SiteSaid(Struct, kw_only=True):
    """What a site last said of itself; times are the host's business time."""

    site_id: str
    agent_version: str = ""
    connectors: tuple[str, ...] = ()
    since: datetime | None = None
    health: HealthItem | None = None


class Alarm(Struct, frozen=True, kw_only=True):
    """Something a person should look at: the last of its kind, and how often it came."""

    site_id: str
    code: str
    detail: str
    at: datetime
    times: int = 1


class Blacklist(Struct, frozen=True, kw_only=True):
    """Tokens that no pile of ours accepts; every change has a higher version."""

    version: int = 0
    tokens: list[Token] = []


class Store:
    """The host's tables in its SQLite file; used from the server's thread."""

    def __init__(self, path: Path | str) -> None:
        # Made by whoever puts the app together, then used by the server's thread alone.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        self._lists = RecordLists(self._db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # Sessions.

    def session(self, session_id: str) -> Session | None:
        """A session by its id."""
        return self._one(Session, "select body from sessions where session_id = ?", session_id)

    def open_sessions(self) -> list[Session]:
        """The sessions that a site may be at work on."""
        return self._all(Session, "select body from sessions where is_open = 1 order by rowid")

    def latest_sessions(self, most: int = 50) -> list[Session]:
        """The newest sessions."""
        return self._all(Session, "select body from sessions order by rowid desc limit ?", most)

    def save_sessions(self, *sessions: Session) -> None:
        """Sessions as they are now, all or none."""
        rows = [
            (one.session_id, one.site_id, one.connector_id, int(one.is_open), _body(one)) for one in sessions
        ]
        with self._db:
            self._db.execute("begin immediate")
            self._db.executemany(
                "insert into sessions values (?, ?, ?, ?, ?) on conflict (session_id) do update set"
                " site_id = excluded.site_id, connector_id = excluded.connector_id,"
                " is_open = excluded.is_open, body = excluded.body",
                rows,
            )
            for one in sessions:
                self._list_bill(one)

    def _list_bill(self, session: Session) -> None:
        bill = session.bill
        if bill is None:
            return
        if session.record is not None and session.record.state == RecordState.REJECTED:
            self._lists.drop(Role.HOST, bill.record_ref)
            return
        line = ListedRecord(record=bill.record_ref, amount_fen=bill.amount_fen, energy_wh=bill.energy_wh)
        self._lists.put(Role.HOST, day_of(bill.ended_at), line)

    def check_records(self, part: RecordListPart) -> RecordListReply:
        """Compare the hub's list of a day with our bills, once all of it is there."""
        with self._db:
            self._db.execute("begin immediate")
            return self._lists.check(part)

    # Stops that have not reached their site.

    def keep_stop(self, session_id: str, site_id: str, reason: str) -> None:
        """The hub wants this session stopped; the first reason stays."""
        self._write("insert or ignore into stops values (?, ?, ?)", session_id, site_id, reason)

    def drop_stop(self, session_id: str) -> None:
        """The site has taken it."""
        self._write("delete from stops where session_id = ?", session_id)

    def stops_of(self, site_id: str) -> list[tuple[str, str]]:
        """Session and reason of each stop that the site has not taken."""
        rows = self._db.execute("select session_id, reason from stops where site_id = ?", (site_id,))
        return rows.fetchall()

    # What sites say.

    def save_status(self, status: ConnectorStatus) -> None:
        """A connector's state; an older one than is known changes nothing."""
        known = self.statuses().get(status.connector_id)
        if known is None or known.at <= status.at:
            self._write("insert or replace into statuses values (?, ?)", status.connector_id, _body(status))

    def statuses(self) -> dict[str, ConnectorStatus]:
        """Every connector's last state."""
        found = self._all(ConnectorStatus, "select body from statuses")
        return {one.connector_id: one for one in found}

    def site(self, site_id: str) -> SiteSaid:
        """What a site last said of itself."""
        found = self._one(SiteSaid, "select body from sites where site_id = ?", site_id)
        return found or SiteSaid(site_id=site_id)

    def save_site(self, said: SiteSaid) -> None:
        """What a site says of itself now."""
        self._write("insert or replace into sites values (?, ?)", said.site_id, _body(said))

    def save_fault(self, site_id: str, fault: FaultItem) -> None:
        """A fault seen, or gone."""
        row = (site_id, fault.connector_id or "", fault.code, fault.at.isoformat(), _body(fault))
        self._write("insert or replace into faults values (?, ?, ?, ?, ?)", *row)

    def faults(self, most: int = 100) -> list[tuple[str, FaultItem]]:
        """Site and last word of each fault, newest first."""
        rows = self._db.execute("select site_id, body from faults order by at desc limit ?", (most,))
        return [(site_id, msgspec.json.decode(body, type=FaultItem)) for site_id, body in rows]

    def add_alarm(self, alarm: Alarm) -> None:
        """Something a person should look at. One of a kind is kept: strangers may cause any number of them."""
        self._write(
            "insert into site_alarms values (?, ?, 1, ?)"
            " on conflict do update set times = times + 1, body = excluded.body",
            *(alarm.site_id, alarm.code, _body(alarm)),
        )

    def alarms(self) -> list[Alarm]:
        """The last alarm of each kind and site, newest first."""
        rows = self._db.execute("select times, body from site_alarms")
        found = [replace(msgspec.json.decode(body, type=Alarm), times=times) for times, body in rows]
        return sorted(found, key=lambda one: one.at, reverse=True)

    # What the hub granted to whom.

    def keep_authorization(self, authorization_id: str, site_id: str) -> None:
        """A site's card was let in."""
        self._write("insert or ignore into authorizations values (?, ?)", authorization_id, site_id)

    def site_of_authorization(self, authorization_id: str) -> str | None:
        """The site whose card it was; None for one that is not known."""
        query = "select site_id from authorizations where authorization_id = ?"
        row = self._db.execute(query, (authorization_id,)).fetchone()
        return row[0] if row else None

    # What sites must know.

    def add_tariff(self, tariff: SiteTariff) -> None:
        """A tariff version; one that is there stays as it is."""
        row = (tariff.tariff_id, tariff.version, _body(tariff))
        self._write("insert or ignore into tariffs values (?, ?, ?)", *row)

    def tariffs(self) -> list[SiteTariff]:
        """Every tariff version."""
        return self._all(SiteTariff, "select body from tariffs order by tariff_id, version")

    def blacklist(self) -> Blacklist:
        """The list in force."""
        return self._one(Blacklist, "select body from blacklist order by version desc limit 1") or Blacklist()

    def replace_blacklist(self, tokens: Sequence[Token]) -> Blacklist:
        """A new list in the place of the one before."""
        made = Blacklist(version=self.blacklist().version + 1, tokens=list(tokens))
        self._write("insert into blacklist values (?, ?)", made.version, _body(made))
        return made

    def _write(self, statement: str, *arguments: str | int | bytes) -> None:
        self._db.execute(statement, arguments)

    def _one(self, kind: type[T], query: str, *arguments: object) -> T | None:
        return next(iter(self._all(kind, query, *arguments)), None)

    def _all(self, kind: type[T], query: str, *arguments: object) -> list[T]:
        rows: Iterable[tuple[bytes]] = self._db.execute(query, arguments)
        return [msgspec.json.decode(body, type=kind) for (body,) in rows]


def _body(value: object) -> bytes:
    return msgspec.json.encode(value)
