"""What becomes of a charge: a state machine. Pure: no clock, no input or output.

    step(charge, event, rules) -> Step(charge, updates, orders, bill, keep)

starting -> charging <-> paused -> stopping -> ended, or starting -> start_failed. The pile's word says whether
energy flows, the meter's word how much. A `Moment` carries both clocks: business time for what is measured and
billed, wall time for how long to wait.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from edge_agent.charge import MS, Charge, bill, breach, ended, next_update, observed, replaced
from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.pricing import Reading

FLOWING = frozenset({SessionState.CHARGING, SessionState.PAUSED})


class Moment(NamedTuple):
    """Now, on both clocks."""

    business: datetime
    wall: datetime


class Flow(StrEnum):
    """What the pile says of the energy. `still`: none flows, and none is about to."""

    STILL = "still"
    STARTING = "starting"
    CHARGING = "charging"
    PAUSED = "paused"
    STOPPING = "stopping"


class Order(StrEnum):
    """What the pile is to do."""

    START = "start"
    STOP = "stop"


class Rules(Struct, frozen=True, kw_only=True):
    """What holds for every charge at a connector.

    `look_ahead_ms`: business time until the next reading can have stopped the charge. `update_every` and
    `charge_most` are business time, the waits wall time.
    """

    look_ahead_ms: int
    update_every: timedelta
    charge_most: timedelta
    start_wait: timedelta
    stop_wait: timedelta
    resend_after: timedelta = timedelta(seconds=2)


class PileSaid(Struct, frozen=True, kw_only=True):
    """A status of the pile. `cause`: why its last charge stopped, None from a start until then."""

    at: Moment
    flow: Flow
    is_plugged: bool
    cause: StopReason | None = None
    power_w: int = 0
    soc_percent: int | None = None


class MeterSaid(Struct, frozen=True, kw_only=True):
    """A reading. `asked_at`: when it was asked for, business time."""

    at: Moment
    asked_at: datetime
    meter_wh: int


class StartAnswered(Struct, frozen=True, kw_only=True):
    """The pile took the order to start, or would not."""

    at: Moment
    is_taken: bool


class StopAsked(Struct, frozen=True, kw_only=True):
    """Somebody wants it to stop: a driver, a card, safety."""

    at: Moment
    reason: StopReason


class Tick(Struct, frozen=True, kw_only=True):
    """Time has passed. `is_pile_silent`, `is_meter_silent`: nothing is heard from it any more."""

    at: Moment
    is_pile_silent: bool = False
    is_meter_silent: bool = False


Event = PileSaid | MeterSaid | StartAnswered | StopAsked | Tick


class Step(NamedTuple):
    """What an event led to. `keep`: it must be durable before anything but a STOP goes out."""

    charge: Charge
    updates: tuple[SessionUpdate, ...] = ()
    orders: tuple[Order, ...] = ()
    bill: ChargeRecord | None = None
    keep: bool = False


def step(charge: Charge, event: Event, rules: Rules) -> Step:
    """What becomes of the charge. An event that is too late for its state changes nothing."""
    if not charge.is_open:
        return Step(charge)
    match event:
        case PileSaid():
            return _on_pile(charge, event, rules)
        case MeterSaid():
            return _on_meter(charge, event, rules)
        case StartAnswered():
            return _on_start_answered(charge, event)
        case StopAsked():
            return _stop(charge, event.at, event.reason, rules)
        case Tick():
            return _on_tick(charge, event, rules)


def resume(charge: Charge, at: Moment, rules: Rules) -> Charge:
    """An open charge after the agent's restart: the pile's and the meter's word decide how it goes on."""
    wait = rules.stop_wait if charge.state is SessionState.STOPPING else rules.start_wait
    return replaced(
        charge,
        is_start_sent=False,
        is_start_taken=False,
        is_plugged=False,
        deadline=at.wall + wait,
        resend_at=None,
        rose_at=at.wall,
        still_since=None,
    )


