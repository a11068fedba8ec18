"""Faults that piles and sites show: one alarm while one lasts, and an order at once where it is urgent."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import Ids
from hub.core.paging import cut_page
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, PartyScope
from hub.upkeep.model import CODE_MOST, CONNECTOR_FAULTED, TEXT_MOST, URGENT_CODES, SeenFault
from hub.upkeep.orderbook import BY_HUB, Job, OrderBook, Place
from hub.upkeep.tables_alarms import AlarmRow, get_alarm, list_alarms, list_open_alarms, raise_alarm
from hub.upkeep.views import alarm_view
from operator_sdk.contract.codes import AlarmState, ConnectorState, OrderPriority
from operator_sdk.contract.ids import ALARM
from operator_sdk.contract.messages.upkeep import Alarm, AlarmPage, AlarmQuery
from operator_sdk.contract.public_codes import Code


class Alarms:
    """Raised and cleared in the unit that sees the fault; read and acknowledged by staff."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, book: OrderBook, audit: AuditLog) -> None:
        self._database, self._clock, self._ids = database, clock, ids
        self._book, self._audit = book, audit

    async def fault_seen(self, unit: Unit, fault: SeenFault) -> None:
        """Raise an alarm, count the open one up, or clear it."""
        if fault.cleared:
            await self._clear(unit, {fault.open_key: fault.at})
            return
        row = self._alarm(fault)
        if await raise_alarm(unit, row) and row.urgent:
            await self._order(unit, row.alarm_id)

    async def statuses_seen(
        self, unit: Unit, host_party_id: str, statuses: Mapping[str, tuple[str, datetime]]
    ) -> None:
        """Newer states (state, at) by connector: a faulted one raises an alarm, any other clears it."""
        well: dict[str, datetime] = {}
        for connector_id, (state, at) in sorted(statuses.items()):
            faulted = state == ConnectorState.FAULTED
            fault = SeenFault(
                host_party_id=host_party_id,
                connector_id=connector_id,
                code=CONNECTOR_FAULTED,
                text="",
                at=at,
                cleared=not faulted,
            )
            if faulted:
                await self.fault_seen(unit, fault)
            else:
                well[fault.open_key] = at
        if well:
            await self._clear(unit, well)

    async def _clear(self, unit: Unit, well: Mapping[str, datetime]) -> None:
        now = self._clock.business()
        for row in await list_open_alarms(HUB, unit, well):
            assert row.open_key is not None
            at = well[row.open_key]
            if row.first_at <= at:  # not from before it began
                row.open_key, row.state, row.cleared_at, row.updated_at = None, AlarmState.CLEARED, at, now
        await unit.session.flush()  # the name is free for the next fault in this unit

    def _alarm(self, fault: SeenFault) -> AlarmRow:
        return AlarmRow(
            alarm_id=self._ids.new(ALARM),
            open_key=fault.open_key,
            host_party_id=fault.host_party_id,
            connector_id=fault.connector_id,
            site_id=fault.site_id,
            code=fault.code[:CODE_MOST],
            text=fault.text[:TEXT_MOST],
            urgent=fault.code in URGENT_CODES,
            state=AlarmState.RAISED,
            first_at=fault.at,
            last_at=fault.at,
            updated_at=self._clock.business(),
        )

    async def _order(self, unit: Unit, alarm_id: str) -> None:
        row = await get_alarm(HUB, unit, alarm_id, lock=True)
        assert row is not None
        job = Job(title=self.title(row), kind=row.code, who=BY_HUB, priority=OrderPriority.URGENT)
        order = await self._book.join_or_open(unit, await self.place(unit, row), job)
        order.alarm_count += 1
        row.order_id = order.order_id

    async def place(self, unit: Unit, row: AlarmRow) -> Place:
        """Where an alarm's order has its work; a connector that the directory has lost still has its name."""
        found = row.connector_id and await self._book.place_of(unit, row.host_party_id, row.connector_id)
        return found or Place(
            host_party_id=row.host_party_id,
            connector_id=row.connector_id,
            site_id=row.site_id,
            station_name=row.site_id or "",
        )

    @staticmethod
    def title(row: AlarmRow) -> str:
        """What an alarm's order is called."""
        return f"{row.code} at {row.connector_id or row.site_id or row.host_party_id}"

    async def acknowledge(self, alarm_id: str, *, actor: str) -> Alarm:
        """Somebody has seen it; seen twice, the first one stands.

        Raises:
            NotFoundError: no such alarm.
            HubError: state_conflict, it was cleared before anybody saw it.
        """
        async with self._database.unit() as unit:
            row = await get_alarm(HUB, unit, alarm_id, lock=True)
            if row is None:
                raise NotFoundError
            if row.acknowledged_by is not None:
                return alarm_view(row)
            if row.state == AlarmState.CLEARED:
                raise HubError(Code.STATE_CONFLICT, state=row.state)
            now = self._clock.business()
            row.state, row.acknowledged_by, row.acknowledged_at = AlarmState.ACKNOWLEDGED, actor, now
            row.updated_at = now
            self._audit.note(unit, actor=actor, action="acknowledge_alarm", subject=alarm_id)
            return alarm_view(row)

    async def many(
        self,
        viewer: PartyScope,
        query: AlarmQuery,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
    ) -> AlarmPage:
        """Alarms, oldest change first."""
        async with self._database.reading() as unit:
            rows: Sequence[AlarmRow] = await list_alarms(
                viewer,
                unit,
                state=query.state,
                host_party_id=query.host_party_id,
                after=after,
                updated_since=updated_since,
                limit=limit + 1,
            )
        page, more = cut_page(rows, limit, lambda row: (row.updated_at, row.alarm_id))
        return AlarmPage(items=[alarm_view(row) for row in page], next_after=more)
