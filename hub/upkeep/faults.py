"""What drivers report: each report becomes a work order, or a part of one that is under way."""

import json
from datetime import datetime, timedelta

import msgspec

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError, TooManyError
from hub.core.ids import Ids
from hub.core.paging import cut_page
from hub.core.tables import claim_message
from hub.parties.scope import PartyScope
from hub.roaming.tables import get_session
from hub.upkeep.orderbook import BY_DRIVER, Job, OrderBook, Place
from hub.upkeep.tables_faults import FaultRow, find_recent_count, get_fault, list_faults
from hub.upkeep.views import fault_view
from operator_sdk.contract.codes import FaultState
from operator_sdk.contract.ids import FAULT, split_connector
from operator_sdk.contract.messages.upkeep import Fault, FaultPage, FaultReport
from operator_sdk.contract.public_codes import Code

FAULTS_MOST, WITHIN = 20, timedelta(hours=1)
"""A driver with more to report than this is told to come back later."""


class Faults:
    """Drivers' reports. The viewer is always one driver."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, book: OrderBook) -> None:
        self._database, self._clock, self._ids, self._book = database, clock, ids, book

    async def report(self, viewer: PartyScope, report: FaultReport) -> Fault:
        """Take a report once; the same again is answered with how it stands.

        Raises:
            HubError: id_reused, connector_unknown, or rule_violated (the charge was at another connector).
            NotFoundError: the charge is not this driver's.
            TooManyError: too_many_requests.
        """
        assert viewer.party_id is not None
        assert viewer.driver_ref is not None
        async with self._database.unit() as unit:
            new, fault_id = await claim_message(
                unit,
                party_id=viewer.party_id,
                kind="report_fault",
                external_id=f"{viewer.driver_ref}/{report.request_ref}",
                canonical=msgspec.json.encode(report, order="sorted"),
                subject_id=self._ids.new(FAULT),
                now=self._clock.business(),
            )
            if new:
                return fault_view(await self._take(unit, viewer, fault_id, report))
            row = await get_fault(viewer, unit, fault_id)
        assert row is not None
        return fault_view(row)

    async def _take(self, unit: Unit, viewer: PartyScope, fault_id: str, report: FaultReport) -> FaultRow:
        assert viewer.party_id is not None
        assert viewer.driver_ref is not None
        now = self._clock.business()
        if await find_recent_count(viewer, unit, now - WITHIN) >= FAULTS_MOST:
            raise TooManyError(WITHIN // timedelta(seconds=1))
        connector_id, place = await self._place(unit, viewer, report)
        job = Job(title=f"{report.kind} at {connector_id}", kind=report.kind, who=BY_DRIVER)
        order = await self._book.join_or_open(unit, place, job)
        order.fault_count += 1
        row = FaultRow(
            fault_id=fault_id,
            request_ref=report.request_ref,
            home_party_id=viewer.party_id,
            driver_ref=viewer.driver_ref,
            host_party_id=place.host_party_id,
            connector_id=connector_id,
            station_name=place.station_name,
            session_id=report.session_id,
            kind=report.kind,
            text=report.text,
            photos=json.dumps(report.photos),
            order_id=order.order_id,
            state=FaultState.OPEN,
            order_state=order.state,
            reported_at=now,
            updated_at=now,
        )
        unit.session.add(row)
        return row

    async def _place(self, unit: Unit, viewer: PartyScope, report: FaultReport) -> tuple[str, Place]:
        party_id, connector_id = split_connector(report.connector)
        if report.session_id is not None:
            session = await get_session(viewer, unit, report.session_id)
            if session is None:
                raise NotFoundError
            if (session.host_party_id, session.connector_id) != (party_id, connector_id):
                raise HubError(Code.RULE_VIOLATED, reason="the charge was at another connector")
        place = await self._book.place_of(unit, party_id, connector_id)
        if place is None:
            raise HubError(Code.CONNECTOR_UNKNOWN)
        return connector_id, place

    async def one(self, viewer: PartyScope, fault_id: str) -> Fault:
        """One report. Raises NotFoundError when the viewer does not see it."""
        async with self._database.reading() as unit:
            row = await get_fault(viewer, unit, fault_id)
        if row is None:
            raise NotFoundError
        return fault_view(row)

    async def mine(
        self,
        viewer: PartyScope,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
        newest: bool = False,
    ) -> FaultPage:
        """The viewer's reports, oldest change first or newest first."""
        async with self._database.reading() as unit:
            rows = await list_faults(
                viewer, unit, after=after, updated_since=updated_since, limit=limit + 1, newest=newest
            )
        page, more = cut_page(rows, limit, lambda row: (row.updated_at, row.fault_id))
        return FaultPage(items=[fault_view(row) for row in page], next_after=more)
