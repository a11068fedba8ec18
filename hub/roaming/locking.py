"""Locks rows in the one order there is: session, record, dispute."""

from hub.core.database import Unit
from hub.core.errors import NotFoundError
from hub.parties.scope import HUB, PartyScope
from hub.roaming.tables import get_session
from hub.roaming.tables_disputes import DisputeRow, get_dispute
from hub.roaming.tables_records import RecordRow, get_record


async def lock_record(viewer: PartyScope, unit: Unit, record_id: str) -> RecordRow:
    """A record within the viewer's scope, locked behind its session.

    Raises:
        NotFoundError: unknown, or somebody else's.
    """
    seen = await get_record(viewer, unit, record_id)
    if seen is None:
        raise NotFoundError
    if seen.session_id is not None:
        await get_session(HUB, unit, seen.session_id, lock=True)
    record = await get_record(viewer, unit, record_id, lock=True)
    assert record is not None, "records are kept"
    return record


async def lock_dispute(viewer: PartyScope, unit: Unit, dispute_id: str) -> tuple[RecordRow, DisputeRow]:
    """A dispute within the viewer's scope, locked behind its record.

    Raises:
        NotFoundError: unknown, or somebody else's.
    """
    seen = await get_dispute(viewer, unit, dispute_id)
    if seen is None:
        raise NotFoundError
    record = await lock_record(viewer, unit, seen.record_id)
    row = await get_dispute(viewer, unit, dispute_id, lock=True)
    assert row is not None, "disputes are kept"
    return record, row
