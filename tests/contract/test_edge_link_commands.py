"""Both gateways command a site in the same way, and answer what it asks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.edge_link.agent_end import Commanded
from operator_sdk.contract.edge_link.frames import (
    BlacklistCommand,
    CheckCommand,
    CheckResult,
    Command,
    Done,
    HealthItem,
    QueryCommand,
    QueryResult,
    Refused,
    ReleaseAsk,
    Result,
    Stream,
    TariffsCommand,
    UnlockCommand,
)
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.messages.roaming import CheckConnectorReply, HostSession, ReleaseRequest
from tests.edge_client import Site, connected
from tests.edge_gateways import OPENERS, EdgeGateway, NoAnswer, NotConnected

pytestmark = pytest.mark.contract

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
SESSION = "ses_01980000-0000-7000-8000-000000000001"
AUTHORIZATION = "aut_01980000-0000-7000-8000-000000000001"


@pytest.fixture(params=sorted(OPENERS))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return partial(OPENERS[request.param], tmp_path)


@pytest.fixture
async def gateway(opener: Any) -> AsyncIterator[EdgeGateway]:
    async with opener() as opened:
        yield opened


@pytest.fixture
async def site(gateway: EdgeGateway) -> Site:
    return await known(gateway)


async def known(gateway: EdgeGateway) -> Site:
    site = Site()
    await gateway.add_site(site.site_id, site.key.public_key(), site.connectors)
    return site


def answering(command: Command) -> Result | None:
    """A site that knows what to say to each command."""
    match command:
        case CheckCommand(connector_id="C1"):
            return CheckResult(reply=CheckConnectorReply(state="available", at=AT))
        case CheckCommand():
            return Refused(code="connector_unknown")
        case QueryCommand():
            return QueryResult(session=HostSession(known=False))
        case UnlockCommand():
            return None
        case _:
            return Done()


async def test_a_command_gets_its_own_answer(gateway: EdgeGateway, site: Site) -> None:
    async with connected(gateway, site, answering=answering):
        first, second, third = await asyncio.gather(
            gateway.command(site.site_id, CheckCommand(connector_id="C1")),
            gateway.command(site.site_id, QueryCommand(session_id=SESSION)),
            gateway.command(site.site_id, CheckCommand(connector_id="C2")),
        )
    assert isinstance(first, CheckResult)
    assert first.reply.state == "available"
    assert second == QueryResult(session=HostSession(known=False))
    assert third == Refused(code="connector_unknown")


async def test_a_site_that_is_not_there_was_certainly_not_commanded(gateway: EdgeGateway, site: Site) -> None:
    with pytest.raises(NotConnected):
        await gateway.command(site.site_id, CheckCommand(connector_id="C1"))
    async with connected(gateway, site, answering=answering) as line:
        await gateway.command(site.site_id, CheckCommand(connector_id="C1"))
        assert await line.commanded(CheckCommand) == [CheckCommand(connector_id="C1")]


async def test_a_site_that_does_not_answer_is_silent_and_the_next_command_is_answered(
    gateway: EdgeGateway, site: Site
) -> None:
    async with connected(gateway, site, answering=answering):
        with pytest.raises(NoAnswer):
            await gateway.command(site.site_id, UnlockCommand(connector_id="C1"))
        answer = await gateway.command(site.site_id, CheckCommand(connector_id="C1"))
        assert isinstance(answer, CheckResult)


async def test_a_cut_in_the_middle_of_a_command_leaves_it_open(gateway: EdgeGateway, site: Site) -> None:
    async with connected(gateway, site, answering=answering) as line:
        asking = asyncio.create_task(gateway.command(site.site_id, UnlockCommand(connector_id="C1")))
        await line.commanded(UnlockCommand)
        line.socket.transport.abort()
        with pytest.raises(NoAnswer):
            await asking


async def test_a_repeated_command_carries_its_first_id_and_gets_the_first_result(
    gateway: EdgeGateway, site: Site
) -> None:
    asked = CheckCommand(connector_id="C1")
    async with connected(gateway, site, answering=answering) as line:
        results = [await gateway.command(site.site_id, asked, command_id="mine-1") for _ in range(2)]
        commanded = [one for one in line.events if isinstance(one, Commanded)]
        sent = [one.command_id for one in commanded if one.command == asked]
    assert results[0] == results[1]
    assert set(sent) == {"mine-1"}


async def test_an_answer_to_no_command_changes_nothing(gateway: EdgeGateway, site: Site) -> None:
    async with connected(gateway, site, answering=answering) as line:
        line.end.result("never-asked", Done())
        await line.flush()
        assert isinstance(await gateway.command(site.site_id, CheckCommand(connector_id="C1")), CheckResult)


def tariff(gateway: EdgeGateway, version: int) -> Tariff:
    """A flat price."""
    period = TariffPeriod(
        start_minute=0, end_minute=1440, electricity_micro=600_000 + version, service_micro=400_000
    )
    return Tariff(
        party_id=gateway.gateway_id, tariff_id="flat", version=version, valid_from=AT, periods=[period]
    )


async def test_tariffs_and_blacklist_are_pushed_at_connection_and_on_change(
    gateway: EdgeGateway, site: Site
) -> None:
    first, second = Token(kind=TokenKind.CARD, ref="B2000004"), Token(kind=TokenKind.CARD, ref="B2000009")
    await gateway.add_tariff(tariff(gateway, 1))
    await gateway.block(first)
    async with connected(gateway, site) as line:
        pushed = (await line.commanded(TariffsCommand))[-1]
        assert [one.version for one in pushed.tariffs if one.tariff_id == "flat"] == [1]
        listed = (await line.commanded(BlacklistCommand))[-1]
        assert listed.digests == [token_digest(first)]

        await gateway.add_tariff(tariff(gateway, 2))
        await line.until(lambda: _versions(line.events) >= {1, 2} or None)
        await gateway.block(second)
        newest = (await line.commanded(BlacklistCommand, 2))[-1]
        while token_digest(second) not in newest.digests:
            count = len(await line.commanded(BlacklistCommand))
            newest = (await line.commanded(BlacklistCommand, count + 1))[-1]
        assert set(newest.digests) == {token_digest(first), token_digest(second)}
        assert newest.version > listed.version


def _versions(events: list[Any]) -> set[int]:
    pushed = [one.command for one in events if isinstance(getattr(one, "command", None), TariffsCommand)]
    return {tariff.version for one in pushed for tariff in one.tariffs if tariff.tariff_id == "flat"}


async def test_what_the_site_has_to_know_comes_before_any_other_command(
    gateway: EdgeGateway, site: Site
) -> None:
    await gateway.add_tariff(tariff(gateway, 1))

    async def insist() -> Result:
        while True:
            try:
                return await gateway.command(site.site_id, CheckCommand(connector_id="C1"))
            except NotConnected:
                await asyncio.sleep(0)

    asking = asyncio.create_task(insist())
    async with connected(gateway, site, answering=answering) as line:
        await asking
        heard = [type(one.command) for one in line.events if hasattr(one, "command")]
    assert heard.index(TariffsCommand) < heard.index(CheckCommand)
    assert heard.index(BlacklistCommand) < heard.index(CheckCommand)


async def test_what_the_site_asks_is_answered_under_its_id(gateway: EdgeGateway, site: Site) -> None:
    ask = ReleaseAsk(request=ReleaseRequest(authorization_id=AUTHORIZATION, reason="start_failed"))
    async with connected(gateway, site) as line:
        for ask_id in ("ask-1", "ask-2"):
            answered = await line.ask(ask_id, ask)
            assert isinstance(answered.answer, Done | Refused)


async def test_a_site_that_reads_nothing_is_closed_and_holds_nobody_up(opener: Any) -> None:
    """Its acknowledgements and commands pile up only so far: then the gateway gives up, and others go on."""
    async with opener(limits={"send_s": 0.5, "idle_s": 60}) as gateway:
        slow = await known(gateway)
        other = Site(site_id="site-2", connectors=("C8",))
        await gateway.add_site(other.site_id, other.key.public_key(), other.connectors)
        big = BlacklistCommand(version=99, digests=[bytes(16)] * 20_000)
        async with (
            connected(gateway, slow, buffer_bytes=4_096) as line,
            connected(gateway, other, answering=answering) as well,
        ):
            await line.commanded(BlacklistCommand)
            await gateway.command(slow.site_id, CheckCommand(connector_id="C1"))
            line.hears.clear()
            asking = [asyncio.create_task(gateway.command(slow.site_id, big)) for _ in range(18)]
            item = HealthItem(at=AT, can_frames=1, meter_frames=0, spool_waiting=0)
            await well.offer(Stream.LIVE, [item])
            await well.acknowledged(Stream.LIVE, 1)
            for failed in await asyncio.gather(*asking, return_exceptions=True):
                assert isinstance(failed, NoAnswer | NotConnected)
            await _until_gone(gateway, slow.site_id, big)
            assert isinstance(
                await gateway.command(other.site_id, CheckCommand(connector_id="C1")), CheckResult
            )


async def _until_gone(gateway: EdgeGateway, site_id: str, more: Command) -> None:
    async with asyncio.timeout(30):
        outcomes: list[Any] = []
        while not any(isinstance(one, NotConnected) for one in outcomes):
            asking = [gateway.command(site_id, more) for _ in range(4)]
            outcomes = await asyncio.gather(*asking, return_exceptions=True)
            assert all(isinstance(one, NotConnected | NoAnswer) for one in outcomes), outcomes
