"""The session-update path on PostgreSQL: many sessions' updates in two round trips and one commit.

Optimistic: sessions are read without a lock, and the writing statement holds only if none moved since. It
does the ordinary course (a charging session's next number); all else is declined and left to `following`, one
by one. `make bench` earns it: session_updates_per_s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg

from hub.core.group_writer import Gatherer, Outcomes
from hub.core.statements import Declined, Statements
from hub.roaming.drafting import Row
from operator_sdk.contract.messages.roaming import SessionUpdate

READ = """
SELECT * FROM session WHERE session_id IN (SELECT jsonb_array_elements_text($1::jsonb))
"""

WRITE = """
WITH changes AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::jsonb->'changes') AS c(
        session_id text, number_before int, state_before text, state text, started_at timestamptz,
        last_at timestamptz, ended_at timestamptz, last_number int, energy_wh bigint, amount_fen bigint,
        power_w int, shortfall_ws bigint, percent int, seconds_left int, stop_reason text,
        updated_at timestamptz)),
stored AS (
    INSERT INTO session_update
    SELECT * FROM jsonb_populate_recordset(NULL::session_update, $1::jsonb->'updates')
    ON CONFLICT DO NOTHING RETURNING 1),
moved AS (
    UPDATE session s SET state = c.state, started_at = c.started_at, last_at = c.last_at,
        ended_at = c.ended_at, last_number = c.last_number, energy_wh = c.energy_wh,
        amount_fen = c.amount_fen, power_w = c.power_w, shortfall_ws = c.shortfall_ws,
        percent = c.percent, seconds_left = c.seconds_left, stop_reason = c.stop_reason,
        updated_at = c.updated_at
    FROM changes c
    WHERE s.session_id = c.session_id AND s.last_number = c.number_before AND s.state = c.state_before
    RETURNING 1),
lanes AS (
    INSERT INTO outbox_lane AS known (lane, due_at)
    SELECT lane, due_at FROM jsonb_populate_recordset(NULL::outbox_letter, $1::jsonb->'letters')
    ON CONFLICT (lane) DO UPDATE SET due_at = least(known.due_at, excluded.due_at)),
letters AS (
    INSERT INTO outbox_letter
        (letter_id, lane, kind, party_id, subject, payload, newest_key, due_at, created_at, attempts)
    SELECT letter_id, lane, kind, party_id, subject, payload, newest_key, due_at, created_at, 0
    FROM jsonb_populate_recordset(NULL::outbox_letter, $1::jsonb->'letters'))
SELECT must(
    (SELECT count(*) FROM stored) = jsonb_array_length($1::jsonb->'updates')
    AND (SELECT count(*) FROM moved) = jsonb_array_length($1::jsonb->'changes'))
"""


@dataclass(frozen=True, slots=True)
class Pushed:
    """An update on its way in."""

    host_party_id: str
    session_id: str
    update: SessionUpdate


@dataclass(frozen=True, slots=True)
class Step:
    """What an update writes: one row each, and a letter to the home where the home follows."""

    update: Row
    change: Row
    letter: Row | None


Stepper = Callable[[asyncpg.Record, Pushed], Step | None]
"""The rules: what an update does to a session as read, or None when it is out of the ordinary."""


class UpdateStore:
    """Stores updates in groups; `put` raises Declined when the ordinary path must decide."""

    def __init__(self, url: str) -> None:
        self._statements = Statements(url)
        self._gatherer: Gatherer[tuple[Pushed, Stepper]] = Gatherer(self._work, most=128)

    async def put(self, pushed: Pushed, stepper: Stepper) -> Step:
        """Store an update, durably; what was written."""
        step: Step = await self._gatherer.put((pushed, stepper))
        return step

    async def _work(self, items: list[tuple[Pushed, Stepper]]) -> Outcomes:
        read = await self._statements.run(READ, sorted({item.session_id for item, _ in items}))
        sessions = {row["session_id"]: row for row in read}
        outcomes: list[Any] = []
        for item, stepper in items:
            # One update a session and statement: a second one waits for the ordinary path.
            session = sessions.pop(item.session_id, None)
            step = stepper(session, item) if session is not None else None
            outcomes.append(Declined() if step is None else step)
        steps = [outcome for outcome in outcomes if isinstance(outcome, Step)]
        if steps and not await self._write(steps):
            for i, outcome in enumerate(outcomes):
                if isinstance(outcome, Step) and not await self._write([outcome]):
                    outcomes[i] = Declined()
        return outcomes

    async def _write(self, steps: list[Step]) -> bool:
        document = {
            "updates": [step.update for step in steps],
            "changes": [step.change for step in steps],
            "letters": [step.letter for step in steps if step.letter is not None],
        }
        try:
            await self._statements.run(WRITE, document)
        except Declined:
            return False
        return True

    async def close(self) -> None:
        """Close the connection."""
        await self._statements.close()
