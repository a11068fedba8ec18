"""Connectors for the authorize path on PostgreSQL: all that are asked for at once, in one round trip.

`make bench` earns it: with thousands of connectors hardly one is remembered, and two statements through
SQLAlchemy cost more than the rest of an authorization.
"""

from datetime import datetime

import asyncpg
from sqlalchemy import String, literal_column
from sqlalchemy.dialects import postgresql

from hub.core.clock import Clock
from hub.core.group_writer import Gatherer, Outcomes
from hub.core.statements import Statements
from hub.core.types import UtcDateTime
from hub.directory.tables_tariffs import Where, applying

NOW = "($1::jsonb->>'now')::timestamptz"


def _applying() -> str:
    """The choice of `tables_tariffs`, for a row of FIND."""
    host, station, kind, own, home = (
        literal_column(f"found.{name}", String())
        for name in ("host_party_id", "station_id", "kind", "own_tariff_id", "home_party_id")
    )
    made = applying(Where(host, station, kind, own), home=home, at=literal_column(NOW, UtcDateTime()))
    return str(made.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]


# OFFSET 0 keeps the planner from joining whole tables for a handful of connectors.
FIND = f"""
SELECT found.*, v.tariff_id, v.version, v.valid_from, v.periods, v.currency, v.utc_offset_minutes, v.parking,
    v.idle, v.binding
FROM jsonb_to_recordset($1::jsonb->'keys')
    AS k(host_party_id text, connector_id text, home_party_id text)
CROSS JOIN LATERAL (
    SELECT c.host_party_id, c.connector_id, k.home_party_id, c.station_id, c.pile_id, p.kind, s.name,
        s.address, s.tariff_id AS own_tariff_id, t.state, t.at, c.rated_power_w AS plug_power_w,
        p.rated_power_w AS pile_power_w
    FROM connector c
    JOIN pile p USING (host_party_id, station_id, pile_id)
    JOIN station s USING (host_party_id, station_id)
    LEFT JOIN connector_status t USING (host_party_id, connector_id)
    WHERE c.host_party_id = k.host_party_id AND c.connector_id = k.connector_id AND NOT c.removed
    OFFSET 0) found
LEFT JOIN LATERAL (
    SELECT * FROM tariff_version v
    WHERE v.host_party_id = found.host_party_id AND v.tariff_id = {_applying()}
        AND v.valid_from <= {NOW}
    ORDER BY v.version DESC LIMIT 1) v ON true
"""  # noqa: S608 - made of nothing that anybody sent


class ConnectorStore:
    """Finds connectors with the tariff in force; a row has the columns of FIND."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._statements, self._clock = Statements(url), clock
        self._gatherer: Gatherer[tuple[str, str, str]] = Gatherer(self._find_all)

    async def find(self, party_id: str, connector_id: str, home: str) -> asyncpg.Record | None:
        """The connector's row with the tariff for the drivers of a home, or None."""
        row: asyncpg.Record | None = await self._gatherer.put((party_id, connector_id, home))
        return row

    async def _find_all(self, keys: list[tuple[str, str, str]]) -> Outcomes:
        now: datetime = self._clock.business()
        names = "host_party_id", "connector_id", "home_party_id"
        asked = [dict(zip(names, key, strict=True)) for key in sorted(set(keys))]
        rows = await self._statements.run(FIND, {"keys": asked, "now": now})
        found = {tuple(row[name] for name in names): row for row in rows}
        return [found.get(key) for key in keys]

    async def close(self) -> None:
        """Close the connection."""
        await self._statements.close()
