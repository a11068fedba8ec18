"""One connector's attendant: the lease of a charge, what is a danger, and what a surprise does to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import attendant as attending
from edge_agent import lease as leasing
from edge_agent.agent import Agent
from edge_agent.attendant import Attendant
from edge_agent.charge import Charge
from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus_messages import (
    Command,
    CommandResult,
    Limit,
    Meter,
    PileState,
    Status,
    Stop,
    StopCause,
)
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.meter_reading import MeterReading
from edge_agent.drivers.pile_bus import PileBus, PileView
from edge_agent.keeper import Keeper
from edge_agent.metering import MeterWatch
from edge_agent.pile_words import cause_of
from edge_agent.safety import limits_of
from edge_agent.session import MeterSaid, Rules, StopAsked
from edge_agent.settings import (
    CanTable,
    GatewayTable,
    MeterTable,
    PileSettings,
    SafetyTable,
    Settings,
    SiteTable,
)
from edge_agent.store import Store, Written
from operator_sdk.contract.codes import SessionState, StopReason
from operator_sdk.contract.edge_link.frames import FaultItem, decode_item
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.pricing import Reading
from tests.edge_rig import EPOCH, TARIFF
from tests.pile_rig import LONG_S

PILE = PileSettings(
    connector_id="P1",
    kind="dc",
    rated_power_w=120_000,
    can=CanTable(interface="virtual", channel="none", node=1),
    meter=MeterTable(port="none", address="000000000001", poll_ms=20),
    safety=SafetyTable(),
)
RULES = Rules(
    look_ahead_ms=1_200,
    update_every=timedelta(seconds=20),
    charge_most=timedelta(hours=48),
    start_wait=timedelta(seconds=55),
    stop_wait=timedelta(seconds=10),
)
CHARGING = Status(
    1,
    PileState.CHARGING,
    plugged=True,
    locked=True,
    contactor_closed=True,
    soc_percent=50,
    last_sequence=1,
    last_result=CommandResult.ACCEPTED,
    stop_cause=StopCause.NONE,
)


@dataclass
class Bus:
    """A bus that notes what is commanded."""

    seen: PileView = field(default_factory=lambda: PileView(status=CHARGING))
    commands: list[Command] = field(default_factory=list)

    def view(self, _: int) -> PileView:
        return self.seen

    async def command(self, _: int, command: Command, *, within_s: float = 2.0) -> Status:
        assert within_s > 0
        self.commands.append(command)
        return CHARGING

    def of(self, kind: type[Command]) -> list[Command]:
        return [command for command in self.commands if isinstance(command, kind)]


@dataclass
class Line:
    """A meter line that does with each question what it is told to."""

    answer: Callable[[], int] = lambda: 5_000
    never: bool = False
    frames: int = 0

    async def read_total(self, address: str) -> MeterReading:
        self.frames += 1
        if self.never:
            await asyncio.Event().wait()
        return MeterReading(address=address, total_wh=self.answer(), resolution_wh=10)


@dataclass
class Rig:
    attendant: Attendant
    bus: Bus
    line: Line
    store: Store

    def faults(self) -> list[str]:
        """Every fault item ever kept, raised and cleared."""
        rows = self.store.db.execute("select body from spool where kind = 'fault' order by rowid")
        items = [decode_item(body) for (body,) in rows]
        return [item.code for item in items if isinstance(item, FaultItem)]


@asynccontextmanager
async def rig(folder: Path, *, begun: bool = True) -> AsyncIterator[Rig]:
    clock, bus, line = Clock(), Bus(), Line()
    store = Store(folder / "edge.sqlite3", new_spool_id="a" * 32)
    attendant = Attendant(
        PILE,
        # The test holds every word of the pile and of the meter.
        bus=cast("PileBus", bus),
        meter=MeterWatch(PILE, cast("MeterLine", line), clock),
        keeper=Keeper(store, clock, written=lambda: None, on_full=lambda: None),
        clock=clock,
        rules=RULES,
        limits=limits_of(PILE, 1),
    )
    if begun:
        attendant.resume(charge(clock))
    try:
        yield Rig(attendant, bus, line, store)
    finally:
        store.close()


def charge(clock: Clock, state: SessionState = SessionState.CHARGING) -> Charge:
    """It has run for ten minutes; its last reading was kept half a minute ago."""
    begun_at = clock.business() - timedelta(minutes=10)
    return Charge(
        session_id="ses_" + "0" * 36,
        authorization_id="aut_" + "0" * 36,
        connector_id="P1",
        host_ref="h",
        tariff=TARIFF,
        limit_fen=None,
        target=Target(),
        deadline=clock.wall(),
        state=state,
        readings=(Reading(begun_at, 4_000),),
        last=Reading(clock.business() - timedelta(seconds=30), 5_000),
        last_number=3,
    )


@asynccontextmanager
async def running(attendant: Attendant) -> AsyncIterator[None]:
    task = asyncio.create_task(attendant.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(suits: Callable[[], object]) -> None:
    async with asyncio.timeout(LONG_S):
        while not suits():  # noqa: ASYNC110 - nobody announces what is looked for
            await asyncio.sleep(0.01)


async def test_a_charge_is_leased_again_and_again_while_it_runs_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "LEASE_S", 0.05)
    monkeypatch.setattr(attending, "LOOK_S", 0.02)
    async with rig(tmp_path) as it, running(it.attendant):
        await until(lambda: len(it.bus.of(Limit)) >= 3)
        assert set(it.bus.commands) == {Limit(None)}
        # The pile does not stop when it is told to: all the more it must not be told to go on.
        await it.attendant.told(StopAsked(at=it.attendant.moment(), reason=StopReason.HOST))
        leases, polls = len(it.bus.of(Limit)), it.line.frames
        await until(lambda: it.line.frames >= polls + 10)
        assert it.attendant.charge is not None
        assert (it.attendant.charge.state, len(it.bus.of(Limit))) == ("stopping", leases)


def test_every_cause_has_its_word_and_a_lease_that_ran_out_is_a_fault() -> None:
    words = {cause: cause_of(replace(CHARGING, stop_cause=cause)) for cause in StopCause}
    assert [cause for cause, word in words.items() if word is None] == [StopCause.NONE]
    assert words[StopCause.AGENT_SILENT] is StopReason.FAULT


async def test_a_pile_without_a_charge_is_leased_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "LEASE_S", 0.01)
    monkeypatch.setattr(attending, "LOOK_S", 0.01)
    async with rig(tmp_path, begun=False) as it, running(it.attendant):
        await until(lambda: it.line.frames >= 3)
        assert it.bus.of(Limit) == []


async def test_after_a_restart_the_counts_are_compared_from_the_first_new_reading_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as it:
        attendant, bus = it.attendant, it.bus
        # At 120 kW the pile counted 1000 Wh since the last reading that was kept, and the bus speaks first.
        bus.seen.meter = Meter(1, 6_000)
        await attendant._look()
        at = attendant.moment()
        await attendant._take(MeterSaid(at=at, asked_at=at.business, meter_wh=6_000))
        await attendant._look()
        await asyncio.sleep(0)
        assert attendant.charge is not None
        assert (attendant._found, attendant.charge.state) == ({}, "charging")
        bus.seen.meter = Meter(1, 7_000)
        await attendant._look()
        assert set(attendant._found) == {"energy_apart"}


async def test_a_charge_for_nobody_is_one_alarm_for_as_long_as_it_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "ORPHAN_AFTER", timedelta(milliseconds=30))
    async with rig(tmp_path, begun=False) as it:
        async with asyncio.timeout(LONG_S):
            while len(it.bus.of(Stop)) < 4:
                await it.attendant._look()
                await asyncio.sleep(0.01)
        assert it.faults() == ["charging_without_session"]
        it.bus.seen.status = replace(CHARGING, state=PileState.PLUGGED, contactor_closed=False)
        await it.attendant._look()
        assert it.faults() == ["charging_without_session"] * 2


async def test_a_meter_whose_driver_breaks_is_silent(tmp_path: Path) -> None:
    def break_down() -> int:
        raise RuntimeError("a surprise")

    async with rig(tmp_path) as it, running(it.attendant):
        await until(lambda: it.line.frames >= 3)
        it.line.answer = break_down
        await until(lambda: it.bus.of(Stop))
        assert "meter_silent" in it.faults()
        it.line.answer = lambda: 5_000
        await until(lambda: it.attendant.meter.unanswered == 0)


async def test_a_meter_that_never_answers_at_all_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.metering.POLL_S_MOST", 0.1)
    async with rig(tmp_path) as it, running(it.attendant):
        await until(lambda: it.line.frames >= 3)
        it.line.never = True
        await until(lambda: it.bus.of(Stop))
        assert "meter_silent" in it.faults()


async def test_whoever_waits_for_an_event_is_let_go_though_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as it:

        def break_down(*_: object) -> None:
            raise RuntimeError("a surprise")

        monkeypatch.setattr("edge_agent.session.step", break_down)
        attended = asyncio.create_task(it.attendant.run())
        at = it.attendant.moment()
        async with asyncio.timeout(LONG_S):
            await it.attendant.told(MeterSaid(at=at, asked_at=at.business, meter_wh=6_000))
        with pytest.raises(RuntimeError):
            await attended


def settings_of(folder: Path, *piles: PileSettings) -> Settings:
    """A site whose gateway nobody answers for."""
    key = Ed25519PrivateKey.generate()
    return Settings(
        site=SiteTable(site_id="s", party_id="P", key_file="none", state_dir="none", health_every_s=1),
        gateway=GatewayTable(url="ws://127.0.0.1:9", id="GATEWAY", public_key=""),
        piles=piles,
        state_dir=folder,
        key=key,
        gateway_key=key.public_key(),
        ca_file=None,
    )


async def test_an_attendant_that_fails_begins_again_and_the_others_do_not_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.agent.RETRY_S", 0.05)
    other = msgspec.structs.replace(
        PILE, connector_id="P2", can=CanTable(interface="virtual", channel="none", node=2)
    )
    agent = Agent(settings_of(tmp_path, PILE, other), Clock())
    failing, well = agent._attendants.values()
    agent._store.write(Written(at=EPOCH, charge=charge(Clock())))
    looks: list[Attendant] = []

    async def look(self: Attendant) -> None:
        looks.append(self)
        if self is failing and looks.count(failing) < 3:
            raise RuntimeError("a surprise")

    monkeypatch.setattr(Attendant, "_look", look)
    monkeypatch.setattr(attending, "LOOK_S", 0.02)
    work = asyncio.create_task(agent.run())
    try:
        await until(lambda: looks.count(failing) >= 5 and looks.count(well) >= 5)
        assert failing.charge is not None, "taken up again from what was kept"
        assert ("P1", "attendant_failed") in agent._store.faults()
        assert not work.done()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
