"""Each of the 25 rules for charge records fires on its own planted fault and on nothing else."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.roaming.model_facts import AnyRecord, Facts
from hub.roaming.model_records import owed_fen, shares_of, weights_of
from hub.roaming.model_rules import RULES, judge, letters_of, objections, outcomes_of, state_of
from operator_sdk.contract.codes import RecordState, Verdict
from operator_sdk.contract.golden import END, GOLDEN, START
from operator_sdk.contract.golden import TARIFF as GOLDEN_TARIFF
from operator_sdk.contract.messages.records import ChargeRecord, CreditRecord, UnmatchedRecord
from operator_sdk.contract.money import owed_at_most_fen
from operator_sdk.contract.pricing import Reading
from tests.record_cases import (
    CLEAN,
    MIDNIGHT,
    Case,
    bill,
    changed,
    facts_for,
    nothing_flowed,
    refund,
    through_midnight,
    usual,
    with_line,
)
from tests.record_faults import CREDIT_FAULTS, FAULTS, NO_SESSION, estimated, unmetered

pytestmark = pytest.mark.property

PLANTED = {**FAULTS, **CREDIT_FAULTS}
CODES = [rule.code for rule in RULES]


def planted(name: str) -> Case:
    """An honest record with one fault."""
    if name in CREDIT_FAULTS:
        return CREDIT_FAULTS[name][2](refund(), facts_for(refund()))
    return FAULTS[name][2](usual(), facts_for(usual()))


def unmatched(record: ChargeRecord) -> UnmatchedRecord:
    """The same bill, of a charge that the hub opened no session for."""
    said = {name: getattr(record, name) for name in record.__struct_fields__ if name != "session_id"}
    return UnmatchedRecord(**said, session_ref="theirs-1")


def objected(case: Case) -> dict[str, str]:
    """Code -> verdict of the rules that object."""
    return {one.rule: one.verdict for one in objections(judge(*case))}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_rule_fires_on_its_planted_fault_and_only_then(name: str) -> None:
    code, verdict, _ = PLANTED[name]
    assert objected(planted(name)) == {code: verdict}


@pytest.mark.parametrize("name", sorted(CLEAN))
def test_nothing_is_objected_to_in_an_honest_record(name: str) -> None:
    record = CLEAN[name]()
    assert objected((record, facts_for(record))) == {}


def test_a_bill_without_readings_and_one_by_its_own_price_are_honest_where_the_host_tells_no_more() -> None:
    record = usual()
    facts = replace(facts_for(record), readings_due=False, meter_end_wh=record.meter_end_wh)
    assert objected((unmetered(record), facts)) == {}
    assert objected((record, facts)) == {"meter_back": Verdict.SUSPEND}
    dearer = with_line(record, 0, service_micro=300_001)
    assert objected((dearer, facts_for(record))) == {"price": Verdict.SUSPEND}
    assert objected((dearer, estimated(facts_for(record)))) == {}


def test_the_confusion_matrix_is_diagonal() -> None:
    """Planted in the rows, fired in the columns; and every rule has its fault, for each way it may answer."""
    fired = Counter(
        (code, other) for name, (code, _, _) in PLANTED.items() for other in objected(planted(name))
    )
    assert {row for row, _ in fired} == set(CODES)
    assert all(row == column for row, column in fired)
    ways = {(code, verdict) for code, verdict, _ in PLANTED.values()}
    assert ways == {(rule.code, verdict) for rule in RULES for verdict in rule.verdicts}


def test_the_table_is_numbered_and_its_codes_are_words_of_their_own() -> None:
    assert [rule.number for rule in RULES] == list(range(1, 26))
    assert len(set(CODES)) == 25
    described = Path(__file__).parents[2].joinpath("docs", "records.md").read_text("utf-8")
    rows = [line.split("|") for line in described.splitlines() if line.startswith("| ")]
    named = [cells[2].strip().strip("`") for cells in rows if cells[1].strip().isdigit()]
    assert named == CODES


def test_a_record_without_a_session_is_suspended_for_that_alone() -> None:
    for record in (usual(), through_midnight()):
        facts = replace(facts_for(record), session=None, opened_at=None, live=None)
        assert objected((unmatched(record), facts)) == dict([NO_SESSION])


def test_an_end_before_the_start_is_rejected_whatever_else_it_breaks() -> None:
    record = usual()
    backward = changed(record, started_at=record.ended_at, ended_at=record.started_at)
    assert objected((backward, facts_for(record)))["time_order"] == Verdict.REJECT


def test_a_record_over_centuries_is_rejected_and_not_priced() -> None:
    (record,) = (message for message in GOLDEN if isinstance(message, ChargeRecord))
    began = START - timedelta(days=200 * 365)
    line = msgspec.structs.replace(record.lines[0], start=began, end=END, energy_wh=record.energy_wh)
    endless = msgspec.structs.replace(record, started_at=began, lines=[line])
    facts = replace(facts_for(record), tariff=GOLDEN_TARIFF, now=END, published_at=None)
    outcomes = {one.rule: one.verdict for one in judge(endless, facts)}
    assert outcomes["size"] == Verdict.REJECT
    assert outcomes["price"] == Verdict.NOT_APPLICABLE


def test_differences_within_the_resolution_pass_until_they_add_up() -> None:
    record = usual()
    coarse = changed(record, energy_resolution_wh=10)
    one_off = with_line(coarse, 0, electricity_fen=record.lines[0].electricity_fen + 1)
    facts = facts_for(record)
    assert objected((one_off, facts)) == {}
    strict = replace(facts, terms=replace(facts.terms, tolerance_fen=0))
    assert objected((one_off, strict)) == {"price": Verdict.SUSPEND}


def test_a_host_may_waive_a_fee_for_time_and_nobody_else_may_raise_one() -> None:
    record = through_midnight()
    assert record.parking_fen > 0
    assert record.idle_fen > 0
    waived = changed(
        record, fees=[], parking_fen=0, idle_fen=0, amount_fen=record.electricity_fen + record.service_fen
    )
    assert objected((waived, facts_for(record))) == {}
    dearer = [msgspec.structs.replace(fee, amount_fen=fee.amount_fen + 2) for fee in record.fees]
    raised = changed(
        record,
        fees=dearer,
        parking_fen=record.parking_fen + 2,
        idle_fen=record.idle_fen + 2,
        amount_fen=record.amount_fen + 4,
    )
    assert objected((raised, facts_for(record))) == {"price": Verdict.SUSPEND}


def test_what_follows_the_last_live_update_is_believed_as_far_as_the_connector_can_give_it() -> None:
    record = usual()
    facts = facts_for(record)
    assert facts.live is not None
    seen = replace(facts.live, energy_wh=11_000, at=record.ended_at - timedelta(minutes=5), ended=False)
    assert objected((record, replace(facts, live=seen))) == {}
    assert objected((record, replace(facts, live=replace(seen, ended=True)))) == {
        "live_energy": Verdict.SUSPEND
    }


def test_all_outcomes_are_kept_in_a_letter_each_and_read_back() -> None:
    for name in PLANTED:
        outcomes = judge(*planted(name))
        assert outcomes_of(letters_of(outcomes), objections(outcomes)) == outcomes
    assert outcomes_of("", []) == []


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_honest_bill_passes(data: st.DataObject) -> None:
    start = MIDNIGHT - timedelta(days=3) + timedelta(seconds=data.draw(st.integers(0, 3 * 86_400)))
    at, meter = start, data.draw(st.integers(0, 10**9))
    readings = [Reading(at, meter)]
    for _ in range(data.draw(st.integers(1, 6))):
        seconds = data.draw(st.integers(60, 7_000))
        at += timedelta(seconds=seconds)
        meter += data.draw(st.integers(0, min(33_000, seconds * 30)))
        readings.append(Reading(at, meter))
    left = None if data.draw(st.booleans()) else at + timedelta(seconds=data.draw(st.integers(0, 90_000)))
    record = bill(readings, left_at=left)
    facts = facts_for(record)
    outcomes = judge(record, replace(facts, now=left or at, terms=replace(facts.terms, tolerance_fen=0)))
    assert objections(outcomes) == []
    assert state_of(outcomes) == RecordState.ACCEPTED


def mixed() -> st.SearchStrategy[Case]:
    """Any record at all that the contract lets in, with the facts of another."""
    records = st.one_of(
        st.builds(msgspec.convert, _document(ChargeRecord), type=st.just(ChargeRecord)),
        st.builds(msgspec.convert, _document(UnmatchedRecord), type=st.just(UnmatchedRecord)),
        st.builds(msgspec.convert, _document(CreditRecord), type=st.just(CreditRecord)),
    )
    return st.tuples(records, facts_at_random())


INSTANTS = st.datetimes().map(lambda at: at.isoformat() + "Z") | st.sampled_from(
    [(MIDNIGHT + timedelta(minutes=15 * n)).isoformat() for n in range(-8, 80)]
)
AMOUNTS = st.integers(0, 50) | st.integers(0, 10**12)


OWN = {"session_id": st.just("ses_0198c0de-0000-7000-8000-000000000000"), "session_ref": st.just("theirs")}
LINE = st.fixed_dictionaries(
    {
        "start": INSTANTS,
        "end": INSTANTS,
        "energy_wh": AMOUNTS,
        "electricity_micro": st.sampled_from([400_000, 1_100_000, 0, 10**9]),
        "service_micro": st.sampled_from([300_000, 500_000]),
        "electricity_fen": AMOUNTS,
        "service_fen": AMOUNTS,
    }
)
FEE = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["parking", "idle"]),
        "start": INSTANTS,
        "end": INSTANTS,
        "price_micro_per_hour": st.integers(0, 10**9),
        "amount_fen": AMOUNTS,
    }
)


def _document(kind: type[AnyRecord]) -> st.SearchStrategy[dict[str, object]]:
    if kind is CreditRecord:
        return st.fixed_dictionaries(
            {
                "record_ref": st.just("c"),
                "record_id": st.just("rec_0198c0de-0000-7000-8000-000000000000"),
                "amount_fen": AMOUNTS,
                "reason": st.just("x"),
            }
        )
    return st.fixed_dictionaries(
        {
            "record_ref": st.just("r"),
            "connector_id": st.sampled_from(["A1", "A2"]),
            "started_at": INSTANTS,
            "ended_at": INSTANTS,
            "left_at": st.none() | INSTANTS,
            "meter_start_wh": AMOUNTS,
            "meter_end_wh": AMOUNTS,
            "energy_wh": AMOUNTS,
            "lines": st.lists(LINE, min_size=1, max_size=3),
            "fees": st.lists(FEE, max_size=2),
            "electricity_fen": AMOUNTS,
            "service_fen": AMOUNTS,
            "parking_fen": AMOUNTS,
            "idle_fen": AMOUNTS,
            "amount_fen": AMOUNTS,
            "tariff_id": st.sampled_from(["t", "u"]),
            "tariff_version": st.sampled_from([3, 4]),
            "stop_reason": st.just("driver_local"),
            "currency": st.sampled_from(["CNY", "EUR"]),
            "energy_resolution_wh": st.sampled_from([1, 10, 1000]),
            "host_party_id": st.sampled_from([None, "MA5DDDDD4"]),
            **OWN,
        }
    )


def facts_at_random() -> st.SearchStrategy[Facts]:
    """Facts of the honest records and of the planted faults."""
    clean = [facts_for(make()) for make in CLEAN.values()]
    return st.sampled_from(clean + [planted(name)[1] for name in PLANTED])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mixed())
def test_the_rules_answer_whatever_a_record_says(case: Case) -> None:
    """None raises, each answers only as the table says, and the worst answer decides."""
    outcomes = judge(*case)
    assert [one.rule for one in outcomes] == CODES
    for rule, one in zip(RULES, outcomes, strict=True):
        assert one.verdict in {*rule.verdicts, Verdict.PASS, Verdict.NOT_APPLICABLE}
        assert bool(one.detail) == (one in objections(outcomes))
    verdicts = {one.verdict for one in outcomes}
    worst = RecordState.REJECTED if "reject" in verdicts else RecordState.SUSPENDED
    assert state_of(outcomes) == (worst if verdicts & {"reject", "suspend"} else RecordState.ACCEPTED)


@given(amount=st.integers(0, 10**9), limit=st.integers(0, 10**9))
def test_the_home_owes_the_bill_up_to_a_little_above_the_limit(amount: int, limit: int) -> None:
    owed = owed_fen([amount], limit)
    assert owed == min(amount, limit + max(limit // 100, 300))
    assert owed <= owed_at_most_fen(limit)
    assert owed_fen([amount], None) == amount


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4), st.integers(0, 10**9))
def test_what_is_owed_is_divided_over_the_fees_without_losing_a_fen(weights: list[int], limit: int) -> None:
    owed = owed_fen(weights, limit)
    shares = shares_of(owed, weights)
    assert sum(shares) == owed
    assert all(share <= weight for share, weight in zip(shares, weights, strict=True))
    assert owed < sum(weights) or shares == weights


def test_nobody_owes_money_for_no_energy_and_parking_is_owed_all_the_same() -> None:
    record = nothing_flowed()
    dear = msgspec.structs.replace(record, electricity_fen=9, amount_fen=record.amount_fen + 9)
    assert weights_of(dear) == (0, 0, record.parking_fen, record.idle_fen)
    assert owed_fen(weights_of(dear), None) == record.parking_fen + record.idle_fen > 0
