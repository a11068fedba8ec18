"""Hosts that fall silent in the middle of a charge: asked, heard, and not waited for beyond the money."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from hub.core.outbox import Later, Letter
from hub.parties.link import LinkRefused
from hub.parties.scope import HUB
from hub.roaming.tables import SessionRow, get_session
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import HostSession
from operator_sdk.contract.tcec102 import messages
from tests.rig import Rig
from tests.rig_charges import MARGIN_FEN, Charge, begin_by_home, charge_of, open_rig_without_limits
from tests.tcec102_gate import HOST
from tests.tcec_host_rig import HostRig, open_host_rig

pytestmark = pytest.mark.integration

ONCE = pytest.mark.parametrize("kind", ["sqlite"])
"""Where both engines do the same."""


@pytest.fixture
async def rig(kind: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    async with open_rig_without_limits(kind, monkeypatch) as rig:
        yield rig


async def charging(rig: Rig, *minutes: int, limit_fen: int = 700 + MARGIN_FEN) -> Charge:
    """A charge of B's driver that is stopped at 700 fen, heard of at these minutes; B has heard of it too."""
    charge = await charge_of(rig, (await begin_by_home(rig, limit_fen=limit_fen)).session_id)
    await charge.runs(*minutes)
    await rig.work()
    return charge


async def goes_by(rig: Rig | HostRig, charge: Charge | SessionRow, seconds: int) -> None:
    """Nothing was heard of a charge for so long."""
    async with rig.hub.database.unit() as unit:
        row = await get_session(HUB, unit, charge.session_id, lock=True)
        assert row is not None
        row.updated_at = rig.hub.clock.business() - timedelta(seconds=seconds)


async def ask(rig: Rig) -> int:
    """What a round of the sweep brings, with everything that is due; how often A was asked."""
    before = rig.a.heard.count("query_session")
    await rig.hub.roaming.silence.sweep()
    await rig.work()
    return rig.a.heard.count("query_session") - before


def says(charge: Charge, minutes: int, state: SessionState = SessionState.CHARGING) -> HostSession:
    """A's answer, with an update that never came."""
    update = charge.update(minutes, state)
    return HostSession(known=True, state=state, last_number=update.number, update=update)


async def asked_again_s(rig: Rig, charge: Charge) -> int:
    """How many seconds after its last word A is asked about a charge again."""
    (letter,) = [one for one in await rig.letters("ask_silent") if one.done_at is None]
    heard_at = (await rig.session(charge.session_id)).updated_at
    return round((letter.due_at - heard_at).total_seconds())


async def test_a_host_is_asked_when_it_is_silent_and_what_it_says_is_as_if_it_had_come_by_itself(
    rig: Rig,
) -> None:
    charge = await charging(rig, 0)
    for minute in (4, 5):
        await goes_by(rig, charge, 175)
        assert await ask(rig) == 0
        await charge.runs(minute)
    await rig.work()
    rig.a.session = says(charge, 8)
    await goes_by(rig, charge, 181)
    assert await ask(rig) == 1
    row = await rig.session(charge.session_id)
    assert (row.state, row.last_number, row.energy_wh, row.amount_fen) == ("charging", 4, 1_333, 200)
    assert [(one.number, one.amount_fen) for one in rig.b.progress][-2:] == [(3, 125), (4, 200)]
    # It speaks again by itself, and nobody asks any more.
    await charge.runs(9)
    await rig.work_now("ask_silent")
    assert (rig.a.heard.count("query_session"), await rig.letters("ask_silent")) == (1, [])
    await charge.ends(10)
    await goes_by(rig, charge, 10_000)
    assert await ask(rig) == 0


async def test_a_silence_is_asked_about_once_however_many_processes_look(rig: Rig) -> None:
    charges = [await charging(rig, 0, limit_fen=5_000) for _ in range(3)]
    for charge in charges:
        await goes_by(rig, charge, 300)
    rig.a.moods |= {"query_session": "500"}
    found = await asyncio.gather(*(rig.hub.roaming.silence.sweep() for _ in range(4)))
    assert sum(found) == 3
    assert len(await rig.letters("ask_silent")) == 3
    assert await rig.hub.roaming.silence.sweep() == 0


@ONCE
async def test_a_host_that_stays_silent_is_stopped_once_the_mark_must_be_reached(rig: Rig) -> None:
    charge = await charging(rig, 0, 4)
    rig.a.moods |= {"query_session": "500", "stop": "500"}
    # 600 fen to the mark, at 25 a minute: 24 minutes.
    await goes_by(rig, charge, 1_000)
    assert await ask(rig) == 1
    assert await asked_again_s(rig, charge) == pytest.approx(1_440, abs=1)
    assert (await rig.session(charge.session_id)).state == "charging"
    await goes_by(rig, charge, 1_441)
    await rig.work_now("ask_silent")
    assert (await rig.session(charge.session_id)).state == "stopping"
    assert rig.a.heard.count("stop") == 1
    rig.a.moods.clear()
    rig.a.session = says(charge, 28, SessionState.ENDED)
    await rig.work_now("stop_at_host", "ask_silent")
    assert [one.reason for one in rig.a.stops] == ["limit_reached"]
    assert (await rig.session(charge.session_id)).state == "ended"
    assert [one.state for one in rig.b.progress[-1:]] == ["ended"]
    assert await rig.letters("ask_silent") == []
    assert (await charge.bill()).findings == []


