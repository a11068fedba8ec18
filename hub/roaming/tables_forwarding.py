"""What is read to forward an update: the update, whose it is, and how its session stands now."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, or_, tuple_
from sqlmodel import col, select

from hub.core.database import Unit
from hub.parties.scope import PartyScope
from hub.roaming.tables import SessionRow, UpdateRow


class Forward(NamedTuple):
    """An update for a home, and the state of its session."""

    update: UpdateRow
    home_party_id: str
    state: str


async def list_forwards(
    viewer: PartyScope, unit: Unit, keys: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Forward]:
    """Updates by (session, number): those that the viewer sees."""
    statement = (
        select(UpdateRow, SessionRow.home_party_id, SessionRow.state)
        .join(SessionRow, col(SessionRow.session_id) == col(UpdateRow.session_id))
        .where(
            _is_one_of(unit, keys),
            viewer.sees(SessionRow.home_party_id, SessionRow.host_party_id, SessionRow.driver_ref),
        )
    )
    rows = (await unit.session.exec(statement)).all()
    return {(update.session_id, update.number): Forward(update, home, state) for update, home, state in rows}


def _is_one_of(unit: Unit, keys: Collection[tuple[str, int]]) -> ColumnElement[bool]:
    """SQLite finds no index for pairs as they are; PostgreSQL does, and they are put together quicker."""
    of, number = col(UpdateRow.session_id), col(UpdateRow.number)
    if unit.dialect == "postgresql":
        return tuple_(of, number).in_(keys)
    return or_(*(and_(of == key[0], number == key[1]) for key in keys))
