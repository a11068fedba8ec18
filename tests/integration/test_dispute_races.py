"""Disputes raised, answered, withdrawn, credited, decided and run out of time at once. Both engines."""

import asyncio

import pytest

from hub.clearing.tables_cycles import lock_cycle_alone
from hub.core.clock import ManualClock
from hub.core.errors import HubError
from hub.parties.scope import HUB
from hub.roaming.tables_disputes import DisputeRow
from tests.dispute_world import A, B, World, dispute_world

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.parametrize("late", [False, True])
async def test_of_all_who_end_a_dispute_at_once_exactly_one_does(
    kind: str, clock: ManualClock, late: bool
) -> None:
    async with dispute_world(kind, clock) as world:
        others = [World(world.database, clock, world.settings, world.ids) for _ in range(2)]
        disputes = [await world.dispute(await world.accept()) for _ in range(4)]
        if late:
            clock.advance(hours=72)
        for one in disputes:
            said = await asyncio.gather(
                world.answer(one.dispute_id, "concede"),
                others[0].withdraw(one.dispute_id),
                others[1].expire(),
                world.credit(one.record_id),
                others[0].resolve(one.dispute_id, "accepted", "cli:root", alone=True),
                return_exceptions=True,
            )
            problems = [problem for problem in said if isinstance(problem, BaseException)]
            refused = [problem for problem in problems if isinstance(problem, HubError)]
            assert refused == problems, said
            assert {problem.code.value for problem in refused} <= {"state_conflict"}
        for one in disputes:
            state = await world.state(one.record_id)
            owed = await world.owed(one.record_id)
            assert (state, owed) in [
                ("accepted", [("charge", "in_cycle", True)]),
                ("credited", [("charge", "withdrawn", False)]),
                # Upheld first, and then credited like any other record.
                ("credited", [("charge", "in_cycle", True), ("credit", "in_cycle", True)]),
            ]
        assert {one.state for one in await world.rows(DisputeRow)} <= {"accepted", "credited"}
        assert await world.hub.suspense.items(HUB) == []
        assert await world.posted("claimed", A) == 0


async def test_a_late_dispute_does_not_wait_for_whoever_ends_its_cycle(clock: ManualClock) -> None:
    """Who ends it holds the cycle and then wants the record, which who disputes holds: those must not meet."""
    async with dispute_world("postgresql", clock) as world:
        record_id = await world.accept()
        cycle_id, go = await world.close(), asyncio.Event()

        async def dispute() -> None:
            await go.wait()
            await world.dispute(record_id)

        task = asyncio.create_task(dispute())
        async with world.database.unit() as unit:
            await lock_cycle_alone(unit, cycle_id)
            go.set()
            await asyncio.wait_for(task, 10)
        assert await world.state(record_id) == "disputed"


async def test_two_sides_that_raise_at_once_raise_one_dispute(kind: str, clock: ManualClock) -> None:
    async with dispute_world(kind, clock) as world:
        record_id = await world.accept()
        said = await asyncio.gather(
            *(world.dispute(record_id, by=side, ref=f"d-{n}") for n, side in enumerate((A, B, A, B))),
            world.hub.roaming.disputes.refuse(record_id, "no"),
            return_exceptions=True,
        )
        assert {one.code.value for one in said if isinstance(one, HubError)} == {"state_conflict"}
        assert len(await world.rows(DisputeRow)) == 1
        assert await world.posted("claimed", A) == 1_000
