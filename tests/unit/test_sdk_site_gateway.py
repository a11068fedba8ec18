"""What is SiteGateway's own: the functions of an operator and their failures, shutdown, limits."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from operator_sdk import InterpileError, Refuse, SiteOffline, SiteSilent
from operator_sdk.contract.edge_link import SUBPROTOCOL
from operator_sdk.contract.edge_link.agent_end import AgentEnd
from operator_sdk.contract.edge_link.frames import (
    Batch,
    BlacklistCommand,
    CheckCommand,
    Command,
    Done,
    HealthItem,
    LinkCode,
    Refused,
    ReleaseAsk,
    Result,
    Stream,
    TariffsCommand,
    encode,
)
from operator_sdk.contract.messages.roaming import ReleaseRequest
from operator_sdk.site_gateway import SiteConnection
from tests.edge_client import Site, connected, dialled, raw
from tests.edge_gateways import SdkGateway, open_sdk

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
HEALTH = HealthItem(at=AT, can_frames=1, meter_frames=0, spool_waiting=0)
CHECK = CheckCommand(connector_id="C1")
ASK = ReleaseAsk(
    request=ReleaseRequest(authorization_id="aut_01980000-0000-7000-8000-000000000001", reason="start_failed")
)


@asynccontextmanager
async def opened(folder: Path, **limits: Any) -> AsyncIterator[tuple[SdkGateway, Site]]:
    site = Site()
    async with open_sdk(folder, limits=limits) as gateway:
        assert isinstance(gateway, SdkGateway)
        await gateway.add_site(site.site_id, site.key.public_key(), site.connectors)
        yield gateway, site


async def test_a_connected_site_is_listed_with_what_it_said_of_itself(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site):
        assert served.gateway.sites == {}
        async with connected(served, site):
            await served.command(site.site_id, CHECK)
            seen = served.gateway.sites[site.site_id]
            assert (seen.spool_id, seen.connectors, seen.agent_version) == ("spool-1", ("C1", "C2"), "test")
            assert served.gateway.sites[site.site_id].is_ready
        gone = asyncio.Event()

        @served.gateway.on_disconnected
        async def left(site_id: str) -> None:
            assert site_id == site.site_id
            gone.set()

        async with asyncio.timeout(10):
            if site.site_id in served.gateway.sites:
                await gone.wait()
        assert not seen.is_ready
        with pytest.raises(SiteOffline):
            await seen.command(CHECK)


async def test_a_site_that_cannot_be_told_what_it_must_know_is_sent_away_and_comes_back(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as (served, site):
        failures = [InterpileError("the database"), OSError("another kind")]
        seen: list[SiteConnection] = []

        @served.gateway.on_connected
        async def push(connection: SiteConnection) -> None:
            seen.append(connection)
            if failures:
                raise failures.pop()

        for _ in range(2):
            async with dialled(served, site) as line:
                assert await line.closed() == LinkCode.GOING_DOWN
            assert not seen[-1].is_ready
        async with connected(served, site):
            assert await served.gateway.command(site.site_id, CHECK) == Done()


async def test_a_command_waits_for_what_comes_first_but_no_longer_than_it_may(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site):
        go_on = asyncio.Event()

        @served.gateway.on_connected
        async def push(connection: SiteConnection) -> None:
            await go_on.wait()
            await connection.command(TariffsCommand(tariffs=[]))

        async with connected(served, site) as line:
            with pytest.raises(SiteOffline):
                await served.gateway.command(site.site_id, CHECK, within_s=0.1)
            assert line.events[1:] == []
            asking = asyncio.create_task(served.gateway.command(site.site_id, CHECK))
            go_on.set()
            assert await asking == Done()
            assert await line.commanded(TariffsCommand) == [TariffsCommand(tariffs=[])]


@pytest.mark.parametrize(
    ("raised", "answer"),
    [
        (Refuse("token_blocked", "ask the bank"), Refused(code="token_blocked", detail="ask the bank")),
        (Refuse("token_blocked", "x" * 500), Refused(code="token_blocked", detail="x" * 200)),
    ],
)
async def test_a_refusal_is_an_answer(tmp_path: Path, raised: Refuse, answer: Refused) -> None:
    async with opened(tmp_path) as (served, site):

        @served.gateway.on_ask
        async def asked(_site: str, _ask: Any) -> Any:
            raise raised

        async with connected(served, site) as line:
            assert (await line.ask("a-1", ASK)).answer == answer


@pytest.mark.parametrize("problem", [InterpileError("no hub"), ValueError("a bug, with a card number in it")])
async def test_a_question_that_could_not_be_answered_stays_open_and_its_words_stay_unlogged(
    tmp_path: Path, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as (served, site):
        problems = [problem]

        @served.gateway.on_ask
        async def asked(_site: str, _ask: Any) -> Any:
            if problems:
                raise problems.pop()
            return Done()

        async with connected(served, site) as line:
            line.end.ask("a-1", ASK)
            assert (await line.ask("a-2", ASK)).answer == Done()
            assert [one for one in line.events if getattr(one, "ask_id", "") == "a-1"] == []
    assert "on_ask for site site-1" in caplog.text
    assert "card number" not in caplog.text


async def test_without_a_function_a_question_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site):
        served.gateway._ask = None
        async with connected(served, site) as line:
            assert (await line.ask("a-1", ASK)).answer == Refused(code="not_found")


async def test_questions_of_one_site_are_answered_a_few_at_a_time(tmp_path: Path) -> None:
    async with opened(tmp_path, asks_most=2) as (served, site):
        go_on = asyncio.Event()

        @served.gateway.on_ask
        async def asked(_site: str, _ask: Any) -> Any:
            await go_on.wait()
            return Done()

        async with connected(served, site) as line:
            line.end.ask("a-1", ASK)
            line.end.ask("a-2", ASK)
            assert (await line.ask("a-3", ASK)).answer == Refused(code="too_many_requests")
            go_on.set()
            assert (await line.ask("a-4", ASK)).answer == Done()


async def test_commands_of_one_site_are_under_way_a_few_at_a_time(tmp_path: Path) -> None:
    def hears(command: Command) -> Result | None:
        return None if command == CHECK else Done()

    async with (
        opened(tmp_path, commands_most=2) as (served, site),
        connected(served, site, answering=hears) as line,
    ):
        await line.commanded(BlacklistCommand)
        command = served.gateway.command
        asking = [asyncio.create_task(command(site.site_id, CHECK, within_s=1)) for _ in range(2)]
        await line.commanded(CheckCommand, 2)
        with pytest.raises(SiteOffline):
            await command(site.site_id, CHECK)
        for one in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(one, SiteSilent)
            assert isinstance(one, TimeoutError)


async def test_a_command_larger_than_a_frame_is_a_mistake_of_the_callers(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site), connected(served, site):
        huge = BlacklistCommand(version=1, digests=[bytes(16)] * 70_000)
        with pytest.raises(ValueError, match="larger"):
            await served.gateway.command(site.site_id, huge)
        assert await served.gateway.command(site.site_id, CHECK) == Done()


async def test_repeats_that_wait_together_share_the_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site), connected(served, site):
        asking = [served.gateway.command(site.site_id, CHECK, command_id="mine") for _ in range(3)]
        assert await asyncio.gather(*asking) == [Done()] * 3


async def test_at_shutdown_every_site_hears_why_and_nobody_new_comes_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site), connected(served, site) as line:
        async with raw(served) as unproved:
            await unproved.recv()
            await line.offer(Stream.LIVE, [HEALTH])
            await line.acknowledged(Stream.LIVE, 1)
            await served.gateway.aclose()
            assert await line.closed() == LinkCode.GOING_DOWN
            assert b"going_down" in await unproved.recv(decode=False)
        with pytest.raises(Exception, match="403"):
            async with raw(served):
                pass


async def test_a_key_that_cannot_be_looked_up_lets_nobody_in_and_breaks_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (served, site):

        async def lost(_: str) -> None:
            raise OSError("the database is away")

        served.gateway._site_key = lost
        async with dialled(served, site) as line:
            assert await line.closed() == LinkCode.GOING_DOWN
        served.gateway._site_key = served._site_key
        async with connected(served, site):
            assert await served.gateway.command(site.site_id, CHECK) == Done()


async def test_who_does_not_read_is_not_read_from(tmp_path: Path) -> None:
    """On the bare ASGI: a site repeats a batch for ever and takes none of the acknowledgements."""
    async with opened(tmp_path, send_s=0.3) as (served, site):
        to_gateway: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        agent = AgentEnd(site.identity(served), nonce=bytes(32))
        batch = encode(Batch(stream=Stream.LIVE, first=1, items=[msgspec.Raw(encode(HEALTH))]))
        taken = 0

        async def receive() -> dict[str, Any]:
            nonlocal taken
            if agent.is_open:
                taken += 1
                await asyncio.sleep(0)
                return {"type": "websocket.receive", "bytes": batch}
            return await to_gateway.get()

        async def send(message: MutableMapping[str, Any]) -> None:
            if agent.is_open:
                await asyncio.Event().wait()
            if message["type"] == "websocket.send":
                agent.receive(message["bytes"])
            if agent.is_open:
                to_gateway.put_nowait({"type": "websocket.receive", "bytes": batch})
            while agent.outgoing:
                to_gateway.put_nowait({"type": "websocket.receive", "bytes": agent.outgoing.popleft()})

        to_gateway.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": "/edge", "headers": [], "subprotocols": [SUBPROTOCOL]}
        async with asyncio.timeout(10):
            await served.gateway.route()(scope, receive, send)
        assert await served.stored(site.site_id) == [HEALTH]
        assert taken < 5
        assert served.gateway.sites == {}


async def test_one_address_without_proofs_does_not_keep_the_sites_of_others_out(tmp_path: Path) -> None:
    async with opened(tmp_path, unproved_most=2) as (served, _), raw(served) as one, raw(served) as two:
        await one.recv()
        await two.recv()
        with pytest.raises(InvalidStatus):
            async with raw(served):
                pass
        async with connect(
            served.url, subprotocols=[Subprotocol(SUBPROTOCOL)], local_addr=("127.0.0.2", 0), proxy=None
        ) as elsewhere:
            assert await elsewhere.recv()


async def test_connections_that_come_together_are_counted_before_they_are_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path, unproved_most=2) as (served, _), AsyncExitStack() as stack:
        coming = [stack.enter_async_context(raw(served)) for _ in range(12)]
        came = await asyncio.gather(*coming, return_exceptions=True)
        assert sum(isinstance(one, InvalidStatus) for one in came) == 10
