"""Obligations, cycles, positions and statements."""

from typing import Annotated

from operator_sdk.contract.messages.common import HubId, Instant, Message, Page, PartyId


class Obligation(Message, frozen=True, kw_only=True):
    """Who owes whom how much, for what. `cycle_id` is null until a cycle takes it."""

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


class ObligationPage(Page, frozen=True, kw_only=True):
    """A page of obligations the caller owes or is owed."""

    items: list[Obligation]


class Cycle(Message, frozen=True, kw_only=True):
    """One clearing window. `digest` is over its obligations, in order of id, once it is cut off."""

    cycle_id: HubId
    currency: str
    frequency: str
    state: str
    cutoff_at: Instant | None
    opened_at: Instant
    digest: str | None = None
    obligations: int = 0


class CyclePage(Page, frozen=True, kw_only=True):
    """A page of cycles."""

    items: list[Cycle]


class CycleClose(Message, frozen=True, kw_only=True):
    """Staff: cut the open cycle off at an instant of business time."""

    cutoff_at: Instant


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


class CycleResult(Message, frozen=True, kw_only=True):
    """A closed cycle with everybody's position; the positions sum to zero."""

    cycle: Cycle
    positions: list[Position]
    obligations: Annotated[list[Obligation], "all of the cycle"]
