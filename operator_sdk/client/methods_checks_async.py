"""The thin typed methods of the async client about daily checks of charge records."""

from datetime import datetime

from operator_sdk.client import calls_checks
from operator_sdk.client.runner import AsyncRunner
from operator_sdk.contract.messages import checks


class AsyncChecksMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_checks`, with the same names and arguments."""

    async def check_records(self, message: checks.RecordListPart) -> checks.RecordCheck:
        """A part of my list of a day; with the last one, how the hub's differs."""
        return await self.run(calls_checks.check_records(message))

    async def list_record_checks(
        self,
        *,
        day: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
    ) -> checks.RecordCheckPage:
        """Daily checks, of one day or of all."""
        return await self.run(
            calls_checks.list_record_checks(day=day, limit=limit, after=after, updated_since=updated_since)
        )

    async def get_record_check(self, check_id: str) -> checks.RecordCheck:
        """One check with its first differences."""
        return await self.run(calls_checks.get_record_check(check_id))

    async def list_record_differences(
        self, check_id: str, *, limit: int | None = None, after: str | None = None
    ) -> checks.RecordDifferencePage:
        """Everything a check found."""
        return await self.run(calls_checks.list_record_differences(check_id, limit=limit, after=after))
