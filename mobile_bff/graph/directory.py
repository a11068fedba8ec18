"""The public directory, ready to be read and remembered for a moment: the same for all drivers of a home."""

from mobile_bff.cache import ShortMemory
from mobile_bff.graph.account import HomeOperator, home_of
from mobile_bff.graph.context import Context
from mobile_bff.graph.paging import Asked, Connection, asked
from mobile_bff.graph.places import (
    ConnectorPlace,
    PointInput,
    Station,
    StationHit,
    hit_of,
    place_of,
    station_of,
)
from mobile_bff.hub_backend import Caller, HubBackend
from mobile_bff.refused import Refused
from operator_sdk.contract.messages.places import SEARCH_MOST, StationQuery
from operator_sdk.contract.public_codes import Code

LIFE_S = 1
PLACE_LIFE_S = 60
"""Where a connector stands changes less than what it does."""

PAGES_MOST, STATIONS_MOST, PLACES_MOST, HOMES_PAGES_MOST = 500, 200, 5_000, 100
HOMES_LIFE_S = 60
HOMES_MOST = 200
"""Homes that the hub lists at once."""

GRID_E6 = 500
"""Places are rounded to this (about 50 m), so that phones next to each other share an answer."""

TEXT_MOST = 40
LATITUDE_MOST_E6, LONGITUDE_MOST_E6 = 90_000_000, 180_000_000


class Directory:
    """Answers from memory, or asks the hub."""

    def __init__(self, backend: HubBackend) -> None:
        self._backend = backend
        self._pages: ShortMemory[Connection[StationHit]] = ShortMemory(life_s=LIFE_S, most=PAGES_MOST)
        self._stations: ShortMemory[Station] = ShortMemory(life_s=LIFE_S, most=STATIONS_MOST)
        self._places: ShortMemory[ConnectorPlace] = ShortMemory(life_s=PLACE_LIFE_S, most=PLACES_MOST)
        self._homes: ShortMemory[Connection[HomeOperator]] = ShortMemory(
            life_s=HOMES_LIFE_S, most=HOMES_PAGES_MOST
        )

    async def search(
        self, near: PointInput | None, text: str, first: int, after: str | None, context: Context
    ) -> Connection[StationHit]:
        """A page of stations, nearest first where a place is given; counted where memory has none.

        Raises:
            Refused: malformed, too_many_requests, and as the hub says.
        """
        home = await self._backend.home_of_reader(context.caller)
        page = asked(first, after, most=SEARCH_MOST)
        wanted = " ".join(text.split())
        if len(wanted) > TEXT_MOST:
            raise Refused(Code.MALFORMED, field="search")
        query = StationQuery(text=wanted, limit=page.limit, after=page.after, **_rounded(near))
        key = home, query, page
        if self._pages.find(key) is None:
            await context.count()
        return await self._pages.get(key, lambda: self._search(query, page, context.caller))

    async def _search(self, query: StationQuery, page: Asked, caller: Caller) -> Connection[StationHit]:
        found = await self._backend.search(query, caller)
        return page.page(found.items, found.next_after, hit_of)

    async def station(self, station_id: str, context: Context) -> Station:
        """One station by its id here; counted where memory has none.

        Raises:
            Refused: not_found, too_many_requests, and as the hub says.
        """
        home = await self._backend.home_of_reader(context.caller)
        own_id, _, party_id = station_id.rpartition(".")
        if not own_id or not party_id:
            raise Refused(Code.NOT_FOUND)

        async def ask() -> Station:
            return station_of(await self._backend.station(party_id, own_id, context.caller))

        key = home, station_id
        if self._stations.find(key) is None:
            await context.count()
        return await self._stations.get(key, ask)

    async def place(self, connector: str, caller: Caller) -> ConnectorPlace:
        """Where a connector stands.

        Raises:
            Refused: not_found, and as the hub says.
        """
        await self._backend.home_of_reader(caller)

        async def ask() -> ConnectorPlace:
            return place_of(await self._backend.connector(connector, caller))

        return await self._places.get(connector, ask)

    async def homes(self, first: int, after: str | None, context: Context) -> Connection[HomeOperator]:
        """A page of the homes whose drivers can sign in; for everybody, counted where memory has none.

        Raises:
            Refused: malformed, too_many_requests, and as the hub says.
        """
        page = asked(first, after, most=HOMES_MOST)

        async def ask() -> Connection[HomeOperator]:
            came = await self._backend.homes(limit=page.limit, after=page.after, caller=context.caller)
            return page.page(came.items, came.next_after, home_of)

        if self._homes.find(page) is None:
            await context.count()
        return await self._homes.get(page, ask)


def _rounded(near: PointInput | None) -> dict[str, int]:
    if near is None:
        return {}
    if abs(near.latitude_e6) > LATITUDE_MOST_E6 or abs(near.longitude_e6) > LONGITUDE_MOST_E6:
        raise Refused(Code.MALFORMED, field="near")
    return {
        "latitude_e6": _to_grid(near.latitude_e6),
        "longitude_e6": _to_grid(near.longitude_e6),
    }


def _to_grid(degree_e6: int) -> int:
    return (degree_e6 + GRID_E6 // 2) // GRID_E6 * GRID_E6
