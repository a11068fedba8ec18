"""What the details of stations, piles and connectors may say: their words, and the text they are kept as.

The words are the enumerations of T/CEC 102.2 (StationInfo, EquipmentInfo, ConnectorInfo). A reader keeps a word
it does not know; a writer uses only those listed here.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from operator_sdk.contract.messages.directory import (
    ConnectorDetails,
    Pile,
    PileDetails,
    StationDetails,
    StationPut,
)


class StationType(StrEnum):
    """Whom a station serves."""

    PUBLIC = "public"
    PRIVATE = "private"
    BUS = "bus"
    SANITATION = "sanitation"
    LOGISTICS = "logistics"
    TAXI = "taxi"
    OTHER = "other"


class StationStatus(StrEnum):
    """Whether a station as a whole is in use."""

    UNKNOWN = "unknown"
    UNDER_CONSTRUCTION = "under_construction"
    CLOSED = "closed"
    MAINTENANCE = "maintenance"
    IN_SERVICE = "in_service"


class Construction(StrEnum):
    """Where a station was built."""

    RESIDENTIAL = "residential"
    PUBLIC_INSTITUTION = "public_institution"
    ENTERPRISE = "enterprise"
    OFFICE = "office"
    INDUSTRIAL_PARK = "industrial_park"
    TRANSPORT_HUB = "transport_hub"
    VENUE = "venue"
    GREEN_SPACE = "green_space"
    CAR_PARK = "car_park"
    ROADSIDE = "roadside"
    MOTORWAY = "motorway"
    OTHER = "other"


class EquipmentType(StrEnum):
    """What a pile is where it is not just ac or dc."""

    AC_DC = "ac_dc"
    WIRELESS = "wireless"
    OTHER = "other"


class ConnectorType(StrEnum):
    """How a connector meets the vehicle: sockets of mode 2 and 3, plugs with cable of mode 3 and 4."""

    SOCKET = "socket"
    AC_SOCKET = "ac_socket"
    AC_PLUG = "ac_plug"
    DC_GUN = "dc_gun"
    WIRELESS = "wireless"
    OTHER = "other"


class NationalStandard(StrEnum):
    """The edition of the national standard that a connector follows."""

    GB_2011 = "gb_2011"
    GB_2015 = "gb_2015"
    GB_2011_2015 = "gb_2011_2015"
    GB_2023 = "gb_2023"
    OTHER = "other"


Details = StationDetails | PileDetails | ConnectorDetails

WORDS: dict[type[Details], dict[str, frozenset[str]]] = {
    StationDetails: {
        "station_type": frozenset(StationType),
        "status": frozenset(StationStatus),
        "construction": frozenset(Construction),
    },
    PileDetails: {"equipment_type": frozenset(EquipmentType)},
    ConnectorDetails: {
        "connector_type": frozenset(ConnectorType),
        "national_standard": frozenset(NationalStandard),
    },
}
"""The fields that hold one of these words, by kind of details."""


def details_problem(put: StationPut) -> str | None:
    """Why the details of a station and of what stands on it cannot be kept, or None."""
    for details in _details_of(put):
        for name, words in WORDS[type(details)].items():
            value = getattr(details, name)
            if value is not None and value not in words:
                return f"{name}: no such word: {value}"
        for name in details.__struct_fields__:
            value = getattr(details, name)
            if isinstance(value, str) and not value.isprintable():
                return f"{name} has control characters"
    return None


def _details_of(put: StationPut) -> Iterator[Details]:
    if put.details is not None:
        yield put.details
    for pile in put.piles:
        yield from _details_on(pile)


def _details_on(pile: Pile) -> Iterator[Details]:
    if pile.details is not None:
        yield pile.details
    for plug in pile.connectors:
        if plug.details is not None:
            yield plug.details


def details_text(details: Details | None) -> str | None:
    """Details as canonical JSON: equal details have equal texts, and what is not said takes no room."""
    return None if details is None else msgspec.json.encode(details, order="sorted").decode()
