"""How disputes end without the two sides: by silence, and by staff."""

import logging
from datetime import datetime

from hub.core.database import Unit
from hub.core.errors import HubError
from hub.core.runner import each
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB
from hub.parties.tables_staff import same_person
from hub.roaming.acceptance import Acceptance
from hub.roaming.context import RoamingContext
from hub.roaming.credits import Credits
from hub.roaming.locking import lock_dispute
from hub.roaming.model_disputes import OPEN, silence_means
from hub.roaming.reading_disputes import dispute_view
from hub.roaming.tables_disputes import DisputeRow, due_disputes
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import DisputeState
from operator_sdk.contract.messages import disputes as messages
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.roaming.disputes")

DUE_AT_ONCE = 100
IN_SILENCE = {
    DisputeState.CREDITED: "not answered in time",
    DisputeState.ACCEPTED: "contested, and not insisted on in time",
}
"""Why a dispute ended, where nobody said anything."""


class Resolving:
    """Ends disputes."""

    def __init__(self, context: RoamingContext, giving: Credits) -> None:
        self._c, self._credits, self._acceptance = context, giving, Acceptance(context)
        self._audit = AuditLog(context.clock, context.ids)

    async def resolve(
        self, dispute_id: str, message: messages.DisputeResolve, actor: str, *, alone: bool = False
    ) -> messages.Dispute:
        """Staff decide. The outcome that a dispute has, said again, changes nothing.

        Above `second_person_fen` the first call proposes, and another person's with the same outcome decides;
        `alone` is for whoever holds the database.

        Raises:
            NotFoundError: no such dispute.
            HubError: second_person_needed; state_conflict, it ended otherwise.
        """
        outcome = DisputeState(message.outcome)
        async with self._c.database.unit() as unit:
            record, row = await lock_dispute(HUB, unit, dispute_id)
            if row.state == outcome:
                return dispute_view(HUB, row)
            check_time(row, row.state in OPEN)
            final = (
                alone or row.amount_fen <= self._c.second_person_fen or await _agrees(unit, row, outcome, actor)
            )
            if final:
                await self._end(unit, record, row, outcome, why=(message.reason, actor))
            else:
                row.proposed_outcome, row.proposed_by = outcome.value, actor
                row.updated_at = self._c.clock.business()
            self._audit.note(
                unit,
                actor=actor,
                action="resolve_dispute" if final else "propose_dispute",
                subject=dispute_id,
                outcome=outcome.value,
                reason=message.reason,
            )
            return dispute_view(HUB, row)

    async def expire_due(self, now: datetime) -> int:
        """End every dispute in which somebody let the time pass, each in a unit of its own; returns how many.

        Any number of processes may call it at once.
        """
        ended, after = 0, ""
        while True:
            async with self._c.database.reading() as unit:
                due = await due_disputes(unit, now, after=after, limit=DUE_AT_ONCE)
            ended += sum(await each("ending disputes", due, lambda dispute_id: self._expire(dispute_id, now)))
            if len(due) < DUE_AT_ONCE:
                return ended
            after = due[-1]

    async def _expire(self, dispute_id: str, now: datetime) -> bool:
        async with self._c.database.unit() as unit:
            record, row = await lock_dispute(HUB, unit, dispute_id)
            outcome = silence_means(row, now)
            if outcome is None:
                return False
            await self._end(unit, record, row, outcome, why=(IN_SILENCE[outcome], "hub"))
        log.info("a dispute ended in silence", extra={"dispute_id": dispute_id, "outcome": outcome})
        return True

    async def _end(
        self, unit: Unit, record: RecordRow, row: DisputeRow, outcome: DisputeState, *, why: tuple[str, str]
    ) -> None:
        if outcome is DisputeState.CREDITED:
            await self._credits.concede(unit, record, row, why=why)
        else:
            await self._acceptance.uphold(unit, record, row, why=why)


def check_time(row: DisputeRow, may: bool) -> None:  # noqa: FBT001 - it is what is checked
    """Refuse what comes too late or too early.

    Raises:
        HubError: state_conflict.
    """
    if not may:
        raise HubError(Code.STATE_CONFLICT, state=row.state, due_at=row.due_at.isoformat())


async def _agrees(unit: Unit, row: DisputeRow, outcome: DisputeState, actor: str) -> bool:
    """Whether another person proposed the same."""
    if row.proposed_by is None or row.proposed_outcome != outcome:
        return False
    if await same_person(unit, row.proposed_by, actor):
        raise HubError(Code.SECOND_PERSON_NEEDED)
    return True
