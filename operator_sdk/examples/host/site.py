"""The site that the host publishes, and what stands on it."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from operator_sdk.contract.messages import directory
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.directory import StationPut, Tariff, TariffPeriod, TariffPut
from operator_sdk.examples.host.pile import WMS_PER_WH, Pile, Vehicle


class SiteTariff(TariffPut, frozen=True):
    """A tariff version with its name."""

    tariff_id: str
    version: int = 1


class SiteStation(StationPut, frozen=True):
    """A station with its name."""

    station_id: str


class Site(Message, frozen=True):
    """Everything the host has: one JSON file."""

    tariffs: list[SiteTariff]
    stations: list[SiteStation]
    vehicle: Vehicle = Vehicle()
    meter_start_wh: int = 123_456


def load(path: Path | None) -> Site:
    """The site of a JSON file, or a small one.

    Raises:
        OSError: the file cannot be read.
        msgspec.DecodeError: it is not a site.
    """
    return msgspec.json.decode(path.read_bytes(), type=Site) if path else small_site()


def tariff_of(party_id: str, put: SiteTariff) -> Tariff:
    """A tariff as the hub names it."""
    return Tariff(
        party_id=party_id,
        tariff_id=put.tariff_id,
        version=put.version,
        valid_from=put.valid_from,
        periods=put.periods,
        utc_offset_minutes=put.utc_offset_minutes,
    )


def piles_of(site: Site) -> dict[str, Pile]:
    """A simulated pile per connector; every meter begins at a reading of its own."""
    made: dict[str, Pile] = {}
    for station in site.stations:
        for pile in station.piles:
            for connector in pile.connectors:
                reading_wh = site.meter_start_wh + 1_000 * len(made)
                made[connector.connector_id] = Pile(
                    kind=pile.kind,
                    rated_power_w=connector.rated_power_w or pile.rated_power_w,
                    vehicle=site.vehicle,
                    meter_wms=reading_wh * WMS_PER_WH,
                )
    return made


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
                    directory.Pile(
                        pile_id="P1",
                        kind="dc",
                        rated_power_w=120_000,
                        connectors=[directory.Connector(connector_id="C1")],
                    ),
                    directory.Pile(
                        pile_id="P2",
                        kind="ac",
                        rated_power_w=7_000,
                        connectors=[directory.Connector(connector_id="C2")],
                    ),
                ],
            )
        ],
    )
