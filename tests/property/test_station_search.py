"""A search finds what looking at every station one by one would find, in that order, on both engines."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.directory import tables
from hub.directory.distance import metres, place_at
from hub.directory.model import Change, Outcome, StationFacts, search_text
from hub.directory.search import StationSearch
from hub.parties.tables import PartyRow
from operator_sdk.contract.messages.places import StationHit, StationQuery
from tests import databases

pytestmark = pytest.mark.property

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
PARTIES = {"MA5AAAAA1": "南方充电（深圳）", "MA5BBBBB2": "Ｅ充 e-Charge", "MA5CCCCC3": "100%电"}
CENTRES = [
    (22_540_000, 114_050_000), (31_230_000, 121_470_000), (43_820_000, 87_600_000),
    (0, 179_990_000), (0, -179_990_000), (89_990_000, 10_000_000), (-90_000_000, 0),
]  # fmt: skip
WORDS = ["北站", "东门", "万科", "（地下）", "Ｐ＋Ｒ", "Tesla", "50%", "A_B", "充电站", "一", "\\", "ß"]
ASKED = [
    *WORDS,
    "(地下)",
    "p+r",
    "TESLA",
    "ss",
    "北",
    "%",
    "_",
    "e-charge",
    "深圳 站",
    "南方 万科",
    "没有",
    "电",
]

Key = tuple[str, str]


@dataclass(repr=False)  # hundreds of stations in a failure's report hide what failed
class World:
    """A few hundred stations in a database, and the same in a dictionary."""

    runner: asyncio.Runner
    search: StationSearch
    stations: dict[Key, StationFacts]

    def pages(self, query: StationQuery) -> list[StationHit]:
        """Everything that is found, page by page."""
        return self.runner.run(self._pages(query))

    async def _pages(self, query: StationQuery) -> list[StationHit]:
        found: list[StationHit] = []
        while True:
            page = await self.search.search(query)
            assert len(page.items) == query.limit or page.next_after is None
            found += page.items
            if page.next_after is None:
                return found
            query = replace(query, after=page.next_after)

    def oracle(self, query: StationQuery) -> list[Key]:
        """One by one."""
        words = search_text(query.text).split()
        fit = [key for key, facts in self.stations.items() if fits(key, facts, words)]
        if query.latitude_e6 is None or query.longitude_e6 is None:
            return sorted(fit)
        place = place_at(query.latitude_e6, query.longitude_e6)
        far = {key: place.squares_to(one.latitude_e6, one.longitude_e6) for key, one in self.stations.items()}
        return sorted(fit, key=lambda key: (far[key], key))


def fits(key: Key, facts: StationFacts, words: list[str]) -> bool:
    """Each word is in the station's name or address, or in its operator's name."""
    own, party = search_text(facts.name, facts.address), search_text(PARTIES[key[0]])
    return not facts.removed and all(word in own or word in party for word in words)


def _stations(chance: random.Random) -> dict[Key, StationFacts]:
    stations = {}
    for number in range(400):
        centre = chance.choice([*CENTRES, CENTRES[0], CENTRES[0], CENTRES[2]])
        spread = chance.choice([0, 3_000, 60_000, 150_000, 3_000_000])
        latitude = max(-90_000_000, min(90_000_000, centre[0] + chance.randint(-spread, spread)))
        longitude = max(-180_000_000, min(180_000_000, centre[1] + chance.randint(-spread, spread)))
        name = "".join(chance.sample(WORDS, chance.randint(0, 4)))
        address = "".join(chance.sample(WORDS, chance.randint(0, 1)))
        removed = chance.random() < 0.1
        key = (chance.choice(sorted(PARTIES)), f"S{number:03}")
        stations[key] = StationFacts(name, address, latitude, longitude, "t", removed)
    return stations


async def _fill(database: Database, stations: dict[Key, StationFacts]) -> None:
    async with database.unit() as unit:
        for party_id, name in PARTIES.items():
            unit.session.add(
                PartyRow(party_id=party_id, name=name, roles="host", protocol="hosted", created_at=NOON)
            )
        await unit.session.flush()
        for party_id in PARTIES:
            changes = {
                station_id: Change(Outcome.CREATED, facts, {}, {})
                for (party, station_id), facts in stations.items()
                if party == party_id
            }
            await tables.write_changes(unit, party_id, changes, now=NOON)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    stations = _stations(random.Random(20_260_302))
    opened: list[Any] = []

    async def begin() -> StationSearch:
        manager = databases.fresh_database(request.param)
        database = await manager.__aenter__()
        opened.append(manager)
        await _fill(database, stations)
        return StationSearch(database, ManualClock(NOON))

    with asyncio.Runner() as runner:
        yield World(runner, runner.run(begin()), stations)
        runner.run(opened[0].__aexit__(None, None, None))


def _e6(degrees: int) -> int:
    return degrees * 10**6


places = st.one_of(
    st.none(),
    st.sampled_from(CENTRES),
    st.tuples(st.integers(-90, 90).map(_e6), st.integers(-180, 180).map(_e6)),
    st.builds(
        lambda centre, north, east: (centre[0] + north * 1_000, centre[1] + east * 1_000),
        st.sampled_from(CENTRES[:4]),
        st.integers(-120, 120),
        st.integers(-120, 120),
    ).filter(lambda place: abs(place[1]) <= 180_000_000),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=places, text=st.one_of(st.just(""), st.sampled_from(ASKED)), limit=st.sampled_from([7, 20, 50]))
def test_a_search_equals_looking_at_every_station(
    world: World, place: tuple[int, int] | None, text: str, limit: int
) -> None:
    latitude, longitude = place or (None, None)
    query = StationQuery(latitude_e6=latitude, longitude_e6=longitude, text=text, limit=limit)
    hits = world.pages(query)
    assert [(hit.party_id, hit.station_id) for hit in hits] == world.oracle(query)
    for hit in hits:
        if place is not None:
            assert hit.distance_m == metres(place_at(*place).squares_to(hit.latitude_e6, hit.longitude_e6))
        else:
            assert hit.distance_m is None


@pytest.mark.parametrize("text", ASKED)
def test_every_word_is_found_where_it_is_and_nowhere_else(world: World, text: str) -> None:
    found = {(hit.party_id, hit.station_id) for hit in world.pages(StationQuery(text=text, limit=50))}
    assert found == set(world.oracle(StationQuery(text=text)))
    assert bool(found) == (text != "没有")
