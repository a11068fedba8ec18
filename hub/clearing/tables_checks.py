"""Rows of daily checks: lists of charge records part by part, what they differ in, and what is due when."""

import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Index, UniqueConstraint, case, func
from sqlalchemy import select as columns
from sqlmodel import Field, col, select

from hub.clearing.model_checks import CHARGED, Known, Wait, kept_states
from hub.clearing.tables_suspense import SuspenseRow
from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.tables import insert_new, table_of
from hub.core.types import TableRow, big, blob, instant
from hub.parties.scope import PartyScope
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import RecordKind, Role, SuspenseKind
from operator_sdk.contract.messages.checks import LINES_MOST, ListedRecord, RecordDifference

AT_ONCE = 1_000
"""Keys in one query."""


class CheckRow(TableRow, table=True):
    """A check of one party, role and day. `here` is the hub's side; totals are there once it is compared."""

    __tablename__ = "record_check"
    check_id: str = Field(primary_key=True, max_length=40)
    party_id: str = Field(max_length=9)
    role: str = Field(max_length=4)
    day: str = Field(max_length=10)
    source: str = Field(max_length=7)
    check_ref: str = Field(max_length=64)
    state: str = Field(max_length=10)
    parts: int
    parts_done: int = 0
    here_records: int | None = big(nullable=True)
    here_fen: int | None = big(nullable=True)
    here_wh: int | None = big(nullable=True)
    there_records: int | None = big(nullable=True)
    there_fen: int | None = big(nullable=True)
    there_wh: int | None = big(nullable=True)
    differences: int = 0
    at_risk_fen: int = big(default=0)
    reason: str | None = Field(default=None, max_length=200)
    created_by: str = Field(max_length=60)
    created_at: datetime = instant()
    compared_at: datetime | None = instant(nullable=True)
    updated_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("party_id", "source", "check_ref"),
        Index("record_check_party", "party_id", "updated_at", "check_id"),
        Index("record_check_updated", "updated_at", "check_id"),
    )


class CheckPart(TableRow, table=True):
    """A part of the list that was sent, as compressed JSON lines. Append-only."""

    __tablename__ = "record_check_part"
    check_id: str = Field(primary_key=True, max_length=40, foreign_key="record_check.check_id")
    part: int = Field(primary_key=True)
    lines: bytes = blob()


class CheckDifference(TableRow, table=True):
    """A difference that a check found. Append-only."""

    __tablename__ = "record_check_difference"
    check_id: str = Field(primary_key=True, max_length=40, foreign_key="record_check.check_id")
    number: int = Field(primary_key=True)
    record: str = Field(max_length=64)
    kind: str = Field(max_length=40)
    here_fen: int | None = big(nullable=True)
    there_fen: int | None = big(nullable=True)
    here_wh: int | None = big(nullable=True)
    there_wh: int | None = big(nullable=True)
    at_risk_fen: int = big()
    record_id: str | None = Field(default=None, max_length=40)
    reason: str | None = Field(default=None, max_length=200)


class CheckDay(TableRow, table=True):
    """What all checks of one party, role and day queue at, and how many were compared."""

    __tablename__ = "record_check_day"
    party_id: str = Field(primary_key=True, max_length=9)
    role: str = Field(primary_key=True, max_length=4)
    day: str = Field(primary_key=True, max_length=10)
    compared: int = 0


class CheckWait(TableRow, table=True):
    """A record that a check of its day put into suspense, and whether the last check found it there still."""

    __tablename__ = "record_check_wait"
    subject: str = Field(primary_key=True, max_length=40)
    party_id: str = Field(max_length=9)
    role: str = Field(max_length=4)
    day: str = Field(max_length=10)
    record: str = Field(max_length=64)
    turn: int
    said: str = Field(max_length=200)
    is_open: bool

    __table_args__ = (Index("record_check_wait_day", "party_id", "role", "day"),)


class CheckDue(TableRow, table=True):
    """When the hub sends its list to a party next, and of which day."""

    __tablename__ = "record_check_due"
    party_id: str = Field(primary_key=True, max_length=9)
    role: str = Field(primary_key=True, max_length=4)
    day: str = Field(max_length=10)
    due_at: datetime = instant(index=True)


_RECORD = table_of(RecordRow)
_DIFFERENCE, _PART, _WAIT = table_of(CheckDifference), table_of(CheckPart), table_of(CheckWait)
_SAID = tuple(RecordDifference.__struct_fields__)


# Checks.


