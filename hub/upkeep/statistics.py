"""How many orders there are, and how long they take; exact, over all of them."""

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.parties.scope import PartyScope
from hub.upkeep.model import rank_of
from hub.upkeep.tables import find_overdue_count, find_span_at, find_span_count, list_counts
from operator_sdk.contract.messages.upkeep import NamedCount, Spread, StatisticsQuery, WorkOrderStatistics

MEDIAN, NINETIETH = 50, 90


class Statistics:
    """Answers from the database as it is."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def all(self, viewer: PartyScope, query: StatisticsQuery) -> WorkOrderStatistics:
        """Counts per state, host and kind; what is overdue; how long until accepted and until done."""
        host = query.host_party_id
        async with self._database.reading() as unit:
            counts = [
                await list_counts(viewer, unit, column, host_party_id=host)
                for column in ("state", "host_party_id", "kind")
            ]
            states, hosts, kinds = ([NamedCount(name=n, count=c) for n, c in rows] for rows in counts)
            return WorkOrderStatistics(
                total=sum(one.count for one in states),
                overdue=await find_overdue_count(viewer, unit, self._clock.business(), host_party_id=host),
                states=states,
                hosts=hosts,
                kinds=kinds,
                to_accept=await self._spread(viewer, unit, "accept_s", host),
                to_done=await self._spread(viewer, unit, "done_s", host),
            )

    async def _spread(self, viewer: PartyScope, unit: Unit, span: str, host: str | None) -> Spread:
        count = await find_span_count(viewer, unit, span, host_party_id=host)
        if not count:
            return Spread(count=0, median_s=None, p90_s=None)
        median, ninetieth = [
            await find_span_at(viewer, unit, span, rank_of(percent, count), host_party_id=host)
            for percent in (MEDIAN, NINETIETH)
        ]
        return Spread(count=count, median_s=median, p90_s=ninetieth)
