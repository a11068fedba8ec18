"""Obligations, cycles, positions and statements; the hub's rates of commission."""

from datetime import date
from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.codes import FeeKind, Frequency
from operator_sdk.contract.messages.common import (
    HubId,
    Instant,
    Message,
    Page,
    PartyId,
    Ppm,
)

TaxCodeText = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.-]{1,24}$", description="of the tax authority's list")]
GroupName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="a group of an owner's stations")]
StationName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,40}$")]


class Obligation(Message, frozen=True, kw_only=True):
    """Who owes whom how much, for what. The fees are parts of a charge or a credit and sum to it.

    `cycle_id` is its cycle from the moment it is owed, null while it is disputed and once it is withdrawn.
    `state` is open, in_cycle and settled as its cycle is; follow the cycles to learn of it, for `updated_at` is
    when the obligation itself changed. `credit_of` names the record that a credit reverses, `claim_of` the
    cycle that a claim was left unpaid in.
    """

    obligation_id: HubId
    kind: str
    debtor: PartyId
    creditor: PartyId
    amount_fen: int
    booked_day: str
    state: str
    record_id: str | None = None
    cycle_id: str | None = None
    updated_at: Instant | None = None
    frequency: str = "daily"
    electricity_fen: int = 0
    service_fen: int = 0
    parking_fen: int = 0
    idle_fen: int = 0
    credit_of: str | None = None
    claim_of: str | None = None


class ObligationPage(Page, frozen=True, kw_only=True):
    """A page of obligations the caller owes or is owed."""

    items: list[Obligation]


class Cycle(Message, frozen=True, kw_only=True):
    """One clearing window. `digest` is over its obligations, in order of id, once it is netted.

    `obligations` is how many there are, from the cut-off on.
    """

    cycle_id: HubId
    currency: str
    frequency: str
    state: str
    cutoff_at: Instant | None
    opened_at: Instant
    digest: str | None = None
    obligations: int = 0
    disputes_until: Instant | None = None
    fixed_at: Instant | None = None


class CyclePage(Page, frozen=True, kw_only=True):
    """A page of cycles."""

    items: list[Cycle]


class CycleClose(Message, frozen=True, kw_only=True):
    """Staff: cut the open cycle of a frequency off at an instant of business time."""

    cutoff_at: Instant
    frequency: Frequency = Frequency.DAILY


class Position(Message, frozen=True, kw_only=True):
    """A party's net: positive receives, negative pays."""

    party_id: PartyId
    amount_fen: int


class StatementLine(Message, frozen=True, kw_only=True):
    """One obligation on a statement, seen from the statement's party (positive: it is owed)."""

    obligation_id: str
    kind: str
    counterparty: PartyId
    amount_fen: int
    booked_day: str
    record_id: str | None = None
    session_id: str | None = None
    energy_wh: int | None = None


class CounterpartyTotal(Message, frozen=True, kw_only=True):
    """The sums with one counterparty."""

    counterparty: PartyId
    receivable_fen: int
    payable_fen: int
    net_fen: int
    obligations: int


class KindTotal(Message, frozen=True, kw_only=True):
    """The sums of one kind: electricity, service, parking and idle of charges; credit, commission, claim."""

    kind: str
    receivable_fen: int
    payable_fen: int


class DayTotal(Message, frozen=True, kw_only=True):
    """The sums of one booked day."""

    day: str
    receivable_fen: int
    payable_fen: int


class InvoiceLine(Message, frozen=True, kw_only=True):
    """One kind of fee of an invoice, with the tax code that holds for it, if the hub knows one."""

    kind: str
    tax_code: str | None
    amount_fen: int


class Invoice(Message, frozen=True, kw_only=True):
    """What one party is to invoice another for a cycle: a host its homes, the hub its hosts.

    Amounts include tax. Credits are taken off; what is negative is to be invoiced in red (红字).
    """

    issuer: PartyId
    recipient: PartyId
    lines: list[InvoiceLine]
    amount_fen: int
    energy_wh: int


class Statement(Message, frozen=True, kw_only=True):
    """A party's paper for one cycle: every obligation, the sums per counterparty, and the net position.

    `digest` is the cycle's: the same on everybody's statement.
    """

    cycle_id: HubId
    party_id: PartyId
    party_name: str
    currency: str
    state: str
    cutoff_at: Instant
    receivable_fen: int
    payable_fen: int
    net_fen: int
    counterparties: list[CounterpartyTotal]
    lines: list[StatementLine]
    digest: str | None = None
    obligations: int = 0
    kinds: list[KindTotal] = []
    days: list[DayTotal] = []
    invoices: list[Invoice] = []


class StatementQuery(Message, frozen=True, kw_only=True):
    """How a statement is wanted: the message, its lines as CSV, a page, sheets of A4, or a workbook."""

    format: Annotated[str, Meta(pattern="^(json|csv|html|pdf|xlsx)$")] = "json"


class CycleResult(Message, frozen=True, kw_only=True):
    """A closed cycle with everybody's position; the positions sum to zero."""

    cycle: Cycle
    positions: list[Position]
    obligations: Annotated[
        list[Obligation],
        Meta(description="the first 1000 in order of id; `cycle.obligations` says how many there are"),
    ]


class CommissionRateAdd(Message, frozen=True, kw_only=True):
    """Staff: what the hub takes of a fee from a day on. What is null is any.

    `owner` is the host, `seller` the home that sold the charge, `station_group` one of the owner's.
    """

    owner: PartyId | None = None
    seller: PartyId | None = None
    station_group: GroupName | None = None
    fee_kind: FeeKind | None = None
    ppm: Ppm
    valid_from: date
    tax_code: TaxCodeText | None = None


class CommissionRate(Message, frozen=True, kw_only=True):
    """A rate, with who made it when. It is never changed, only followed by another."""

    owner: str | None
    seller: str | None
    station_group: str | None
    fee_kind: str | None
    ppm: int
    valid_from: date
    tax_code: str | None
    made_at: Instant
    made_by: str


class CommissionRateList(Message, frozen=True, kw_only=True):
    """Every rate there ever was, what names least first."""

    items: list[CommissionRate]


class StationGroupPut(Message, frozen=True, kw_only=True):
    """Staff: the stations of a group, whole. A station leaves the group it was in."""

    station_group: GroupName
    station_ids: Annotated[list[StationName], Meta(max_length=5_000)]


class StationGroup(Message, frozen=True, kw_only=True):
    """A group and its stations."""

    station_group: str
    station_ids: list[str]


class StationGroups(Message, frozen=True, kw_only=True):
    """An owner's groups, in order."""

    party_id: PartyId
    groups: list[StationGroup]


class TaxCodeAdd(Message, frozen=True, kw_only=True):
    """Staff: under which code a kind of fee, or the hub's commission, is invoiced from a day on."""

    kind: Annotated[str, Meta(pattern="^(electricity|service|parking|idle|commission)$")]
    tax_code: TaxCodeText
    valid_from: date


class TaxCode(Message, frozen=True, kw_only=True):
    """A tax code, with who made it when. It is never changed, only followed by another."""

    kind: str
    tax_code: str
    valid_from: date
    made_at: Instant
    made_by: str


class TaxCodeList(Message, frozen=True, kw_only=True):
    """Every tax code there ever was, by kind, the newest last."""

    items: list[TaxCode]
