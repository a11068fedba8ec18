"""The hub's gateway beside a site that is wrong, full or mischievous: staff are told, nobody else suffers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlmodel import col, update

from hub.sites import connections
from hub.sites.connections import TARIFFS_MOST
from hub.sites.jobs import KEPT
from hub.sites.model import RAW_BYTES_MOST
from hub.sites.tables import SiteBadItemRow, SiteCommandRow, SiteLinkRow
from hub.upkeep.tables_alarms import AlarmRow
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.edge_link.frames import (
    AuthorizeAsk,
    Authorized,
    BlacklistCommand,
    CheckCommand,
    CheckResult,
    Command,
    Done,
    HealthItem,
    Refused,
    ReleaseAsk,
    Result,
    StopCommand,
    TariffsCommand,
)
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import TariffPeriod, TariffPut
from operator_sdk.contract.messages.roaming import AuthorizeRequest, ReleaseRequest, StopRequest
from operator_sdk.contract.public_codes import Code
from tests.edge_client import AgentLine, connected
from tests.integration.test_edge_gateway_items import second_site
from tests.rig import HOLD_FEN, B
from tests.rig_charges import begin_by_home
from tests.site_world import (
    BILLS,
    CONNECTOR,
    LIVE,
    SITE,
    E,
    SiteCharge,
    SiteWorld,
    charge_at_site,
    open_site_world,
    send,
)

pytestmark = pytest.mark.integration

FULL = Refused(code=Code.UNAVAILABLE, detail="nothing can be kept just now")


@pytest.fixture
async def world(kind: str) -> AsyncIterator[SiteWorld]:
    async with open_site_world(kind) as world:
        yield world


async def charging(world: SiteWorld, line: AgentLine) -> SiteCharge:
    """A charge at the site that has begun."""
    session = await begin_by_home(world.rig, connector=f"{CONNECTOR}.{E}")
    charge = await charge_at_site(world, session.session_id)
    await send(line, LIVE, charge.as_items(0, 10))
    return charge


def health(world: SiteWorld, **off: int) -> HealthItem:
    """How a site fares whose clock is off by so much."""
    at = world.rig.hub.clock.business() + timedelta(**off)
    return HealthItem(at=at, can_frames=1, meter_frames=1, spool_waiting=0)


async def alarm(world: SiteWorld, code: str) -> AlarmRow:
    """The one alarm of that code."""
    (row,) = await world.rig.rows(AlarmRow, host_party_id=E, code=code)
    assert isinstance(row, AlarmRow)
    return row


# What staff are told.


async def test_a_bill_that_breaks_a_rule_is_kept_and_staff_are_told_which_rule(world: SiteWorld) -> None:
    async with world.online() as line:
        charge = await charging(world, line)
        await send(line, BILLS, [charge.bill_item("one", currency="USD")])
        told = await alarm(world, "bill_refused")
        assert ("suspended" in told.text, "currency" in told.text) == (True, True)
        await send(line, LIVE, [charge.end_item(70)])  # ten minutes from now, by the site's clock
        await send(line, BILLS, [charge.bill_item("two")])
        told = await alarm(world, "bill_refused")
        assert ("rejected" in told.text, "time_order" in told.text, told.count) == (True, True, 2)
    first, second = await world.bad_items()
    assert [(one.kind, one.stream, one.number) for one in (first, second)] == [
        ("bill", "bills", 1),
        ("bill", "bills", 2),
    ]
    assert ("currency" in first.problem, "time_order" in second.problem) == (True, True)


async def test_a_site_whose_clock_is_off_raises_an_alarm_until_it_is_right(world: SiteWorld) -> None:
    async with world.online() as line:
        await send(line, LIVE, [health(world, minutes=6)])
        assert (await alarm(world, "clock_skew")).state == "raised"
        assert "ahead" in (await alarm(world, "clock_skew")).text
        await send(line, LIVE, [health(world, seconds=20)])
        assert (await alarm(world, "clock_skew")).state == "cleared"


async def test_what_was_said_during_an_outage_is_no_clock_that_is_behind(world: SiteWorld) -> None:
    async with world.online() as line:
        await send(line, LIVE, [health(world, hours=-2)])
        assert await world.alarms() == []
        link = update(SiteLinkRow).where(col(SiteLinkRow.site_id) == SITE)
        async with world.rig.hub.database.unit() as unit:
            long_ago = world.rig.hub.clock.wall() - timedelta(minutes=5)
            await unit.execute(link.values(connected_at=long_ago))
        await send(line, LIVE, [health(world, minutes=-6)])
        assert (await alarm(world, "clock_skew")).state == "raised"


# What a site answers.


async def test_results_that_nobody_asked_for_cost_the_hub_nothing(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = world.rig.hub.sites.commands
    noted: list[str] = []
    note = commands.note_result

    async def counted(site_id: str, command_id: str, result: Result) -> None:
        noted.append(command_id)
        await note(site_id, command_id, result)

    monkeypatch.setattr(commands, "note_result", counted)
    async with world.online() as line:
        await commands.run(SITE, CheckCommand(connector_id=CONNECTOR), command_id="asked")
        for number in range(300):
            line.end.result(f"never-asked-{number}", Done())
            line.end.result("asked", Done())
        await line.flush()
        answer = await commands.run(SITE, CheckCommand(connector_id=CONNECTOR), command_id="asked-too")
    assert isinstance(answer, CheckResult)
    assert noted == ["asked", "asked-too"]


async def test_what_a_site_could_not_keep_is_told_again(world: SiteWorld) -> None:
    refused: set[type[Command]] = set()

    def full_at_first(command: Command) -> Result | None:
        answer = world.answering(command)
        if type(command) in refused or not isinstance(command, TariffsCommand | BlacklistCommand):
            return answer
        refused.add(type(command))
        return FULL

    async with world.online(full_at_first) as line:
        await line.commanded(TariffsCommand, 2)
        await line.commanded(BlacklistCommand, 2)
    first, second = world.commands(TariffsCommand)
    assert first == second


async def test_a_stop_that_a_site_could_not_take_is_repeated_until_it_is_taken(world: SiteWorld) -> None:
    refusals = [FULL, FULL]

    def full_at_first(command: Command) -> Result | None:
        answer = world.answering(command)
        return refusals.pop() if isinstance(command, StopCommand) and refusals else answer

    async with world.online(full_at_first) as line:
        charge = await charging(world, line)
        await world.rig.client(B).stop_session(charge.session_id, StopRequest(stop_ref="s-1"))
        await world.rig.work_now("stop_at_host")
        (letter,) = await world.rig.letters("stop_at_host")
        assert letter.done_at is not None
    assert len(world.commands(StopCommand)) == 3
    (row,) = await world.rig.rows(SiteCommandRow, kind="stop")
    assert b"stopping" in row.result


async def test_a_host_that_cannot_decide_on_a_stop_now_is_asked_again(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link says `refused`, but with a code that is no decision."""
    async with world.online() as line:
        charge = await charging(world, line)
        await world.rig.client(B).stop_session(charge.session_id, StopRequest(stop_ref="s-1"))
        with monkeypatch.context() as patch:

            async def undecided(*_: Any, **__: Any) -> Result:
                return Refused(code=Code.IN_PROGRESS)

            patch.setattr(world.rig.hub.sites.commands, "run", undecided)
            await world.rig.work()
        (letter,) = await world.rig.letters("stop_at_host")
        assert (letter.done_at, letter.dead_at, letter.reason) == (None, None, "in_progress")
        await world.rig.work_now("stop_at_host")
    (letter,) = await world.rig.letters("stop_at_host")
    assert letter.done_at is not None


