"""Work orders under any steps by anybody, against an oracle that is written down as a person would say it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hub.core.clock import ManualClock
from hub.core.errors import HubError
from hub.core.ids import SeededIds
from hub.parties.scope import of_driver
from hub.upkeep.model import Step, rank_of
from operator_sdk.contract.codes import OrderState
from operator_sdk.contract.messages.upkeep import WorkOrderDetail
from tests import databases
from tests.upkeep_world import C, World, make_world

pytestmark = pytest.mark.property

ARROWS = {
    (None, "open"),
    ("open", "assigned"), ("assigned", "assigned"), ("accepted", "assigned"), ("in_progress", "assigned"),
    ("reopened", "assigned"),
    ("assigned", "accepted"), ("accepted", "in_progress"), ("in_progress", "done"), ("done", "confirmed"),
    ("done", "reopened"), ("confirmed", "reopened"),
    ("open", "cancelled"), ("assigned", "cancelled"), ("accepted", "cancelled"), ("in_progress", "cancelled"),
    ("reopened", "cancelled"),
}  # fmt: skip
"""Every change of state there is; a note stays where it is."""

DISPATCHERS, WORKERS = ("dan", "eve", "boss"), ("wes", "xia", "boss")
BY_WORKER = {Step.TAKE, Step.ACCEPT, Step.START, Step.FINISH}
OWN = BY_WORKER - {Step.TAKE}
"""boss may do everything."""


@dataclass
class Oracle:
    """What the order must be, or with which code a step must be refused."""

    state: str = "open"
    version: int = 1
    assignee: str | None = None
    done_by: str | None = None

    def refusal(self, step: Step, actor: str, *, stale: bool) -> str | None:
        if step in OWN and actor != self.assignee:
            return "forbidden"
        if step is Step.NOTE and actor not in DISPATCHERS and actor != self.assignee:
            return "forbidden"
        if stale or not self.possible(step):
            return "state_conflict"
        if step is Step.CONFIRM and actor == self.done_by:
            return "second_person_needed"
        return None

    def possible(self, step: Step) -> bool:
        over = {"done", "confirmed", "cancelled"}
        possible = {
            Step.NOTE: True,
            Step.TAKE: self.state in {"open", "reopened"},
            Step.ACCEPT: self.state == "assigned",
            Step.START: self.state == "accepted",
            Step.FINISH: self.state == "in_progress",
            Step.CONFIRM: self.state == "done",
            Step.REOPEN: self.state in {"done", "confirmed"},
            Step.ASSIGN: self.state not in over,
            Step.CANCEL: self.state not in over,
        }
        return possible[step]

    def take(self, step: Step, actor: str, assignee: str) -> None:
        self.version += 2 if step is Step.TAKE else 1
        if step is Step.NOTE:
            return
        self.state = {
            Step.ASSIGN: "assigned",
            Step.TAKE: "accepted",
            Step.ACCEPT: "accepted",
            Step.START: "in_progress",
            Step.FINISH: "done",
            Step.CONFIRM: "confirmed",
            Step.REOPEN: "reopened",
            Step.CANCEL: "cancelled",
        }[step]
        if step is Step.ASSIGN:
            self.assignee = assignee
        elif step is Step.TAKE:
            self.assignee = actor
        elif step is Step.FINISH:
            self.done_by = actor
        elif step is Step.REOPEN:
            self.assignee = self.done_by = None


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def world(runner: asyncio.Runner) -> Iterator[World]:
    """One database for all examples: each has a driver, a fault and so an order of its own."""
    clock = ManualClock(datetime(2026, 3, 2, 4, 0, tzinfo=UTC))
    manager = databases.fresh_database("sqlite")
    database = runner.run(manager.__aenter__())
    yield runner.run(make_world(database, clock, SeededIds(clock)))
    runner.run(manager.__aexit__(None, None, None))


NEXT = {
    "open": Step.TAKE,
    "reopened": Step.TAKE,
    "assigned": Step.ACCEPT,
    "accepted": Step.START,
    "in_progress": Step.FINISH,
    "done": Step.CONFIRM,
    "confirmed": Step.REOPEN,
    "cancelled": Step.NOTE,
}


@dataclass(frozen=True)
class Wish:
    """What somebody tries: the next step on the straight way, one that is possible now, or any at all."""

    kind: str
    pick: int
    actor: int
    assignee: str
    stale: bool

    def step(self, oracle: Oracle) -> Step:
        """Which step that is."""
        if self.kind == "next":
            return NEXT[oracle.state]
        steps = [step for step in Step if self.kind == "any" or oracle.possible(step)]
        return steps[self.pick % len(steps)]

    def who(self, step: Step, oracle: Oracle) -> str:
        """Anybody with the function for it; who fits, where it must fit."""
        if self.kind != "any" and step in OWN and oracle.assignee is not None:
            return oracle.assignee
        may: tuple[str, ...] = WORKERS if step in BY_WORKER else DISPATCHERS
        may = (*DISPATCHERS, *WORKERS) if step is Step.NOTE else may
        return may[self.actor % len(may)]


wishes = st.builds(
    Wish,
    kind=st.sampled_from(["next", "next", "next", "possible", "any"]),
    pick=st.integers(0, 100),
    actor=st.integers(0, 100),
    assignee=st.sampled_from(WORKERS),
    stale=st.integers(0, 9).map(lambda number: number == 0),
)


# Not shrunk: each try goes through a database, and a walk of sixteen steps is read in a minute.
@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(more=st.lists(wishes, min_size=4, max_size=16))
def test_an_order_is_always_what_the_oracle_says(
    world: World, runner: asyncio.Runner, more: list[Wish]
) -> None:
    runner.run(_walk(world, more))


async def _walk(world: World, more: list[Wish]) -> None:
    driver = of_driver(C, world.ref())
    world.clock.advance(hours=2)
    fault = await world.report(driver)
    (order_id,) = [one.order_id for one in await world.orders(state="open")]
    try:
        oracle = await _follow(world, order_id, more)
        told = await world.upkeep.faults.one(driver, fault.fault_id)
        assert told.order_state == oracle.state
        assert told.state == {"confirmed": "resolved", "cancelled": "rejected"}.get(oracle.state, "open")
    finally:
        await _put_away(world, order_id)


async def _follow(world: World, order_id: str, more: list[Wish]) -> Oracle:
    oracle = Oracle()
    for wish in more:
        step = wish.step(oracle)
        actor = wish.who(step, oracle)
        expected = oracle.refusal(step, actor, stale=wish.stale)
        fields = {"assignee": wish.assignee} if step is Step.ASSIGN else {}
        version = oracle.version + 1 if wish.stale else None
        found = None
        try:
            await world.step(step, actor, order_id, version=version, **fields)
        except HubError as refused:
            found = str(refused.code)
        assert found == expected, (step, actor, oracle)
        if found is None:
            oracle.take(step, actor, wish.assignee)
        order = await world.order(order_id)
        assert (order.state, order.version, order.assignee) == (oracle.state, oracle.version, oracle.assignee)
        _check_history(order)
    return oracle


def _check_history(order: WorkOrderDetail) -> None:
    before = None
    for number, line in enumerate(order.history, 1):
        assert (line.number, line.from_state) == (number, before)
        assert (before, line.to_state) in ARROWS or line.to_state == before
        before = line.to_state
    assert (len(order.history), before) == (order.version, order.state)


async def _put_away(world: World, order_id: str) -> None:
    """The next example's fault must not join this order."""
    if (await world.order(order_id)).state == "done":
        await world.step(Step.REOPEN, "dan", order_id)
    if (await world.order(order_id)).state not in {"confirmed", "cancelled"}:
        await world.step(Step.CANCEL, "dan", order_id)


def test_every_state_can_be_reached_and_the_oracle_knows_them_all() -> None:
    assert {after for _, after in ARROWS} == set(OrderState)


@given(values=st.lists(st.integers(0, 1_000), min_size=1), percent=st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_enough_are_not_above(values: list[int], percent: int) -> None:
    values.sort()
    found = values[rank_of(percent, len(values))]
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    below = [value for value in values if value < found]
    assert len(below) * 100 < percent * len(values)
