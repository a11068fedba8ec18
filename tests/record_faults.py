"""One fault for each rule and each way it may answer, planted in an otherwise honest record.

Every sum is made to fit again where a sum is not the fault itself.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import msgspec

from hub.roaming.model_facts import Elsewhere, Facts, LiveFacts
from operator_sdk.contract.codes import Verdict
from operator_sdk.contract.messages.common import FeeLine
from operator_sdk.contract.messages.records import ChargeRecord, CreditRecord
from operator_sdk.contract.pricing import Reading, price
from tests.record_cases import (
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOW,
    OTHER,
    RECORD,
    TARIFF,
    Case,
    changed,
    facts_for,
    fitted,
    nothing_flowed,
    priced_anew,
    with_line,
)

Fault = Callable[[ChargeRecord, Facts], Case]


def _around(record: ChargeRecord, facts: Facts) -> Case:
    """A bill of its own, with facts that fit it in all that depends on it."""
    own = facts_for(record)
    return record, replace(own, now=max(own.now, facts.now))


def session(facts: Facts, **values: object) -> Facts:
    """Facts with another session."""
    assert facts.session is not None
    return replace(facts, session=replace(facts.session, **values))  # type: ignore[arg-type]


def plug(facts: Facts, **values: object) -> Facts:
    """Facts with another connector."""
    assert facts.connector is not None
    return replace(facts, connector=replace(facts.connector, **values))  # type: ignore[arg-type]


def unmetered(record: ChargeRecord) -> ChargeRecord:
    """The same bill of a host whose protocol tells no readings."""
    return changed(record, metered=False, meter_start_wh=0, meter_end_wh=record.energy_wh)


def estimated(facts: Facts) -> Facts:
    """The tariff is only an estimate, and was written down late."""
    assert facts.tariff is not None
    tariff = msgspec.structs.replace(facts.tariff, binding=False)
    return replace(facts, tariff=tariff, published_at=facts.now)


def _parked(record: ChargeRecord, amount_fen: int) -> ChargeRecord:
    """A parking fee that the tariff does not know."""
    fee = FeeLine(
        kind="parking",
        start=record.started_at,
        end=record.ended_at,
        price_micro_per_hour=2_000_000,
        amount_fen=amount_fen,
    )
    return changed(record, fees=[fee], parking_fen=amount_fen, amount_fen=record.amount_fen + amount_fen)


def _one_line(record: ChargeRecord) -> ChargeRecord:
    """One line over the edge, at the first line's price, and with the very amounts of both."""
    first, second = record.lines
    whole = msgspec.structs.replace(
        first,
        end=second.end,
        energy_wh=record.energy_wh,
        electricity_fen=first.electricity_fen + second.electricity_fen,
        service_fen=first.service_fen + second.service_fen,
    )
    return fitted(record, [whole])


def _overlapping(record: ChargeRecord) -> ChargeRecord:
    """The second line in two halves, of which the other begins before the one is over."""
    first, second = record.lines
    middle, half_wh = second.start + (second.end - second.start) // 2, second.energy_wh // 2
    halves = [
        *price(TARIFF, [Reading(second.start, 0), Reading(middle, half_wh)]),
        *price(TARIFF, [Reading(middle - MINUTE, half_wh), Reading(second.end, second.energy_wh)]),
    ]
    return fitted(record, [first, *halves])


def _elsewhere(record: ChargeRecord, facts: Facts, *, gap: timedelta, distance_m: int) -> Case:
    other = Elsewhere(
        connector=f"D1.{OTHER}",
        started_at=record.started_at - gap - HOUR,
        ended_at=record.started_at - gap,
        distance_m=distance_m,
    )
    return record, replace(facts, elsewhere=(other,))


def _live(record: ChargeRecord, facts: Facts, energy_wh: int, **values: object) -> Case:
    live = LiveFacts(energy_wh=energy_wh, at=record.ended_at, ended=True)
    return record, replace(facts, live=replace(live, **values))  # type: ignore[arg-type]


_S, _R, _W = Verdict.SUSPEND, Verdict.REJECT, Verdict.WARN

