"""One charge on a whole site: simulated piles and meters, the agent, its gateway."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from operator_sdk.contract.pricing import total_fen
from tests.edge_rig import World, open_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        opened.start_agent()
        await opened.push_tariff()
        await opened.available(*opened.piles)
        yield opened


async def test_a_charge_begins_runs_and_is_billed(world: World) -> None:
    session_id, reply = await world.start(world.piles[0])
    assert reply.accepted
    await world.charging(session_id, energy_wh=300)
    assert await world.stop(session_id) == "stopping"
    await world.ended(session_id)
    updates = world.receiver.updates(session_id)
    (bill,) = world.receiver.bills(session_id)
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert [update.state for update in updates][-2:] == ["stopping", "ended"]
    assert bill.stop_reason == "driver_remote"
    assert bill.energy_wh == updates[-1].energy_wh >= 300
    assert bill.amount_fen == total_fen(bill.lines) == updates[-1].amount_fen
    assert bill.meter_start_wh == 1_234_560
    status = world.status(session_id)
    assert status["session"]["updates_made"] == len(updates)
    assert status["frames"]["can"] >= 0
