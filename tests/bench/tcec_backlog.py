"""How much waits for the home while statuses come in: looked at again and again on a connection of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import LiteralString

from tests.bench.world import Watch, World

EVERY_S = 0.5
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
