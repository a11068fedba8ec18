"""Rows of sites: who they are, their connection, their spools' numbers, commands out, items refused."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, delete, func, or_, tuple_, update
from sqlalchemy import select as select_columns
from sqlalchemy import text as sql_text
from sqlmodel import Field, col, select

from hub.core.database import Unit
from hub.core.tables import insert_for, table_of
from hub.core.types import TableRow, big, blob, instant
from hub.directory.tables import ConnectorRow
from hub.directory.tables_tariffs import TariffVersionRow
from hub.parties.tables import PartyRow

OPEN = sql_text("result IS NULL")
STANDING = sql_text("NOT revoked")


class SiteRow(TableRow, table=True):
    """A site of a hosted host. It can connect once `public_key` is set: a proposed key was approved."""

    __tablename__ = "site"
    site_id: str = Field(primary_key=True, max_length=40)
    host_party_id: str = Field(max_length=9, foreign_key="party.party_id")
    station_id: str = Field(max_length=40)
    public_key: str | None = Field(default=None, max_length=43)
    proposed_key: str | None = Field(default=None, max_length=43)
    proposed_by: str | None = Field(default=None, max_length=60)
    revoked: bool = False
    created_at: datetime = instant()

    __table_args__ = (
        Index(
            "site_station",
            "host_party_id",
            "station_id",
            unique=True,
            postgresql_where=STANDING,
            sqlite_where=STANDING,
        ),
        Index("site_created", "created_at", "site_id"),
    )


class SiteLinkRow(TableRow, table=True):
    """A site's connection: `token` names the one that counts, null when there is none. Wall time.

    `health_*` and the counts are what the agent last said; `health_at` is business time.
    """

    __tablename__ = "site_link"
    site_id: str = Field(primary_key=True, max_length=40, foreign_key="site.site_id")
    token: str | None = Field(default=None, max_length=64)
    connected_at: datetime | None = instant(nullable=True)
    seen_at: datetime | None = instant(nullable=True)
    spool_id: str = Field(default="", max_length=64)
    agent_version: str = Field(default="", max_length=200)
    health_at: datetime | None = instant(nullable=True)
    can_frames: int = big(default=0)
    meter_frames: int = big(default=0)
    spool_waiting: int = big(default=0)


class SiteStreamRow(TableRow, table=True):
    """How far a spool's stream is durable here."""

    __tablename__ = "site_stream"
    site_id: str = Field(primary_key=True, max_length=40, foreign_key="site.site_id")
    spool_id: str = Field(primary_key=True, max_length=64)
    stream: str = Field(primary_key=True, max_length=8)
    number: int = big(default=0)


class SiteCommandRow(TableRow, table=True):
    """Something a site is to do. Not sent after `expires_at`; without one it waits for the site. Wall time.

    `command` and `result` are as on the link. The first result stays.
    """

    __tablename__ = "site_command"
    command_id: str = Field(primary_key=True, max_length=64)
    site_id: str = Field(max_length=40, foreign_key="site.site_id")
    kind: str = Field(max_length=12)
    command: bytes = blob()
    created_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    sent_at: datetime | None = instant(nullable=True)
    result: bytes | None = blob(nullable=True)
    answered_at: datetime | None = instant(nullable=True)

    __table_args__ = (
        Index("site_command_open", "site_id", "created_at", postgresql_where=OPEN, sqlite_where=OPEN),
        Index("site_command_created", "created_at"),
    )


class SiteBadItemRow(TableRow, table=True):
    """An item that was not taken, as it came, for a person to look at; ids of one batch are in its order."""

    __tablename__ = "site_bad_item"
    bad_item_id: str = Field(primary_key=True, max_length=48)
    site_id: str = Field(max_length=40, foreign_key="site.site_id")
    spool_id: str = Field(max_length=64)
    stream: str = Field(max_length=8)
    number: int = big()
    kind: str = Field(max_length=12)
    problem: str = Field(max_length=200)
    raw: bytes = blob()
    received_at: datetime = instant()

    __table_args__ = (
        UniqueConstraint("site_id", "spool_id", "stream", "number"),
        Index("site_bad_item_site", "site_id", "received_at", "bad_item_id"),
    )


# Sites.


async def party_of(unit: Unit, party_id: str) -> PartyRow | None:
    """An operator."""
    return await unit.session.get(PartyRow, party_id)


