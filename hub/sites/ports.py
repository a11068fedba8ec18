"""What sites set off in higher rooms within their own unit; wiring fills these ports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.core.database import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFault:
    """A fault that a site's agent reports, or that the hub sees in its link; gone when `cleared`.

    `connector_id` is null where the site itself is meant; `at` is business time.
    """

    host_party_id: str
    site_id: str
    connector_id: str | None
    code: str
    at: datetime
    text: str = ""
    cleared: bool = False


class FaultSeen(Protocol):
    """Upkeep's ear: called inside the unit that stores the fault."""

    async def fault_seen(self, unit: Unit, fault: SeenFault) -> None:
        """Raise an alarm, count it once more, or clear it."""
