"""What was tolerated of partners' messages, counted per day, partner and word.

A word says how a message strayed (`alias:ServiceMoney`), never what it said. Counts wait in memory and are
written together: a partner that strays in every message must not cost a write for each.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hub.core.clock import Clock, local_day
from hub.core.database import Database, OutOfReach
from hub.protocols.tcec102.tables import add_tolerated, tolerated_of

log = logging.getLogger("interpile.tcec102")

FLUSH_S = 5
WORD_MOST = 60
WORDS_MOST = 5_000
"""Of all partners together between two flushes; what is beyond counts as `other`."""


@dataclass(frozen=True, slots=True)
class Tolerated:
    """One way in which a partner strays: how often, and on which days first and last."""

    word: str
    count: int
    first_day: str
    last_day: str


class Tolerance:
    """Counts in memory, adds to the database every few seconds."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._flushing: asyncio.Task[None] | None = None

    def note(self, party_id: str, words: Iterable[str]) -> None:
        """Count what was tolerated in one message."""
        day = ""
        for word in words:
            day = day or local_day(self._clock.wall())
            key = day, party_id, word[:WORD_MOST]
            if key not in self._counts and len(self._counts) >= WORDS_MOST:
                key = day, party_id, "other"
            self._counts[key] += 1
        if day and (self._flushing is None or self._flushing.done()):
            self._flushing = asyncio.get_running_loop().create_task(self._flush_soon())

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH_S)
        try:
            await self.flush()
        except OutOfReach:
            log.warning("database out of reach; what was tolerated is counted later")

    async def flush(self) -> None:
        """Write what was counted. What cannot be written now stays counted.

        Raises:
            OutOfReach: the database is out of reach.
        """
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            async with self._database.unit() as unit:
                await add_tolerated(unit, counts)
        except OutOfReach:
            self._counts.update(counts)
            raise

    async def of(self, party_id: str) -> list[Tolerated]:
        """All that was tolerated of a partner, the most frequent first."""
        async with self._database.reading() as unit:
            rows = await tolerated_of(unit, party_id)
        return [Tolerated(row.word, int(row.count), row.first, row.last) for row in rows]

    async def close(self) -> None:
        """Write the rest."""
        if self._flushing is not None:
            self._flushing.cancel()
        with contextlib.suppress(OutOfReach):
            await self.flush()
