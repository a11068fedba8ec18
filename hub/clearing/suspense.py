"""Suspense: money that waits for an explanation, itemised; implements `roaming.MoneyWaits`.

In the clearing book an open item stands as a debit of suspense:{item} against a credit of claimed:{host}:
what a host claims and nobody owes yet. So the balances of suspense sum to the open items, always. An item about
which nothing is at risk in money books nothing.
"""

import json
from datetime import datetime, timedelta

from hub.clearing.tables_suspense import SuspenseRow, ages, booked_fen, find_item, get_item, list_items
from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.ledger.model import CLEARING, Entry
from hub.ledger.service import Ledger
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, PartyScope
from hub.parties.tables_staff import same_person
from hub.roaming.context import SECOND_PERSON_FEN
from hub.roaming.ports import WaitingMoney
from operator_sdk.contract.codes import SuspenseKind, SuspenseOutcome
from operator_sdk.contract.ids import SUSPENSE
from operator_sdk.contract.messages import suspense as messages
from operator_sdk.contract.public_codes import Code

DUE_AFTER = timedelta(days=3)
AGES = (1, 3, 7, 30)
OPENED = "suspense_opened"
DECIDED_ELSEWHERE = frozenset({SuspenseKind.RECORD, SuspenseKind.DISPUTE, SuspenseKind.SESSION})
"""Closed by deciding the record, resolving the dispute and releasing the session, never by themselves."""


