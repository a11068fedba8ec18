"""Disputes over charge records: raised by either side, answered by the other, decided by staff in the end."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.messages.common import (
    ForeignId,
    HubId,
    Instant,
    ListQuery,
    Message,
    Page,
    PartyId,
)

Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Link = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[!-~]*)?$(?!\n)",
        description="kept as text, never fetched by the hub",
    ),
]


class DisputeEvidence(Message, frozen=True, kw_only=True):
    """One piece of evidence: what it says (`text`), or where it is (`link`), or both.

    `sha256` is of what the link leads to, in lower-case hexadecimal, so that a change of it shows later.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    text: Annotated[str, Meta(min_length=1, max_length=2_000)] | None = None
    link: Link | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None


EvidenceList = Annotated[list[DisputeEvidence], Meta(max_length=10)]


class DisputeRaise(Message, frozen=True, kw_only=True):
    """Either side of an accepted charge record: it is wrong. Each side says so once, however that ends."""

    dispute_ref: ForeignId
    record_id: HubId
    reason: Reason
    evidence: EvidenceList = []


class DisputeAnswer(Message, frozen=True, kw_only=True):
    """The other side: `concede`, and the record is credited; or `contest`, with evidence."""

    answer: Annotated[str, Meta(pattern="^(concede|contest)$")]
    reason: Reason
    evidence: EvidenceList = []


class DisputeWithdraw(Message, frozen=True, kw_only=True):
    """Whoever raised it: the record stands."""

    reason: Reason


class DisputeInsist(Message, frozen=True, kw_only=True):
    """Whoever raised it: the answer does not explain it, and staff shall decide."""

    reason: Reason


class DisputeResolve(Message, frozen=True, kw_only=True):
    """Staff: the record stands (`accepted`) or is `credited`; a large one when another person says the same."""

    outcome: Annotated[str, Meta(pattern="^(accepted|credited)$")]
    reason: Reason


class Dispute(Message, frozen=True, kw_only=True):
    """A dispute with what each side said, the same for both of them and for staff.

    `amount_fen` is what is owed for the record. `in_time`: its obligation left its cycle, and nobody owes it if
    the record is credited; otherwise a credit is an obligation the other way. `due_at` is until when somebody
    has to speak: the other side (`raised`), whoever raised it (`answered`), staff (`answered`, with
    `insisted_at`). `resolved_by` is a party, or `hub` for silence and for its staff, whose names only they see.
    `dispute_ref` is for whoever raised it, `proposed_*` for staff: a large amount is decided by two people.
    """

    dispute_id: HubId
    record_id: HubId
    home_party_id: PartyId
    host_party_id: PartyId
    raised_by: PartyId
    state: str
    in_time: bool
    amount_fen: int
    currency: str
    reason: str
    evidence: list[DisputeEvidence]
    raised_at: Instant
    due_at: Instant
    updated_at: Instant
    dispute_ref: str | None = None
    answer: str | None = None
    answered_by: PartyId | None = None
    answered_at: Instant | None = None
    answer_reason: str | None = None
    answer_evidence: list[DisputeEvidence] = []
    insisted_at: Instant | None = None
    insist_reason: str | None = None
    resolution_reason: str | None = None
    resolved_by: str | None = None
    resolved_at: Instant | None = None
    proposed_outcome: str | None = None
    proposed_by: str | None = None


class DisputeQuery(ListQuery, frozen=True, kw_only=True):
    """Which disputes: those of one state, or all."""

    state: Annotated[str, Meta(pattern="^(raised|answered|accepted|credited)$")] | None = None


class DisputePage(Page, frozen=True, kw_only=True):
    """A page of disputes."""

    items: list[Dispute]
