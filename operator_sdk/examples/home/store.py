"""The home's SQLite file: drivers, holds, settlements and charges. Every change is one transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from operator_sdk.contract.codes import RecordKind, Role
from operator_sdk.contract.messages.checks import ListedRecord
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord
from operator_sdk.contract.messages.roaming import Session, SessionProgress, StartRequest
from operator_sdk.contract.record_check import day_of
from operator_sdk.examples.checks import RecordLists
from operator_sdk.examples.home.book import Account

_SCHEMA = """
create table if not exists drivers (
    driver_id text primary key, app_user text unique not null, card text unique, name text not null,
    balance_fen integer not null check (balance_fen >= 0),
    debt_fen integer not null default 0 check (debt_fen >= 0),
    blocked integer not null default 0) strict;
create table if not exists holds (
    hold_ref text primary key, driver_id text not null references drivers,
    amount_fen integer not null check (amount_fen >= 0),
    state text not null check (state in ('open', 'captured', 'released')),
    authorization_id text unique) strict;
create index if not exists holds_open on holds (driver_id) where state = 'open';
create table if not exists burnt (authorization_id text primary key) strict;
create table if not exists answers (
    record_id text primary key, authorization_id text not null, answer blob not null) strict;
create table if not exists charges (
    start_ref text primary key, driver_id text not null, request blob not null,
    session_id text unique, session blob) strict;
create table if not exists progress (
    session_id text primary key, number integer not null, body blob not null) strict;
