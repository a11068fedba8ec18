"""What the rules want to know, read with one statement per kind of question.

Only the hub's own judgement reads this; what a party may see of a record is in `tables_records`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, union_all
from sqlalchemy import select as select_columns

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.directory.tables import ConnectorRow, PileRow, StationRow
from hub.directory.tables_tariffs import ANY, TariffVersionRow, Where, applying
from hub.parties.scope import PartyScope
from hub.roaming.tables import AuthorizationRow, SessionRow, UpdateRow
from hub.roaming.tables_records import RecordRow
from hub.roaming.tables_trust import PartnerTrustRow
from operator_sdk.contract.codes import RecordKind, RecordState
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import Bill
from operator_sdk.contract.public_codes import Code

BELIEVED = (RecordState.ACCEPTED, RecordState.DISPUTED, RecordState.SETTLED)
STANDS = (*BELIEVED, RecordState.RECEIVED, RecordState.SUSPENDED)
TRAVEL = timedelta(hours=12)
"""Charges of a driver further apart than this say nothing about how fast he travelled."""

NEIGHBOURS_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Whose neighbourhood is asked for: a bill's, with who and where it was."""

    bill: Bill
    host_party_id: str
    session_id: str | None = None
    driver_ref: str | None = None
    token_ref: str | None = None


async def place_of(unit: Unit, host_party_id: str, bill: Bill, home_party_id: str | None) -> Row[Any] | None:
    """A bill's connector, tombstones included, with its pile and the place of its station.

    `tariff_id` is what applied there for a home when the charge began. The connector is held until the unit
    ends: two of its bills are judged one after the other.
    """
    plug, pile, station = table_of(ConnectorRow), table_of(PileRow), table_of(StationRow)
    where = Where(plug.c.host_party_id, plug.c.station_id, pile.c.kind, station.c.tariff_id)
    tariff_id = applying(where, home=home_party_id or ANY, at=bill.started_at)
    statement = (
        select_columns(
            plug.c.station_id, plug.c.created_at, plug.c.removed_at, pile.c.kind,
            plug.c.rated_power_w.label("plug_power_w"), pile.c.rated_power_w.label("pile_power_w"),
            pile.c.power_assumed, station.c.latitude_e6, station.c.longitude_e6, tariff_id.label("tariff_id"),
        )
        .select_from(plug.join(pile).join(station))
        .where(plug.c.host_party_id == host_party_id, plug.c.connector_id == bill.connector_id)
        .with_for_update(of=plug, key_share=True)
    )  # fmt: skip
    return (await unit.execute(statement)).one_or_none()


async def hints_of(
    unit: Unit, *, host_party_id: str, tariff: Tariff | None, session: SessionRow | None
) -> Row[Any]:
    """Three instants in one row.

    `stopped_day`: since when the hub accepts none of a host's records by itself. `published_at`: of a tariff
    version. `blocked_at`: when the home first said, after a session was opened, that its token is blocked.
    """
    trust, version, refused = (table_of(row).c for row in (PartnerTrustRow, TariffVersionRow, AuthorizationRow))
    stopped = select_columns(trust.stopped_day).where(trust.party_id == host_party_id)
    public = select_columns(version.published_at).where(
        version.host_party_id == host_party_id,
        version.tariff_id == (tariff.tariff_id if tariff else ""),
        version.version == (tariff.version if tariff else 0),
    )
    blocked = select_columns(func.min(refused.created_at)).where(
        refused.token_ref == (session.token_ref if session else ""),
        refused.refusal == Code.TOKEN_BLOCKED.value,
        refused.created_at > (session.created_at if session else datetime.max.replace(tzinfo=UTC)),
    )
    return (
        await unit.execute(
            select_columns(
                stopped.scalar_subquery().label("stopped_day"),
                public.scalar_subquery().label("published_at"),
                blocked.scalar_subquery().label("blocked_at"),
            )
        )
    ).one()


async def last_update(unit: Unit, session_id: str) -> Row[Any] | None:
    """The live update with the greatest number."""
    row = table_of(UpdateRow).c
    statement = (
        select_columns(row.energy_wh, row.at, row.state)
        .where(row.session_id == session_id)
        .order_by(row.number.desc())
        .limit(1)
    )
    return (await unit.execute(statement)).one_or_none()


