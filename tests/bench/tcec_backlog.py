"""How much waits for the home while statuses come in: looked at again and again on a connection of its own."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import LiteralString

from tests.bench.world import Watch, World

EVERY_S, DRAIN_S, GROWN = 0.5, 20.0, 1.25
OPEN: LiteralString = (
    "SELECT count(*) FROM outbox_letter WHERE party_id = 'MA5TCHOME' AND done_at IS NULL AND dead_at IS NULL"
)
"""Letters not delivered, those included that a newer one has already beaten."""

OWED: LiteralString = (
    "SELECT count(DISTINCT (lane, coalesce(newest_key, letter_id))) FROM outbox_letter"
    " WHERE party_id = 'MA5TCHOME' AND done_at IS NULL AND dead_at IS NULL"
)
"""Letters that will still be sent."""

DEAD: LiteralString = "SELECT count(*) FROM outbox_letter WHERE party_id = 'MA5TCHOME' AND dead_at IS NOT NULL"


@dataclass
class Backlog:
    """What was seen, in order."""

    rows: list[int] = field(default_factory=list)
    owed: list[int] = field(default_factory=list)

    @contextmanager
    def watching(self, world: World) -> Iterator[None]:
        """Look until the block ends."""
        over = threading.Event()
        thread = threading.Thread(target=self._look, args=(world, over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _look(self, world: World, over: threading.Event) -> None:
        watch = Watch(world)
        try:
            while not over.wait(EVERY_S):
                self.rows.append(watch.column(OPEN)[0])
                self.owed.append(watch.column(OWED)[0])
        finally:
            watch.close()


def drained_s(watch: Watch) -> float | None:
    """How long until nothing waits for the home any more; None: longer than anybody should."""
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < DRAIN_S:
        if not watch.column(OPEN)[0]:
            return passed
        time.sleep(0.2)
    return None


def problem_of(most: Sequence[int], sessions: int, *, left: bool, dead: int) -> str | None:
    """Why delivery does not keep up: `most` letters waited in each round. None where it does."""
    if dead:
        return f"{dead} letters could not be delivered"
    if left:
        return f"letters still wait {DRAIN_S:.0f} s after the last status"
    if most[-1] > sessions and all(late > early * GROWN for early, late in itertools.pairwise(most)):
        return f"the backlog grows without end: {list(most)} letters, round by round"
    return None
