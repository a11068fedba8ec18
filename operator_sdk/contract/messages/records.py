"""Charge records, settlement records, and the two answers to them."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.messages.common import (
    BillLine,
    ConnectorId,
    ConnectorRef,
    FeeLine,
    Fen,
    ForeignId,
    HubId,
    Instant,
    Message,
    Number,
    Page,
    PartyId,
    Text,
    Wh,
    Word,
)


class ChargeRecord(Message, frozen=True, kw_only=True):
    """Host to hub: the final, immutable bill of a session. Corrections are new records, never edits.

    Totals are sums of lines; `energy_wh` = `meter_end_wh` - `meter_start_wh` within the resolution;
    `amount_fen` = electricity + service + parking + idle. `left_at` is when the vehicle was unplugged.
    """

    record_ref: ForeignId
    session_id: HubId
    connector_id: ConnectorId
    started_at: Instant
    ended_at: Instant
    meter_start_wh: Wh
    meter_end_wh: Wh
    energy_wh: Wh
    lines: Annotated[list[BillLine], Meta(min_length=1, max_length=500)]
    electricity_fen: Fen
    service_fen: Fen
    amount_fen: Fen
    tariff_id: ForeignId
    tariff_version: Number
    stop_reason: Word
    left_at: Instant | None = None
    fees: Annotated[list[FeeLine], Meta(max_length=10)] = []
    parking_fen: Fen = 0
    idle_fen: Fen = 0
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "CNY"
    energy_resolution_wh: Annotated[int, Meta(ge=1, le=1000)] = 1
    amount_resolution_fen: Annotated[int, Meta(ge=1, le=100)] = 1


class Finding(Message, frozen=True, kw_only=True):
    """What one rule said of a record."""

    rule: str
    verdict: str
    detail: str = ""


class RecordReply(Message, frozen=True, kw_only=True):
    """Hub to host: accepted (owed from this moment), suspended or rejected, with every rule that objected."""

    record_id: HubId
    record_ref: str
    state: str
    owed_fen: Fen
    findings: list[Finding] = []


class HomeRecord(Message, frozen=True, kw_only=True):
    """Hub to home: the accepted record. The home captures, releases the rest and answers with a settlement.

    `owed_fen` is what the home owes; it is below `amount_fen` only where the host overran the limit.
    """

    record_id: HubId
    session_id: HubId
    authorization_id: HubId
    home_ref: str | None
    host_party_id: PartyId
    connector: ConnectorRef
    started_at: Instant
    ended_at: Instant
    meter_start_wh: int
    meter_end_wh: int
    energy_wh: int
    lines: list[BillLine]
    electricity_fen: int
    service_fen: int
    amount_fen: int
    owed_fen: int
    tariff_id: str
    tariff_version: int
    stop_reason: str
    currency: str = "CNY"


class SettlementRecord(Message, frozen=True, kw_only=True):
    """Home to hub to host and driver: what the driver was charged; captured + released = what was held."""

    settlement_ref: ForeignId
    record_id: HubId
    session_id: HubId
    driver_amount_fen: Fen
    captured_fen: Fen
    released_fen: Fen
    settled_at: Instant


class RecordAnswer(Message, frozen=True, kw_only=True):
    """Home to hub: `settled` with the settlement record, `received` (it follows later) or `refused`."""

    state: Annotated[str, Meta(pattern="^(settled|received|refused)$")]
    settlement: SettlementRecord | None = None
    reason: Text | None = None


class SettlementReply(Message, frozen=True, kw_only=True):
    """Stored."""

    record_id: HubId
    state: str


class Record(Message, frozen=True, kw_only=True):
    """A charge record as the caller may see it, with the settlement once there is one."""

    record_id: HubId
    session_id: HubId
    home_party_id: PartyId
    host_party_id: PartyId
    connector: ConnectorRef
    state: str
    started_at: Instant
    ended_at: Instant
    meter_start_wh: int
    meter_end_wh: int
    energy_wh: int
    lines: list[BillLine]
    electricity_fen: int
    service_fen: int
    amount_fen: int
    owed_fen: int
    tariff_id: str
    tariff_version: int
    stop_reason: str
    currency: str
    booked_day: str
    updated_at: Instant
    record_ref: str | None = None
    findings: list[Finding] = []
    settlement: SettlementRecord | None = None


class RecordPage(Page, frozen=True, kw_only=True):
    """A page of charge records."""

    items: list[Record]
