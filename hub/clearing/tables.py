"""Rows of clearing and their queries.

The database holds what must not depend on anybody's care: one open cycle per currency and frequency, one
cycle per cut-off, one obligation per record and kind, one commission per host and cycle, and what
`triggers.py` says.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, and_, delete, or_, update
from sqlalchemy import select as select_columns
from sqlalchemy import text as sql_text
from sqlmodel import Field, SQLModel, col, select

from hub.clearing.model import ObligationState, Owed
from hub.core.database import Unit
from hub.core.tables import insert_new, table_of
from hub.core.types import big, instant
from hub.parties.scope import PartyScope
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import CycleState, ObligationKind, Role
from operator_sdk.contract.messages import clearing

Keyset = tuple[datetime, str]


def _only(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sql_text(condition), "sqlite_where": sql_text(condition)}


class CycleRow(SQLModel, table=True):
    """A clearing window. `due_at` is when the next step is to be done, in business time."""

    __tablename__ = "cycle"
    cycle_id: str = Field(primary_key=True, max_length=40)
    currency: str = Field(max_length=3)
    frequency: str = Field(max_length=10)
    state: str = Field(max_length=10)
    opened_at: datetime = instant()
    cutoff_at: datetime | None = instant(nullable=True)
    due_at: datetime | None = instant(nullable=True, index=True)
    disputes_until: datetime | None = instant(nullable=True)
    commissioned_at: datetime | None = instant(nullable=True)
    netted_at: datetime | None = instant(nullable=True)
    proposed_at: datetime | None = instant(nullable=True)
    fixed_at: datetime | None = instant(nullable=True)
    settled_at: datetime | None = instant(nullable=True)
    digest: str | None = Field(default=None, max_length=64)
    obligations: int = 0
    updated_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("currency", "frequency", "cutoff_at"),
        Index("cycle_one_open", "currency", "frequency", unique=True, **_only("state = 'open'")),
        Index("cycle_updated", "updated_at", "cycle_id"),
        CheckConstraint("(state = 'open') = (cutoff_at IS NULL)", name="cycle_cut_off"),
        CheckConstraint("cutoff_at > opened_at", name="cycle_forward"),
    )


class ObligationRow(SQLModel, table=True):
    """Who owes whom how much. Debtor and creditor are the parties that see it."""

    __tablename__ = "obligation"
    obligation_id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(max_length=12)
    debtor_party_id: str = Field(max_length=9)
    creditor_party_id: str = Field(max_length=9)
    amount_fen: int = big()
    currency: str = Field(max_length=3)
    booked_day: str = Field(max_length=10)
    accepted_at: datetime = instant()
    state: str = Field(max_length=10)
    record_id: str | None = Field(default=None, max_length=40)
    session_id: str | None = Field(default=None, max_length=40)
    energy_wh: int | None = big(nullable=True)
    cycle_id: str | None = Field(default=None, max_length=40, foreign_key="cycle.cycle_id")
    commission_ppm: int = 0
    updated_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("kind", "record_id"),
        Index(
            "obligation_one_commission",
            "cycle_id",
            "debtor_party_id",
            unique=True,
            **_only("kind = 'commission'"),
        ),
        Index("obligation_open", "currency", "booked_day", **_only("state = 'open'")),
        Index("obligation_cycle", "cycle_id", "obligation_id"),
        Index("obligation_debtor", "debtor_party_id", "updated_at", "obligation_id"),
        Index("obligation_creditor", "creditor_party_id", "updated_at", "obligation_id"),
        CheckConstraint("amount_fen > 0", name="obligation_owes"),
        CheckConstraint("debtor_party_id <> creditor_party_id", name="obligation_two_parties"),
        CheckConstraint(
            "(state IN ('in_cycle', 'settled')) = (cycle_id IS NOT NULL)", name="obligation_membership"
        ),
    )


class CyclePosition(SQLModel, table=True):
    """A party's net of one cycle: positive receives, negative pays."""

    __tablename__ = "cycle_position"
    cycle_id: str = Field(primary_key=True, max_length=40, foreign_key="cycle.cycle_id")
    party_id: str = Field(primary_key=True, max_length=9)
    amount_fen: int = big()


CYCLE, OBLIGATION, POSITION = table_of(CycleRow), table_of(ObligationRow), table_of(CyclePosition)
_FRESH = {"populate_existing": True}


