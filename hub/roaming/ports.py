"""What roaming sets off in higher rooms within its own unit; wiring fills these ports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.core.database import Unit
from operator_sdk.contract.codes import Frequency, SuspenseKind, SuspenseOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """An amount by fee kind, in fen. A credit's are positive as well; its direction says the rest."""

    electricity_fen: int = 0
    service_fen: int = 0
    parking_fen: int = 0
    idle_fen: int = 0

    @property
    def total_fen(self) -> int:
        """The sum of all kinds."""
        return self.electricity_fen + self.service_fen + self.parking_fen + self.idle_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRecord:
    """A charge record at the moment of acceptance: from now on the home owes the host `owed_fen`.

    `amount_fen` is the host's bill; it exceeds `owed_fen` only where the limit was overrun. `fees` are the
    parts of `owed_fen` and sum to it. `credit_of` names the record that a credit reverses: then the host owes
    the home. `at` is business time; `booked_day` (YYYY-MM-DD in the hub's zone) alone decides the cycle.
    """

    record_id: str
    session_id: str | None
    home_party_id: str
    host_party_id: str
    station_id: str | None
    amount_fen: int
    owed_fen: int
    fees: Fees
    currency: str
    frequency: Frequency
    booked_day: str
    at: datetime
    commission_ppm: int = 0
    energy_wh: int | None = None
    credit_of: str | None = None


class RecordAccepted(Protocol):
    """Clearing's ear: called inside the accepting unit."""

    async def record_accepted(self, unit: Unit, record: AcceptedRecord) -> None:
        """Write the obligation and its posting."""

    async def record_reinstated(self, unit: Unit, record_id: str) -> bool:
        """Put a disputed record's obligation back, whole, into the open cycle.

        True: it never left its cycle, and that cycle has ended.
        """

    async def record_disputed(self, unit: Unit, record_id: str) -> bool:
        """Take the record's obligation out of its cycle whole; False where there is none to take out.

        Raises:
            HubError: state_conflict, its cycle is fixed or the time to dispute it is over.
        """

    async def record_withdrawn(self, unit: Unit, record_id: str) -> bool:
        """A disputed record was credited before any cycle fixed it: its obligation is owed by nobody.

        False: the obligation was not out of its cycle, and stays as it is.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMoney:
    """Money that waits for an explanation: what `kind` and `subject_id` name, once each.

    `amount_fen` is what is at risk and may be 0; `evidence` is what both sides said, as JSON values.
    """

    kind: SuspenseKind
    subject_id: str
    home_party_id: str | None
    host_party_id: str
    amount_fen: int
    currency: str
    reason: str
    evidence: dict[str, object]


class MoneyWaits(Protocol):
    """Clearing's suspense: opened and closed by postings inside the unit that knows why."""

    async def open_suspense(self, unit: Unit, item: WaitingMoney) -> str:
        """Open an item once per (kind, subject_id); its id."""

    async def close_suspense(
        self,
        unit: Unit,
        kind: SuspenseKind,
        subject_id: str,
        *,
        outcome: SuspenseOutcome,
        reason: str,
        by: str,
    ) -> None:
        """Close the item, if it is open. `by` is a person's login, a party id or `hub`."""
