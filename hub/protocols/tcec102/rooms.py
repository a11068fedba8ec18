"""How much of the hub one partner may hold: a slow or silent one must not keep the others waiting.

Workers deliver a bounded number of letters at once, whomever they are for. A partner that takes ten seconds for
each would soon hold all of them. So its calls have a number of places; who finds none for a second is sent
away, and for a while after that at once. A partner that was silent many times in a row is left alone for a
moment, but for one call that finds out whether it is back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.core.clock import Clock
from hub.parties.link import LinkError

ASKED_AT_ONCE = 20
TOLD_AT_ONCE = 12
"""Fewer than the letters that a worker delivers at once."""

WAIT_S = 1
JAMMED = timedelta(seconds=5)
SILENT_MOST = 10
REST = timedelta(seconds=2)


@dataclass(slots=True)
class _Room:
    places: asyncio.Semaphore
    jammed_until: datetime | None = None


@dataclass(slots=True)
class _Silence:
    times: int = 0
    rests_until: datetime | None = None


class Rooms:
    """Every partner's places, for what it is asked and for what it is told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rooms: dict[tuple[str, bool], _Room] = {}
        self._silences: dict[str, _Silence] = {}

    @asynccontextmanager
    async def place(self, party_id: str, *, told: bool) -> AsyncIterator[None]:
        """A place for one call; `told` is what a letter tells a home, everything else is asked.

        Raises:
            LinkError: not sent: the partner is silent, or has no place left.
        """
        self._check_silence(party_id)
        key = party_id, told
        if key not in self._rooms:
            self._rooms[key] = _Room(asyncio.Semaphore(TOLD_AT_ONCE if told else ASKED_AT_ONCE))
        room = self._rooms[key]
        now = self._clock.wall()
        if room.places.locked() and room.jammed_until is not None and now < room.jammed_until:
            raise LinkError("too many under way", sent=False)
        try:
            async with asyncio.timeout(WAIT_S):
                await room.places.acquire()
        except TimeoutError:
            room.jammed_until = self._clock.wall() + JAMMED
            raise LinkError("too many under way", sent=False) from None
        try:
            yield
        finally:
            room.places.release()

    def _check_silence(self, party_id: str) -> None:
        silence = self._silences.get(party_id)
        if silence is None or silence.times < SILENT_MOST:
            return
        now = self._clock.wall()
        if silence.rests_until is not None and now < silence.rests_until:
            raise LinkError("does not answer", sent=False)
        silence.rests_until = now + REST  # this call finds out; the others go on sparing themselves

    def was_silent(self, party_id: str) -> None:
        """A call got no answer."""
        silence = self._silences.setdefault(party_id, _Silence())
        silence.times += 1

    def answered(self, party_id: str) -> None:
        """It answered, whatever it said."""
        self._silences.pop(party_id, None)
