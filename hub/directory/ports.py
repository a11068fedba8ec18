"""What the directory sets off in higher rooms within its own unit; wiring fills this port."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from hub.core.database import Unit


class StatusesSeen(Protocol):
    """Upkeep's ear: called inside the unit that writes connector states."""

    async def statuses_seen(
        self, unit: Unit, host_party_id: str, statuses: Mapping[str, tuple[str, datetime]]
    ) -> None:
        """States that were news, by connector: (state, since when its host says so)."""
