"""What the host has: stations and tariffs that it publishes, and the agents of its sites."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from operator_sdk.contract.edge_link.frames import SiteId
from operator_sdk.contract.messages.common import ConnectorId, ForeignId, Message, Number
from operator_sdk.contract.messages.directory import StationPut, Tariff, TariffPeriod, TariffPut
from operator_sdk.contract.pricing import published
from operator_sdk.examples.host.described import described_pile, public_station


class SiteTariff(TariffPut, frozen=True):
    """A tariff version with its name."""

    tariff_id: ForeignId
    version: Number = 1


class SiteStation(StationPut, frozen=True):
    """A station with its name."""

    station_id: str


class Site(Message, frozen=True):
    """Everything the host publishes: one JSON file."""

    tariffs: list[SiteTariff]
    stations: list[SiteStation]


class SiteAgent(Message, frozen=True):
    """A site agent of ours: its key, base64url as in a JWK's `x`, and the connectors it drives."""

    site_id: SiteId
    public_key: Annotated[str, Meta(min_length=43, max_length=43)]
    connectors: list[ConnectorId]

    @property
    def key(self) -> Ed25519PublicKey:
        """The key with which it proves itself."""
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(self.public_key + "="))


class Place(Message, frozen=True):
    """Where a connector stands, for the eyes of the host's staff."""

    connector_id: str
    kind: str
    rated_power_w: int
    station_name: str


def load(path: Path | None) -> Site:
    """The site of a JSON file, or a small one.

    Raises:
        OSError: the file cannot be read.
        msgspec.DecodeError: it is not a site.
    """
    return msgspec.json.decode(path.read_bytes(), type=Site) if path else small_site()


def load_agents(path: Path | None) -> dict[str, SiteAgent]:
    """The agents of a JSON file, a list of SiteAgent, by their sites; none without a file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a list of agents, or a key is none.
    """
    if path is None:
        return {}
    agents = msgspec.json.decode(path.read_bytes(), type=list[SiteAgent])
    for agent in agents:
        agent.key.public_bytes_raw()  # a wrong key shows here, not when the site first comes
    return {agent.site_id: agent for agent in agents}


def sites_of(agents: Mapping[str, SiteAgent]) -> dict[str, str]:
    """The site that drives each connector."""
    return {each: agent.site_id for agent in agents.values() for each in agent.connectors}


def tariff_of(party_id: str, put: SiteTariff) -> Tariff:
    """A tariff as the hub names it."""
    return published(put, party_id=party_id, tariff_id=put.tariff_id, version=put.version)


def places_of(site: Site) -> dict[str, Place]:
    """Every connector with its place, in the order of the file."""
    return {
        connector.connector_id: Place(
            connector_id=connector.connector_id,
            kind=pile.kind,
            rated_power_w=connector.rated_power_w or pile.rated_power_w,
            station_name=station.name,
        )
        for station in site.stations
        for pile in station.piles
        for connector in pile.connectors
    }


def small_site() -> Site:
    """One station, a fast and a slow pile, a time-of-use tariff in four periods."""
    prices = ((0, 420, 350_000), (420, 600, 720_000), (600, 900, 1_150_000), (900, 1440, 720_000))
    return Site(
        tariffs=[
            SiteTariff(
                tariff_id="default",
                valid_from=datetime(2025, 1, 1, tzinfo=UTC),
                periods=[
                    TariffPeriod(
                        start_minute=start,
                        end_minute=end,
                        electricity_micro=price_micro,
                        service_micro=400_000,
                    )
                    for start, end, price_micro in prices
                ],
            )
        ],
        stations=[
            SiteStation(
                station_id="S1",
                name="示例充电站",
                address="深圳市南山区",
                latitude_e6=22_540_000,
                longitude_e6=113_950_000,
                tariff_id="default",
                piles=[
                    described_pile("P1", "dc", 120_000, "C1"),
                    described_pile("P2", "ac", 7_000, "C2"),
                ],
                details=public_station(),
            )
        ],
    )
