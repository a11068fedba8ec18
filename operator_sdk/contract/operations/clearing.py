"""What the hub serves about obligations, cycles, statements, suspense and rates of commission."""

from operator_sdk.contract.messages import clearing
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

PAPERS = (
    "text/csv",
    "text/html",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
CLEARING = (
    op("list_obligations", "GET /v1/obligations", Empty, clearing.ObligationPage, Scope.OPERATOR,
        "What I owe and am owed", paged=True),
    op("list_cycles", "GET /v1/cycles", Empty, clearing.CyclePage, (Scope.OPERATOR, Scope.STAFF),
        "Clearing cycles", paged=True),
    op("get_statement", "GET /v1/cycles/{cycle_id}/statement", Empty, clearing.Statement, Scope.OPERATOR,
        "My statement; as PDF and XLSX up to 10,000 lines", query=clearing.StatementQuery, media=PAPERS,
        errors=(Code.STATE_CONFLICT, Code.RULE_VIOLATED)),
    op("close_cycle", "POST /v1/staff/cycles/close", clearing.CycleClose, clearing.CycleResult, Scope.STAFF,
        "Cut the open cycle off", role="clearing", errors=(Code.STATE_CONFLICT, Code.RULE_VIOLATED)),
    op("get_cycle", "GET /v1/staff/cycles/{cycle_id}", Empty, clearing.CycleResult, Scope.STAFF,
        "A cycle with everybody's position", role="clearing"),
    op("get_party_statement", "GET /v1/staff/cycles/{cycle_id}/statements/{party_id}",
        Empty, clearing.Statement, Scope.STAFF, "Anybody's statement", role="clearing",
        query=clearing.StatementQuery, media=PAPERS, errors=(Code.STATE_CONFLICT, Code.RULE_VIOLATED)),
    op("list_cycle_obligations", "GET /v1/staff/cycles/{cycle_id}/obligations", Empty, clearing.ObligationPage,
        Scope.STAFF, "All obligations of a cycle, in order of id", role="clearing", paged=True),
    op("add_commission_rate", "POST /v1/staff/commission-rates", clearing.CommissionRateAdd,
        clearing.CommissionRate, Scope.STAFF, "What the hub takes of a fee from a day on", role="clearing",
        errors=(Code.RULE_VIOLATED, Code.ID_REUSED), success=201),
    op("list_commission_rates", "GET /v1/staff/commission-rates", Empty, clearing.CommissionRateList,
        Scope.STAFF, "Every rate of commission there ever was", role="clearing"),
    op("put_station_group", "PUT /v1/staff/station-groups/{party_id}",
        clearing.StationGroupPut, clearing.StationGroups, Scope.STAFF,
        "The stations of a group that rates may name", role="clearing"),
    op("list_station_groups", "GET /v1/staff/station-groups/{party_id}", Empty, clearing.StationGroups,
        Scope.STAFF, "An owner's groups of stations", role="clearing"),
    op("add_tax_code", "POST /v1/staff/tax-codes", clearing.TaxCodeAdd, clearing.TaxCode, Scope.STAFF,
        "A tax code from a day on", role="clearing", errors=(Code.RULE_VIOLATED, Code.ID_REUSED), success=201),
    op("list_tax_codes", "GET /v1/staff/tax-codes", Empty, clearing.TaxCodeList, Scope.STAFF,
        "Every tax code there ever was", role="clearing"),
)  # fmt: skip
