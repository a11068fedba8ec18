"""A dispute as each side and staff may see it, from the same row."""

import msgspec

from hub.parties.scope import PartyScope
from hub.roaming.tables_disputes import DisputeRow
from operator_sdk.contract.messages.disputes import Dispute, DisputeEvidence

_SAME = (
    "dispute_id", "record_id", "home_party_id", "host_party_id", "raised_by", "state", "in_time", "amount_fen",
    "currency", "reason", "raised_at", "due_at", "updated_at", "answer", "answered_by", "answered_at",
    "answer_reason", "insisted_at", "insist_reason", "resolution_reason", "resolved_at",
)  # fmt: skip
"""What both sides and staff see alike."""


def dispute_view(viewer: PartyScope, row: DisputeRow) -> Dispute:
    """A dispute for one of its sides or for staff: who of the hub's staff decided, staff alone see."""
    raised_it = viewer.everything or viewer.party_id == row.raised_by
    by_a_side = row.resolved_by in {None, row.home_party_id, row.host_party_id}
    return Dispute(
        **{name: getattr(row, name) for name in _SAME},
        evidence=_evidence(row.evidence),
        answer_evidence=_evidence(row.answer_evidence),
        dispute_ref=row.dispute_ref if raised_it else None,
        resolved_by=row.resolved_by if viewer.everything or by_a_side else "hub",
        proposed_outcome=row.proposed_outcome if viewer.everything else None,
        proposed_by=row.proposed_by if viewer.everything else None,
    )


def _evidence(text: str | None) -> list[DisputeEvidence]:
    return msgspec.json.decode(text, type=list[DisputeEvidence]) if text else []
