"""The queries behind whole lists for homes: pages of stations with what stands on them, and present states.

One row per living connector, its pile beside it: with details, lists of tens of thousands are mostly rows.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select, tuple_

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.directory.tables import ConnectorRow, ConnectorStatusRow, PileRow, StationRow, among
from hub.directory.tables_search import Key
from hub.directory.tables_tariffs import ANY, ASSIGNMENT, VERSION
from hub.parties.tables import AgreementRow

STATION, PILE = table_of(StationRow).c, table_of(PileRow).c
PLUGS, STATUSES = table_of(ConnectorRow), table_of(ConnectorStatusRow)
PLUG, STATUS = PLUGS.c, STATUSES.c
AGREED = table_of(AgreementRow).c


class Since(NamedTuple):
    """From which instant to which a home asks for changes, in business time; `agreed_at` is the first on the
    wall, by which agreements are dated."""

    home: str
    at: datetime
    agreed_at: datetime
    now: datetime


def _listed(hosts: Collection[str], since: Since | None) -> list[ColumnElement[bool]]:
    """Stations of these hosts: the living ones, or all that changed for a home, tombstones included."""
    changed: ColumnElement[bool] = ~STATION.removed
    if since is not None:
        news = or_(_newly_agreed(since), _repriced(since))
        changed = or_(STATION.updated_at >= since.at, and_(~STATION.removed, news))
    return [STATION.host_party_id.in_(sorted(hosts)), changed]


def _newly_agreed(since: Since) -> ColumnElement[bool]:
    """What a home may charge at only now is new to it, however old it is."""
    own = AGREED.home_party_id == since.home, AGREED.host_party_id == STATION.host_party_id
    return select(AGREED.agreement_id).where(*own, AGREED.created_at >= since.agreed_at).exists()


def _repriced(since: Since) -> ColumnElement[bool]:
    """Whether a station's prices may have changed: a version or an assignment has come into force there.

    One that is set aside by a closer assignment counts too: to tell a station once more does no harm.
    """
    version, made = VERSION.c, ASSIGNMENT.c
    begun = select(version.version).where(
        version.valid_from <= since.now,
        or_(version.valid_from >= since.at, version.published_at >= since.at),
    )
    own = begun.where(version.host_party_id == STATION.host_party_id, version.tariff_id == STATION.tariff_id)
    there = begun.where(version.host_party_id == made.host_party_id, version.tariff_id == made.tariff_id)
    assigned = select(made.valid_from).where(
        made.host_party_id == STATION.host_party_id,
        made.home_party_id.in_((ANY, since.home)),
        made.station_id.in_((ANY, STATION.station_id)),
        made.valid_from <= since.now,
        or_(made.valid_from >= since.at, made.assigned_at >= since.at, there.exists()),
    )
    return or_(own.exists(), assigned.exists())


async def page_listed(
    unit: Unit, hosts: Collection[str], since: Since | None, *, after: Key | None, limit: int
) -> Sequence[Any]:
    """Stations behind a place in the order of (host, station): their own columns, without search text."""
    order = STATION.host_party_id, STATION.station_id
    statement = (
        select(
            *order, STATION.name, STATION.address, STATION.latitude_e6, STATION.longitude_e6,
            STATION.tariff_id, STATION.updated_at, STATION.removed, STATION.details,
        )
        .where(*_listed(hosts, since))
        .order_by(*order)
        .limit(limit)
    )  # fmt: skip
    if after is not None:
        statement = statement.where(tuple_(*order) > tuple_(*after))
    return (await unit.execute(statement)).all()


async def equipment_of(unit: Unit, keys: Sequence[Key]) -> Sequence[Any]:
    """The living connectors of these stations, each with its pile. A living pile has one at least."""
    together = and_(
        *(PILE[name] == PLUG[name] for name in ("host_party_id", "station_id", "pile_id")),
    )
    statement = (
        select(
            PLUG.host_party_id, PLUG.station_id, PLUG.pile_id, PLUG.connector_id, PLUG.rated_power_w,
            PLUG.details, PILE.kind, PILE.rated_power_w, PILE.power_assumed, PILE.details,
        )
        .select_from(PLUGS.join(table_of(PileRow), together))
        .where(among(unit, (PLUG.host_party_id, PLUG.station_id), keys), ~PLUG.removed)
    )  # fmt: skip
    return (await unit.execute(statement)).all()


async def states_of(
    unit: Unit, host: str, *, connector_ids: Collection[str], station_ids: Collection[str]
) -> Sequence[Any]:
    """(station, connector, state, at) of a host's living connectors of these names or at these stations."""
    column, names = (PLUG.connector_id, connector_ids) if connector_ids else (PLUG.station_id, station_ids)
    named = among(unit, (PLUG.host_party_id, column), [(host, name) for name in sorted(names)])
    reported = and_(STATUS.host_party_id == PLUG.host_party_id, STATUS.connector_id == PLUG.connector_id)
    statement = (
        select(PLUG.station_id, PLUG.connector_id, STATUS.state, STATUS.at)
        .select_from(PLUGS.outerjoin(STATUSES, reported))
        .where(named, ~PLUG.removed)
    )
    return (await unit.execute(statement)).all()
