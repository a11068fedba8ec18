"""Rows of clearing and what parties see of them.

The database holds what must not depend on anybody's care: one open cycle per currency and frequency, one
cycle per cut-off, one obligation per record and kind, one commission per host and cycle, fees that sum to the
amount and a commission that follows from them, and what `triggers.py` says.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, String, UniqueConstraint, and_, or_
from sqlalchemy import text as sql_text
from sqlmodel import Field, col, select

from hub.clearing.model import shown_state
from hub.core.database import Unit
from hub.core.tables import table_of
from hub.core.types import TableRow, big, instant
from hub.parties.scope import PartyScope
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import Frequency, ObligationKind, Role
from operator_sdk.contract.messages import clearing

Keyset = tuple[datetime, str]


def _only(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sql_text(condition), "sqlite_where": sql_text(condition)}


class CycleRow(TableRow, table=True):
    """A clearing window. `due_at` is when the next step is to be done, in business time.

    `frozen_at`: the cut-off is made, and whoever was still accepting into the cycle has come to an end.
    """

    __tablename__ = "cycle"
    cycle_id: str = Field(primary_key=True, max_length=40)
    currency: str = Field(max_length=3)
    frequency: str = Field(max_length=10)
    state: str = Field(max_length=14)
    opened_at: datetime = instant()
    cutoff_at: datetime | None = instant(nullable=True)
    due_at: datetime | None = instant(nullable=True, index=True)
    frozen_at: datetime | None = instant(nullable=True)
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
        # Partial, because a plain unique index would make a cut-off wait for everybody who is accepting.
        Index(
            "cycle_one_cutoff", "currency", "frequency", "cutoff_at", unique=True,
            **_only("cutoff_at IS NOT NULL"),
        ),
        Index("cycle_one_open", "currency", "frequency", unique=True, **_only("state = 'open'")),
        Index("cycle_updated", "updated_at", "cycle_id"),
        CheckConstraint("(state = 'open') = (cutoff_at IS NULL)", name="cycle_cut_off"),
        CheckConstraint("cutoff_at > opened_at", name="cycle_forward"),
        CheckConstraint("frozen_at IS NULL OR cutoff_at IS NOT NULL", name="cycle_frozen"),
        CheckConstraint("frequency IN ('daily', 'weekly', 'monthly')", name="cycle_frequency"),
    )  # fmt: skip


_PARTS = " + ".join(
    f"({kind}_fen * {kind}_ppm + 500000) / 1000000" for kind in ("electricity", "service", "parking", "idle")
)


class ObligationRow(TableRow, table=True):
    """Who owes whom how much. Debtor and creditor are the parties that see it.

    The fees are parts of a charge or a credit and sum to it; `commission_fen` is what the host owes the hub
    for it (or, for a credit, gets back) at the rates beside the fees. `credit_of` is the record that a credit
    reverses, `claim_of` the cycle that a claim was left unpaid in.
    """

    __tablename__ = "obligation"
    # Ids sort by their bytes on either engine: the digest and the proof depend on it.
    obligation_id: str = Field(
        sa_column=Column(
            String(40).with_variant(String(40, collation="C"), "postgresql"), primary_key=True, nullable=False
        )
    )
    kind: str = Field(max_length=12)
    debtor_party_id: str = Field(max_length=9)
    creditor_party_id: str = Field(max_length=9)
    amount_fen: int = big()
    electricity_fen: int = big(default=0)
    service_fen: int = big(default=0)
    parking_fen: int = big(default=0)
    idle_fen: int = big(default=0)
    electricity_ppm: int = 0
    service_ppm: int = 0
    parking_ppm: int = 0
    idle_ppm: int = 0
    commission_fen: int = big(default=0)
    commission_tax_code: str | None = Field(default=None, max_length=24)
    currency: str = Field(max_length=3)
    frequency: str = Field(default=Frequency.DAILY.value, max_length=10)
    booked_day: str = Field(max_length=10)
    accepted_at: datetime = instant()
    state: str = Field(max_length=10)
    record_id: str | None = Field(default=None, max_length=40)
    session_id: str | None = Field(default=None, max_length=40)
    energy_wh: int | None = big(nullable=True)
    credit_of: str | None = Field(default=None, max_length=40)
    claim_of: str | None = Field(default=None, max_length=40)
    cycle_id: str | None = Field(default=None, max_length=40, foreign_key="cycle.cycle_id")
    updated_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("kind", "record_id"),
        Index(
            "obligation_one_commission", "cycle_id", "debtor_party_id", "creditor_party_id", unique=True,
            **_only("kind = 'commission'"),
        ),
        Index("obligation_cycle", "cycle_id", "obligation_id"),
        Index("obligation_booked", "cycle_id", "booked_day", "accepted_at"),
        Index("obligation_debtor", "debtor_party_id", "updated_at", "obligation_id"),
        Index("obligation_creditor", "creditor_party_id", "updated_at", "obligation_id"),
        CheckConstraint("kind IN ('charge', 'credit', 'commission', 'claim')", name="obligation_kind"),
        CheckConstraint("amount_fen > 0", name="obligation_owes"),
        CheckConstraint(
            "electricity_fen >= 0 AND service_fen >= 0 AND parking_fen >= 0 AND idle_fen >= 0 AND"
            " electricity_fen + service_fen + parking_fen + idle_fen ="
            " CASE WHEN kind IN ('charge', 'credit') THEN amount_fen ELSE 0 END",
            name="obligation_fees",
        ),
        CheckConstraint(f"commission_fen = {_PARTS}", name="obligation_commission"),
        CheckConstraint("debtor_party_id <> creditor_party_id", name="obligation_two_parties"),
        CheckConstraint("state IN ('in_cycle', 'disputed', 'withdrawn')", name="obligation_state"),
        CheckConstraint("(state = 'in_cycle') = (cycle_id IS NOT NULL)", name="obligation_membership"),
    )  # fmt: skip


class CyclePosition(TableRow, table=True):
    """A party's net of one cycle: positive receives, negative pays."""

    __tablename__ = "cycle_position"
    cycle_id: str = Field(primary_key=True, max_length=40, foreign_key="cycle.cycle_id")
    party_id: str = Field(primary_key=True, max_length=9)
    owes_fen: int = big(default=0)
    is_owed_fen: int = big(default=0)
    amount_fen: int = big()

    __table_args__ = (CheckConstraint("amount_fen = is_owed_fen - owes_fen", name="cycle_position_net"),)


