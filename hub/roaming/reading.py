"""What each side may see: one view per role, from the same rows."""

from datetime import datetime

import msgspec

from hub.core.errors import NotFoundError
from hub.parties.scope import PartyScope
from hub.roaming.context import RoamingContext
from hub.roaming.tables import SessionRow, get_authorization, get_session, list_in_suspense, list_sessions
from hub.roaming.tables_records import RecordRow, get_record, list_records, list_waiting
from operator_sdk.contract.codes import RecordState, TargetKind
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.admin import SuspenseItem
from operator_sdk.contract.messages.common import BillLine, Target
from operator_sdk.contract.messages.records import Finding, HomeRecord, Record, SettlementRecord
from operator_sdk.contract.messages.roaming import Session


class Reading:
    """Answers questions about sessions and records."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def session(self, viewer: PartyScope, session_id: str) -> Session:
        """One session. Raises NotFoundError when the viewer does not see it."""
        async with self._c.database.reading() as unit:
            row = await get_session(viewer, unit, session_id)
        if row is None:
            raise NotFoundError
        return session_view(viewer, row)

    async def session_of(self, viewer: PartyScope, authorization_id: str) -> str:
        """The session that an authorization is for. Raises NotFoundError when the viewer does not see it."""
        async with self._c.database.reading() as unit:
            row = await get_authorization(viewer, unit, authorization_id)
        if row is None:
            raise NotFoundError
        return row.session_id

    async def sessions(
        self,
        viewer: PartyScope,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
        newest: bool = False,
    ) -> list[Session]:
        """The viewer's sessions, oldest change first or newest first."""
        async with self._c.database.reading() as unit:
            rows = await list_sessions(
                viewer, unit, after=after, updated_since=updated_since, limit=limit, newest=newest
            )
        return [session_view(viewer, row) for row in rows]

    async def record(self, viewer: PartyScope, record_id: str) -> Record:
        """One record. Raises NotFoundError when the viewer does not see it."""
        async with self._c.database.reading() as unit:
            row = await get_record(viewer, unit, record_id)
        if row is None:
            raise NotFoundError
        return record_view(viewer, row)

    async def records(
        self,
        viewer: PartyScope,
        *,
        after: tuple[datetime, str] | None,
        updated_since: datetime | None,
        limit: int,
        newest: bool = False,
    ) -> list[Record]:
        """The viewer's records, oldest change first or newest first."""
        async with self._c.database.reading() as unit:
            rows = await list_records(
                viewer, unit, after=after, updated_since=updated_since, limit=limit, newest=newest
            )
        return [record_view(viewer, row) for row in rows]

    async def suspense(self, viewer: PartyScope, *, after: str | None, limit: int) -> list[SuspenseItem]:
        """What money waits for, in order of id: records first (`rec_`), then sessions (`ses_`)."""
        async with self._c.database.reading() as unit:
            records = await list_waiting(viewer, unit, after=after, limit=limit)
            sessions = await list_in_suspense(viewer, unit, after=after, limit=limit)
        items = [_record_item(row) for row in records] + [_session_item(row) for row in sessions]
        return items[:limit]


def session_view(viewer: PartyScope, row: SessionRow) -> Session:
    """A session for a home, a host or a driver; each sees its own number for it."""
    is_home = viewer.everything or viewer.party_id == row.home_party_id
    is_host = viewer.everything or (viewer.party_id == row.host_party_id and viewer.driver_ref is None)
    own_ref = row.home_ref if is_home else row.host_ref
    return Session(
        session_id=row.session_id,
        start_mode=row.start_mode,
        state=row.state,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        connector=connector_ref(row.host_party_id, row.connector_id),
        target=Target(kind=TargetKind(row.target_kind), value=row.target_value),
        energy_wh=row.energy_wh,
        amount_fen=row.amount_fen,
        power_w=row.power_w,
        last_number=row.last_number,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ref=None if viewer.driver_ref is not None else own_ref,
        authorization_id=row.authorization_id if viewer.driver_ref is None else None,
        token_ref=row.token_ref if is_host else None,
        limit_fen=row.limit_fen,
        tariff_id=row.tariff_id,
        tariff_version=row.tariff_version,
        started_at=row.started_at,
        ended_at=row.ended_at,
        percent=row.percent if is_home else None,
        seconds_left=row.seconds_left if is_home else None,
        stop_reason=row.stop_reason,
        refusal=row.refusal,
    )


