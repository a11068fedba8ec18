"""Stations as a driver looks for them: near or by name, what is free and what it costs now; QR codes; homes."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.messages.common import ConnectorRef, Instant, Message, Page, PartyId
from operator_sdk.contract.messages.directory import DegreeE6, StationId, Tariff

SEARCH_MOST = 50
"""Hits on a page of a search."""


class StationQuery(Message, frozen=True, kw_only=True):
    """What a search asks for. With a place (both or none) hits come nearest first, else by party and station.

    `text` is part of a station's name, address or operator's name, whatever its case and width; `after` goes on
    a search that asked for the same place and text.
    """

    latitude_e6: (
        Annotated[int, Meta(ge=-90_000_000, le=90_000_000, description="10^-6 degree, GCJ-02")] | None
    ) = None
    longitude_e6: DegreeE6 | None = None
    text: Annotated[str, Meta(max_length=40)] = ""
    limit: Annotated[int, Meta(ge=1, le=SEARCH_MOST)] = 20
    after: Annotated[str, Meta(max_length=300)] | None = None


class KindCounts(Message, frozen=True, kw_only=True):
    """How many connectors stand at piles of each kind."""

    ac: int
    dc: int


class StationHit(Message, frozen=True, kw_only=True):
    """A station found. Prices are micro-yuan per kWh now, null while its tariff is not in force.

    Where its kinds of piles have tariffs of their own, the prices are the lowest of them.
    """

    party_id: PartyId
    party_name: str
    station_id: StationId
    name: str
    address: str
    latitude_e6: int
    longitude_e6: int
    distance_m: int | None
    connectors_total: int
    connectors_available: int
    kinds: KindCounts
    max_power_w: int
    price_now_micro: int | None
    electricity_micro: int | None
    service_micro: int | None


class StationHits(Page, frozen=True, kw_only=True):
    """A page of stations found."""

    items: list[StationHit]


class ConnectorLive(Message, frozen=True, kw_only=True):
    """A connector of a station: `state` is offline when its status has outlived its time."""

    connector: ConnectorRef
    pile_id: str
    kind: str
    rated_power_w: int
    state: str
    state_at: Instant | None


class KindTariff(Message, frozen=True, kw_only=True):
    """The tariff in force at a station's piles of one kind."""

    kind: str
    tariff: Tariff


class StationDetail(Message, frozen=True, kw_only=True):
    """A station with every connector's state and the tariff in force, both as of now.

    `tariff` is the one with the lowest price now of those in `tariffs`, one for each kind of its piles.
    """

    party_id: PartyId
    party_name: str
    station_id: StationId
    name: str
    address: str
    latitude_e6: int
    longitude_e6: int
    connectors: list[ConnectorLive]
    tariff: Tariff | None
    price_now_micro: int | None
    electricity_micro: int | None
    service_micro: int | None
    updated_at: Instant
    tariffs: list[KindTariff] = []


class ConnectorCode(Message, frozen=True, kw_only=True):
    """What a connector's label shows: `url` is the hub's signed one, `hlht` the one of the trade (unsigned)."""

    connector: ConnectorRef
    url: str
    hlht: str
    hub_name: str
    station_id: StationId
    station_name: str
    pile_id: str
    kind: str
    rated_power_w: int


class ConnectorCodes(Message, frozen=True, kw_only=True):
    """The codes of all connectors of a station, in order of pile and connector."""

    items: list[ConnectorCode]


class HomeOperator(Message, frozen=True, kw_only=True):
    """A home whose drivers can sign in; `grants` are those of a sign-in: `code`, `assertion`, or both."""

    party_id: PartyId
    name: str
    grants: list[str]


class HomeOperatorPage(Page, frozen=True, kw_only=True):
    """A page of homes, oldest member first."""

    items: list[HomeOperator]
