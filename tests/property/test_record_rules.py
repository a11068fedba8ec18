"""Each rule for charge records fires on its own planted fault and on nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.roaming.model_records import Against, judge, owed_fen, state_of
from operator_sdk.contract.codes import RecordState
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.money import owed_at_most_fen
from operator_sdk.contract.pricing import Reading, price, total_fen

pytestmark = pytest.mark.property

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAWN = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
"""Midnight in Shanghai."""

TARIFF = Tariff(
    party_id="MA5AAAAA1",
    tariff_id="t",
    version=3,
    valid_from=DAWN - timedelta(days=30),
    periods=[
        TariffPeriod(start_minute=0, end_minute=480, electricity_micro=400_000, service_micro=300_000),
        TariffPeriod(start_minute=480, end_minute=1200, electricity_micro=1_100_000, service_micro=500_000),
        TariffPeriod(start_minute=1200, end_minute=1440, electricity_micro=700_000, service_micro=300_000),
    ],
)
AGAINST = Against(
    connector_id="A1",
    tariff=TARIFF,
    limit_fen=None,
    tolerance_fen=100,
    now=NOW,
    second=False,
    authorized=True,
)


def bill(readings: list[Reading]) -> ChargeRecord:
    """An honest bill."""
    lines = price(TARIFF, readings)
    return ChargeRecord(
        record_ref="r",
        session_id="ses_0198c0de-0000-7000-8000-000000000000",
        connector_id="A1",
        started_at=readings[0].at,
        ended_at=readings[-1].at,
        meter_start_wh=readings[0].meter_wh,
        meter_end_wh=readings[-1].meter_wh,
        energy_wh=readings[-1].meter_wh - readings[0].meter_wh,
        lines=lines,
        electricity_fen=sum(line.electricity_fen for line in lines),
        service_fen=sum(line.service_fen for line in lines),
        amount_fen=total_fen(lines),
        tariff_id="t",
        tariff_version=3,
        stop_reason="driver_local",
    )


def usual() -> ChargeRecord:
    """From 07:00 to 09:00, across the edge at 08:00: two lines."""
    start = DAWN + timedelta(hours=7)
    return bill([Reading(start, 5_000), Reading(start + timedelta(hours=2), 25_000)])


def changed(record: ChargeRecord, **values: object) -> ChargeRecord:
    return msgspec.structs.replace(record, **values)


def with_line(record: ChargeRecord, index: int, **values: object) -> ChargeRecord:
    """One line altered, and every sum made to fit again."""
    lines = list(record.lines)
    lines[index] = msgspec.structs.replace(lines[index], **values)
    return fitted(record, lines)


def fitted(record: ChargeRecord, lines: list[BillLine]) -> ChargeRecord:
    electricity = sum(line.electricity_fen for line in lines)
    service = sum(line.service_fen for line in lines)
    return changed(
        record,
        lines=lines,
        electricity_fen=electricity,
        service_fen=service,
        amount_fen=electricity + service,
    )


def split_oddly(record: ChargeRecord) -> ChargeRecord:
    """One line over the edge, at the first line's price: the energies still sum."""
    first, second = record.lines
    whole = msgspec.structs.replace(
        first,
        end=second.end,
        energy_wh=20_000,
        electricity_fen=800,
        service_fen=600,
    )
    return fitted(record, [whole])


Fault = Callable[[ChargeRecord, Against], tuple[ChargeRecord, Against]]

