"""The example home's money: nothing is made or lost, and holds are never exceeded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_sdk.examples.home.book import Account, can_hold, settle

pytestmark = pytest.mark.property


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 2 * 10**6))
def test_a_settlement_conserves_money(spare: int, hold: int, elsewhere: int, owed: int) -> None:
    account = Account(balance_fen=spare + hold + elsewhere, held_fen=hold + elsewhere)
    done = settle(account, hold_fen=hold, hold_is_open=True, owed_fen=owed)
    assert done.captured_fen + done.released_fen == hold
    assert done.captured_fen == min(hold, owed)
    paid = account.balance_fen - done.account.balance_fen
    assert paid + done.account.debt_fen == owed
    assert done.account.held_fen == elsewhere
    assert done.account.available_fen >= 0


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_hold_released_before_captures_nothing(balance: int, hold: int, owed: int) -> None:
    done = settle(Account(balance), hold_fen=hold, hold_is_open=False, owed_fen=owed)
    assert (done.captured_fen, done.released_fen) == (0, hold)
    assert balance - done.account.balance_fen + done.account.debt_fen == owed


def test_a_hold_must_be_covered_whole_and_debt_comes_first() -> None:
    assert can_hold(Account(500, held_fen=200), 300)
    assert not can_hold(Account(500, held_fen=200), 301)
    assert not can_hold(Account(500, debt_fen=1), 100)
