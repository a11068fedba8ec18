"""Stations of the directory as T/CEC 102.2 has them, or what they lack for that. Pure.

Nothing is made up: a station that lacks a required field is not told to anybody. `StationStatus` 0 and
`ParkNums` 0 are the standard's own words for `unknown`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import msgspec

from hub.protocols.tcec102.translate_out import fee_texts
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    Station,
    StationDetails,
    Tariff,
)
from operator_sdk.contract.money import round_half_up
from operator_sdk.contract.station_details import (
    ConnectorType,
    Construction,
    EquipmentType,
    NationalStandard,
    StationStatus,
    StationType,
)
from operator_sdk.contract.tcec102.messages import (
    ConnectorInfo,
    ConnectorStatsInfo,
    EquipmentInfo,
    EquipmentStatsInfo,
    StationInfo,
    StationStatsInfo,
)
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import degrees_of, gcj02_to_bd09, gcj02_to_wgs84

STATION_TYPE: Mapping[str, int] = {
    StationType.PUBLIC: 1,
    StationType.PRIVATE: 50,
    StationType.BUS: 100,
    StationType.SANITATION: 101,
    StationType.LOGISTICS: 102,
    StationType.TAXI: 103,
    StationType.OTHER: 255,
}
STATION_STATUS: Mapping[str, int] = {
    StationStatus.UNKNOWN: 0,
    StationStatus.UNDER_CONSTRUCTION: 1,
    StationStatus.CLOSED: 5,
    StationStatus.MAINTENANCE: 6,
    StationStatus.IN_SERVICE: 50,
}
CLOSED = STATION_STATUS[StationStatus.CLOSED]
CONSTRUCTION: Mapping[str, int] = {
    Construction.RESIDENTIAL: 1,
    Construction.PUBLIC_INSTITUTION: 2,
    Construction.ENTERPRISE: 3,
    Construction.OFFICE: 4,
    Construction.INDUSTRIAL_PARK: 5,
    Construction.TRANSPORT_HUB: 6,
    Construction.VENUE: 7,
    Construction.GREEN_SPACE: 8,
    Construction.CAR_PARK: 9,
    Construction.ROADSIDE: 10,
    Construction.MOTORWAY: 11,
    Construction.OTHER: 255,
}
EQUIPMENT_TYPE: Mapping[str, int] = {
    "dc": 1,
    "ac": 2,
    EquipmentType.AC_DC: 3,
    EquipmentType.WIRELESS: 4,
    EquipmentType.OTHER: 5,
}
CONNECTOR_TYPE: Mapping[str, int] = {
    ConnectorType.SOCKET: 1,
    ConnectorType.AC_SOCKET: 2,
    ConnectorType.AC_PLUG: 3,
    ConnectorType.DC_GUN: 4,
    ConnectorType.WIRELESS: 5,
    ConnectorType.OTHER: 6,
}
# 3 and 4 are of later editions; for any other the standard has no number.
NATIONAL_STANDARD: Mapping[str, int] = {
    NationalStandard.GB_2011: 1,
    NationalStandard.GB_2015: 2,
    NationalStandard.GB_2011_2015: 3,
    NationalStandard.GB_2023: 4,
}

HUNDRED_WH = 100
"""A tenth of a kWh."""

_NO_STATION, _NO_PILE, _NO_PLUG = StationDetails(), PileDetails(), ConnectorDetails()


@dataclass(frozen=True, slots=True)
class Names:
    """The aliases of a station and of what stands on it, piles and connectors by their own ids."""

    station: str
    piles: Mapping[str, str]
    connectors: Mapping[str, str]


# What a station lacks.


def missing_of(station: Station) -> tuple[str, ...]:
    """The required fields that nobody has said, by their names in the standard, each once."""
    return tuple(dict.fromkeys(_missing(station)))


def _missing(station: Station) -> Iterator[str]:
    details = station.details or _NO_STATION
    required = {
        "StationName": station.name,
        "Address": station.address,
        "CountryCode": details.country_code,
        "AreaCode": details.area_code,
        "ServiceTel": details.operator_phone,
        "StationType": STATION_TYPE.get(details.station_type or ""),
        "Construction": CONSTRUCTION.get(details.construction or ""),
    }
    yield from (name for name, value in required.items() if not value)
    if details.status is not None and details.status not in STATION_STATUS:
        yield "StationStatus"
    if not station.piles and not station.removed:
        yield "EquipmentInfos"
    for pile in station.piles:
        yield from _missing_on(pile)


def _missing_on(pile: Pile) -> Iterator[str]:
    details = pile.details or _NO_PILE
    if (details.equipment_type or pile.kind) not in EQUIPMENT_TYPE:
        yield "EquipmentType"
    if pile.power_assumed or not pile.rated_power_w:
        yield "Power"
    for plug in pile.connectors:
        yield from _missing_in(plug.details)


@lru_cache(maxsize=4096)
def _missing_in(details: ConnectorDetails | None) -> tuple[str, ...]:
    said = details or _NO_PLUG
    required = {
        "ConnectorType": CONNECTOR_TYPE.get(said.connector_type or ""),
        "VoltageUpperLimits": said.voltage_upper_v,
        "VoltageLowerLimits": said.voltage_lower_v,
        "Current": said.current_a,
        "NationalStandard": NATIONAL_STANDARD.get(said.national_standard or ""),
    }
    return tuple(name for name, value in required.items() if value is None)


# A station as it is told.


def station_info(station: Station, names: Names) -> StationInfo:
    """A station that lacks nothing, as its owner's own, in GCJ-02, without prices."""
    details = station.details or _NO_STATION
    return StationInfo(
        station_id=names.station,
        operator_id=station.party_id,
        equipment_owner_id=details.owner_party_id or station.party_id,
        station_name=station.name[:50],
        country_code=details.country_code or "",
        area_code=details.area_code or "",
        address=station.address[:50],
        service_tel=details.operator_phone or "",
        station_type=STATION_TYPE[details.station_type or ""],
        station_status=CLOSED if station.removed else STATION_STATUS[details.status or StationStatus.UNKNOWN],
        park_nums=details.park_spaces or 0,
        station_lng=degrees_of(station.longitude_e6),
        station_lat=degrees_of(station.latitude_e6),
        construction=CONSTRUCTION[details.construction or ""],
        equipment_infos=[_equipment(pile, names) for pile in station.piles],
        station_tel=details.site_phone,
        site_guide=details.site_guide,
        pictures=details.pictures or [],
        match_cars=details.match_cars,
        park_info=details.park_info,
        business_hours=details.business_hours,
        electricity_fee=details.electricity_fee_text,
        service_fee=details.service_fee_text,
        park_fee=details.park_fee,
        payment=details.payment,
        support_order=None if details.support_order is None else int(details.support_order),
        remark=details.remark,
    )


