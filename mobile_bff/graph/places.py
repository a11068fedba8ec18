"""Stations, connectors and tariffs as the phone reads them."""

from datetime import datetime

import strawberry

from mobile_bff.graph.scalars import Band, ConnectorState, Fen, PileKind, known
from operator_sdk.contract.messages import directory, places, roaming

CONNECTORS_MOST = 200
"""Connectors of a station that are listed; the count beside tells how many there are."""


@strawberry.input(description="A place: GCJ-02, whole millionths of a degree.")
class PointInput:
    latitude_e6: int
    longitude_e6: int


@strawberry.type(description="Prices from `startMinute` (included) to `endMinute` of the local day, per kWh.")
class TariffPeriod:
    start_minute: int
    end_minute: int
    electricity_micro: int
    service_micro: int
    band: Band | None
    band_text: str | None


@strawberry.type(description="A price for time: millionths of a yuan per hour behind the free minutes.")
class TimeFee:
    price_micro_per_hour: int
    free_minutes: int
    cap: Fen | None


@strawberry.type(
    description="One version of a time-of-use tariff; prices are millionths of a yuan per kWh."
    " `parking` runs while the vehicle stands there, `idle` from the end of the charge."
    " Not `binding`: an estimate; the bill decides."
)
class Tariff:
    tariff_id: strawberry.ID
    version: int
    valid_from: datetime
    currency: str
    utc_offset_minutes: int
    periods: list[TariffPeriod]
    parking: TimeFee | None
    idle: TimeFee | None
    binding: bool


@strawberry.type(description="The tariff at a station's piles of one kind.")
class KindTariff:
    kind: PileKind | None
    kind_text: str
    tariff: Tariff


@strawberry.type(
    description="A station found. Prices are null while its tariff is not in force, the lowest where its kinds"
    " of piles have tariffs of their own."
)
class StationHit:
    id: strawberry.ID
    party_id: strawberry.ID
    party_name: str
    name: str
    address: str
    latitude_e6: int
    longitude_e6: int
    distance_m: int | None
    connectors_total: int
    connectors_available: int
    connectors_ac: int
    connectors_dc: int
    max_power_w: int
    price_now_micro: int | None
    electricity_micro: int | None
    service_micro: int | None


@strawberry.type(description="A plug of a station; offline when its state has outlived its time.")
class Connector:
    id: strawberry.ID
    pile_id: str
    kind: PileKind | None
    kind_text: str
    rated_power_w: int
    state: ConnectorState | None
    state_text: str
    state_at: datetime | None


@strawberry.type(
    description="A station with its connectors and its tariffs, as of now; `tariff` has the lowest price now."
)
class Station:
    id: strawberry.ID
    party_id: strawberry.ID
    party_name: str
    name: str
    address: str
    latitude_e6: int
    longitude_e6: int
    connectors_total: int
    connectors: list[Connector]
    tariff: Tariff | None
    tariffs: list[KindTariff]
    price_now_micro: int | None
    electricity_micro: int | None
    service_micro: int | None
    updated_at: datetime


@strawberry.type(description="Where a connector stands.")
class ConnectorPlace:
    station_id: strawberry.ID
    station_name: str
    address: str
    pile_id: str
    kind: PileKind | None
    kind_text: str
    rated_power_w: int


@strawberry.type(
    description="What was scanned. `scanId` starts one charge within two minutes, at this price and hold."
)
class ScannedConnector:
    scan_id: strawberry.ID
    connector: strawberry.ID
    station_name: str
    address: str
    kind: PileKind | None
    kind_text: str
    rated_power_w: int
    state: ConnectorState | None
    state_text: str
    tariff: Tariff
    hold: Fen
    expires_at: datetime


def station_id(party_id: str, own_id: str) -> strawberry.ID:
    """A station's id here: `{station_id}.{party_id}`, as connectors are named."""
    return strawberry.ID(f"{own_id}.{party_id}")


