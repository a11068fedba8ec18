"""Where a connector stands, held against others who ask the same."""

from typing import NamedTuple

from sqlmodel import col, select

from hub.core.database import Unit
from hub.directory.tables import ConnectorRow, StationRow


class HeldPlace(NamedTuple):
    """A living connector's station; coordinates in 10^-6 degree, GCJ-02."""

    station_id: str
    station_name: str
    latitude_e6: int
    longitude_e6: int


async def hold_place(unit: Unit, party_id: str, connector_id: str) -> HeldPlace | None:
    """A connector's place. Whoever else asks for it in a writing unit waits until this unit ends."""
    held = (
        select(ConnectorRow)
        .where(
            ConnectorRow.host_party_id == party_id,
            ConnectorRow.connector_id == connector_id,
            col(ConnectorRow.removed).is_(False),
        )
        .with_for_update(key_share=True)
    )
    plug = (await unit.session.exec(held)).first()
    if plug is None:
        return None
    station = await unit.session.get(StationRow, (party_id, plug.station_id))
    assert station is not None
    return HeldPlace(station.station_id, station.name, station.latitude_e6, station.longitude_e6)