def _on_pile(charge: Charge, said: PileSaid, rules: Rules) -> Step:
    charge = replaced(
        charge,
        is_plugged=said.is_plugged,
        power_w=max(0, said.power_w) if said.flow is Flow.CHARGING else 0,
        soc_percent=charge.soc_percent if said.soc_percent is None else said.soc_percent,
    )
    if charge.state is SessionState.STARTING:
        return _starting_seen(charge, said, rules)
    if charge.state is SessionState.STOPPING:
        return _stopping_seen(charge, said, rules)
    if said.flow in {Flow.STILL, Flow.STOPPING}:
        reason = said.cause or (StopReason.UNKNOWN if said.is_plugged else StopReason.UNPLUGGED)
        stopped = _stop(charge, said.at, reason, rules)
        return stopped._replace(charge=_still(stopped.charge, said))
    state = SessionState.PAUSED if said.flow is Flow.PAUSED else SessionState.CHARGING
    if said.flow is Flow.STARTING or state is charge.state:
        return Step(charge)
    return _updated(replaced(charge, state=state), said.at, rules)


def _starting_seen(charge: Charge, said: PileSaid, rules: Rules) -> Step:
    if charge.readings and said.flow in {Flow.CHARGING, Flow.PAUSED}:
        return _begin(charge, said.at, rules)
    if charge.readings and said.flow is Flow.STARTING:
        return Step(replaced(charge, is_start_sent=True, is_start_taken=True))
    if charge.is_start_taken and said.flow is Flow.STILL and said.cause is not None:
        return _start_failed(charge, said.at, said.cause)
    return Step(charge)


def _stopping_seen(charge: Charge, said: PileSaid, rules: Rules) -> Step:
    charge = _still(charge, said)
    return Step(charge) if charge.still_since is not None else _stop_again(charge, said.at, rules)


def _still(charge: Charge, said: PileSaid) -> Charge:
    if said.flow is not Flow.STILL:
        return replaced(charge, still_since=None)
    return charge if charge.still_since is not None else replaced(charge, still_since=said.at.business)


def _stop_again(charge: Charge, at: Moment, rules: Rules) -> Step:
    if charge.resend_at is not None and at.wall < charge.resend_at:
        return Step(charge)
    return Step(replaced(charge, resend_at=at.wall + rules.resend_after), orders=(Order.STOP,))


def _on_meter(charge: Charge, said: MeterSaid, rules: Rules) -> Step:
    if charge.state is SessionState.STARTING:
        return _starting_metered(charge, said, rules)
    before = charge.last
    charge = _metered(charge, said)
    if charge.state is SessionState.STOPPING:
        if charge.still_since is not None and said.asked_at >= charge.still_since:
            return _end(charge)
    elif (reason := _must_stop(charge, before, rules)) is not None:
        return _stop(charge, said.at, reason, rules)
    if charge.next_update_at is None or said.at.business >= charge.next_update_at:
        return _updated(charge, said.at, rules)
    return Step(charge)


def _metered(charge: Charge, said: MeterSaid) -> Charge:
    before = charge.last
    charge = observed(charge, said.at.business, said.meter_wh)
    if before is not None and charge.last is not None and charge.last.meter_wh > before.meter_wh:
        return replaced(charge, rose_at=said.at.wall)
    return charge


def _starting_metered(charge: Charge, said: MeterSaid, rules: Rules) -> Step:
    first = charge.readings[0] if charge.readings else None
    if first is not None and said.meter_wh > first.meter_wh + charge.energy_resolution_wh:
        # The pile's word was missed, around a restart of the agent: the meter says that it has charged.
        return _begin(_metered(charge, said), said.at, rules)
    if charge.is_start_sent or not charge.is_plugged:
        return Step(charge)
    reading = Reading(said.at.business, said.meter_wh)
    charge = replaced(charge, readings=(reading,), last=reading, is_start_sent=True, rose_at=said.at.wall)
    return Step(charge, orders=(Order.START,), keep=True)


