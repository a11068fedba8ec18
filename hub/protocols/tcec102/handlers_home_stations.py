"""What T/CEC 102 homes ask the hub about stations (T/CEC 102.2): the lists, the states, the energy.

A home is told of the hosts that it has an agreement with, and of its own drivers' energy, and of nothing else.
"""

from datetime import datetime

from hub.parties.agreements import Agreements
from hub.parties.scope import of_party
from hub.protocols.tcec102.aliases import Kind
from hub.protocols.tcec102.server import Context, Handlers
from hub.protocols.tcec102.stations_out import Reader, StationsOut
from hub.protocols.tcec102.tables_home import energy_by_connector
from hub.protocols.tcec102.tools import TcecTools
from hub.protocols.tcec102.translate_fields import instant
from hub.protocols.tcec102.translate_out import CONNECTOR_STATUS
from hub.protocols.tcec102.translate_stations_out import station_stats
from operator_sdk.contract.tcec102.messages import (
    ConnectorStatusInfo,
    QueryStationsInfo,
    QueryStationsInfoReply,
    QueryStationStats,
    QueryStationStatsReply,
    QueryStationStatus,
    QueryStationStatusReply,
    StationStatusInfo,
)
from operator_sdk.contract.tcec102.values import parse_day
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

STATIONS_MOST = 50
"""StationIDs in one query_station_status."""

PAGE_MOST = 100
PAGE_USUAL = 10
"""PageSize where a home names none."""


class HomeStations:
    """Tells homes of stations."""

    def __init__(self, tools: TcecTools) -> None:
        self._tools = tools
        self._agreements = Agreements(tools.database, tools.clock)
        self._stations = StationsOut(
            tools.database, tools.clock, directory=tools.directory, aliases=tools.aliases
        )

    def handlers(self) -> Handlers:
        """By interface."""
        return {
            "query_stations_info": self.query_stations_info,
            "query_station_status": self.query_station_status,
            "query_station_stats": self.query_station_stats,
        }

    async def query_stations_info(self, ctx: Context, message: QueryStationsInfo) -> QueryStationsInfoReply:
        """A page of stations: all, or those that changed since LastQueryTime (102.2).

        PageSize is at most the profile's, and 100. A page past the end is empty and says its own number.
        """
        if message.page_no < 1:
            raise WireProblem(Ret.BUSINESS, "PageNo: expected a number from 1 on", "page_no")
        most = min(ctx.profile.stations.page_size, PAGE_MOST)
        size = min(message.page_size or PAGE_USUAL, most)
        since: datetime | None = None
        if message.last_query_time and message.last_query_time.strip():
            since = instant(message.last_query_time, ctx.profile, "LastQueryTime")
        reader = Reader(ctx.party_id, ctx.profile, ctx.operator_id)
        hosts = await self._agreements.hosts_of_home(ctx.party_id)
        total, infos = await self._stations.page(reader, hosts, since, number=message.page_no, size=size)
        return QueryStationsInfoReply(
            page_no=message.page_no,
            page_count=-(-total // size),
            item_size=total,
            station_infos=infos,
        )

    async def query_station_status(self, ctx: Context, message: QueryStationStatus) -> QueryStationStatusReply:
        """The present states at up to 50 stations (102.2); unknown ones are left out."""
        wanted = list(dict.fromkeys(message.station_ids))
        if len(wanted) > STATIONS_MOST:
            raise WireProblem(Ret.BUSINESS, f"StationIDs: at most {STATIONS_MOST}", "too_many_stations")
        hosts = await self._agreements.hosts_of_home(ctx.party_id)
        stations: dict[str, dict[str, str]] = {}
        for alias in wanted:
            key = await self._tools.aliases.find(Kind.STATION, alias)
            if key is not None and key[0] in hosts:
                stations.setdefault(key[0], {})[key[1]] = alias
        found: dict[str, StationStatusInfo] = {}
        for host, aliases in stations.items():
            found |= await self._states_at(host, aliases)
        infos = [found[alias] for alias in wanted if alias in found]
        return QueryStationStatusReply(total=len(infos), station_status_infos=infos)

    async def _states_at(self, host: str, stations: dict[str, str]) -> dict[str, StationStatusInfo]:
        """The states at these stations of a host, by alias; `stations` are aliases by its own ids."""
        states = await self._tools.directory.connector_states(host, station_ids=stations)
        plugs = [(host, one.connector_id) for of_station in states.values() for one in of_station]
        names = await self._tools.aliases.known(Kind.CONNECTOR, plugs)
        return {
            stations[station_id]: StationStatusInfo(
                station_id=stations[station_id],
                connector_status_infos=[
                    ConnectorStatusInfo(
                        connector_id=names[host, one.connector_id], status=CONNECTOR_STATUS[one.state]
                    )
                    for one in of_station
                    if (host, one.connector_id) in names
                ],
            )
            for station_id, of_station in states.items()
        }

    async def query_station_stats(self, ctx: Context, message: QueryStationStats) -> QueryStationStatsReply:
        """The energy that this home's own drivers charged at a station, by their accepted bills (102.2).

        What other homes' drivers charge there is none of its business. Days are the hub's, both included.
        """
        try:
            days = parse_day(message.start_time).isoformat(), parse_day(message.end_time).isoformat()
        except ValueError:
            raise WireProblem(Ret.BUSINESS, "StartTime, EndTime: expected yyyy-MM-dd", "day") from None
        key = await self._tools.aliases.find(Kind.STATION, message.station_id)
        if key is None or key[0] not in await self._agreements.hosts_of_home(ctx.party_id):
            raise WireProblem(Ret.BUSINESS, "StationID: no such station", "station_unknown")
        station = await self._tools.directory.get_station(*key)
        async with self._tools.database.reading() as unit:
            energy = await energy_by_connector(
                of_party(ctx.party_id), unit, host_party_id=key[0], station_id=key[1], days=days
            )
        names = await self._stations.names_of(station, message.station_id)
        return QueryStationStatsReply(station_stats=station_stats(station, names, energy, days))
