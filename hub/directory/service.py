"""Use cases of the directory: hosts describe stations and report states; everybody reads."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hub.core.clock import Clock
from hub.core.database import Database, Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.memory import Memory
from hub.core.paging import cut_page, decode_cursor, page_limit
from hub.directory import tables
from hub.directory.checks import checked, host_for_update, in_utc
from hub.directory.model import (
    AHEAD_MOST,
    STATUS_TTL_S,
    DirectoryProblem,
    Outcome,
    change_of,
    check_station,
    check_text,
    is_plausible,
    removal_of,
    state_now,
)
from hub.directory.ports import StatusesSeen
from hub.directory.relaying import StatusRelay
from hub.directory.service_lists import ListService
from hub.directory.service_tariffs import tariff_of
from hub.directory.store_connectors import ConnectorStore
from hub.directory.tables_tariffs import ANY, newest_version
from hub.directory.views import station_of
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.directory import (
    ConnectorInfo,
    Station,
    StationId,
    StationPage,
    StationPut,
    StatusPush,
    StatusPushed,
    Tariff,
)
from operator_sdk.contract.public_codes import Code

LATELY = timedelta(seconds=1)


class DirectoryService(ListService):
    """The directory. Methods that take a unit run within it; the others are steps of their own."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        status_ttl_s: int = STATUS_TTL_S,
        statuses_seen: StatusesSeen | None = None,
    ) -> None:
        super().__init__(database, clock, status_ttl_s=status_ttl_s)
        self._statuses_seen = statuses_seen
        self._relay: StatusRelay | None = None
        url = database.driver_url
        self._store = ConnectorStore(url, clock) if url else None
        # By connector, so that a new status forgets it for every home.
        self._lately: Memory[tuple[str, str], dict[str, ConnectorInfo]] = Memory(LATELY)

    def tell_homes(self, relay: StatusRelay) -> None:
        """From now on homes are told through this what connectors do."""
        self._relay = relay

    async def put_station(self, party_id: str, station_id: str, put: StationPut) -> Station:
        """Describe a station whole; the same description again writes nothing.

        Raises:
            NotFoundError: no such host.
            HubError: malformed, tariff_unknown or rule_violated.
        """
        checked(station_id, StationId)
        try:
            check_station(put)
            check_text(put.name, put.address)
        except DirectoryProblem as problem:
            raise HubError(Code.RULE_VIOLATED, reason=str(problem)) from problem
        async with self._database.unit() as unit:
            await host_for_update(unit, party_id)
            if await newest_version(unit, party_id=party_id, tariff_id=put.tariff_id) is None:
                raise HubError(Code.TARIFF_UNKNOWN)
            plugs = [plug.connector_id for pile in put.piles for plug in pile.connectors]
            owners = await tables.connector_owners(unit, party_id, plugs)
            elsewhere = sorted(plug for plug, owner in owners.items() if owner != station_id)
            if elsewhere:
                reason = f"connector {elsewhere[0]} belongs to another station"
                raise HubError(Code.RULE_VIOLATED, reason=reason)
            stored = (await tables.stored_stations(unit, [(party_id, station_id)])).get((party_id, station_id))
            change = change_of(stored, put, whole=True)
            if change.outcome != Outcome.UNCHANGED:
                changes = {station_id: change}
                await tables.write_changes(unit, party_id, changes, now=self._clock.business())
            return await self._station(unit, party_id, station_id)

    async def remove_station(self, party_id: str, station_id: str) -> Station:
        """Make a station and everything on it a tombstone; removing it again writes nothing.

        Raises:
            NotFoundError: no such station.
        """
        async with self._database.unit() as unit:
            await host_for_update(unit, party_id)
            stored = (await tables.stored_stations(unit, [(party_id, station_id)])).get((party_id, station_id))
            if stored is None:
                raise NotFoundError
            change = removal_of(stored)
            if change.outcome != Outcome.UNCHANGED:
                changes = {station_id: change}
                await tables.write_changes(unit, party_id, changes, now=self._clock.business())
            return await self._station(unit, party_id, station_id)

    async def get_station(self, party_id: str, station_id: str) -> Station:
        """One station; a removed one is its tombstone.

        Raises:
            NotFoundError: no such station.
        """
        async with self._database.reading() as unit:
            return await self._station(unit, party_id, station_id)

    async def _station(self, unit: Unit, party_id: str, station_id: str) -> Station:
        key = (party_id, station_id)
        stored = (await tables.stored_stations(unit, [key])).get(key)
        if stored is None:
            raise NotFoundError
        return station_of(key, stored)

    async def list_stations(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        updated_since: datetime | None = None,
        party_id: str | None = None,
    ) -> StationPage:
        """A page of stations in order of change, tombstones included.

        Raises:
            HubError: malformed cursor or limit.
        """
        most = page_limit(limit)
        begin = _place(after) if after is not None else None
        since = in_utc(updated_since) if updated_since is not None else None
        async with self._database.reading() as unit:
            rows = await tables.page_of_stations(
                unit, after=begin, updated_since=since, party_id=party_id, count=most + 1
            )
            page, next_after = cut_page(
                rows, most, lambda row: (row.updated_at, f"{row.host_party_id}/{row.station_id}")
            )
            keys = [(row.host_party_id, row.station_id) for row in page]
            stored = await tables.stored_stations(unit, keys)
        return StationPage(items=[station_of(key, stored[key]) for key in keys], next_after=next_after)

    async def push_status(self, party_id: str, push: StatusPush) -> StatusPushed:
        """Take states; for each connector only a newer one is written.

        Raises:
            HubError: rule_violated, a state is from the future.
        """
        newest = self._newest(push)
        relay = self._relay
        homes = await relay.homes_told(party_id) if relay is not None else ()
        async with self._database.unit() as unit:
            living = await tables.connector_owners(unit, party_id, newest)
            unknown = sorted(newest.keys() - living.keys())
            for connector_id in unknown:
                del newest[connector_id]
            before = await relay.states_before(unit, party_id, newest) if relay is not None and homes else {}
            written = await tables.write_statuses(unit, party_id, newest)
            news = {connector_id: newest[connector_id] for connector_id in written}
            if news and self._statuses_seen is not None:
                await self._statuses_seen.statuses_seen(unit, party_id, news)
            if relay is not None and homes:
                changed = {name: said for name, said in news.items() if before.get(name) != said[0]}
                await relay.tell(unit, party_id, homes, changed)
        for connector_id in newest:
            self._lately.forget((party_id, connector_id))
        return StatusPushed(written=len(written), unknown=unknown)

    def _newest(self, push: StatusPush) -> dict[str, tuple[str, datetime]]:
        latest = self._clock.business() + AHEAD_MOST
        newest: dict[str, tuple[str, datetime]] = {}
        for status in push.statuses:
            if not is_plausible(status.at) or status.at > latest:
                raise HubError(Code.RULE_VIOLATED, reason=f"{status.connector_id}: implausible time")
            known = newest.get(status.connector_id)
            if known is None or known[1] < status.at:
                newest[status.connector_id] = (status.state.value, in_utc(status.at))
        return newest

    async def connector(
        self, unit: Unit, party_id: str, connector_id: str, *, home: str | None
    ) -> ConnectorInfo | None:
        """A connector with its place, its state now and the tariff for a home's drivers now, if there is one.

        This tariff prices a charge that begins now, and nothing else chooses one. `home` None: not known.
        """
        now = self._clock.business()
        row: Any = await tables.find_connector(unit, party_id, connector_id, home=home or ANY, at=now)
        if row is None:
            return None
        tariff = await self.tariff_at(unit, party_id, row.tariff_id, now)
        return self._info(party_id, connector_id, row._mapping, tariff)

    def _info(
        self, party_id: str, connector_id: str, row: Mapping[str, Any], tariff: Tariff | None
    ) -> ConnectorInfo:
        now = self._clock.business()
        return ConnectorInfo(
            connector=connector_ref(party_id, connector_id),
            party_id=party_id,
            station_id=row["station_id"],
            station_name=row["name"],
            address=row["address"],
            pile_id=row["pile_id"],
            kind=row["kind"],
            rated_power_w=row["plug_power_w"] or row["pile_power_w"],
            state=state_now(row["state"], row["at"], now=now, ttl_s=self._status_ttl_s),
            state_at=row["at"],
            tariff=tariff,
        )

    async def connector_lately(self, party_id: str, connector_id: str, home: str) -> ConnectorInfo | None:
        """The same, up to a second of business time old."""
        now, key = self._clock.business(), (party_id, connector_id)
        known = self._lately.get(key, now)
        info = known.get(home) if known is not None else None
        if info is None:
            info = await self._connector_now(party_id, connector_id, home)
            if info is not None:
                self._remember(key, home, info, now)
        return info

    def _remember(self, key: tuple[str, str], home: str, info: ConnectorInfo, now: datetime) -> None:
        known = self._lately.get(key, now)
        if known is None:
            self._lately.put(key, {home: info}, now)
        else:
            known[home] = info

    async def _connector_now(self, party_id: str, connector_id: str, home: str) -> ConnectorInfo | None:
        if self._store is None:
            async with self._database.reading() as unit:
                return await self.connector(unit, party_id, connector_id, home=home)
        row = await self._store.find(party_id, connector_id, home)
        if row is None:
            return None
        return self._info(party_id, connector_id, row, tariff_of(row) if row["version"] else None)

    async def close(self) -> None:
        """Close the connection of the set-based look-up."""
        if self._store is not None:
            await self._store.close()

    async def get_connector(
        self, party_id: str, connector_id: str, *, home: str | None = None
    ) -> ConnectorInfo:
        """The same, read by itself.

        Raises:
            NotFoundError: no such connector.
        """
        async with self._database.reading() as unit:
            info = await self.connector(unit, party_id, connector_id, home=home)
        if info is None:
            raise NotFoundError
        return info


def _place(after: str) -> tuple[datetime, str, str]:
    at, row_id = decode_cursor(after)
    party_id, slash, station_id = row_id.partition("/")
    if not slash:
        raise HubError(Code.MALFORMED, after="not a cursor of this list")
    return at, party_id, station_id
