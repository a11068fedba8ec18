"""The daily check of a partner's list of records against ours, in both directions."""

from hub.clearing.suspense import Suspense
from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.ids import Ids


class Reconciliation:
    """Use cases of the daily check."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, suspense: Suspense) -> None:
        self._database, self._clock, self._ids, self._suspense = database, clock, ids, suspense