CYCLE, OBLIGATION, POSITION = table_of(CycleRow), table_of(ObligationRow), table_of(CyclePosition)
_FRESH = {"populate_existing": True}


async def list_obligations(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: Keyset | None = None,
    updated_since: datetime | None = None,
    limit: int = 50,
) -> list[clearing.Obligation]:
    """What the viewer owes and is owed, in order of (updated_at, obligation_id)."""
    at, row_id = col(ObligationRow.updated_at), col(ObligationRow.obligation_id)
    statement = _with_cycle_state().where(_sees(viewer))
    if updated_since is not None:
        statement = statement.where(at >= updated_since)
    if after is not None:
        statement = statement.where(_after(at, row_id, after))
    rows = await unit.session.exec(statement.order_by(at, row_id).limit(limit))
    return [obligation_message(row, state) for row, state in rows.all()]


async def list_members(
    viewer: PartyScope, unit: Unit, cycle_id: str, *, after: str = "", limit: int
) -> list[clearing.Obligation]:
    """The obligations of a cycle that the viewer owes or is owed, in order of id."""
    row_id = col(ObligationRow.obligation_id)
    statement = _with_cycle_state().where(ObligationRow.cycle_id == cycle_id, row_id > after, _sees(viewer))
    rows = await unit.session.exec(statement.order_by(row_id).limit(limit))
    return [obligation_message(row, state) for row, state in rows.all()]


def _with_cycle_state() -> Any:
    return select(ObligationRow, CycleRow.state).join(
        CycleRow, col(ObligationRow.cycle_id) == col(CycleRow.cycle_id), isouter=True
    )


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


async def lock_cycle(unit: Unit, cycle_id: str) -> CycleRow | None:
    """A cycle's row, read after whoever held it has committed; those who accept into it are not waited for."""
    statement = select(CycleRow).where(CycleRow.cycle_id == cycle_id).with_for_update(key_share=True)
    return (await unit.session.exec(statement, execution_options=_FRESH)).first()


async def owed_for(
    unit: Unit, kind: ObligationKind, record_id: str, *, lock: bool = False
) -> ObligationRow | None:
    """The obligation of a record as of now."""
    statement = select(ObligationRow).where(
        ObligationRow.kind == kind.value, ObligationRow.record_id == record_id
    )
    if lock:
        statement = statement.with_for_update()
    return (await unit.session.exec(statement, execution_options=_FRESH)).first()


async def everybody(unit: Unit) -> dict[str, str]:
    """Names of all operators by party id: whoever may owe or be owed, so not the apps that only read."""
    operators = select(PartyRow.party_id, PartyRow.name).where(PartyRow.roles != Role.APP)
    rows = (await unit.session.exec(operators)).all()
    return dict(rows)


def obligation_message(row: ObligationRow, cycle_state: str | None) -> clearing.Obligation:
    """A row as the contract shows it to both sides; the host's commission is not the home's to see."""
    return clearing.Obligation(
        obligation_id=row.obligation_id,
        kind=row.kind,
        debtor=row.debtor_party_id,
        creditor=row.creditor_party_id,
        amount_fen=row.amount_fen,
        electricity_fen=row.electricity_fen,
        service_fen=row.service_fen,
        parking_fen=row.parking_fen,
        idle_fen=row.idle_fen,
        booked_day=row.booked_day,
        state=shown_state(row.state, cycle_state),
        frequency=row.frequency,
        record_id=row.record_id,
        credit_of=row.credit_of,
        claim_of=row.claim_of,
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
        disputes_until=row.disputes_until,
        fixed_at=row.fixed_at,
        digest=row.digest,
        obligations=row.obligations,
    )
