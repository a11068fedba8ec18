"""The thin typed methods of the async client about closing cycles, papers and rates of commission."""

from operator_sdk.client import calls_clearing
from operator_sdk.client.calls_clearing import PaperForm
from operator_sdk.client.runner import AsyncRunner
from operator_sdk.contract.messages import clearing


class AsyncClearingMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_clearing`, with the same names and arguments."""

    async def close_cycle(self, message: clearing.CycleClose) -> clearing.CycleResult:
        """Staff: cut the open cycle off."""
        return await self.run(calls_clearing.close_cycle(message))

    async def get_cycle(self, cycle_id: str) -> clearing.CycleResult:
        """Staff: a cycle with everybody's position."""
        return await self.run(calls_clearing.get_cycle(cycle_id))

    async def get_statement_paper(self, cycle_id: str, form: PaperForm = "pdf") -> bytes:
        """My statement as a file; as PDF or XLSX up to 10,000 lines."""
        return await self.run(calls_clearing.get_statement_paper(cycle_id, form))

    async def get_party_statement(self, cycle_id: str, party_id: str) -> clearing.Statement:
        """Staff: anybody's statement."""
        return await self.run(calls_clearing.get_party_statement(cycle_id, party_id))

    async def get_party_statement_paper(self, cycle_id: str, party_id: str, form: PaperForm = "pdf") -> bytes:
        """Staff: anybody's statement as a file; as PDF or XLSX up to 10,000 lines."""
        return await self.run(calls_clearing.get_party_statement_paper(cycle_id, party_id, form))

    async def list_cycle_obligations(
        self, cycle_id: str, *, limit: int | None = None, after: str | None = None
    ) -> clearing.ObligationPage:
        """Staff: all obligations of a cycle, in order of id."""
        return await self.run(calls_clearing.list_cycle_obligations(cycle_id, limit=limit, after=after))

    async def add_commission_rate(self, message: clearing.CommissionRateAdd) -> clearing.CommissionRate:
        """Staff: what the hub takes of a fee from a day on."""
        return await self.run(calls_clearing.add_commission_rate(message))

    async def list_commission_rates(self) -> clearing.CommissionRateList:
        """Staff: every rate of commission there ever was."""
        return await self.run(calls_clearing.list_commission_rates())

    async def put_station_group(
        self, party_id: str, message: clearing.StationGroupPut
    ) -> clearing.StationGroups:
        """Staff: the stations of a group that rates may name."""
        return await self.run(calls_clearing.put_station_group(party_id, message))

    async def list_station_groups(self, party_id: str) -> clearing.StationGroups:
        """Staff: an owner's groups of stations."""
        return await self.run(calls_clearing.list_station_groups(party_id))

    async def add_tax_code(self, message: clearing.TaxCodeAdd) -> clearing.TaxCode:
        """Staff: a tax code from a day on."""
        return await self.run(calls_clearing.add_tax_code(message))

    async def list_tax_codes(self) -> clearing.TaxCodeList:
        """Staff: every tax code there ever was."""
        return await self.run(calls_clearing.list_tax_codes())