FAULTS: dict[str, tuple[str, Verdict, Fault]] = {
    "another party's session": ("party", _R, lambda r, f: (r, session(f, host_party_id=OTHER))),
    "another party in the body": ("party", _R, lambda r, f: (changed(r, host_party_id=OTHER), f)),
    "an id said otherwise": ("said_before", _R, lambda r, f: (r, replace(f, said_before=False))),
    "a second record": ("second_record", _S, lambda r, f: (r, replace(f, stands=True))),
    "another home's token": ("session", _S, lambda r, f: (r, session(f, token_party_id=OTHER))),
    "never granted": ("authorization", _S, lambda r, f: (r, session(f, authorized_at=None))),
    "granted afterwards": (
        "authorization", _S, lambda r, f: (r, session(f, authorized_at=r.started_at + 6 * MINUTE)),
    ),
    "released before": (
        "authorization", _S, lambda r, f: (r, session(f, released_at=r.started_at - 6 * MINUTE)),
    ),
    "blocked before": (
        "authorization", _S, lambda r, f: (r, session(f, blocked_at=r.started_at - timedelta(seconds=1))),
    ),
    "from the future": ("time_order", _R, lambda r, f: (r, replace(f, now=r.ended_at - 6 * MINUTE))),
    "left before the end": (
        "time_order", _R, lambda r, f: (changed(r, left_at=r.ended_at - timedelta(seconds=1)), f),
    ),
    "another connector": ("connector", _R, lambda r, f: (r, session(f, connector_id="A2"))),
    "an unknown connector": ("connector", _S, lambda r, f: (r, replace(f, connector=None))),
    "before the connector": (
        "connector", _S, lambda r, f: (r, plug(f, created_at=r.started_at + timedelta(seconds=1))),
    ),
    "after the connector": ("connector", _S, lambda r, f: (r, plug(f, removed_at=r.started_at))),
    "a meter that ran ahead": ("meter", _S, lambda r, f: (changed(r, meter_end_wh=r.meter_end_wh + 21), f)),
    "no readings where they are due": ("meter", _S, lambda r, f: (unmetered(r), f)),
    "a meter that went back": (
        "meter_back", _S, lambda r, f: (r, replace(f, meter_end_wh=r.meter_start_wh + 2)),
    ),
    "energy beside its lines": (
        "periods", _R,
        lambda r, f: (changed(r, energy_wh=r.energy_wh + 5, meter_end_wh=r.meter_end_wh + 5), f),
    ),
    "overlapping lines": (
        "periods", _R, lambda r, f: (_overlapping(r), f),
    ),
    "lines after the end": (
        "periods", _R, lambda r, f: (with_line(r, 1, end=r.lines[1].end + timedelta(seconds=1)), f),
    ),
    "a gap between lines": (
        "periods", _S, lambda r, f: (with_line(r, 1, start=r.lines[1].start + timedelta(seconds=1)), f),
    ),
    "a fen too much": (
        "price", _S, lambda r, f: (with_line(r, 0, electricity_fen=r.lines[0].electricity_fen + 2), f),
    ),
    "many fen too much": (
        "price", _S,
        lambda r, f: (
            with_line(r, 0, electricity_fen=r.lines[0].electricity_fen + 1),
            replace(f, terms=replace(f.terms, tolerance_fen=0)),
        ),
    ),
    "another price": ("price", _S, lambda r, f: (with_line(r, 0, service_micro=300_001), f)),
    "one line over an edge": ("price", _S, lambda r, f: (_one_line(r), f)),
    "a fen too much by its own price": (
        "price", _S,
        lambda r, f: (with_line(r, 0, electricity_fen=r.lines[0].electricity_fen + 2), estimated(f)),
    ),
    "no price beside an estimate": (
        "price", _W, lambda r, f: (with_line(r, 0, electricity_micro=0, service_micro=0), estimated(f)),
    ),
    "parking beside an estimate": ("price", _W, lambda r, f: (_parked(r, 7), estimated(f))),
    "parking that is free": ("price", _S, lambda r, f: (_parked(r, 7), f)),
    "an unknown tariff": ("tariff", _S, lambda r, f: (r, replace(f, tariff=None))),
    "another version": ("tariff", _S, lambda r, f: (changed(r, tariff_version=4), f)),
    "published afterwards": (
        "tariff", _S, lambda r, f: (r, replace(f, published_at=r.started_at + 6 * MINUTE)),
    ),
    "a total too much": ("sums", _R, lambda r, f: (changed(r, amount_fen=r.amount_fen + 1), f)),
    "electricity too much": (
        "sums", _R,
        lambda r, f: (
            changed(r, electricity_fen=r.electricity_fen + 1, amount_fen=r.amount_fen + 1), f,
        ),
    ),
    "parking without a line": (
        "sums", _R, lambda r, f: (changed(r, parking_fen=1, amount_fen=r.amount_fen + 1), f),
    ),
    "more than its rating": ("power", _S, lambda r, f: (r, plug(f, rated_power_w=9_500))),
    "too long a charge": (
        "size", _S, lambda _, f: _around(priced_anew(MIDNIGHT - 13 * HOUR, 13 * HOUR, 20_000), f),
    ),
    "too long for any span": (
        "size", _R, lambda _, f: _around(priced_anew(NOW - timedelta(days=8), timedelta(days=8), 20_000), f),
    ),
    "too much for a car": (
        "size", _S, lambda _, f: _around(priced_anew(MIDNIGHT - 4 * HOUR, 4 * HOUR, 201_000), f),
    ),
    "money for no energy": (
        "no_energy", _W,
        lambda _, f: _around(
            fitted(
                nothing_flowed(),
                [msgspec.structs.replace(line, electricity_fen=9) for line in nothing_flowed().lines],
            ),
            f,
        ),
    ),
    "a kWh in a blink": (
        "blink", _S, lambda _, f: _around(priced_anew(MIDNIGHT, timedelta(seconds=59), 1_001), f),
    ),
    "two at one connector": ("connector_overlap", _S, lambda r, f: (r, replace(f, overlapping=RECORD))),
    "in two places": ("driver_twice", _W, lambda r, f: _elsewhere(r, f, gap=-MINUTE, distance_m=10)),
    "too far away": ("driver_twice", _W, lambda r, f: _elsewhere(r, f, gap=HOUR, distance_m=151_000)),
    "a day late": ("late", _W, lambda r, f: (r, replace(f, now=r.ended_at + 25 * HOUR))),
    "a week late": ("late", _S, lambda r, f: (r, replace(f, now=r.ended_at + timedelta(days=8)))),
    "too late": ("late", _R, lambda r, f: (r, replace(f, now=r.ended_at + timedelta(days=31)))),
    "another currency": ("currency", _S, lambda r, f: (changed(r, currency="EUR"), f)),
    "out of the vehicle": (
        "currency", _S, lambda r, f: (changed(r, meter_end_wh=r.meter_start_wh - 1), f),
    ),
    "less than was seen": ("live_energy", _S, lambda r, f: _live(r, f, r.energy_wh + 11)),
    "more than was seen": ("live_energy", _S, lambda r, f: _live(r, f, r.energy_wh * 97 // 100)),
    "more than can have followed": (
        "live_energy", _S, lambda r, f: _live(r, f, 1_000, at=r.ended_at - 5 * MINUTE, ended=False),
    ),
    "disputed too often": ("disputes", _S, lambda r, f: (r, replace(f, auto_accept=False))),
}  # fmt: skip
"""Name -> the rule's code, what it answers, and how the fault is planted in the usual record."""


def _original(facts: Facts, **values: object) -> Facts:
    assert facts.original is not None
    return replace(facts, original=replace(facts.original, **values))  # type: ignore[arg-type]


CreditFault = Callable[[CreditRecord, Facts], Case]

CREDIT_FAULTS: dict[str, tuple[str, Verdict, CreditFault]] = {
    "another party's record": ("party", _R, lambda c, f: (c, _original(f, host_party_id=OTHER))),
    "a credit's id said otherwise": ("said_before", _R, lambda c, f: (c, replace(f, said_before=False))),
    "no such record": ("credit", _R, lambda c, f: (c, replace(f, original=None))),
    "a credit of a credit": ("credit", _R, lambda c, f: (c, _original(f, kind="credit"))),
    "a second credit": ("credit", _R, lambda c, f: (c, _original(f, state="credited"))),
    "of what nobody owes": ("credit", _R, lambda c, f: (c, _original(f, state="suspended"))),
    "half of it": ("credit", _R, lambda c, f: (msgspec.structs.replace(c, amount_fen=2_500), f)),
    "after it was settled": ("credit_settled", _W, lambda c, f: (c, _original(f, state="settled"))),
}
"""The same, planted in the credit."""

NO_SESSION: tuple[str, Verdict] = ("session", _S)
"""What a record without a session is always told."""
