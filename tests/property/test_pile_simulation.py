"""The simulated pile and its charges: no energy is lost, no limit exceeded, the bill adds up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.pricing import edges_between, price
from operator_sdk.examples.host.charge import Charge, bill, finish, run
from operator_sdk.examples.host.pile import (
    WMS_PER_WH,
    Pile,
    Vehicle,
    able_w,
    flow,
    plug_in,
    power_w,
)
from operator_sdk.examples.host.site import small_site, tariff_of

pytestmark = pytest.mark.property
# 06:50 in Shenzhen: ten minutes before a tariff edge.
START = datetime(2026, 3, 1, 22, 50, tzinfo=UTC)
TARIFF: Tariff = tariff_of("MA5AAAAA1", small_site().tariffs[0])
SESSION = "ses_01980000-0000-7000-8000-000000000001"


def new_pile(kind: str = "dc", rated: int = 120_000, soc: int = 40) -> Pile:
    pile = Pile(
        kind=kind,
        rated_power_w=rated,
        vehicle=Vehicle(soc_start_percent=soc),
        meter_wms=123_456 * WMS_PER_WH,
    )
    plug_in(pile)
    return pile


def new_charge(limit: int | None = None, target: Target | None = None) -> Charge:
    return Charge(
        session_id=SESSION,
        authorization_id=SESSION.replace("ses", "aut"),
        connector_id="C1",
        host_ref="h1",
        tariff=TARIFF,
        limit_fen=limit,
        target=target or Target(),
        last_at=START,
        update_interval_s=20,
    )


piles = st.builds(
    new_pile,
    st.sampled_from(["ac", "dc"]),
    st.integers(1_000, 250_000),
    st.integers(0, 100),
)


@given(piles, st.lists(st.integers(0, 60_000), max_size=30))
def test_what_leaves_the_meter_is_in_the_battery(pile: Pile, steps: list[int]) -> None:
    meter, battery = pile.meter_wms, pile.battery_wms
    for ms in steps:
        assert 0 <= power_w(pile) <= able_w(pile)
        before = pile.meter_wms
        flow(pile, ms)
        assert 0 <= pile.meter_wms - before <= able_w(pile) * ms
    assert pile.meter_wms - meter == pile.battery_wms - battery
    assert pile.battery_wms <= pile.capacity_wms


def test_alternating_current_is_flat_after_the_ramp_and_direct_current_tapers() -> None:
    slow, fast = new_pile("ac", 7_000), new_pile("dc", 120_000)
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


TARGETS = st.one_of(
    st.just(Target()),
    st.builds(Target, kind=st.just(TargetKind.ENERGY), value=st.integers(0, 40_000)),
    st.builds(Target, kind=st.just(TargetKind.AMOUNT), value=st.integers(0, 6_000)),
    st.builds(Target, kind=st.just(TargetKind.TIME), value=st.integers(0, 4_000)),
)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["ac", "dc"]),
    st.none() | st.integers(0, 6_000),
    TARGETS,
    st.lists(st.integers(1, 400_000), min_size=1, max_size=40),
    st.sampled_from(list(StopReason)),
)
def test_a_charge_stays_within_its_limits_and_its_bill_adds_up(
    kind: str, limit: int | None, target: Target, ticks: list[int], by_hand: StopReason
) -> None:
    pile, charge, now = new_pile(kind), new_charge(limit, target), START
    updates: list[SessionUpdate] = []
    for ms in [4_000, *ticks]:
        now += timedelta(milliseconds=ms)
        updates += run(charge, pile, now)
    if charge.is_running:
        updates.append(finish(charge, pile, by_hand))
    record = bill(charge)

    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert updates[-1].state == charge.state == SessionState.ENDED
    assert all(update.state == SessionState.CHARGING for update in updates[:-1])
    for name in ("at", "meter_wh", "energy_wh", "amount_fen"):
        values = [getattr(update, name) for update in updates]
        assert values == sorted(values)
    assert record.energy_wh == record.meter_end_wh - record.meter_start_wh == pile.meter_wh - 123_456
    assert record.energy_wh == sum(line.energy_wh for line in record.lines)
    assert record.amount_fen == record.electricity_fen + record.service_fen
    assert record.amount_fen == updates[-1].amount_fen
    assert record.lines == price(TARIFF, charge.readings)
    edges = edges_between(TARIFF, record.started_at, record.ended_at)
    assert set(edges) <= {reading.at for reading in charge.readings}
    if limit is not None:
        assert record.amount_fen <= limit
    if target.kind == TargetKind.ENERGY:
        assert record.energy_wh <= target.value
    if target.kind == TargetKind.AMOUNT:
        assert record.amount_fen <= target.value
    if target.kind == TargetKind.TIME:
        assert record.ended_at - record.started_at <= timedelta(seconds=target.value)


@pytest.mark.parametrize(
    ("limit", "target", "reason"),
    [
        (2_000, Target(), StopReason.LIMIT_REACHED),
        (None, Target(kind=TargetKind.ENERGY, value=10_000), StopReason.TARGET_ENERGY),
        (None, Target(kind=TargetKind.AMOUNT, value=1_000), StopReason.TARGET_AMOUNT),
        (None, Target(kind=TargetKind.TIME, value=600), StopReason.TARGET_TIME),
        (None, Target(), StopReason.VEHICLE_FULL),
    ],
)
def test_each_stop_comes_to_its_mark(limit: int | None, target: Target, reason: StopReason) -> None:
    pile, charge = new_pile(), new_charge(limit, target)
    updates = list(run(charge, pile, START + timedelta(hours=3)))
    record = bill(charge)
    assert updates[-1].stop_reason == record.stop_reason == reason
    if reason == StopReason.TARGET_ENERGY:
        assert record.energy_wh == 10_000
    if reason in {StopReason.LIMIT_REACHED, StopReason.TARGET_AMOUNT}:
        assert 0 <= (limit or 1_000) - record.amount_fen <= 1
    if reason == StopReason.TARGET_TIME:
        assert record.ended_at - record.started_at == timedelta(seconds=600)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 120_000), min_size=1, max_size=30))
def test_how_time_is_cut_up_does_not_change_when_updates_fall_due(ticks: list[int]) -> None:
    whole_pile, whole = new_pile("ac"), new_charge()
    pile, charge, now = new_pile("ac"), new_charge(), START
    cut: list[SessionUpdate] = []
    for ms in ticks:
        now += timedelta(milliseconds=ms)
        cut += run(charge, pile, now)
    at_once = list(run(whole, whole_pile, now))
    assert [(one.number, one.at) for one in cut] == [(one.number, one.at) for one in at_once]


def test_a_pile_that_may_not_start_says_so_once() -> None:
    pile, charge = new_pile(), new_charge()
    assert list(run(charge, pile, START + timedelta(seconds=2), may_start=False)) == []
    updates = list(run(charge, pile, START + timedelta(seconds=4), may_start=False))
    assert [update.state for update in updates] == [SessionState.START_FAILED]
    assert list(run(charge, pile, START + timedelta(hours=1))) == []
    assert pile.meter_wh == 123_456