async def records_around(unit: Unit, around: Around) -> list[Row[Any]]:
    """Charge records that a bill must agree with, each with why (`about`).

    stands: the session's own that was neither rejected nor credited. before: the connector's last one that had
    ended when this charge began. overlap: another one of the connector during this charge. driver: the same
    driver's at other connectors, with the place of their stations.
    """
    questions = [_before(around), _overlap(around), _driver(around)]
    if around.session_id is not None:
        questions.append(_stands(around.session_id))
    # A LIMIT within a UNION needs a subquery of its own on SQLite.
    parts = [select_columns(part.subquery()) for part in questions]
    return list((await unit.execute(union_all(*parts))).all())


_R, _STATION = table_of(RecordRow), table_of(StationRow)


async def standing_record(viewer: PartyScope, unit: Unit, session_id: str) -> str | None:
    """The bill of a session that was neither rejected nor credited; a session has one at most."""
    statement = (
        select_columns(_R.c.record_id)
        .where(
            _R.c.kind == RecordKind.CHARGE.value,
            _R.c.session_id == session_id,
            _R.c.state.in_(STANDS),
            viewer.sees(RecordRow.home_party_id, RecordRow.host_party_id, RecordRow.driver_ref),
        )
        .limit(1)
    )
    return (await unit.execute(statement)).scalars().first()


def _asked(about: str, *, where: ColumnElement[bool], most: int = 1) -> Select[Any]:
    joined = _R.outerjoin(
        _STATION,
        and_(_STATION.c.host_party_id == _R.c.host_party_id, _STATION.c.station_id == _R.c.station_id),
    )
    return (
        select_columns(
            literal(about).label("about"), _R.c.record_id, _R.c.session_id, _R.c.host_party_id,
            _R.c.connector_id, _R.c.started_at, _R.c.ended_at, _R.c.meter_end_wh,
            _STATION.c.latitude_e6, _STATION.c.longitude_e6,
        )
        .select_from(joined)
        .where(_R.c.kind == RecordKind.CHARGE.value, where)
        .limit(most)
    )  # fmt: skip


def _stands(session_id: str) -> Select[Any]:
    return _asked("stands", where=and_(_R.c.session_id == session_id, _R.c.state.in_(STANDS)))


def _at_connector(around: Around) -> ColumnElement[bool]:
    return and_(
        _R.c.host_party_id == around.host_party_id,
        _R.c.connector_id == around.bill.connector_id,
        _R.c.state.in_(BELIEVED),
    )


def _other(around: Around) -> ColumnElement[bool]:
    """Of another session; records without one are others to every session."""
    return _R.c.session_id.is_distinct_from(around.session_id or "")


def _before(around: Around) -> Select[Any]:
    # What was read from no meter says nothing about where it stood.
    past = and_(_R.c.ended_at <= around.bill.started_at, _R.c.metered.is_(True))
    return _asked("before", where=and_(_at_connector(around), past)).order_by(_R.c.ended_at.desc())


def _overlap(around: Around) -> Select[Any]:
    during = and_(_R.c.ended_at > around.bill.started_at, _R.c.started_at < around.bill.ended_at)
    return _asked("overlap", where=and_(_at_connector(around), _other(around), during))


def _driver(around: Around) -> Select[Any]:
    bill, whose = around.bill, []
    if around.driver_ref is not None:
        whose.append(_R.c.driver_ref == around.driver_ref)
    if around.token_ref is not None:
        whose.append(_R.c.token_ref == around.token_ref)
    near = and_(_R.c.ended_at > bill.started_at - TRAVEL, _R.c.started_at < bill.ended_at + TRAVEL)
    here = and_(_R.c.host_party_id == around.host_party_id, _R.c.connector_id == bill.connector_id)
    condition = and_(or_(*whose) if whose else literal(False), _R.c.state.in_(BELIEVED), near, ~here)
    return _asked("driver", where=and_(condition, _other(around)), most=NEIGHBOURS_MOST)
