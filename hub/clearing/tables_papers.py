"""What statements are made of: grouped or formatted by the database, and streamed party by party."""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import text as sql_text

from hub.clearing.model_papers import Part
from hub.core.database import Unit

BLOCK = 5_000

_PARTS = """
SELECT party, counterparty, sign, kind, booked_day, count(*), {sums} FROM (
    SELECT debtor_party_id AS party, creditor_party_id AS counterparty, -1 AS sign, * FROM obligation
    WHERE cycle_id = :cycle_id
    UNION ALL
    SELECT creditor_party_id, debtor_party_id, 1, * FROM obligation WHERE cycle_id = :cycle_id
) AS side
GROUP BY party, counterparty, sign, kind, booked_day
ORDER BY party, counterparty, sign, kind, booked_day
"""
_SUMMED = ("amount_fen", "electricity_fen", "service_fen", "parking_fen", "idle_fen", "coalesce(energy_wh, 0)")

_YUAN = {
    "sqlite": "printf('%s%d.%02d', CASE WHEN fen < 0 THEN '-' ELSE '' END, abs(fen) / 100, abs(fen) % 100)",
    "postgresql": "to_char(fen / 100.0, 'FM9999999999999990.00')",
}
# Ids and party ids hold no comma, quote or sign; the free text of a line is the same for a whole file.
_LINES = """
SELECT party, obligation_id || ',' || kind || ',' || counterparty || ',' || fen || ',' || {yuan} || ',' ||
    currency || ',' || booked_day || ',' || coalesce(record_id, '') || ',' || coalesce(session_id, '') || ',' ||
    coalesce(CAST(energy_wh AS text), '')
FROM (
    SELECT debtor_party_id AS party, creditor_party_id AS counterparty, -amount_fen AS fen, obligation_id, kind,
        currency, booked_day, record_id, session_id, energy_wh FROM obligation WHERE cycle_id = :cycle_id
    UNION ALL
    SELECT creditor_party_id, debtor_party_id, amount_fen, obligation_id, kind,
        currency, booked_day, record_id, session_id, energy_wh FROM obligation WHERE cycle_id = :cycle_id
) AS side
ORDER BY {party}, obligation_id
"""


async def stream_parts(unit: Unit, cycle_id: str) -> AsyncIterator[tuple[str, list[Part]]]:
    """Each party that a cycle names, with its parts."""
    sums = ", ".join(f"CAST(sum({column}) AS bigint)" for column in _SUMMED)
    statement = _PARTS.format(sums=sums)
    async for party, rows in _by_party(unit, statement, cycle_id):
        yield party, [Part(*row[1:]) for row in rows]


async def stream_csv_lines(unit: Unit, cycle_id: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Each party that a cycle names, with the cells of its lines behind the first three; in blocks, so a party
    may come more than once in a row.
    """
    party = "party" if unit.dialect == "sqlite" else 'party COLLATE "C"'
    statement = _LINES.format(yuan=_YUAN[unit.dialect], party=party)
    async for name, rows in _by_party(unit, statement, cycle_id, whole=False):
        yield name, [row[1] for row in rows]


async def _by_party(
    unit: Unit, statement: str, cycle_id: str, *, whole: bool = True
) -> AsyncIterator[tuple[str, list[Any]]]:
    connection = await unit.session.connection()
    result = await connection.stream(
        sql_text(statement), {"cycle_id": cycle_id}, execution_options={"yield_per": BLOCK}
    )
    current: str | None = None
    rows: list[Any] = []
    async for block in result.partitions():
        for row in block:
            if row[0] != current:
                if current is not None and rows:
                    yield current, rows
                current, rows = row[0], []
            rows.append(row)
        if not whole and current is not None:
            yield current, rows
            rows = []
    if current is not None and rows:
        yield current, rows
