"""The control port of a simulated pile: each line does what it says, and a wrong one harms nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.codecs.pile_bus_messages import Limit, PileFault, Severity, Start
from edge_agent.sim.control import Control
from edge_agent.sim.pile import START_TAKES
from edge_agent.sim.pile_on_bus import PileOnBus
from tests.pile_rig import new_clock, new_controller


def new_control() -> tuple[Control, PileOnBus]:
    clock = new_clock()
    bus = PileOnBus(new_controller(clock), clock, interface="virtual", channel="not opened")
    return Control(bus, None), bus


def test_people_vehicles_and_bad_luck_have_their_words() -> None:
    control, bus = new_control()
    assert control.obey("plug 55") == {"ok": True}
    assert control.obey("status")["soc_percent"] == 55
    bus.pile.take(1, Start())
    assert control.obey("status")["state"] == "starting"
    assert control.obey("press stop") == {"ok": True}
    assert control.obey("status")["stop_cause"] == "stop_button"
    control.obey("fault leakage")
    control.obey("emergency")
    status = control.obey("status")
    assert (status["state"], status["faults"]) == ("faulted", ["emergency_stop", "leakage"])
    control.obey("clear")
    control.obey("unplug")
    assert (control.obey("status")["state"], bus.pile.faults) == ("idle", set())
    control.obey("refuse starts")
    assert bus.pile.refuses_starts
    control.obey("vanish")
    control.obey("slow 300")
    assert (bus.is_silent, bus.slow_ms) == (True, 300)


def test_a_vehicle_may_pause_and_a_controller_may_overlook_a_fault() -> None:
    control, bus = new_control()
    control.obey("plug")
    control.obey("pause")
    assert control.obey("status")["state"] == "plugged", "there is nothing to pause"
    bus.pile.take(1, Start())
    bus.pile.advance(bus.pile.now + START_TAKES)
    control.obey("pause")
    assert (control.obey("status")["state"], control.obey("status")["power_w"]) == ("paused", 0)
    control.obey("resume")
    assert control.obey("status")["state"] == "charging"
    control.obey("pause")
    bus.pile.take(4, Limit(None))
    assert control.obey("status")["state"] == "paused", "the agent allows energy that the vehicle does not want"
    control.obey("resume")
    bus.pile.take(2, Limit(0))
    control.obey("resume")
    assert control.obey("status")["state"] == "paused", "the agent allows no energy"
    bus.pile.take(3, Limit(None))
    control.obey("unnoticed leakage")
    status = control.obey("status")
    assert (status["state"], status["faults"]) == ("charging", ["leakage"])
    assert bus.pile.failed().severity is Severity.OUT_OF_SERVICE


@pytest.mark.parametrize(
    "line",
    [
        "",
        "explode",
        "plug 101",
        "plug -1",
        "plug x",
        "plug 1 2",
        "tap",
        "tap 12345678901234567",
        "tap 卡",
        "press",
        "press start",
        "fault no_such_fault",
        "unnoticed no_such_fault",
        "refuse stops",
        "slow soon",
        "meter silent",
    ],
)
def test_a_wrong_line_is_refused_and_changes_nothing(line: str) -> None:
    control, _ = new_control()
    before = control.obey("status")
    answer = control.obey(line)
    assert answer["ok"] is False
    assert answer["error"]
    assert control.obey("status") == before


VERBS = st.sampled_from(
    ["plug", "unplug", "tap", "press", "fault", "slow", "meter", "noise", "full", "status", ""]
)


@given(st.tuples(VERBS, st.text(max_size=30)).map(" ".join))
def test_any_line_is_answered(line: str) -> None:
    control, _ = new_control()
    assert isinstance(control.obey(line)["ok"], bool)


@pytest.mark.parametrize("fault", PileFault)
def test_every_fault_can_be_had(fault: PileFault) -> None:
    control, bus = new_control()
    assert control.obey(f"fault {fault}")["ok"]
    assert bus.pile.faults == {fault}
