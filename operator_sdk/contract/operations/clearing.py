"""What the hub serves about obligations, cycles, statements and suspense."""

from operator_sdk.contract.messages import admin, clearing
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

CLEARING = (
    op("list_obligations", "GET /v1/obligations", Empty, clearing.ObligationPage, Scope.OPERATOR,
        "What I owe and am owed", paged=True),
    op("list_cycles", "GET /v1/cycles", Empty, clearing.CyclePage, (Scope.OPERATOR, Scope.STAFF),
        "Clearing cycles", paged=True),
    op("get_statement", "GET /v1/cycles/{cycle_id}/statement", Empty, clearing.Statement, Scope.OPERATOR,
        "My statement; ?format=json|csv|html", errors=(Code.STATE_CONFLICT,)),
    op("close_cycle", "POST /v1/staff/cycles/close", clearing.CycleClose, clearing.CycleResult, Scope.STAFF,
        "Cut the open cycle off", role="clearing", errors=(Code.STATE_CONFLICT, Code.RULE_VIOLATED)),
    op("get_cycle", "GET /v1/staff/cycles/{cycle_id}", Empty, clearing.CycleResult, Scope.STAFF,
        "A cycle with everybody's position", role="clearing"),
    op("list_suspense", "GET /v1/staff/suspense", Empty, admin.SuspenseList, Scope.STAFF, "What is in suspense",
        role="clearing", paged=True),
)  # fmt: skip
