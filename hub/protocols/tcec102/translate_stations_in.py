"""A host's station as the directory keeps it (T/CEC 102.2-2016, StationInfo), or what keeps it from being kept.

Only what the hub cannot do without is asked for here: ids, a name, a place, kinds and powers. What the standard
requires beyond that is kept where it is there. Nothing is made up; texts are cut to the standard's lengths.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from hub.protocols.tcec102.translate_fields import nearest
from operator_sdk.contract.messages.directory import StationPut
from operator_sdk.contract.station_details import (
    ConnectorType,
    Construction,
    EquipmentType,
    NationalStandard,
    StationStatus,
    StationType,
)
from operator_sdk.contract.tcec102.messages import ConnectorInfo, EquipmentInfo, StationInfo
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import bd09_to_gcj02, wgs84_to_gcj02

STATION_TYPES = {
    1: StationType.PUBLIC,
    50: StationType.PRIVATE,
    100: StationType.BUS,
    101: StationType.SANITATION,
    102: StationType.LOGISTICS,
    103: StationType.TAXI,
    255: StationType.OTHER,
}
STATION_STATUSES = {
    0: StationStatus.UNKNOWN,
    1: StationStatus.UNDER_CONSTRUCTION,
    5: StationStatus.CLOSED,
    6: StationStatus.MAINTENANCE,
    50: StationStatus.IN_SERVICE,
}
CONSTRUCTIONS = {
    1: Construction.RESIDENTIAL,
    2: Construction.PUBLIC_INSTITUTION,
    3: Construction.ENTERPRISE,
    4: Construction.OFFICE,
    5: Construction.INDUSTRIAL_PARK,
    6: Construction.TRANSPORT_HUB,
    7: Construction.VENUE,
    8: Construction.GREEN_SPACE,
    9: Construction.CAR_PARK,
    10: Construction.ROADSIDE,
    11: Construction.MOTORWAY,
    255: Construction.OTHER,
}
EQUIPMENT_TYPES = {3: EquipmentType.AC_DC, 4: EquipmentType.WIRELESS, 5: EquipmentType.OTHER}
CONNECTOR_TYPES = {
    1: ConnectorType.SOCKET,
    2: ConnectorType.AC_SOCKET,
    3: ConnectorType.AC_PLUG,
    4: ConnectorType.DC_GUN,
    5: ConnectorType.WIRELESS,
    6: ConnectorType.OTHER,
}
STANDARDS = {
    1: NationalStandard.GB_2011,
    2: NationalStandard.GB_2015,
    3: NationalStandard.GB_2011_2015,
    4: NationalStandard.GB_2023,
}
DC, AC, DC_GUN = 1, 2, 4
W_PER_KW, E6, NOTE, LINE = 1_000, 1_000_000, 100, 30

_STATION_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
_CONNECTOR_ID = re.compile(r"[A-Za-z0-9]{1,26}")
_PARTY_ID = re.compile(r"[0-9A-Z]{9}")
_AREA, _COUNTRY = re.compile(r"[0-9]{6,12}"), re.compile(r"[A-Z]{2}")
_DAY, _PICTURE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), re.compile(r"https://[!-~]{1,492}")


@dataclass(slots=True)
class _Gaps:
    """What a station lacks or has wrong, by the standard's names, each once."""

    fields: dict[str, None] = field(default_factory=dict)

    def need(self, name: str, *, given: bool) -> bool:
        if not given:
            self.fields[name] = None
        return given


def station_put(
    info: StationInfo, profile: Profile, party_id: str, tariff_id: str
) -> tuple[StationPut | None, tuple[str, ...]]:
    """A station of `party_id` under one tariff, and the fields that it lacks or has wrong.

    Without a station nothing of it can be kept; with one, the piles and connectors behind the gaps are left
    out.
    """
    gaps = _Gaps()
    place = _place(info.station_lng, info.station_lat, profile)
    whole = [
        gaps.need("StationID", given=bool(_STATION_ID.fullmatch(info.station_id))),
        gaps.need("StationName", given=bool(_text(info.station_name, 200))),
        gaps.need("StationLng", given=place is not None),
        gaps.need("EquipmentInfos", given=bool(info.equipment_infos)),
    ]
    piles = [pile for one in info.equipment_infos if (pile := _pile(one, profile, gaps)) is not None]
    if not all(whole) or not piles:
        return None, tuple(gaps.fields)
    assert place is not None
    said = {
        "name": _text(info.station_name, 200),
        "address": _text(info.address, 200) or "",
        "latitude_e6": place[0],
        "longitude_e6": place[1],
        "tariff_id": tariff_id,
        "piles": piles,
        "details": _details(info, party_id),
    }
    try:
        return msgspec.convert(said, type=StationPut), tuple(gaps.fields)
    except msgspec.ValidationError as problem:
        gaps.need(_where(problem), given=False)
        return None, tuple(gaps.fields)


def _where(problem: msgspec.ValidationError) -> str:
    """The place of what is wrong; the text names no value."""
    return str(problem).rpartition("`$.")[2].rstrip("`")[:60] or "StationInfo"


