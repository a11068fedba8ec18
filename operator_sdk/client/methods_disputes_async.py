"""The thin typed methods of the async client about disputes."""

from datetime import datetime

from operator_sdk.client import calls_disputes
from operator_sdk.client.runner import AsyncRunner
from operator_sdk.contract.messages import disputes


class AsyncDisputesMethods(AsyncRunner):
    """One method per call of `operator_sdk.client.calls_disputes`, with the same names and arguments."""

    async def raise_dispute(self, message: disputes.DisputeRaise) -> disputes.Dispute:
        """Either side of a charge record: it is wrong."""
        return await self.run(calls_disputes.raise_dispute(message))

    async def list_disputes(
        self,
        *,
        state: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
    ) -> disputes.DisputePage:
        """The caller's own disputes, raised by either side; all of them for staff."""
        return await self.run(
            calls_disputes.list_disputes(
                state=state, order=order, limit=limit, after=after, updated_since=updated_since
            )
        )

    async def get_dispute(self, dispute_id: str) -> disputes.Dispute:
        """One dispute."""
        return await self.run(calls_disputes.get_dispute(dispute_id))

    async def answer_dispute(self, dispute_id: str, message: disputes.DisputeAnswer) -> disputes.Dispute:
        """The other side concedes or contests."""
        return await self.run(calls_disputes.answer_dispute(dispute_id, message))

    async def withdraw_dispute(self, dispute_id: str, message: disputes.DisputeWithdraw) -> disputes.Dispute:
        """Whoever raised it lets the record stand."""
        return await self.run(calls_disputes.withdraw_dispute(dispute_id, message))

    async def insist_dispute(self, dispute_id: str, message: disputes.DisputeInsist) -> disputes.Dispute:
        """Whoever raised it wants staff to decide."""
        return await self.run(calls_disputes.insist_dispute(dispute_id, message))

    async def resolve_dispute(self, dispute_id: str, message: disputes.DisputeResolve) -> disputes.Dispute:
        """Staff decide; a large one takes two people."""
        return await self.run(calls_disputes.resolve_dispute(dispute_id, message))
