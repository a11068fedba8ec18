"""What the hub serves about suspense."""

from operator_sdk.contract.messages import suspense
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

_ITEMS, _ITEM = "/v1/staff/suspense", "/v1/staff/suspense/{item_id}"

SUSPENSE = (
    op("list_suspense", f"GET {_ITEMS}", Empty, suspense.SuspensePage, Scope.STAFF, "What is in suspense",
        role="clearing", paged=True, query=suspense.SuspenseQuery),
    op("suspense_ages", "GET /v1/staff/suspense-ages", Empty, suspense.SuspenseAges, Scope.STAFF,
        "Open items by kind and age, and that the books say the same", role="clearing"),
    op("get_suspense", f"GET {_ITEM}", Empty, suspense.SuspenseItem, Scope.STAFF, "One item", role="clearing"),
    op("own_suspense", f"POST {_ITEM}/owner", suspense.SuspenseOwn, suspense.SuspenseItem, Scope.STAFF,
        "Who looks after it", role="clearing", errors=(Code.STATE_CONFLICT,)),
    op("close_suspense", f"POST {_ITEM}/close", suspense.SuspenseClose, suspense.SuspenseItem, Scope.STAFF,
        "It is explained; a large one needs a second person", role="clearing",
        errors=(Code.STATE_CONFLICT, Code.SECOND_PERSON_NEEDED)),
)  # fmt: skip