async def list_obligations(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: Keyset | None = None,
    updated_since: datetime | None = None,
    limit: int = 50,
) -> list[ObligationRow]:
    """What the viewer owes and is owed, in order of (updated_at, obligation_id)."""
    statement = select(ObligationRow).where(_sees(viewer))
    at, row_id = col(ObligationRow.updated_at), col(ObligationRow.obligation_id)
    if updated_since is not None:
        statement = statement.where(at >= updated_since)
    if after is not None:
        statement = statement.where(_after(at, row_id, after))
    return list((await unit.session.exec(statement.order_by(at, row_id).limit(limit))).all())


async def list_cycles(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: Keyset | None = None,
    updated_since: datetime | None = None,
    limit: int = 50,
) -> list[CycleRow]:
    """Cycles in order of (updated_at, cycle_id); they are common to all operators, and nobody else's."""
    if not _is_operator(viewer):
        return []
    at, row_id = col(CycleRow.updated_at), col(CycleRow.cycle_id)
    statement = select(CycleRow)
    if updated_since is not None:
        statement = statement.where(at >= updated_since)
    if after is not None:
        statement = statement.where(_after(at, row_id, after))
    return list((await unit.session.exec(statement.order_by(at, row_id).limit(limit))).all())


async def get_cycle(viewer: PartyScope, unit: Unit, cycle_id: str) -> CycleRow | None:
    """One cycle."""
    return await unit.session.get(CycleRow, cycle_id) if _is_operator(viewer) else None


async def list_lines(viewer: PartyScope, unit: Unit, cycle_id: str) -> list[ObligationRow]:
    """The obligations of a cycle that the viewer owes or is owed, in order of id."""
    statement = (
        select(ObligationRow)
        .where(ObligationRow.cycle_id == cycle_id, _sees(viewer))
        .order_by(col(ObligationRow.obligation_id))
    )
    return list((await unit.session.exec(statement)).all())


async def list_positions(viewer: PartyScope, unit: Unit, cycle_id: str) -> dict[str, int]:
    """Positions of a cycle by party, in order of party id: the viewer's own, or everybody's for the hub."""
    party = CyclePosition.party_id
    statement = (
        select(CyclePosition)
        .where(CyclePosition.cycle_id == cycle_id, viewer.sees(party, party))
        .order_by(col(party))
    )
    rows = (await unit.session.exec(statement)).all()
    return {row.party_id: row.amount_fen for row in rows}


def _sees(viewer: PartyScope) -> Any:
    return viewer.sees(ObligationRow.debtor_party_id, ObligationRow.creditor_party_id)


def _is_operator(viewer: PartyScope) -> bool:
    return viewer.everything or (viewer.party_id is not None and viewer.driver_ref is None)


def _after(at: Any, row_id: Any, keyset: Keyset) -> Any:
    return or_(at > keyset[0], and_(at == keyset[0], row_id > keyset[1]))


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


async def open_cycle_id(unit: Unit, *, currency: str, frequency: str) -> str | None:
    """The open cycle as of now, unlocked."""
    statement = select(CycleRow.cycle_id).where(
        CycleRow.currency == currency,
        CycleRow.frequency == frequency,
        CycleRow.state == CycleState.OPEN.value,
    )
    return (await unit.session.exec(statement)).first()


async def lock_cycle(unit: Unit, cycle_id: str) -> CycleRow | None:
    """A cycle's row, read after whoever held it has committed."""
    statement = select(CycleRow).where(CycleRow.cycle_id == cycle_id).with_for_update()
    return (await unit.session.exec(statement, execution_options=_FRESH)).first()


async def lock_open_cycle(unit: Unit, *, currency: str, frequency: str) -> CycleRow | None:
    """The cycle that is open once its lock is ours: who waited for a cut-off gets the one opened by it."""
    while (cycle_id := await open_cycle_id(unit, currency=currency, frequency=frequency)) is not None:
        cycle = await lock_cycle(unit, cycle_id)
        if cycle is not None and cycle.state == CycleState.OPEN:
            return cycle
    return None


async def cycle_cut_at(unit: Unit, *, currency: str, frequency: str, cutoff_at: datetime) -> str | None:
    """The cycle with this very cut-off."""
    statement = select(CycleRow.cycle_id).where(
        CycleRow.currency == currency,
        CycleRow.frequency == frequency,
        col(CycleRow.cutoff_at) == cutoff_at,
    )
    return (await unit.session.exec(statement)).first()


