"""The queries behind whole lists for homes: pages of stations with what stands on them, and present states.

One row per living connector, its pile beside it: with details, lists of tens of thousands are mostly rows.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from hub.core.database import Unit
from hub.core.tables import table_of
from hub.directory.tables import ConnectorRow, ConnectorStatusRow, PileRow, StationRow
from hub.directory.tables_search import Key

STATION, PILE = table_of(StationRow).c, table_of(PileRow).c
PLUGS, STATUSES = table_of(ConnectorRow), table_of(ConnectorStatusRow)
PLUG, STATUS = PLUGS.c, STATUSES.c


def _listed(hosts: Collection[str], since: datetime | None) -> list[ColumnElement[bool]]:
    """Stations of these hosts: the living ones, or all that changed since an instant, tombstones included."""
    changed = ~STATION.removed if since is None else STATION.updated_at >= since
    return [STATION.host_party_id.in_(sorted(hosts)), changed]


async def count_listed(unit: Unit, hosts: Collection[str], since: datetime | None) -> int:
    """How many stations a list has in all."""
    statement = select(func.count()).select_from(table_of(StationRow)).where(*_listed(hosts, since))
    return int((await unit.execute(statement)).scalar_one())


async def page_listed(
    unit: Unit, hosts: Collection[str], since: datetime | None, *, offset: int, limit: int
) -> Sequence[Any]:
    """A page of stations in order of (host, station): their own columns, without search text."""
    order = STATION.host_party_id, STATION.station_id
    statement = (
        select(
            *order, STATION.name, STATION.address, STATION.latitude_e6, STATION.longitude_e6,
            STATION.tariff_id, STATION.updated_at, STATION.removed, STATION.details,
        )
        .where(*_listed(hosts, since))
        .order_by(*order)
        .offset(offset)
        .limit(limit)
    )  # fmt: skip
    return (await unit.execute(statement)).all()


async def equipment_of(unit: Unit, keys: Sequence[Key]) -> Sequence[Any]:
    """The living connectors of these stations, each with its pile. A living pile has one at least.

    The stations are in the order of `page_listed`.
    """
    together = and_(
        *(PILE[name] == PLUG[name] for name in ("host_party_id", "station_id", "pile_id")),
    )
    statement = (
        select(
            PLUG.host_party_id, PLUG.station_id, PLUG.pile_id, PLUG.connector_id, PLUG.rated_power_w,
            PLUG.details, PILE.kind, PILE.rated_power_w, PILE.power_assumed, PILE.details,
        )
        .select_from(PLUGS.join(table_of(PileRow), together))
        .where(_within(keys), ~PLUG.removed)
    )  # fmt: skip
    return (await unit.execute(statement)).all()


def _within(keys: Sequence[Key]) -> ColumnElement[bool]:
    """These stations. From the first to the last of each host is one stretch of the index, which a planner that
    knows nothing of a new table yet would not find in a list of ids.
    """
    by_host: defaultdict[str, list[str]] = defaultdict(list)
    for host, station_id in keys:
        by_host[host].append(station_id)
    return or_(
        *(
            and_(
                PLUG.host_party_id == host,
                PLUG.station_id.between(names[0], names[-1]),
                PLUG.station_id.in_(names),
            )
            for host, names in by_host.items()
        )
    )


async def states_of(
    unit: Unit, host: str, *, connector_ids: Collection[str], station_ids: Collection[str]
) -> Sequence[Any]:
    """(station, connector, state, at) of a host's living connectors of these names or at these stations."""
    named = (
        PLUG.connector_id.in_(sorted(connector_ids))
        if connector_ids
        else PLUG.station_id.in_(sorted(station_ids))
    )
    reported = and_(STATUS.host_party_id == PLUG.host_party_id, STATUS.connector_id == PLUG.connector_id)
    statement = (
        select(PLUG.station_id, PLUG.connector_id, STATUS.state, STATUS.at)
        .select_from(PLUGS.outerjoin(STATUSES, reported))
        .where(PLUG.host_party_id == host, named, ~PLUG.removed)
    )
    return (await unit.execute(statement)).all()
