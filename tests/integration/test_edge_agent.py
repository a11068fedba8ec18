"""Charges on a whole site: simulated piles, meters and the agent in processes, their gateway here."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.checking import check, table
from edge_agent.settings import read_settings
from operator_sdk.contract.codes import TargetKind, TokenKind
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    AuthorizeAsk,
    Authorized,
    BlacklistCommand,
    CheckCommand,
    CheckResult,
    Done,
    QueryCommand,
    QueryResult,
    Refused,
    ReleaseAsk,
    StartCommand,
    StartResult,
    StopCommand,
    UnlockCommand,
)
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import Authorization
from operator_sdk.contract.pricing import total_fen
from tests.edge_rig import TARIFF, Pile, World, new_id, open_world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("site"), "ac", "dc") as opened:
        opened.start_agent()
        await opened.push_tariff()
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def world(site: World) -> World:
    """The site, its piles well and with a vehicle each."""
    for pile in site.piles:
        await pile.do("return", "allow starts", "clear", "meter behave", "unplug", "plug 20")
    site.receiver.answering = lambda _: None
    await site.available(*site.piles)
    return site


async def begun(world: World, pile: Pile, energy_wh: int = 100) -> str:
    """A charge that runs."""
    session_id, reply = await world.start(pile)
    assert reply.accepted
    await world.charging(session_id, energy_wh)
    return session_id


async def billed(world: World, session_id: str) -> ChargeRecord:
    """The one bill of a charge, after everything about it has been looked at."""
    await world.ended(session_id)
    await world.receiver.until(lambda: world.receiver.updates(session_id)[-1].state == "ended")
    updates = world.receiver.updates(session_id)
    (bill,) = world.receiver.bills(session_id)
    assert [update.number for update in updates] == list(range(1, len(updates) + 1))
    assert [update.energy_wh for update in updates] == sorted(update.energy_wh for update in updates)
    assert bill.energy_wh == updates[-1].energy_wh == bill.meter_end_wh - bill.meter_start_wh
    assert bill.amount_fen == total_fen(bill.lines) == updates[-1].amount_fen
    assert bill.stop_reason == updates[-1].stop_reason
    return bill


async def test_a_charge_begins_runs_and_is_billed(world: World) -> None:
    pile = world.piles[0]
    session_id = await begun(world, pile, energy_wh=100)
    commands = (await pile.do("status"))["commands_taken"]
    leased = await pile.until(lambda said: said["commands_taken"] >= commands + 2)
    assert (leased["state"], leased["limit_w"]) == ("charging", None)
    assert await world.stop(session_id) == "stopping"
    bill = await billed(world, session_id)
    assert bill.stop_reason == "driver_remote"
    assert bill.energy_wh >= 100
    assert bill.energy_resolution_wh == 10
    true = await pile.do("status")
    assert bill.meter_end_wh == true["meter_wh"] // 10 * 10
    status = world.status(session_id)["session"]
    assert status["updates_made"] == len(world.receiver.updates(session_id))
    assert status["bill"]["record_ref"] == bill.record_ref
    assert await world.stop(session_id) == "ended"


async def test_targets_and_the_limit_end_a_charge_without_being_passed(world: World) -> None:
    ac, dc = world.piles
    by_time, _ = await world.start(ac, target=Target(kind=TargetKind.TIME, value=60))
    by_energy, _ = await world.start(dc, target=Target(kind=TargetKind.ENERGY, value=3_000), limit_fen=9_000)
    bill = await billed(world, by_energy)
    assert (bill.stop_reason, 1_500 < bill.energy_wh <= 3_000) == ("target_energy", True)
    by_limit, _ = await world.start(dc, limit_fen=500)
    bill = await billed(world, by_limit)
    assert (bill.stop_reason, 200 < bill.amount_fen <= 500) == ("limit_reached", True)
    by_amount, _ = await world.start(dc, target=Target(kind=TargetKind.AMOUNT, value=400), limit_fen=9_000)
    bill = await billed(world, by_amount)
    assert (bill.stop_reason, bill.amount_fen <= 400) == ("target_amount", True)
    bill = await billed(world, by_time)
    assert (bill.stop_reason, (bill.ended_at - bill.started_at).total_seconds() >= 60) == ("target_time", True)


@pytest.mark.parametrize(
    ("done", "reason", "fault"),
    [
        (("emergency",), "emergency", "emergency_stop"),
        (("fault insulation",), "fault", "insulation"),
        (("unplug",), "unplugged", None),
        (("press stop",), "driver_local", None),
        (("full",), "vehicle_full", None),
        (("meter backward",), "fault", "meter_went_back"),
        (("meter vanish",), "fault", "meter_silent"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_what_happens_at_the_pile_ends_the_charge_with_its_bill(
    world: World, done: tuple[str, ...], reason: str, fault: str | None
) -> None:
    pile = world.piles[1]
    session_id = await begun(world, pile)
    seen = len(world.receiver.faults())
    await pile.do(*done)
    bill = await billed(world, session_id)
    assert bill.stop_reason == reason
    if fault is not None:
        await world.receiver.until(lambda: (fault, False) in world.receiver.faults()[seen:])
        await world.receiver.until(
            lambda: world.receiver.states(pile.connector_id)[-1] in {"faulted", "offline"}
        )
        _, refused = await world.start(pile)
        assert refused.refusal in {"connector_faulted", "connector_offline"}
        await pile.do("return", "clear", "meter behave")
        await world.receiver.until(lambda: (fault, True) in world.receiver.faults()[seen:])
        await world.receiver.until(lambda: world.receiver.states(pile.connector_id)[-1] == "occupied")
    assert (await pile.do("status"))["state"] in {"plugged", "idle", "faulted"}


async def test_a_pile_that_vanishes_while_it_charges_is_billed_when_its_energy_has_stopped(
    world: World,
) -> None:
    pile = world.piles[1]
    session_id = await begun(world, pile)
    await pile.do("vanish")
    await world.receiver.until(lambda: world.receiver.updates(session_id)[-1].state == "stopping")
    await world.receiver.until(lambda: world.receiver.states(pile.connector_id)[-1] == "offline")
    stopping = world.receiver.updates(session_id)[-1]
    await world.receiver.until(
        lambda: world.receiver.updates(session_id)[-1].energy_wh > stopping.energy_wh + 1_000
    )
    assert world.receiver.bills(session_id) == [], "the meter still runs"
    await pile.do("return")
    bill = await billed(world, session_id)
    assert bill.stop_reason == "fault"
    assert bill.meter_end_wh == (await pile.do("status"))["meter_wh"] // 10 * 10


async def test_starts_that_cannot_be_are_refused_with_their_reason(world: World) -> None:
    ac, dc = world.piles
    session_id = await begun(world, ac, energy_wh=0)
    _, reply = await world.start(ac)
    assert reply.refusal == "connector_busy"
    nowhere = Pile("NOWHERE", "ac", 1, ac.process, ac.control, {}, "")
    _, reply = await world.start(nowhere)
    assert reply.refusal == "connector_unknown"
    await world.stop(session_id)
    await billed(world, session_id)
    await dc.do("refuse starts")
    failed, reply = await world.start(dc)
    assert reply.accepted
    await world.receiver.until(lambda: world.receiver.updates(failed))
    assert [update.state for update in world.receiver.updates(failed)] == ["start_failed"]
    assert world.receiver.bills(failed) == []


async def test_the_same_command_has_one_result_and_a_burnt_session_never_starts(world: World) -> None:
    pile = world.piles[0]
    session_id = new_id("ses")
    stop = StopCommand(session_id=session_id, reason="hub")
    assert (await world.receiver.command(stop, Refused)).code == "not_found"
    request = world.request(pile, session_id)
    result = await world.receiver.command(StartCommand(request=request), StartResult, command_id="cmd-once")
    assert result.reply.refusal == "host_refused"
    assert (
        await world.receiver.command(StartCommand(request=request), StartResult, command_id="cmd-once")
        == result
    )
    started, reply = await world.start(pile, command_id="cmd-start")
    again = await world.receiver.command(
        StartCommand(request=world.request(pile, started)), StartResult, command_id="cmd-start"
    )
    assert again.reply == reply
    elsewhere = StartCommand(request=world.request(world.piles[1], new_id("ses")))
    known = await world.receiver.command(elsewhere, StartResult, command_id="cmd-start")
    assert known.reply == reply, "the id has been used"
    other = await world.receiver.command(StartCommand(request=world.request(pile, started)), StartResult)
    assert other.reply == reply
    await world.charging(started)
    running = await world.receiver.command(QueryCommand(session_id=started), QueryResult)
    assert (running.session.known, running.session.state) == (True, "charging")
    unknown = await world.receiver.command(QueryCommand(session_id=new_id("ses")), QueryResult)
    assert not unknown.session.known
    check = await world.receiver.command(CheckCommand(connector_id="P1"), CheckResult)
    assert check.reply.state == "charging"
    assert (await world.receiver.command(UnlockCommand(connector_id="P1"), Refused)).code == "connector_busy"
    await world.stop(started)
    await billed(world, started)
    await world.receiver.command(UnlockCommand(connector_id="P1"), Done)


def granting(world: World, session_id: str, limit_fen: int | None = None) -> list[Ask]:
    """The home grants every card; what it was asked."""
    asked: list[Ask] = []

    def answer(ask: Ask) -> Answer | None:
        asked.append(ask)
        if not isinstance(ask, AuthorizeAsk):
            return Done()
        return Authorized(
            authorization=Authorization(
                authorization_id=new_id("aut"),
                authorization_ref=ask.request.authorization_ref,
                state="granted",
                session_id=session_id,
                limit_fen=limit_fen,
                token_ref="t-9",
                tariff=TARIFF,
            )
        )

    world.receiver.answering = answer
    return asked


async def test_a_card_starts_a_charge_and_the_same_card_stops_it(world: World) -> None:
    pile, session_id = world.piles[0], new_id("ses")
    asked = granting(world, session_id)
    await pile.do("tap B0000042")
    await world.charging(session_id, energy_wh=50)
    (ask,) = asked
    assert isinstance(ask, AuthorizeAsk)
    assert (ask.request.token.ref, ask.request.connector_id) == ("B0000042", "P1")
    await pile.do("tap B0000099")
    await world.receiver.until(lambda: world.status()["taps"][-1]["refusal"] == "connector_busy")
    await pile.do("tap B0000042")
    assert (await billed(world, session_id)).stop_reason == "card"
    assert [tap["outcome"] for tap in world.status()["taps"]][-3:] == ["started", "refused", "stopped"]


async def test_a_card_is_refused_by_the_list_by_home_or_for_want_of_an_answer(world: World) -> None:
    pile, other = world.piles
    refused = Token(kind=TokenKind.CARD, ref="B0000666")
    await world.receiver.command(BlacklistCommand(version=1, digests=[token_digest(refused)]), Done)
    await pile.do("tap B0000666")
    await world.receiver.until(lambda: world.status()["taps"][-1]["refusal"] == "token_blocked")
    assert world.receiver.asked == [] or all(
        not isinstance(ask, AuthorizeAsk) or ask.request.token != refused for ask in world.receiver.asked
    )
    world.receiver.answering = lambda _: Refused(code="insufficient_funds")
    await other.do("tap B0000777")
    await world.receiver.until(lambda: world.status()["taps"][-1]["refusal"] == "insufficient_funds")


async def test_a_card_is_refused_without_a_link_and_what_home_granted_meanwhile_is_given_back(
    world: World,
) -> None:
    pile, session_id = world.piles[0], new_id("ses")
    lines: list[asyncio.Task[None]] = []

    def no_line(_: Ask) -> None:
        lines.append(asyncio.create_task(world.receiver.cut()))

    world.receiver.answering = no_line
    await pile.do("tap B0000555")
    await world.receiver.until(lambda: world.status()["taps"][-1]["refusal"] == "home_unavailable")
    asked = granting(world, session_id)
    await world.receiver.until(lambda: any(isinstance(ask, ReleaseAsk) for ask in asked))
    assert isinstance(asked[0], AuthorizeAsk)
    assert asked[0].request.token.ref == "B0000555"
    assert world.receiver.updates(session_id) == [], "the driver has gone"
    assert len(lines) == 1


async def test_an_authorization_whose_start_fails_is_given_back(world: World) -> None:
    pile, session_id = world.piles[1], new_id("ses")
    asked = granting(world, session_id)
    await pile.do("refuse starts", "tap B0000123")
    await world.receiver.until(lambda: any(isinstance(ask, ReleaseAsk) for ask in asked))
    assert [update.state for update in world.receiver.updates(session_id)] == ["start_failed"]
    releases = [ask.request.reason for ask in asked if isinstance(ask, ReleaseAsk)]
    assert releases == ["start_failed"]


async def test_health_counts_frames_and_states_follow_the_pile(world: World) -> None:
    pile = world.piles[0]
    before = world.receiver.health()[-1]
    await pile.do("unplug")
    await world.receiver.until(lambda: world.receiver.states(pile.connector_id)[-1] == "available")
    await pile.do("plug 30")
    await world.receiver.until(lambda: world.receiver.states(pile.connector_id)[-1] == "occupied")
    await world.receiver.until(lambda: world.receiver.health()[-1].can_frames > before.can_frames)
    assert world.receiver.health()[-1].meter_frames > before.meter_frames > 0
    assert world.receiver.bad() == []


async def test_a_check_says_what_every_bus_and_meter_answers(tmp_path: Path) -> None:
    async with open_world(tmp_path, "ac", "dc") as world:
        ac, dc = world.piles
        dc.rated_power_w = 60_000
        ac.can["node"] = 9
        world.write_site()
        wrong = await check(read_settings(world.site_file))
        assert [one.meter_address for one in wrong] == ["202506180001", "202506180002"]
        assert [one.meter_wh for one in wrong] == [1_234_560, 1_234_560]
        assert [one.problem for one in wrong] == ["node 9 is not heard", "the file says dc 60000 W"]
        dc.rated_power_w, ac.can["node"] = 120_000, 1
        dc.meter_port = "/dev/nothing-here"
        world.write_site()
        good, no_meter = await check(read_settings(world.site_file))
        assert (good.is_good, good.pile) == (True, "plugged, ac 7000 W")
        assert "/dev/nothing-here" in no_meter.problem
        page = table([good, no_meter])
        assert "正常 good" in page
        assert "202506180001" in page
