"""What the hub serves about tariffs and where they apply."""

from operator_sdk.contract.messages import directory
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Operation, Scope, op
from operator_sdk.contract.public_codes import Code

TARIFFS: tuple[Operation, ...] = (
    op(
        "put_tariff",
        "PUT /v1/tariffs/{tariff_id}/versions/{version}",
        directory.TariffPut,
        directory.Tariff,
        Scope.OPERATOR,
        "Publish a version of a tariff",
        role="host",
        errors=(Code.ID_REUSED, Code.RULE_VIOLATED),
    ),
    op(
        "assign_tariff",
        "POST /v1/tariff-assignments",
        directory.TariffAssignmentPut,
        directory.TariffAssignment,
        Scope.OPERATOR,
        "Say where a tariff applies",
        role="host",
        errors=(Code.ID_REUSED, Code.RULE_VIOLATED, Code.TARIFF_UNKNOWN, Code.NO_AGREEMENT),
        max_body=4_096,
    ),
    op(
        "list_tariff_assignments",
        "GET /v1/tariff-assignments",
        Empty,
        directory.TariffAssignmentPage,
        Scope.OPERATOR,
        "Where my tariffs apply, and the tariffs that hosts have agreed with me",
        paged=True,
    ),
)
