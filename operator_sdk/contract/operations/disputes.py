"""What the hub serves about disputes over charge records."""

from operator_sdk.contract.messages import disputes
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

_WRITE = (Code.ID_REUSED, Code.IN_PROGRESS, Code.STATE_CONFLICT)
_OPERATOR, _STAFF = Scope.OPERATOR, Scope.STAFF
_SIDES = (_OPERATOR, _STAFF)
_DISPUTE = "/v1/disputes/{dispute_id}"

DISPUTES = (
    op("raise_dispute", "POST /v1/disputes", disputes.DisputeRaise, disputes.Dispute, _OPERATOR,
        "A charge record of mine is wrong", signed=True, errors=(*_WRITE, Code.RULE_VIOLATED)),
    op("list_disputes", "GET /v1/disputes", Empty, disputes.DisputePage, _SIDES,
        "Disputes that the caller raised or has to answer, of one state or of all", paged=True,
        query=disputes.DisputeQuery, staff_role="clearing"),
    op("get_dispute", f"GET {_DISPUTE}", Empty, disputes.Dispute, _SIDES, "One dispute with all evidence",
        staff_role="clearing"),
    op("answer_dispute", f"POST {_DISPUTE}/answer", disputes.DisputeAnswer, disputes.Dispute, _OPERATOR,
        "Concede what the other side says, or contest it", signed=True,
        errors=(*_WRITE, Code.RULE_VIOLATED)),
    op("withdraw_dispute", f"POST {_DISPUTE}/withdrawal", disputes.DisputeWithdraw, disputes.Dispute, _OPERATOR,
        "The record stands after all", signed=True, errors=_WRITE, max_body=16_384),
    op("insist_dispute", f"POST {_DISPUTE}/insistence", disputes.DisputeInsist, disputes.Dispute, _OPERATOR,
        "The answer does not explain it: staff decide", signed=True, errors=_WRITE, max_body=16_384),
    op("resolve_dispute", "POST /v1/staff/disputes/{dispute_id}/resolution", disputes.DisputeResolve,
        disputes.Dispute, _STAFF, "The record stands or is credited; a large one takes two people",
        role="clearing", errors=(Code.STATE_CONFLICT, Code.SECOND_PERSON_NEEDED), max_body=16_384),
)  # fmt: skip
