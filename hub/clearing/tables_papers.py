"""What statements are made of: grouped or formatted by the database, and streamed party by party."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import text as sql_text
from sqlmodel import func, select

from hub.clearing.model_papers import Line, Part
from hub.clearing.tables import ObligationRow
from hub.core.database import Unit
from hub.parties.scope import PartyScope

# Whole rows take four times as long to read, and hold up whoever else is served meanwhile.
_LINE: Any = tuple(getattr(ObligationRow, name) for name in Line.__annotations__)

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


async def list_lines(viewer: PartyScope, unit: Unit, cycle_id: str) -> Sequence[Line]:
    """The obligations of a cycle that the viewer owes or is owed, in order of id; what papers say of them."""
    statement = select(*_LINE).where(ObligationRow.cycle_id == cycle_id, _sees(viewer)).order_by(_LINE[0])
    rows: Sequence[Any] = (await unit.session.exec(statement)).all()
    return rows


def _sees(viewer: PartyScope) -> Any:
    return viewer.sees(ObligationRow.debtor_party_id, ObligationRow.creditor_party_id)


async def count_lines(viewer: PartyScope, unit: Unit, cycle_id: str) -> int:
    """How many obligations of a cycle the viewer owes or is owed."""
    members = select(func.count()).select_from(ObligationRow).where(ObligationRow.cycle_id == cycle_id)
    return (await unit.session.exec(members.where(_sees(viewer)))).one()


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
    current: str | None = None
    rows: list[Any] = []
    async for block in unit.blocks(sql_text(statement).bindparams(cycle_id=cycle_id)):
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
