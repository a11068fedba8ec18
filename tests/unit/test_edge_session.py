"""A charge whose pile or meter does not do its part: how long it waits, and what it says at the end."""

from datetime import timedelta

import pytest

from edge_agent.charge import Charge
from edge_agent.session import (
    Flow,
    MeterSaid,
    Moment,
    Order,
    PileSaid,
    Step,
    StopAsked,
    Tick,
    resume,
    step,
)
from operator_sdk.contract.codes import SessionState, StopReason
from operator_sdk.contract.messages.common import Target
from tests.edge_rig import TARIFF
from tests.property.test_edge_session import BEGUN, RULES, new_charge


def after(seconds: int) -> Moment:
    at = BEGUN + timedelta(seconds=seconds)
    return Moment(at, at)


def pile(seconds: int, flow: Flow, *, is_plugged: bool = True, cause: StopReason | None = None) -> PileSaid:
    return PileSaid(at=after(seconds), flow=flow, is_plugged=is_plugged, cause=cause, power_w=7_000)


def meter(seconds: int, meter_wh: int) -> MeterSaid:
    return MeterSaid(at=after(seconds), asked_at=after(seconds).business, meter_wh=meter_wh)


def waiting() -> Charge:
    return new_charge(TARIFF, Target(), None)


def told_to_start() -> Charge:
    plugged = step(waiting(), pile(0, Flow.STILL), RULES).charge
    started = step(plugged, meter(1, 1_000), RULES)
    assert started.orders == (Order.START,)
    assert started.keep
    return started.charge


def charging() -> Charge:
    return step(told_to_start(), pile(2, Flow.CHARGING), RULES).charge


def stopping() -> Charge:
    return step(charging(), StopAsked(at=after(10), reason=StopReason.DRIVER_REMOTE), RULES).charge


def failed(done: Step) -> StopReason | None:
    assert done.charge.state is SessionState.START_FAILED
    assert (done.bill, [update.number for update in done.updates]) == (None, [1])
    return done.updates[0].stop_reason  # type: ignore[return-value] # the machine writes members only


def test_nothing_starts_before_the_plug_is_in() -> None:
    charge = step(waiting(), pile(0, Flow.STILL, is_plugged=False), RULES).charge
    assert step(charge, meter(1, 1_000), RULES).orders == ()
    assert step(charge, Tick(at=after(54)), RULES).charge.state is SessionState.STARTING
    given_up = step(charge, Tick(at=after(55)), RULES)
    assert failed(given_up) is StopReason.VEHICLE
    assert given_up.orders == ()


def test_a_pile_that_never_charges_is_told_to_stop() -> None:
    given_up = step(told_to_start(), Tick(at=after(55)), RULES)
    assert failed(given_up) is StopReason.FAULT
    assert given_up.orders == (Order.STOP,)


def test_a_pile_that_charges_before_it_may_is_not_believed_to_have_begun() -> None:
    assert step(waiting(), pile(0, Flow.CHARGING), RULES).charge.state is SessionState.STARTING


def test_a_stop_is_repeated_until_the_pile_is_still_and_ends_with_a_later_reading() -> None:
    charge = stopping()
    assert step(charge, pile(11, Flow.CHARGING), RULES).orders == ()
    again = step(charge, pile(12, Flow.CHARGING), RULES)
    assert again.orders == (Order.STOP,)
    still = step(again.charge, pile(13, Flow.STILL), RULES).charge
    early = MeterSaid(at=after(13), asked_at=after(12).business, meter_wh=1_020)
    assert step(still, early, RULES).bill is None, "asked for before the energy stopped"
    ended = step(still, meter(14, 1_030), RULES)
    assert ended.bill is not None
    assert ended.bill.energy_wh == 30
    assert ended.bill.stop_reason == StopReason.DRIVER_REMOTE


def test_a_meter_that_is_silent_at_the_end_bills_what_it_said_last() -> None:
    charge = step(charging(), meter(9, 1_010), RULES).charge
    charge = step(charge, StopAsked(at=after(10), reason=StopReason.FAULT), RULES).charge
    charge = step(charge, pile(11, Flow.STILL), RULES).charge
    assert step(charge, Tick(at=after(19), is_meter_silent=True), RULES).bill is None
    ended = step(charge, Tick(at=after(20), is_meter_silent=True), RULES)
    assert ended.bill is not None
    assert (ended.bill.energy_wh, ended.bill.ended_at) == (10, after(9).business)


@pytest.mark.parametrize("is_meter_silent", [True, False])
def test_a_pile_that_is_gone_ends_the_charge_once_its_meter_rests(is_meter_silent: bool) -> None:
    charge = step(stopping(), meter(15, 1_050), RULES).charge
    gone = Tick(at=after(20), is_pile_silent=True, is_meter_silent=is_meter_silent)
    assert (step(charge, gone, RULES).bill is not None) is is_meter_silent, "the meter rose five seconds ago"
    later = Tick(at=after(25), is_pile_silent=True, is_meter_silent=is_meter_silent)
    assert step(charge, later, RULES).bill is not None


def test_after_a_restart_the_pile_is_heard_before_it_is_told_anything() -> None:
    charge = resume(told_to_start(), after(100), RULES)
    assert step(charge, meter(101, 1_000), RULES).orders == ()
    assert step(charge, Tick(at=after(120)), RULES).charge.state is SessionState.STARTING
    begun = step(charge, pile(101, Flow.CHARGING), RULES)
    assert begun.charge.state is SessionState.CHARGING
    told_again = step(step(charge, pile(101, Flow.STILL), RULES).charge, meter(102, 1_000), RULES)
    assert told_again.orders == (Order.START,), "the order may never have left"
    starting = step(charge, pile(101, Flow.STARTING), RULES).charge
    assert step(starting, meter(102, 1_000), RULES).orders == ()


def test_energy_that_flowed_around_a_restart_is_billed_though_nobody_saw_it() -> None:
    charge = resume(told_to_start(), after(600), RULES)
    charge = step(charge, pile(600, Flow.STILL, is_plugged=False, cause=StopReason.UNPLUGGED), RULES).charge
    begun = step(charge, meter(601, 2_000), RULES)
    assert begun.charge.state is SessionState.CHARGING
    stopped = step(begun.charge, pile(602, Flow.STILL, is_plugged=False, cause=StopReason.UNPLUGGED), RULES)
    ended = step(stopped.charge, meter(603, 2_000), RULES)
    assert ended.bill is not None
    assert (ended.bill.energy_wh, ended.bill.stop_reason) == (1_000, StopReason.UNPLUGGED)
