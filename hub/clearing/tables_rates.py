"""Rows of what the hub takes: rates of commission, groups of stations, tax codes. They are the hub's own."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, and_, delete, or_
from sqlalchemy import select as columns
from sqlmodel import Field, col, select

from hub.clearing.model_rates import ANY, Rate
from hub.core.database import Unit
from hub.core.tables import table_of
from hub.core.types import TableRow, instant
from operator_sdk.contract.messages import clearing


class CommissionRate(TableRow, table=True):
    """What the hub takes of a fee from a day on; empty text names nothing. Never changed, only followed."""

    __tablename__ = "commission_rate"
    owner: str = Field(primary_key=True, max_length=9)
    seller: str = Field(primary_key=True, max_length=9)
    station_group: str = Field(primary_key=True, max_length=40)
    fee_kind: str = Field(primary_key=True, max_length=12)
    valid_from: str = Field(primary_key=True, max_length=10)
    ppm: int
    tax_code: str | None = Field(default=None, max_length=24)
    made_at: datetime = instant()
    made_by: str = Field(max_length=60)

    __table_args__ = (
        CheckConstraint("ppm BETWEEN 0 AND 1000000", name="commission_rate_ppm"),
        CheckConstraint("station_group = '' OR owner <> ''", name="commission_rate_group"),
    )


class StationGroup(TableRow, table=True):
    """The group of an owner's station; a station is in one group at most."""

    __tablename__ = "station_group"
    host_party_id: str = Field(primary_key=True, max_length=9)
    station_id: str = Field(primary_key=True, max_length=40)
    station_group: str = Field(max_length=40)


class TaxCode(TableRow, table=True):
    """Under which tax code something is invoiced from a day on. Never changed, only followed."""

    __tablename__ = "tax_code"
    kind: str = Field(primary_key=True, max_length=12)
    valid_from: str = Field(primary_key=True, max_length=10)
    tax_code: str = Field(max_length=24)
    made_at: datetime = instant()
    made_by: str = Field(max_length=60)


_GROUP = table_of(StationGroup)


async def add_rate(unit: Unit, rate: Rate, *, now: datetime, by: str) -> CommissionRate:
    """A new rate."""
    row = CommissionRate(
        owner=rate.owner,
        seller=rate.seller,
        station_group=rate.station_group,
        fee_kind=rate.fee_kind,
        valid_from=rate.valid_from,
        ppm=rate.ppm,
        tax_code=rate.tax_code,
        made_at=now,
        made_by=by[:60],
    )
    unit.session.add(row)
    await unit.session.flush()
    return row


async def rate_of(unit: Unit, rate: Rate) -> CommissionRate | None:
    """The rate that names the same from the same day on."""
    key = (rate.owner, rate.seller, rate.station_group, rate.fee_kind, rate.valid_from)
    return await unit.session.get(CommissionRate, key)


async def fitting_rates(unit: Unit, *, owner: str, seller: str, station_id: str | None, day: str) -> list[Rate]:
    """The rates that fit a record of a booked day: every one names it, or nothing, in each respect."""
    row = CommissionRate
    group = (
        columns(_GROUP.c.station_group)
        .where(_GROUP.c.host_party_id == owner, _GROUP.c.station_id == (station_id or ANY))
        .scalar_subquery()
    )
    statement = select(row).where(
        col(row.owner).in_((ANY, owner)),
        col(row.seller).in_((ANY, seller)),
        or_(col(row.station_group) == ANY, and_(col(row.owner) == owner, col(row.station_group) == group)),
        col(row.valid_from) <= day,
    )
    return [_rate(one) for one in (await unit.session.exec(statement)).all()]


async def all_rates(unit: Unit) -> list[CommissionRate]:
    """Every rate there ever was, what names least first."""
    row = CommissionRate
    order = (row.owner, row.seller, row.station_group, row.fee_kind, row.valid_from)
    return list((await unit.session.exec(select(row).order_by(*order))).all())


def _rate(row: CommissionRate) -> Rate:
    return Rate(
        owner=row.owner,
        seller=row.seller,
        station_group=row.station_group,
        fee_kind=row.fee_kind,
        ppm=row.ppm,
        valid_from=row.valid_from,
        tax_code=row.tax_code,
    )


async def put_group(unit: Unit, host_party_id: str, station_group: str, station_ids: Iterable[str]) -> None:
    """Let a group be these stations of an owner; a station leaves the group it was in."""
    named = sorted(set(station_ids))
    gone = or_(_GROUP.c.station_group == station_group, _GROUP.c.station_id.in_(named))
    await unit.execute(delete(_GROUP).where(_GROUP.c.host_party_id == host_party_id, gone))
    for station_id in named:
        unit.session.add(
            StationGroup(host_party_id=host_party_id, station_id=station_id, station_group=station_group)
        )
    await unit.session.flush()


async def groups_of(unit: Unit, host_party_id: str) -> dict[str, list[str]]:
    """An owner's stations by group, both in order."""
    statement = columns(_GROUP.c.station_group, _GROUP.c.station_id).where(
        _GROUP.c.host_party_id == host_party_id
    )
    found: dict[str, list[str]] = {}
    rows: list[Any] = list(await unit.execute(statement))
    for group, station_id in sorted((str(row[0]), str(row[1])) for row in rows):
        found.setdefault(group, []).append(station_id)
    return found


async def add_tax_code(unit: Unit, add: clearing.TaxCodeAdd, *, now: datetime, by: str) -> TaxCode:
    """A new tax code."""
    row = TaxCode(
        kind=add.kind,
        valid_from=add.valid_from.isoformat(),
        tax_code=add.tax_code,
        made_at=now,
        made_by=by[:60],
    )
    unit.session.add(row)
    await unit.session.flush()
    return row


async def tax_code_of(unit: Unit, kind: str, day: str) -> TaxCode | None:
    """The tax code of a kind that holds from this very day on."""
    return await unit.session.get(TaxCode, (kind, day))


async def tax_code_rows(unit: Unit) -> list[TaxCode]:
    """Every tax code there ever was, the newest of a kind last."""
    return list((await unit.session.exec(select(TaxCode).order_by(TaxCode.kind, TaxCode.valid_from))).all())


async def tax_codes(unit: Unit, day: str) -> Mapping[str, str]:
    """The tax codes in force on a day by kind: the kinds of fees, and `commission`."""
    return {row.kind: row.tax_code for row in await tax_code_rows(unit) if row.valid_from <= day}
