"""The places of a simulated host: as many as wanted, with every field that the standard requires."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from operator_sdk.contract.tcec102.messages import (
    ConnectorInfo,
    ConnectorStatusInfo,
    EquipmentInfo,
    StationInfo,
)

OFFLINE, IDLE, PLUGGED, CHARGING, RESERVED, FAULTED = 0, 1, 2, 3, 4, 255
_PER_PILE = 2
_AC_EVERY = 4
"""Every fourth pile is a slow one."""


@dataclass(slots=True)
class Plug:
    """One connector as it is now."""

    info: ConnectorInfo
    station_id: str
    equipment_id: str
    is_plugged: bool = False
    is_faulted: bool = False
    is_offline: bool = False
    charge: str | None = None
    is_charging: bool = False

    @property
    def is_dc(self) -> bool:
        """A DC gun."""
        return self.info.connector_type == 4

    @property
    def status(self) -> int:
        """T/CEC 102.2, ConnectorStatusInfo.Status."""
        if self.is_offline:
            return OFFLINE
        if self.is_faulted:
            return FAULTED
        if self.is_charging:
            return CHARGING
        return PLUGGED if self.is_plugged else IDLE

    def as_status(self, status: int | None = None) -> ConnectorStatusInfo:
        """What is told of it."""
        now = self.status if status is None else status
        parked = {IDLE: 10, PLUGGED: 50, CHARGING: 50}.get(now, 0)
        return ConnectorStatusInfo(
            connector_id=self.info.connector_id, status=now, park_status=parked, lock_status=0
        )


@dataclass(slots=True)
class Place:
    """One station, and when anything of it changed last (business time)."""

    info: StationInfo
    changed_at: datetime


@dataclass(slots=True)
class World:
    """All places of one operator."""

    places: dict[str, Place] = field(default_factory=dict)
    plugs: dict[str, Plug] = field(default_factory=dict)

    def remove(self, station_id: str) -> bool:
        """Take a station away, as one that is closed for good; nobody is told (there is no message for it)."""
        if self.places.pop(station_id, None) is None:
            return False
        self.plugs = {name: plug for name, plug in self.plugs.items() if plug.station_id != station_id}
        return True

    def plugs_of(self, station_id: str) -> list[Plug]:
        """A station's connectors."""
        place = self.places.get(station_id)
        if place is None:
            return []
        piles = place.info.equipment_infos
        return [self.plugs[one.connector_id] for pile in piles for one in pile.connector_infos]


def build(
    *, operator_id: str, prefix: str, stations: int, connectors: int, now: datetime, plugged: bool
) -> World:
    """A world of that many stations with that many connectors in all, two to a pile.

    Raises:
        ValueError: fewer connectors than stations, or no station.
    """
    if not 1 <= stations <= connectors:
        raise ValueError("there must be a station, and a connector for each")
    world = World()
    shares: list[list[int]] = [[] for _ in range(stations)]
    for number in range(connectors):
        shares[number * stations // connectors].append(number)
    for number, share in enumerate(shares):
        piles = list(_piles(prefix, share))
        info = _station(operator_id, f"{prefix}S{number + 1:05}", number, piles)
        world.places[info.station_id] = Place(info, now)
        for pile in piles:
            for one in pile.connector_infos:
                world.plugs[one.connector_id] = Plug(
                    one, info.station_id, pile.equipment_id, is_plugged=plugged
                )
    return world


def _piles(prefix: str, share: list[int]) -> Iterator[EquipmentInfo]:
    for first in range(0, len(share), _PER_PILE):
        numbers = share[first : first + _PER_PILE]
        name = f"{prefix}P{numbers[0] // _PER_PILE + 1:06}{numbers[0] % _PER_PILE}"
        is_dc = (first // _PER_PILE) % _AC_EVERY != _AC_EVERY - 1
        yield EquipmentInfo(
            equipment_id=name,
            equipment_name=f"{name[-4:]}号桩",
            manufacturer_id="MA5MAKER1",
            manufacturer_name="示例充电设备",
            equipment_model="DC-120-2" if is_dc else "AC-7-2",
            production_date="2024-05-01",
            equipment_type=1 if is_dc else 2,
            power=Decimal("120.0") if is_dc else Decimal("7.0"),
            connector_infos=[_connector(f"{prefix}C{number + 1:07}", is_dc=is_dc) for number in numbers],
        )


def _connector(connector_id: str, *, is_dc: bool) -> ConnectorInfo:
    return ConnectorInfo(
        connector_id=connector_id,
        connector_name=f"{connector_id[-2:]}号枪",
        connector_type=4 if is_dc else 3,
        voltage_upper_limits=750 if is_dc else 220,
        voltage_lower_limits=200 if is_dc else 220,
        current=250 if is_dc else 32,
        power=Decimal("120.0") if is_dc else Decimal("7.0"),
        park_no=connector_id[-3:],
        national_standard=2,
    )


def _station(operator_id: str, station_id: str, number: int, piles: list[EquipmentInfo]) -> StationInfo:
    return StationInfo(
        station_id=station_id,
        operator_id=operator_id,
        equipment_owner_id=operator_id,
        station_name=f"示例充电站{number + 1}",
        country_code="CN",
        area_code="310115",
        address=f"上海市浦东新区示例路{number + 1}号",
        station_tel="02100000000",
        service_tel="4000000000",
        station_type=1,
        station_status=50,
        park_nums=2 * len(piles),
        station_lng=Decimal(121_500_000 + number % 300 * 1_000).scaleb(-6),
        station_lat=Decimal(31_200_000 + number // 300 * 1_000).scaleb(-6),
        construction=9,
        business_hours="00:00-24:00",
        park_fee="充电免费停车2小时",
        payment="线上",
        support_order=0,
        equipment_infos=piles,
    )
