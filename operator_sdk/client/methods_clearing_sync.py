"""The thin typed methods of the sync client about closing cycles, papers and rates of commission."""

from operator_sdk.client import calls_clearing
from operator_sdk.client.calls_clearing import PaperForm
from operator_sdk.client.runner import SyncRunner
from operator_sdk.contract.messages import clearing


class SyncClearingMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_clearing`, with the same names and arguments."""

    def close_cycle(self, message: clearing.CycleClose) -> clearing.CycleResult:
        """Staff: cut the open cycle off."""
        return self.run(calls_clearing.close_cycle(message))

    def get_cycle(self, cycle_id: str) -> clearing.CycleResult:
        """Staff: a cycle with everybody's position."""
        return self.run(calls_clearing.get_cycle(cycle_id))

    def get_statement_paper(self, cycle_id: str, form: PaperForm = "pdf") -> bytes:
        """My statement as a file; as PDF or XLSX up to 10,000 lines."""
        return self.run(calls_clearing.get_statement_paper(cycle_id, form))

    def get_party_statement(self, cycle_id: str, party_id: str) -> clearing.Statement:
        """Staff: anybody's statement."""
        return self.run(calls_clearing.get_party_statement(cycle_id, party_id))

    def get_party_statement_paper(self, cycle_id: str, party_id: str, form: PaperForm = "pdf") -> bytes:
        """Staff: anybody's statement as a file; as PDF or XLSX up to 10,000 lines."""
        return self.run(calls_clearing.get_party_statement_paper(cycle_id, party_id, form))

    def list_cycle_obligations(
        self, cycle_id: str, *, limit: int | None = None, after: str | None = None
    ) -> clearing.ObligationPage:
        """Staff: all obligations of a cycle, in order of id."""
        return self.run(calls_clearing.list_cycle_obligations(cycle_id, limit=limit, after=after))

    def add_commission_rate(self, message: clearing.CommissionRateAdd) -> clearing.CommissionRate:
        """Staff: what the hub takes of a fee from a day on."""
        return self.run(calls_clearing.add_commission_rate(message))

    def list_commission_rates(self) -> clearing.CommissionRateList:
        """Staff: every rate of commission there ever was."""
        return self.run(calls_clearing.list_commission_rates())

    def put_station_group(self, party_id: str, message: clearing.StationGroupPut) -> clearing.StationGroups:
        """Staff: the stations of a group that rates may name."""
        return self.run(calls_clearing.put_station_group(party_id, message))

    def list_station_groups(self, party_id: str) -> clearing.StationGroups:
        """Staff: an owner's groups of stations."""
        return self.run(calls_clearing.list_station_groups(party_id))

    def add_tax_code(self, message: clearing.TaxCodeAdd) -> clearing.TaxCode:
        """Staff: a tax code from a day on."""
        return self.run(calls_clearing.add_tax_code(message))

    def list_tax_codes(self) -> clearing.TaxCodeList:
        """Staff: every tax code there ever was."""
        return self.run(calls_clearing.list_tax_codes())
