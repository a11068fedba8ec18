"""Handlers: stations and connectors."""

from hub.core.errors import NotFoundError
from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.directory import (
    ConnectorInfo,
    Station,
    StationPage,
    StationPut,
    StatusPush,
    StatusPushed,
)


async def put_station(call: Call, put: StationPut) -> Station:
    """Describe the caller's station."""
    return await call.services.directory.put_station(call.party_id, call.path["station_id"], put)


async def push_status(call: Call, push: StatusPush) -> StatusPushed:
    """States of the caller's connectors."""
    return await call.services.directory.push_status(call.party_id, push)


async def list_stations(call: Call, _: Empty) -> StationPage:
    """Stations on the hub."""
    return await call.services.directory.list_stations(
        after=call.query.get("after") or None,
        limit=call.limit,
        updated_since=call.updated_since,
        party_id=call.query.get("party_id"),
    )


async def get_station(call: Call, _: Empty) -> Station:
    """One station."""
    return await call.services.directory.get_station(call.path["party_id"], call.path["station_id"])


async def get_connector(call: Call, _: Empty) -> ConnectorInfo:
    """One connector, with the tariff for the caller's drivers or the calling driver."""
    party_id, connector_id = split_connector(call.path["connector"])
    if not party_id:
        raise NotFoundError
    return await call.services.directory.get_connector(party_id, connector_id, home=call.party_id)


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        put_station,
        push_status,
        list_stations,
        get_station,
        get_connector,
    )
}
