"""Aliases name each thing once and for good, in whatever order and however many at once they are asked for."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.protocols.tcec102.aliases import LENGTH, Aliases, Kind, candidate, pile_key
from hub.protocols.tcec102.tables_aliases import Key
from tests import databases

pytestmark = pytest.mark.property

PARTIES = ("MA5AAAAA1", "MA5BBBBB2", "395815801")
OWN = ("A", "a", "B1", "7" * 19, "7" * 20, "7" * 21, "7" * 24, "7" * 26, "with-dash", "dot.ted")
# What a hostile or unlucky host may call its own: the alias that another's thing is about to get.
MADE = [candidate(Kind.CONNECTOR, (party, "A"), 1) for party in PARTIES]
keys_of_things = st.tuples(st.sampled_from(PARTIES), st.sampled_from([*OWN, *MADE]))


@dataclass
class World:
    """A database, and what its aliases have been so far."""

    runner: asyncio.Runner
    database: Database
    given: dict[tuple[Kind, Key], str] = field(default_factory=dict)

    def process(self) -> Aliases:
        """A process that has just begun: it remembers nothing."""
        return Aliases(self.database, ManualClock(datetime(2026, 3, 2, tzinfo=UTC)))


@pytest.fixture(scope="module", params=databases.KINDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "postgresql":
        request.applymarker(pytest.mark.integration)
    with asyncio.Runner() as runner:
        opened = databases.fresh_database(request.param)
        yield World(runner, runner.run(opened.__aenter__()))
        runner.run(opened.__aexit__(None, None, None))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(list(Kind)),
    batches=st.lists(st.lists(keys_of_things, max_size=8), min_size=1, max_size=4),
    at_once=st.booleans(),
)
def test_every_thing_has_one_alias_and_keeps_it(
    world: World, kind: Kind, batches: list[list[Key]], at_once: bool
) -> None:
    processes = [world.process() for _ in batches]

    async def ask() -> list[dict[Key, str]]:
        calls = [one.of(kind, keys) for one, keys in zip(processes, batches, strict=True)]
        return list(await asyncio.gather(*calls)) if at_once else [await call for call in calls]

    for keys, answer in zip(batches, world.runner.run(ask()), strict=True):
        assert set(answer) == set(keys)
        for key, alias in answer.items():
            assert world.given.setdefault((kind, key), alias) == alias
            assert re.fullmatch(r"[A-Za-z0-9]+", alias)
            assert len(alias) <= LENGTH[kind]
    of_kind = {key: alias for (one, key), alias in world.given.items() if one is kind}
    assert len(set(of_kind.values())) == len(of_kind)

    async def found() -> dict[Key, Key | None]:
        process = world.process()
        return {key: await process.find(kind, alias) for key, alias in of_kind.items()}

    assert all(key == back for key, back in world.runner.run(found()).items())


def test_who_comes_first_keeps_the_own_id_where_it_fits(world: World) -> None:
    async def told() -> list[str]:
        aliases = world.process()
        mine, yours = [await aliases.alias(Kind.CONNECTOR, (party, "FIRST1")) for party in PARTIES[:2]]
        again = await world.process().alias(Kind.CONNECTOR, (PARTIES[1], "FIRST1"))
        pile = await aliases.alias(Kind.PILE, pile_key(PARTIES[0], "south-gate", "P1"))
        other_pile = await aliases.alias(Kind.PILE, pile_key(PARTIES[0], "north", "P1"))
        long = await aliases.alias(Kind.STATION, (PARTIES[0], "S" * 21))
        return [mine, yours, again, pile, other_pile, long]

    mine, yours, again, pile, other_pile, long = world.runner.run(told())
    assert mine == "FIRST1"
    assert pile == "P1"
    assert yours == again
    assert yours.startswith(PARTIES[1])
    assert len(yours) == 26
    assert other_pile.startswith(PARTIES[0])
    assert len(other_pile) == 23
    assert long.startswith(PARTIES[0])
    assert len(long) == 20


def test_an_alias_that_nobody_has_names_nothing(world: World) -> None:
    assert world.runner.run(world.process().find(Kind.STATION, "nobody")) is None


def test_a_name_is_looked_up_from_either_side(world: World) -> None:
    own = ("395815801", "S-9/PILE-9")
    aliases = world.process()
    alias = world.runner.run(aliases.alias(Kind.PILE, own))
    row = ("pile", alias, *own)
    for name in (alias, "S-9/PILE-9", "PILE-9"):
        assert world.runner.run(aliases.named(name)) == [row]
    for name in ("9", "-9", "%", "S-9", "PILE_9"):
        assert row not in world.runner.run(aliases.named(name))
