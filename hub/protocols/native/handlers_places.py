"""Handlers: where to charge, what is printed there, and whose drivers can."""

from hub.core.errors import NotFoundError
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.places import (
    ConnectorCode,
    ConnectorCodes,
    HomeOperatorPage,
    StationDetail,
    StationHits,
    StationQuery,
)


async def search_stations(call: Call, _: Empty) -> StationHits:
    """Stations near a place or by name."""
    return await call.services.search.search(call.asked(StationQuery), home=call.party_id)


async def get_station_detail(call: Call, _: Empty) -> StationDetail:
    """One station with its connectors' states and its tariffs, as the caller's drivers pay them."""
    party_id, station_id = call.path["party_id"], call.path["station_id"]
    return await call.services.search.detail(party_id, station_id, home=call.party_id)


async def get_connector_code(call: Call, _: Empty) -> ConnectorCode:
    """The codes of a connector of the caller's."""
    party_id, connector_id = split_connector(call.path["connector"])
    _check_own(call, party_id)
    return await call.services.roaming.labels.connector(party_id, connector_id)


async def list_connector_codes(call: Call, _: Empty) -> ConnectorCodes:
    """The codes of a station of the caller's."""
    _check_own(call, call.path["party_id"])
    return await call.services.roaming.labels.station(call.path["party_id"], call.path["station_id"])


async def list_home_operators(call: Call, _: Empty) -> HomeOperatorPage:
    """Homes whose drivers can sign in."""
    return await call.services.sign_in.homes(after=call.after, limit=call.limit)


def _check_own(call: Call, party_id: str) -> None:
    if call.principal.kind == "operator" and call.party_id != party_id:
        raise NotFoundError


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        search_stations,
        get_station_detail,
        get_connector_code,
        list_connector_codes,
        list_home_operators,
    )
}
