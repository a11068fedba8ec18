"""The thin typed methods of the async client about tariffs and where they apply."""

from datetime import datetime

from operator_sdk.client import calls_tariffs as calls
from operator_sdk.client.runner import AsyncRunner
from operator_sdk.contract.messages import directory


class AsyncTariffsMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_tariffs`, with the same names and arguments."""

    async def put_tariff(self, tariff_id: str, version: int, message: directory.TariffPut) -> directory.Tariff:
        """Publish a version of a tariff."""
        return await self.run(calls.put_tariff(tariff_id, version, message))

    async def assign_tariff(self, message: directory.TariffAssignmentPut) -> directory.TariffAssignment:
        """Say where a tariff applies."""
        return await self.run(calls.assign_tariff(message))

    async def list_tariff_assignments(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> directory.TariffAssignmentPage:
        """Where my tariffs apply, and the tariffs that hosts have agreed with me."""
        call = calls.list_tariff_assignments(limit=limit, after=after, updated_since=updated_since)
        return await self.run(call)
