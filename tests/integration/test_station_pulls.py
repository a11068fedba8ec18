"""Hosts that do not push are asked: when, what is kept, what goes, what is a gap, and who waits for whom."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database, refuse_inside_unit
from hub.core.errors import HubError, NotFoundError
from hub.core.ids import SeededIds
from hub.directory.pulling import PullReport, StationPulls, next_minute
from hub.directory.service import DirectoryService
from hub.parties.link import (
    Capability,
    LinkError,
    LinkRefused,
    MissingLink,
    PulledStations,
    PullPlan,
    StationGap,
)
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.public_codes import Code

HOST, OTHER, HOME = "MA5AAAAA1", "MA5CCCCC3", "MA5BBBBB2"
PLAN = PullPlan(full_minute=120, incremental_s=600)


def tariff(clock: ManualClock, price_micro: int = 800_000) -> TariffPut:
    period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=price_micro, service_micro=0)
    return TariffPut(valid_from=clock.business(), periods=[period])


def put(*names: str, name: str = "N", tariff_id: str = "t") -> StationPut:
    piles = [
        Pile(pile_id=f"P{one}", kind="dc", rated_power_w=60_000, connectors=[Connector(connector_id=one)])
        for one in names
    ]
    return StationPut(
        name=name, latitude_e6=22_540_000, longitude_e6=114_050_000, tariff_id=tariff_id, piles=piles
    )


@dataclass
class Platform(MissingLink):
    """A host's platform, behind its link."""

    clock: ManualClock
    stations: dict[str, StationPut] = field(default_factory=dict)
    gaps: list[StationGap] = field(default_factory=list)
    tariffs: dict[str, TariffPut] = field(default_factory=dict)
    asked: list[datetime | None] = field(default_factory=list)
    states_asked: list[list[str]] = field(default_factory=list)
    down: bool = False
    slow: asyncio.Event | None = None
    refusal: LinkError | None = None
    asking: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    capabilities = frozenset({Capability.LIST_STATIONS, Capability.CONNECTOR_STATUS})

    def pull_plan(self) -> PullPlan | None:
        return PLAN

    async def list_stations(self, since: datetime | None = None) -> PulledStations:
        refuse_inside_unit("list_stations")
        self.asking.set()
        if self.slow is not None:
            await self.slow.wait()
        if self.down:
            raise LinkError("too slow")
        self.asked.append(since)
        return PulledStations(list(self.stations.items()), self.gaps, self.tariffs)

    async def connector_status(self, connector_ids: list[str]) -> list[ConnectorStatus]:
        refuse_inside_unit("connector_status")
        if self.refusal is not None:
            raise self.refusal
        self.states_asked.append(connector_ids)
        self.answered.set()
        now = self.clock.business()
        return [
            ConnectorStatus(connector_id=one, state=ConnectorState.AVAILABLE, at=now) for one in connector_ids
        ]


@dataclass
class World:
    """Two hosts that are asked, a home of the same protocol, and whoever asks."""

    database: Database
    clock: ManualClock
    directory: DirectoryService
    platforms: dict[str, Platform]
    more: Callable[[int], StationPulls]
    pulls: StationPulls

    async def of(self, party_id: str) -> Any:
        if party_id not in self.platforms:
            raise NotFoundError
        return self.platforms[party_id]

    @property
    def host(self) -> Platform:
        return self.platforms[HOST]

    async def pull(self, *, complete: bool = True) -> PullReport:
        return await self.pulls.pull(HOST, complete=complete)

    async def living(self) -> dict[str, list[str]]:
        stations = await self.directory.stations_of([HOST], limit=1000)
        return {
            one.station_id: [plug.connector_id for pile in one.piles for plug in pile.connectors]
            for one in stations
        }

    async def gaps(self) -> dict[str, tuple[str, ...]]:
        return {one.gap.station_id: one.gap.missing for one in await self.pulls.gaps(HOST)}


@pytest.fixture
async def world(database: Database, clock: ManualClock) -> World:
    async with database.unit() as unit:
        for party_id, roles in ((HOST, "home,host"), (OTHER, "host"), (HOME, "home")):
            row = PartyRow(
                party_id=party_id, name=party_id, roles=roles, protocol="far", created_at=clock.wall()
            )
            unit.session.add(row)
    directory = DirectoryService(database, clock)
    platforms = {party_id: Platform(clock, tariffs={"t": tariff(clock)}) for party_id in (HOST, OTHER)}

    def more(seed: int) -> StationPulls:
        ids = SeededIds(clock, Random(seed))
        return StationPulls(database, clock, ids, links=made, directory=directory, protocols=["far"])

    made: Any = None
    made = World(database, clock, directory, platforms, more, more(0))
    made.pulls = more(1)
    made.host.stations = {"S1": put("A1", "A2"), "S2": put("B1")}
    platforms[OTHER].stations = {"S1": put("A1")}
    return made  # type: ignore[no-any-return]


