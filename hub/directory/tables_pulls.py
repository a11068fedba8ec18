"""Rows of asking hosts for their stations: when each is due, how the last went, and what could not be kept."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlmodel import Field, col
from sqlmodel import select as select_rows

from hub.core.database import Unit
from hub.core.tables import insert_for, insert_new, table_of
from hub.core.types import TableRow, instant, text
from hub.directory.tables import ConnectorRow, StationRow
from hub.directory.tables_tariffs import TariffVersionRow
from hub.parties.tables import PartyRow


class PullRow(TableRow, table=True):
    """When a host is asked, in business time, and what came of it last.

    `held_until` is wall time: a process is at it, or it failed and is left alone. `since` is from when on
    changes are asked for. For staff: `problem`, null when the last time went well, and `note`, what was odd
    about the last complete list.
    """

    __tablename__ = "station_pull"
    party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    full_due_at: datetime = instant()
    next_due_at: datetime | None = instant(nullable=True)
    states_due_at: datetime | None = instant(nullable=True)
    since: datetime | None = instant(nullable=True)
    held_until: datetime | None = instant(nullable=True)
    held_by: str | None = Field(default=None, max_length=40)
    failures: int = 0
    problem: str | None = Field(default=None, max_length=200)
    note: str | None = Field(default=None, max_length=200)
    pulled_at: datetime | None = instant(nullable=True)
    full_at: datetime | None = instant(nullable=True)
    stations: int = 0
    changed: int = 0
    removed: int = 0
    gaps: int = 0


class GapRow(TableRow, table=True):
    """A station that a host told of and that cannot be kept: by the host's own id, what it lacks, as JSON."""

    __tablename__ = "station_gap"
    host_party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    station_id: str = Field(primary_key=True, max_length=80)
    fields: str = text()
    seen_at: datetime = instant()


PULLS, PARTIES = table_of(PullRow), table_of(PartyRow)
PULL, PARTY, VERSION = PULLS.c, PARTIES.c, table_of(TariffVersionRow).c


def _is_free(wall: datetime) -> Any:
    return or_(PULL.held_until.is_(None), PULL.held_until <= wall)


async def due_hosts(unit: Unit, protocols: Collection[str], *, business: datetime, wall: datetime) -> list[str]:
    """Hosts of these protocols that are due or were never asked, and that nobody is at."""
    due = or_(*(PULL[name] <= business for name in ("full_due_at", "next_due_at", "states_due_at")))
    statement = (
        select(PARTY.party_id, PARTY.roles)
        .select_from(PARTIES.outerjoin(PULLS, PULL.party_id == PARTY.party_id))
        .where(
            PARTY.protocol.in_(sorted(protocols)),
            or_(PULL.party_id.is_(None), and_(due, _is_free(wall))),
        )
        .order_by(PARTY.party_id)
    )
    rows = await unit.execute(statement)
    return [row.party_id for row in rows if "host" in row.roles.split(",")]


async def claim_pull(
    unit: Unit, party_id: str, *, by: str, until: datetime, business: datetime, wall: datetime, at_once: bool
) -> PullRow | None:
    """Take the right to ask a host, until an instant; None while another has it. A new host is due at once.

    One that failed is left alone until its time, but for whoever wants it `at_once`.
    """
    await insert_new(
        unit,
        PullRow,
        party_id=party_id,
        full_due_at=business,
        failures=0,
        stations=0,
        changed=0,
        removed=0,
        gaps=0,
    )
    free = or_(PULL.held_by.is_(None), _is_free(wall)) if at_once else _is_free(wall)
    claimed = await unit.execute(
        update(PullRow).where(col(PullRow.party_id) == party_id, free).values(held_by=by, held_until=until)
    )
    return await unit.session.get(PullRow, party_id) if claimed.rowcount else None


