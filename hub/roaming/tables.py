"""Rows of authorizations, sessions, legs, live updates and scans. Every query takes its viewer first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, or_
from sqlalchemy import select as select_columns
from sqlalchemy import text as sql_text
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.keyset import page_of
from hub.core.tables import table_of
from hub.core.types import TableRow, big, instant
from hub.parties.model import Protocol
from hub.parties.scope import PartyScope
from operator_sdk.contract.codes import TargetKind
from operator_sdk.contract.messages.common import Target

SPOKEN = tuple(protocol.value for protocol in Protocol)
"""What `leg.protocol` may hold."""

RUNNING = sql_text("state IN ('charging', 'paused', 'stopping')")
"""Of a charge of which its host is to be heard. Text in index and queries alike, so that they find it."""


class AuthorizationRow(TableRow, table=True):
    """May this token charge here. `hold_fen` is what was asked for, `limit_fen` what the home granted."""

    __tablename__ = "authorization"
    authorization_id: str = Field(primary_key=True, max_length=40)
    session_id: str = Field(max_length=40, index=True)
    authorization_ref: str | None = Field(default=None, max_length=64)
    home_party_id: str | None = Field(default=None, max_length=9)
    host_party_id: str = Field(max_length=9)
    token_ref: str | None = Field(default=None, max_length=64)
    state: str = Field(max_length=12)
    refusal: str | None = Field(default=None, max_length=40)
    hold_fen: int = big(default=0)
    limit_fen: int | None = big(nullable=True)
    reserved_fen: int = big(default=0)
    home_ref: str | None = Field(default=None, max_length=64)
    created_at: datetime = instant()
    updated_at: datetime = instant()

    __table_args__ = (
        Index(
            "authorization_blocked",
            "token_ref",
            postgresql_where=sql_text("refusal = 'token_blocked'"),
            sqlite_where=sql_text("refusal = 'token_blocked'"),
        ),
    )


class SessionRow(TableRow, table=True):
    """One charge while it runs, with its live state. Energy Wh, power W, money fen.

    `stop_at_fen`, `stop_at_wh`: where the hub stops it, because its host cannot be told limit and target.
    `asked_number`: the update after which its host was silent, and so was asked.
    """

    __tablename__ = "session"
    session_id: str = Field(primary_key=True, max_length=40)
    authorization_id: str = Field(max_length=40)
    home_party_id: str = Field(max_length=9)
    host_party_id: str = Field(max_length=9)
    connector_id: str = Field(max_length=26)
    start_mode: str = Field(max_length=4)
    state: str = Field(max_length=12)
    token_ref: str = Field(max_length=64)
    driver_ref: str | None = Field(default=None, max_length=64)
    home_ref: str | None = Field(default=None, max_length=64)
    host_ref: str | None = Field(default=None, max_length=64)
    home_follows: bool = False
    target_kind: str = Field(max_length=8)
    target_value: int = big(default=0)
    tariff_id: str = Field(max_length=64)
    tariff_version: int = 0
    limit_fen: int | None = big(nullable=True)
    estimate_fen: int | None = big(nullable=True)
    goal_fen: int | None = big(nullable=True)
    able_w: int = 0
    shortfall_ws: int = big(default=0)
    energy_wh: int = big(default=0)
    amount_fen: int = big(default=0)
    power_w: int = 0
    percent: int | None = None
    seconds_left: int | None = None
    last_number: int = 0
    last_at: datetime | None = instant(nullable=True)
    started_at: datetime | None = instant(nullable=True)
    ended_at: datetime | None = instant(nullable=True)
    stop_reason: str | None = Field(default=None, max_length=40)
    refusal: str | None = Field(default=None, max_length=40)
    suspense: str | None = Field(default=None, max_length=40)
    stop_at_fen: int | None = big(nullable=True)
    stop_at_wh: int | None = big(nullable=True)
    asked_number: int | None = None
    created_at: datetime = instant()
    updated_at: datetime = instant()

    __table_args__ = (
        Index("session_home", "home_party_id", "updated_at", "session_id"),
        Index("session_host", "host_party_id", "updated_at", "session_id"),
        Index("session_driver", "driver_ref", "updated_at"),
        Index("session_running", "host_party_id", "updated_at", postgresql_where=RUNNING, sqlite_where=RUNNING),
    )

    @property
    def target(self) -> Target:
        """Where it is meant to end."""
        return Target(kind=TargetKind(self.target_kind), value=self.target_value)


class LegRow(TableRow, table=True):
    """A session as one party knows it, with that party's number."""

    __tablename__ = "leg"
    session_id: str = Field(primary_key=True, max_length=40)
    side: str = Field(primary_key=True, max_length=4)
    party_id: str = Field(max_length=9)
    protocol: str = Field(max_length=12)
    external_ref: str = Field(max_length=64)
    direction: str = Field(max_length=3)

    __table_args__ = (UniqueConstraint("party_id", "side", "protocol", "external_ref"),)


