"""The physics of a simulated pile: how much power flows, and what the meter has counted. Integers only.

Energy is kept in watt-milliseconds (1 Wh = 3 600 000), so that no step, however short, loses any.
"""

from typing import Final

import msgspec

from edge_agent.codecs.pile_bus_messages import PileKind

WMS_PER_WH: Final = 3_600_000
PPM: Final = 1_000_000
TAPER_FROM_PPM: Final = 800_000
RAMP_MS: Final = 10_000
STEP_MS: Final = 1_000
AC_VOLTAGE_DV: Final = 2_200
DC_EMPTY_DV: Final = 3_600
DC_PER_PERCENT_DV: Final = 8


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """The vehicle that comes to be charged."""

    capacity_wh: int = 60_000
    dc_power_w: int = 120_000
    ac_power_w: int = 7_000
    soc_start_percent: int = 40


class Charger(msgspec.Struct, kw_only=True):
    """A connector's power electronics, its meter, and the battery at its end."""

    kind: PileKind
    rated_power_w: int
    vehicle: Vehicle
    meter_wms: int
    limit_w: int | None = None
    battery_wms: int = 0
    on_ms: int = 0

    @property
    def meter_wh(self) -> int:
        """The cumulative energy: whole Wh, cut at the cumulative value."""
        return self.meter_wms // WMS_PER_WH

    @property
    def capacity_wms(self) -> int:
        """The battery's capacity."""
        return self.vehicle.capacity_wh * WMS_PER_WH

    @property
    def is_full(self) -> bool:
        """Whether the battery takes no more."""
        return self.battery_wms >= self.capacity_wms

    @property
    def soc_percent(self) -> int:
        """State of charge."""
        return min(100, 100 * self.battery_wms // self.capacity_wms)

    @property
    def voltage_dv(self) -> int:
        """At the connector while the contactor is closed: of the grid, or of the battery as it fills."""
        if self.kind is PileKind.AC:
            return AC_VOLTAGE_DV
        return DC_EMPTY_DV + self.soc_percent * DC_PER_PERCENT_DV


def plug_in(charger: Charger) -> None:
    """A fresh vehicle comes to the pile."""
    charger.battery_wms = charger.capacity_wms * charger.vehicle.soc_start_percent // 100
    charger.on_ms = 0


def able_w(charger: Charger) -> int:
    """The most that this pair can do."""
    vehicle = charger.vehicle
    of_vehicle = vehicle.dc_power_w if charger.kind is PileKind.DC else vehicle.ac_power_w
    return min(charger.rated_power_w, of_vehicle)


def power_w(charger: Charger) -> int:
    """Power now, within the limit: a ramp at the start; DC is constant, then tapers to a tenth; AC is flat."""
    if charger.is_full:
        return 0
    power = able_w(charger)
    if charger.kind is PileKind.DC:
        soc_ppm = charger.battery_wms * PPM // charger.capacity_wms
        if soc_ppm > TAPER_FROM_PPM:
            tapered = power * (PPM - soc_ppm) // (PPM - TAPER_FROM_PPM)
            power = max(tapered, power // 10)
    power = power * min(charger.on_ms + STEP_MS, RAMP_MS) // RAMP_MS
    return power if charger.limit_w is None else min(power, charger.limit_w)


def flow(charger: Charger, ms: int) -> None:
    """Let energy flow for that long: what leaves the meter is in the battery, to the last bit."""
    while ms > 0:
        step = min(ms, STEP_MS)
        energy = min(power_w(charger) * step, charger.capacity_wms - charger.battery_wms)
        charger.meter_wms += energy
        charger.battery_wms += energy
        charger.on_ms += step
        ms -= step
