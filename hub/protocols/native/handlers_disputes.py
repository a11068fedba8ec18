"""Handlers: disputes over charge records."""

from hub.core.paging import cut_page
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages import disputes
from operator_sdk.contract.messages.common import Empty


async def raise_dispute(call: Call, message: disputes.DisputeRaise) -> disputes.Dispute:
    """One side of a record says that it is wrong."""
    return await call.services.roaming.disputes.raise_dispute(call.party_id, message, call.evidence)


async def list_disputes(call: Call, _: Empty) -> disputes.DisputePage:
    """The caller's disputes."""
    asked = call.asked(disputes.DisputeQuery)
    found = await call.services.roaming.disputes.disputes(
        call.viewer,
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit + 1,
        newest=asked.order == "newest",
        state=asked.state,
    )
    items, after = cut_page(found, call.limit, lambda one: (one.updated_at, one.dispute_id))
    return disputes.DisputePage(items=items, next_after=after)


async def get_dispute(call: Call, _: Empty) -> disputes.Dispute:
    """One dispute."""
    return await call.services.roaming.disputes.dispute(call.viewer, call.path["dispute_id"])


async def answer_dispute(call: Call, message: disputes.DisputeAnswer) -> disputes.Dispute:
    """The other side concedes or contests."""
    return await call.services.roaming.disputes.answer(
        call.party_id, call.path["dispute_id"], message, call.evidence
    )


async def withdraw_dispute(call: Call, message: disputes.DisputeWithdraw) -> disputes.Dispute:
    """The record stands after all."""
    return await call.services.roaming.disputes.withdraw(
        call.party_id, call.path["dispute_id"], message, call.evidence
    )


async def insist_dispute(call: Call, message: disputes.DisputeInsist) -> disputes.Dispute:
    """Staff shall decide."""
    return await call.services.roaming.disputes.insist(
        call.party_id, call.path["dispute_id"], message, call.evidence
    )


async def resolve_dispute(call: Call, message: disputes.DisputeResolve) -> disputes.Dispute:
    """Staff decide."""
    return await call.services.roaming.disputes.resolve(call.path["dispute_id"], message, actor=call.subject)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        raise_dispute,
        list_disputes,
        get_dispute,
        answer_dispute,
        withdraw_dispute,
        insist_dispute,
        resolve_dispute,
    )
}
