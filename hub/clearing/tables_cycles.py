"""Which cycle is open, who is in it, and what it comes to: one statement each, however many obligations.

Nothing here brings the obligations of a cycle into memory; `stream_lines` and `stream_pairs` hand
them out by blocks.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, case, cast, delete, func, literal, tuple_, union_all, update
from sqlalchemy import select as columns
from sqlalchemy import text as sql_text
from sqlmodel import col, select

from hub.clearing.model import Gross
from hub.clearing.tables import CYCLE, OBLIGATION, POSITION, CycleRow, ObligationRow, lock_cycle
from hub.core.database import Unit
from hub.core.tables import insert_new
from operator_sdk.contract.codes import CycleState, ObligationKind

_FRESH = {"populate_existing": True}
_FEN = BigInteger()


async def insert_open_cycle(
    unit: Unit,
    cycle_id: str,
    *,
    currency: str,
    frequency: str,
    opened_at: datetime,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Open a cycle, unless another unit has just done so."""
    await insert_new(
        unit,
        CycleRow,
        cycle_id=cycle_id,
        currency=currency,
        frequency=frequency,
        state=CycleState.OPEN.value,
        opened_at=opened_at,
        due_at=due_at,
        obligations=0,
        updated_at=now,
    )


async def enter_open_cycle(unit: Unit, *, currency: str, frequency: str) -> str | None:
    """The open cycle, which cannot be frozen before this unit ends; who cuts it off is not waited for.

    None: there is none, or the one there was has just been cut off.
    """
    statement = (
        columns(CYCLE.c.cycle_id)
        .where(
            CYCLE.c.currency == currency,
            CYCLE.c.frequency == frequency,
            CYCLE.c.state == CycleState.OPEN.value,
        )
        .with_for_update(read=True, key_share=True)
    )
    cycle_id: str | None = (await unit.execute(statement)).scalar()
    return cycle_id


async def lock_open_cycle(unit: Unit, *, currency: str, frequency: str) -> CycleRow | None:
    """The cycle that is open once its lock is ours: who waited for a cut-off gets the one opened by it."""
    statement = columns(CYCLE.c.cycle_id).where(
        CYCLE.c.currency == currency,
        CYCLE.c.frequency == frequency,
        CYCLE.c.state == CycleState.OPEN.value,
    )
    while (cycle_id := (await unit.execute(statement)).scalar()) is not None:
        cycle = await lock_cycle(unit, cycle_id)
        if cycle is not None and cycle.state == CycleState.OPEN:
            return cycle
    return None


async def lock_cycle_alone(unit: Unit, cycle_id: str) -> CycleRow | None:
    """A cycle's row once nobody accepts into it. For cycles that are cut off: none follow."""
    statement = select(CycleRow).where(CycleRow.cycle_id == cycle_id).with_for_update()
    return (await unit.session.exec(statement, execution_options=_FRESH)).first()


async def unfrozen_cycle(unit: Unit, *, currency: str, frequency: str) -> str | None:
    """A cycle whose cut-off is made and whose membership is not known yet."""
    statement = columns(CYCLE.c.cycle_id).where(
        CYCLE.c.currency == currency,
        CYCLE.c.frequency == frequency,
        CYCLE.c.state == CycleState.CUT_OFF.value,
        CYCLE.c.frozen_at.is_(None),
    )
    found: str | None = (await unit.execute(statement)).scalar()
    return found


async def cycle_cut_at(unit: Unit, *, currency: str, frequency: str, cutoff_at: datetime) -> str | None:
    """The cycle with this very cut-off."""
    statement = columns(CYCLE.c.cycle_id).where(
        CYCLE.c.currency == currency, CYCLE.c.frequency == frequency, CYCLE.c.cutoff_at == cutoff_at
    )
    found: str | None = (await unit.execute(statement)).scalar()
    return found


async def due_cycles(unit: Unit, now: datetime) -> list[CycleRow]:
    """Cycles with a step due, the oldest first."""
    statement = (
        select(CycleRow).where(col(CycleRow.due_at) <= now).order_by(col(CycleRow.due_at), CycleRow.cycle_id)
    )
    return list((await unit.session.exec(statement)).all())


async def move_late(unit: Unit, cycle: CycleRow, *, to: str, day: str, now: datetime) -> int:
    """Whatever was accepted on the day of the cut-off at or after its instant, or on a later day, goes on.

    Few, found by their index. `day` is that of the cut-off. Returns how many went.
    """
    assert cycle.cutoff_at is not None, "late is after a cut-off"
    late = tuple_(OBLIGATION.c.booked_day, OBLIGATION.c.accepted_at) >= tuple_(
        literal(day), literal(cycle.cutoff_at, OBLIGATION.c.accepted_at.type)
    )
    statement = (
        update(OBLIGATION)
        .where(OBLIGATION.c.cycle_id == cycle.cycle_id, late)
        .values(cycle_id=to, updated_at=now)
    )
    return (await unit.execute(statement)).rowcount


async def count_members(unit: Unit, cycle_id: str) -> int:
    """How many obligations a cycle has."""
    statement = columns(func.count()).where(OBLIGATION.c.cycle_id == cycle_id)
    return int((await unit.execute(statement)).scalar_one())


