"""Rows of tariff versions and of where they apply, and the one expression that says which one does.

Versions are public. What a host has agreed with one home is for the two alone to see.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Index, RowMapping, bindparam, func, tuple_
from sqlalchemy import select as select_columns
from sqlmodel import Field, select

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.core.types import TableRow, instant, text
from hub.parties.scope import PartyScope

ANY = ""
"""In a key: any station, any kind, any home."""


class TariffVersionRow(TableRow, table=True):
    """One version of a tariff, immutable. `periods`, `parking` and `idle` are JSON.

    Not `binding`: an estimate of what a host will bill that does not tell its prices.
    """

    __tablename__ = "tariff_version"
    host_party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    tariff_id: str = Field(primary_key=True, max_length=64)
    version: int = Field(primary_key=True)
    valid_from: datetime = instant()
    periods: str = text()
    currency: str = Field(default="CNY", max_length=3)
    utc_offset_minutes: int
    published_at: datetime = instant()
    parking: str | None = text(nullable=True)
    idle: str | None = text(nullable=True)
    binding: bool = True


class TariffAssignmentRow(TableRow, table=True):
    """Where a tariff applies from an instant on, immutable. Without `tariff_id` nothing does from then on."""

    __tablename__ = "tariff_assignment"
    host_party_id: str = Field(primary_key=True, max_length=9, foreign_key="party.party_id")
    home_party_id: str = Field(primary_key=True, max_length=9)
    station_id: str = Field(primary_key=True, max_length=40)
    kind: str = Field(primary_key=True, max_length=2)
    valid_from: datetime = instant(primary_key=True)
    tariff_id: str | None = Field(default=None, max_length=64)
    assigned_at: datetime = instant()

    __table_args__ = (Index("tariff_assignment_home", "home_party_id"),)

    @property
    def key(self) -> tuple[str, str, str, str, datetime]:
        """Its primary key."""
        return self.host_party_id, self.home_party_id, self.station_id, self.kind, self.valid_from


VERSION, ASSIGNMENT = table_of(TariffVersionRow), table_of(TariffAssignmentRow)


class Where(NamedTuple):
    """A place as SQL: its host, its station with that station's own tariff, the kind of its pile."""

    host: ColumnElement[str]
    station: ColumnElement[str]
    kind: ColumnElement[str]
    own_tariff: ColumnElement[str]


def applying(where: Where, *, home: Any, at: Any) -> ColumnElement[str]:
    """The tariff that applies at a place for a home's drivers at an instant; the only place that decides it.

    Of the assignments that have begun and were neither replaced nor ended since, one that names the home comes
    before one that does not, then one that names the station, then one that names the kind: no two are equal
    in all three. Without any it is the station's own. `home` is `ANY` where it is not known.
    """
    one, newer = ASSIGNMENT.alias("one").c, ASSIGNMENT.alias("newer").c
    named = ("home_party_id", "station_id", "kind")
    replaced = select_columns(newer.valid_from).where(
        newer.host_party_id == one.host_party_id,
        *(newer[name] == one[name] for name in named),
        newer.valid_from > one.valid_from,
        newer.valid_from <= at,
    )
    chosen = (
        select_columns(one.tariff_id)
        .where(
            one.host_party_id == where.host,
            one.home_party_id.in_((ANY, home)),
            one.station_id.in_((ANY, where.station)),
            one.kind.in_((ANY, where.kind)),
            one.valid_from <= at,
            one.tariff_id.is_not(None),
            ~replaced.exists(),
        )
        # What is named sorts behind the empty text, and only one name can be met.
        .order_by(*(one[name].desc() for name in named))
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(chosen, where.own_tariff)


async def find_version(unit: Unit, *, party_id: str, tariff_id: str, version: int) -> TariffVersionRow | None:
    """One version of a tariff."""
    return await unit.session.get(TariffVersionRow, (party_id, tariff_id, version))


# Put together once: every start and every page of stations asks it.
_VERSION_AT = (
    select_columns(VERSION)
    .where(
        VERSION.c.host_party_id == bindparam("party_id"),
        VERSION.c.tariff_id == bindparam("tariff_id"),
        VERSION.c.valid_from <= bindparam("at"),
    )
    .order_by(VERSION.c.version.desc())
    .limit(1)
)


async def find_version_at(unit: Unit, *, party_id: str, tariff_id: str, at: datetime) -> RowMapping | None:
    """The greatest version that has begun by an instant, by the names of its columns."""
    asked = {"party_id": party_id, "tariff_id": tariff_id, "at": at}
    return (await unit.execute(_VERSION_AT, asked)).mappings().first()


async def newest_version(unit: Unit, *, party_id: str, tariff_id: str) -> int | None:
    """The number of the last version published."""
    statement = select(func.max(TariffVersionRow.version)).where(
        TariffVersionRow.host_party_id == party_id, TariffVersionRow.tariff_id == tariff_id
    )
    return (await unit.session.exec(statement)).one()


Place = tuple[datetime, str, str, str, str, datetime]
"""Where an assignment stands in a list: when it was made, and its key."""


async def page_of_assignments(
    viewer: PartyScope,
    unit: Unit,
    *,
    after: Place | None,
    updated_since: datetime | None,
    count: int,
) -> list[TariffAssignmentRow]:
    """A host's assignments and those that name the viewer as home, in the order in which they were made."""
    columns = ASSIGNMENT.c
    place = (columns.assigned_at, *ASSIGNMENT.primary_key.columns)
    statement = (
        select(TariffAssignmentRow)
        .where(viewer.sees(columns.home_party_id, columns.host_party_id))
        .order_by(*place)
        .limit(count)
    )
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after, types=[part.type for part in place]))
    if updated_since is not None:
        statement = statement.where(columns.assigned_at >= updated_since)
    return list((await unit.session.exec(statement)).all())
