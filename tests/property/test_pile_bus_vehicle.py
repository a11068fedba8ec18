"""The simulated pile: no energy is lost, none flows through an open contactor, every command is answered."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_agent.codecs.pile_bus import decode, encode
from edge_agent.codecs.pile_bus_messages import (
    Command,
    CommandResult,
    Limit,
    Lock,
    LockAction,
    PileFault,
    PileKind,
    PileState,
    Severity,
    Start,
    Stop,
    StopCause,
)
from edge_agent.sim.pile import CHARGE, CLOSED, REPORTS, START_TAKES, PileController
from edge_agent.sim.vehicle import WMS_PER_WH, Charger, Vehicle, able_w, flow, plug_in, power_w

pytestmark = pytest.mark.property
START = datetime(2026, 3, 1, 22, 50, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def new_charger(kind: str = "dc", rated: int = 120_000, soc: int = 40, limit: int | None = None) -> Charger:
    charger = Charger(
        kind=PileKind(kind),
        rated_power_w=rated,
        vehicle=Vehicle(soc_start_percent=soc),
        meter_wms=123_456 * WMS_PER_WH,
        limit_w=limit,
    )
    plug_in(charger)
    return charger


chargers = st.builds(
    new_charger,
    st.sampled_from(["ac", "dc"]),
    st.integers(1_000, 250_000),
    st.integers(0, 100),
    st.none() | st.integers(0, 130_000),
)


@given(chargers, st.lists(st.integers(0, 60_000), max_size=30))
def test_what_leaves_the_meter_is_in_the_battery(charger: Charger, steps: list[int]) -> None:
    meter, battery = charger.meter_wms, charger.battery_wms
    most_w = min(able_w(charger), charger.limit_w if charger.limit_w is not None else 1_000_000)
    for ms in steps:
        assert 0 <= power_w(charger) <= most_w
        before = charger.meter_wms
        flow(charger, ms)
        assert 0 <= charger.meter_wms - before <= most_w * ms
    assert charger.meter_wms - meter == charger.battery_wms - battery
    assert charger.battery_wms <= charger.capacity_wms


def test_alternating_current_is_flat_after_the_ramp_and_direct_current_tapers() -> None:
    slow, fast = new_charger("ac", 7_000), new_charger("dc", 120_000)
    assert power_w(slow) < 7_000
    flow(slow, 10_000)
    flow(fast, 10_000)
    assert (power_w(slow), power_w(fast)) == (7_000, 120_000)
    powers = []
    while not fast.is_full:
        flow(fast, 60_000)
        powers.append(power_w(fast))
    assert powers == sorted(powers, reverse=True)
    assert powers[-2] == 12_000
    assert powers[-1] == 0


commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Start, st.none() | st.integers(0, 200_000)),
    st.builds(Stop),
    st.builds(Limit, st.none() | st.integers(0, 200_000)),
    st.builds(Lock, st.sampled_from(LockAction)),
)


class PileMachine(RuleBasedStateMachine):
    """Commands, people, faults and time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pile = PileController(node=7, charger=new_charger(), now=START)
        self.sequence = 0
        self.meter_wms = self.pile.charger.meter_wms
        self.was_closed = False

    @rule(ms=st.integers(0, 400_000))
    def time_passes(self, ms: int) -> None:
        closable = self.pile.state in CHARGE
        before = self.pile.charger.meter_wms
        self.pile.advance(self.pile.now + ms * MS)
        assert closable or self.pile.charger.meter_wms == before

    @rule(command=commands)
    def a_command_comes(self, command: Command) -> None:
        self.sequence = self.sequence % 255 + 1
        taken = self.pile.commands_taken
        self.pile.take(self.sequence, command)
        answer = self.pile.last_result
        assert self.pile.last_sequence == self.sequence
        assert answer is not CommandResult.NONE
        self.pile.take(self.sequence, Stop())
        assert (self.pile.commands_taken, self.pile.last_result) == (taken + 1, answer)

    @rule(soc=st.none() | st.integers(0, 100))
    def a_vehicle_comes(self, soc: int | None) -> None:
        self.pile.plug(soc)

    @rule()
    def the_vehicle_goes(self) -> None:
        self.pile.unplug()

    @rule()
    def somebody_presses_stop(self) -> None:
        self.pile.press_stop()

    @rule(fault=st.sampled_from(PileFault))
    def something_breaks(self, fault: PileFault) -> None:
        self.pile.fail(fault)

    @precondition(lambda self: self.pile.faults)
    @rule()
    def somebody_mends_it(self) -> None:
        self.pile.clear()

    @rule()
    def the_battery_is_full(self) -> None:
        self.pile.fill()

    @rule(pauses=st.booleans())
    def the_vehicle_pauses_or_goes_on(self, pauses: bool) -> None:
        limit_w = self.pile.charger.limit_w
        (self.pile.pause if pauses else self.pile.go_on)()
        assert limit_w != 0 or self.pile.power_w == 0

    @invariant()
    def energy_flows_only_through_a_closed_contactor(self) -> None:
        status = self.pile.status()
        if not status.contactor_closed:
            assert (self.pile.power_w, self.pile.voltage_dv, self.pile.current_ma) == (0, 0, 0)
        if status.state in CLOSED:
            assert status.contactor_closed
            assert status.plugged
            assert self.pile.severity in {Severity.NONE, Severity.WARNING}

    @invariant()
    def a_stopped_charge_has_a_cause(self) -> None:
        if self.pile.state is PileState.STOPPING:
            assert self.pile.stop_cause is not StopCause.NONE
        if self.pile.state in CHARGE:
            assert self.pile.stop_cause is StopCause.NONE

    @invariant()
    def the_meter_never_goes_down(self) -> None:
        assert self.pile.charger.meter_wms >= self.meter_wms
        self.meter_wms = self.pile.charger.meter_wms

    @invariant()
    def all_of_it_has_a_place_on_the_bus(self) -> None:
        for _, report in REPORTS:
            said = report(self.pile)
            assert decode(*encode(said)) == said


PileMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_order_of_events = PileMachine.TestCase


@given(st.lists(st.integers(1, 90_000), min_size=1, max_size=20))
def test_how_time_is_cut_up_changes_the_energy_by_no_more_than_a_step(steps: list[int]) -> None:
    cut, whole = (PileController(node=1, charger=new_charger(soc=10), now=START) for _ in range(2))
    for pile in (cut, whole):
        pile.plug()
        pile.take(1, Start())
    for ms in steps:
        cut.advance(cut.now + ms * MS)
    whole.advance(cut.now)
    assert cut.state is whole.state
    step_wms = able_w(whole.charger) * 1_000
    assert abs(cut.charger.meter_wms - whole.charger.meter_wms) <= step_wms * (len(steps) + 1)


def test_a_clock_that_steps_back_takes_no_energy_back() -> None:
    pile = PileController(node=1, charger=new_charger(), now=START)
    pile.plug()
    pile.take(1, Start())
    pile.advance(START + timedelta(minutes=1))
    meter = pile.charger.meter_wms
    pile.advance(START)
    assert (pile.charger.meter_wms, pile.now) == (meter, START + timedelta(minutes=1))


def test_a_start_takes_its_time_and_then_charges_from_the_ramp() -> None:
    pile = PileController(node=1, charger=new_charger(), now=START)
    pile.plug()
    pile.take(1, Start())
    pile.advance(START + START_TAKES - MS)
    assert (pile.state, pile.status().contactor_closed, pile.status().locked) == ("starting", False, True)
    pile.advance(START + START_TAKES)
    assert (pile.state, pile.power_w) == (PileState.CHARGING, 12_000)


@pytest.mark.parametrize(
    ("prepare", "command", "answer"),
    [
        ([], Start(), CommandResult.NOT_PLUGGED),
        (["plug"], Limit(5), CommandResult.NOT_CHARGING),
        (["plug", "start"], Start(), CommandResult.BUSY),
        (["plug", "start"], Lock(LockAction.UNLOCK), CommandResult.BUSY),
        (["plug", "break"], Start(), CommandResult.FAULTED),
        (["plug", "refuse"], Start(), CommandResult.NOT_ALLOWED),
        ([], Lock(LockAction.LOCK), CommandResult.NOT_PLUGGED),
        ([], Stop(), CommandResult.ACCEPTED),
        (["plug"], Start(), CommandResult.ACCEPTED),
        (["plug", "start"], Limit(0), CommandResult.ACCEPTED),
    ],
)
def test_each_command_is_answered_by_where_the_pile_is(
    prepare: list[str], command: Command, answer: CommandResult
) -> None:
    pile = PileController(node=1, charger=new_charger(), now=START)
    steps = {
        "plug": pile.plug,
        "start": lambda: pile.take(1, Start()),
        "break": lambda: pile.fail(PileFault.LEAKAGE),
        "refuse": lambda: setattr(pile, "refuses_starts", True),
    }
    for step in prepare:
        steps[step]()
    pile.take(9, command)
    assert (pile.last_sequence, pile.last_result) == (9, answer)
