"""The statements behind every posting and hold: what they take and answer, the same on either engine.

What dominates their cost is the way to the database and back, so each step is one statement: a lock, and a
write that checks once more what only the lock could make certain. They run on the bare driver of the unit's
connection (tables_hot_postgresql, tables_hot_sqlite), and errors are the driver's own.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from hub.ledger.model import Account, Hold
from hub.ledger.model_booking import Booking, HoldEvent, Key, Locked


class Booked(NamedTuple):
    """What became of a posting. `known_id`: it was booked before, and nothing was written."""

    known_id: str | None
    is_new: bool


class ReferenceTaken(Exception):
    """Another unit took one of the references in the meantime; the unit must be rolled back."""


class Hot(Protocol):
    """The statements on one unit's connection."""

    async def lock(self, wanted: Sequence[Account]) -> dict[Account, Locked]:
        """Lock accounts, in the order of Python's sort. Empty: some were never used, and none is locked."""

    async def existing(self, wanted: Sequence[Account]) -> set[Account]:
        """Which of these accounts were ever used; locks nothing."""

    async def postings(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The ids of those postings that are booked."""

    async def book(self, booking: Booking) -> Booked:
        """Write a posting unless its reference is known. Neither known nor new: taken in the meantime."""

    async def capture(self, booking: Booking, end: HoldEvent) -> Booked:
        """The same, with the end of a hold. Neither known nor new: taken, or the hold is not open."""

    async def book_many(self, bookings: Sequence[Booking], moved: Iterable[Locked]) -> None:
        """Write postings of which none is known, and what the accounts become by all of them.

        Raises:
            ReferenceTaken: one of them is.
        """

    async def hold(self, reference: str) -> Hold | None:
        """The hold under a reference."""

    async def add_hold(self, begin: HoldEvent, on: Locked | None) -> bool:
        """A new hold, with what its account becomes. False: the reference is taken, and nothing was written."""

    async def end_hold(self, end: HoldEvent, on: Locked) -> bool:
        """The end of a hold, with what its account becomes. False: it was not open, and nothing was written."""
