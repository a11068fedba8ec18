"""Rule 25: a host whose records are disputed too often in a day is not taken at its word until staff say so."""

from hub.core.database import Unit
from hub.core.errors import NotFoundError
from hub.parties.audit import AuditLog
from hub.parties.tables import PartyRow
from hub.roaming.context import RoamingContext
from hub.roaming.tables_trust import PartnerTrustRow, page_of_trust, trust_for_update
from operator_sdk.contract.messages.records import PartnerTrust, TrustRestore

DISPUTES_MOST = 20
"""A day, where staff have not set another number for a host."""


async def count_dispute(unit: Unit, party_id: str, day: str) -> bool:
    """One more dispute over a host's records on a day (YYYY-MM-DD); whether it is still taken at its word.

    Called in the unit that raises the dispute. A dispute of an earlier day than the last counts for the last.
    """
    row = await trust_for_update(unit, party_id, day, DISPUTES_MOST)
    if day > row.day:
        row.day, row.disputes = day, 0
    row.disputes += 1
    if row.disputes > row.disputes_most and row.stopped_day is None:
        row.stopped_day, row.lifted_by, row.reason = row.day, None, None
    await unit.session.flush()
    return row.stopped_day is None


async def auto_accept(unit: Unit, party_id: str) -> bool:
    """Whether the hub accepts a host's records by its own checks."""
    row = await unit.session.get(PartnerTrustRow, party_id)
    return row is None or row.stopped_day is None


class Trust:
    """What staff see of it and do about it."""

    def __init__(self, context: RoamingContext) -> None:
        self._c, self._audit = context, AuditLog(context.clock, context.ids)

    async def hosts(self, *, after: str | None, limit: int) -> list[PartnerTrust]:
        """Hosts whose records were ever disputed, in order of id."""
        async with self._c.database.reading() as unit:
            return [_message(row) for row in await page_of_trust(unit, after=after, limit=limit)]

    async def restore(self, party_id: str, request: TrustRestore, actor: str) -> PartnerTrust:
        """Accept a host's records by the hub's own checks again; today's disputes count anew.

        What was suspended meanwhile stays so until it is decided, record by record.

        Raises:
            NotFoundError: no such party.
        """
        async with self._c.database.unit() as unit:
            if await unit.session.get(PartyRow, party_id) is None:
                raise NotFoundError
            row = await trust_for_update(unit, party_id, "", DISPUTES_MOST)
            row.disputes, row.stopped_day = 0, None
            row.disputes_most = request.disputes_most or row.disputes_most
            row.lifted_by, row.reason = actor, request.reason
            self._audit.note(
                unit,
                actor=actor,
                action="restore_trust",
                subject=party_id,
                reason=request.reason,
                disputes_most=row.disputes_most,
            )
            return _message(row)


def _message(row: PartnerTrustRow) -> PartnerTrust:
    return PartnerTrust(
        party_id=row.party_id,
        day=row.day,
        disputes=row.disputes,
        disputes_most=row.disputes_most,
        stopped_day=row.stopped_day,
        lifted_by=row.lifted_by,
        reason=row.reason,
    )