async def commissions_of(unit: Unit, cycle_id: str) -> dict[str, int]:
    """What each host owes the hub for a cycle's records, credits taken off; negative: the hub owes the host."""
    charge, commission = OBLIGATION.c.kind == ObligationKind.CHARGE.value, OBLIGATION.c.commission_fen
    host = case((charge, OBLIGATION.c.creditor_party_id), else_=OBLIGATION.c.debtor_party_id).label("host")
    taken = cast(func.sum(case((charge, commission), else_=-commission)), _FEN)
    kinds = (ObligationKind.CHARGE.value, ObligationKind.CREDIT.value)
    statement = (
        columns(host, taken)
        .where(OBLIGATION.c.cycle_id == cycle_id, OBLIGATION.c.kind.in_(kinds), commission > 0)
        .group_by(host)
        .order_by(host)
    )
    return {row[0]: row[1] for row in await _rows(unit, statement) if row[1]}


async def commission_rows(unit: Unit, cycle_id: str) -> dict[tuple[str, str], ObligationRow]:
    """A cycle's commission obligations by (debtor, creditor)."""
    statement = select(ObligationRow).where(
        ObligationRow.cycle_id == cycle_id, ObligationRow.kind == ObligationKind.COMMISSION.value
    )
    rows = (await unit.session.exec(statement)).all()
    return {(row.debtor_party_id, row.creditor_party_id): row for row in rows}


def _pairs(cycle_id: str) -> Any:
    debtor, creditor = OBLIGATION.c.debtor_party_id, OBLIGATION.c.creditor_party_id
    return (
        columns(
            debtor.label("debtor"),
            creditor.label("creditor"),
            cast(func.sum(OBLIGATION.c.amount_fen), _FEN).label("fen"),
            func.count().label("obligations"),
        )
        .where(OBLIGATION.c.cycle_id == cycle_id)
        .group_by(debtor, creditor)
    )


async def gross_by_party(unit: Unit, cycle_id: str) -> dict[str, Gross]:
    """Both sides of every party that a cycle's obligations name: the netting, in one pass over them."""
    pairs = _pairs(cycle_id).cte("pairs")
    nothing = literal(0, _FEN)
    sides = union_all(
        columns(pairs.c.debtor.label("party"), pairs.c.fen.label("owes"), nothing.label("is_owed")),
        columns(pairs.c.creditor, nothing, pairs.c.fen),
    ).subquery("sides")
    statement = columns(
        sides.c.party, cast(func.sum(sides.c.owes), _FEN), cast(func.sum(sides.c.is_owed), _FEN)
    ).group_by(sides.c.party)
    return {row[0]: Gross(row[1], row[2]) for row in await _rows(unit, statement)}


async def stream_pairs(unit: Unit, cycle_id: str) -> AsyncIterator[list[tuple[str, str, int, int]]]:
    """(debtor, creditor, fen, obligations) of a cycle in order of the bytes of both ids, by blocks."""
    order = (
        ("debtor", "creditor") if unit.dialect == "sqlite" else ('debtor COLLATE "C"', 'creditor COLLATE "C"')
    )
    pairs = _pairs(cycle_id).subquery("pairs")
    statement = columns(pairs).order_by(*(sql_text(name) for name in order))
    async for rows in unit.blocks(statement):
        yield [(row[0], row[1], row[2], row[3]) for row in rows]


_LINE = (
    "obligation_id",
    "kind",
    "debtor_party_id",
    "creditor_party_id",
    "amount_fen",
    "currency",
    "booked_day",
)
_JSON = {"sqlite": "json_quote({})", "postgresql": "to_json({})::text"}


async def stream_lines(unit: Unit, cycle_id: str) -> AsyncIterator[tuple[bytes, int]]:
    """A cycle's obligations in order of id, as they are hashed, by blocks; each with how many they are.

    A line is the JSON array [obligation_id, kind, debtor, creditor, amount_fen, currency, booked_day,
    record_id], without blanks, in UTF-8, and ends with a line feed (operator_sdk.contract.cycle_proof).
    """
    quoted = _JSON[unit.dialect]
    fields = [name if name == "amount_fen" else quoted.format(name) for name in _LINE]
    fields.append(f"coalesce({quoted.format('record_id')}, 'null')")
    line = " || ',' || ".join(fields)
    statement = (
        columns(sql_text(f"'[' || {line} || ']' AS line"))
        .select_from(OBLIGATION)
        .where(OBLIGATION.c.cycle_id == cycle_id)
        .order_by(OBLIGATION.c.obligation_id)
    )
    async for rows in unit.blocks(statement):
        yield b"".join(row[0].encode() + b"\n" for row in rows), len(rows)


async def _rows(unit: Unit, statement: Any) -> list[Any]:
    return list(await unit.execute(statement))


async def replace_positions(unit: Unit, cycle_id: str, sides: Mapping[str, Gross]) -> None:
    """Write everybody's position anew."""
    await unit.execute(delete(POSITION).where(POSITION.c.cycle_id == cycle_id))
    rows = [
        {
            "cycle_id": cycle_id,
            "party_id": party,
            "owes_fen": side.owes_fen,
            "is_owed_fen": side.is_owed_fen,
            "amount_fen": side.net_fen,
        }
        for party, side in sides.items()
    ]
    if rows:
        await (await unit.session.connection()).execute(POSITION.insert(), rows)


async def positions_of(unit: Unit, cycle_id: str) -> dict[str, Gross]:
    """Both sides of everybody in a netted cycle, in order of party id."""
    statement = columns(POSITION.c.party_id, POSITION.c.owes_fen, POSITION.c.is_owed_fen).where(
        POSITION.c.cycle_id == cycle_id
    )
    rows = await _rows(unit, statement)
    return {row[0]: Gross(row[1], row[2]) for row in sorted(rows, key=lambda row: str(row[0]))}