async def test_a_new_host_is_asked_at_once_then_for_changes_and_everything_at_night(world: World) -> None:
    clock, begun = world.clock, world.clock.business()  # noon
    assert len(await world.pulls.advance()) == 2
    assert await world.living() == {"S1": ["A1", "A2"], "S2": ["B1"]}
    assert world.host.states_asked == [["A1", "A2", "B1"]]
    assert (await world.directory.get_connector(HOST, "A2")).state == "available"
    assert await world.pulls.advance() == []
    clock.advance(seconds=150)
    await world.pulls.advance()  # states before they are forgotten, and nothing else
    assert (len(world.host.asked), len(world.host.states_asked)) == (1, 2)
    clock.advance(minutes=10)
    await world.pulls.advance()
    assert world.host.asked == [None, begun - timedelta(minutes=5)]
    clock.advance(hours=15)  # past two at night
    await world.pulls.advance()
    assert world.host.asked[2:] == [None]


async def test_the_minute_of_the_night_is_the_hubs(clock: ManualClock) -> None:
    assert next_minute(clock.business(), 120) == clock.business() + timedelta(hours=14)
    assert next_minute(clock.business(), 720) == clock.business() + timedelta(days=1)
    assert next_minute(clock.business(), 721) == clock.business() + timedelta(minutes=1)


async def test_the_same_answer_again_writes_nothing_and_a_missing_station_is_gone(world: World) -> None:
    first = await world.pull()
    assert first.kept is not None
    assert (first.kept.stations, first.kept.changed, first.kept.removed, first.states) == (2, 2, 0, 3)
    world.clock.advance(minutes=1)
    again = await world.pull()
    assert again.kept is not None
    assert (again.kept.changed, again.kept.removed) == (0, 0)
    world.host.stations["S3"] = put("C1")
    del world.host.stations["S2"]
    changes = await world.pull(complete=False)
    assert changes.kept is not None
    assert (changes.kept.changed, changes.kept.removed) == (1, 0)
    assert "S2" in await world.living()
    last = await world.pull()
    assert last.kept is not None
    assert (last.kept.changed, last.kept.removed) == (0, 1)
    assert await world.living() == {"S1": ["A1", "A2"], "S3": ["C1"]}
    assert (await world.directory.get_station(HOST, "S2")).removed


@pytest.mark.parametrize("named", [0, 1])
async def test_an_answer_with_less_than_half_removes_nothing_and_staff_read_why(
    world: World, named: int
) -> None:
    world.host.stations["S3"] = put("C1")
    await world.pull()
    world.host.stations = dict(list(world.host.stations.items())[:named])
    report = await world.pull()
    assert report.problem is None
    assert len(await world.living()) == 3
    (host,) = await world.pulls.asked(HOST)
    assert host.note == f"only {named} stations were named and 3 are known: none was removed"
    await world.pull(complete=False)
    assert (await world.pulls.asked(HOST))[0].note == host.note


async def test_while_a_station_cannot_be_read_at_all_none_is_removed(world: World) -> None:
    await world.pull()
    world.host.gaps = [StationGap("#2", ("StationInfo",))]
    del world.host.stations["S2"]
    await world.pull()
    assert set(await world.living()) == {"S1", "S2"}
    assert (await world.pulls.asked(HOST))[0].note == "a station could not be read at all: none was removed"
    world.host.gaps = [StationGap("S1", ("AreaCode",))]  # kept, and yet not whole
    await world.pull()
    assert set(await world.living()) == {"S1"}
    assert await world.gaps() == {"S1": ("AreaCode",)}


async def test_what_cannot_be_kept_is_a_gap_until_it_comes_whole(world: World) -> None:
    await world.pull()
    world.host.gaps = [StationGap("S2", ("name", "coordinates")), StationGap("坏\n", ("station_id",))]
    world.host.stations = {
        "S1": put("A1", "A2"),
        "S4": put("D-1"),
        "S5": put("E1", tariff_id="none"),
        "S6": put("A1"),
        "S7": put("F1", name="a\x00"),
        "bad/id": put("G1"),
    }
    report = await world.pull()
    assert report.kept is not None
    assert report.kept.gaps == 7
    gaps = await world.gaps()
    assert gaps["S2"] == ("name", "coordinates")
    assert gaps["S5"] == ("tariff",)
    assert gaps["S6"] == ("connector A1 is also named at station S1",)
    assert set(gaps) == {"S2", "坏?", "S4", "S5", "S6", "S7", "bad/id"}
    # What is stored of a station that came broken stays.
    assert await world.living() == {"S1": ["A1", "A2"], "S2": ["B1"]}
    world.host.gaps, world.host.stations = [], {"S2": put("B1"), "S4": put("D1")}
    await world.pull(complete=False)
    assert set(await world.gaps()) == {"坏?", "S5", "S6", "S7", "bad/id"}
    await world.pull()
    assert await world.gaps() == {}


