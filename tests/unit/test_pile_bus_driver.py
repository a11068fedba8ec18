"""The agent's end of a pile bus, with a pile that says exactly what the test says."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import can
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.codecs.pile_bus import decode, encode
from edge_agent.codecs.pile_bus_messages import (
    Commanded,
    CommandResult,
    Faults,
    Limit,
    Measure,
    PileState,
    Report,
    Severity,
    Start,
    Status,
    Stop,
    StopCause,
)
from edge_agent.drivers.pile_bus import Overtaken, PileBus, PileLost, PileSilent, _Pile
from tests.pile_rig import LONG_S, NODE, Heard

IDLE = Status(
    NODE,
    PileState.IDLE,
    plugged=False,
    locked=False,
    contactor_closed=False,
    soc_percent=None,
    last_sequence=0,
    last_result=CommandResult.NONE,
    stop_cause=StopCause.NONE,
)
FLOWING = Measure(NODE, 4000, 100, 40_000, 25)


class Puppet:
    """A pile's controller in the test's hand."""

    def __init__(self, bus: can.BusABC) -> None:
        self._bus = bus

    def say(self, report: Report) -> None:
        can_id, data = encode(report)
        self._bus.send(can.Message(arbitration_id=can_id, data=data))

    def hear(self, within_s: float = LONG_S) -> Commanded | None:
        message = self._bus.recv(within_s)
        heard = decode(message.arbitration_id, bytes(message.data)) if message else None
        assert heard is None or isinstance(heard, Commanded)
        return heard


@asynccontextmanager
async def both_ends(lost_after_s: float = LONG_S) -> AsyncIterator[tuple[PileBus, Heard, Puppet]]:
    channel, heard = str(uuid4()), Heard()
    with can.Bus(interface="virtual", channel=channel) as far:
        bus = PileBus(
            interface="virtual", channel=channel, nodes=(NODE,), on_event=heard, lost_after_s=lost_after_s
        )
        async with bus:
            yield bus, heard, Puppet(far)


async def test_only_what_changes_is_an_event_and_every_frame_counts() -> None:
    async with both_ends() as (bus, heard, pile):
        for report in (IDLE, IDLE, FLOWING, IDLE, FLOWING, replace(IDLE, plugged=True), IDLE):
            pile.say(report)
        await heard.until(Status, lambda _: len(heard.events) == 4)
        assert bus.frames == 7
        assert heard.events == [IDLE, FLOWING, replace(IDLE, plugged=True), IDLE]
        view = bus.view(NODE)
        assert (view.status, view.measure, view.meter) == (IDLE, FLOWING, None)


async def test_a_pile_whose_status_falls_silent_is_lost_whatever_else_it_says() -> None:
    async with both_ends(lost_after_s=0.4) as (bus, heard, pile):
        pile.say(IDLE)
        async with asyncio.timeout(LONG_S):
            while not heard.of(PileLost):
                pile.say(FLOWING)
                await asyncio.sleep(0.05)
        heard.forget()
        pile.say(IDLE)
        assert await heard.until(Status) == IDLE
        assert not bus.view(NODE).is_lost


async def test_an_agent_that_stood_still_does_not_blame_the_pile() -> None:
    async with both_ends(lost_after_s=0.4) as (_, heard, pile):
        pile.say(IDLE)
        await heard.until(Status)
        time.sleep(1)  # noqa: ASYNC251 - the loop itself stands still
        pile.say(IDLE)
        await asyncio.sleep(0.15)
        assert not heard.of(PileLost)


async def test_a_command_is_repeated_until_its_own_sequence_is_echoed() -> None:
    async with both_ends() as (bus, heard, pile):
        pile.say(replace(IDLE, last_sequence=255, last_result=CommandResult.ACCEPTED))
        await heard.until(Status)
        asked = asyncio.create_task(bus.command(NODE, Start(), within_s=LONG_S))
        first = await asyncio.to_thread(pile.hear)
        pile.say(replace(IDLE, last_sequence=255, last_result=CommandResult.ACCEPTED, plugged=True))
        second = await asyncio.to_thread(pile.hear)
        assert first == second == Commanded(NODE, 1, Start())
        answer = replace(IDLE, last_sequence=1, last_result=CommandResult.ACCEPTED)
        pile.say(answer)
        assert await asked == answer


async def test_nothing_is_sent_to_a_pile_that_was_not_heard_yet() -> None:
    async with both_ends() as (bus, _, pile):
        with pytest.raises(PileSilent):
            await bus.command(NODE, Start(), within_s=0.1)
        assert await asyncio.to_thread(pile.hear, 0.05) is None
        asked = asyncio.create_task(bus.command(NODE, Stop(), within_s=LONG_S))
        await asyncio.sleep(0)
        pile.say(replace(IDLE, last_sequence=1))
        assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 2, Stop())
        pile.say(replace(IDLE, last_sequence=2, last_result=CommandResult.ACCEPTED))
        assert (await asked).last_sequence == 2


async def test_a_second_command_waits_for_the_answer_to_the_first() -> None:
    async with both_ends() as (bus, heard, pile):
        pile.say(IDLE)
        await heard.until(Status)
        start = asyncio.create_task(bus.command(NODE, Start(), within_s=LONG_S))
        await asyncio.sleep(0)
        limit = asyncio.create_task(bus.command(NODE, Limit(None), within_s=LONG_S))
        for _ in range(2):
            assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 1, Start())
        pile.say(replace(IDLE, last_sequence=1, last_result=CommandResult.ACCEPTED))
        await start
        assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 2, Limit(None))
        pile.say(replace(IDLE, last_sequence=2, last_result=CommandResult.ACCEPTED))
        await limit


async def test_a_stop_overtakes_whatever_is_under_way_or_waits() -> None:
    async with both_ends() as (bus, heard, pile):
        pile.say(IDLE)
        await heard.until(Status)
        before = [
            asyncio.create_task(bus.command(NODE, command, within_s=LONG_S))
            for command in (Start(), Limit(None), Stop())
        ]
        assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 1, Start())
        assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 2, Stop())
        stop = asyncio.create_task(bus.command(NODE, Stop(), within_s=LONG_S))
        after = asyncio.create_task(bus.command(NODE, Limit(None), within_s=LONG_S))
        overtaken = await asyncio.gather(*before, return_exceptions=True)
        assert [type(one) for one in overtaken] == [Overtaken] * 3
        heard_now = [await asyncio.to_thread(pile.hear) for _ in range(4)]
        assert heard_now.count(Commanded(NODE, 3, Stop())) >= 2, "again until it is answered"
        assert set(heard_now) <= {Commanded(NODE, 2, Stop()), Commanded(NODE, 3, Stop())}
        pile.say(replace(IDLE, last_sequence=3, last_result=CommandResult.ACCEPTED))
        assert (await stop).last_sequence == 3
        assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 4, Limit(None))
        pile.say(replace(IDLE, last_sequence=4, last_result=CommandResult.ACCEPTED))
        await after


async def test_a_stop_is_on_the_bus_before_its_caller_waits_for_anything() -> None:
    async with both_ends() as (bus, heard, pile):
        pile.say(IDLE)
        await heard.until(Status)
        start = asyncio.create_task(bus.command(NODE, Start(), within_s=LONG_S))
        assert await asyncio.to_thread(pile.hear) == Commanded(NODE, 1, Start())
        stop = asyncio.create_task(bus.command(NODE, Stop(), within_s=LONG_S))
        await asyncio.sleep(0)
        # The loop stands still from here on.
        while (said := pile.hear(0.1)) == Commanded(NODE, 1, Start()):
            continue
        assert said == Commanded(NODE, 2, Stop())
        pile.say(replace(IDLE, last_sequence=2, last_result=CommandResult.ACCEPTED))
        await stop
        with pytest.raises(Overtaken):
            await start


@pytest.mark.parametrize("silent", [Measure, Faults])
async def test_a_pile_whose_measurements_or_faults_fall_silent_is_stale_while_its_status_goes_on(
    silent: type[Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.drivers.pile_bus.MISSED_CYCLES", 0)
    async with both_ends(lost_after_s=0.4) as (bus, heard, pile):
        said = (IDLE, FLOWING, Faults(NODE, frozenset(), Severity.NONE))
        view = bus.view(NODE)

        async def until_stale(stale: bool, *kinds: Report) -> None:
            async with asyncio.timeout(LONG_S):
                while view.is_stale is not stale:
                    for report in kinds:
                        pile.say(report)
                    await asyncio.sleep(0.03)

        await until_stale(True, *(report for report in said if not isinstance(report, silent)))
        assert not view.is_lost
        await until_stale(False, *said)
        assert not heard.of(PileLost)


@given(st.lists(st.sampled_from([0, 1, 2, 254, 255]), min_size=1, max_size=600))
def test_a_new_command_never_carries_the_sequence_before_it_nor_the_one_the_pile_knows(
    ahead: list[int],
) -> None:
    pile, before = _Pile(NODE, 0), 0
    for steps in ahead:
        echoed = (before + steps) % 256
        sequence = pile.next_sequence(echoed)
        assert 1 <= sequence <= 255
        assert sequence not in {before, echoed}
        before = sequence
