"""Charge records and credits, settlement records, the answers to them, and what people decide about them."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.messages.common import (
    BillLine,
    ConnectorId,
    ConnectorRef,
    FeeLine,
    Fen,
    ForeignId,
    HubId,
    Instant,
    ListQuery,
    Message,
    Number,
    Page,
    PartyId,
    Text,
    Wh,
    Word,
)

TokenDigest = Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class Bill(Message, frozen=True, kw_only=True):
    """What every bill says, whatever it is a bill of.

    Totals are sums of lines; `energy_wh` = `meter_end_wh` - `meter_start_wh` within the resolution;
    `amount_fen` = electricity + service + parking + idle. `left_at` is when the vehicle was unplugged.
    `host_party_id` is whose bill it is; null: the sender's. Not `metered`: the host's protocol tells no
    readings; then `meter_start_wh` is 0 and `meter_end_wh` the energy, and neither was read from a meter. A
    host on this API always tells them.
    """

    record_ref: ForeignId
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
    host_party_id: PartyId | None = None
    metered: bool = True


class ChargeRecord(Bill, frozen=True, kw_only=True):
    """Host to hub: the final, immutable bill of a session. Corrections are new records, never edits."""

    session_id: HubId


class UnmatchedRecord(Bill, frozen=True, kw_only=True):
    """Host to hub: the bill of a charge that the hub gave no session id for. A person decides who owes it.

    `session_ref` is the host's own number of the charge; `home_party_id` whom the host believes to owe it.
    `token_digest` names what the driver showed: the first 16 bytes of SHA-256 over kind, 0x1f and reference.
    """

    session_ref: ForeignId
    home_party_id: PartyId | None = None
    token_kind: TokenKind | None = None
    token_digest: TokenDigest | None = None


class CreditRecord(Message, frozen=True, kw_only=True):
    """Host to hub: `record_id` is reversed, whole. `amount_fen` is that record's, said again."""

    record_ref: ForeignId
    record_id: HubId
    amount_fen: Fen
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


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

    `owed_fen` is what the home owes; it is below `amount_fen` only where the host overran the limit, or billed
    energy that it did not deliver. A record of kind `credit` gives it back: the record `credit_of` is undone,
    its driver gets the money, and nothing is captured. Session and authorization are null where the hub never
    knew the charge; then `token_digest` names the driver, where the host could.
    """

    record_id: HubId
    session_id: HubId | None
    authorization_id: HubId | None
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
    kind: str = "charge"
    credit_of: HubId | None = None
    left_at: Instant | None = None
    fees: list[FeeLine] = []
    parking_fen: int = 0
    idle_fen: int = 0
    token_kind: str | None = None
    token_digest: str | None = None
    metered: bool = True


class SettlementRecord(Message, frozen=True, kw_only=True):
    """Home to hub to host and driver: what the driver was charged; captured + released = what was held.

    Of a credit: what the driver got back, with nothing captured or released.
    """

    settlement_ref: ForeignId
    record_id: HubId
    session_id: HubId | None
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


class RepricedPart(Message, frozen=True, kw_only=True):
    """One fee of one line, as it was charged and as the tariff prices it.

    `difference_fen` = charged - repriced. `price_micro` is per kWh, for parking and idle per hour; null where
    the tariff has more than one price for the line.
    """

    kind: str
    start: Instant
    end: Instant
    energy_wh: int | None
    price_micro: int | None
    charged_fen: int
    repriced_fen: int
    difference_fen: int
    tolerance_fen: int


class Repriced(Message, frozen=True, kw_only=True):
    """A record priced again by the tariff version at its start; there only where anything differs.

    `tolerance_fen` is what the two operators have agreed that all differences together may come to.
    """

    parts: list[RepricedPart]
    charged_fen: int
    repriced_fen: int
    difference_fen: int
    tolerance_fen: int


class Record(Message, frozen=True, kw_only=True):
    """A charge record as the caller may see it, with the settlement once there is one.

    `outcomes` is what each of the 25 rules said, in their order, and `findings` those that objected: for the
    host and for staff. A record of kind `credit` reverses the record `credit_of`. Not `metered`: the host told
    no readings, and the two here were not read from a meter.
    """

    record_id: HubId
    session_id: HubId | None
    home_party_id: PartyId | None
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
    kind: str = "charge"
    credit_of: HubId | None = None
    left_at: Instant | None = None
    fees: list[FeeLine] = []
    parking_fen: int = 0
    idle_fen: int = 0
    session_ref: str | None = None
    reason: str | None = None
    outcomes: list[Finding] = []
    repriced: Repriced | None = None
    metered: bool = True


class RecordQuery(ListQuery, frozen=True, kw_only=True):
    """Which records: those of one state, or all."""

    state: (
        Annotated[str, Meta(pattern="^(received|accepted|suspended|rejected|disputed|credited|settled)$")]
        | None
    ) = None


class RecordPage(Page, frozen=True, kw_only=True):
    """A page of charge records."""

    items: list[Record]


class RecordDecision(Message, frozen=True, kw_only=True):
    """Staff: what becomes of a suspended record; `home_party_id` names who owes it where nobody is named."""

    decision: Annotated[str, Meta(pattern="^(accept|reject)$")]
    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    home_party_id: PartyId | None = None


class RecordDecided(Message, frozen=True, kw_only=True):
    """Where a decision stands. `decided_by` null: it is about much, and a second person must say the same."""

    record_id: HubId
    state: str
    decision: str
    reason: str
    home_party_id: PartyId | None
    proposed_by: str
    decided_by: str | None


class PartnerTrust(Message, frozen=True, kw_only=True):
    """How often a host's records were disputed on its last such day.

    Above `disputes_most` the hub accepts none of its records by itself (`stopped_day`) until staff lift it.
    """

    party_id: PartyId
    day: str
    disputes: int
    disputes_most: int
    stopped_day: str | None = None
    lifted_by: str | None = None
    reason: str | None = None


class PartnerTrustPage(Page, frozen=True, kw_only=True):
    """A page of hosts whose records were disputed."""

    items: list[PartnerTrust]


class TrustRestore(Message, frozen=True, kw_only=True):
    """Staff: the hub accepts this host's records by itself again, until `disputes_most` a day is exceeded."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    disputes_most: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