def _equipment(pile: Pile, names: Names) -> EquipmentInfo:
    details = pile.details or _NO_PILE
    lng, lat = details.longitude_e6, details.latitude_e6
    return EquipmentInfo(
        equipment_id=names.piles[pile.pile_id],
        equipment_type=EQUIPMENT_TYPE[details.equipment_type or pile.kind],
        power=_kw(pile.rated_power_w),
        connector_infos=[_connector(plug, pile, names) for plug in pile.connectors],
        manufacturer_id=details.manufacturer_id,
        manufacturer_name=details.manufacturer_name,
        equipment_model=details.model,
        production_date=details.production_date,
        equipment_lng=None if lng is None else degrees_of(lng),
        equipment_lat=None if lat is None else degrees_of(lat),
        equipment_name=details.name,
    )


def _connector(plug: Connector, pile: Pile, names: Names) -> ConnectorInfo:
    details = plug.details or _NO_PLUG
    return ConnectorInfo(
        connector_id=names.connectors[plug.connector_id],
        connector_type=CONNECTOR_TYPE[details.connector_type or ""],
        voltage_upper_limits=details.voltage_upper_v or 0,
        voltage_lower_limits=details.voltage_lower_v or 0,
        current=details.current_a or 0,
        power=_kw(plug.rated_power_w or pile.rated_power_w),
        national_standard=NATIONAL_STANDARD[details.national_standard or ""],
        connector_name=details.name,
        park_no=details.park_no,
    )


@lru_cache(maxsize=4096)
def _kw(power_w: int) -> Decimal:
    return Decimal(power_w).scaleb(-3)


# What a home's own drivers charged.