# What a site may ask.


async def test_a_site_releases_no_card_of_its_operators_other_site(world: SiteWorld) -> None:
    other = await second_site(world)
    request = AuthorizeRequest(
        authorization_ref="card-1", token=Token(kind=TokenKind.CARD, ref="BB-1"), connector_id=CONNECTOR
    )
    async with world.online() as line, connected(world, other, answering=world.answering) as there:
        granted = (await line.ask("a-1", AuthorizeAsk(request=request))).answer
        assert isinstance(granted, Authorized)
        mine = ReleaseRequest(authorization_id=granted.authorization.authorization_id, reason="unplugged")
        assert (await there.ask("r-1", ReleaseAsk(request=mine))).answer == Refused(code=Code.NOT_FOUND)
        assert await world.rig.exposure(B) == (0, HOLD_FEN)
        assert (await line.ask("r-1", ReleaseAsk(request=mine))).answer == Done()
        assert await world.rig.exposure(B) == (0, 0)
        nobody = ReleaseRequest(authorization_id=f"aut_{'0' * 36}", reason="unplugged")
        assert (await line.ask("r-2", ReleaseAsk(request=nobody))).answer == Refused(code=Code.NOT_FOUND)


# How much is kept, and how much is sent at once.


async def test_of_what_is_not_taken_the_newest_is_kept_for_a_while_and_bills_apart(
    world: SiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BAD_ITEMS_MOST", 3)
    async with world.online() as line:
        charge = await charging(world, line)
        await send(line, BILLS, [charge.bill_item(session_id=f"ses_{'0' * 36}")])
        for first in (1, 3):
            await send(line, LIVE, [bytes([first]), bytes([first + 1])])
        await send(line, LIVE, [msgspec.msgpack.encode(bytes(300_000))])
    kept = await world.bad_items()
    assert [(one.stream, one.raw[:1]) for one in kept if one.stream == "live"] == [
        ("live", b"\x03"),
        ("live", b"\x04"),
        ("live", b"\xc6"),
    ]
    assert [one.kind for one in kept if one.stream == "bills"] == ["bill"]
    assert max(len(one.raw) for one in kept) == RAW_BYTES_MOST
    await world.rig.hub.tidy()
    assert len(await world.bad_items()) == 4
    old = world.rig.hub.clock.wall() - KEPT - timedelta(minutes=1)
    async with world.rig.hub.database.unit() as unit:
        bills = update(SiteBadItemRow).where(col(SiteBadItemRow.stream) == "bills")
        await unit.execute(bills.values(received_at=old))
    await world.rig.hub.tidy()
    assert {one.stream for one in await world.bad_items()} == {"live"}


async def test_as_many_prices_as_there_may_be_reach_the_site(world: SiteWorld) -> None:
    now = world.rig.hub.clock.business()
    periods = [
        TariffPeriod(
            start_minute=at, end_minute=at + 45, electricity_micro=600_000 + at, service_micro=400_000 + at
        )
        for at in range(0, 1440, 45)
    ]
    for version in range(2, TARIFFS_MOST + 1):
        put = TariffPut(valid_from=now + timedelta(days=version), periods=periods)
        await world.rig.hub.directory.put_tariff(E, "e", version, put)
    async with world.online() as line:
        await line.until(lambda: len(told(world)) >= TARIFFS_MOST or None)
    assert told(world) == list(range(1, TARIFFS_MOST + 1))


def told(world: SiteWorld) -> list[int]:
    """The versions that the site was told, in order."""
    return [one.version for command in world.commands(TariffsCommand) for one in command.tariffs]
