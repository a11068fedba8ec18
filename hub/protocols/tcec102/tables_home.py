"""Rows and queries that only T/CEC 102 homes need: what a home was told, and what its own drivers charged."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlmodel import Field, select

from hub.clearing.model_checks import CHARGED
from hub.core.database import Unit
from hub.core.tables import insert_new, table_of
from hub.core.types import TableRow, instant
from hub.parties.scope import PartyScope
from hub.roaming.tables import SessionRow
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import RecordKind

AT_ONCE = 1_000
"""Keys in one statement."""


class StartToldRow(TableRow, table=True):
    """A session whose home has acknowledged that the charge began."""

    __tablename__ = "tcec102_start_told"
    session_id: str = Field(primary_key=True, max_length=40)
    told_at: datetime = instant()


_TOLD = table_of(StartToldRow).c
_RECORD, _SESSION = table_of(RecordRow), table_of(SessionRow)


async def session_told(viewer: PartyScope, unit: Unit, session_id: str) -> tuple[SessionRow, bool] | None:
    """A session within the viewer's scope, and whether its home knows that the charge began."""
    statement = (
        select(SessionRow, _TOLD.session_id)
        .outerjoin(table_of(StartToldRow), _TOLD.session_id == _SESSION.c.session_id)
        .where(
            _SESSION.c.session_id == session_id,
            viewer.sees(_SESSION.c.home_party_id, _SESSION.c.host_party_id),
        )
    )
    row = (await unit.session.exec(statement)).first()
    return None if row is None else (row[0], row[1] is not None)


async def note_start_told(unit: Unit, session_id: str, now: datetime) -> None:
    """The home knows."""
    await insert_new(unit, StartToldRow, session_id=session_id, told_at=now)


async def start_refs(viewer: PartyScope, unit: Unit, record_ids: Iterable[str]) -> Mapping[str, str]:
    """The home's own numbers of the charges that these records bill, where it has one."""
    record, session = _RECORD.c, _SESSION.c
    left, found = iter(record_ids), dict[str, str]()
    while some := list(islice(left, AT_ONCE)):
        statement = (
            columns(record.record_id, session.home_ref)
            .join(_SESSION, session.session_id == record.session_id)
            .where(
                record.record_id.in_(some),
                session.home_ref.is_not(None),
                viewer.sees(record.home_party_id, record.host_party_id),
            )
        )
        found |= {row.record_id: row.home_ref for row in await unit.execute(statement)}
    return found


async def energy_by_connector(
    viewer: PartyScope, unit: Unit, *, host_party_id: str, station_id: str, days: tuple[str, str]
) -> Mapping[str, int]:
    """Wh that the viewer's drivers charged at a station, by connector: accepted records of these days, both
    included."""
    record = _RECORD.c
    statement = (
        columns(record.connector_id, func.sum(record.energy_wh).label("energy_wh"))
        .where(
            record.host_party_id == host_party_id,
            record.station_id == station_id,
            record.service_day.between(*days),
            record.kind == RecordKind.CHARGE.value,
            record.state.in_([state.value for state in CHARGED]),
            viewer.sees(record.home_party_id, None),
        )
        .group_by(record.connector_id)
    )
    return {row.connector_id: int(row.energy_wh) for row in await unit.execute(statement)}
