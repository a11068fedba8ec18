"""Suspense: money that waits for an explanation, itemised; implements `roaming.MoneyWaits`.

In the clearing book an open item stands as a debit of suspense:{item} against a credit of claimed:{host}:
what a host claims and nobody owes yet. So the balances of suspense sum to the open items, always.
"""

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.ids import Ids
from hub.ledger.service import Ledger
from hub.parties.audit import AuditLog
from hub.roaming.ports import WaitingMoney
from operator_sdk.contract.codes import SuspenseKind, SuspenseOutcome
from operator_sdk.contract.ids import SUSPENSE


class Suspense:
    """Opens, closes and lists items."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, ledger: Ledger, audit: AuditLog) -> None:
        self._database, self._clock, self._ids, self._ledger, self._audit = database, clock, ids, ledger, audit

    async def open_suspense(self, unit: Unit, item: WaitingMoney) -> str:
        """Open an item once per (kind, subject_id); its id."""
        return self._ids.new(SUSPENSE)

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
