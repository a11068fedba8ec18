"""A session under every order of updates: it never goes back, and neither does what the driver is shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.roaming.model import FINISHING, FROM_HOST, Heard, Live, after_update, may_follow
from operator_sdk.contract.codes import SESSION_RANK, TARGET_STOPS, SessionState, StopReason

pytestmark = pytest.mark.property

BEGUN = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
STATES = list(SessionState)
OVER = {SessionState.SETTLED, SessionState.REFUSED}


class SessionMachine(RuleBasedStateMachine):
    """A host that says anything at any time, a hub that asks to stop, a bill that comes when it comes."""

    @initialize(
        state=st.sampled_from(
            [SessionState.AUTHORIZED, SessionState.STARTING, SessionState.UNKNOWN, SessionState.CHARGING]
        ),
        goal=st.none() | st.integers(1, 10_000_000),
        able_w=st.sampled_from([0, 7_000, 60_000]),
    )
    def begin(self, state: SessionState, goal: int | None, able_w: int) -> None:
        self.live = Live(
            state=state,
            started_at=None,
            last_at=None,
            last_number=0,
            energy_wh=0,
            amount_fen=0,
            power_w=0,
            goal_fen=goal,
            able_w=able_w,
            shortfall_ws=0,
            percent=None,
            seconds_left=None,
        )
        self.before = self.live
        self.has_ended = False

    @rule(
        ahead=st.integers(1, 5),
        after_s=st.integers(-600, 90_000),
        state=st.sampled_from(sorted(FROM_HOST)),
        amount=st.integers(0, 20_000_000),
        power_w=st.integers(0, 120_000),
        reason=st.none() | st.sampled_from(list(StopReason)),
    )
    def hear(
        self, ahead: int, after_s: int, state: SessionState, amount: int, power_w: int, reason: str | None
    ) -> None:
        heard = Heard(
            number=self.live.last_number + ahead,
            at=(self.live.last_at or BEGUN) + timedelta(seconds=after_s),
            state=state,
            energy_wh=amount,
            amount_fen=amount,
            power_w=power_w,
            stop_reason=reason,
        )
        self.before, self.live = self.live, after_update(self.live, heard)
        self.has_ended = self.has_ended or state is SessionState.ENDED
        assert self.live.last_number == heard.number
        if state is SessionState.ENDED and self.live.goal_fen and reason in TARGET_STOPS:
            assert self.live.percent == 100

    @precondition(lambda self: may_follow(self.live.state, SessionState.STOPPING))
    @rule()
    def ask_to_stop(self) -> None:
        self.step_to(SessionState.STOPPING)

    @precondition(lambda self: may_follow(self.live.state, SessionState.BILLED))
    @rule()
    def bill(self) -> None:
        self.step_to(SessionState.BILLED)

    @precondition(lambda self: may_follow(self.live.state, SessionState.SETTLED))
    @rule()
    def settle(self) -> None:
        self.step_to(SessionState.SETTLED)

    def step_to(self, state: SessionState) -> None:
        self.before = self.live
        self.live = self.live._replace(state=state, seconds_left=0)

    @invariant()
    def never_back(self) -> None:
        old, new = self.before.state, self.live.state
        assert old == new or may_follow(old, new)
        if SessionState.START_FAILED not in {old, new}:
            assert SESSION_RANK[new] >= SESSION_RANK[old]

    @invariant()
    def percent_only_grows(self) -> None:
        if self.live.goal_fen is None:
            assert self.live.percent is None
        elif self.live.percent is not None:
            assert 0 <= (self.before.percent or 0) <= self.live.percent <= 100
            assert self.has_ended or self.live.percent <= 99

    @invariant()
    def time_left_is_never_negative(self) -> None:
        left = self.live.seconds_left
        if self.live.goal_fen is None:
            assert left in {None, 0}
        elif left is not None:
            assert 0 <= left <= 2_000_000_000
        if self.live.state in FINISHING and self.live.goal_fen is not None and self.live.last_number:
            assert left == 0

    @invariant()
    def the_clock_of_the_charge_starts_once(self) -> None:
        assert self.before.started_at in {None, self.live.started_at}
        assert self.live.shortfall_ws >= self.before.shortfall_ws


SessionMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestSessionMachine = SessionMachine.TestCase


@given(st.sampled_from(STATES), st.sampled_from(STATES))
def test_no_step_goes_back_in_rank_but_a_bill_after_a_failure(old: SessionState, new: SessionState) -> None:
    if may_follow(old, new):
        assert old is not new
        assert SESSION_RANK[new] >= SESSION_RANK[old]


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_no_way_leads_round_in_a_circle_but_between_charging_and_paused(path: list[SessionState]) -> None:
    state, seen = SessionState.REQUESTED, {SessionState.REQUESTED}
    pausing = {SessionState.CHARGING, SessionState.PAUSED}
    for step in path:
        if may_follow(state, step):
            assert step not in seen - pausing or {state, step} == {SessionState.UNKNOWN, SessionState.STARTING}
            state = step
            seen.add(step)


@pytest.mark.parametrize("state", sorted(OVER))
def test_nothing_follows_the_end(state: SessionState) -> None:
    assert not any(may_follow(state, new) for new in STATES)


@pytest.mark.parametrize(
    "state", [s for s in STATES if SESSION_RANK[s] >= 3 and s != SessionState.START_FAILED]
)
def test_what_has_charged_can_neither_fail_to_start_nor_be_refused(state: SessionState) -> None:
    assert not may_follow(state, SessionState.START_FAILED)
    assert not may_follow(state, SessionState.REFUSED)


@pytest.mark.parametrize(
    "state",
    [s for s in STATES if s not in OVER | {SessionState.BILLED, SessionState.REQUESTED}],
)
def test_a_bill_is_taken_in_any_state_after_authorized(state: SessionState) -> None:
    assert may_follow(state, SessionState.BILLED)
