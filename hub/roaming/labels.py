"""What is printed on a label: the codes of connectors. The key that signs them stays in the hub."""

from hub.roaming.context import RoamingContext
from hub.roaming.scans import Scans
from operator_sdk.contract.messages.places import ConnectorCode, ConnectorCodes


class Labels:
    """Codes for whoever prints them."""

    def __init__(self, context: RoamingContext, scans: Scans) -> None:
        self._c, self._scans = context, scans

    async def connector(self, party_id: str, connector_id: str) -> ConnectorCode:
        """The codes of one connector.

        Raises:
            NotFoundError: no such connector.
        """
        info = await self._c.directory.get_connector(party_id, connector_id)
        return ConnectorCode(
            connector=info.connector,
            url=self._scans.url_for(info.connector),
            hlht=hlht_of(info.connector),
            hub_name=self._c.hub_name,
            station_id=info.station_id,
            station_name=info.station_name,
            pile_id=info.pile_id,
            kind=info.kind,
            rated_power_w=info.rated_power_w,
        )

    async def station(self, party_id: str, station_id: str) -> ConnectorCodes:
        """The codes of all connectors of a station.

        Raises:
            NotFoundError: no such station, or it was removed.
        """
        detail = await self._c.search.detail(party_id, station_id)
        return ConnectorCodes(
            items=[
                ConnectorCode(
                    connector=plug.connector,
                    url=self._scans.url_for(plug.connector),
                    hlht=hlht_of(plug.connector),
                    hub_name=self._c.hub_name,
                    station_id=station_id,
                    station_name=detail.name,
                    pile_id=plug.pile_id,
                    kind=plug.kind,
                    rated_power_w=plug.rated_power_w,
                )
                for plug in detail.connectors
            ]
        )


def hlht_of(connector: str) -> str:
    """The code that every app of the trade reads; it proves nothing."""
    return f"hlht://{connector}/"
