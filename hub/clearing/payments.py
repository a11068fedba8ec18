"""Paying a fixed cycle: pay-ins first, deposits, what a default leaves, pay-outs."""

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.ids import Ids
from hub.ledger.service import Ledger
from hub.parties.audit import AuditLog


class Payments:
    """Use cases of payments, deposits and bank working days."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        ledger: Ledger,
        audit: AuditLog,
        hub_party_id: str,
        env: str,
    ) -> None:
        self._database, self._clock, self._ids, self._ledger, self._audit = database, clock, ids, ledger, audit
        self._hub_party_id, self._env = hub_party_id, env
