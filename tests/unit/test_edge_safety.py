"""What stops a charge on the spot: each danger alone, at its limit and one step beyond."""

import pytest

from edge_agent.codecs.pile_bus_messages import Faults, Measure, PileFault, Severity
from edge_agent.safety import ALWAYS, Facts, Limits, dangers, limits_of
from edge_agent.settings import CanTable, MeterTable, PileSettings, SafetyTable
from operator_sdk.contract.codes import StopReason

LIMITS = Limits(
    temperature_c=90,
    voltage_dv=2_760,
    current_da=381,
    power_w=8_050,
    apart_percent=10,
    apart_wh=500,
    silent_polls=5,
)


def pile(kind: str = "ac", rated_power_w: int = 7_000, safety: SafetyTable | None = None) -> PileSettings:
    return PileSettings(
        connector_id="P1",
        kind=kind,
        rated_power_w=rated_power_w,
        can=CanTable(interface="virtual", channel="1", node=1),
        meter=MeterTable(port="/dev/null"),
        safety=safety or SafetyTable(),
    )


def measure(
    *, voltage_dv: int = 2_200, current_da: int = 318, power_w: int = 7_000, temperature_c: int | None = 40
) -> Measure:
    return Measure(1, voltage_dv, current_da, power_w, temperature_c)


def test_what_is_as_it_should_be_stops_nothing() -> None:
    well = Facts(
        measure=measure(),
        faults=Faults(1, frozenset(), Severity.NONE),
        polls_unanswered=4,
        by_meter_wh=10_000,
        by_pile_wh=10_400,
    )
    assert dangers(LIMITS, well) == {}
    assert dangers(LIMITS, Facts()) == {}


@pytest.mark.parametrize(
    ("at_limit", "beyond", "fault"),
    [
        ({"temperature_c": 90}, {"temperature_c": 91}, "over_temperature"),
        ({"temperature_c": None}, {"temperature_c": 91}, "over_temperature"),
        ({"voltage_dv": 2_760}, {"voltage_dv": 2_761}, "over_voltage"),
        ({"current_da": 381}, {"current_da": 382}, "over_current"),
        ({"power_w": 8_050}, {"power_w": 8_051}, "over_power"),
    ],
)
def test_a_measurement_beyond_its_limit_stops(
    at_limit: dict[str, int], beyond: dict[str, int], fault: str
) -> None:
    assert dangers(LIMITS, Facts(measure=measure(**at_limit))) == {}
    assert dangers(LIMITS, Facts(measure=measure(**beyond))) == {fault: StopReason.FAULT}


@pytest.mark.parametrize("fault", list(PileFault))
@pytest.mark.parametrize("severity", list(Severity))
def test_a_fault_of_the_pile_is_reported_and_stops_if_it_is_bad(fault: PileFault, severity: Severity) -> None:
    found = dangers(LIMITS, Facts(faults=Faults(1, frozenset({fault}), severity)))
    stops = fault in ALWAYS or severity in {Severity.STOP, Severity.OUT_OF_SERVICE}
    reason = StopReason.EMERGENCY if fault is PileFault.EMERGENCY_STOP else StopReason.FAULT
    assert found == {fault: reason if stops else None}


def test_meters_that_disagree_stop() -> None:
    assert dangers(LIMITS, Facts(by_meter_wh=0, by_pile_wh=500)) == {}
    assert dangers(LIMITS, Facts(by_meter_wh=0, by_pile_wh=600)) == {"energy_apart": StopReason.FAULT}
    assert dangers(LIMITS, Facts(by_meter_wh=20_000, by_pile_wh=17_500)) == {}
    assert dangers(LIMITS, Facts(by_meter_wh=20_000, by_pile_wh=17_499)) == {"energy_apart": StopReason.FAULT}


def test_silence_and_a_meter_that_lies_stop() -> None:
    assert dangers(LIMITS, Facts(polls_unanswered=5)) == {"meter_silent": StopReason.FAULT}
    assert dangers(LIMITS, Facts(meter_fault="meter_went_back")) == {"meter_went_back": StopReason.FAULT}
    silent = Facts(is_pile_silent=True, measure=measure(power_w=99_999))
    assert dangers(LIMITS, silent) == {"pile_silent": StopReason.FAULT}


def test_limits_follow_from_kind_and_rating_unless_the_file_sets_them() -> None:
    ac, dc = limits_of(pile(), 1), limits_of(pile("dc", 120_000), 1)
    assert (ac.voltage_dv, ac.current_da, ac.power_w, ac.apart_wh) == (2_760, 381, 8_050, 505)
    assert (dc.voltage_dv, dc.current_da, dc.power_w, dc.apart_wh) == (10_500, 0, 138_000, 600)
    own = SafetyTable(voltage_v_most=240, current_a_most=35, power_over_percent=5, energy_apart_wh=100)
    tight = limits_of(pile(safety=own), 60)
    assert (tight.voltage_dv, tight.current_da, tight.power_w, tight.apart_wh) == (2_400, 350, 7_350, 450)
    assert dangers(dc, Facts(measure=measure(voltage_dv=10_000, current_da=3_000, power_w=120_000))) == {}
