"""Rows of the directory as the contract shows them."""

from functools import lru_cache

import msgspec

from hub.directory.model import StoredStation
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    Station,
    StationDetails,
)

_STATION = msgspec.json.Decoder(StationDetails)
_PILE = msgspec.json.Decoder(PileDetails)
_CONNECTOR = msgspec.json.Decoder(ConnectorDetails)

REMEMBERED = 4_096
"""Texts of details read lately: thousands of piles and plugs are alike, and nothing changes a message."""


def station_details(text: str | None) -> StationDetails | None:
    """A station's details from the text they are kept as."""
    return None if text is None else _STATION.decode(text)


@lru_cache(maxsize=REMEMBERED)
def pile_details(text: str | None) -> PileDetails | None:
    """A pile's details from the text they are kept as."""
    return None if text is None else _PILE.decode(text)


@lru_cache(maxsize=REMEMBERED)
def connector_details(text: str | None) -> ConnectorDetails | None:
    """A connector's details from the text they are kept as."""
    return None if text is None else _CONNECTOR.decode(text)


def station_of(key: tuple[str, str], stored: StoredStation) -> Station:
    """A station, by (party, station), with what stands on it now."""
    plugs: dict[str, list[Connector]] = {}
    for connector_id, plug in sorted(stored.connectors.items()):
        if not plug.removed:
            connector = Connector(
                connector_id=connector_id,
                rated_power_w=plug.rated_power_w,
                details=connector_details(plug.details),
            )
            plugs.setdefault(plug.pile_id, []).append(connector)
    facts = stored.facts
    return Station(
        party_id=key[0],
        station_id=key[1],
        name=facts.name,
        address=facts.address,
        latitude_e6=facts.latitude_e6,
        longitude_e6=facts.longitude_e6,
        tariff_id=facts.tariff_id,
        piles=[
            Pile(
                pile_id=pile_id,
                kind=pile.kind,
                rated_power_w=pile.rated_power_w,
                connectors=plugs[pile_id],
                power_assumed=pile.power_assumed,
                details=pile_details(pile.details),
            )
            for pile_id, pile in sorted(stored.piles.items())
            if not pile.removed
        ],
        updated_at=stored.updated_at,
        removed=facts.removed,
        details=station_details(facts.details),
    )