def settlement_of(row: RecordRow) -> SettlementRecord | None:
    """The settlement record as it was told, or None."""
    if row.settlement_ref is None or row.settled_at is None:
        return None
    return SettlementRecord(
        settlement_ref=row.settlement_ref,
        record_id=row.record_id,
        session_id=row.session_id,
        driver_amount_fen=row.driver_amount_fen or 0,
        captured_fen=row.captured_fen or 0,
        released_fen=row.released_fen or 0,
        settled_at=row.settled_at,
    )


def record_view(viewer: PartyScope, row: RecordRow) -> Record:
    """A record for a home, a host or a driver; only the host sees its own number and the findings."""
    is_host = viewer.everything or (viewer.party_id == row.host_party_id and viewer.driver_ref is None)
    return Record(
        record_id=row.record_id,
        session_id=row.session_id,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        connector=connector_ref(row.host_party_id, row.connector_id),
        state=row.state,
        started_at=row.started_at,
        ended_at=row.ended_at,
        meter_start_wh=row.meter_start_wh,
        meter_end_wh=row.meter_end_wh,
        energy_wh=row.energy_wh,
        lines=msgspec.json.decode(row.lines, type=list[BillLine]),
        electricity_fen=row.electricity_fen,
        service_fen=row.service_fen,
        amount_fen=row.amount_fen,
        owed_fen=row.owed_fen,
        tariff_id=row.tariff_id,
        tariff_version=row.tariff_version,
        stop_reason=row.stop_reason,
        currency=row.currency,
        booked_day=row.booked_day,
        updated_at=row.updated_at,
        record_ref=row.record_ref if is_host else None,
        findings=msgspec.json.decode(row.findings, type=list[Finding]) if is_host else [],
        settlement=settlement_of(row),
    )


def home_record(row: RecordRow, session: SessionRow) -> HomeRecord:
    """An accepted record as it goes to the home."""
    return HomeRecord(
        record_id=row.record_id,
        session_id=row.session_id,
        authorization_id=session.authorization_id,
        home_ref=session.home_ref,
        host_party_id=row.host_party_id,
        connector=connector_ref(row.host_party_id, row.connector_id),
        started_at=row.started_at,
        ended_at=row.ended_at,
        meter_start_wh=row.meter_start_wh,
        meter_end_wh=row.meter_end_wh,
        energy_wh=row.energy_wh,
        lines=msgspec.json.decode(row.lines, type=list[BillLine]),
        electricity_fen=row.electricity_fen,
        service_fen=row.service_fen,
        amount_fen=row.amount_fen,
        owed_fen=row.owed_fen,
        tariff_id=row.tariff_id,
        tariff_version=row.tariff_version,
        stop_reason=row.stop_reason,
        currency=row.currency,
    )


def _record_item(row: RecordRow) -> SuspenseItem:
    over = row.amount_fen > row.owed_fen and row.state not in {RecordState.SUSPENDED, RecordState.DISPUTED}
    findings = msgspec.json.decode(row.findings, type=list[Finding])
    reasons = ", ".join(finding.rule for finding in findings) or row.reason or ""
    return SuspenseItem(
        kind="over_limit" if over else row.state,
        subject_id=row.record_id,
        reason="over_limit" if over else reasons,
        amount_fen=row.amount_fen - row.owed_fen if over else row.owed_fen,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        since=row.updated_at,
    )


def _session_item(row: SessionRow) -> SuspenseItem:
    return SuspenseItem(
        kind="session",
        subject_id=row.session_id,
        reason=row.suspense or "",
        amount_fen=row.amount_fen,
        home_party_id=row.home_party_id,
        host_party_id=row.host_party_id,
        since=row.updated_at,
    )