class Suspense:
    """Opens, closes and lists items."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        ledger: Ledger,
        audit: AuditLog,
        second_person_fen: int = SECOND_PERSON_FEN,
    ) -> None:
        """Above `second_person_fen` one proposes how an item ends, another agrees (OWASP ASVS 5.0, 2.3.5)."""
        self._database, self._clock, self._ids, self._ledger, self._audit = database, clock, ids, ledger, audit
        self._second_person_fen = second_person_fen

    # Inside the unit that knows why.

    async def open_suspense(self, unit: Unit, item: WaitingMoney) -> str:
        """Open an item once per (kind, subject_id); its id."""
        await unit.session.flush()
        known = await find_item(HUB, unit, item.kind.value, item.subject_id)
        if known is not None:
            return known.item_id
        now = self._clock.business()
        row = SuspenseRow(
            item_id=self._ids.new(SUSPENSE),
            kind=item.kind.value,
            subject_id=item.subject_id,
            home_party_id=item.home_party_id,
            host_party_id=item.host_party_id,
            amount_fen=item.amount_fen,
            currency=item.currency,
            reason=item.reason[:200],
            evidence=json.dumps(item.evidence, ensure_ascii=False, sort_keys=True),
            opened_at=now,
            due_at=now + DUE_AFTER,
            updated_at=now,
        )
        unit.session.add(row)
        await unit.session.flush()
        await self._post(unit, row, OPENED, row.amount_fen, standing=True)
        return row.item_id

    async def close_suspense(
        self,
        unit: Unit,
        kind: SuspenseKind,
        subject_id: str,
        *,
        outcome: SuspenseOutcome,
        reason: str,
        by: str,
    ) -> None:
        """Close the item, if it is open. `by` is a person's login, a party id or `hub`."""
        row = await find_item(HUB, unit, kind.value, subject_id)
        if row is not None and row.closed_at is None:
            await self._close(unit, row, outcome, reason, by)

    async def _close(
        self, unit: Unit, row: SuspenseRow, outcome: SuspenseOutcome, reason: str, by: str
    ) -> None:
        now = self._clock.business()
        row.outcome, row.closing_reason, row.closed_by = outcome.value, reason[:200], by
        row.closed_at = row.updated_at = now
        await unit.session.flush()
        stands = outcome is SuspenseOutcome.ACCEPTED
        await self._post(unit, row, f"suspense_{outcome.value}", -row.amount_fen, standing=stands)

    async def _post(self, unit: Unit, row: SuspenseRow, kind: str, amount_fen: int, *, standing: bool) -> None:
        if not amount_fen:
            return
        facts = {"book": CLEARING, "currency": row.currency}
        entries = [
            Entry(kind="suspense", subject=row.item_id, amount_fen=amount_fen, **facts),
            Entry(kind="claimed", subject=row.host_party_id, amount_fen=-amount_fen, **facts),
        ]
        if row.kind == SuspenseKind.DISPUTE and standing:
            # The claim leaves what is owed while it is disputed, and is back there when it is accepted.
            assert row.home_party_id is not None, "a dispute has two sides"
            entries += [
                Entry(kind="receivable", subject=row.home_party_id, amount_fen=-amount_fen, **facts),
                Entry(kind="payable", subject=row.host_party_id, amount_fen=amount_fen, **facts),
            ]
        await self._ledger.post(
            unit,
            kind=kind,
            reference=row.item_id,
            event_at=self._clock.business(),
            entries=entries,
            note=row.closing_reason or row.reason,
        )

    # For the people who explain it.

    async def own(self, item_id: str, owner: str, *, by: str) -> messages.SuspenseItem:
        """Say who looks after an open item.

        Raises:
            NotFoundError: no such item.
            HubError: state_conflict, it is closed.
        """
        async with self._database.unit() as unit:
            row = await self._open_item(unit, item_id)
            row.owner, row.updated_at = owner, self._clock.business()
            self._audit.note(unit, actor=by, action="own_suspense", subject=item_id, owner=owner)
            return self._message(row)

    async def close(
        self, item_id: str, message: messages.SuspenseClose, *, by: str, alone: bool = False
    ) -> messages.SuspenseItem:
        """Close an item, or propose how: a large one is closed when a second person says the same.

        `alone`: whoever holds the database acts alone, and is on the audit log.

        Raises:
            NotFoundError: no such item.
            HubError: state_conflict, it is closed or is decided with its record, dispute or session;
                second_person_needed, the same person cannot agree with itself.
        """
        async with self._database.unit() as unit:
            row = await self._open_item(unit, item_id)
            if row.kind in DECIDED_ELSEWHERE:
                raise HubError(Code.STATE_CONFLICT, decide=row.kind, subject_id=row.subject_id)
            small = alone or row.amount_fen <= self._second_person_fen
            if not small and not await _agrees(unit, row, message.outcome, by):
                row.proposed_outcome, row.proposed_by = message.outcome.value, by
                row.closing_reason, row.updated_at = message.reason, self._clock.business()
                action = "propose_suspense"
            else:
                await self._close(unit, row, message.outcome, message.reason, by)
                action = "close_suspense"
            self._audit.note(
                unit, actor=by, action=action, subject=item_id, outcome=message.outcome, reason=message.reason
            )
            return self._message(row)

    async def _open_item(self, unit: Unit, item_id: str) -> SuspenseRow:
        row = await get_item(HUB, unit, item_id, lock=True)
        if row is None:
            raise NotFoundError
        if row.closed_at is not None:
            raise HubError(Code.STATE_CONFLICT, outcome=row.outcome)
        return row

    # Reading.

    async def item(self, viewer: PartyScope, item_id: str) -> messages.SuspenseItem:
        """One item.

        Raises:
            NotFoundError: unknown, or somebody else's.
        """
        async with self._database.reading() as unit:
            row = await get_item(viewer, unit, item_id)
        if row is None:
            raise NotFoundError
        return self._message(row)

    async def items(
        self,
        viewer: PartyScope,
        *,
        closed: bool = False,
        after: tuple[datetime, str] | None = None,
        updated_since: datetime | None = None,
        limit: int = 50,
    ) -> list[messages.SuspenseItem]:
        """Items in order of (updated_at, item_id)."""
        async with self._database.reading() as unit:
            rows = await list_items(
                viewer, unit, closed=closed, after=after, updated_since=updated_since, limit=limit
            )
        return [self._message(row) for row in rows]

    async def ages(self, viewer: PartyScope) -> messages.SuspenseAges:
        """Open items by kind and age, beside what suspense comes to in the books; one snapshot."""
        now = self._clock.business()
        async with self._database.reading() as unit:
            found = await ages(viewer, unit, [(days, now - timedelta(days=days)) for days in AGES])
            balance_fen = await booked_fen(unit)
        listed = [
            messages.SuspenseAge(kind=SuspenseKind(kind), days=days, items=count, amount_fen=fen)
            for kind, days, count, fen in found
        ]
        return messages.SuspenseAges(
            ages=listed, amount_fen=sum(one.amount_fen for one in listed), balance_fen=balance_fen
        )

    def _message(self, row: SuspenseRow) -> messages.SuspenseItem:
        until = row.closed_at or self._clock.business()
        proposed = row.proposed_outcome if row.outcome is None else None
        return messages.SuspenseItem(
            item_id=row.item_id,
            kind=SuspenseKind(row.kind),
            subject_id=row.subject_id,
            home_party_id=row.home_party_id,
            host_party_id=row.host_party_id,
            amount_fen=row.amount_fen,
            currency=row.currency,
            reason=row.reason,
            evidence=json.loads(row.evidence),
            opened_at=row.opened_at,
            due_at=row.due_at,
            age_days=(until - row.opened_at).days,
            updated_at=row.updated_at,
            owner=row.owner,
            proposed_outcome=SuspenseOutcome(proposed) if proposed else None,
            proposed_by=row.proposed_by,
            outcome=SuspenseOutcome(row.outcome) if row.outcome else None,
            closing_reason=row.closing_reason,
            closed_by=row.closed_by,
            closed_at=row.closed_at,
        )


async def _agrees(unit: Unit, row: SuspenseRow, outcome: SuspenseOutcome, by: str) -> bool:
    """Whether another person proposed the same."""
    if row.proposed_by is None or row.proposed_outcome != outcome:
        return False
    if await same_person(unit, row.proposed_by, by):
        raise HubError(Code.SECOND_PERSON_NEEDED)
    return True