class UpdateRow(TableRow, table=True):
    """One live update as the host numbered it, stored before it was acknowledged."""

    __tablename__ = "session_update"
    session_id: str = Field(primary_key=True, max_length=40)
    number: int = Field(primary_key=True)
    at: datetime = instant()
    received_at: datetime = instant()
    state: str = Field(max_length=12)
    meter_wh: int = big()
    energy_wh: int = big()
    amount_fen: int = big()
    power_w: int = 0
    soc_percent: int | None = None
    stop_reason: str | None = Field(default=None, max_length=40)
    percent: int | None = None
    seconds_left: int | None = None


class ScanRow(TableRow, table=True):
    """What a driver scanned: bound to driver, connector, tariff version and hold; used once."""

    __tablename__ = "scan"
    scan_id: str = Field(primary_key=True, max_length=40)
    home_party_id: str = Field(max_length=9)
    driver_ref: str = Field(max_length=64)
    host_party_id: str = Field(max_length=9)
    connector_id: str = Field(max_length=26)
    tariff_id: str = Field(max_length=64)
    tariff_version: int
    hold_fen: int = big()
    expires_at: datetime = instant()
    used_at: datetime | None = instant(nullable=True)
    qr_tail: str | None = Field(default=None, max_length=500)
    """What the code has after its slash; a code is no longer than that."""


async def get_session(
    viewer: PartyScope, unit: Unit, session_id: str, *, lock: bool = False
) -> SessionRow | None:
    """A session within the viewer's scope."""
    statement = select(SessionRow).where(
        SessionRow.session_id == session_id,
        viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref),
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def silent_hosts(viewer: PartyScope, unit: Unit, before: datetime) -> list[str]:
    """Hosts with a charge under way of which nothing was heard since, and nobody asked."""
    statement = select(SessionRow.host_party_id).where(*_unheard(viewer, before)).distinct()
    return sorted((await unit.session.exec(statement)).all())


async def claim_silent(viewer: PartyScope, unit: Unit, before: datetime, most: int) -> list[SessionRow]:
    """Charges under way, of a host that is the viewer, of which nothing was heard since, and nobody asked.

    The longest silent first. They are locked, those that somebody else has locked left out.
    """
    statement = (
        select(SessionRow)
        .where(SessionRow.host_party_id == viewer.party_id, *_unheard(viewer, before))
        .order_by(col(SessionRow.updated_at))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return list((await unit.session.exec(statement)).all())


def _unheard(viewer: PartyScope, before: datetime) -> tuple[Any, ...]:
    asked = col(SessionRow.asked_number)
    return (
        RUNNING,
        col(SessionRow.updated_at) < before,
        or_(asked.is_(None), asked < col(SessionRow.last_number)),
        viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref),
    )