FAULTS: dict[str, tuple[RecordState, Fault]] = {
    "connector": (RecordState.REJECTED, lambda r, a: (changed(r, connector_id="A2"), a)),
    "currency": (RecordState.SUSPENDED, lambda r, a: (changed(r, currency="EUR"), a)),
    "second_record": (RecordState.SUSPENDED, lambda r, a: (r, replace(a, second=True))),
    "authorization": (RecordState.SUSPENDED, lambda r, a: (r, replace(a, authorized=False))),
    "time_future": (
        RecordState.REJECTED,
        lambda r, a: (r, replace(a, now=r.ended_at - timedelta(minutes=6))),
    ),
    "sum_electricity": (
        RecordState.REJECTED,
        lambda r, a: (changed(r, electricity_fen=r.electricity_fen + 1, service_fen=r.service_fen), a),
    ),
    "sum_service": (
        RecordState.REJECTED,
        lambda r, a: (changed(r, service_fen=r.service_fen + 1), a),
    ),
    "sum_amount": (RecordState.REJECTED, lambda r, a: (changed(r, amount_fen=r.amount_fen + 1), a)),
    "sum_energy": (
        RecordState.REJECTED,
        lambda r, a: (changed(r, energy_wh=r.energy_wh + 5, meter_end_wh=r.meter_end_wh + 5), a),
    ),
    "line_order": (
        RecordState.REJECTED,
        lambda r, a: (with_line(r, 1, start=r.lines[1].start + timedelta(seconds=1)), a),
    ),
    "meter": (RecordState.SUSPENDED, lambda r, a: (changed(r, meter_end_wh=r.meter_end_wh + 11), a)),
    "tariff_unknown": (RecordState.SUSPENDED, lambda r, a: (r, replace(a, tariff=None))),
    "tariff_version": (RecordState.SUSPENDED, lambda r, a: (changed(r, tariff_version=4), a)),
    "price": (
        RecordState.SUSPENDED,
        lambda r, a: (with_line(r, 0, electricity_fen=r.lines[0].electricity_fen + 2), a),
    ),
}

ALSO_WRONG = {"sum_electricity": {"sum_amount"}, "sum_service": {"sum_amount"}}
"""A wrong part cannot leave the total right."""


@pytest.mark.parametrize("rule", sorted(FAULTS))
def test_a_rule_fires_on_its_planted_fault_and_only_then(rule: str) -> None:
    state, plant = FAULTS[rule]
    findings = judge(*plant(usual(), AGAINST))
    assert {finding.rule for finding in findings} == {rule} | ALSO_WRONG.get(rule, set())
    assert state_of(findings) == state
    assert rule not in {finding.rule for finding in judge(usual(), AGAINST)}


@pytest.mark.parametrize(
    ("fault", "record"),
    [
        ("another price", with_line(usual(), 0, service_micro=300_001)),
        ("one line over an edge", split_oddly(usual())),
    ],
)
def test_prices_that_are_not_the_tariffs_are_suspended(fault: str, record: ChargeRecord) -> None:
    assert [finding.rule for finding in judge(record, AGAINST)] == ["price"]


def test_an_end_before_the_start_is_rejected_whatever_else_it_breaks() -> None:
    record = usual()
    backward = changed(record, started_at=record.ended_at, ended_at=record.started_at)
    assert "time_order" in {finding.rule for finding in judge(backward, AGAINST)}


def test_differences_within_the_resolution_pass_until_they_add_up() -> None:
    record = usual()
    coarse = changed(record, energy_resolution_wh=10)
    one_off = with_line(coarse, 0, electricity_fen=record.lines[0].electricity_fen + 1)
    assert judge(one_off, AGAINST) == []
    assert [f.rule for f in judge(one_off, replace(AGAINST, tolerance_fen=0))] == ["price"]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_honest_bill_passes(data: st.DataObject) -> None:
    start = DAWN - timedelta(days=3) + timedelta(seconds=data.draw(st.integers(0, 3 * 86_400)))
    at, meter = start, data.draw(st.integers(0, 10**9))
    readings = [Reading(at, meter)]
    for _ in range(data.draw(st.integers(1, 6))):
        at += timedelta(seconds=data.draw(st.integers(1, 6 * 3600)))
        meter += data.draw(st.integers(0, 60_000))
        readings.append(Reading(at, meter))
    record = bill(readings)
    findings = judge(record, replace(AGAINST, now=at, tolerance_fen=0))
    assert findings == []
    assert state_of(findings) == RecordState.ACCEPTED


@given(amount=st.integers(0, 10**9), limit=st.integers(0, 10**9))
def test_the_home_owes_the_bill_up_to_a_little_above_the_limit(amount: int, limit: int) -> None:
    owed = owed_fen(amount, limit)
    assert owed == min(amount, limit + max(limit // 100, 300))
    assert owed <= owed_at_most_fen(limit)
    assert owed_fen(amount, None) == amount
