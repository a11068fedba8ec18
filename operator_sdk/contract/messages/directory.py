"""Stations, piles, connectors, their status and their tariffs."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.common import (
    ConnectorId,
    ConnectorRef,
    Fen,
    ForeignId,
    Instant,
    Message,
    Number,
    Page,
    PartyId,
    PriceMicro,
    Text,
    Watt,
    Word,
)

StationId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
DegreeE6 = Annotated[int, Meta(ge=-180_000_000, le=180_000_000, description="10^-6 degree, GCJ-02")]
LatitudeE6 = Annotated[int, Meta(ge=-90_000_000, le=90_000_000)]
Minute = Annotated[int, Meta(ge=0, le=1440)]
PileKind = Annotated[str, Meta(pattern="^(ac|dc)$")]


class TimeFee(Message, frozen=True, kw_only=True):
    """A price for time. Parking runs while the vehicle stands there, idle from the end of the charge.

    The first `free_minutes` cost nothing; `cap_fen` is the most it can come to.
    """

    price_micro_per_hour: PriceMicro
    free_minutes: Minute = 0
    cap_fen: Fen | None = None


class TariffPeriod(Message, frozen=True, kw_only=True):
    """Prices from `start_minute` (included) to `end_minute` (excluded) of the local day.

    `band` is one of `codes.Band`; a reader keeps one that it does not know.
    """

    start_minute: Minute
    end_minute: Minute
    electricity_micro: PriceMicro
    service_micro: PriceMicro
    band: Word | None = None


class Tariff(Message, frozen=True, kw_only=True):
    """One version of a time-of-use tariff. A charge is priced by the version in force at its start.

    Not `binding`: an estimate, where the host's platform does not tell its prices; then the bill decides.
    """

    party_id: PartyId
    tariff_id: ForeignId
    version: Number
    valid_from: Instant
    periods: Annotated[list[TariffPeriod], Meta(min_length=1, max_length=32)]
    currency: str = "CNY"
    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)] = 480
    parking: TimeFee | None = None
    idle: TimeFee | None = None
    binding: bool = True


class TariffPut(Message, frozen=True, kw_only=True):
    """A host publishes one version of a tariff. A version, once published, never changes.

    A host on this API bills what it publishes: `binding` is always true there.
    """

    valid_from: Instant
    periods: Annotated[list[TariffPeriod], Meta(min_length=1, max_length=32)]
    utc_offset_minutes: Annotated[int, Meta(ge=-720, le=840)] = 480
    parking: TimeFee | None = None
    idle: TimeFee | None = None
    binding: bool = True


class TariffAssignmentPut(Message, frozen=True, kw_only=True):
    """A host says where a tariff applies from `valid_from` on: nulls stand for any station, kind, home.

    Without a `tariff_id` the assignment of the same station, kind and home ends, and less specific ones apply.
    """

    tariff_id: ForeignId | None
    valid_from: Instant
    station_id: StationId | None = None
    kind: PileKind | None = None
    home_party_id: PartyId | None = None


class TariffAssignment(Message, frozen=True, kw_only=True):
    """Where a tariff applies, and from when. What was once assigned never changes; a later one replaces it.

    Of those that have begun the most specific applies: one that names the home before one that does not, then
    one that names the station, then one that names the kind; without any, the station's own `tariff_id`.
    """

    host_party_id: PartyId
    tariff_id: str | None
    valid_from: Instant
    station_id: str | None
    kind: str | None
    home_party_id: str | None
    assigned_at: Instant


class TariffAssignmentPage(Page, frozen=True, kw_only=True):
    """A page of assignments, in the order in which they were made."""

    items: list[TariffAssignment]


Line = Annotated[str, Meta(max_length=30)]
Note = Annotated[str, Meta(max_length=100)]
PictureUrl = Annotated[str, Meta(max_length=500, pattern=r"^https://[!-~]+$")]
Volt = Annotated[int, Meta(ge=0, le=10_000)]
Ampere = Annotated[int, Meta(ge=0, le=10_000)]


class ConnectorDetails(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What else a host says of a connector (T/CEC 102.2, ConnectorInfo); null is not said.

    `connector_type` and `national_standard` are words of `contract.station_details`.
    """

    name: Line | None = None
    connector_type: Word | None = None
    voltage_lower_v: Volt | None = None
    voltage_upper_v: Volt | None = None
    current_a: Ampere | None = None
    park_no: Annotated[str, Meta(max_length=10)] | None = None
    national_standard: Word | None = None


