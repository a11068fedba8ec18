"""No charge passes its driver's limit or target, whatever power flows and whenever prices change."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge_agent.charge import MS, breach
from edge_agent.session import Flow, MeterSaid, Moment, Order, PileSaid, step
from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.pricing import Reading, highest_price_micro
from tests.property.test_edge_session import BEGUN, RULES, new_charge, targets, tariffs

pytestmark = pytest.mark.property


def flat_until(minute: int, micro: int, parking: TimeFee | None = None) -> Tariff:
    """One price until a minute of the day, and none after it."""
    return Tariff(
        party_id="TESTPARTY",
        tariff_id="t",
        version=1,
        valid_from=BEGUN,
        periods=[
            TariffPeriod(start_minute=0, end_minute=minute, electricity_micro=micro, service_micro=micro),
            TariffPeriod(start_minute=minute, end_minute=1440, electricity_micro=0, service_micro=0),
        ],
        parking=parking,
    )


@pytest.mark.parametrize("to_edge_ms", [1, 300, 900, 1_499, 1_500, 60_000])
def test_energy_ahead_counts_at_the_price_before_an_edge_however_near_it_is(to_edge_ms: int) -> None:
    at = BEGUN + timedelta(minutes=1) - to_edge_ms * MS
    charge = msgspec.structs.replace(
        new_charge(flat_until(711, 3_000_000), Target(), limit_fen=29),
        readings=(Reading(BEGUN, 0),),
        last=Reading(at, 40),
        power_w=3_600,
    )
    # 40 Wh cost 24 fen, and the meter may step by 10 Wh at once: 30 fen.
    assert breach(charge, 1_500) is StopReason.LIMIT_REACHED


# The minute of parking that begins while the charge stops costs a fen.
@example(
    tariff=flat_until(1_000, 1_349_646, TimeFee(price_micro_per_hour=458_882, free_minutes=0)),
    target=Target(),
    limit_fen=22,
    power_w=7_577,
    poll_ms=1_145,
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tariff=tariffs(),
    target=targets(),
    limit_fen=st.integers(1, 3_000),
    power_w=st.integers(1_000, 120_000),
    poll_ms=st.integers(200, 1_400),
)
def test_a_steady_charge_never_passes_its_limit_or_target(
    tariff: Tariff, target: Target, limit_fen: int, power_w: int, poll_ms: int
) -> None:
    charge = new_charge(tariff, target, limit_fen)
    at, wms = BEGUN, 0
    flow = Flow.STILL
    for _ in range(2_000):
        now = Moment(at, at)
        done = step(charge, PileSaid(at=now, flow=flow, is_plugged=True, power_w=power_w), RULES)
        orders = list(done.orders)
        metered = step(done.charge, MeterSaid(at=now, asked_at=at, meter_wh=wms // 36_000_000 * 10), RULES)
        orders += metered.orders
        charge = metered.charge
        if not charge.is_open:
            break
        at += poll_ms * MS
        # An order takes effect before the next poll.
        flow = Flow.CHARGING if Order.START in orders else Flow.STILL if Order.STOP in orders else flow
        wms += power_w * poll_ms if flow is Flow.CHARGING else 0
    else:
        # So cheap or slow that nothing was reached within hours.
        assert charge.amount_fen <= limit_fen
        return
    assert charge.state is SessionState.ENDED
    # Nothing can be stopped before the first poll.
    poll_wh = power_w * poll_ms // 3_600_000 + 2 * charge.energy_resolution_wh
    poll_fen = poll_wh * highest_price_micro(tariff) // 10_000_000 + 2
    if tariff.parking is not None:
        poll_fen += tariff.parking.price_micro_per_hour * poll_ms // 36_000_000_000 + 2
    assert charge.amount_fen <= max(limit_fen, poll_fen)
    if target.kind is TargetKind.ENERGY:
        assert charge.energy_wh <= max(target.value, poll_wh)
    if target.kind is TargetKind.AMOUNT:
        assert charge.amount_fen <= max(target.value, poll_fen)
    wanted = {
        TargetKind.ENERGY: StopReason.TARGET_ENERGY,
        TargetKind.AMOUNT: StopReason.TARGET_AMOUNT,
        TargetKind.TIME: StopReason.TARGET_TIME,
    }
    assert charge.stop_reason in {StopReason.LIMIT_REACHED, StopReason.HOST, wanted.get(target.kind)}
