"""Connectors for the authorize path on PostgreSQL: all that are asked for at once, in one round trip.

`make bench` earns it: with thousands of connectors hardly one is remembered, and two statements through
SQLAlchemy cost more than the rest of an authorization.
"""

from datetime import datetime

import asyncpg

from hub.core.clock import Clock
from hub.core.group_writer import Gatherer, Outcomes
from hub.core.statements import Statements

# OFFSET 0 keeps the planner from joining whole tables for a handful of connectors.
FIND = """
SELECT found.*, v.version, v.valid_from, v.periods, v.currency, v.utc_offset_minutes
FROM jsonb_to_recordset($1::jsonb->'keys') AS k(host_party_id text, connector_id text)
CROSS JOIN LATERAL (
    SELECT c.host_party_id, c.connector_id, c.station_id, c.pile_id, p.kind, s.name, s.address,
        s.tariff_id, t.state, t.at, c.rated_power_w AS plug_power_w, p.rated_power_w AS pile_power_w
    FROM connector c
    JOIN pile p USING (host_party_id, station_id, pile_id)
    JOIN station s USING (host_party_id, station_id)
    LEFT JOIN connector_status t USING (host_party_id, connector_id)
    WHERE c.host_party_id = k.host_party_id AND c.connector_id = k.connector_id AND NOT c.removed
    OFFSET 0) found
LEFT JOIN LATERAL (
    SELECT * FROM tariff_version v
    WHERE v.host_party_id = found.host_party_id AND v.tariff_id = found.tariff_id
        AND v.valid_from <= ($1::jsonb->>'now')::timestamptz
    ORDER BY v.version DESC LIMIT 1) v ON true
"""


class ConnectorStore:
    """Finds connectors with the tariff in force; a row has the columns of FIND."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._statements, self._clock = Statements(url), clock
        self._gatherer: Gatherer[tuple[str, str]] = Gatherer(self._find_all)

    async def find(self, party_id: str, connector_id: str) -> asyncpg.Record | None:
        """The connector's row, or None."""
        row: asyncpg.Record | None = await self._gatherer.put((party_id, connector_id))
        return row

    async def _find_all(self, keys: list[tuple[str, str]]) -> Outcomes:
        now: datetime = self._clock.business()
        asked = [{"host_party_id": party, "connector_id": connector} for party, connector in sorted(set(keys))]
        rows = await self._statements.run(FIND, {"keys": asked, "now": now})
        found = {(row["host_party_id"], row["connector_id"]): row for row in rows}
        return [found.get(key) for key in keys]

    async def close(self) -> None:
        """Close the connection."""
        await self._statements.close()
