"""Writes steps, and stands by what it could not write: in order, in memory, until there is room again.

A pile does not wait for a disk. When a step cannot be kept, every charge is stopped (`on_full`), nothing new
starts, and the few steps that lead to the ends of those charges wait here; after a restart meanwhile, they are
taken up from what was kept.
"""

import logging
from collections import deque
from collections.abc import Callable

from edge_agent.clock import Clock
from edge_agent.store import Store, StoreFull, Written
from operator_sdk.contract.edge_link.frames import FaultItem

log = logging.getLogger("interpile.edge.keeper")

DISK_FULL = "disk_full"


class Keeper:
    """The store's writer. `written` is called after each step that is durable."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        written: Callable[[], None],
        on_full: Callable[[], None],
    ) -> None:
        self.store = store
        self._clock, self._written, self._on_full = clock, written, on_full
        self._unkept: deque[Written] = deque()
        self._is_raised = ("", DISK_FULL) in store.faults()

    @property
    def is_full(self) -> bool:
        """Whether something could not be kept yet, the end of the alarm included: nothing may start."""
        return self._is_raised

    def write(self, written: Written) -> None:
        """Write now or not at all.

        Raises:
            StoreFull: nothing was written.
        """
        if self.is_full:
            raise StoreFull("earlier steps wait to be kept")
        self.store.write(written)
        self._written()

    def keep(self, written: Written) -> None:
        """Write now, or as soon as there is room."""
        if self.is_full:
            self._unkept.append(written)
            return
        try:
            self.store.write(written)
        except StoreFull as problem:
            log.error("nothing can be kept: %s; all charges are stopped", problem)  # noqa: TRY400 - no trace is needed
            self._unkept.extend((written, Written(at=written.at, live=(self._fault(cleared=False),))))
            self._is_raised = True
            self._on_full()
            return
        self._written()

    def retry(self) -> None:
        """Try to write what waits."""
        if not self.is_full:
            return
        try:
            while self._unkept:
                self.store.write(self._unkept[0])
                self._unkept.popleft()
            self.store.write(Written(at=self._clock.business(), live=(self._fault(cleared=True),)))
        except StoreFull as problem:
            log.warning("still no room: %s; %d steps wait", problem, len(self._unkept))
            return
        self._is_raised = False
        log.info("there is room again; every step is kept")
        self._written()

    def _fault(self, *, cleared: bool) -> FaultItem:
        return FaultItem(code=DISK_FULL, at=self._clock.business(), cleared=cleared)
