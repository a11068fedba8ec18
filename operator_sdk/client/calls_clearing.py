"""The typed calls about closing cycles, papers and rates of commission: most are for the hub's staff."""

from typing import Literal

from operator_sdk.client.request import Call, QueryValue, hub_operation
from operator_sdk.contract.messages import clearing

PaperForm = Literal["pdf", "xlsx", "csv", "html"]


def close_cycle(message: clearing.CycleClose) -> Call[clearing.CycleResult]:
    """Staff: cut the open cycle off."""
    return Call(hub_operation("close_cycle"), clearing.CycleResult, message, {})


def get_cycle(cycle_id: str) -> Call[clearing.CycleResult]:
    """Staff: a cycle with everybody's position."""
    return Call(hub_operation("get_cycle"), clearing.CycleResult, None, {"cycle_id": cycle_id})


def get_statement_paper(cycle_id: str, form: PaperForm) -> Call[bytes]:
    """My statement as a file; as PDF or XLSX up to 10,000 lines."""
    return Call(hub_operation("get_statement"), bytes, None, {"cycle_id": cycle_id}, {"format": form})


def get_party_statement(cycle_id: str, party_id: str) -> Call[clearing.Statement]:
    """Staff: anybody's statement."""
    path = {"cycle_id": cycle_id, "party_id": party_id}
    return Call(hub_operation("get_party_statement"), clearing.Statement, None, path)


def get_party_statement_paper(cycle_id: str, party_id: str, form: PaperForm) -> Call[bytes]:
    """Staff: anybody's statement as a file; as PDF or XLSX up to 10,000 lines."""
    path = {"cycle_id": cycle_id, "party_id": party_id}
    return Call(hub_operation("get_party_statement"), bytes, None, path, {"format": form})


def list_cycle_obligations(
    cycle_id: str, *, limit: int | None = None, after: str | None = None
) -> Call[clearing.ObligationPage]:
    """Staff: all obligations of a cycle, in order of id."""
    query: dict[str, QueryValue] = {"limit": limit, "after": after}
    return Call(
        hub_operation("list_cycle_obligations"), clearing.ObligationPage, None, {"cycle_id": cycle_id}, query
    )


def add_commission_rate(message: clearing.CommissionRateAdd) -> Call[clearing.CommissionRate]:
    """Staff: what the hub takes of a fee from a day on."""
    return Call(hub_operation("add_commission_rate"), clearing.CommissionRate, message, {})


def list_commission_rates() -> Call[clearing.CommissionRateList]:
    """Staff: every rate of commission there ever was."""
    return Call(hub_operation("list_commission_rates"), clearing.CommissionRateList, None, {})


def put_station_group(party_id: str, message: clearing.StationGroupPut) -> Call[clearing.StationGroups]:
    """Staff: the stations of a group that rates may name."""
    return Call(hub_operation("put_station_group"), clearing.StationGroups, message, {"party_id": party_id})


def list_station_groups(party_id: str) -> Call[clearing.StationGroups]:
    """Staff: an owner's groups of stations."""
    return Call(hub_operation("list_station_groups"), clearing.StationGroups, None, {"party_id": party_id})


def add_tax_code(message: clearing.TaxCodeAdd) -> Call[clearing.TaxCode]:
    """Staff: a tax code from a day on."""
    return Call(hub_operation("add_tax_code"), clearing.TaxCode, message, {})


def list_tax_codes() -> Call[clearing.TaxCodeList]:
    """Staff: every tax code there ever was."""
    return Call(hub_operation("list_tax_codes"), clearing.TaxCodeList, None, {})
