"""A simulated pile: how much power flows, and what the meter says. Integers only.

Energy is kept in watt-milliseconds (1 Wh = 3 600 000), so that no step, however short, loses any.
"""

import msgspec

WMS_PER_WH = 3_600_000
PPM = 1_000_000
TAPER_FROM_PPM = 800_000
RAMP_MS = 10_000
STEP_MS = 1_000


class Vehicle(msgspec.Struct, frozen=True, kw_only=True):
    """The vehicle that comes to be charged."""

    capacity_wh: int = 60_000
    dc_power_w: int = 120_000
    ac_power_w: int = 7_000
    soc_start_percent: int = 40


class Pile(msgspec.Struct, kw_only=True):
    """A connector's power electronics, its meter, and the battery at its end."""

    kind: str
    rated_power_w: int
    vehicle: Vehicle
    meter_wms: int
    battery_wms: int = 0
    on_ms: int = 0

    @property
    def meter_wh(self) -> int:
        """The meter's cumulative reading: whole Wh, cut at the cumulative value."""
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


def plug_in(pile: Pile) -> None:
    """A fresh vehicle comes to the pile."""
    pile.battery_wms = pile.capacity_wms * pile.vehicle.soc_start_percent // 100
    pile.on_ms = 0


def able_w(pile: Pile) -> int:
    """The most that this pair can do."""
    of_vehicle = pile.vehicle.dc_power_w if pile.kind == "dc" else pile.vehicle.ac_power_w
    return min(pile.rated_power_w, of_vehicle)


def power_w(pile: Pile) -> int:
    """Power now: a ramp at the start; DC is constant, then tapers to a tenth; AC is flat."""
    if pile.is_full:
        return 0
    power = able_w(pile)
    if pile.kind == "dc":
        soc_ppm = pile.battery_wms * PPM // pile.capacity_wms
        if soc_ppm > TAPER_FROM_PPM:
            tapered = power * (PPM - soc_ppm) // (PPM - TAPER_FROM_PPM)
            power = max(tapered, power // 10)
    return power * min(pile.on_ms + STEP_MS, RAMP_MS) // RAMP_MS


def flow(pile: Pile, ms: int) -> None:
    """Let energy flow for that long: what leaves the meter is in the battery, to the last bit."""
    while ms > 0:
        step = min(ms, STEP_MS)
        energy = min(power_w(pile) * step, pile.capacity_wms - pile.battery_wms)
        pile.meter_wms += energy
        pile.battery_wms += energy
        pile.on_ms += step
        ms -= step
