"""Signatures' nonces, each used up once, many in one commit."""

from datetime import datetime
from typing import Any

from hub.core.database import Database
from hub.core.errors import HubError
from hub.core.group_writer import Gatherer, GroupWriter, Outcomes
from hub.core.statements import Statements
from hub.core.tables import claim_nonce
from operator_sdk.contract.public_codes import Code

CLAIM = """
INSERT INTO request_nonce SELECT * FROM jsonb_populate_recordset(NULL::request_nonce, $1::jsonb)
ON CONFLICT DO NOTHING RETURNING key_id, nonce
"""


class Nonces:
    """Claims nonces: one statement for all who wait on PostgreSQL, savepoints of one unit on SQLite."""

    def __init__(self, database: Database, writer: GroupWriter) -> None:
        self._writer = writer
        self._statements = Statements(database.driver_url) if database.driver_url else None
        self._gatherer: Gatherer[dict[str, Any]] = Gatherer(self._claim_all)

    async def claim(self, key_id: str, nonce: str, now: datetime) -> None:
        """Use a nonce up, durably.

        Raises:
            HubError: replayed, it was used before.
        """
        if self._statements is None:
            await self._writer.write(lambda unit: claim_nonce(unit, key_id=key_id, nonce=nonce, now=now))
        else:
            await self._gatherer.put({"key_id": key_id, "nonce": nonce, "seen_at": now})

    async def _claim_all(self, items: list[dict[str, Any]]) -> Outcomes:
        assert self._statements is not None
        rows = await self._statements.run(CLAIM, items)
        fresh = {(row["key_id"], row["nonce"]) for row in rows}
        outcomes: list[HubError | None] = []
        for item in items:
            key = (item["key_id"], item["nonce"])
            # Of two equal ones in one group the first has it; the second is the replay.
            outcomes.append(None if key in fresh else HubError(Code.REPLAYED))
            fresh.discard(key)
        return outcomes

    async def close(self) -> None:
        """Close the connection."""
        if self._statements is not None:
            await self._statements.close()
