"""The thin typed methods of the sync client about suspense."""

from datetime import datetime

from operator_sdk.client import calls_suspense
from operator_sdk.client.runner import SyncRunner
from operator_sdk.contract.messages import suspense


class SyncSuspenseMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_suspense`, with the same names and arguments."""

    def list_suspense(
        self,
        *,
        state: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
    ) -> suspense.SuspensePage:
        """Staff: `open` items, or `closed` ones."""
        return self.run(
            calls_suspense.list_suspense(state=state, limit=limit, after=after, updated_since=updated_since)
        )

    def suspense_ages(self) -> suspense.SuspenseAges:
        """Staff: open items by kind and age."""
        return self.run(calls_suspense.suspense_ages())

    def get_suspense(self, item_id: str) -> suspense.SuspenseItem:
        """Staff: one item."""
        return self.run(calls_suspense.get_suspense(item_id))

    def own_suspense(self, item_id: str, message: suspense.SuspenseOwn) -> suspense.SuspenseItem:
        """Staff: who looks after an item."""
        return self.run(calls_suspense.own_suspense(item_id, message))

    def close_suspense(self, item_id: str, message: suspense.SuspenseClose) -> suspense.SuspenseItem:
        """Staff: how an item ends; a large one needs a second person."""
        return self.run(calls_suspense.close_suspense(item_id, message))
