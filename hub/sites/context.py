"""What every use case of this room is built from."""

from dataclasses import dataclass

from hub.core.clock import Clock
from hub.core.database import Database
from hub.core.ids import Ids
from hub.core.live import Live
from hub.parties.audit import AuditLog
from hub.sites.ports import FaultSeen


@dataclass(frozen=True, slots=True)
class SitesContext:
    """Ports and lower rooms."""

    database: Database
    clock: Clock
    ids: Ids
    live: Live
    audit: AuditLog
    fault_seen: FaultSeen


def site_topic(site_id: str) -> str:
    """News for whoever holds a site's connection."""
    return f"site:{site_id}"


def command_topic(command_id: str) -> str:
    """News for whoever waits for a command's result."""
    return f"command:{command_id}"
