"""A charge record as each side may see it, from the same row."""

from typing import Any

import msgspec

from hub.parties.scope import PartyScope
from hub.roaming.model_rules import outcomes_of
from hub.roaming.tables import SessionRow
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import RecordKind
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.common import BillLine, FeeLine
from operator_sdk.contract.messages.records import (
    Finding,
    HomeRecord,
    Record,
    Repriced,
    SettlementRecord,
)

_SAME = (
    "record_id", "session_id", "host_party_id", "started_at", "ended_at", "left_at", "meter_start_wh",
    "meter_end_wh", "energy_wh", "electricity_fen", "service_fen", "parking_fen", "idle_fen", "amount_fen",
    "owed_fen", "tariff_id", "tariff_version", "stop_reason", "currency", "kind", "credit_of", "metered",
)  # fmt: skip
"""What everybody who sees a record sees alike."""


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


def _common(row: RecordRow) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _SAME},
        "connector": connector_ref(row.host_party_id, row.connector_id),
        # A credit's lines would only say again what its original's say.
        "lines": msgspec.json.decode(row.lines, type=list[BillLine]) if row.kind == RecordKind.CHARGE else [],
        "fees": msgspec.json.decode(row.fees, type=list[FeeLine]) if row.fees else [],
    }


def record_view(viewer: PartyScope, row: RecordRow) -> Record:
    """A record for a home, a host or a driver.

    The host's own numbers and what the rules said are for the host and for staff; how it was priced again is
    for home and host, and a driver sees the bill.
    """
    is_driver = viewer.driver_ref is not None
    is_host = viewer.everything or (viewer.party_id == row.host_party_id and not is_driver)
    findings = msgspec.json.decode(row.findings, type=list[Finding])
    repriced = None
    if row.repriced is not None and not is_driver:
        repriced = msgspec.json.decode(row.repriced, type=Repriced)
    return Record(
        **_common(row),
        home_party_id=row.home_party_id,
        state=row.state,
        booked_day=row.booked_day,
        updated_at=row.updated_at,
        settlement=settlement_of(row),
        reason=None if is_driver else row.reason,
        record_ref=row.record_ref if is_host else None,
        session_ref=row.session_ref if is_host else None,
        findings=findings if is_host else [],
        outcomes=outcomes_of(row.verdicts, findings) if is_host else [],
        repriced=repriced,
    )


def home_record(row: RecordRow, session: SessionRow | None) -> HomeRecord:
    """An accepted record, or a credit, as it goes to the home."""
    return HomeRecord(
        **_common(row),
        authorization_id=session.authorization_id if session else None,
        home_ref=session.home_ref if session else None,
        token_kind=row.token_kind,
        token_digest=row.token_digest,
    )
