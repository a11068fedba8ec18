"""What the hub serves about charge records, credits, and what people decide about them."""

from operator_sdk.contract.messages import records, roaming
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

_WRITE = (Code.ID_REUSED, Code.IN_PROGRESS)
_OPERATOR, _STAFF = Scope.OPERATOR, Scope.STAFF
_READERS = (_OPERATOR, Scope.DRIVER, _STAFF)

RECORDS = (
    op("push_record", "POST /v1/charge-records", records.ChargeRecord, records.RecordReply, _OPERATOR,
        "The final bill of a session", role="host", signed=True, errors=(*_WRITE, Code.RULE_VIOLATED)),
    op("push_unmatched_record", "POST /v1/unmatched-records", records.UnmatchedRecord, records.RecordReply,
        _OPERATOR, "The bill of a charge that has no session here", role="host", signed=True,
        errors=(*_WRITE, Code.RULE_VIOLATED)),
    op("push_credit", "POST /v1/credit-records", records.CreditRecord, records.RecordReply, _OPERATOR,
        "Undo one of my records", role="host", signed=True, errors=(*_WRITE, Code.STATE_CONFLICT),
        max_body=16_384),
    op("push_settlement", "POST /v1/settlement-records", records.SettlementRecord, records.SettlementReply,
        _OPERATOR, "What the driver was charged", role="home", signed=True,
        errors=(*_WRITE, Code.RULE_VIOLATED)),
    op("get_record", "GET /v1/charge-records/{record_id}", Empty, records.Record, _READERS, "One record",
        staff_role="clearing"),
    op("list_records", "GET /v1/charge-records", Empty, records.RecordPage, _READERS,
        "The caller's charge records, of one state or of all", paged=True, query=records.RecordQuery,
        staff_role="clearing"),
    op("decide_record", "POST /v1/staff/charge-records/{record_id}/decision", records.RecordDecision,
        records.RecordDecided, _STAFF, "Accept or reject a suspended record", role="clearing",
        errors=(Code.STATE_CONFLICT, Code.RULE_VIOLATED, Code.SECOND_PERSON_NEEDED), max_body=16_384),
    op("release_session", "POST /v1/staff/sessions/{session_id}/release", roaming.SessionRelease,
        roaming.SessionReleased, _STAFF, "Let go what is held for a session that no bill stands for",
        role="clearing", errors=(Code.STATE_CONFLICT, Code.SECOND_PERSON_NEEDED), max_body=16_384),
    op("list_partner_trust", "GET /v1/staff/partner-trust", Empty, records.PartnerTrustPage, _STAFF,
        "Hosts whose records are disputed, and those not taken at their word", role="clearing", paged=True),
    op("restore_trust", "POST /v1/staff/parties/{party_id}/trust", records.TrustRestore, records.PartnerTrust,
        _STAFF, "Take a host at its word again", role="clearing", max_body=16_384),
)  # fmt: skip
