"""The rows behind telling homes what connectors do: states before a change, and letters in one statement each.

A host reports hundreds of connectors at once and may have dozens of homes: letter by letter, the unit that
stores the states would take seconds.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from hub.core.database import Unit
from hub.core.tables import OutboxLane, OutboxLetter, insert_for, table_of
from hub.directory.tables import ConnectorStatusRow, among

STATUS, LANE = table_of(ConnectorStatusRow).c, table_of(OutboxLane).c


async def hold_states(unit: Unit, host: str, connector_ids: Collection[str]) -> dict[str, str]:
    """The states of a host's connectors; whoever else would write them waits until the unit ends."""
    statement = (
        select(STATUS.connector_id, STATUS.state)
        .where(among(unit, (STATUS.host_party_id, STATUS.connector_id), [(host, one) for one in connector_ids]))
        .order_by(STATUS.connector_id)  # the order of locks of those who write
        .with_for_update(key_share=True)
    )
    return {row.connector_id: row.state for row in await unit.execute(statement)}


async def add_letters(unit: Unit, letters: list[dict[str, Any]], now: datetime) -> None:
    """Write letters that are due now, and wake their lanes."""
    connection = await unit.session.connection()
    given = {"due_at": now, "created_at": now, "attempts": 0}
    await connection.execute(insert_for(unit, OutboxLetter), [letter | given for letter in letters])
    insert = insert_for(unit, OutboxLane)
    due = insert.excluded.due_at
    wake = insert.on_conflict_do_update(
        index_elements=["lane"], set_={"due_at": due}, where=or_(LANE.due_at.is_(None), LANE.due_at > due)
    )
    lanes = sorted({letter["lane"] for letter in letters})
    await connection.execute(wake, [{"lane": lane, "due_at": now} for lane in lanes])
