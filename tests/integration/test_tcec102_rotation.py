"""Keys change on both sides while messages go both ways; the partner is `interpile sim tcec102`, over ASGI."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from hub.core.outbound import Outbound, OutboundAnswer
from hub.parties.link import LinkError, LinkRefused
from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.messages import (
    ConnectorStatusInfo,
    NotificationStationStatus,
    QueryStationStatus,
)
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.errors import SignatureError
from operator_sdk.tcec102.sim.control import Control
from operator_sdk.tcec102.sim.platform import Options, Platform
from tests.tcec102_gate import World, open_world
from tests.tcec_partner import Pair, keys_of, secrets_toml

pytestmark = pytest.mark.integration

PAIR = Pair(sim_id="MA5SIMUL1", hub_id="MA5HUB000")
ASKED = QueryStationStatus(station_ids=["S0000001"])
TOLD = NotificationStationStatus(connector_status_info=ConnectorStatusInfo(connector_id="C1", status=1))
OLD, BOTH, NEW = ("1",), ("1", "2"), ("2",)
LIMITS = "[limits]\nrate_per_s = 100000\nconcurrent = 100\n"


def sets(kind: str, issuer: str, names: Sequence[str]) -> str:
    """Key sets of an issuer; the second one is newer."""
    since = {"1": "", "2": "since = 2026-01-01T00:00:00Z"}
    return "".join(secrets_toml(kind, keys_of(issuer + n), name=issuer + n, more=since[n]) for n in names)


def of_hub(*, theirs: Sequence[str], ours: Sequence[str]) -> str:
    """The partner's profile, as the hub has it."""
    head = PAIR.hub_profile("http://partner", roles=["host"], more=LIMITS).split("[[secrets")[0]
    return head + sets("theirs", "partner", theirs) + sets("ours", "hub", ours)


def of_partner(*, theirs: Sequence[str], ours: Sequence[str]) -> str:
    """The hub's profile, as the partner has it."""
    head = PAIR.sim_profile("http://hub", roles=["home"], more=LIMITS).split("[[secrets")[0]
    return head + sets("theirs", "hub", theirs) + sets("ours", "partner", ours)


@dataclass
class Wire(Outbound):
    """The network, on the hub's way to the partner."""

    http: httpx.AsyncClient

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        answer = await self.http.request(method, url, headers=dict(headers), content=body)
        return OutboundAnswer(answer.status_code, dict(answer.headers), answer.content)


@dataclass
class Two:
    """The hub and the partner; `said` are the messages that were taken, by who sent them."""

    world: World
    platform: Platform
    control: httpx.AsyncClient
    said: dict[str, int] = field(default_factory=lambda: {"hub": 0, "partner": 0})
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    over: bool = False

    async def hub_has(self, **key_sets: Sequence[str]) -> None:
        await self.world.hub.tcec102.profiles.replace(PAIR.sim_id, of_hub(**key_sets), "test")

    async def partner_has(self, **key_sets: Sequence[str]) -> None:
        answer = await self.control.post("/keys", json={"profile": of_partner(**key_sets)})
        names = [f"hub{n}" for n in key_sets["theirs"]], [f"partner{n}" for n in key_sets["ours"]]
        assert (answer.json()["theirs"], answer.json()["ours"]) == names

    async def hub_says(self) -> Any:
        return await self.world.hub.tcec102.caller.call(PAIR.sim_id, "query_station_status", ASKED)

    async def partner_says(self) -> Any:
        return await self.platform.client.notification_stationStatus(TOLD)

    async def talk(self) -> None:
        """Both say something until it is over; the first message that is not taken ends it."""

        async def on(who: str, say: Any) -> None:
            while not self.over:
                await say()
                async with self.news:
                    self.said[who] += 1
                    self.news.notify_all()
                await asyncio.sleep(0)  # nothing here waits for a network

        async with asyncio.TaskGroup() as group:
            for who, say in (("hub", self.hub_says), ("partner", self.partner_says)):
                group.create_task(on(who, say))

    async def hear(self, talking: asyncio.Task[None], count: int = 3) -> None:
        """Wait until so many more messages of each were taken, or one was not."""
        wanted = {who: number + count for who, number in self.said.items()}

        async def enough() -> None:
            async with self.news:
                await self.news.wait_for(lambda: all(self.said[who] >= wanted[who] for who in wanted))

        waiting = asyncio.create_task(enough())
        await asyncio.wait({talking, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            talking.result()


@asynccontextmanager
async def opened() -> AsyncIterator[Two]:
    async with open_world() as world:
        await world.hub.tcec102.profiles.add(of_hub(theirs=OLD, ours=OLD), "test")
        profile, secrets = read_profile(of_partner(theirs=OLD, ours=OLD))
        options = Options(profile=profile, secrets=secrets, operator_id=PAIR.sim_id, role="host")
        to_hub = httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app))
        platform = Platform(options, Clock(), http=to_hub)
        to_partner = httpx.AsyncClient(transport=httpx.ASGITransport(app=platform.server))
        app = Control(platform).app()
        control = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://control")
        async with to_hub, to_partner, control:
            world.hub.tcec102.caller._outbound = Wire(to_partner)
            yield Two(world, platform, control)
            await platform.aclose()


IN_OVERLAP = [
    ("hub", {"theirs": OLD, "ours": BOTH}),
    ("partner", {"theirs": NEW, "ours": BOTH}),
    ("hub", {"theirs": BOTH, "ours": BOTH}),
    ("partner", {"theirs": NEW, "ours": NEW}),
    ("hub", {"theirs": NEW, "ours": NEW}),
]
"""Both take the old sets and the new ones for a while, as docs/tcec102.md has it."""

ABRUPT = [
    ("hub", {"theirs": BOTH, "ours": BOTH}),
    ("partner", {"theirs": NEW, "ours": NEW}),
    ("hub", {"theirs": NEW, "ours": NEW}),
]
"""The partner knows one set at a time, and changes when it likes once the hub knows both."""


@pytest.mark.parametrize("steps", [IN_OVERLAP, ABRUPT], ids=["in overlap", "abrupt"])
async def test_all_keys_change_both_ways_without_a_message_that_is_not_taken(
    steps: list[tuple[str, dict[str, Sequence[str]]]],
) -> None:
    async with opened() as two:
        talking = asyncio.create_task(two.talk())
        await two.hear(talking)
        for who, key_sets in steps:
            await (two.hub_has if who == "hub" else two.partner_has)(**key_sets)
            await two.hear(talking)
        two.over = True
        await talking
        counts = two.platform.journal.counts
        assert counts["in:query_station_status"] == two.said["hub"] >= 3 * len(steps)
        assert counts["out:notification_stationStatus:ok"] == two.said["partner"]
        assert counts["in:query_token"] == 1


async def test_keys_that_change_without_a_word_cost_time_and_no_message() -> None:
    """Neither side can believe the other, and neither takes that for an answer: the same is said again."""
    async with opened() as two:
        await two.hub_says()
        await two.partner_says()
        await two.partner_has(theirs=NEW, ours=NEW)
        with pytest.raises(LinkError, match="answer: signature") as unheard:
            await two.hub_says()
        assert not isinstance(unheard.value, LinkRefused)
        with pytest.raises(SignatureError):
            await two.partner_says()
        await two.hub_has(theirs=NEW, ours=NEW)
        assert (await two.hub_says()).total == 0, "a station that it does not have"
        assert (await two.partner_says()).status == 1, "a connector that the hub was never told of"