def _place(longitude: Decimal, latitude: Decimal, profile: Profile) -> tuple[int, int] | None:
    """(latitude_e6, longitude_e6) in GCJ-02; None where there is none, or the two were swapped or left at 0."""
    if abs(latitude) > 90 or abs(longitude) > 180 or (not latitude and not longitude):
        return None
    here = nearest(latitude * E6), nearest(longitude * E6)
    if profile.stations.coordinates == "wgs84":
        return wgs84_to_gcj02(*here)
    return bd09_to_gcj02(*here) if profile.stations.coordinates == "bd09" else here


def _pile(info: EquipmentInfo, profile: Profile, gaps: _Gaps) -> dict[str, Any] | None:
    plugs = [plug for one in info.connector_infos if (plug := _plug(one, gaps)) is not None]
    fits = [
        gaps.need("EquipmentID", given=bool(_CONNECTOR_ID.fullmatch(info.equipment_id))),
        gaps.need("ConnectorInfos", given=bool(info.connector_infos)),
    ]
    if not all(fits) or not plugs:
        return None
    place = None
    if info.equipment_lng is not None and info.equipment_lat is not None:
        place = _place(info.equipment_lng, info.equipment_lat, profile)
    made = info.production_date or ""
    details = {
        "manufacturer_id": _text(info.manufacturer_id, 9),
        "manufacturer_name": _text(info.manufacturer_name, LINE),
        "model": _text(info.equipment_model, 20),
        "production_date": made if _DAY.fullmatch(made) else None,
        "name": _text(info.equipment_name, LINE),
        "latitude_e6": place[0] if place else None,
        "longitude_e6": place[1] if place else None,
        "equipment_type": _word(EQUIPMENT_TYPES, info.equipment_type),
    }
    power_w = _watts(info.power)
    return {
        "pile_id": info.equipment_id,
        "kind": kind_of(info),
        "rated_power_w": power_w or max(plug["rated_power_w"] for plug in plugs),
        "connectors": plugs,
        "details": _said(details),
    }


def kind_of(info: EquipmentInfo) -> str:
    """A pile's kind: its own word, and where that is neither ac nor dc, dc if any of its connectors is."""
    if info.equipment_type in {DC, AC}:
        return "dc" if info.equipment_type == DC else "ac"
    return "dc" if any(plug.connector_type == DC_GUN for plug in info.connector_infos) else "ac"


def _plug(info: ConnectorInfo, gaps: _Gaps) -> dict[str, Any] | None:
    if not gaps.need("ConnectorID", given=bool(_CONNECTOR_ID.fullmatch(info.connector_id))):
        return None
    details = {
        "name": _text(info.connector_name, LINE),
        "connector_type": _word(CONNECTOR_TYPES, info.connector_type),
        "voltage_lower_v": _within(info.voltage_lower_limits, 10_000),
        "voltage_upper_v": _within(info.voltage_upper_limits, 10_000),
        "current_a": _within(info.current, 10_000),
        "park_no": _text(info.park_no, 10),
        "national_standard": _word(STANDARDS, info.national_standard),
    }
    return {
        "connector_id": info.connector_id,
        "rated_power_w": _watts(info.power),
        "details": _said(details),
    }


def _details(info: StationInfo, party_id: str) -> dict[str, Any] | None:
    owner = info.equipment_owner_id
    pictures = [one for one in info.pictures if _PICTURE.fullmatch(one)][:20]
    return _said(
        {
            "country_code": info.country_code if _COUNTRY.fullmatch(info.country_code) else None,
            "area_code": info.area_code if _AREA.fullmatch(info.area_code) else None,
            "operator_phone": _text(info.service_tel, LINE),
            "site_phone": _text(info.station_tel, LINE),
            "station_type": _word(STATION_TYPES, info.station_type),
            "status": _word(STATION_STATUSES, info.station_status),
            "construction": _word(CONSTRUCTIONS, info.construction),
            "park_spaces": _within(info.park_nums, 1_000_000),
            "site_guide": _text(info.site_guide, NOTE),
            "business_hours": _text(info.business_hours, NOTE),
            "pictures": pictures or None,
            "match_cars": _text(info.match_cars, NOTE),
            "park_info": _text(info.park_info, NOTE),
            "park_fee": _text(info.park_fee, NOTE),
            "electricity_fee_text": _text(info.electricity_fee, 256),
            "service_fee_text": _text(info.service_fee, NOTE),
            "payment": _text(info.payment, 20),
            "support_order": None if info.support_order is None else info.support_order == 1,
            "remark": _text(info.remark, NOTE),
            "owner_party_id": owner if _PARTY_ID.fullmatch(owner) and owner != party_id else None,
        }
    )


def _said(details: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is said of it; None where nothing is."""
    return {name: value for name, value in details.items() if value is not None} or None


def _text(text: str | None, most: int) -> str | None:
    """A text on one line without control characters, cut to its length; None for an empty one."""
    line = "".join(one for one in " ".join((text or "").split()) if one.isprintable())
    return line[:most].strip() or None


def _word(words: Mapping[int, str], number: int) -> str | None:
    found = words.get(number)
    return None if found is None else str(found)


def _within(number: int, most: int) -> int | None:
    return number if 0 <= number <= most else None


def _watts(kilowatts: Decimal) -> int:
    """Watts; 0 where nobody can have meant it."""
    watts = nearest(kilowatts * W_PER_KW)
    return watts if 0 <= watts <= 100_000_000 else 0
