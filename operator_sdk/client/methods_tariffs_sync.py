"""The thin typed methods of the sync client about tariffs and where they apply."""

from datetime import datetime

from operator_sdk.client import calls_tariffs as calls
from operator_sdk.client.runner import SyncRunner
from operator_sdk.contract.messages import directory


class SyncTariffsMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_tariffs`, with the same names and arguments."""

    def put_tariff(self, tariff_id: str, version: int, message: directory.TariffPut) -> directory.Tariff:
        """Publish a version of a tariff."""
        return self.run(calls.put_tariff(tariff_id, version, message))

    def assign_tariff(self, message: directory.TariffAssignmentPut) -> directory.TariffAssignment:
        """Say where a tariff applies."""
        return self.run(calls.assign_tariff(message))

    def list_tariff_assignments(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> directory.TariffAssignmentPage:
        """Where my tariffs apply, and the tariffs that hosts have agreed with me."""
        call = calls.list_tariff_assignments(limit=limit, after=after, updated_since=updated_since)
        return self.run(call)
