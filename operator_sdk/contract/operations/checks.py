"""The daily check of charge records, either way: what the hub serves, and what it asks of an operator."""

from operator_sdk.contract.messages import checks
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

_READERS = (Scope.OPERATOR, Scope.STAFF)
_LIST = "POST /v1/record-checks"
LIST_BYTES_MOST = 1_048_576

CHECKS = (
    op("check_records", _LIST, checks.RecordListPart, checks.RecordCheck, Scope.OPERATOR,
        "A part of my list of a day's charge records; with the last one, how the hub's differs", signed=True,
        errors=(Code.ID_REUSED, Code.RULE_VIOLATED), max_body=LIST_BYTES_MOST),
    op("list_record_checks", "GET /v1/record-checks", Empty, checks.RecordCheckPage, _READERS,
        "Daily checks of either side's list; an operator sees its own", staff_role="clearing", paged=True,
        query=checks.RecordCheckQuery),
    op("get_record_check", "GET /v1/record-checks/{check_id}", Empty, checks.RecordCheck, _READERS,
        "One check with its first differences", staff_role="clearing"),
    op("list_record_differences", "GET /v1/record-checks/{check_id}/differences", Empty,
        checks.RecordDifferencePage, _READERS, "Everything a check found", staff_role="clearing", paged=True),
)  # fmt: skip

OF_OPERATORS = (
    op("check_records", _LIST, checks.RecordListPart, checks.RecordListReply, Scope.HUB,
        "Home or host: a part of the hub's list of a day; with the last one, how yours differs", signed=True,
        max_body=LIST_BYTES_MOST),
)  # fmt: skip
