"""What roaming sets off in higher rooms within its own unit; wiring fills these ports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.core.database import Unit


@dataclass(frozen=True, slots=True)
class AcceptedRecord:
    """A charge record at the moment of acceptance: from now on the home owes the host `owed_fen`.

    `amount_fen` is the host's bill; it exceeds `owed_fen` only where the limit was overrun. `at` is business
    time; `booked_day` (YYYY-MM-DD in the hub's zone) alone decides the cycle.
    """

    record_id: str
    session_id: str
    home_party_id: str
    host_party_id: str
    amount_fen: int
    owed_fen: int
    currency: str
    booked_day: str
    at: datetime
    commission_ppm: int
    energy_wh: int | None = None


class RecordAccepted(Protocol):
    """Clearing's ear: called inside the accepting unit."""

    async def record_accepted(self, unit: Unit, record: AcceptedRecord) -> None:
        """Write the obligation and its posting."""

    async def record_reinstated(self, unit: Unit, record_id: str) -> None:
        """Put a disputed record's obligation back, whole, into the open cycle."""

    async def record_disputed(self, unit: Unit, record_id: str) -> None:
        """Take the record's obligation out of the open cycle whole."""
