"""What one partner may hold of those who deliver: a slow one must not keep the others' letters waiting.

There are as many deliveries at once as there are places. One that takes long does nothing but wait for its
partner, so it gives its place back; and a partner that keeps several waiting gets no more letters until one has
ended. So a slow partner costs the others a second or two, however many letters it has.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

SLOW_S = 1.0
SLOW_MOST = 4
"""Deliveries of one partner that may be slow before it gets no more."""

PUT_OFF_MOST_S = 30


class Shares:
    """The deliveries under way in this process, by partner. Letters to nobody are never slow."""

    def __init__(self) -> None:
        self._begun: defaultdict[str, dict[object, float]] = defaultdict(dict)
        self._put_off: defaultdict[str, int] = defaultdict(int)

    def slow(self) -> int:
        """How many of all have waited so long that they hold no place any more."""
        return sum(map(self._slow_of, self._begun))

    def put_off_s(self, party_id: str | None) -> int:
        """In how many seconds a partner's next letter may be tried; 0: now.

        Of many that are put off only a few come back in one second.
        """
        if party_id is None:
            return 0
        if self._slow_of(party_id) < SLOW_MOST:
            self._put_off.pop(party_id, None)
            return 0
        self._put_off[party_id] += 1
        return min(1 + self._put_off[party_id] // SLOW_MOST, PUT_OFF_MOST_S)

    @contextmanager
    def under_way(self, party_id: str | None) -> Iterator[None]:
        """While a letter is delivered."""
        if party_id is None:
            yield
            return
        this, of_party = object(), self._begun[party_id]
        of_party[this] = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            del of_party[this]
            if not of_party:
                self._begun.pop(party_id, None)

    def _slow_of(self, party_id: str) -> int:
        since = asyncio.get_running_loop().time() - SLOW_S
        return sum(begun <= since for begun in self._begun.get(party_id, {}).values())
