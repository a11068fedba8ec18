"""What must stop a charge on the spot, and what is wrong with a pile. Pure.

    dangers(limits, facts) -> {fault: why the charge stops, or None where it may go on}

A fault here is a lower_snake code, as it is reported: those of the pile (`PileFault`), those of the meter
(`meter_went_back`, ...), and those that only the agent can see (`over_power`, `energy_apart`, `pile_silent`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.codecs.pile_bus_messages import Faults, Measure, PileFault, Severity
from edge_agent.settings import PileSettings
from operator_sdk.contract.codes import StopReason

ALWAYS = frozenset(
    {
        PileFault.EMERGENCY_STOP,
        PileFault.OVER_TEMPERATURE,
        PileFault.OVER_CURRENT,
        PileFault.OVER_VOLTAGE,
        PileFault.INSULATION,
        PileFault.LEAKAGE,
        PileFault.CONTACTOR_WELDED,
    }
)
"""The pile's faults that end a charge whatever severity the pile gives them."""

STOPPING = frozenset({Severity.STOP, Severity.OUT_OF_SERVICE})
REPORTS_APART_MS = 3_000
"""How much older than the meter's reading the pile's own count may be, wall time."""

MAINS_V_MOST, DC_V_MOST = 276, 1_050
MAINS_V = 220


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a pile must not go beyond. Tenths of volts and amperes, as on the bus; 0 amperes: no limit."""

    temperature_c: int
    voltage_dv: int
    current_da: int
    power_w: int
    apart_percent: int
    apart_wh: int
    silent_polls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a pile now. `meter_fault`: why the last reading is not believed, if it is not.

    `by_meter_wh`, `by_pile_wh`: what each has counted since both were first seen in this charge.
    """

    measure: Measure | None = None
    faults: Faults | None = None
    is_pile_silent: bool = False
    meter_fault: str | None = None
    polls_unanswered: int = 0
    by_meter_wh: int | None = None
    by_pile_wh: int | None = None


def limits_of(pile: PileSettings, speed: int) -> Limits:
    """The limits that a site's file sets, with what follows from the pile's kind and rating.

    `speed`: how fast business time runs; counts taken a moment apart differ by as much more energy.
    """
    safety, is_ac = pile.safety, pile.kind == "ac"
    # Twenty per cent over what the rating takes from one phase.
    rated_da = pile.rated_power_w * 12 // MAINS_V if is_ac else 0
    skew_wh = pile.rated_power_w * REPORTS_APART_MS * speed // 3_600_000
    return Limits(
        temperature_c=safety.temperature_c_most,
        voltage_dv=10 * (safety.voltage_v_most or (MAINS_V_MOST if is_ac else DC_V_MOST)),
        current_da=10 * safety.current_a_most or rated_da,
        power_w=pile.rated_power_w * (100 + safety.power_over_percent) // 100,
        apart_percent=safety.energy_apart_percent,
        apart_wh=safety.energy_apart_wh + skew_wh,
        silent_polls=safety.meter_silent_polls,
    )


def dangers(limits: Limits, facts: Facts) -> dict[str, StopReason | None]:
    """Every fault there is now, with the reason for which a charge stops; None: it may go on."""
    if facts.is_pile_silent:
        # What was last heard of it is no longer so.
        return {"pile_silent": StopReason.FAULT, **dict(_of_meter(limits, facts))}
    return {
        **dict(_of_pile(facts.faults)),
        **dict(_of_measure(limits, facts.measure)),
        **dict(_of_meter(limits, facts)),
    }


def _of_pile(faults: Faults | None) -> Iterator[tuple[str, StopReason | None]]:
    if faults is None:
        return
    for fault in sorted(faults.active):
        stops = fault in ALWAYS or faults.severity in STOPPING
        reason = StopReason.EMERGENCY if fault is PileFault.EMERGENCY_STOP else StopReason.FAULT
        yield fault, reason if stops else None


def _of_measure(limits: Limits, measure: Measure | None) -> Iterator[tuple[str, StopReason | None]]:
    if measure is None:
        return
    if measure.temperature_c is not None and measure.temperature_c > limits.temperature_c:
        yield PileFault.OVER_TEMPERATURE, StopReason.FAULT
    if measure.voltage_dv > limits.voltage_dv:
        yield PileFault.OVER_VOLTAGE, StopReason.FAULT
    if limits.current_da and measure.current_da > limits.current_da:
        yield PileFault.OVER_CURRENT, StopReason.FAULT
    if measure.power_w > limits.power_w:
        yield "over_power", StopReason.FAULT


def _of_meter(limits: Limits, facts: Facts) -> Iterator[tuple[str, StopReason | None]]:
    if facts.meter_fault is not None:
        yield facts.meter_fault, StopReason.FAULT
    if facts.polls_unanswered >= limits.silent_polls:
        yield "meter_silent", StopReason.FAULT
    if facts.by_meter_wh is not None and facts.by_pile_wh is not None:
        most = max(facts.by_meter_wh, facts.by_pile_wh) * limits.apart_percent // 100 + limits.apart_wh
        if abs(facts.by_meter_wh - facts.by_pile_wh) > most:
            yield "energy_apart", StopReason.FAULT
