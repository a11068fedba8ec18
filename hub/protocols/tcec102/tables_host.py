"""The hub's records that a host's daily list is about, by the numbers that the host knows them by."""

from collections.abc import Collection

from sqlalchemy import select

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.parties.scope import PartyScope
from hub.protocols.tcec102.translate_checks_in import Kept
from hub.roaming.tables_records import RecordRow

_RECORD = table_of(RecordRow).c


async def host_records(viewer: PartyScope, unit: Unit, days: Collection[str]) -> list[Kept]:
    """What the hub has of a host for these local days, whatever became of it; in order of time."""
    names = Kept._fields
    statement = (
        select(*(_RECORD[name] for name in names))
        .where(
            _RECORD.host_party_id == viewer.party_id,
            viewer.sees(_RECORD.home_party_id, _RECORD.host_party_id),
            _RECORD.service_day.in_(sorted(days)),
        )
        .order_by(_RECORD.record_id)
    )
    return [Kept(**row._mapping) for row in await unit.execute(statement)]