async def site_row(unit: Unit, site_id: str, *, lock: bool = False) -> SiteRow | None:
    """A site."""
    return await unit.session.get(SiteRow, site_id, with_for_update=lock or None, populate_existing=lock)


async def standing_site_at(unit: Unit, host_party_id: str, station_id: str) -> SiteRow | None:
    """The site at a station that is not revoked."""
    statement = select(SiteRow).where(
        SiteRow.host_party_id == host_party_id, SiteRow.station_id == station_id, ~col(SiteRow.revoked)
    )
    return (await unit.session.exec(statement)).first()


async def station_of(unit: Unit, host_party_id: str, connector_id: str) -> str | None:
    """The station of a connector, a removed one too: a charge may still run there."""
    row = await unit.session.get(ConnectorRow, (host_party_id, connector_id))
    return row.station_id if row is not None else None


async def site_by_key(unit: Unit, public_key: str) -> SiteRow | None:
    """Whoever has or wants this public key."""
    statement = select(SiteRow).where(
        or_(col(SiteRow.public_key) == public_key, col(SiteRow.proposed_key) == public_key)
    )
    return (await unit.session.exec(statement)).first()


async def page_of_sites(
    unit: Unit, *, after: tuple[datetime, str] | None, count: int
) -> list[tuple[SiteRow, SiteLinkRow | None]]:
    """Sites in order of (created_at, site), with their connections."""
    columns = table_of(SiteRow).c
    place = (columns.created_at, columns.site_id)
    statement = (
        select(SiteRow, SiteLinkRow)
        .join(SiteLinkRow, col(SiteLinkRow.site_id) == SiteRow.site_id, isouter=True)
        .order_by(*place)
        .limit(count)
    )
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after, types=[part.type for part in place]))
    return [(row[0], row[1]) for row in (await unit.session.exec(statement)).all()]


async def bad_items_by_site(unit: Unit, site_ids: Collection[str]) -> dict[str, int]:
    """How many items of each of these sites were refused."""
    item = table_of(SiteBadItemRow).c
    statement = (
        select_columns(item.site_id, func.count()).where(item.site_id.in_(site_ids)).group_by(item.site_id)
    )
    rows: Any = await unit.execute(statement)
    return {row[0]: row[1] for row in rows}


async def page_of_bad_items(
    unit: Unit, site_id: str, *, after: tuple[datetime, str] | None, count: int
) -> list[SiteBadItemRow]:
    """A site's refused items, oldest first."""
    columns = table_of(SiteBadItemRow).c
    place = (columns.received_at, columns.bad_item_id)
    statement = select(SiteBadItemRow).where(SiteBadItemRow.site_id == site_id).order_by(*place).limit(count)
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after, types=[part.type for part in place]))
    return list((await unit.session.exec(statement)).all())


async def keep_newest_bad_items(unit: Unit, site_id: str, stream: str, most: int) -> None:
    """Forget a site's oldest refused items above so many of a stream."""
    item = table_of(SiteBadItemRow)
    own = (item.c.site_id == site_id, item.c.stream == stream)
    newest = (
        select_columns(item.c.bad_item_id)
        .where(*own)
        .order_by(item.c.received_at.desc(), item.c.bad_item_id.desc())
        .limit(most)
    )
    await unit.execute(delete(item).where(*own, item.c.bad_item_id.not_in(newest)))


async def forget_bad_items(unit: Unit, before: datetime) -> None:
    """Forget refused items that came before then."""
    await unit.execute(delete(SiteBadItemRow).where(col(SiteBadItemRow.received_at) < before))


async def versions_from(
    unit: Unit, host_party_id: str, tariff_id: str, *, now: datetime, most: int
) -> Sequence[TariffVersionRow]:
    """The version of a tariff in force, and those after it, oldest first."""
    own = (TariffVersionRow.host_party_id == host_party_id, TariffVersionRow.tariff_id == tariff_id)
    in_force = (
        select(func.max(TariffVersionRow.version)).where(*own, TariffVersionRow.valid_from <= now)
    ).scalar_subquery()
    statement = (
        select(TariffVersionRow)
        .where(*own, col(TariffVersionRow.version) >= func.coalesce(in_force, 0))
        .order_by(col(TariffVersionRow.version))
        .limit(most)
    )
    return (await unit.session.exec(statement)).all()


# Connections.


