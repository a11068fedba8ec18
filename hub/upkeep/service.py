"""The use cases of this room, built once."""

from collections.abc import Mapping
from datetime import datetime

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.ids import Ids
from hub.parties.audit import AuditLog
from hub.sites.ports import SeenFault as SiteFault
from hub.upkeep.alarms import Alarms
from hub.upkeep.faults import Faults
from hub.upkeep.model import SeenFault
from hub.upkeep.orderbook import OrderBook
from hub.upkeep.orders import Orders
from hub.upkeep.statistics import Statistics


class UpkeepService:
    """One attribute per noun. It is also the ear of `sites.FaultSeen` and `directory.StatusesSeen`."""

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, *, audit: AuditLog, hub_party_id: str
    ) -> None:
        book = OrderBook(clock, ids)
        self.alarms = Alarms(database, clock, ids, book=book, audit=audit)
        self.faults = Faults(database, clock, ids, book)
        self.orders = Orders(database, clock, ids, book=book, alarms=self.alarms, hub_party_id=hub_party_id)
        self.statistics = Statistics(database, clock)

    async def fault_seen(self, unit: Unit, fault: SiteFault) -> None:
        """A pile or a site shows a fault, or no longer shows it; within the unit that stores the report."""
        seen = SeenFault(
            host_party_id=fault.host_party_id,
            connector_id=fault.connector_id,
            site_id=fault.site_id,
            code=fault.code,
            text=fault.text,
            at=fault.at,
            cleared=fault.cleared,
        )
        await self.alarms.fault_seen(unit, seen)

    async def statuses_seen(
        self, unit: Unit, host_party_id: str, statuses: Mapping[str, tuple[str, datetime]]
    ) -> None:
        """A host has reported newer states of connectors; within the unit that stores them."""
        await self.alarms.statuses_seen(unit, host_party_id, statuses)