def station_stats(
    station: Station, names: Names, energy_wh: Mapping[str, int], days: tuple[str, str]
) -> StationStatsInfo:
    """Energy by connector (own id, Wh) as StationStats: whole 100 Wh, cut so that the parts sum to the whole.

    What was charged at a connector that stands there no more is in the station's figure alone.
    """
    so_far_wh, told = 0, 0
    piles = []
    for pile in station.piles:
        plugs = []
        for plug in pile.connectors:
            so_far_wh += energy_wh.get(plug.connector_id, 0)
            part = round_half_up(so_far_wh, HUNDRED_WH) - told
            told += part
            plugs.append((names.connectors[plug.connector_id], part))
        piles.append(_pile_stats(names.piles[pile.pile_id], plugs))
    return StationStatsInfo(
        station_id=names.station,
        start_time=days[0],
        end_time=days[1],
        station_electricity=Decimal(round_half_up(sum(energy_wh.values()), HUNDRED_WH)).scaleb(-1),
        equipment_stats_infos=piles,
    )


def _pile_stats(alias: str, plugs: Sequence[tuple[str, int]]) -> EquipmentStatsInfo:
    return EquipmentStatsInfo(
        equipment_id=alias,
        equipment_electricity=Decimal(sum(part for _, part in plugs)).scaleb(-1),
        connector_stats_infos=[
            ConnectorStatsInfo(connector_id=name, connector_electricity=Decimal(part).scaleb(-1))
            for name, part in plugs
        ],
    )


# A station towards one home.


@dataclass(frozen=True, slots=True)
class Fees:
    """The prices of a station for one home's drivers, in words; None: nothing is said."""

    electricity: str | None = None
    service: str | None = None
    parking: str | None = None


def fees_of(by_kind: Mapping[str, Tariff]) -> Fees:
    """Prices in words, by the kind of pile where they differ. An estimate is nobody's price."""
    texts = {kind: fee_texts(tariff) for kind, tariff in sorted(by_kind.items()) if kind and tariff.binding}
    if not texts:
        return Fees()
    kinds = list(texts)
    return Fees(
        _together(kinds, [texts[kind][0] for kind in kinds], 256),
        _together(kinds, [texts[kind][1] for kind in kinds], 100),
        _together(kinds, [texts[kind][2] for kind in kinds], 100),
    )


KIND_WORDS = {"ac": "交流", "dc": "直流"}


def _together(kinds: Sequence[str], texts: Sequence[str | None], most: int) -> str | None:
    said = texts[0]
    if len(set(texts)) > 1:
        said = "；".join(
            f"{KIND_WORDS.get(kind, kind)}：{text}" for kind, text in zip(kinds, texts, strict=True) if text
        )
    return said if said is None or len(said) <= most else None


def towards(info: StationInfo, fees: Fees, profile: Profile, operator_id: str) -> StationInfo:
    """A station as one home is told of it: its prices, the profile's map and whose it is said to be.

    `operator_id` is the hub's own, in whose name stations are told where the profile says `rename`.
    """
    lat, lng = _moved(info.station_lat, info.station_lng, profile)
    renamed = profile.stations.operator_id == "rename"
    return msgspec.structs.replace(
        info,
        operator_id=operator_id if renamed else info.operator_id,
        station_lat=lat,
        station_lng=lng,
        electricity_fee=fees.electricity or info.electricity_fee,
        service_fee=fees.service or info.service_fee,
        park_fee=info.park_fee or fees.parking,
        equipment_infos=_moved_equipment(info.equipment_infos, profile),
    )


def _moved_equipment(piles: list[EquipmentInfo], profile: Profile) -> list[EquipmentInfo]:
    if profile.stations.coordinates == "gcj02" or all(one.equipment_lat is None for one in piles):
        return piles
    moved = []
    for one in piles:
        if one.equipment_lat is None or one.equipment_lng is None:
            moved.append(one)
        else:
            lat, lng = _moved(one.equipment_lat, one.equipment_lng, profile)
            moved.append(msgspec.structs.replace(one, equipment_lat=lat, equipment_lng=lng))
    return moved


def _moved(lat: Decimal, lng: Decimal, profile: Profile) -> tuple[Decimal, Decimal]:
    moving = {"wgs84": gcj02_to_wgs84, "bd09": gcj02_to_bd09}.get(profile.stations.coordinates)
    if moving is None:
        return lat, lng
    lat_e6, lng_e6 = moving(int(lat.scaleb(6)), int(lng.scaleb(6)))
    return degrees_of(lat_e6), degrees_of(lng_e6)
