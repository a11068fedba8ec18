"""The typed calls about disputes."""

from datetime import datetime

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import disputes


def raise_dispute(message: disputes.DisputeRaise) -> Call[disputes.Dispute]:
    """Either side of a charge record: it is wrong."""
    return Call(hub_operation("raise_dispute"), disputes.Dispute, message)


def list_disputes(
    *,
    state: str | None = None,
    order: str | None = None,
    limit: int | None = None,
    after: str | None = None,
    updated_since: datetime | None = None,
) -> Call[disputes.DisputePage]:
    """The caller's own disputes, raised by either side; all of them for staff."""
    query: dict[str, QueryValue] = {
        "state": state,
        "order": order,
        "limit": limit,
        "after": after,
        "updated_since": updated_since,
    }
    return Call(hub_operation("list_disputes"), disputes.DisputePage, None, {}, query)


def get_dispute(dispute_id: str) -> Call[disputes.Dispute]:
    """One dispute."""
    return Call(hub_operation("get_dispute"), disputes.Dispute, None, {"dispute_id": dispute_id})


def answer_dispute(dispute_id: str, message: disputes.DisputeAnswer) -> Call[disputes.Dispute]:
    """The other side concedes or contests."""
    return Call(hub_operation("answer_dispute"), disputes.Dispute, message, {"dispute_id": dispute_id})


def withdraw_dispute(dispute_id: str, message: disputes.DisputeWithdraw) -> Call[disputes.Dispute]:
    """Whoever raised it lets the record stand."""
    return Call(hub_operation("withdraw_dispute"), disputes.Dispute, message, {"dispute_id": dispute_id})


def insist_dispute(dispute_id: str, message: disputes.DisputeInsist) -> Call[disputes.Dispute]:
    """Whoever raised it wants staff to decide."""
    return Call(hub_operation("insist_dispute"), disputes.Dispute, message, {"dispute_id": dispute_id})


def resolve_dispute(dispute_id: str, message: disputes.DisputeResolve) -> Call[disputes.Dispute]:
    """Staff decide; a large one takes two people."""
    return Call(hub_operation("resolve_dispute"), disputes.Dispute, message, {"dispute_id": dispute_id})
