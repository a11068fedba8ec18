"""Use cases of those who serve lists to homes: stations in their order, and present states."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any

from hub.core.clock import Clock
from hub.core.database import Database
from hub.directory import tables_lists as tables
from hub.directory.checks import in_utc
from hub.directory.model import STATUS_TTL_S, state_now
from hub.directory.service_tariffs import TariffService
from hub.directory.tables_search import Key
from hub.directory.tables_tariffs import ANY
from hub.directory.views import connector_details, pile_details, station_details
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import Connector, ConnectorStatus, Pile, Station

_ORDER = itemgetter(0, 1, 2, 3)


class ListService(TariffService):
    """Lists that protocols of others show; every method is a step of its own."""

    def __init__(self, database: Database, clock: Clock, *, status_ttl_s: int = STATUS_TTL_S) -> None:
        super().__init__(database, clock)
        self._status_ttl_s = status_ttl_s

    async def stations_of(
        self,
        hosts: Collection[str],
        *,
        home: str = ANY,
        updated_since: datetime | None = None,
        after: Key | None = None,
        limit: int = 50,
    ) -> list[Station]:
        """Stations of these hosts, those behind a place in the order of (host, station).

        With `updated_since` (business time) only those that changed since, and removed ones among them. For a
        home a station changes too when its agreement with the host begins, and when its prices may change.
        """
        if not hosts:
            return []
        since = None if updated_since is None else self._since(home, in_utc(updated_since))
        async with self._database.reading() as unit:
            rows = await tables.page_listed(unit, hosts, since, after=after, limit=limit)
            keys = [(row[0], row[1]) for row in rows]
            piles = _piles(await tables.equipment_of(unit, keys)) if keys else {}
        return [_station(row, piles.get((row[0], row[1]), [])) for row in rows]

    def _since(self, home: str, at: datetime) -> tables.Since:
        now = self._clock.business()
        agreed_at = self._clock.wall() - self._clock.wall_for(now - at)
        return tables.Since(home, at, agreed_at, now)

    async def connector_states(
        self, host: str, *, connector_ids: Collection[str] = (), station_ids: Collection[str] = ()
    ) -> dict[str, list[ConnectorStatus]]:
        """The present states of a host's living connectors, by station, in order of connector.

        Either some connectors are named or some stations. `offline` is also what nobody reported, or long ago;
        a state that was never reported is as of now.
        """
        if not connector_ids and not station_ids:
            return {}
        async with self._database.reading() as unit:
            rows = await tables.states_of(unit, host, connector_ids=connector_ids, station_ids=station_ids)
        now = self._clock.business()
        found: defaultdict[str, list[ConnectorStatus]] = defaultdict(list)
        for station_id, connector_id, state, at in sorted(rows, key=lambda row: row[:2]):
            present = ConnectorState(state_now(state, at, now=now, ttl_s=self._status_ttl_s))
            found[station_id].append(ConnectorStatus(connector_id=connector_id, state=present, at=at or now))
        return dict(found)


def _piles(rows: Iterable[Any]) -> dict[Key, list[Pile]]:
    """Rows of `equipment_of` as the piles of each station, in order of their ids."""
    found: defaultdict[Key, list[Pile]] = defaultdict(list)
    place, plugs = None, list[Connector]()
    for row in sorted(rows, key=_ORDER):
        if place != row[:3]:
            place, plugs = row[:3], []
            pile = Pile(
                pile_id=row[2],
                kind=row[6],
                rated_power_w=row[7],
                connectors=plugs,
                power_assumed=row[8],
                details=pile_details(row[9]),
            )
            found[place[:2]].append(pile)
        details = connector_details(row[5])
        plugs.append(Connector(connector_id=row[3], rated_power_w=row[4], details=details))
    return found


def _station(row: Any, piles: list[Pile]) -> Station:
    return Station(
        party_id=row[0],
        station_id=row[1],
        name=row[2],
        address=row[3],
        latitude_e6=row[4],
        longitude_e6=row[5],
        tariff_id=row[6],
        piles=piles,
        updated_at=row[7],
        removed=row[8],
        details=station_details(row[9]),
    )