async def session_of_leg(
    viewer: PartyScope, unit: Unit, side: str, ref: str, *, lock: bool = False
) -> SessionRow | None:
    """The session that the viewer, as its `side` ("home" or "host"), knows by this number.

    A number serves one session of a party and side; a party speaks one protocol at a time.
    """
    leg = (
        select(LegRow.session_id)
        .where(
            LegRow.party_id == viewer.party_id,
            LegRow.side == side,
            # Named, so that the index over all four is searched and not walked.
            col(LegRow.protocol).in_(SPOKEN),
            LegRow.external_ref == ref,
        )
        .limit(1)
        .scalar_subquery()
    )
    statement = select(SessionRow).where(
        col(SessionRow.session_id) == leg,
        viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref),
    )
    if lock:
        statement = statement.with_for_update(of=SessionRow).execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def list_known_as(viewer: PartyScope, unit: Unit, number: str) -> list[tuple[SessionRow, LegRow | None]]:
    """Sessions, with their legs, that somebody knows by a number: a party by its own, the hub by its id."""
    known = select(LegRow.session_id).where(LegRow.external_ref == number)
    statement = (
        select(SessionRow, LegRow)
        .outerjoin(LegRow, col(LegRow.session_id) == col(SessionRow.session_id))
        .where(
            or_(col(SessionRow.session_id) == number, col(SessionRow.session_id).in_(known)),
            viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref),
        )
        .order_by(col(SessionRow.session_id), col(LegRow.side))
        .limit(50)
    )
    return list((await unit.session.exec(statement)).all())


async def get_authorization(
    viewer: PartyScope, unit: Unit, authorization_id: str, *, lock: bool = False
) -> AuthorizationRow | None:
    """An authorization within the viewer's scope."""
    statement = select(AuthorizationRow).where(
        AuthorizationRow.authorization_id == authorization_id,
        viewer.sees(AuthorizationRow.home_party_id, AuthorizationRow.host_party_id),
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()


async def find_authorization_of(viewer: PartyScope, unit: Unit, session_id: str) -> AuthorizationRow:
    """The authorization that a session was opened with; every session id has one."""
    statement = select(AuthorizationRow).where(
        AuthorizationRow.session_id == session_id,
        viewer.sees(AuthorizationRow.home_party_id, AuthorizationRow.host_party_id),
    )
    return (await unit.session.exec(statement)).one()


async def list_sessions(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: tuple[datetime, str] | None,
    updated_since: datetime | None,
    limit: int,
    newest: bool = False,
) -> list[SessionRow]:
    """Sessions behind a keyset position: oldest change first, or newest first."""
    statement = select(SessionRow).where(
        viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref)
    )
    return await page_of(
        unit,
        statement,
        SessionRow,
        "session_id",
        after=after,
        updated_since=updated_since,
        limit=limit,
        newest=newest,
    )


async def stored_numbers(unit: Unit, session_id: str, numbers: Sequence[int]) -> set[int]:
    """Which of these updates of a session are stored."""
    row = table_of(UpdateRow).c
    statement = select_columns(row.number).where(row.session_id == session_id, row.number.in_(numbers))
    return set((await unit.execute(statement)).scalars())


async def add_updates(unit: Unit, rows: Sequence[dict[str, Any]]) -> None:
    """Store updates that are not stored; their session is locked."""
    await (await unit.session.connection()).execute(table_of(UpdateRow).insert(), rows)


async def list_updates(
    viewer: PartyScope, unit: Unit, session_id: str, *, above: int, limit: int = 200
) -> list[UpdateRow]:
    """A session's updates above a number, in order, if the viewer sees the session."""
    statement = (
        select(UpdateRow)
        .join(SessionRow, col(SessionRow.session_id) == col(UpdateRow.session_id))
        .where(
            UpdateRow.session_id == session_id,
            col(UpdateRow.number) > above,
            viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref),
        )
        .order_by(col(UpdateRow.number))
        .limit(limit)
    )
    return list((await unit.session.exec(statement)).all())


async def get_scan(viewer: PartyScope, unit: Unit, scan_id: str, *, lock: bool = False) -> ScanRow | None:
    """A driver's own scan."""
    statement = select(ScanRow).where(
        ScanRow.scan_id == scan_id, viewer.sees(ScanRow.home_party_id, None, ScanRow.driver_ref)
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).first()
