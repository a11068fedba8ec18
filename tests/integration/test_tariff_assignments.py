"""Where tariffs apply: one order for every asker, against an oracle that tries the keys in turn."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.core.paging import encode_cursor
from hub.directory.search import StationSearch
from hub.directory.service import DirectoryService
from hub.parties.scope import of_driver, of_party
from hub.parties.tables import AgreementRow, PartyRow
from operator_sdk.contract.messages.directory import (
    Connector,
    Pile,
    StationPut,
    TariffAssignment,
    TariffAssignmentPut,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.messages.places import StationQuery
from operator_sdk.contract.public_codes import Code

HOST, OTHER, HOME, STRANGER = "MA5AAAAA1", "MA5CCCCC3", "MA5BBBBB2", "MA5DDDDD4"
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
OWN = {"S1": "t0", "S2": "t1"}
"""The stations with their own tariffs; each has a pile of either kind."""

TARIFFS = [f"t{number}" for number in range(10)]


@pytest.fixture
async def directory(database: Database, clock: ManualClock) -> AsyncIterator[DirectoryService]:
    roles = {HOST: "home,host", OTHER: "host", HOME: "home", STRANGER: "home"}
    async with database.unit() as unit:
        for party_id, said in roles.items():
            row = PartyRow(party_id=party_id, name="A", roles=said, protocol="native", created_at=clock.wall())
            unit.session.add(row)
        await unit.session.flush()
        unit.session.add(
            AgreementRow(
                agreement_id="agr_1",
                home_party_id=HOME,
                host_party_id=HOST,
                hold_fen=1,
                amount_tolerance_fen=0,
                created_at=clock.wall(),
            )
        )
    service = DirectoryService(database, clock)
    for number, tariff_id in enumerate(TARIFFS):
        await service.put_tariff(HOST, tariff_id, 1, at_price(1_000_000 + number, clock.business()))
    for station_id, tariff_id in OWN.items():
        await service.put_station(HOST, station_id, station(station_id, tariff_id))
    yield service
    await service.close()


def at_price(micro: int, valid_from: datetime) -> TariffPut:
    day = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=micro, service_micro=0)
    return TariffPut(valid_from=valid_from, periods=[day])


def station(station_id: str, tariff_id: str) -> StationPut:
    piles = [
        Pile(
            pile_id=f"{station_id}{kind}",
            kind=kind,
            rated_power_w=7_000,
            connectors=[Connector(connector_id=f"{station_id}{kind}1")],
        )
        for kind in ("ac", "dc")
    ]
    return StationPut(name=station_id, latitude_e6=0, longitude_e6=0, tariff_id=tariff_id, piles=piles)


def at(
    tariff_id: str | None,
    *,
    station_id: str | None = None,
    kind: str | None = None,
    home: str | None = None,
    begins: datetime = NOW,
) -> TariffAssignmentPut:
    return TariffAssignmentPut(
        tariff_id=tariff_id, valid_from=begins, station_id=station_id, kind=kind, home_party_id=home
    )


async def applying(
    directory: DirectoryService, home: str | None, station_id: str = "S1", kind: str = "dc"
) -> str | None:
    info = await directory.get_connector(HOST, f"{station_id}{kind}1", home=home)
    return info.tariff.tariff_id if info.tariff else None


async def refused(directory: DirectoryService, put: TariffAssignmentPut, host: str = HOST) -> Code:
    with pytest.raises(HubError) as refusal:
        await directory.assign_tariff(host, put)
    return refusal.value.code


async def test_what_names_the_home_comes_first_then_the_station_then_the_kind(
    directory: DirectoryService,
) -> None:
    steps = (
        (at("t2", kind="dc"), "t2", "t2"),
        (at("t3", station_id="S1"), "t3", "t3"),
        (at("t4", station_id="S1", kind="dc"), "t4", "t4"),
        (at("t5", home=HOME), "t5", "t4"),
        (at("t6", home=HOME, kind="dc"), "t6", "t4"),
        (at("t7", home=HOME, station_id="S1"), "t7", "t4"),
        (at("t8", home=HOME, station_id="S1", kind="dc"), "t8", "t4"),
    )
    assert await applying(directory, HOME) == OWN["S1"]
    for put, theirs, others in steps:
        await directory.assign_tariff(HOST, put)
        assert await applying(directory, HOME) == theirs
        assert await applying(directory, STRANGER) == await applying(directory, None) == others
    assert await applying(directory, HOME, "S2", "ac") == "t5"
    assert await applying(directory, None, "S2", "ac") == OWN["S2"]


async def test_an_assignment_that_ends_gives_way_to_the_less_specific_one(
    directory: DirectoryService, clock: ManualClock
) -> None:
    await directory.assign_tariff(HOST, at("t2"))
    await directory.assign_tariff(HOST, at("t3", station_id="S1"))
    await directory.assign_tariff(HOST, at(None, station_id="S1", begins=NOW + timedelta(hours=1)))
    await directory.assign_tariff(HOST, at(None, begins=NOW + timedelta(hours=2)))
    seen = []
    for _ in range(3):
        seen.append(await applying(directory, None))
        clock.advance(hours=1)
    assert seen == ["t3", "t2", OWN["S1"]]


async def test_every_asker_gets_what_trying_the_keys_in_turn_gives(
    directory: DirectoryService, database: Database, clock: ManualClock
) -> None:
    """Sixty assignments of any key, over two days; asked for a charge, a fast one, the map and the page."""
    random, search = Random(7), StationSearch(database, clock)
    homes, stations, kinds = (HOME, HOST, None), (*OWN, None), ("ac", "dc", None)
    said: list[TariffAssignment] = []
    for _ in range(60):
        put = at(
            random.choice([*TARIFFS, None, None, None]),
            home=random.choice(homes),
            station_id=random.choice(stations),
            kind=random.choice(kinds),
            begins=NOW + timedelta(minutes=random.randrange(2 * 1440)),
        )
        said.append(await directory.assign_tariff(HOST, put))
    answers = set()
    for minute in sorted(random.sample(range(3 * 1440), 12)):
        clock.now = NOW + timedelta(minutes=minute)
        for home in (HOME, HOST, STRANGER, None):
            for station_id in OWN:
                wanted = {
                    kind: oracle(said, (home, station_id, kind), clock.business()) for kind in ("ac", "dc")
                }
                answers |= set(wanted.values())
                for kind, tariff_id in wanted.items():
                    assert await applying(directory, home, station_id, kind) == tariff_id
                    lately = await directory.connector_lately(HOST, f"{station_id}{kind}1", home or "")
                    assert lately is not None
                    assert lately.tariff is not None
                    assert lately.tariff.tariff_id == tariff_id
                detail = await search.detail(HOST, station_id, home=home)
                assert {one.kind: one.tariff.tariff_id for one in detail.tariffs} == wanted
                lowest = min(wanted.values())  # their numbers are in the order of their prices
                assert detail.tariff is not None
                assert detail.tariff.tariff_id == lowest
                (hit,) = (await search.search(StationQuery(text=station_id), home=home)).items
                assert hit.price_now_micro == detail.price_now_micro == 1_000_000 + int(lowest[1:])
    assert len(answers) > 5


def oracle(said: Sequence[TariffAssignment], where: tuple[str | None, str, str], at: datetime) -> str:
    """The first of the eight keys, from the most to the least specific, whose newest begun word is a tariff."""
    for key in product(*((name, None) for name in where)):
        begun = [
            one for one in said if (one.home_party_id, one.station_id, one.kind) == key and one.valid_from <= at
        ]
        newest = max(begun, key=lambda one: one.valid_from, default=None)
        if newest is not None and newest.tariff_id is not None:
            return newest.tariff_id
    return OWN[where[1]]


async def test_saying_the_same_again_changes_nothing_and_something_else_is_refused(
    directory: DirectoryService, clock: ManualClock
) -> None:
    first = await directory.assign_tariff(HOST, at("t2", home=HOME))
    clock.advance(days=1)
    assert await directory.assign_tariff(HOST, at("t2", home=HOME)) == first
    assert await refused(directory, at("t3", home=HOME)) is Code.ID_REUSED
    assert await refused(directory, at(None, home=HOME)) is Code.ID_REUSED
    assert await applying(directory, HOME) == "t2"


async def test_prices_of_the_past_never_change(
    directory: DirectoryService, clock: ManualClock, database: Database
) -> None:
    clock.advance(days=1)
    late = clock.business() - timedelta(minutes=5)
    assert await refused(directory, at("t2", begins=late - timedelta(milliseconds=1))) is Code.RULE_VIOLATED
    assert await refused(directory, at("t2", begins=datetime.min.replace(tzinfo=UTC))) is Code.RULE_VIOLATED
    await directory.assign_tariff(HOST, at("t2", begins=late))
    for statement in (
        "UPDATE tariff_assignment SET tariff_id = 't3'",
        "DELETE FROM tariff_assignment",
    ):
        with pytest.raises(DBAPIError, match="only grows"):
            async with database.unit() as unit:
                await unit.execute(text(statement))
    assert await applying(directory, None) == "t2"


async def test_only_what_exists_is_assigned(directory: DirectoryService, clock: ManualClock) -> None:
    later = clock.business() + timedelta(days=1)
    await directory.put_tariff(HOST, "later", 1, at_price(1, later))
    assert await refused(directory, at("never")) is Code.TARIFF_UNKNOWN
    assert (
        await refused(directory, at("later", begins=later - timedelta(milliseconds=1))) is Code.TARIFF_UNKNOWN
    )
    assert (await directory.assign_tariff(HOST, at("later", begins=later))).tariff_id == "later"
    await directory.remove_station(HOST, "S2")
    for station_id in ("S9", "S2"):
        assert await refused(directory, at("t2", station_id=station_id)) is Code.RULE_VIOLATED
    for home in (STRANGER, "MA5ZZZZZ9", OTHER):
        assert await refused(directory, at("t2", home=home)) is Code.NO_AGREEMENT
    assert (await directory.assign_tariff(HOST, at("t2", home=HOST))).home_party_id == HOST
    # A host that is no home has no drivers of its own; and nobody assigns another's tariff.
    await directory.put_tariff(OTHER, "o", 1, at_price(1, NOW))
    assert await refused(directory, at("o", home=OTHER), OTHER) is Code.NO_AGREEMENT
    assert await refused(directory, at("t2"), OTHER) is Code.TARIFF_UNKNOWN
    with pytest.raises(NotFoundError):
        await directory.assign_tariff(HOME, at("t2"))


async def test_a_host_lists_its_own_a_home_what_was_agreed_with_it_and_nobody_else_anything(
    directory: DirectoryService, clock: ManualClock
) -> None:
    puts = [at("t2", home=HOME), at("t3"), at("t4", station_id="S1", home=HOST), at(None, home=HOME, kind="ac")]
    said = []
    for put in puts:
        said.append(await directory.assign_tariff(HOST, put))
        clock.advance(milliseconds=1)
    found, after = [], None
    while True:
        page = await directory.list_assignments(of_party(HOST), after=after, limit=1)
        found += page.items
        after = page.next_after
        if after is None:
            break
    assert found == said
    assert (await directory.list_assignments(of_party(HOME))).items == [said[0], said[3]]
    since = await directory.list_assignments(of_party(HOST), updated_since=said[2].assigned_at)
    assert since.items == said[2:]
    for nobody in (of_party(STRANGER), of_party(OTHER), of_driver(HOME, "d")):
        assert (await directory.list_assignments(nobody)).items == []


async def test_another_lists_cursor_is_malformed(directory: DirectoryService) -> None:
    parts = [HOST, HOME, "S1", "dc"]
    for end in ([], ["noon"], ["2026-03-02T04:00:00"], ["0001-01-01T00:00:00+14:00"], [NOW.isoformat(), "x"]):
        with pytest.raises(HubError) as problem:
            await directory.list_assignments(of_party(HOST), after=encode_cursor(NOW, "/".join(parts + end)))
        assert problem.value.code is Code.MALFORMED
