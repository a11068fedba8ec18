"""What is new to a T/CEC 102 home since it last asked, though the station itself did not change."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.directory.service import DirectoryService
from hub.parties.tables import AgreementRow, PartyRow
from hub.protocols.tcec102 import stations_out
from hub.protocols.tcec102.aliases import Aliases
from hub.protocols.tcec102.stations_out import Reader, StationsOut
from operator_sdk.contract.messages.directory import Station, TariffAssignmentPut, TariffPeriod, TariffPut
from operator_sdk.contract.tcec102.messages import StationInfo
from tests.tcec_home_world import HOME, HOST, described, piles, profile

OTHER, NEIGHBOUR = "MA5CCCCC3", "MA5BBBBB2"


class World:
    """Two hosts with a station each, and a home that asked an hour after everything there was made."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database, self.clock = database, clock
        self.directory = DirectoryService(database, clock)
        aliases = Aliases(database, clock)
        self._stations = StationsOut(database, clock, directory=self.directory, aliases=aliases)
        self.since = clock.business()

    async def publish(self, host: str, name: str, version: int, price: int, begins: datetime) -> None:
        period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=price, service_micro=0)
        put = TariffPut(valid_from=begins, periods=[period])
        await self.directory.put_tariff(host, name, version, put)

    async def assign(self, tariff_id: str | None, home: str, begins: datetime) -> None:
        put = TariffAssignmentPut(tariff_id=tariff_id, home_party_id=home, valid_from=begins)
        await self.directory.assign_tariff(HOST, put)

    async def agree(self, home: str, host: str) -> None:
        async with self.database.unit() as unit:
            unit.session.add(
                AgreementRow(
                    agreement_id=f"{home}{host}", home_party_id=home, host_party_id=host,
                    hold_fen=0, amount_tolerance_fen=0, created_at=self.clock.wall(),
                )
            )  # fmt: skip

    async def all(self) -> list[StationInfo]:
        """The whole list."""
        reader = Reader(HOME, profile(), HOME)
        return (await self._stations.page(reader, [HOST, OTHER], None, number=1, size=50))[1]

    async def news(self, since: datetime | None = None) -> list[tuple[str, str | None]]:
        """(host, ElectricityFee) of what the home is told since it last asked; then it has asked."""
        reader = Reader(HOME, profile(), HOME)
        since = since or self.since
        _, infos = await self._stations.page(reader, [HOST, OTHER], since, number=1, size=50)
        self.since = self.clock.business()
        return [(one.operator_id, one.electricity_fee) for one in infos]


@pytest.fixture
async def world(database: Database, clock: ManualClock) -> World:
    begun = clock.business()
    async with database.unit() as unit:
        for party_id in (HOST, OTHER, HOME, NEIGHBOUR):
            row = PartyRow(
                party_id=party_id, name=party_id, roles="home,host", protocol="native", created_at=clock.wall()
            )
            unit.session.add(row)
    made = World(database, clock)
    for host in (HOST, OTHER):
        await made.publish(host, "t", 1, 1_000_000, begun)
        await made.directory.put_station(host, "S1", described(piles=piles(f"{host}P")))
    await made.agree(HOME, HOST)
    await made.agree(NEIGHBOUR, HOST)
    clock.advance(hours=1)
    assert await made.news() == [(HOST, "1.00元/度"), (OTHER, "1.00元/度")]
    clock.advance(hours=1)
    assert await made.news() == []
    return made


async def test_the_stations_of_a_host_that_a_home_agreed_with_since_it_last_asked(world: World) -> None:
    await world.agree(NEIGHBOUR, OTHER)
    world.clock.advance(minutes=10)
    assert await world.news() == []
    await world.directory.put_station(OTHER, "gone", described(piles=piles("X")))
    await world.directory.remove_station(OTHER, "gone")
    world.clock.advance(minutes=10)
    await world.news()
    await world.agree(HOME, OTHER)
    world.clock.advance(minutes=10)
    assert await world.news() == [(OTHER, "1.00元/度")]
    world.clock.advance(minutes=10)
    assert await world.news() == []


async def test_a_change_in_price_alone_is_told_when_it_comes_into_force(world: World) -> None:
    begins = world.clock.business() + timedelta(minutes=30)
    await world.publish(HOST, "t", 2, 2_000_000, begins)
    world.clock.advance(minutes=10)
    assert await world.news() == []
    world.clock.advance(minutes=30)
    assert await world.news() == [(HOST, "2.00元/度")]
    world.clock.advance(minutes=10)
    assert await world.news() == []
    # Published a moment after it began.
    begins, asked = world.clock.business() - timedelta(minutes=3), world.clock.business()
    world.clock.advance(minutes=1, seconds=30)
    await world.publish(HOST, "t", 3, 3_000_000, begins)
    assert await world.news(asked) == [(HOST, "3.00元/度")]


async def test_another_tariff_for_the_home_is_told_and_one_for_another_home_is_not(world: World) -> None:
    begins = world.clock.business() + timedelta(minutes=5)
    await world.publish(HOST, "cheap", 1, 500_000, world.clock.business())
    await world.assign("cheap", NEIGHBOUR, begins)
    world.clock.advance(minutes=10)
    assert await world.news() == []
    begins = world.clock.business() + timedelta(minutes=30)
    await world.assign("cheap", HOME, begins)
    world.clock.advance(minutes=10)
    assert await world.news() == []
    world.clock.advance(minutes=30)
    assert await world.news() == [(HOST, "0.50元/度")]
    world.clock.advance(minutes=10)
    assert await world.news() == []
    await world.publish(OTHER, "cheap", 1, 600_000, world.clock.business())  # of the same name, and not theirs
    world.clock.advance(minutes=10)
    assert await world.news() == []
    await world.publish(HOST, "cheap", 2, 700_000, world.clock.business())
    world.clock.advance(minutes=10)
    assert await world.news() == [(HOST, "0.70元/度")]
    await world.assign(None, HOME, world.clock.business() + timedelta(minutes=5))
    world.clock.advance(minutes=10)
    assert await world.news() == [(HOST, "1.00元/度")]


async def test_a_station_that_goes_while_a_list_is_read_hides_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.directory.put_station(HOST, "S2", described(piles=piles("P2")))
    monkeypatch.setattr(stations_out, "AT_ONCE", 1)
    read = world.directory.stations_of

    async def reading(hosts: list[str], **asked: Any) -> list[Station]:
        found = await read(hosts, **asked)
        await world.directory.remove_station(HOST, "S1")
        return found

    monkeypatch.setattr(world.directory, "stations_of", reading)
    assert {one.station_id for one in await world.all()} >= {"S2"}