def tariff_of(message: directory.Tariff) -> Tariff:
    """A tariff."""
    return Tariff(
        tariff_id=strawberry.ID(message.tariff_id),
        version=message.version,
        valid_from=message.valid_from,
        currency=message.currency,
        utc_offset_minutes=message.utc_offset_minutes,
        periods=[
            TariffPeriod(
                start_minute=period.start_minute,
                end_minute=period.end_minute,
                electricity_micro=period.electricity_micro,
                service_micro=period.service_micro,
                band=known(Band, period.band),
                band_text=period.band,
            )
            for period in message.periods
        ],
        parking=_time_fee_of(message.parking),
        idle=_time_fee_of(message.idle),
        binding=message.binding,
    )


def _time_fee_of(message: directory.TimeFee | None) -> TimeFee | None:
    if message is None:
        return None
    return TimeFee(
        price_micro_per_hour=message.price_micro_per_hour,
        free_minutes=message.free_minutes,
        cap=None if message.cap_fen is None else Fen(message.cap_fen),
    )


def hit_of(message: places.StationHit) -> StationHit:
    """A station found."""
    return StationHit(
        id=station_id(message.party_id, message.station_id),
        party_id=strawberry.ID(message.party_id),
        party_name=message.party_name,
        name=message.name,
        address=message.address,
        latitude_e6=message.latitude_e6,
        longitude_e6=message.longitude_e6,
        distance_m=message.distance_m,
        connectors_total=message.connectors_total,
        connectors_available=message.connectors_available,
        connectors_ac=message.kinds.ac,
        connectors_dc=message.kinds.dc,
        max_power_w=message.max_power_w,
        price_now_micro=message.price_now_micro,
        electricity_micro=message.electricity_micro,
        service_micro=message.service_micro,
    )


def station_of(message: places.StationDetail) -> Station:
    """A station with its first connectors."""
    return Station(
        id=station_id(message.party_id, message.station_id),
        party_id=strawberry.ID(message.party_id),
        party_name=message.party_name,
        name=message.name,
        address=message.address,
        latitude_e6=message.latitude_e6,
        longitude_e6=message.longitude_e6,
        connectors_total=len(message.connectors),
        connectors=[_connector_of(one) for one in message.connectors[:CONNECTORS_MOST]],
        tariff=None if message.tariff is None else tariff_of(message.tariff),
        tariffs=[
            KindTariff(kind=known(PileKind, one.kind), kind_text=one.kind, tariff=tariff_of(one.tariff))
            for one in message.tariffs
        ],
        price_now_micro=message.price_now_micro,
        electricity_micro=message.electricity_micro,
        service_micro=message.service_micro,
        updated_at=message.updated_at,
    )


def _connector_of(message: places.ConnectorLive) -> Connector:
    return Connector(
        id=strawberry.ID(message.connector),
        pile_id=message.pile_id,
        kind=known(PileKind, message.kind),
        kind_text=message.kind,
        rated_power_w=message.rated_power_w,
        state=known(ConnectorState, message.state),
        state_text=message.state,
        state_at=message.state_at,
    )


def place_of(message: directory.ConnectorInfo) -> ConnectorPlace:
    """Where a connector stands."""
    return ConnectorPlace(
        station_id=station_id(message.party_id, message.station_id),
        station_name=message.station_name,
        address=message.address,
        pile_id=message.pile_id,
        kind=known(PileKind, message.kind),
        kind_text=message.kind,
        rated_power_w=message.rated_power_w,
    )


def scanned_of(message: roaming.Scan) -> ScannedConnector:
    """What was scanned."""
    return ScannedConnector(
        scan_id=strawberry.ID(message.scan_id),
        connector=strawberry.ID(message.connector),
        station_name=message.station_name,
        address=message.address,
        kind=known(PileKind, message.kind),
        kind_text=message.kind,
        rated_power_w=message.rated_power_w,
        state=known(ConnectorState, message.state),
        state_text=message.state,
        tariff=tariff_of(message.tariff),
        hold=Fen(message.hold_fen),
        expires_at=message.expires_at,
    )
