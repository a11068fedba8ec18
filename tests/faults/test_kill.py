"""The hub is killed with SIGKILL twenty times during one charge, and nothing that it said is lost."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hub.ledger.model import CLEARING
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import SessionState, TokenKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.records import HomeRecord, RecordAnswer, SettlementRecord, SettlementReply
from operator_sdk.contract.messages.roaming import HostStartReply, HostStartRequest, Session, StartRequest
from tests.faults.processes import Child
from tests.faults.world import World, insist, open_world, until
from tests.rig import HOLD_FEN, A, B
from tests.rig_charges import CONNECTOR, Charge, charge_of
from tests.rig_partners import Platform

pytestmark = [pytest.mark.faults, pytest.mark.integration]

T = TypeVar("T")
SEED = 20_260_302
KILLS = 20
AT_START, IN_RECORD, IN_SETTLEMENT = 2, 3, 4
UPDATES_A_MINUTE = 8
MINUTES = 40
OWED_FEN = 1_000


class Host(Platform):
    """Starts a session once, however often it is asked, and has a hook at what it hears."""

    told: Callable[[str], None] = staticmethod(lambda _: None)

    async def on_start(self, ask: HostStartRequest, call: Any) -> HostStartReply:
        reply = await super().on_start(ask, call)
        self.told("start")
        return reply

    async def on_push_settlement(self, said: SettlementRecord, call: Any) -> SettlementReply:
        reply = await super().on_push_settlement(said, call)
        self.told("settlement")
        return reply


class Home(Platform):
    """Bills its driver once for a record, and answers a repeated one as it did before."""

    told: Callable[[str], None] = staticmethod(lambda _: None)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.billed: dict[str, RecordAnswer] = {}
        self.taken_fen = 0

    def settle(self, record: HomeRecord) -> RecordAnswer:
        if record.record_id not in self.billed:
            self.billed[record.record_id] = super().settle(record)
            self.taken_fen += record.owed_fen
        self.told("record")
        return self.billed[record.record_id]


@dataclass
class Killer:
    """Kills the hub and starts it again."""

    world: World
    hub: Child
    lots: random.Random
    kills: int = 0
    restarts: list["asyncio.Task[None]"] = field(default_factory=list)

    def kill(self) -> None:
        """Now; the hub is back a moment later."""
        if self.hub.alive:
            self.hub.kill()
            self.kills += 1
            self.restarts.append(asyncio.create_task(self._start_again()))

    async def _start_again(self) -> None:
        await self.world.forget_leases()
        self.hub = self.world.fleet.serve(self.world.url)

    async def is_back(self) -> None:
        """Wait for it."""
        while True:
            await asyncio.gather(*self.restarts)
            hub = self.hub
            try:
                await hub.answers(self.world.url)
            except AssertionError:
                if hub.process.poll() != -signal.SIGKILL:
                    raise
            else:
                return

    async def kill_within(self, most_s: float) -> None:
        """At a random moment from now."""
        await asyncio.sleep(self.lots.uniform(0, most_s))
        self.kill()
        await self.is_back()

    def on_hearing(self, what: str, *delays: float) -> Callable[[str], None]:
        """A hook that kills at each of the first times a platform hears this: that much later."""
        waiting = list(delays)

        def hook(heard: str) -> None:
            if heard == what and waiting:
                delay = waiting.pop(0)
                asyncio.get_running_loop().call_later(delay, self.kill) if delay else self.kill()

        return hook

    async def while_saying(self, call: Callable[[], Awaitable[T]], times: int, most_s: float) -> T:
        """Say something again and again, while the hub dies in the middle of it."""
        for _ in range(times):
            said = asyncio.create_task(insist(call))
            await self.kill_within(most_s)
            await said
        return await insist(call)


async def test_a_hub_killed_twenty_times_in_one_charge_keeps_all_it_acknowledged(
    kind: str, tmp_path: Path
) -> None:
    async with asyncio.timeout(250), open_world(kind, tmp_path, Host, Home) as world:
        host, home = world.rig.a, world.rig.b
        assert isinstance(host, Host)
        assert isinstance(home, Home)
        killer = Killer(world, world.fleet.serve(world.url), random.Random(SEED))
        await killer.is_back()

        # The host has said yes; the hub dies before it can note that.
        host.told = killer.on_hearing("start", 0)
        session = await insist(lambda: _start(world))
        await killer.is_back()
        await killer.kill_within(0.05)
        assert len(host.starts) == 1

        charge = await charge_of(world.rig, session.session_id)
        stop = asyncio.Event()
        pushing = asyncio.create_task(_push_until(charge, stop))
        while killer.kills < KILLS - IN_RECORD - IN_SETTLEMENT:
            await killer.kill_within(0.4)
        stop.set()
        acknowledged = await pushing

        bill = charge.record("rec-1")
        home.told = killer.on_hearing("record", 0, 0.005, 0.02)
        host.told = killer.on_hearing("settlement", 0)
        reply = await killer.while_saying(lambda: world.rig.client(A).push_record(bill), IN_RECORD, 0.03)
        assert (reply.state, reply.owed_fen) == ("accepted", OWED_FEN)
        await _settled(world, killer)
        # Each was cut off before the hub had heard the answer, and came again.
        assert home.heard.count("push_record") > 1
        assert host.heard.count("push_settlement") > 1
        while killer.kills < KILLS:
            await killer.kill_within(0.2)

        assert acknowledged == list(range(1, charge.number + 1))
        await _check_updates(world, charge)
        await _check_money(world, home, charge.session_id)


async def _start(world: World) -> Session:
    ask = StartRequest(
        start_ref="start-1",
        token=Token(kind=TokenKind.APP_USER, ref="u-1"),
        connector=CONNECTOR,
        limit_fen=HOLD_FEN,
    )
    session = await world.rig.client(B).start_session(ask)
    world.rig.b.limits[session.session_id] = HOLD_FEN
    return session


async def _push_until(charge: Charge, stop: asyncio.Event) -> list[int]:
    """In order, one in flight, each kept until it is acknowledged; returns what was."""
    acknowledged = []
    ended = False
    while not ended:
        ended = stop.is_set()
        minutes = MINUTES if ended else min(charge.number // UPDATES_A_MINUTE, MINUTES - 1)
        state = SessionState.ENDED if ended else SessionState.CHARGING
        update = charge.update(minutes, state, reason="driver_local" if ended else None)
        reply = await insist(lambda: charge.push(update))  # noqa: B023 - awaited within this round
        acknowledged.append(reply.number)
    return acknowledged


async def _settled(world: World, killer: Killer) -> None:
    async def done() -> bool:
        (record,) = await world.rig.rows(RecordRow)
        letters = await world.rig.letters("push_settlement")
        return record.settlement_ref is not None and all(letter.done_at for letter in letters)

    await until(done, within_s=25)
    await killer.is_back()


async def _check_updates(world: World, charge: Charge) -> None:
    stored = await world.rig.updates(charge.session_id)
    sent = {update.number: update for update in charge.sent}
    assert [row.number for row in stored] == list(range(1, charge.number + 1))
    assert [(row.at, row.meter_wh, row.amount_fen, row.state) for row in stored] == [
        (update.at, update.meter_wh, update.amount_fen, update.state) for _, update in sorted(sent.items())
    ]


async def _check_money(world: World, home: Home, session_id: str) -> None:
    rig = world.rig
    record = await rig.record(session_id)
    assert (record.captured_fen, record.released_fen) == (OWED_FEN, HOLD_FEN - OWED_FEN)
    assert (await rig.session(session_id)).state == "settled"
    assert (await rig.authorization(session_id)).state == "consumed"
    assert await rig.obligations() == [(B, A, OWED_FEN, "open")]
    assert await rig.exposure(B) == (OWED_FEN, 0)
    assert await rig.posted(CLEARING, "receivable", B) == await rig.posted(CLEARING, "payable", A) == OWED_FEN
    assert home.taken_fen == OWED_FEN
    assert {said.settlement_ref for said in rig.a.settlements} == {record.settlement_ref}
    assert rig.b.releases == []
