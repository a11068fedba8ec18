"""Something is down or slow: the table of the design, row by row, on both engines."""

from collections.abc import AsyncIterator

import pytest
from sqlmodel import select

from hub.core.tables import OutboxLetter
from hub.ledger.model import CLEARING
from hub.parties.tables import PartyRow
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.records import RecordAnswer
from operator_sdk.contract.messages.roaming import HostSession, HostStartReply
from tests.rig import HOLD_FEN, A, B, Rig, open_rig
from tests.rig_charges import begin_by_driver, begin_by_home, begin_by_host, charge_of

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


# The home is silent at authorize.


@pytest.mark.parametrize("mood", ["silent", "lost", "500", "wrong_signature", "unsigned", "nonsense"])
async def test_a_home_without_a_decided_answer_is_unavailable_and_gives_back_durably(
    rig: Rig, mood: str
) -> None:
    rig.b.moods["authorize"] = mood
    rig.b.moods["release_authorization"] = "500"
    before = await rig.fingerprint()
    answer = await begin_by_host(rig, ref="once")
    assert (answer.state, answer.refusal) == ("refused", "home_unavailable")
    assert await rig.fingerprint() == before
    await rig.work()
    assert rig.b.releases == []
    rig.b.moods.clear()
    await rig.work_now("release_authorization")
    assert [one.authorization_id for one in rig.b.releases] == [answer.authorization_id]
    again = await begin_by_host(rig, ref="once")
    assert (again.state, again.refusal) == ("refused", "home_unavailable"), "refused stays refused"
    assert len(rig.b.authorizations) == (1 if mood in {"lost", "wrong_signature", "unsigned"} else 0)


async def test_an_asker_that_died_leaves_nothing_pending(rig: Rig) -> None:
    """The hub went down between asking the home and writing the answer: the timer refuses and gives back."""
    granted = await begin_by_host(rig)
    row = await rig.authorization(granted.session_id or "")
    async with rig.hub.database.unit() as unit:
        mine = await unit.session.get(type(row), row.authorization_id)
        session = await unit.session.get(type(await rig.session(row.session_id)), row.session_id)
        assert mine is not None
        assert session is not None
        mine.state, mine.limit_fen, session.state = "pending", None, "requested"
        lane = f"authorize_timeout:{row.session_id}"
        timer = (await unit.session.exec(select(OutboxLetter).where(OutboxLetter.lane == lane))).one()
        timer.kind = "authorize_timeout"  # a grant in one statement had turned it into its own timer
    await rig.work_now("authorize_timeout", "release_authorization")
    assert (await rig.session(row.session_id)).refusal == "home_unavailable"
    assert await rig.exposure() == (0, 0)
    assert len(rig.b.releases) == 1


# The host refuses, the start fails.


async def test_a_host_that_refuses_leaves_nothing_held(rig: Rig) -> None:
    rig.a.start_answer = lambda _: HostStartReply(accepted=False, refusal="connector_busy")
    session = await begin_by_driver(rig)
    assert (session.state, session.refusal) == ("start_failed", "connector_busy")
    await rig.work()
    assert await rig.wallet() == (20_000, 0, 0)
    assert await rig.exposure("MA5CCCCC3") == (0, 0)


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_start_at_a_host_that_nobody_can_call_is_refused_and_holds_nothing(rig: Rig) -> None:
    """Such as one whose profile cannot be read."""
    async with rig.hub.database.unit() as unit:
        host = await unit.session.get(PartyRow, A)
        assert host is not None
        host.base_url = None
    rig.hub.parties._parties.forget(A)
    for _ in range(2):
        session = await begin_by_home(rig, ref="once")
        assert (session.state, session.refusal) == ("refused", "host_unavailable")
    assert await rig.exposure() == (0, 0)


