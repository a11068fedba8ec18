"""The authorize path on PostgreSQL: opening and granting, each one statement for many charges at once.

Each statement is a unit of work by itself and does only the ordinary: every id new, exposure there, nothing
decided yet. Anything else makes `must` undo the whole of it, and the ordinary path decides one by one. What
the rows hold comes from `drafting`, as everywhere. `make bench` earns it: authorize_vs_forwarder_ratio.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub.core.group_writer import Gatherer, Outcomes
from hub.core.statements import Declined, Statements
from hub.roaming.drafting import Row

OPEN = """
WITH claimed AS (
    INSERT INTO business_message
    SELECT * FROM jsonb_populate_recordset(NULL::business_message, $1::jsonb->'messages')
    ON CONFLICT DO NOTHING RETURNING 1),
reserved AS (
    UPDATE exposure e SET open_limits_fen = e.open_limits_fen + r.fen
    FROM jsonb_to_recordset($1::jsonb->'reserve') AS r(home_party_id text, fen bigint)
    WHERE e.home_party_id = r.home_party_id AND e.owed_fen + e.open_limits_fen + r.fen <= e.limit_fen
    RETURNING 1),
authorizations AS (
    INSERT INTO "authorization"
    SELECT * FROM jsonb_populate_recordset(NULL::"authorization", $1::jsonb->'authorizations') RETURNING 1),
sessions AS (
    INSERT INTO session
    SELECT * FROM jsonb_populate_recordset(NULL::session, $1::jsonb->'sessions') RETURNING 1),
legs AS (
    INSERT INTO leg SELECT * FROM jsonb_populate_recordset(NULL::leg, $1::jsonb->'legs')
    ON CONFLICT DO NOTHING),
lanes AS (
    INSERT INTO outbox_lane (lane, due_at) SELECT lane, due_at
    FROM jsonb_populate_recordset(NULL::outbox_letter, $1::jsonb->'letters')),
letters AS (
    INSERT INTO outbox_letter
        (letter_id, lane, kind, party_id, subject, payload, due_at, created_at, attempts)
    SELECT letter_id, lane, kind, party_id, subject, payload, due_at, created_at, 0
    FROM jsonb_populate_recordset(NULL::outbox_letter, $1::jsonb->'letters'))
SELECT must(
    (SELECT count(*) FROM claimed) = jsonb_array_length($1::jsonb->'messages')
    AND (SELECT count(*) FROM reserved) = jsonb_array_length($1::jsonb->'reserve'))
"""

GRANT = """
WITH grants AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb->'grants') AS g(
        authorization_id text, session_id text, limit_fen bigint, reserved_fen bigint, goal_fen bigint,
        home_ref text, driver_ref text, updated_at timestamptz)),
sessions AS (
    UPDATE session s SET state = 'authorized', limit_fen = g.limit_fen, goal_fen = g.goal_fen,
        home_ref = g.home_ref, driver_ref = g.driver_ref, updated_at = g.updated_at
    FROM grants g WHERE s.session_id = g.session_id AND s.state = 'requested' RETURNING s.session_id),
authorizations AS (
    -- joined to the sessions, so that a session is always locked before its authorization
    UPDATE "authorization" a SET state = 'granted', limit_fen = g.limit_fen,
        reserved_fen = g.reserved_fen, home_ref = g.home_ref, updated_at = g.updated_at
    FROM grants g JOIN sessions s ON s.session_id = g.session_id
    WHERE a.authorization_id = g.authorization_id AND a.state = 'pending' RETURNING 1),
exposures AS (
    UPDATE exposure e SET open_limits_fen = e.open_limits_fen + r.fen
    FROM jsonb_to_recordset($1::jsonb->'reserve') AS r(home_party_id text, fen bigint)
    WHERE e.home_party_id = r.home_party_id),
legs AS (
    INSERT INTO leg SELECT * FROM jsonb_populate_recordset(NULL::leg, $1::jsonb->'legs')
    ON CONFLICT DO NOTHING),
-- The timer of the question becomes the timer of the answer. By arrays and with coalesce: else the planner
-- walks the index of all open letters.
letters AS (
    UPDATE outbox_letter SET kind = 'authorization_unused',
        due_at = (SELECT max((t->>'due_at')::timestamptz) FROM jsonb_array_elements($1::jsonb->'timers') t)
    WHERE letter_id = ANY (ARRAY(SELECT t->>'letter_id' FROM jsonb_array_elements($1::jsonb->'timers') t))
        AND coalesce(done_at, dead_at) IS NULL RETURNING 1),
lanes AS (
    UPDATE outbox_lane SET
        due_at = (SELECT max((t->>'due_at')::timestamptz) FROM jsonb_array_elements($1::jsonb->'timers') t)
    WHERE lane = ANY (ARRAY(SELECT t->>'lane' FROM jsonb_array_elements($1::jsonb->'timers') t))
        AND lease_owner IS NULL RETURNING 1)
SELECT must(
    (SELECT count(*) FROM authorizations) = jsonb_array_length($1::jsonb->'grants')
    AND (SELECT count(*) FROM sessions) = jsonb_array_length($1::jsonb->'grants')
    AND (SELECT count(*) FROM letters) = jsonb_array_length($1::jsonb->'timers')
    AND (SELECT count(*) FROM lanes) = jsonb_array_length($1::jsonb->'timers'))
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one charge adds to a statement: rows by name, and fen to add to a home's open limits."""

    rows: dict[str, list[Row]]
    home_party_id: str
    reserve_fen: int


@dataclass(slots=True)
class _Writer:
    statements: Statements
    sql: str
    names: tuple[str, ...]
    gatherer: Gatherer[Rows] = field(init=False)

    def __post_init__(self) -> None:
        self.gatherer = Gatherer(self._work)

    async def _work(self, items: list[Rows]) -> Outcomes:
        try:
            await self.statements.run(self.sql, self._document(items))
        except Declined as declined:
            if len(items) == 1:
                return [declined]
            return [(await self._work([item]))[0] for item in items]
        return [None] * len(items)

    def _document(self, items: list[Rows]) -> dict[str, Any]:
        document: dict[str, Any] = {
            name: [row for item in items for row in item.rows[name]] for name in self.names
        }
        reserve: Counter[str] = Counter()
        for item in items:
            if item.reserve_fen:
                reserve[item.home_party_id] += item.reserve_fen
        document["reserve"] = [{"home_party_id": home, "fen": fen} for home, fen in sorted(reserve.items())]
        return document


class AuthorizeStore:
    """Writes openings and grants. `open` and `grant` raise Declined when the ordinary path must decide."""

    def __init__(self, url: str) -> None:
        self._opening = _Writer(
            Statements(url), OPEN, ("messages", "authorizations", "sessions", "legs", "letters")
        )
        self._granting = _Writer(Statements(url), GRANT, ("grants", "messages", "legs", "timers"))

    async def open(self, rows: Rows) -> None:
        """Write a pending authorization with everything around it, durably."""
        await self._opening.gatherer.put(rows)

    async def grant(self, rows: Rows) -> None:
        """Write the home's yes, durably."""
        await self._granting.gatherer.put(rows)

    async def close(self) -> None:
        """Close both connections."""
        await self._opening.statements.close()
        await self._granting.statements.close()
