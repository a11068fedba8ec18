"""What a default leaves: nothing is lost, nobody is paid less than nothing, all bear by their gross claims."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clearing.model_payments import CalendarError, is_bank_day, pay_window, share_shortfall

PARTIES = ("A", "B", "C", "D", "E", "F")
Claims = dict[str, dict[str, int]]


@st.composite
def markets(draw: st.DrawFn) -> Claims:
    """Who owes whom before netting."""
    pairs = [(one, other) for one in PARTIES for other in PARTIES if one != other]
    gross: Claims = {party: {} for party in PARTIES}
    for debtor, creditor in draw(st.lists(st.sampled_from(pairs), max_size=14, unique=True)):
        gross[debtor][creditor] = draw(st.one_of(st.integers(1, 3), st.integers(1, 9), st.integers(1, 10**9)))
    return gross


def nets(gross: Claims) -> dict[str, int]:
    """What each receives (positive) or pays."""
    return {
        party: sum(claims.get(party, 0) for claims in gross.values()) - sum(gross[party].values())
        for party in PARTIES
    }


@given(markets(), st.data())
def test_what_is_withheld_is_what_is_missing_and_claims_explain_every_fen(
    gross: Claims, data: st.DataObject
) -> None:
    positions = nets(gross)
    payouts = {party: fen for party, fen in positions.items() if fen > 0}
    missing = {party: data.draw(st.integers(0, -fen)) for party, fen in positions.items() if fen < 0}
    shortfall = share_shortfall(missing, gross, payouts)
    assert sum(shortfall.withheld.values()) == sum(missing.values())
    assert all(0 < fen <= payouts[party] for party, fen in shortfall.withheld.items())
    for party in PARTIES:
        owes = sum(fen for (debtor, _), fen in shortfall.claims.items() if debtor == party)
        is_owed = sum(fen for (_, creditor), fen in shortfall.claims.items() if creditor == party)
        assert owes - is_owed == missing.get(party, 0) - shortfall.withheld.get(party, 0)
    assert all(fen > 0 and debtor != creditor for (debtor, creditor), fen in shortfall.claims.items())


@given(markets(), st.data())
def test_one_debtor_with_solvent_creditors_is_borne_in_proportion(gross: Claims, data: st.DataObject) -> None:
    """Nobody passes anything on: then each part is the exact share, to the fen."""
    positions = nets(gross)
    debtors = [party for party, fen in positions.items() if fen < 0]
    if not debtors:
        return
    debtor = data.draw(st.sampled_from(debtors))
    missing = data.draw(st.integers(1, -positions[debtor]))
    whole = sum(gross[debtor].values())
    exact = {party: Fraction(missing * claim, whole) for party, claim in gross[debtor].items()}
    if any(share + 1 > max(positions[party], 0) for party, share in exact.items()):
        return
    shortfall = share_shortfall({debtor: missing}, gross, {p: f for p, f in positions.items() if f > 0})
    for party, share in exact.items():
        assert abs(shortfall.withheld.get(party, 0) - share) < 1
    assert shortfall.claims == {(debtor, party): fen for party, fen in shortfall.withheld.items()}


@given(markets())
def test_a_default_of_everybody_leaves_each_claim_at_most_what_it_was(gross: Claims) -> None:
    positions = nets(gross)
    payouts = {party: fen for party, fen in positions.items() if fen > 0}
    missing = {party: -fen for party, fen in positions.items() if fen < 0}
    shortfall = share_shortfall(missing, gross, payouts)
    assert shortfall.withheld == payouts
    for (debtor, creditor), fen in shortfall.claims.items():
        assert fen <= gross[debtor].get(creditor, 0)


def test_no_creditor_bears_more_than_its_claim_by_rounding_twice() -> None:
    """A gets back to itself what it passed on, and shares again: B's one fen must not become two."""
    gross: Claims = {"A": {"B": 1, "D": 1}, "B": {}, "C": {"A": 1}, "D": {}}
    shortfall = share_shortfall({"A": 1, "C": 1}, gross, {"B": 1, "D": 1})
    assert shortfall.withheld == {"B": 1, "D": 1}
    assert shortfall.claims == {("A", "B"): 1, ("A", "D"): 1, ("C", "A"): 1}


def test_who_was_to_get_nothing_passes_its_loss_on_to_its_own_creditors() -> None:
    gross: Claims = {"A": {"B": 100}, "B": {"C": 100}, "C": {}}
    shortfall = share_shortfall({"A": 40}, gross, {"C": 100})
    assert shortfall.withheld == {"C": 40}
    assert shortfall.claims == {("A", "B"): 40, ("B", "C"): 40}


def test_a_ring_with_nothing_to_get_comes_to_an_end() -> None:
    gross: Claims = {"A": {"B": 1}, "B": {"C": 10**9, "D": 1}, "C": {"B": 10**9}, "D": {}}
    shortfall = share_shortfall({"A": 1}, gross, {"D": 1})
    assert shortfall.withheld == {"D": 1}


def test_more_missing_than_there_is_to_pay_out_is_refused() -> None:
    with pytest.raises(ValueError, match="more is missing"):
        share_shortfall({"A": 2}, {"A": {"B": 2}}, {"B": 1})


def at(text: str) -> datetime:
    """Local time of the hub as an instant."""
    return datetime.fromisoformat(f"{text}:00+08:00").astimezone(UTC)


@pytest.mark.parametrize(
    ("fixed", "exceptions", "until"),
    [
        ("2026-03-03T14:05", {}, "2026-03-03T16:00"),
        ("2026-03-03T14:31", {}, "2026-03-04T16:00"),
        ("2026-03-06T15:00", {}, "2026-03-09T16:00"),
        ("2026-03-06T15:00", {"2026-03-07": True}, "2026-03-07T16:00"),
        ("2026-09-30T23:00", {f"2026-10-0{day}": False for day in range(1, 8)}, "2026-10-08T16:00"),
    ],
    ids=["in_time", "too_late_that_day", "over_a_weekend", "a_saturday_that_works", "over_a_holiday"],
)
def test_a_cycle_is_paid_on_the_first_bank_day_that_leaves_time(
    fixed: str, exceptions: dict[str, bool], until: str
) -> None:
    window = pay_window(at(fixed), exceptions)
    assert window.pay_in_until == at(until)
    assert window.pay_out_at - window.pay_in_until == timedelta(minutes=30)


def test_a_calendar_without_a_bank_day_is_refused() -> None:
    days = [date(2026, 3, 1) + timedelta(days=number) for number in range(80)]
    with pytest.raises(CalendarError):
        pay_window(at("2026-03-02T10:00"), {day.isoformat(): False for day in days})
    assert not is_bank_day(date(2026, 3, 7), {})
