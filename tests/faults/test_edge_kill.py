"""The agent is killed with SIGKILL again and again while it charges; every number and every Wh arrives once."""

import asyncio
import random
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.codecs.pile_bus import AGENT_SILENT_S
from operator_sdk.contract.edge_link.frames import BillItem
from operator_sdk.contract.messages.records import ChargeRecord
from tests.edge_rig import EPOCH, TARIFF, UP_S, Pile, World, open_world

pytestmark = pytest.mark.faults

SEED = 20_260_302
KILLS, CHARGES = 7, 2


async def charge_again_and_again(world: World, pile: Pile, lots: random.Random) -> list[str]:
    """Charges one after the other, each begun, run a little and stopped, whoever is killed meanwhile."""
    sessions = []
    for _ in range(CHARGES):
        session_id, reply = await world.start(pile)
        assert reply.accepted, reply
        sessions.append(session_id)
        await world.receiver.until(lambda: world.receiver.updates(session_id))  # noqa: B023 - awaited here
        await asyncio.sleep(lots.uniform(0, 1))
        await world.stop(session_id)
        await world.receiver.until(
            lambda: world.receiver.updates(session_id)[-1].state in {"ended", "start_failed"}  # noqa: B023
        )
    return sessions


async def kill_again_and_again(world: World, lots: random.Random) -> None:
    """At any moment: while it starts, resumes, charges, sends, hears an acknowledgement."""
    for turn in range(KILLS):
        await asyncio.sleep(lots.uniform(0.3, 1.8))
        world.receiver.lapses.lost = lots.randrange(3)
        if turn % 3 == 0:
            await world.receiver.cut()
        world.kill_agent()
        world.start_agent()
    world.receiver.lapses.lost = 0


async def test_records_made_on_site_are_records_at_the_gateway_each_once(tmp_path: Path) -> None:
    lots = random.Random(SEED)
    async with open_world(tmp_path, "dc", "ac") as world:
        world.receiver.lapses.doubled = True
        world.start_agent()
        await world.push_tariff()
        await world.available(*world.piles)
        killing = asyncio.create_task(kill_again_and_again(world, lots))
        charged = await asyncio.gather(
            *(charge_again_and_again(world, pile, lots) for pile in world.piles), killing
        )
        bills = [check_charges(world, pile, charged[at] or []) for at, pile in enumerate(world.piles)]
        assert all(bills), "at least one charge came to a bill at each pile"
        for pile, of_pile in zip(world.piles, bills, strict=True):
            true = await pile.do("status")
            assert of_pile[-1].meter_end_wh == true["meter_wh"] // 10 * 10
            assert true["state"] == "plugged"
        await world.receiver.until(lambda: world.status()["spool"]["bills"] == 0)


def check_charges(world: World, pile: Pile, sessions: list[str]) -> list[ChargeRecord]:
    """Nothing missing, nothing twice, and no energy between two bills."""
    bills: list[ChargeRecord] = []
    for session_id in sessions:
        updates = world.receiver.updates(session_id)
        made = world.status(session_id)["session"]["updates_made"]
        assert [update.number for update in updates] == list(range(1, made + 1))
        assert len({str(item) for item in world.receiver.of_session(session_id)}) == made
        of_session = world.receiver.bills(session_id)
        assert len(of_session) == (updates[-1].state == "ended")
        bills += of_session
    meter_wh = 1_234_560
    for bill in bills:
        assert bill.connector_id == pile.connector_id
        assert bill.meter_start_wh == meter_wh
        meter_wh = bill.meter_end_wh
    return bills


async def test_a_charge_that_ended_while_the_agent_was_away_is_billed_by_the_meter(tmp_path: Path) -> None:
    async with open_world(tmp_path, "dc") as world:
        (pile,) = world.piles
        world.start_agent()
        await world.push_tariff()
        await world.available(pile)
        session_id, _ = await world.start(pile)
        await world.charging(session_id, energy_wh=100)
        world.agents[-1].send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(world.agents[-1].wait, 20) == 0
        assert (await pile.do("status"))["state"] == "charging", "a charge outlasts a restart of the agent"
        await pile.until(lambda said: said["meter_wh"] > 1_236_000)
        await pile.do("unplug")
        world.start_agent()
        await world.ended(session_id)
        (bill,) = world.receiver.bills(session_id)
        assert bill.stop_reason == "unplugged"
        assert bill.meter_end_wh == (await pile.do("status"))["meter_wh"] // 10 * 10 >= 1_236_000
        assert "offline" not in world.receiver.states("P1"), "it was the agent that was away, not the pile"
        updates = world.receiver.updates(session_id)
        assert [update.number for update in updates] == list(range(1, len(updates) + 1))


def fen(energy_wh: int, price_micro: int) -> int:
    """Energy by price, rounded half up."""
    return (2 * energy_wh * price_micro + 10_000_000) // 20_000_000


async def test_a_pile_whose_agent_is_dead_stops_by_itself_and_what_flowed_is_billed_once(
    tmp_path: Path,
) -> None:
    """The lease is the one that is shipped, so this waits for it."""
    afternoon = EPOCH + timedelta(hours=1)
    async with open_world(tmp_path, "ac", begins=afternoon) as world:
        (pile,), receiver = world.piles, world.receiver
        world.start_agent()
        await world.push_tariff()
        await world.available(pile)
        session_id, _ = await world.start(pile)
        await world.charging(session_id, energy_wh=50)
        world.kill_agent()
        killed_s = time.monotonic()
        seen_wh = receiver.updates(session_id)[-1].energy_wh
        stopped = await pile.until(lambda said: not said["contactor_closed"], within_s=AGENT_SILENT_S + UP_S)
        assert time.monotonic() - killed_s > AGENT_SILENT_S / 2, "a restart has to fit into the lease"
        assert stopped["stop_cause"] == "agent_silent"
        world.start_agent()
        await world.ended(session_id)
        await receiver.until(lambda: receiver.updates(session_id)[-1].state == "ended")
        update, (bill,) = receiver.updates(session_id)[-1], receiver.bills(session_id)
        assert bill.stop_reason == update.stop_reason == "fault"
        assert (bill.meter_start_wh, bill.meter_end_wh) == (1_234_560, stopped["meter_wh"] // 10 * 10)
        assert bill.energy_wh == update.energy_wh > seen_wh + 500, (
            "it charged on for as long as the lease lasted"
        )
        evening = TARIFF.periods[1]
        expected = fen(bill.energy_wh, evening.electricity_micro), fen(bill.energy_wh, evening.service_micro)
        assert (bill.electricity_fen, bill.service_fen) == expected
        assert bill.amount_fen == update.amount_fen == sum(expected)
        world.kill_agent()
        world.start_agent()
        await receiver.until(lambda: receiver.connections == 3)
        await receiver.until(lambda: not any(world.status()["spool"].values()))
        assert [item.record for item in receiver.items if isinstance(item, BillItem)] == [bill]
        after = await pile.do("status")
        assert (after["state"], after["meter_wh"]) == ("plugged", stopped["meter_wh"])