async def get_check(viewer: PartyScope, unit: Unit, check_id: str, *, lock: bool = False) -> CheckRow | None:
    """A check within the viewer's scope."""
    party = CheckRow.party_id
    statement = select(CheckRow).where(CheckRow.check_id == check_id, viewer.sees(party, party))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def list_checks(
    viewer: PartyScope,
    unit: Unit,
    *,
    day: str | None,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool,
) -> list[CheckRow]:
    """Checks behind a keyset position, of one day or of all."""
    party = CheckRow.party_id
    statement = select(CheckRow).where(viewer.sees(party, party))
    if day is not None:
        statement = statement.where(CheckRow.day == day)
    return await page_of(
        unit,
        statement,
        CheckRow,
        "check_id",
        after=after,
        updated_since=updated_since,
        limit=limit,
        newest=newest,
    )


async def lock_named(unit: Unit, *, party_id: str, source: str, check_ref: str) -> CheckRow | None:
    """The check that its sender calls so, locked."""
    statement = (
        select(CheckRow)
        .where(CheckRow.party_id == party_id, CheckRow.source == source, CheckRow.check_ref == check_ref)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).first()


async def lock_day(unit: Unit, check: CheckRow) -> CheckDay:
    """Queue behind every other check of this party, role and day."""
    key = {"party_id": check.party_id, "role": check.role, "day": check.day}
    await insert_new(unit, CheckDay, **key, compared=0)
    row = await unit.session.get(CheckDay, tuple(key.values()), with_for_update=True, populate_existing=True)
    assert row is not None
    return row


# Parts.


async def add_part(unit: Unit, check_id: str, part: int, lines: Sequence[ListedRecord]) -> None:
    """Keep a part."""
    packed = zlib.compress(msgspec.json.encode(lines))
    await unit.execute(_PART.insert().values(check_id=check_id, part=part, lines=packed))


async def part_lines(unit: Unit, check_id: str, part: int) -> list[ListedRecord]:
    """The lines of a part."""
    statement = columns(_PART.c.lines).where(_PART.c.check_id == check_id, _PART.c.part == part)
    packed = (await unit.execute(statement)).scalar_one()
    return msgspec.json.decode(zlib.decompress(packed), type=list[ListedRecord])


# The hub's own side.


async def day_rows(unit: Unit, *, party_id: str, role: str, day: str) -> AsyncIterator[list[Any]]:
    """The hub's records of a day, by blocks, in order of record_id.

    States are looked at here: no planner shall prefer the index on them to that on the day.
    """
    record, states = _RECORD.c, kept_states(role)
    as_host = role == Role.HOST
    owner = record.host_party_id if as_host else record.home_party_id
    name, amount = (record.record_ref, record.amount_fen) if as_host else (record.record_id, record.owed_fen)
    statement = (
        columns(
            *(record.record_id, record.session_id, record.state, record.kind, record.energy_wh),
            name.label("name"),
            amount.label("fen"),
        )
        .where(owner == party_id, record.service_day == day)
        .order_by(record.record_id)
        .limit(LINES_MOST)
    )
    after = ""
    while rows := (await unit.execute(statement.where(record.record_id > after))).all():
        after = rows[-1].record_id
        if kept := [row for row in rows if row.state in states]:
            yield kept


def lines_of(rows: Iterable[Any]) -> list[ListedRecord]:
    """Rows of a day as lines of the hub's list."""
    return [
        ListedRecord(
            record=row.name, amount_fen=row.fen, energy_wh=row.energy_wh, credit=row.kind == RecordKind.CREDIT
        )
        for row in rows
    ]


async def doubled_among(unit: Unit, rows: Iterable[Any]) -> set[str]:
    """The names of those that are charged for, as an earlier record of the same session is, of whichever day.

    By keys: a join of the table with itself takes hours where a planner knows it badly.
    """
    record, found = _RECORD.c, set()
    charged: dict[str, list[Any]] = {}
    for row in rows:
        if row.session_id is not None and _is_charged(row):
            charged.setdefault(row.session_id, []).append(row)
    several = columns(record.session_id).group_by(record.session_id).having(func.count() > 1)
    details = columns(record.session_id, record.record_id, record.kind, record.state)
    for some in _by(sorted(charged), AT_ONCE):
        sessions = list((await unit.execute(several.where(record.session_id.in_(some)))).scalars())
        for one in await unit.execute(details.where(record.session_id.in_(sessions))) if sessions else ():
            if _is_charged(one):
                found |= {row.name for row in charged[one.session_id] if row.record_id > one.record_id}
    return found


def _is_charged(row: Any) -> bool:
    return row.kind == RecordKind.CHARGE and row.state in CHARGED