class PileDetails(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What else a host says of a pile (T/CEC 102.2, EquipmentInfo); null is not said.

    `equipment_type` is a word of `contract.station_details`, where the pile is not just ac or dc.
    """

    manufacturer_id: Annotated[str, Meta(max_length=9)] | None = None
    manufacturer_name: Line | None = None
    model: Annotated[str, Meta(max_length=20)] | None = None
    production_date: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None
    name: Line | None = None
    latitude_e6: LatitudeE6 | None = None
    longitude_e6: DegreeE6 | None = None
    equipment_type: Word | None = None


class StationDetails(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What else a host says of a station (T/CEC 102.2, StationInfo); null is not said.

    `station_type`, `status` and `construction` are words of `contract.station_details`. `area_code` is that of
    GB/T 2260. `park_spaces` 0 is not known. `owner_party_id` owns the equipment where that is not the host.
    """

    country_code: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    area_code: Annotated[str, Meta(pattern=r"^[0-9]{6,12}$")] | None = None
    operator_phone: Line | None = None
    site_phone: Line | None = None
    station_type: Word | None = None
    status: Word | None = None
    construction: Word | None = None
    park_spaces: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    site_guide: Note | None = None
    business_hours: Note | None = None
    pictures: Annotated[list[PictureUrl], Meta(max_length=20)] | None = None
    match_cars: Note | None = None
    park_info: Note | None = None
    park_fee: Note | None = None
    electricity_fee_text: Annotated[str, Meta(max_length=256)] | None = None
    service_fee_text: Note | None = None
    payment: Annotated[str, Meta(max_length=20)] | None = None
    support_order: bool | None = None
    remark: Note | None = None
    owner_party_id: PartyId | None = None


class Connector(Message, frozen=True, kw_only=True):
    """A plug. `rated_power_w` 0 means that of the pile."""

    connector_id: ConnectorId
    rated_power_w: Watt = 0
    details: ConnectorDetails | None = None


class Pile(Message, frozen=True, kw_only=True):
    """A piece of equipment; `kind` is ac or dc."""

    pile_id: ConnectorId
    kind: PileKind
    rated_power_w: Watt
    connectors: Annotated[list[Connector], Meta(min_length=1, max_length=16)]
    power_assumed: bool = False
    details: PileDetails | None = None


class StationPut(Message, frozen=True, kw_only=True):
    """A host describes one of its stations whole; piles that are left out become tombstones."""

    name: Text
    latitude_e6: LatitudeE6
    longitude_e6: DegreeE6
    tariff_id: ForeignId
    piles: Annotated[list[Pile], Meta(max_length=2000)]
    address: Text = ""
    details: StationDetails | None = None


class Station(Message, frozen=True, kw_only=True):
    """A station as anyone on the hub sees it."""

    party_id: PartyId
    station_id: StationId
    name: str
    address: str
    latitude_e6: int
    longitude_e6: int
    tariff_id: str
    piles: list[Pile]
    updated_at: Instant
    removed: bool = False
    details: StationDetails | None = None


class StationPage(Page, frozen=True, kw_only=True):
    """A page of stations."""

    items: list[Station]


class ConnectorStatus(Message, frozen=True, kw_only=True):
    """What a connector is doing, and since when its host says so."""

    connector_id: ConnectorId
    state: ConnectorState
    at: Instant


class StatusPush(Message, frozen=True, kw_only=True):
    """A host reports states; for each connector only a newer one is written."""

    statuses: Annotated[list[ConnectorStatus], Meta(min_length=1, max_length=500)]


class StatusPushed(Message, frozen=True, kw_only=True):
    """How many of the pushed states were news, and which connectors are not known."""

    written: int
    unknown: list[str]


class ConnectorInfo(Message, frozen=True, kw_only=True):
    """A connector with its place, its state (offline when its status has outlived its time) and its price.

    `tariff` is the version that a charge of the asking home's drivers would have if it began now.
    """

    connector: ConnectorRef
    party_id: PartyId
    station_id: str
    station_name: str
    address: str
    pile_id: str
    kind: str
    rated_power_w: int
    state: str
    state_at: Instant | None
    tariff: Tariff | None
