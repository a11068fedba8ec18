"""A hub in a process of its own, four T/CEC 102 partners in theirs, and a native pair beside them.

H1 and G1 are disturbed, H2 and G2 and the native pair never are. A minute of business time is three seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from operator_sdk.contract.messages.admin import AgreementAdd
from tests.faults.processes import Child
from tests.faults.world import World, open_world
from tests.rig import HOLD_FEN, HUB, Rig
from tests.tcec_partner import Pair, Simulator, free_port, keys_of, simulator

HOST_1, HOST_2, HOME_1, HOME_2 = "MA5TCECH1", "MA5TCECH2", "MA5TCECG1", "MA5TCECG2"
HOSTS, HOMES = (HOST_1, HOST_2), (HOME_1, HOME_2)
DISTURBED = (HOST_1, HOME_1)
SPEED = 20
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""In Shanghai."""

STATUS_LIFE_S = 86_400
"""Three minutes, as usual, would be nine seconds here."""

EXPOSURE_FEN = 100_000_000
PROFILE = """[push]
status_s = 8
[limits]
rate_per_s = 200
concurrent = 100
"""
VEHICLE_WH, CHARGE_S = 660, 2.0
"""What a vehicle takes, and how long that lasts on the wall at 60 kW."""

OPTIONS = ("--connectors", "8", "--stations", "1", "--slow-s", "1.5", "--push-s", "0.4")


@dataclass
class Town:
    """Everything that runs."""

    world: World
    hub: Child
    partners: dict[str, Simulator]
    pairs: dict[str, Pair]
    down: set[str] = field(default_factory=set)
    """Partners that were killed and are not back."""

    @property
    def rig(self) -> Rig:
        """The hub's database, and the native pair."""
        return self.world.rig


def pair_of(party_id: str) -> Pair:
    """A partner and the hub, with keys that no other pair has."""
    return Pair(party_id, HUB, keys_of(f"issued by {party_id}"), keys_of(f"issued to {party_id}"))


@asynccontextmanager
async def open_town(folder: Path) -> AsyncIterator[Town]:
    """Everything up, the stations known on both sides; the books are audited at the end."""
    epoch = datetime.now(UTC)
    clock = {
        "SPEED": str(SPEED),
        "INTERPILE_EPOCH": epoch.isoformat(),
        "INTERPILE_EPOCH_BUSINESS": NOON.isoformat(),
    }
    async with AsyncExitStack() as stack:
        given = {**clock, "INTERPILE_STATUS_LIFE_S": str(STATUS_LIFE_S)}
        world = await stack.enter_async_context(open_world("postgresql", folder, **given))
        pairs = {party_id: pair_of(party_id) for party_id in (*HOSTS, *HOMES)}
        ports = {party_id: free_port() for party_id in pairs}
        await _introduce(world, pairs, ports)
        environment = {**clock, "INTERPILE_ENV": "test"}
        up = [
            simulator(
                folder,
                pair,
                world.url,
                role="host" if party_id in HOSTS else "home",
                port=ports[party_id],
                options=(*OPTIONS, "--vehicle-wh", str(VEHICLE_WH), "--folder", str(folder / party_id)),
                environment=environment,
            )
            for party_id, pair in pairs.items()
        ]
        hub = world.fleet.serve(world.url)
        started = await asyncio.gather(*(stack.enter_async_context(one) for one in up))
        await hub.answers(world.url)
        await world.rig.hub.station_pulls.advance()
        town = Town(world, hub, dict(zip(pairs, started, strict=True)), pairs)
        for home in HOMES:
            await town.partners[home].post("sync")
        yield town
        for partner in started:
            partner.kill()


async def _introduce(world: World, pairs: dict[str, Pair], ports: dict[str, int]) -> None:
    hub = world.rig.hub
    for party_id, pair in pairs.items():
        role, most_fen = ("host", 0) if party_id in HOSTS else ("home", EXPOSURE_FEN)
        text = pair.hub_profile(f"http://127.0.0.1:{ports[party_id]}", roles=[role], more=PROFILE)
        await hub.tcec102.profiles.add(text, "test", deposit_fen=most_fen, limit_fen=most_fen)
    for home in HOMES:
        for host in HOSTS:
            terms = AgreementAdd(home_party_id=home, host_party_id=host, hold_fen=HOLD_FEN)
            await hub.parties.add_agreement(terms, actor="test")
