"""Money that waits for an explanation."""

from typing import Annotated, Any

from msgspec import Meta

from operator_sdk.contract.codes import SuspenseKind, SuspenseOutcome
from operator_sdk.contract.messages.common import HubId, Instant, Message, Page, PartyId, Text


class SuspenseItem(Message, frozen=True, kw_only=True):
    """One mismatch: what it is about, how much is at risk, who looks after it, and what became of it.

    `evidence` is what both sides said. `proposed_by`: somebody proposed an outcome for a large item, and
    another person has to agree.
    """

    item_id: HubId
    kind: SuspenseKind
    subject_id: str
    home_party_id: PartyId | None
    host_party_id: PartyId
    amount_fen: int
    currency: str
    reason: str
    evidence: dict[str, Any]
    opened_at: Instant
    due_at: Instant
    age_days: int
    updated_at: Instant
    owner: str | None = None
    proposed_outcome: SuspenseOutcome | None = None
    proposed_by: str | None = None
    outcome: SuspenseOutcome | None = None
    closing_reason: str | None = None
    closed_by: str | None = None
    closed_at: Instant | None = None


class SuspensePage(Page, frozen=True, kw_only=True):
    """A page of items."""

    items: list[SuspenseItem]


class SuspenseQuery(Message, frozen=True, kw_only=True):
    """Which items: `open` ones or `closed` ones."""

    state: Annotated[str, Meta(pattern="^(open|closed)$")] = "open"


class SuspenseOwn(Message, frozen=True, kw_only=True):
    """Staff: who looks after an item."""

    owner: Annotated[str, Meta(min_length=2, max_length=40)]


class SuspenseClose(Message, frozen=True, kw_only=True):
    """Staff: how an item ends, and why. Above a limit another person has to say the same."""

    outcome: SuspenseOutcome
    reason: Annotated[Text, Meta(min_length=3)]


class SuspenseAge(Message, frozen=True, kw_only=True):
    """Open items of one kind that are `days` old or older, up to the next step (0, 1, 3, 7, 30)."""

    kind: SuspenseKind
    days: int
    items: int
    amount_fen: int


class SuspenseAges(Message, frozen=True, kw_only=True):
    """Open items by age. `balance_fen` is what suspense comes to in the books: the sum of all of them."""

    ages: list[SuspenseAge]
    amount_fen: int
    balance_fen: int
