"""Homes that are told what connectors do: of changes only, the newest only, and no home waits for another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlmodel import func, select

from hub.core.clock import ManualClock
from hub.core.database import Database, Unit, refuse_inside_unit
from hub.core.ids import SeededIds
from hub.core.outbox import LocalDoorbell, Outbox, list_dead
from hub.core.runner import JobsRunner
from hub.core.tables import OutboxLetter
from hub.directory.relaying import AT_ONCE, KEPT, StatusRelay
from hub.directory.service import DirectoryService
from hub.parties.agreements import Agreements
from hub.parties.link import Capability, LinkCannot, LinkError, LinkRefused, MissingLink, PartyLink
from hub.parties.tables import AgreementRow, PartyRow
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
    TariffPeriod,
    TariffPut,
)

HOST, TOLD, ALSO, NATIVE = "MA5AAAAA1", "MA5BBBBB2", "MA5DDDDD4", "MA5CCCCC3"
NAMES = [f"C{number}" for number in range(8)]


@dataclass
class HomeLink(MissingLink):
    """A home that remembers what it was told, or fails as it is told."""

    told: list[tuple[str, str]] = field(default_factory=list)
    calls: int = 0
    problem: LinkError | None = None
    capabilities = frozenset({Capability.PUSH_STATUS})

    async def push_status(self, statuses: Mapping[str, ConnectorStatus]) -> None:
        refuse_inside_unit("push_status")
        self.calls += 1
        if self.problem is not None:
            raise self.problem
        self.told += [(ref.partition(".")[0], status.state) for ref, status in statuses.items()]


@dataclass
class World:
    """One host, two homes that are told, one that is not."""

    database: Database
    clock: ManualClock
    directory: DirectoryService
    outbox: Outbox
    bell: LocalDoorbell
    homes: dict[str, HomeLink]

    async def of(self, party_id: str) -> PartyLink:
        return self.homes[party_id]

    async def push(self, *names: str, state: ConnectorState = ConnectorState.AVAILABLE) -> None:
        at = self.clock.business()
        statuses = [ConnectorStatus(connector_id=name, state=state, at=at) for name in names]
        await self.directory.push_status(HOST, StatusPush(statuses=statuses))

    async def work(self) -> None:
        await JobsRunner(self.outbox, self.bell).run_until_idle()

    async def letters(self, home: str) -> int:
        """How many there are at all: what was told, or overtaken, leaves nothing behind."""
        async with self.database.reading() as unit:
            statement = select(func.count()).where(OutboxLetter.party_id == home)
            return (await unit.session.exec(statement)).one()


@pytest.fixture
async def world(database: Database, clock: ManualClock, ids: SeededIds) -> World:
    bell = LocalDoorbell()
    outbox = Outbox(database, clock, ids, bell, "here")
    directory = DirectoryService(database, clock)
    async with database.unit() as unit:
        await _add_parties(unit, clock)
    period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=1, service_micro=0)
    await directory.put_tariff(HOST, "t", 1, TariffPut(valid_from=clock.business(), periods=[period]))
    plugs = [Connector(connector_id=name) for name in NAMES]
    pile = Pile(pile_id="P", kind="dc", rated_power_w=60_000, connectors=plugs)
    put = StationPut(name="N", latitude_e6=0, longitude_e6=0, tariff_id="t", piles=[pile])
    await directory.put_station(HOST, "S", put)
    made = World(
        database, clock, directory, outbox, bell, {TOLD: HomeLink(), ALSO: HomeLink(), NATIVE: HomeLink()}
    )
    agreements = Agreements(database, clock, telling=["far"])
    directory.tell_homes(StatusRelay(clock, ids, agreements=agreements, links=made, outbox=outbox))
    return made


async def _add_parties(unit: Unit, clock: ManualClock) -> None:
    homes = (TOLD, "home", "far"), (ALSO, "home", "far"), (NATIVE, "home", "native")
    for party_id, roles, protocol in ((HOST, "home,host", "far"), *homes):
        party = PartyRow(party_id=party_id, name="N", roles=roles, protocol=protocol, created_at=clock.wall())
        unit.session.add(party)
    await unit.session.flush()
    for home in (TOLD, ALSO, NATIVE, HOST):
        row = AgreementRow(
            agreement_id=f"agr_{home}", home_party_id=home, host_party_id=HOST, hold_fen=1,
            amount_tolerance_fen=0, created_at=clock.wall(),
        )  # fmt: skip
        unit.session.add(row)


async def test_homes_with_an_agreement_are_told_of_changes_and_of_nothing_else(world: World) -> None:
    await world.push("C1", "C2", "unheard")
    await world.work()
    expected = [("C1", "available"), ("C2", "available")]
    assert sorted(world.homes[TOLD].told) == sorted(world.homes[ALSO].told) == expected
    assert world.homes[NATIVE].calls == 0
    world.clock.advance(minutes=1)
    await world.push("C1", "C2")  # still the same: a host repeats its states so that they are believed
    await world.push("C1", state=ConnectorState.CHARGING)  # no newer than the one before
    await world.work()
    assert world.homes[TOLD].calls == 2
    world.clock.advance(minutes=1)
    await world.push("C1", "C2", state=ConnectorState.CHARGING)
    await world.work()
    assert sorted(world.homes[TOLD].told[2:]) == [("C1", "charging"), ("C2", "charging")]


async def test_a_home_that_is_down_gets_the_newest_state_when_it_is_back_and_piles_nothing_up(
    world: World,
) -> None:
    home = world.homes[TOLD]
    home.problem = LinkError("too slow")
    for state in (ConnectorState.AVAILABLE, ConnectorState.CHARGING, ConnectorState.FAULTED):
        await world.push("C1", state=state)
        await world.work()
        world.clock.advance(minutes=1)
    await world.push("C1", state=ConnectorState.OFFLINE)
    await world.work()
    assert [state for _, state in world.homes[ALSO].told] == ["available", "charging", "faulted", "offline"]
    assert await world.letters(TOLD) == 1
    home.problem = None
    world.clock.advance(minutes=5)
    await world.work()
    assert home.told == [("C1", "offline")]
    assert await world.letters(TOLD) == 0


async def test_a_home_that_does_not_answer_is_not_asked_for_every_connector(world: World) -> None:
    world.homes[TOLD].problem = LinkError("too slow")
    await world.push(*NAMES)
    await world.work()
    assert world.homes[TOLD].calls <= AT_ONCE
    assert len(world.homes[ALSO].told) <= len(NAMES)
    world.homes[TOLD].problem = None
    for _ in range(8):
        world.clock.advance(seconds=11)
        await world.work()
    assert (
        sorted(world.homes[TOLD].told)
        == sorted(world.homes[ALSO].told)
        == [(name, "available") for name in NAMES]
    )


async def test_what_could_not_be_told_for_long_is_told_no_more(world: World) -> None:
    world.homes[TOLD].problem = LinkError("too slow")
    await world.push("C1")
    await world.work()
    world.homes[TOLD].problem = None
    world.clock.advance(seconds=KEPT // timedelta(seconds=1) + 1)
    await world.work()
    assert (world.homes[TOLD].told, await world.letters(TOLD)) == ([], 0)


async def test_a_refusal_is_a_dead_letter_and_what_no_message_can_say_is_none(world: World) -> None:
    world.homes[TOLD].problem, world.homes[ALSO].problem = (
        LinkRefused("unknown connector"),
        LinkCannot("not served"),
    )
    await world.push("C1")
    await world.work()
    async with world.database.reading() as unit:
        dead = await list_dead(unit, party_id=None, after=None, limit=10)
    assert [(letter.party_id, letter.reason) for letter in dead] == [(TOLD, "unknown connector")]
    assert await world.letters(ALSO) == 0


async def test_a_network_without_such_homes_writes_no_letters(
    world: World, database: Database, clock: ManualClock, ids: SeededIds
) -> None:
    agreements = Agreements(database, clock, telling=["other"])
    world.directory.tell_homes(StatusRelay(clock, ids, agreements=agreements, links=world, outbox=world.outbox))
    await world.push("C1")
    assert await world.letters(TOLD) == 0
    await world.work()
    assert world.homes[TOLD].calls == 0