async def test_a_start_that_fails_after_acceptance_is_given_back(rig: Rig) -> None:
    session = await begin_by_home(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.push(charge.update(0, SessionState.START_FAILED, reason="vehicle"))
    await rig.work()
    row = await rig.session(session.session_id)
    assert (row.state, row.refusal) == ("start_failed", "vehicle")
    assert [one.home_ref for one in rig.b.releases] == [row.home_ref]
    assert await rig.exposure() == (0, 0)


# The start is unanswered.


@pytest.mark.parametrize("mood", ["silent", "lost", "500", "wrong_signature"])
async def test_an_unanswered_start_is_unknown_and_holds_until_the_stop_is_confirmed(
    rig: Rig, mood: str
) -> None:
    rig.a.moods |= {"start": mood, "query_session": "500", "stop": "500"}
    session = await begin_by_driver(rig)
    assert session.state == "unknown"
    await rig.work()
    for _ in range(3):
        await rig.work_now("explain_unknown")
    assert rig.a.heard.count("query_session") == 3
    assert rig.a.heard.count("stop") == 1
    for _ in range(3):
        await rig.work_now("stop_at_host")
    assert (await rig.session(session.session_id)).state == "unknown"
    assert (await rig.wallet())[1] == HOLD_FEN, "the hold stays"
    assert await rig.exposure("MA5CCCCC3") == (0, HOLD_FEN)
    rig.a.moods.clear()
    rig.a.stop_state = None
    await rig.work_now("stop_at_host", "release_authorization")
    assert (await rig.session(session.session_id)).state == "start_failed"
    assert await rig.wallet() == (20_000, 0, 0)


async def test_a_host_that_accepts_and_then_says_nothing_is_asked(rig: Rig) -> None:
    session = await begin_by_home(rig)
    charge = await charge_of(rig, session.session_id)
    told = charge.update(3)
    rig.a.session = HostSession(known=True, state=SessionState.CHARGING, last_number=1, update=told)
    await rig.work_now("start_check")
    row = await rig.session(session.session_id)
    assert (row.state, row.energy_wh, row.amount_fen) == ("charging", 500, 75)
    assert [(one.number, one.amount_fen) for one in rig.b.progress] == [(1, 75)]
    assert rig.a.stops == []
    other = await begin_by_home(rig)
    rig.a.session = HostSession(known=True, state=SessionState.CHARGING, last_number=3)
    await rig.work_now("start_check")
    assert (await rig.session(other.session_id)).state == "charging"


async def test_a_start_that_never_left_is_no_mystery(rig: Rig) -> None:
    rig.a.moody.moods["start"] = ""
    async with rig.hub.database.unit() as unit:
        from hub.parties.tables import PartyRow

        party = await unit.session.get(PartyRow, A)
        assert party is not None
        party.base_url = "http://127.0.0.1:1"
    session = await begin_by_driver(rig)
    assert (session.state, session.refusal) == ("start_failed", "host_unavailable")
    await rig.work()
    assert await rig.wallet() == (20_000, 0, 0)


@pytest.mark.parametrize("said", [SessionState.STARTING, SessionState.UNKNOWN])
async def test_a_host_that_still_begins_is_asked_again_before_it_is_stopped(
    rig: Rig, said: SessionState
) -> None:
    await begin_by_home(rig)
    rig.a.session = HostSession(known=True, state=said)
    await rig.work_now("start_check")
    for _ in range(3):
        await rig.work_now("explain_unknown")
    assert rig.a.heard.count("query_session") == 3
    assert rig.a.heard.count("stop") == 1


@pytest.mark.parametrize("said", [SessionState.BILLED, SessionState.SETTLED, SessionState.ENDED])
async def test_a_host_cannot_say_that_its_charge_is_settled(rig: Rig, said: SessionState) -> None:
    session = await begin_by_home(rig)
    rig.a.session = HostSession(known=True, state=said)
    await rig.work_now("start_check")
    assert (await rig.session(session.session_id)).state == "ended"
    charge = await charge_of(rig, session.session_id)
    charge.minutes = 40
    assert (await charge.bill()).state == "accepted"


async def test_after_a_day_the_unexplained_is_in_suspense_and_still_held(rig: Rig) -> None:
    rig.a.moods |= {"start": "lost", "query_session": "500", "stop": "500"}
    session = await begin_by_driver(rig)
    await rig.work()
    for _ in range(3):
        await rig.work_now("explain_unknown")
    await rig.work_now("unknown_overdue")
    from hub.parties.scope import HUB

    (item,) = await rig.hub.suspense.items(HUB)
    assert (item.kind, item.subject_id, item.reason) == ("session", session.session_id, "start_unknown")
    assert (await rig.wallet())[1] == HOLD_FEN
    assert rig.b.releases == []
    charge = await charge_of(rig, session.session_id)
    charge.minutes = 40
    assert (await charge.bill()).state == "accepted"
    assert await rig.hub.suspense.items(HUB) == []
    await rig.work()
    assert (await rig.wallet())[1] == 0


async def test_updates_that_come_after_all_explain_the_unknown(rig: Rig) -> None:
    rig.a.moods["start"] = "lost"
    session = await begin_by_driver(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0)
    assert (await rig.session(session.session_id)).state == "charging"
    rig.a.moods.clear()
    await rig.work_now()
    assert (rig.a.stops, rig.a.heard.count("query_session")) == ([], 0)


async def test_a_host_that_said_failed_and_sends_a_bill_is_paid(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.push(charge.update(0, SessionState.START_FAILED, reason="vehicle"))
    await rig.work()
    assert await rig.wallet() == (20_000, 0, 0)
    charge.minutes = 40
    assert (await charge.bill()).state == "accepted"
    await rig.work()
    assert await rig.wallet() == (19_000, 0, 0)
    assert await rig.exposure("MA5CCCCC3") == (1_000, 0)


# The home is down.


async def test_a_home_that_is_down_during_the_charge_gets_first_newest_and_last(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.moods["push_session"] = "500"
    for minute in (0, 5, 10, 15, 20):
        await charge.runs(minute)
        await rig.work_now("push_session")
    await charge.ends(25)
    assert rig.b.progress == []
    assert [row.number for row in await rig.updates(charge.session_id)] == [1, 2, 3, 4, 5, 6]
    rig.b.moods.clear()
    await rig.work_now("push_session")
    assert [said.number for said in rig.b.progress] == [1, 5, 6]


async def test_a_home_that_is_down_at_the_bill_owes_at_once_and_is_told_when_it_is_back(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.moods |= {"push_session": "500", "push_record": "500"}
    reply = await charge.whole()
    assert (reply.state, reply.owed_fen) == ("accepted", 1_000)
    assert await rig.obligations() == [(B, A, 1_000, "open")]
    assert await rig.exposure() == (1_000, 0)
    await rig.has_tried(1_000)
    await rig.work_now()
    await rig.has_tried(1_000)
    await rig.work_now()
    rig.b.moods.clear()
    await rig.work_now()
    assert len(rig.b.records) == 1, "late is an alarm, not a reason"
    assert (await rig.session(charge.session_id)).state == "settled"
    assert len(rig.a.settlements) == 1


async def test_a_settlement_whose_answer_was_lost_is_booked_once(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.moods["push_record"] = "lost"
    await charge.whole()
    rig.b.moods.clear()
    await rig.work_now("push_record")
    assert len(rig.b.records) == 2
    assert (await rig.record(charge.session_id)).settlement_ref is not None
    assert await rig.obligations() == [(B, A, 1_000, "open")]


async def test_a_home_that_refuses_the_bill_disputes_it_and_the_hosts_side_stands(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.record_answer = lambda _: RecordAnswer(state="refused", reason="not ours")
    await charge.whole()
    row = await rig.record(charge.session_id)
    assert (row.state, row.reason, row.owed_fen) == ("disputed", "not ours", 1_000)
    assert await rig.obligations() == [(B, A, 1_000, "disputed")]
    assert await rig.posted(CLEARING, "payable", A) == 0
    assert await rig.posted(CLEARING, "claimed", A) == 1_000
    result = await rig.hub.clearing.close_cycle(rig.hub.clock.business())
    assert [one for one in result.obligations if one.kind == "charge"] == []
    from hub.parties.scope import HUB

    (item,) = await rig.hub.suspense.items(HUB)
    assert (item.kind, item.amount_fen, item.reason) == ("dispute", 1_000, "not ours")


async def test_a_home_that_settles_a_bill_it_had_refused_owes_it_again(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.record_answer = lambda _: RecordAnswer(state="refused", reason="not ours")
    await charge.whole()
    assert await rig.obligations() == [(B, A, 1_000, "disputed")]
    settlement = rig.b.settle(rig.b.records[-1]).settlement
    assert settlement is not None
    await rig.client(B).push_settlement(settlement)
    assert (await rig.record(charge.session_id)).state == "accepted"
    assert await rig.obligations() == [(B, A, 1_000, "open")]


async def test_a_home_may_settle_later_by_itself(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.record_answer = lambda _: RecordAnswer(state="received")
    await charge.whole()
    assert (await rig.session(charge.session_id)).state == "billed"
    settlement = rig.b.settlement(rig.b.records[0])
    for _ in range(2):
        assert (await rig.client(B).push_settlement(settlement)).state == "accepted"
    await rig.work()
    assert (await rig.session(charge.session_id)).state == "settled"
    assert len(rig.a.settlements) == 1


async def test_a_settlement_of_another_record_does_not_settle_this_one(rig: Rig) -> None:
    first = await charge_of(rig, (await begin_by_home(rig)).session_id)
    rig.b.record_answer = lambda _: RecordAnswer(state="received")
    await first.whole()
    of_the_first = rig.b.settlement(rig.b.records[0])
    rig.b.record_answer = lambda _: RecordAnswer(state="settled", settlement=of_the_first)
    second = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await second.whole()
    assert (await rig.record(first.session_id)).settlement_ref is None
    assert (await rig.record(second.session_id)).settlement_ref is None
    (letter,) = [one for one in await rig.letters("push_record") if one.dead_at]
    assert letter.reason == "settlement of another record"


# The host's bill is above the limit.


@pytest.mark.parametrize(("over_fen", "owed_fen"), [(300, 1_300), (301, 1_300), (500, 1_300)])
async def test_beyond_the_limit_and_a_little_the_host_bears_it(rig: Rig, over_fen: int, owed_fen: int) -> None:
    session = await begin_by_home(rig, limit_fen=1_000)
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0)
    minutes = (1_000 + over_fen) // 25
    await charge.ends(minutes)
    reply = await charge.bill()
    assert reply.state == "accepted"
    bill = charge.record().amount_fen
    assert reply.owed_fen == min(bill, owed_fen)
    await rig.work()
    assert await rig.obligations() == [(B, A, reply.owed_fen, "open")]
    from hub.parties.scope import HUB

    items = await rig.hub.suspense.items(HUB)
    over = [("over_limit", bill - owed_fen)] if bill > owed_fen else []
    assert [(item.kind, item.amount_fen) for item in items] == over


async def test_a_hosted_wallet_pays_the_excess_in_a_second_posting(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    charge = await charge_of(rig, session.session_id)
    charge.started_at -= charge.at(180) - charge.started_at
    await charge.runs(0)
    await charge.ends(208)
    reply = await charge.bill()
    assert reply.owed_fen == 5_200
    await rig.work()
    assert await rig.wallet() == (20_000 - 5_200, 0, 0)
    row = await rig.record(session.session_id)
    assert (row.captured_fen, row.released_fen, row.driver_amount_fen) == (HOLD_FEN, 0, 5_200)
    from hub.ledger.tables import LedgerPosting

    kinds = [one.kind for one in await rig.rows(LedgerPosting) if one.kind != "top_up"]
    assert len(kinds) == 3, kinds
    assert await rig.posted("MA5CCCCC3", "payable", A) == 5_200