def _on_start_answered(charge: Charge, answered: StartAnswered) -> Step:
    if charge.state is not SessionState.STARTING:
        return Step(charge)
    if not answered.is_taken:
        return _start_failed(charge, answered.at, StopReason.FAULT)
    return Step(replaced(charge, is_start_taken=True))


def _on_tick(charge: Charge, tick: Tick, rules: Rules) -> Step:
    if charge.state in FLOWING:
        reason = _time_is_up(charge, tick.at.business, rules)
        return Step(charge) if reason is None else _stop(charge, tick.at, reason, rules)
    if charge.state is SessionState.STARTING:
        if tick.at.wall < charge.deadline:
            return Step(charge)
        return _start_failed(charge, tick.at, StopReason.FAULT if charge.is_plugged else StopReason.VEHICLE)
    if tick.at.wall >= charge.deadline and _is_over(charge, tick, rules):
        return _end(charge)
    return Step(charge) if charge.still_since is not None else _stop_again(charge, tick.at, rules)


def _is_over(charge: Charge, tick: Tick, rules: Rules) -> bool:
    """Whether to take a stop as done, for want of word from the meter, or from a pile whose meter rests."""
    if charge.still_since is not None or tick.is_pile_silent:
        at_rest = charge.rose_at is None or tick.at.wall >= charge.rose_at + rules.stop_wait
        return tick.is_meter_silent or (tick.is_pile_silent and at_rest)
    return False


def _begin(charge: Charge, at: Moment, rules: Rules) -> Step:
    return _updated(replaced(charge, state=SessionState.CHARGING), at, rules)


def _stop(charge: Charge, at: Moment, reason: StopReason, rules: Rules) -> Step:
    if charge.state is SessionState.STARTING:
        return _start_failed(charge, at, reason)
    if charge.state is SessionState.STOPPING:
        return Step(charge)
    charge = replaced(
        charge,
        state=SessionState.STOPPING,
        stop_reason=reason,
        deadline=at.wall + rules.stop_wait,
        resend_at=at.wall + rules.resend_after,
    )
    return _updated(charge, at, rules)._replace(orders=(Order.STOP,))


def _start_failed(charge: Charge, at: Moment, reason: StopReason) -> Step:
    orders = (Order.STOP,) if charge.readings else ()
    # The first reading was kept for a charge that never was.
    charge = replaced(
        charge, state=SessionState.START_FAILED, stop_reason=reason, readings=(), last=None, power_w=0
    )
    charge, update = next_update(charge, at.business)
    return Step(charge, (update,), orders, keep=True)


def _end(charge: Charge) -> Step:
    charge = ended(charge)
    assert charge.last is not None
    charge, update = next_update(charge, charge.last.at)
    return Step(charge, (update,), bill=bill(charge), keep=True)


def _updated(charge: Charge, at: Moment, rules: Rules) -> Step:
    charge, update = next_update(charge, at.business)
    return Step(replaced(charge, next_update_at=update.at + rules.update_every), (update,), keep=True)


def _must_stop(charge: Charge, before: Reading | None, rules: Rules) -> StopReason | None:
    """Why to stop now: what may come until the next reading would be too much, or time is up.

    A line that answers late counts as late as it was, up to twice its due.
    """
    last = charge.last
    assert last is not None
    gap_ms = (last.at - before.at) // MS if before else 0
    ahead_ms = max(rules.look_ahead_ms, min(gap_ms, 2 * rules.look_ahead_ms))
    return breach(charge, ahead_ms) or _time_is_up(charge, last.at, rules)


def _time_is_up(charge: Charge, at: datetime, rules: Rules) -> StopReason | None:
    passed = at - charge.readings[0].at
    if charge.target.kind is TargetKind.TIME and passed >= timedelta(seconds=charge.target.value):
        return StopReason.TARGET_TIME
    return StopReason.HOST if passed >= rules.charge_most else None
