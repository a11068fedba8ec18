"""The typed calls about suspense."""

from datetime import datetime

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import suspense


def list_suspense(
    *,
    state: str | None = None,
    limit: int | None = None,
    after: str | None = None,
    updated_since: datetime | None = None,
) -> Call[suspense.SuspensePage]:
    """Staff: `open` items, or `closed` ones."""
    query: dict[str, QueryValue] = {
        "state": state,
        "limit": limit,
        "after": after,
        "updated_since": updated_since,
    }
    return Call(hub_operation("list_suspense"), suspense.SuspensePage, None, {}, query)


def suspense_ages() -> Call[suspense.SuspenseAges]:
    """Staff: open items by kind and age."""
    return Call(hub_operation("suspense_ages"), suspense.SuspenseAges, None, {})


def get_suspense(item_id: str) -> Call[suspense.SuspenseItem]:
    """Staff: one item."""
    return Call(hub_operation("get_suspense"), suspense.SuspenseItem, None, {"item_id": item_id})


def own_suspense(item_id: str, message: suspense.SuspenseOwn) -> Call[suspense.SuspenseItem]:
    """Staff: who looks after an item."""
    return Call(hub_operation("own_suspense"), suspense.SuspenseItem, message, {"item_id": item_id})


def close_suspense(item_id: str, message: suspense.SuspenseClose) -> Call[suspense.SuspenseItem]:
    """Staff: how an item ends; a large one needs a second person."""
    return Call(hub_operation("close_suspense"), suspense.SuspenseItem, message, {"item_id": item_id})