async def test_a_connector_moves_between_stations_whichever_is_named_first(world: World) -> None:
    await world.pull()
    world.host.stations = {"S2": put("B1", "A2"), "S1": put("A1")}
    await world.pull()
    assert await world.living() == {"S1": ["A1"], "S2": ["B1", "A2"][::-1]}
    world.host.stations = {"S1": put("A1", "B1"), "S3": put("C1", "A2")}  # S2 is gone, its connectors are not
    await world.pull()
    assert await world.living() == {"S1": ["A1", "B1"], "S3": ["A2", "C1"]}
    assert await world.gaps() == {}


async def test_a_changed_tariff_becomes_a_new_version_from_now_on(world: World) -> None:
    async def newest() -> tuple[int, int] | None:
        async with world.database.reading() as unit:
            found = await world.directory.tariff_at(unit, HOST, "t", world.clock.business())
        return (found.version, found.periods[0].electricity_micro) if found is not None else None

    await world.pull()
    world.clock.advance(hours=1)
    await world.pull()
    assert await newest() == (1, 800_000)
    world.host.tariffs = {
        "t": msgspec.structs.replace(world.host.tariffs["t"], periods=tariff(world.clock, 9).periods)
    }
    await world.pull()
    assert await newest() == (2, 9)
    await world.pull()
    assert await newest() == (2, 9)


async def test_a_host_that_fails_is_left_alone_for_longer_and_longer_and_stops_no_other(world: World) -> None:
    world.host.down = True
    reports = await world.pulls.advance()
    assert [report.problem for report in reports if report is not None] == ["too slow", None]
    assert len(world.platforms[OTHER].asked) == 1
    waits = []
    for _ in range(3):
        begun = world.clock.wall()
        while not any(report is not None and report.party_id == HOST for report in await world.pulls.advance()):
            world.clock.advance(seconds=10)
        waits.append((world.clock.wall() - begun).seconds)
    assert waits == [30, 60, 120]
    assert (await world.pulls.asked(HOST))[0].failures == 4
    world.host.down = False
    report = await world.pull(complete=False)  # by hand it need not wait; and the first time is for everything
    assert (report.complete, report.problem) == (True, None)
    assert (await world.pulls.asked(HOST))[0].problem is None


async def test_two_processes_do_not_ask_one_host_at_once_and_a_slow_one_keeps_nobody_waiting(
    world: World,
) -> None:
    world.host.slow = asyncio.Event()
    running = asyncio.create_task(world.pulls.run())
    try:
        async with asyncio.timeout(5):
            await world.platforms[OTHER].answered.wait()
        others = world.more(2)
        assert await others.advance() == []
        with pytest.raises(HubError) as refusal:
            await others.pull(HOST)
        assert refusal.value.code is Code.STATE_CONFLICT
        assert world.host.asked == []
        world.host.slow.set()
        async with asyncio.timeout(5):
            await world.host.answered.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert world.host.asked == [None]


async def test_a_process_that_ends_in_the_midst_of_it_leaves_the_host_to_others(world: World) -> None:
    world.host.slow = asyncio.Event()
    ending = asyncio.create_task(world.pull())
    await world.host.asking.wait()
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
    world.host.slow = None
    assert (await world.more(2).pull(HOST)).problem is None


async def test_a_host_that_tells_no_states_is_asked_for_stations_all_the_same(world: World) -> None:
    world.host.refusal = LinkRefused("no such interface")
    await world.pulls.advance()
    for _ in range(10):
        world.clock.advance(minutes=2)
        await world.pulls.advance()
    assert len(world.host.asked) == 3
    (host,) = await world.pulls.asked(HOST)
    assert (host.problem, host.failures, host.stations) == ("no such interface", 0, 2)


async def test_a_party_that_pushes_is_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Platform, "pull_plan", MissingLink.pull_plan)
    with pytest.raises(HubError) as refusal:
        await world.pull()
    assert refusal.value.code is Code.RULE_VIOLATED
    with pytest.raises(NotFoundError):
        await world.pulls.pull(HOME)
    await world.pulls.advance()
    assert world.host.asked == []


async def test_a_host_that_answers_longer_than_a_lease_lasts_is_not_asked_for_ever(world: World) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    world.host.slow = first
    one = asyncio.create_task(world.pull())
    await world.host.asking.wait()
    world.clock.advance(seconds=301)  # another process takes it for dead
    world.host.slow = second
    world.host.asking.clear()
    other = asyncio.create_task(world.more(2).pull(HOST, complete=True))
    await world.host.asking.wait()
    first.set()
    await one
    (asked,) = await world.pulls.asked(HOST)
    assert asked.full_at is not None
    with pytest.raises(HubError, match="state_conflict"):
        await world.pull()  # the other is still at it
    second.set()
    await other
    assert await world.pulls.advance() != []