async def known_records(unit: Unit, *, party_id: str, role: str, names: Iterable[str]) -> dict[str, Known]:
    """What the hub has by these names, of any day and state; a rejected one only where there is no other."""
    as_host = role == Role.HOST
    record = _RECORD.c
    owner, name = (
        (record.host_party_id, record.record_ref) if as_host else (record.home_party_id, record.record_id)
    )
    rejected_first = case((record.state == "rejected", 0), else_=1)
    found = {}
    for some in _by(names, AT_ONCE):
        statement = (
            columns(name.label("name"), *(record[one] for one in Known.__dataclass_fields__ if one != "record"))
            .where(owner == party_id, name.in_(some))
            .order_by(rejected_first, record.record_id)
        )
        for row in await unit.execute(statement):
            facts = {one: getattr(row, one) for one in Known.__dataclass_fields__ if one != "record"}
            found[row.name] = Known(record=row.name, **facts)
    return found


def _by(names: Iterable[str], most: int) -> Iterable[list[str]]:
    left = iter(names)
    while some := list(islice(left, most)):
        yield some


# Differences.


async def write_differences(unit: Unit, check_id: str, differences: Sequence[RecordDifference]) -> None:
    """Keep what a check found, numbered from 1."""
    rows = [
        {"check_id": check_id, "number": number, **{name: getattr(one, name) for name in _SAID}}
        for number, one in enumerate(differences, 1)
    ]
    if rows:
        await (await unit.session.connection()).execute(_DIFFERENCE.insert(), rows)


async def list_differences(
    viewer: PartyScope, unit: Unit, check_id: str, *, after: int = 0, limit: int
) -> list[tuple[int, RecordDifference]]:
    """A check's differences behind a number, each with its own."""
    check = table_of(CheckRow).c
    statement = (
        columns(_DIFFERENCE)
        .join(table_of(CheckRow), check.check_id == _DIFFERENCE.c.check_id)
        .where(
            _DIFFERENCE.c.check_id == check_id,
            _DIFFERENCE.c.number > after,
            viewer.sees(check.party_id, check.party_id),
        )
        .order_by(_DIFFERENCE.c.number)
        .limit(limit)
    )
    rows = (await unit.execute(statement)).all()
    return [(row.number, RecordDifference(**{name: getattr(row, name) for name in _SAID})) for row in rows]


# What waits in suspense.


async def waits_of(unit: Unit, check: CheckRow) -> dict[str, Wait]:
    """What checks of this party, role and day have put into suspense, by record."""
    statement = columns(_WAIT).where(
        _WAIT.c.party_id == check.party_id, _WAIT.c.role == check.role, _WAIT.c.day == check.day
    )
    return {
        row.record: Wait(record=row.record, turn=row.turn, said=row.said, is_open=row.is_open)
        for row in await unit.execute(statement)
    }


async def lock_items(unit: Unit, subjects: Collection[str]) -> dict[str, str]:
    """Lock items of checks, in one order, before anything is posted; each one's host by its subject."""
    found: dict[str, str] = {}
    for some in _by(sorted(subjects), AT_ONCE):
        statement = (
            select(SuspenseRow)
            .where(SuspenseRow.kind == SuspenseKind.CHECK.value, col(SuspenseRow.subject_id).in_(some))
            .order_by(SuspenseRow.item_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        rows = (await unit.session.exec(statement)).all()
        found |= {row.subject_id: row.host_party_id for row in rows}
    return found


# What is due.


async def next_due(unit: Unit, now: datetime) -> CheckDue | None:
    """The party and role whose time came first."""
    statement = (
        select(CheckDue)
        .where(col(CheckDue.due_at) <= now)
        .order_by(col(CheckDue.due_at), col(CheckDue.party_id), col(CheckDue.role))
        .limit(1)
    )
    return (await unit.session.exec(statement)).first()


async def known_dues(unit: Unit) -> set[tuple[str, str]]:
    """Every (party, role) that has a time."""
    due = table_of(CheckDue).c
    return {(row.party_id, row.role) for row in await unit.execute(columns(due.party_id, due.role))}


async def open_days(unit: Unit, due: CheckDue, *, since: str) -> list[str]:
    """Days before that which is due on which something still waits, in order."""
    statement = (
        columns(_WAIT.c.day)
        .where(
            _WAIT.c.party_id == due.party_id,
            _WAIT.c.role == due.role,
            _WAIT.c.day >= since,
            _WAIT.c.day < due.day,
            _WAIT.c.is_open,
        )
        .distinct()
        .order_by(_WAIT.c.day)
    )
    return list((await unit.execute(statement)).scalars())