async def due_cycles(unit: Unit, now: datetime) -> list[CycleRow]:
    """Cycles with a step due, the oldest first."""
    statement = (
        select(CycleRow).where(col(CycleRow.due_at) <= now).order_by(col(CycleRow.due_at), CycleRow.cycle_id)
    )
    return list((await unit.session.exec(statement)).all())


async def take_into_cycle(unit: Unit, cycle: CycleRow, *, cutoff_at: datetime, day: str, now: datetime) -> None:
    """Freeze the membership: every open obligation of an earlier day, or of this one before the instant."""
    early = or_(
        OBLIGATION.c.booked_day < day,
        and_(OBLIGATION.c.booked_day == day, OBLIGATION.c.accepted_at < cutoff_at),
    )
    statement = (
        update(OBLIGATION)
        .where(OBLIGATION.c.state == ObligationState.OPEN.value, OBLIGATION.c.currency == cycle.currency, early)
        .values(cycle_id=cycle.cycle_id, state=ObligationState.IN_CYCLE.value, updated_at=now)
    )
    await (await unit.session.connection()).execute(statement)


async def members(unit: Unit, cycle_id: str) -> list[Owed]:
    """What a cycle nets."""
    statement = select_columns(*(OBLIGATION.c[name] for name in _OWED)).where(OBLIGATION.c.cycle_id == cycle_id)
    rows = await (await unit.session.connection()).execute(statement)
    return [Owed(**dict(zip(_OWED.values(), row, strict=True))) for row in rows]


_OWED = {
    "obligation_id": "obligation_id",
    "kind": "kind",
    "debtor_party_id": "debtor",
    "creditor_party_id": "creditor",
    "amount_fen": "amount_fen",
    "currency": "currency",
    "booked_day": "booked_day",
    "record_id": "record_id",
    "commission_ppm": "commission_ppm",
}


async def commission_rows(unit: Unit, cycle_id: str) -> dict[str, ObligationRow]:
    """A cycle's commission obligations by host."""
    statement = select(ObligationRow).where(
        ObligationRow.cycle_id == cycle_id, ObligationRow.kind == ObligationKind.COMMISSION.value
    )
    return {row.debtor_party_id: row for row in (await unit.session.exec(statement)).all()}


async def charge_of(unit: Unit, record_id: str) -> ObligationRow | None:
    """The obligation of a record as of now, unlocked."""
    statement = select(ObligationRow).where(
        ObligationRow.kind == ObligationKind.CHARGE.value, ObligationRow.record_id == record_id
    )
    return (await unit.session.exec(statement, execution_options=_FRESH)).first()


async def replace_positions(unit: Unit, cycle_id: str, positions: dict[str, int]) -> None:
    """Write everybody's position anew."""
    connection = await unit.session.connection()
    await connection.execute(delete(POSITION).where(POSITION.c.cycle_id == cycle_id))
    rows = [{"cycle_id": cycle_id, "party_id": party, "amount_fen": fen} for party, fen in positions.items()]
    if rows:
        await connection.execute(POSITION.insert(), rows)


async def everybody(unit: Unit) -> dict[str, str]:
    """Names of all operators by party id: whoever may owe or be owed, so not the apps that only read."""
    operators = select(PartyRow.party_id, PartyRow.name).where(PartyRow.roles != Role.APP)
    rows = (await unit.session.exec(operators)).all()
    return dict(rows)


def obligation_message(row: ObligationRow) -> clearing.Obligation:
    """A row as the contract shows it."""
    return clearing.Obligation(
        obligation_id=row.obligation_id,
        kind=row.kind,
        debtor=row.debtor_party_id,
        creditor=row.creditor_party_id,
        amount_fen=row.amount_fen,
        booked_day=row.booked_day,
        state=row.state,
        record_id=row.record_id,
        cycle_id=row.cycle_id,
        updated_at=row.updated_at,
    )


def cycle_message(row: CycleRow) -> clearing.Cycle:
    """A row as the contract shows it."""
    return clearing.Cycle(
        cycle_id=row.cycle_id,
        currency=row.currency,
        frequency=row.frequency,
        state=row.state,
        cutoff_at=row.cutoff_at,
        opened_at=row.opened_at,
        digest=row.digest,
        obligations=row.obligations,
    )
