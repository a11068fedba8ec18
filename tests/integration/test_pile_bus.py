"""The agent's end of a pile bus against a simulated pile, the same on every kind of bus."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import can
import pytest

from edge_agent.codecs.pile_bus import AGENT_SILENT_S, BITRATE, encode
from edge_agent.codecs.pile_bus_messages import (
    Ability,
    BusProblem,
    Card,
    Commanded,
    CommandResult,
    Faults,
    Limit,
    Lock,
    LockAction,
    Measure,
    Meter,
    PileFault,
    PileState,
    ProblemKind,
    Severity,
    Start,
    Status,
    Stop,
    StopCause,
)
from edge_agent.drivers.pile_bus import PileBus, PileLost, PileRefused, PileSilent
from tests.pile_rig import NODE, OTHER_NODE, RESET, Near, Processes, Site, agent_on, has_multicast, in_process

KINDS = ("virtual", "udp_multicast", "slcan")


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    started = Processes()
    yield started
    started.end()


@pytest.fixture(scope="module")
def multicast() -> bool:
    return has_multicast()


@pytest.fixture(params=KINDS)
async def site(request: pytest.FixtureRequest, processes: Processes, multicast: bool) -> AsyncIterator[Site]:
    if request.param == "udp_multicast" and not multicast:
        pytest.skip("no route for multicast here")
    if request.param == "virtual":
        async with in_process(str(uuid4())) as local:
            yield local
    else:
        remote = processes.site(request.param)
        await remote.do(*RESET)
        yield remote


@pytest.fixture
async def near() -> AsyncIterator[Near]:
    """For what does not depend on the kind of bus."""
    async with in_process(str(uuid4())) as local:
        yield local


async def begin(site: Site, bus: PileBus) -> None:
    await site.do("plug")
    await bus.command(NODE, Start(), within_s=10)


async def test_a_charge_from_plug_to_stop(site: Site) -> None:
    async with agent_on(site) as (bus, heard):
        await site.do("plug 50")
        plugged = await heard.until(Status, lambda status: status.plugged)
        assert (plugged.state, plugged.soc_percent, plugged.contactor_closed) == (PileState.PLUGGED, 50, False)
        accepted = await bus.command(NODE, Start(), within_s=10)
        assert accepted.locked
        charging = await heard.until(Status, lambda status: status.state is PileState.CHARGING)
        assert charging.contactor_closed
        full_power = await heard.until(Measure, lambda measure: measure.power_w == 120_000)
        watts = full_power.voltage_dv * full_power.current_da // 100
        assert 0 <= full_power.power_w - watts <= full_power.voltage_dv // 100 + 1
        stopped = await bus.command(NODE, Stop(), within_s=10)
        assert (stopped.contactor_closed, stopped.stop_cause) == (False, StopCause.COMMANDED)
        await heard.until(Status, lambda status: status.state is PileState.PLUGGED and not status.locked)
        counted = (await site.do("status"))["meter_wh"]
        assert counted > 0
        await heard.until(Meter, lambda meter: meter.energy_wh == counted)
        ability = await heard.until(Ability)
        assert (ability.rated_power_w, ability.version) == (120_000, 1)
        assert bus.problems == 0
        assert bus.frames > len(heard.events)


async def test_each_refusal_is_told_with_its_reason(near: Site) -> None:
    async def refusal(command: Start | Limit | Lock) -> CommandResult:
        with pytest.raises(PileRefused) as refused:
            await bus.command(NODE, command, within_s=10)
        assert refused.value.node == NODE
        return refused.value.result

    async with agent_on(near) as (bus, _):
        assert await refusal(Start()) is CommandResult.NOT_PLUGGED
        assert await refusal(Limit(10_000)) is CommandResult.NOT_CHARGING
        await near.do("plug", "refuse starts")
        assert await refusal(Start()) is CommandResult.NOT_ALLOWED
        await near.do("allow starts")
        await bus.command(NODE, Start(), within_s=10)
        assert await refusal(Start()) is CommandResult.BUSY
        assert await refusal(Lock(LockAction.UNLOCK)) is CommandResult.BUSY
        await near.do("fault insulation")
        assert await refusal(Start()) is CommandResult.FAULTED


async def test_a_limit_holds_pauses_and_is_lifted(near: Site) -> None:
    async with agent_on(near) as (bus, heard):
        await near.do("plug")
        await bus.command(NODE, Start(20_000), within_s=10)
        await heard.until(Measure, lambda measure: measure.power_w == 20_000)
        assert max(measure.power_w for measure in heard.of(Measure)) == 20_000
        await bus.command(NODE, Limit(0), within_s=10)
        assert bus.view(NODE).status is not None
        paused = await heard.until(Status, lambda status: status.state is PileState.PAUSED)
        assert paused.contactor_closed
        await bus.command(NODE, Limit(None), within_s=10)
        await heard.until(Measure, lambda measure: measure.power_w == 120_000)


async def test_an_emergency_opens_the_contactor_at_once(site: Site) -> None:
    async with agent_on(site) as (bus, heard):
        await begin(site, bus)
        await heard.until(Status, lambda status: status.contactor_closed)
        heard.forget()
        await site.do("emergency")
        faults = await heard.until(Faults, lambda faults: bool(faults.active))
        assert (faults.active, faults.severity) == (frozenset({PileFault.EMERGENCY_STOP}), Severity.STOP)
        status = await heard.until(Status, lambda status: status.state is PileState.FAULTED)
        assert (status.contactor_closed, status.stop_cause) == (False, StopCause.EMERGENCY_STOP)
        await site.do("clear")
        await heard.until(Faults, lambda faults: not faults.active)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("full", StopCause.VEHICLE_FULL),
        ("press stop", StopCause.STOP_BUTTON),
        ("unplug", StopCause.UNPLUGGED),
        ("fault over_temperature", StopCause.FAULT),
    ],
)
async def test_a_pile_that_stops_by_itself_says_why(near: Site, line: str, cause: StopCause) -> None:
    async with agent_on(near) as (bus, heard):
        await begin(near, bus)
        await heard.until(Status, lambda status: status.contactor_closed)
        heard.forget()
        await near.do(line)
        stopped = await heard.until(Status, lambda status: not status.contactor_closed)
        assert stopped.stop_cause is cause


async def test_a_vanished_pile_is_lost_once_and_found_again(near: Site) -> None:
    async with agent_on(near, lost_after_s=1.0) as (bus, heard):
        await heard.until(Status)
        await near.do("vanish")
        assert await heard.until(PileLost) == PileLost(NODE)
        assert bus.view(NODE).is_lost
        with pytest.raises(PileSilent) as silent:
            await bus.command(NODE, Stop(), within_s=0.6)
        assert silent.value.node == NODE
        assert heard.of(PileLost) == [PileLost(NODE)]
        heard.forget()
        await near.do("return")
        await heard.until(Status)
        assert not bus.view(NODE).is_lost
        await bus.command(NODE, Stop(), within_s=10)


async def test_a_pile_that_was_never_there_is_lost_and_silent(near: Site) -> None:
    async with agent_on(near, nodes=(NODE, OTHER_NODE), lost_after_s=0.5) as (bus, heard):
        await heard.until(PileLost, lambda lost: lost.node == OTHER_NODE)
        with pytest.raises(PileSilent):
            await bus.command(OTHER_NODE, Start(), within_s=0.3)


async def test_noise_is_named_and_does_no_harm(site: Site) -> None:
    async with agent_on(site) as (bus, heard):
        await begin(site, bus)
        noise = (await site.do("noise"))["frames"]
        await heard.until(BusProblem, lambda _: bus.problems == noise)
        kinds = {problem.kind for problem in heard.of(BusProblem)}
        assert kinds >= {ProblemKind.UNKNOWN_ID, ProblemKind.WRONG_LENGTH, ProblemKind.WRONG_NODE}
        await heard.until(Status, lambda status: status.state is PileState.CHARGING)
        await bus.command(NODE, Stop(), within_s=10)
        assert bus.problems == noise


async def test_a_frame_of_a_pile_that_is_not_expected_is_a_problem(near: Site) -> None:
    async with agent_on(near, nodes=(OTHER_NODE,)) as (_, heard):
        problem = await heard.until(BusProblem)
        assert (problem.kind, problem.detail) == (ProblemKind.WRONG_NODE, str(NODE))
        assert not heard.of(Status)


async def test_a_card_is_heard_whole_and_once_each_time_it_is_shown(site: Site) -> None:
    async with agent_on(site) as (_, heard):
        await heard.until(Status)
        await site.do("tap 1234567890123456", "tap 1234567890123456", "tap A7")
        await heard.until(Card, lambda card: card.number == "A7")
        assert [card.number for card in heard.of(Card)] == ["1234567890123456", "1234567890123456", "A7"]


async def test_a_slow_pile_takes_a_repeated_command_once(site: Site) -> None:
    async with agent_on(site) as (bus, heard):
        await site.do("plug")
        await heard.until(Status, lambda status: status.plugged)
        before = (await site.do("slow 700"))["ok"] and (await site.do("status"))["commands_taken"]
        frames = bus.frames
        status = await bus.command(NODE, Start(), within_s=10)
        assert status.stop_cause is StopCause.NONE
        assert bus.frames > frames
        assert (await site.do("slow 0", "status"))["commands_taken"] == before + 1


async def test_a_command_that_comes_too_late_is_silent_and_the_next_is_not_taken_for_it(near: Site) -> None:
    async with agent_on(near) as (bus, heard):
        await near.do("plug")
        await heard.until(Status, lambda status: status.plugged)
        await near.do("slow 600")
        with pytest.raises(PileSilent):
            await bus.command(NODE, Start(), within_s=0.2)
        stopped = await bus.command(NODE, Stop(), within_s=10)
        assert not stopped.contactor_closed
        assert stopped.stop_cause is StopCause.COMMANDED
        states = [status.state for status in heard.of(Status)]
        assert PileState.STARTING in states[: states.index(PileState.STOPPING)]
        assert (await near.do("slow 0", "status"))["state"] not in {PileState.STARTING, PileState.CHARGING}


async def test_a_new_agent_is_not_taken_for_the_old_one(near: Site) -> None:
    await near.do("plug")
    for command in (Start(), Stop(), Stop(), Stop()):
        before = (await near.do("status"))["commands_taken"]
        async with agent_on(near) as (bus, _):
            await bus.command(NODE, command, within_s=10)
        assert (await near.do("status"))["commands_taken"] == before + 1


async def test_commands_to_one_pile_take_turns(near: Site) -> None:
    async with agent_on(near) as (bus, _):
        await near.do("plug")
        start = asyncio.create_task(bus.command(NODE, Start(), within_s=10))
        await asyncio.sleep(0)
        limit = asyncio.create_task(bus.command(NODE, Limit(20_000), within_s=10))
        assert (await start).last_sequence % 255 + 1 == (await limit).last_sequence


async def test_a_charge_lasts_as_long_as_the_agent_speaks_to_the_pile_and_no_longer(near: Near) -> None:
    async with agent_on(near) as (bus, heard):
        await begin(near, bus)
        await heard.until(Status, lambda status: status.contactor_closed)
        for _ in range(10):
            near.wall_s += AGENT_SILENT_S
            near.bus.mind_agent()
            told = await bus.command(NODE, Limit(None), within_s=10)
            assert told.contactor_closed
        near.wall_s += AGENT_SILENT_S + 1
        stopped = await heard.until(Status, lambda status: status.stop_cause is StopCause.AGENT_SILENT)
        assert not stopped.contactor_closed
        heard.forget()
        await heard.until(Status, lambda status: status.state is PileState.PLUGGED)
        await bus.command(NODE, Start(), within_s=10)


async def test_what_the_agent_says_is_not_heard_back_as_something_new(site: Site) -> None:
    """udp_multicast gives a node its own frames; another agent's are none of ours either."""
    async with agent_on(site) as (bus, heard):
        await heard.until(Status)
        with await asyncio.to_thread(can.Bus, **_raw(site)) as raw:
            can_id, data = encode(Commanded(OTHER_NODE, 1, Stop()))
            raw.send(can.Message(arbitration_id=can_id, data=data))
            raw.send(can.Message(arbitration_id=0x123, data=b"", is_extended_id=False))
            problem = await heard.until(BusProblem)
        assert problem.kind is ProblemKind.NOT_A_FRAME
        await bus.command(NODE, Stop(), within_s=10)
        assert bus.problems == 1


def _raw(site: Site) -> dict[str, Any]:
    quick: dict[str, Any] = {"sleep_after_open": 0} if site.options["interface"] == "slcan" else {"fd": False}
    return {"bitrate": BITRATE, **quick, **site.options}