@ONCE
async def test_one_that_answers_from_memory_is_stopped_in_time_as_well(rig: Rig) -> None:
    charge = await charging(rig, 0, 4)
    stale = HostSession(known=True, state=SessionState.CHARGING, last_number=2, update=charge.sent[-1])
    rig.a.session = stale
    await goes_by(rig, charge, 200)
    assert await ask(rig) == 1
    assert (await rig.session(charge.session_id)).state == "charging"
    (letter,) = [one for one in await rig.letters("ask_silent") if one.done_at is None]
    assert letter.attempts == 0, "it did answer: nothing is late"
    await goes_by(rig, charge, 1_441)
    await rig.work_now("ask_silent")
    assert [one.reason for one in rig.a.stops] == ["limit_reached"]


@ONCE
async def test_a_host_that_only_answers_is_asked_in_time_for_the_mark(rig: Rig) -> None:
    charge = await charging(rig, 0, 4)
    await goes_by(rig, charge, 200)
    rig.a.session = says(charge, 8)
    assert await ask(rig) == 1
    assert await asked_again_s(rig, charge) == pytest.approx(180, abs=1)
    rig.a.session = says(charge, 27)
    await rig.work_now("ask_silent")
    assert await asked_again_s(rig, charge) == pytest.approx(60, abs=1), "25 fen to the mark, at 25 a minute"
    rig.a.session = says(charge, 28)
    await rig.work_now("ask_silent")
    assert [one.reason for one in rig.a.stops] == ["limit_reached"]


@ONCE
async def test_what_its_host_has_forgotten_is_stopped_and_then_over_but_never_released(rig: Rig) -> None:
    charge, other = await charging(rig, 0, 4), await charging(rig, 0, 4)
    rig.a.session = HostSession(known=False)
    await goes_by(rig, charge, 200)
    assert await ask(rig) == 1
    assert (await rig.session(charge.session_id)).state == "stopping"
    assert [one.reason for one in rig.a.stops] == ["hub"]
    await rig.work_now("ask_silent")
    rig.a.session = HostSession(known=True, state=SessionState.BILLED)
    await goes_by(rig, other, 200)
    assert await ask(rig) == 1
    for one in (charge, other):
        row = await rig.session(one.session_id)
        assert (row.state, row.last_number, row.amount_fen) == ("ended", 2, 100)
    assert rig.b.releases == []
    assert (await charge.bill()).state == "accepted"


async def test_what_a_tcec_host_answers_is_the_same_update_as_a_push_of_the_sample() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        await rig.say("notification_equip_charge_status", rig.status(session, 60, "0.50"))
        pushed = rig.status(session, 240, "2.00")
        asked = rig.host.answers
        asked["query_equip_charge_status"] = lambda _: messages.QueryEquipChargeStatusReply(
            start_charge_seq=pushed["StartChargeSeq"],
            start_charge_seq_stat=pushed["StartChargeSeqStat"],
            connector_id=pushed["ConnectorID"],
            connector_status=pushed["ConnectorStatus"],
            current_a=Decimal(75),
            voltage_a=Decimal(400),
            soc=Decimal(50),
            start_time=pushed["StartTime"],
            end_time=pushed["EndTime"],
            total_power=Decimal("2.00"),
        )
        await goes_by(rig, session, 149)
        assert await rig.hub.roaming.silence.sweep() == 0
        await goes_by(rig, session, 151)
        assert await rig.hub.roaming.silence.sweep() == 1
        await rig.work()
        live = await rig.session(session.session_id)
        assert (live.state, live.energy_wh, live.amount_fen, live.power_w) == ("charging", 2_000, 300, 30_000)
        await rig.say("notification_equip_charge_status", pushed)
        assert (await rig.session(session.session_id)).last_number == live.last_number
        # A refusal that is about the envelope says nothing of the charge; one that is about the message does.
        letter = Letter("1", "silent", "ask_silent", HOST, session.session_id, {}, 0, rig.hub.clock.wall())
        asked["query_equip_charge_status"] = LinkRefused("envelope refused")
        with pytest.raises(Later):
            await rig.hub.roaming.silence.ask(letter)
        assert (await rig.session(session.session_id)).state == "charging"
        asked["query_equip_charge_status"] = LinkRefused("message refused")
        await rig.hub.roaming.silence.ask(letter)
        assert (await rig.session(session.session_id)).state == "stopping"


async def test_a_host_that_never_offered_to_be_asked_about_a_charge_is_not_stopped_for_its_4004() -> None:
    """The question is optional in the standard, and so is the push."""
    async with open_host_rig(connectors=2) as rig:
        session, asked = await rig.start(), rig.host.answers
        await rig.say("notification_start_charge_result", rig.result(session))
        asked["query_equip_charge_status"] = LinkRefused("message refused")
        letter = Letter("1", "silent", "ask_silent", HOST, session.session_id, {}, 0, rig.hub.clock.wall())
        await goes_by(rig, session, 151)
        assert await rig.hub.roaming.silence.sweep() == 1
        for _ in range(2):
            with pytest.raises(Later, match="message refused"):
                await rig.hub.roaming.silence.ask(letter)
        assert (await rig.session(session.session_id)).state == "charging"
        assert "query_stop_charge" not in rig.host.names()
        await rig.say("notification_charge_order_info", rig.order(session))
        assert (await rig.session(session.session_id)).state == "billed"
        # Where nothing was ever heard of the charge itself, it is an answer: it may never have begun.
        unheard = await rig.start("CONN2")
        assert (await (await rig.hub.links.of(HOST)).query_session(unheard.session_id)).known is False
