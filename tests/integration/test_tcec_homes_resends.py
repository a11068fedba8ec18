"""When a T/CEC 102 home is told, and told again: no later than the standard and Beijing have it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest

from hub.core.clock import ManualClock, SystemClock
from hub.core.outbox import oldest_due
from hub.protocols.tcec102.caller import CALL_S
from hub.roaming.context import START_RESULT
from operator_sdk import clock as sdk_clock
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import HostSession, HostStartReply
from tests.rig_charges import Charge, charge_of
from tests.tcec_home_world import HomeWorld, open_homes

RESULT_DUE_S = 50
"""Beijing, 2.9 and 2.12: a result of a start or a stop is due within so long."""

RESEND_S = 60
"""102.4, 4.6: what failed is sent again about so long after."""

ORDER_DUE_S = 150
"""Beijing, 2.13: an order is due so long after the stop, and again as long after that."""

START, STATUS = "notification_start_charge_result", "notification_equip_charge_status"
STOP, ORDER = "notification_stop_charge_result", "notification_charge_order_info"
CHECK = "check_charge_orders"


@pytest.fixture
async def world(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HomeWorld]:
    for machines in (SystemClock, sdk_clock.Clock):
        monkeypatch.setattr(machines, "wall", lambda _: clock.wall())
    async with open_homes("sqlite") as opened:
        await opened.listed()
        yield opened


async def begun(world: HomeWorld) -> Charge:
    seq = world.seq()
    await world.start(seq=seq)
    return await charge_of(world.rig, (await world.session_of(seq)).session_id)


async def calls(world: HomeWorld, clock: ManualClock, interface: str, within_s: int) -> list[int]:
    """The seconds from now on at which an interface of the home's is called, while everything due is done."""
    found, begins, ends = [], clock.now, clock.now + timedelta(seconds=within_s)
    while True:
        before = world.home.asked.count(interface)
        await world.rig.work()
        found += [(clock.now - begins).seconds] * (world.home.asked.count(interface) - before)
        async with world.rig.hub.database.reading() as unit:
            due = await oldest_due(unit)
        if due is None or due > ends:
            clock.now = ends
            return found
        clock.now = due


async def test_a_result_is_told_again_every_minute_until_it_is_acknowledged_and_holds_nothing_up(
    world: HomeWorld, clock: ManualClock
) -> None:
    rig, home, charge = world.rig, world.home, await begun(world)
    home.succ_stat = 1
    await charge.runs(0)
    assert await calls(world, clock, START, 2 * RESEND_S) == [0, RESEND_S, 2 * RESEND_S]
    assert home.asked.count(STATUS) == 1, "a status is not told again, whatever its home says of it"
    await charge.runs(5)
    await rig.work()
    assert (home.asked.count(START), home.asked.count(STATUS)) == (3, 2)
    home.succ_stat = 0
    assert await calls(world, clock, START, 3 * RESEND_S) == [RESEND_S]

    home.succ_stat = 1
    await charge.ends(40)
    await charge.bill()
    assert await calls(world, clock, ORDER, 0) == [0]
    assert (await rig.session(charge.session_id)).state == SessionState.SETTLED
    assert await calls(world, clock, STOP, RESEND_S) == [RESEND_S]
    clock.advance(days=1)
    assert await calls(world, clock, STOP, 2 * RESEND_S) == [0]
    (given_up,) = await rig.letters("push_result")
    assert (given_up.reason, given_up.dead_at is not None) == ("SuccStat 1", True)


async def test_results_that_do_not_arrive_keep_no_order_waiting_and_the_stop_overtakes_the_start(
    world: HomeWorld, clock: ManualClock
) -> None:
    rig, home, charge = world.rig, world.home, await begun(world)
    home.broken = {START, STATUS, STOP}
    await charge.runs(0, 5)
    await charge.ends(40)
    await charge.bill()
    (told_after_s,) = await calls(world, clock, ORDER, ORDER_DUE_S)
    assert told_after_s <= ORDER_DUE_S
    assert home.asked.count(START) > 3
    await rig.has_tried(1_000)
    assert await calls(world, clock, STOP, ORDER_DUE_S), "tried until it arrives, however often"
    home.broken = set()
    before = home.asked.count(START)
    assert len(await calls(world, clock, STOP, 2 * ORDER_DUE_S)) == 1
    assert (len(home.heard(STOP)), home.asked.count(START)) == (1, before)
    assert await rig.letters("push_result") == []


async def test_an_order_is_sent_again_within_a_minute_at_first_and_every_150_s_then(
    world: HomeWorld, clock: ManualClock
) -> None:
    rig, home, charge = world.rig, world.home, await begun(world)
    home.broken = {ORDER}
    await charge.whole()
    tried = [0, *await calls(world, clock, ORDER, 6 * ORDER_DUE_S)]
    pauses = [after - before for before, after in pairwise(tried)]
    assert pauses == [2, 4, 8, 16, 32, RESEND_S, RESEND_S, RESEND_S, *[ORDER_DUE_S] * 4]
    home.broken = set()
    assert len(await calls(world, clock, ORDER, ORDER_DUE_S)) == 1
    assert (await rig.session(charge.session_id)).state == SessionState.SETTLED

    # The day's list goes out between 00:00 and 03:00 of Beijing time.
    await rig.hub.checks_out.advance()
    night = clock.now.replace(hour=16, minute=0, second=0)
    listed = []
    for half_hours in range(7):
        clock.now = night + timedelta(minutes=30 * half_hours)
        await rig.hub.checks_out.advance()
        await rig.work()
        listed.append(home.asked.count(CHECK))
    assert (listed[0], listed[-1]) == (0, 1)


async def test_a_silent_start_is_asked_about_in_time_to_tell_its_home(
    world: HomeWorld, clock: ManualClock
) -> None:
    charge = await begun(world)
    charging = charge.update(0)
    world.rig.a.session = HostSession(known=True, state=SessionState.CHARGING, last_number=1, update=charging)
    (told_after_s,) = await calls(world, clock, START, RESULT_DUE_S)
    assert told_after_s == START_RESULT.seconds
    assert told_after_s + CALL_S <= RESULT_DUE_S, "even where the host takes its time"


async def test_a_host_that_still_begins_is_not_stopped_before_its_own_time_is_up(
    world: HomeWorld, clock: ManualClock
) -> None:
    await begun(world)
    world.rig.a.session = HostSession(known=True, state=SessionState.STARTING)
    await calls(world, clock, START, RESULT_DUE_S + CALL_S)
    assert world.rig.a.stops == []
    await calls(world, clock, START, CALL_S)
    assert len(world.rig.a.stops) == 1


async def test_that_a_charge_never_began_is_told_again_too(world: HomeWorld, clock: ManualClock) -> None:
    world.home.succ_stat = 1
    world.rig.a.start_answer = lambda _: HostStartReply(accepted=False, refusal="connector_busy")
    await world.start()
    assert await calls(world, clock, START, RESEND_S) == [0, RESEND_S]
    world.home.succ_stat = 0
    assert await calls(world, clock, START, 2 * RESEND_S) == [RESEND_S]


async def test_a_home_that_knows_of_the_stop_is_told_of_the_start_no_more(
    world: HomeWorld, clock: ManualClock
) -> None:
    charge = await begun(world)
    world.home.succ_stat = 1
    await charge.runs(0)
    await world.rig.work()
    world.home.succ_stat = 0
    await charge.ends(40)
    assert await calls(world, clock, STOP, 0) == [0]
    assert await calls(world, clock, START, 2 * RESEND_S) == []
    assert await world.rig.letters("push_result") == []