"""

_CHARGES = "select c.*, p.body as progress from charges c left join progress p using (session_id)"


class Driver(Message, frozen=True):
    """A customer of this home; `app_user` and `card` are what the hub asks about."""

    driver_id: str
    name: str
    balance_fen: int
    card: str | None = None
    app_user: str | None = None
    blocked: bool = False
    debt_fen: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """Money kept back for one authorization. `hold_ref` is the home's number for it."""

    hold_ref: str
    driver_id: str
    amount_fen: int
    state: str
    authorization_id: str | None


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge begun in the home's app; without a session the hub's answer is not known yet."""

    start_ref: str
    driver_id: str
    request: StartRequest
    session: Session | None
    progress: SessionProgress | None


class Store:
    """Used from one thread."""

    def __init__(self, path: Path | str) -> None:
        # Made by whoever puts the app together, then used by the server's thread alone.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            self._db.execute(f"pragma {pragma}")
        self._db.executescript(_SCHEMA)
        self.lists = RecordLists(self._db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def unit(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("begin immediate")
        with self._db:
            yield

    def add_driver(self, driver: Driver) -> None:
        """A new driver; one that is known stays as it is."""
        self._db.execute(
            "insert or ignore into drivers values (?, ?, ?, ?, ?, 0, ?)",
            (
                driver.driver_id,
                driver.app_user or driver.driver_id,
                driver.card,
                driver.name,
                driver.balance_fen,
                int(driver.blocked),
            ),
        )

    def drivers(self) -> list[Driver]:
        """Every driver."""
        return [_driver(row) for row in self._db.execute("select * from drivers order by 1")]

    def driver(self, driver_id: str) -> Driver | None:
        """A driver by the home's own id."""
        row = self._row("select * from drivers where driver_id = ?", driver_id)
        return _driver(row) if row else None

    def driver_by_token(self, kind: str, ref: str) -> Driver | None:
        """The driver that a card or app user id belongs to."""
        if kind == "card":
            row = self._row("select * from drivers where card = ?", ref)
        elif kind == "app_user":
            row = self._row("select * from drivers where app_user = ? or driver_id = ?", ref, ref)
        else:
            row = None
        return _driver(row) if row else None

    def account(self, driver_id: str) -> Account:
        """A driver's money."""
        row = self._row(
            "select balance_fen, debt_fen, (select coalesce(sum(amount_fen), 0) from holds h"
            " where h.driver_id = d.driver_id and state = 'open') as held_fen"
            " from drivers d where driver_id = ?",
            driver_id,
        )
        assert row is not None
        return Account(row["balance_fen"], row["held_fen"], row["debt_fen"])

    def set_money(self, driver_id: str, account: Account) -> None:
        """Balance and debt after a settlement."""
        self._db.execute(
            "update drivers set balance_fen = ?, debt_fen = ? where driver_id = ?",
            (account.balance_fen, account.debt_fen, driver_id),
        )

    def add_hold(self, hold: Hold) -> None:
        """Keep money back."""
        self._db.execute(
            "insert into holds values (?, ?, ?, ?, ?)",
            (hold.hold_ref, hold.driver_id, hold.amount_fen, hold.state, hold.authorization_id),
        )

    def hold_of(self, authorization_id: str) -> Hold | None:
        """The hold for the hub's authorization."""
        row = self._row("select * from holds where authorization_id = ?", authorization_id)
        return Hold(**row) if row else None

    def hold(self, hold_ref: str) -> Hold | None:
        """The hold by the home's own number."""
        row = self._row("select * from holds where hold_ref = ?", hold_ref)
        return Hold(**row) if row else None

    def open_holds(self, driver_id: str) -> list[Hold]:
        """What is kept back of a driver's balance."""
        rows = self._db.execute(
            "select * from holds where driver_id = ? and state = 'open' order by rowid",
            (driver_id,),
        )
        return [Hold(**row) for row in rows]

    def close_hold(self, hold_ref: str, state: str) -> None:
        """Captured or released, for good."""
        self._db.execute("update holds set state = ? where hold_ref = ? and state = 'open'", (state, hold_ref))

    def name_hold(self, hold_ref: str, authorization_id: str) -> None:
        """The hub's name for a hold, learned later."""
        self._db.execute(
            "update holds set authorization_id = ? where hold_ref = ?",
            (authorization_id, hold_ref),
        )

    def burn(self, authorization_id: str) -> None:
        """An authorization that was released before it was known must never be granted."""
        self._db.execute("insert or ignore into burnt values (?)", (authorization_id,))

    def is_burnt(self, authorization_id: str) -> bool:
        """Whether it was."""
        found = "select 1 from burnt where authorization_id = ?"
        return self._row(found, authorization_id) is not None

    def answer_to(self, record_id: str) -> RecordAnswer | None:
        """What this record was answered the first time."""
        row = self._row("select answer from answers where record_id = ?", record_id)
        return msgspec.json.decode(row["answer"], type=RecordAnswer) if row else None

    def save_answer(self, record_id: str, authorization_id: str, answer: RecordAnswer) -> None:
        """The answer to a record, for ever."""
        self._db.execute(
            "insert into answers values (?, ?, ?)",
            (record_id, authorization_id, msgspec.json.encode(answer)),
        )

    def list_record(self, record: HomeRecord) -> None:
        """A record that the hub told us of, as a line of its day's list."""
        line = ListedRecord(
            record=record.record_id,
            amount_fen=record.owed_fen,
            energy_wh=record.energy_wh,
            credit=record.kind == RecordKind.CREDIT,
        )
        self.lists.put(Role.HOME, day_of(record.ended_at), line)

    def settlement_of(self, authorization_id: str) -> SettlementRecord | None:
        """How a charge was settled."""
        row = self._row("select answer from answers where authorization_id = ?", authorization_id)
        return msgspec.json.decode(row["answer"], type=RecordAnswer).settlement if row else None

    def add_charge(self, start_ref: str, driver_id: str, request: StartRequest) -> None:
        """Intent first: what the hub is about to be asked."""
        self._db.execute(
            "insert into charges (start_ref, driver_id, request) values (?, ?, ?)",
            (start_ref, driver_id, msgspec.json.encode(request)),
        )

    def drop_charge(self, start_ref: str) -> None:
        """A charge that the hub never took up."""
        self._db.execute("delete from charges where start_ref = ?", (start_ref,))

    def save_session(self, start_ref: str, session: Session) -> None:
        """The hub's answer to a start."""
        self._db.execute(
            "update charges set session_id = ?, session = ? where start_ref = ?",
            (session.session_id, msgspec.json.encode(session), start_ref),
        )

    def save_progress(self, progress: SessionProgress) -> None:
        """An update, unless a newer one is stored. It may come before the answer to the start."""
        self._db.execute(
            "insert into progress values (?, ?, ?) on conflict do update"
            " set number = excluded.number, body = excluded.body where excluded.number > number",
            (progress.session_id, progress.number, msgspec.json.encode(progress)),
        )

    def charge(self, session_id: str) -> Charge | None:
        """A charge by its session."""
        row = self._row(f"{_CHARGES} where c.session_id = ?", session_id)
        return _charge(row) if row else None

    def charges_of(self, driver_id: str) -> list[Charge]:
        """A driver's charges, newest first."""
        rows = self._db.execute(f"{_CHARGES} where driver_id = ? order by c.rowid desc limit 20", (driver_id,))
        return [_charge(row) for row in rows]

    def undecided_charges(self) -> list[Charge]:
        """Charges whose start the hub may or may not have taken up."""
        rows = self._db.execute(f"{_CHARGES} where c.session_id is null order by c.rowid")
        return [_charge(row) for row in rows]

    def _row(self, query: str, *arguments: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(query, arguments).fetchone()
        return row


def _driver(row: sqlite3.Row) -> Driver:
    return Driver(**{**row, "blocked": bool(row["blocked"])})


def _charge(row: sqlite3.Row) -> Charge:
    session, progress = row["session"], row["progress"]
    return Charge(
        start_ref=row["start_ref"],
        driver_id=row["driver_id"],
        request=msgspec.json.decode(row["request"], type=StartRequest),
        session=msgspec.json.decode(session, type=Session) if session else None,
        progress=msgspec.json.decode(progress, type=SessionProgress) if progress else None,
    )
