"""Handlers: suspense."""

from hub.core.paging import cut_page
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages import suspense
from operator_sdk.contract.messages.common import Empty


async def list_suspense(call: Call, _: Empty) -> suspense.SuspensePage:
    """What is in suspense, or was."""
    found = await call.services.suspense.items(
        call.viewer,
        closed=call.asked(suspense.SuspenseQuery).state == "closed",
        after=call.after,
        updated_since=call.updated_since,
        limit=call.limit + 1,
    )
    items, after = cut_page(found, call.limit, lambda one: (one.updated_at, one.item_id))
    return suspense.SuspensePage(items=items, next_after=after)


async def suspense_ages(call: Call, _: Empty) -> suspense.SuspenseAges:
    """Open items by kind and age."""
    return await call.services.suspense.ages(call.viewer)


async def get_suspense(call: Call, _: Empty) -> suspense.SuspenseItem:
    """One item."""
    return await call.services.suspense.item(call.viewer, call.path["item_id"])


async def own_suspense(call: Call, message: suspense.SuspenseOwn) -> suspense.SuspenseItem:
    """Who looks after it."""
    return await call.services.suspense.own(call.path["item_id"], message.owner, by=call.subject)


async def close_suspense(call: Call, message: suspense.SuspenseClose) -> suspense.SuspenseItem:
    """It is explained."""
    return await call.services.suspense.close(call.path["item_id"], message, by=call.subject)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (list_suspense, suspense_ages, get_suspense, own_suspense, close_suspense)
}