async def link_row(unit: Unit, site_id: str, *, lock: bool = False) -> SiteLinkRow | None:
    """A site's connection."""
    return await unit.session.get(SiteLinkRow, site_id, with_for_update=lock or None, populate_existing=lock)


async def put_link(unit: Unit, site_id: str, **values: Any) -> None:
    """Set columns of a site's connection, making its row when it is the first."""
    statement = insert_for(unit, SiteLinkRow).values(
        {"site_id": site_id, "spool_id": "", "agent_version": "", "can_frames": 0, "meter_frames": 0,
         "spool_waiting": 0, **values}
    )  # fmt: skip
    await unit.execute(statement.on_conflict_do_update(index_elements=["site_id"], set_=values))


async def end_link(unit: Unit, site_id: str, token: str) -> None:
    """This connection is no more; another one of the site stays."""
    link = table_of(SiteLinkRow)
    own = (link.c.site_id == site_id, link.c.token == token)
    await unit.execute(update(link).where(*own).values(token=None))


async def renew_links(unit: Unit, tokens: Collection[str], seen_at: datetime) -> None:
    """These connections live."""
    link = table_of(SiteLinkRow)
    await unit.execute(update(link).where(link.c.token.in_(tokens)).values(seen_at=seen_at))


async def tokens_of(unit: Unit, site_ids: Collection[str]) -> dict[str, str | None]:
    """The connections that count, by site."""
    link = table_of(SiteLinkRow).c
    statement = select_columns(link.site_id, link.token).where(link.site_id.in_(site_ids))
    rows: Any = await unit.execute(statement)
    return {row[0]: row[1] for row in rows}


async def numbers_of(unit: Unit, site_id: str, spool_id: str) -> dict[str, int]:
    """What is durable of a spool, by stream."""
    row = table_of(SiteStreamRow).c
    statement = select_columns(row.stream, row.number).where(row.site_id == site_id, row.spool_id == spool_id)
    rows: Any = await unit.execute(statement)
    return {row[0]: row[1] for row in rows}


async def advance_stream(unit: Unit, site_id: str, spool_id: str, stream: str, number: int) -> None:
    """Everything up to this number is durable; never back."""
    values = {"site_id": site_id, "spool_id": spool_id, "stream": stream, "number": number}
    statement = insert_for(unit, SiteStreamRow).values(values)
    await unit.execute(
        statement.on_conflict_do_update(
            index_elements=["site_id", "spool_id", "stream"],
            set_={"number": number},
            where=table_of(SiteStreamRow).c.number < number,
        )
    )


# Commands.


async def command_row(unit: Unit, command_id: str) -> SiteCommandRow | None:
    """A command."""
    return await unit.session.get(SiteCommandRow, command_id)


async def open_commands(unit: Unit, site_ids: Collection[str], now: datetime) -> list[SiteCommandRow]:
    """Commands without a result that may still be sent, oldest first."""
    statement = (
        select(SiteCommandRow)
        .where(col(SiteCommandRow.site_id).in_(site_ids), col(SiteCommandRow.result).is_(None))
        .where(or_(col(SiteCommandRow.expires_at).is_(None), col(SiteCommandRow.expires_at) > now))
        .order_by(col(SiteCommandRow.created_at), col(SiteCommandRow.command_id))
    )
    return list((await unit.session.exec(statement)).all())


async def set_command(unit: Unit, command_id: str, *conditions: Any, **values: Any) -> bool:
    """Set columns of an unanswered command if these conditions hold; says whether they did."""
    command = table_of(SiteCommandRow)
    own = (command.c.command_id == command_id, command.c.result.is_(None))
    return bool((await unit.execute(update(command).where(*own, *conditions).values(**values))).rowcount)


def not_expired(now: datetime) -> Any:
    """The condition that a command may still be sent."""
    expires = table_of(SiteCommandRow).c.expires_at
    return or_(expires.is_(None), expires > now)


def never_sent() -> Any:
    """The condition that a command has not left."""
    return table_of(SiteCommandRow).c.sent_at.is_(None)


def of_site(site_id: str) -> Any:
    """The condition that a command is a site's."""
    return table_of(SiteCommandRow).c.site_id == site_id


async def forget_commands(unit: Unit, before: datetime) -> None:
    """Forget commands made before then."""
    await unit.execute(delete(SiteCommandRow).where(col(SiteCommandRow.created_at) < before))