async def end_pull(unit: Unit, party_id: str, *, by: str, **values: Any) -> None:
    """Write what came of it, and let go unless another has it by now.

    It is written all the same: of a host that always takes longer than a lease nobody would ever note an end.
    """
    row = update(PullRow).where(col(PullRow.party_id) == party_id)
    held = {"held_by": None, "held_until": values.pop("held_until", None)}
    if values:
        await unit.execute(row.values(**values))
    await unit.execute(row.where(col(PullRow.held_by) == by).values(**held))


async def page_of_pulls(unit: Unit, party_id: str | None) -> list[PullRow]:
    """How asking a host went, or all of them, in order of id."""
    statement = select_rows(PullRow).order_by(col(PullRow.party_id))
    if party_id is not None:
        statement = statement.where(PullRow.party_id == party_id)
    return list((await unit.session.exec(statement)).all())


async def page_of_gaps(unit: Unit, party_id: str | None) -> list[GapRow]:
    """Gaps of a host or of all, in order of host and station."""
    statement = select_rows(GapRow).order_by(col(GapRow.host_party_id), col(GapRow.station_id))
    if party_id is not None:
        statement = statement.where(GapRow.host_party_id == party_id)
    return list((await unit.session.exec(statement)).all())


async def put_gaps(unit: Unit, rows: list[dict[str, Any]]) -> None:
    """Note gaps; those that are noted already are as they are now."""
    if not rows:
        return
    insert = insert_for(unit, GapRow)
    fresh = insert.excluded
    statement = insert.on_conflict_do_update(
        index_elements=["host_party_id", "station_id"],
        set_={"fields": fresh.fields, "seen_at": fresh.seen_at},
    )
    await (await unit.session.connection()).execute(statement, rows)


async def forget_gaps(unit: Unit, party_id: str, station_ids: Collection[str]) -> None:
    """These stations are whole now, or gone."""
    gaps = table_of(GapRow).c
    for batch in _batches(sorted(station_ids)):
        await unit.execute(delete(GapRow).where(gaps.host_party_id == party_id, gaps.station_id.in_(batch)))


async def gap_ids(unit: Unit, party_id: str) -> set[str]:
    """The stations of a host that are gaps."""
    gaps = table_of(GapRow).c
    return set((await unit.execute(select(gaps.station_id).where(gaps.host_party_id == party_id))).scalars())


async def living_stations(unit: Unit, party_id: str) -> list[str]:
    """A host's stations that were not removed, in order of id."""
    station = table_of(StationRow).c
    statement = (
        select(station.station_id)
        .where(station.host_party_id == party_id, ~station.removed)
        .order_by(station.station_id)
    )
    return list((await unit.execute(statement)).scalars())


async def connectors_by_station(unit: Unit, party_id: str) -> dict[str, list[str]]:
    """A host's living connectors, by station, in order of ids."""
    plug = table_of(ConnectorRow).c
    statement = (
        select(plug.station_id, plug.connector_id)
        .where(plug.host_party_id == party_id, ~plug.removed)
        .order_by(plug.station_id, plug.connector_id)
    )
    found: dict[str, list[str]] = {}
    for row in await unit.execute(statement):
        found.setdefault(row.station_id, []).append(row.connector_id)
    return found


async def newest_tariffs(unit: Unit, party_id: str, tariff_ids: Iterable[str]) -> dict[str, Any]:
    """The last version published of each of these tariffs, as rows."""
    newer = table_of(TariffVersionRow).alias("newer").c
    last = (
        select(func.max(newer.version))
        .where(newer.host_party_id == VERSION.host_party_id, newer.tariff_id == VERSION.tariff_id)
        .scalar_subquery()
    )
    found: dict[str, Any] = {}
    for batch in _batches(sorted(tariff_ids)):
        statement = select(table_of(TariffVersionRow)).where(
            VERSION.host_party_id == party_id, VERSION.tariff_id.in_(batch), VERSION.version == last
        )
        found |= {row.tariff_id: row._mapping for row in await unit.execute(statement)}
    return found


def _batches(keys: list[str]) -> Iterable[list[str]]:
    return (keys[start : start + 1000] for start in range(0, len(keys), 1000))
