"""Two hosts with piles, a dispatcher, two workers and some drivers, for tests of upkeep."""

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.ids import SeededIds
from hub.directory.service import DirectoryService
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, PartyScope, of_driver
from hub.parties.tables import PartyRow, StaffRow
from hub.sites.ports import SeenFault
from hub.upkeep.model import Step
from hub.upkeep.service import UpkeepService
from operator_sdk.contract.codes import ConnectorState, FaultKind
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.messages.upkeep import (
    Alarm,
    AlarmQuery,
    Fault,
    FaultReport,
    OrderAssign,
    OrderChange,
    OrderClose,
    WorkOrder,
    WorkOrderDetail,
    WorkOrderQuery,
)

HUB_PARTY, A, C = "MA5HUB000", "MA5AAAAA1", "MA5CCCCC3"
ANN, BOB = of_driver(C, "ann"), of_driver(C, "bob")
STATIONS = {
    "S1": ("南山一站", 22_540_000, 114_050_000, ("A1", "A2")),
    "S2": ("Luohu 2", 22_550_000, 114_060_000, ("B1",)),
    "S3": ("Far away", 39_900_000, 116_400_000, ("Z1",)),
}
ROLES = {"dan": "dispatcher", "eve": "dispatcher", "wes": "maintenance", "xia": "maintenance", "boss": "admin"}


@dataclass
class World:
    """Upkeep over a database of its own, on a clock that stands."""

    database: Database
    clock: ManualClock
    upkeep: UpkeepService
    directory: DirectoryService
    _refs: Any = field(default_factory=lambda: count(1))

    def ref(self) -> str:
        """A sender's id that was not used before."""
        return f"r-{next(self._refs)}"

    async def report(
        self,
        who: PartyScope = ANN,
        connector: str = f"A1.{A}",
        kind: FaultKind = FaultKind.WONT_START,
        **more: Any,
    ) -> Fault:
        """A driver reports a fault."""
        report = FaultReport(**({"request_ref": self.ref(), "connector": connector, "kind": kind} | more))
        return await self.upkeep.faults.report(who, report)

    async def orders(self, actor: str = "dan", **query: Any) -> list[WorkOrder]:
        """The staff's list."""
        page = await self.upkeep.orders.many(
            HUB, WorkOrderQuery(**query), actor=actor, after=None, updated_since=None, limit=50
        )
        return page.items

    async def order(self, order_id: str | None = None) -> WorkOrderDetail:
        """One order, or the only one."""
        if order_id is None:
            (only,) = await self.orders()
            order_id = only.order_id
        return await self.upkeep.orders.one(HUB, order_id)

    async def step(
        self, step: Step, actor: str, order_id: str | None = None, *, version: int | None = None, **more: Any
    ) -> WorkOrderDetail:
        """A step by somebody who has just looked at the order."""
        order = await self.order(order_id)
        kind: type[OrderChange] = OrderChange
        if step is Step.ASSIGN:
            kind, more = OrderAssign, {"assignee": "wes"} | more
        elif step in {Step.CONFIRM, Step.CANCEL}:
            kind = OrderClose
        fields: dict[str, Any] = {"request_ref": self.ref(), "version": version or order.version} | more
        return await self.upkeep.orders.change(
            step, order.order_id, kind(**fields), actor=actor, may_dispatch=ROLES.get(actor) != "maintenance"
        )

    async def steps(self, *steps: tuple[Step, str]) -> WorkOrderDetail:
        """Several, on the only order."""
        for step, actor in steps:
            await self.step(step, actor)
        return await self.order()

    async def status(self, state: ConnectorState, connector_id: str = "A1", at: datetime | None = None) -> int:
        """A host reports a state; how many were news."""
        status = ConnectorStatus(connector_id=connector_id, state=state, at=at or self.clock.business())
        return (await self.directory.push_status(A, StatusPush(statuses=[status]))).written

    async def seen(
        self,
        code: str,
        *,
        connector_id: str | None = "A1",
        cleared: bool = False,
        at: datetime | None = None,
        site_id: str = "site-1",
    ) -> None:
        """A site shows a fault."""
        fault = SeenFault(
            host_party_id=A,
            site_id=site_id,
            connector_id=connector_id,
            code=code,
            at=at or self.clock.business(),
            text="words",
            cleared=cleared,
        )
        async with self.database.unit() as unit:
            await self.upkeep.fault_seen(unit, fault)

    async def alarms(self, **query: Any) -> list[Alarm]:
        """The staff's list."""
        page = await self.upkeep.alarms.many(HUB, AlarmQuery(**query), after=None, updated_since=None, limit=50)
        return page.items


DONE = ((Step.TAKE, "wes"), (Step.START, "wes"), (Step.FINISH, "wes"))
"""From open to done."""


async def make_world(database: Database, clock: ManualClock, ids: SeededIds) -> World:
    """Everything set up."""
    audit = AuditLog(clock, ids)
    upkeep = UpkeepService(database, clock, ids, audit=audit, hub_party_id=HUB_PARTY)
    directory = DirectoryService(database, clock, statuses_seen=upkeep)
    async with database.unit() as unit:
        for party_id, roles in ((HUB_PARTY, "hub"), (A, "host"), (C, "home,host")):
            unit.session.add(
                PartyRow(
                    party_id=party_id, name=party_id, roles=roles, protocol="native", created_at=clock.wall()
                )
            )
        for login, role in ROLES.items():
            unit.session.add(
                StaffRow(login=login, password_hash="", roles=role, created_by="cli", created_at=clock.wall())
            )
    day = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=1, service_micro=1)
    await directory.put_tariff(A, "t", 1, TariffPut(valid_from=clock.business(), periods=[day]))
    for station_id, (name, latitude_e6, longitude_e6, plugs) in STATIONS.items():
        pile = Pile(
            pile_id=f"P{station_id}",
            kind="dc",
            rated_power_w=60_000,
            connectors=[Connector(connector_id=plug) for plug in plugs],
        )
        put = StationPut(
            name=name, latitude_e6=latitude_e6, longitude_e6=longitude_e6, tariff_id="t", piles=[pile]
        )
        await directory.put_station(A, station_id, put)
    return World(database, clock, upkeep, directory)
