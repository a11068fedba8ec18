"""A record priced again is what a slow oracle finds, minute by minute: across midnight, edges, new versions."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.roaming.model_repricing import explained, price_problem, reprice
from hub.roaming.model_rules import judge
from operator_sdk.contract.codes import Verdict
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.pricing import Reading
from tests.record_cases import HOST, MIDNIGHT, bill, changed, facts_for, fitted
from tests.record_oracle import Version, line_fen, time_fen, version_at

pytestmark = pytest.mark.property

PRICES = st.sampled_from([0, 1, 333_333, 400_000, 1_100_000, 999_999_999])
FEES = st.none() | st.tuples(
    st.integers(0, 30_000_000), st.sampled_from([0, 15, 120]), st.none() | st.integers(0, 3_000)
)


@dataclass
class Charge:
    """A charge that a new version of the tariff may come into the middle of."""

    versions: list[Version]
    tariffs: list[Tariff]
    readings: list[Reading]
    left_at: datetime | None

    @property
    def right(self) -> int:
        """Which version prices it: the one at its start."""
        return self.versions.index(version_at(self.versions, self.readings[0].at))

    def billed_by(self, index: int) -> ChargeRecord:
        """The bill of a host that prices by one of the versions."""
        return bill(self.readings, left_at=self.left_at, tariff=self.tariffs[index])


@st.composite
def versions(draw: st.DrawFn, number: int, valid_from: datetime) -> tuple[Version, Tariff]:
    """The same version twice: a price for every minute, and as it is published."""
    inner = draw(st.lists(st.integers(1, 1439), max_size=6, unique=True))
    edges = [0, *sorted(inner), 1440]
    priced = [(draw(PRICES), draw(PRICES)) for _ in edges[1:]]
    minutes = [
        prices for prices, (begin, end) in zip(priced, pairwise(edges), strict=True) for _ in range(begin, end)
    ]
    parking, idle = draw(FEES), draw(FEES)
    tariff = Tariff(
        party_id=HOST,
        tariff_id="t",
        version=number,
        valid_from=valid_from,
        periods=[
            TariffPeriod(start_minute=begin, end_minute=end, electricity_micro=one, service_micro=other)
            for (one, other), (begin, end) in zip(priced, pairwise(edges), strict=True)
        ],
        parking=_time_fee(parking),
        idle=_time_fee(idle),
    )
    return Version(valid_from, minutes, parking, idle), tariff


def _time_fee(fee: tuple[int, int, int | None] | None) -> TimeFee | None:
    if fee is None:
        return None
    return TimeFee(price_micro_per_hour=fee[0], free_minutes=fee[1], cap_fen=fee[2])


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """Up to half a day around a midnight; the second version begins at some minute of it."""
    start = MIDNIGHT - timedelta(hours=8) + timedelta(seconds=draw(st.integers(0, 14 * 3600)))
    at, meter = start, draw(st.integers(0, 10**6))
    readings = [Reading(at, meter)]
    for _ in range(draw(st.integers(1, 3))):
        at += timedelta(milliseconds=draw(st.integers(1_000, 4 * 3_600_000)))
        meter += draw(st.integers(0, 60_000))
        readings.append(Reading(at, meter))
    change = start + timedelta(minutes=draw(st.integers(-60, 600)))
    first, second = draw(versions(1, MIDNIGHT - timedelta(days=30))), draw(versions(2, change))
    left = None if draw(st.booleans()) else at + timedelta(seconds=draw(st.integers(0, 90_000)))
    return Charge([first[0], second[0]], [first[1], second[1]], readings, left)


def due(charge: Charge, record: ChargeRecord) -> list[int]:
    """What each part comes to, by the oracle: electricity and service of each line, parking, idle."""
    version = charge.versions[charge.right]
    amounts = [
        amount for line in record.lines for amount in line_fen(version, line.start, line.end, line.energy_wh)
    ]
    until = record.left_at or record.ended_at
    fees = (
        (record.parking_fen, time_fen(version.parking, record.started_at, until)),
        (record.idle_fen, time_fen(version.idle, record.ended_at, until)),
    )
    return amounts + [amount for charged, amount in fees if charged or amount]


@settings(max_examples=120, deadline=None)
@given(charges())
def test_the_version_at_the_start_prices_the_whole_charge(charge: Charge) -> None:
    tariff = charge.tariffs[charge.right]
    record = charge.billed_by(charge.right)
    parts = reprice(record, tariff)
    assert [part.priced.repriced_fen for part in parts] == due(charge, record)
    assert price_problem(parts, most_fen=0) == ""
    assert explained(parts, most_fen=0) is None


@settings(max_examples=120, deadline=None)
@given(charges(), st.data())
def test_a_difference_is_explained_part_by_part_whoever_made_it(charge: Charge, data: st.DataObject) -> None:
    """The host prices by the version that came during the charge, and then errs by some fen."""
    tariff, other = charge.tariffs[charge.right], 1 - charge.right
    record = charge.billed_by(other)
    errors = [data.draw(st.integers(0, 3)) for _ in record.lines]
    lines = [
        msgspec.structs.replace(line, electricity_fen=line.electricity_fen + error)
        for line, error in zip(record.lines, errors, strict=True)
    ]
    record = fitted(record, lines)
    parts = reprice(record, tariff)
    assert [part.priced.repriced_fen for part in parts] == due(charge, record)
    shown = explained(parts, most_fen=7)
    if shown is None:
        assert record.amount_fen == sum(due(charge, record))
        return
    assert (shown.charged_fen, shown.repriced_fen) == (record.amount_fen, sum(due(charge, record)))
    assert shown.difference_fen == shown.charged_fen - shown.repriced_fen
    assert shown.difference_fen == sum(part.difference_fen for part in shown.parts)
    assert shown.tolerance_fen == 7
    for part in shown.parts:
        assert part.difference_fen == part.charged_fen - part.repriced_fen


@settings(max_examples=80, deadline=None)
@given(charges(), st.integers(1, 20))
def test_a_coarse_meters_rounding_is_tolerated_line_by_line_and_no_more(charge: Charge, steps: int) -> None:
    """Energy in steps of some Wh, priced before it was rounded, is never further off than the tolerance."""
    tariff, resolution = charge.tariffs[charge.right], 10 * steps
    record = charge.billed_by(charge.right)
    lines = []
    for line in record.lines:
        coarse = line.energy_wh // resolution * resolution
        lines.append(msgspec.structs.replace(line, energy_wh=coarse))
    record = changed(
        fitted(record, lines), energy_wh=sum(line.energy_wh for line in lines), energy_resolution_wh=resolution
    )
    parts = reprice(record, tariff)
    off = sum(part.excess_fen for part in parts)
    assert price_problem(parts, most_fen=off) == ""
    if off:
        assert price_problem(parts, most_fen=off - 1) != ""


@settings(max_examples=60, deadline=None)
@given(charges())
def test_a_bill_by_the_version_that_came_later_is_suspended(charge: Charge) -> None:
    tariff, other = charge.tariffs[charge.right], 1 - charge.right
    record = charge.billed_by(other)
    facts = replace(facts_for(record), tariff=tariff, published_at=tariff.valid_from)
    verdicts = {one.rule: one.verdict for one in judge(record, facts)}
    assert verdicts["tariff"] == Verdict.SUSPEND
    said_right = changed(record, tariff_version=tariff.version)
    verdicts = {one.rule: one.verdict for one in judge(said_right, facts)}
    parts = reprice(said_right, tariff)
    fits = record.energy_wh == 0 or price_problem(parts, most_fen=facts.terms.tolerance_fen) == ""
    if record.energy_wh:
        assert verdicts["price"] == (Verdict.PASS if fits else Verdict.SUSPEND)
