"""Orders of T/CEC 102 hosts: whatever details they bring, sums are exact by rounding alone, or untouched."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.protocols.tcec102.translate_orders import fitted, record_of
from operator_sdk.contract.messages.records import ChargeRecord, UnmatchedRecord
from operator_sdk.contract.tcec102.messages import ChargeDetail, NotificationChargeOrderInfo
from operator_sdk.contract.tcec102.profile import Time
from operator_sdk.contract.tcec102.values import format_time
from tests.tcec_host_world import BEGUN, billed, profile, seq

pytestmark = pytest.mark.property

AMOUNTS = st.integers(0, 200_000)
SLIPS = st.integers(-6, 6)


@st.composite
def orders(draw: st.DrawFn) -> tuple[NotificationChargeOrderInfo, int, int]:
    """An order whose parts miss its totals by a little or more; with the decimals of its energy and money."""
    energy_decimals, money_decimals = draw(st.integers(2, 4)), draw(st.integers(2, 4))

    def number(value: int, decimals: int) -> Decimal:
        return Decimal(max(0, value)).scaleb(-decimals)

    parts = draw(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=6))
    slips = [draw(SLIPS) for _ in range(4)]
    sums = [sum(column) for column in zip(*parts, strict=True)]
    gaps = draw(st.lists(st.integers(0, 1), min_size=len(parts), max_size=len(parts)))
    details, at = [], BEGUN
    for (energy, electricity, service), gap in zip(parts, gaps, strict=True):
        details.append(
            ChargeDetail(
                detail_start_time=format_time(at + timedelta(seconds=gap), "Asia/Shanghai"),
                detail_end_time=format_time(at + timedelta(minutes=10), "Asia/Shanghai"),
                detail_power=number(energy, energy_decimals),
                elec_price=Decimal("1.0000"),
                service_price=Decimal("0.5000"),
                detail_elec_money=number(electricity, money_decimals),
                detail_service_money=number(service, money_decimals),
            )
        )
        at += timedelta(minutes=10)
    return (
        NotificationChargeOrderInfo(
            start_charge_seq=seq(1),
            connector_id="CONN1",
            start_time=format_time(BEGUN, "Asia/Shanghai"),
            end_time=format_time(at, "Asia/Shanghai"),
            total_power=number(sums[0] + slips[0], energy_decimals),
            total_elec_money=number(sums[1] + slips[1], money_decimals),
            total_service_money=number(sums[2] + slips[2], money_decimals),
            total_money=number(sums[1] + sums[2] + slips[3], money_decimals),
            stop_reason=draw(st.integers(0, 99)),
            charge_details=details,
        ),
        energy_decimals,
        money_decimals,
    )


def is_exact(record: ChargeRecord | UnmatchedRecord) -> bool:
    """Every total is the sum of its parts."""
    return (
        record.energy_wh == sum(line.energy_wh for line in record.lines)
        and record.electricity_fen == sum(line.electricity_fen for line in record.lines)
        and record.service_fen == sum(line.service_fen for line in record.lines)
        and record.amount_fen == record.electricity_fen + record.service_fen
    )


def pairs(
    record: ChargeRecord | UnmatchedRecord, order: NotificationChargeOrderInfo
) -> tuple[list[tuple[int, Fraction]], list[tuple[int, Fraction]]]:
    """What is billed beside what was said, Wh and fen."""
    assert len(record.lines) == len(order.charge_details)
    energy = [(record.energy_wh, Fraction(order.total_power) * 1000)]
    money = [
        (record.amount_fen, Fraction(order.total_money) * 100),
        (record.electricity_fen, Fraction(order.total_elec_money) * 100),
        (record.service_fen, Fraction(order.total_service_money) * 100),
    ]
    for line, detail in zip(record.lines, order.charge_details, strict=True):
        energy.append((line.energy_wh, Fraction(detail.detail_power) * 1000))
        money.append((line.electricity_fen, Fraction(detail.detail_elec_money or 0) * 100))
        money.append((line.service_fen, Fraction(detail.detail_service_money or 0) * 100))
    return energy, money


@settings(max_examples=80, deadline=None)
@given(made=orders())
def test_sums_are_exact_by_no_more_than_the_resolution_or_everything_is_as_it_came(
    made: tuple[NotificationChargeOrderInfo, int, int],
) -> None:
    order, energy_decimals, money_decimals = made
    record, tolerated = record_of(order, profile(energy_decimals, money_decimals), billed())
    energy, money = pairs(record, order)
    resolution_wh = max(Fraction(1), Fraction(1000, 10**energy_decimals))
    if is_exact(record):
        assert all(abs(whole - said) <= resolution_wh for whole, said in energy)
        assert all(abs(whole - said) <= 1 for whole, said in money)
    else:
        assert all(abs(whole - said) <= Fraction(1, 2) for whole, said in energy + money)
        assert "order:rounding" not in tolerated
    assert record.lines[0].start == record.started_at
    assert all(line.end == other.start for line, other in zip(record.lines, record.lines[1:], strict=False))
    assert record.lines[-1].end == record.ended_at


@settings(max_examples=80, deadline=None)
@given(made=orders())
def test_what_rounding_explains_is_always_put_right(
    made: tuple[NotificationChargeOrderInfo, int, int],
) -> None:
    order, energy_decimals, money_decimals = made
    record, _ = record_of(order, profile(energy_decimals, money_decimals), billed())
    lines = len(order.charge_details)

    def missing(total: Decimal, parts: list[Decimal | None], units: int) -> Fraction:
        return abs(Fraction(total) - sum((Fraction(part or 0) for part in parts), Fraction(0))) * units

    details = order.charge_details
    wh = missing(order.total_power, [one.detail_power for one in details], 1000)
    electricity = missing(order.total_elec_money, [one.detail_elec_money for one in details], 100)
    service = missing(order.total_service_money, [one.detail_service_money for one in details], 100)
    kinds = missing(order.total_money, [order.total_elec_money, order.total_service_money], 100)
    # Half a fen for each rounding between what is said and what is billed.
    explained = kinds == 0 and electricity <= lines - 1 and service <= lines - 1
    if explained and wh <= (lines - 1) * max(Fraction(1), Fraction(1000, 10**energy_decimals)):
        assert is_exact(record)


@settings(max_examples=30, deadline=None)
@given(made=orders(), decimals=st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_the_same_order_is_the_same_record_whatever_the_profile_says_of_decimals(
    made: tuple[NotificationChargeOrderInfo, int, int], decimals: tuple[int, int]
) -> None:
    order, energy_decimals, money_decimals = made
    rules = profile(energy_decimals, money_decimals)
    record, _ = record_of(order, rules, billed())
    again, _ = record_of(order, rules, billed())
    assert again == record
    assert record.record_ref.startswith(f"{order.start_charge_seq}.")
    elsewhere = profile(*decimals, time=Time(zone="Asia/Tokyo"))
    later, _ = record_of(with_zeros(order), elsewhere, billed())
    assert later.record_ref == record.record_ref
    stranger, _ = record_of(order, rules, None)
    assert isinstance(stranger, UnmatchedRecord)
    assert stranger.session_ref == order.start_charge_seq
    assert stranger.tariff_id == "tcec-CONN1"


def with_zeros(order: NotificationChargeOrderInfo) -> NotificationChargeOrderInfo:
    """The same order with more decimals, and its details in another order."""
    details = [msgspec.structs.replace(one, **longer(one)) for one in reversed(order.charge_details)]
    more = {**longer(order), "charge_details": details, "sum_period": len(details)}
    return msgspec.structs.replace(order, **more)


def longer(said: NotificationChargeOrderInfo | ChargeDetail) -> dict[str, Decimal]:
    """The numbers of a message, each with six decimals."""
    numbers = {name: getattr(said, name) for name in said.__struct_fields__}
    zeros = Decimal("0.000000")
    return {name: value + zeros for name, value in numbers.items() if isinstance(value, Decimal)}


CHANGES: dict[str, Any] = {
    "connector_id": "CONN2",
    "start_time": "2026-03-02 11:59:59",
    "end_time": "2026-03-02 23:59:59",
    "total_power": Decimal("0.001"),
    "total_elec_money": Decimal("0.01"),
    "total_service_money": Decimal("0.01"),
    "total_money": Decimal("0.01"),
    "meter_value_start": Decimal(1),
    "meter_value_end": Decimal(1),
}
"""What makes another order of one; to numbers it is added."""


@settings(max_examples=30, deadline=None)
@given(made=orders(), changed=st.sets(st.sampled_from([*CHANGES, "stop_reason", "details"]), min_size=1))
def test_an_order_that_says_anything_else_is_another_record(
    made: tuple[NotificationChargeOrderInfo, int, int], changed: set[str]
) -> None:
    order = msgspec.structs.replace(made[0], meter_value_start=Decimal(7), meter_value_end=Decimal(9))
    changes = {name: CHANGES[name] for name in changed & CHANGES.keys()}
    for name, value in changes.items():
        if isinstance(value, Decimal):
            changes[name] = getattr(order, name) + value
    if "stop_reason" in changed:
        changes["stop_reason"] = order.stop_reason + 1
    if "details" in changed:
        (first, *rest) = order.charge_details
        changes["charge_details"] = [msgspec.structs.replace(first, elec_price=Decimal("1.0001")), *rest]
    other, _ = record_of(msgspec.structs.replace(order, **changes), profile(), billed())
    record, _ = record_of(order, profile(), billed())
    assert other.record_ref != record.record_ref


@settings(max_examples=30, deadline=None)
@given(made=orders(), name=st.sampled_from(["meter_value_start", "meter_value_end"]))
def test_one_reading_of_the_meter_without_the_other_is_none(
    made: tuple[NotificationChargeOrderInfo, int, int], name: str
) -> None:
    alone, _ = record_of(msgspec.structs.replace(made[0], **{name: Decimal(1)}), profile(), billed())
    assert alone == record_of(made[0], profile(), billed())[0]
    assert not alone.metered


@settings(max_examples=100, deadline=None)
@given(
    parts=st.lists(st.decimals(0, 1000, places=3), min_size=1, max_size=8),
    slip=st.integers(-40, 40),
    resolution=st.sampled_from([1, 10]),
)
def test_parts_fit_a_total_wherever_any_integers_within_the_resolution_do(
    parts: list[Decimal], slip: int, resolution: int
) -> None:
    total = max(0, int(sum(parts)) + slip)
    found = fitted(total, parts, resolution)
    least = sum(max(0, -((-Fraction(part) + resolution) // 1)) for part in parts)
    most = sum((Fraction(part) + resolution) // 1 for part in parts)
    assert (found is not None) == (least <= total <= most)
    if found is not None:
        assert sum(found) == total
        assert all(abs(whole - Fraction(part)) <= resolution for whole, part in zip(found, parts, strict=True))
        assert all(whole >= 0 for whole in found)
