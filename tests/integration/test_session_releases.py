"""Staff let go what is held for a charge that no bill stands for: once, and no bill is lost by it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub.core.errors import HubError
from hub.parties.scope import HUB
from hub.parties.tables import AuditRow
from hub.roaming.tables import AuthorizationRow, SessionRow
from hub.roaming.tables_records import RecordRow
from hub.roaming.tables_trust import SessionReleaseRow
from operator_sdk.contract.messages.records import CreditRecord, RecordDecision, RecordReply
from operator_sdk.contract.messages.roaming import SessionRelease, SessionReleased
from tests.integration.test_records import code_of, objected, staff
from tests.rig import HOLD_FEN, A, C, Rig, open_rig
from tests.rig_charges import Charge, begin_by_driver, begin_by_home, begin_by_host, charge_of

pytestmark = pytest.mark.integration

NO_BILL = SessionRelease(reason="the host sends no better bill")


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def rejected(rig: Rig, session_id: str | None, *, days: int = 2) -> tuple[Charge, RecordReply]:
    """A charge that ended so long ago, whose bill staff rejected."""
    charge = await charge_of(rig, session_id)
    await charge.runs(0, 20)
    await charge.ends(40)
    reply = await charge.bill(tariff_version=2)
    assert reply.state == "suspended"
    await decide(rig, reply.record_id, "reject")
    await rig.work()
    await change(rig, charge.session_id, ended_at=rig.hub.clock.business() - timedelta(days=days))
    return charge, reply


async def decide(rig: Rig, record_id: str, decision: str) -> None:
    said = RecordDecision(decision=decision, reason="seen")
    await rig.hub.roaming.deciding.decide(record_id, said, "boss", alone=True)


async def release(rig: Rig, session_id: str, by: str = "boss", reason: str = NO_BILL.reason) -> SessionReleased:
    """As staff ask for it, without the way over the API."""
    return await rig.hub.roaming.releasing.release(session_id, SessionRelease(reason=reason), by)


async def unexplained(rig: Rig) -> str:
    """A driver's start of which nothing was heard for a day."""
    rig.a.moods |= {"start": "lost", "query_session": "500", "stop": "500"}
    session = await begin_by_driver(rig)
    await rig.work()
    for _ in range(3):
        await rig.work_now("explain_unknown")
    await rig.work_now("unknown_overdue")
    assert [item.subject_id for item in await rig.hub.suspense.items(HUB)] == [session.session_id]
    return session.session_id


async def change(rig: Rig, session_id: str, **values: object) -> None:
    async with rig.hub.database.unit() as unit:
        row = await unit.session.get(SessionRow, session_id)
        assert row is not None
        for name, value in values.items():
            setattr(row, name, value)


async def test_what_a_rejected_bill_leaves_held_is_let_go_once(rig: Rig) -> None:
    """Hosted home: the wallet's hold and the home's exposure; the same answer however often it is said."""
    charge, _ = await rejected(rig, (await begin_by_driver(rig)).session_id)
    assert (await rig.wallet(), await rig.exposure(C)) == ((20_000, HOLD_FEN, 0), (0, HOLD_FEN))
    said, *others = await asyncio.gather(*(release(rig, charge.session_id) for _ in range(3)))
    assert others == [said, said]
    assert (said.state, said.authorization_state) == ("ended", "released")
    assert (said.proposed_by, said.decided_by, said.reason) == ("boss", "boss", NO_BILL.reason)
    await rig.work()
    assert (await rig.wallet(), await rig.exposure(C)) == ((20_000, 0, 0), (0, 0))
    before = await rig.fingerprint()
    again = await release(rig, charge.session_id, reason="in other words")
    clerk = await release(rig, charge.session_id, "clerk")
    assert again == clerk == said
    assert len(await rig.letters("release_authorization")) == 1
    assert [row.actor for row in await rig.rows(AuditRow, action="release_session")] == ["boss"]
    assert len(await rig.rows(SessionReleaseRow)) == 1
    assert await rig.fingerprint() == before


async def test_a_native_home_is_told_until_it_has_heard(rig: Rig) -> None:
    charge, _ = await rejected(rig, (await begin_by_home(rig)).session_id)
    rig.b.moods["release_authorization"] = "500"
    await release(rig, charge.session_id)
    assert await rig.exposure() == (0, 0)
    await rig.work()
    await rig.has_tried(1_000)
    await rig.work_now()
    assert rig.b.releases == []
    rig.b.moods.clear()
    await rig.work_now()
    told = [(one.authorization_id, one.reason) for one in rig.b.releases]
    assert told == [((await rig.authorization(charge.session_id)).authorization_id, "released")]


async def test_a_start_nobody_can_explain_is_let_go_and_its_item_is_returned(rig: Rig) -> None:
    session_id = await unexplained(rig)
    (item,) = await rig.hub.suspense.items(HUB)
    said = await release(rig, session_id, reason="the pile was dark")
    assert (said.state, said.authorization_state) == ("start_failed", "released")
    closed = await rig.hub.suspense.item(HUB, item.item_id)
    assert (closed.outcome, closed.closing_reason, closed.closed_by) == (
        "returned",
        "the pile was dark",
        "boss",
    )
    row = await rig.session(session_id)
    assert (row.suspense, row.refusal) == (None, "released")
    rig.a.moods.clear()
    await rig.work_now()
    assert (await rig.wallet(), await rig.exposure(C)) == ((20_000, 0, 0), (0, 0))
    assert len(rig.a.stops) == 1, "it must not charge for nobody's money"


async def test_a_stop_that_is_confirmed_after_a_day_explains_the_start(rig: Rig) -> None:
    session_id = await unexplained(rig)
    rig.a.moods.clear()
    rig.a.stop_state = None
    await rig.work_now("stop_at_host")
    assert (await rig.session(session_id)).state == "start_failed"
    assert await rig.hub.suspense.items(HUB) == []
    assert await rig.exposure(C) == (0, 0)


async def test_nothing_is_let_go_while_it_may_still_be_billed(rig: Rig) -> None:
    async def refusal_of(session_id: str | None) -> str:
        before = await rig.fingerprint(), len(await rig.letters("release_authorization"))
        with pytest.raises(HubError) as refused:
            await release(rig, session_id or "")
        assert (await rig.fingerprint(), len(await rig.letters("release_authorization"))) == before
        assert await rig.rows(SessionReleaseRow) == await rig.rows(AuditRow, action="release_session") == []
        return refused.value.code

    running = await charge_of(rig, (await begin_by_home(rig)).session_id)
    assert await refusal_of(running.session_id) == "state_conflict", "it starts"
    await running.runs(0, 20)
    assert await refusal_of(running.session_id) == "state_conflict", "it charges"
    assert await refusal_of((await begin_by_host(rig)).session_id) == "state_conflict", "it is authorized"
    await running.ends(40)
    assert await refusal_of(running.session_id) == "state_conflict", "its host has a day for the bill"
    await change(rig, running.session_id, ended_at=rig.hub.clock.business() - timedelta(hours=23, minutes=59))
    assert await refusal_of(running.session_id) == "state_conflict"
    await change(rig, running.session_id, ended_at=rig.hub.clock.business() - timedelta(hours=24))
    suspended = await running.bill(tariff_version=2)
    assert await refusal_of(running.session_id) == "state_conflict", "its record waits"
    await decide(rig, suspended.record_id, "accept")
    await rig.work()
    assert await refusal_of(running.session_id) == "state_conflict", "it is paid"
    await change(rig, running.session_id, state="ended")
    credit = CreditRecord(record_ref="c-1", record_id=suspended.record_id, amount_fen=1_000, reason="twice")
    await rig.client(A).push_credit(credit)
    assert await refusal_of(running.session_id) == "state_conflict", "the hold was taken by a bill"
    assert await refusal_of(suspended.record_id) == "not_found"


async def test_an_end_that_was_only_confirmed_when_asked_counts_from_when_it_was_heard(rig: Rig) -> None:
    session_id = (await begin_by_home(rig)).session_id
    await change(rig, session_id, state="ended", updated_at=rig.hub.clock.business() - timedelta(hours=23))
    with pytest.raises(HubError) as early:
        await release(rig, session_id)
    assert early.value.details["not_before"].endswith("+00:00")
    await change(rig, session_id, updated_at=rig.hub.clock.business() - timedelta(hours=24))
    assert (await release(rig, session_id)).authorization_state == "released"


async def test_much_money_is_let_go_by_two_people_who_may(kind: str) -> None:
    """Over the API; without a limit it is about any amount."""
    async with open_rig(kind, second_person_fen=500) as rig:
        boss, clerk = await staff(rig), await staff(rig, "clerk", "accountant")
        onlooker = await staff(rig, "onlooker", "onlooker")
        for limit_fen in (501, None):
            charge = await charge_of(rig, (await begin_by_home(rig, limit_fen=limit_fen)).session_id)
            session_id = charge.session_id
            await charge.ends(10)
            await change(rig, session_id, ended_at=rig.hub.clock.business() - timedelta(days=2))
            held, letters = await rig.exposure(), len(await rig.letters("release_authorization"))
            proposed = await boss.release_session(session_id, NO_BILL)
            assert (proposed.authorization_state, proposed.decided_by) == ("granted", None)
            assert proposed.proposed_by == "boss"
            assert await code_of(boss.release_session(session_id, NO_BILL)) == "second_person_needed"
            assert await code_of(onlooker.release_session(session_id, NO_BILL)) == "forbidden"
            assert (await rig.exposure(), len(await rig.letters("release_authorization"))) == (held, letters)
            done = await clerk.release_session(session_id, SessionRelease(reason="asked the host too"))
            assert (done.authorization_state, done.proposed_by) == ("released", "boss")
            assert done.decided_by == "clerk"
            assert await boss.release_session(session_id, NO_BILL) == done
            assert await rig.exposure() == (0, 0)
            assert len(await rig.letters("release_authorization")) == letters + 1
        small = await charge_of(rig, (await begin_by_home(rig, limit_fen=500)).session_id)
        await change(rig, small.session_id, state="ended", ended_at=small.started_at - timedelta(days=2))
        assert (await clerk.release_session(small.session_id, NO_BILL)).decided_by == "clerk"


async def test_a_bill_comes_before_the_second_person_and_nothing_is_let_go(kind: str) -> None:
    async with open_rig(kind, second_person_fen=500) as rig:
        charge, _ = await rejected(rig, (await begin_by_home(rig)).session_id)
        assert (await release(rig, charge.session_id)).decided_by is None
        assert (await charge.bill()).state == "accepted"
        with pytest.raises(HubError) as refused:
            await release(rig, charge.session_id, "clerk")
        assert refused.value.details == {"state": "billed"}
        assert await rig.exposure() == (1_000, 0)


# A bill that comes afterwards.


async def test_a_bill_of_a_charge_from_before_the_release_is_owed_and_paid_without_the_hold(rig: Rig) -> None:
    charge, _ = await rejected(rig, (await begin_by_driver(rig)).session_id)
    await release(rig, charge.session_id)
    await rig.work()
    late = await charge.bill()
    assert (late.state, late.owed_fen, objected(late)) == ("accepted", 1_000, {})
    await rig.work()
    assert (await rig.wallet(), await rig.exposure(C)) == ((19_000, 0, 0), (1_000, 0))
    assert (await rig.session(charge.session_id)).state == "settled"
    assert (await rig.authorization(charge.session_id)).state == "consumed"


async def test_a_bill_of_a_charge_that_began_after_the_release_is_suspended(rig: Rig) -> None:
    session_id = await unexplained(rig)
    await release(rig, session_id)
    charge = await charge_of(rig, session_id)
    authorization_id = (await rig.session(session_id)).authorization_id
    async with rig.hub.database.unit() as unit:
        row = await unit.session.get(AuthorizationRow, authorization_id)
        assert row is not None
        row.updated_at = charge.started_at - timedelta(hours=1)
    charge.minutes = 40
    late = await charge.bill()
    assert (late.state, objected(late)) == ("suspended", {"authorization": "suspend"})
    (item,) = await rig.hub.suspense.items(HUB)
    assert (item.kind, item.subject_id) == ("record", late.record_id)


async def test_a_charge_that_runs_after_its_release_is_stopped(rig: Rig) -> None:
    rig.a.moods["start"] = "lost"
    session_id = (await begin_by_driver(rig)).session_id
    assert (await release(rig, session_id)).state == "start_failed"
    await rig.work()
    assert len(rig.a.stops) == 1, "nobody knows that it does not charge"
    charge = await charge_of(rig, session_id)
    await charge.runs(0, 10)
    await rig.work()
    assert len(rig.a.stops) == 2
    await charge.ends(20)
    assert (await charge.bill()).state == "accepted", "what it took is owed all the same"
    await rig.work()
    assert (await rig.wallet(), await rig.exposure(C)) == ((19_500, 0, 0), (500, 0))


async def test_a_bill_and_a_release_at_once_leave_what_one_after_the_other_leave(rig: Rig) -> None:
    charge, _ = await rejected(rig, (await begin_by_driver(rig)).session_id)
    bill, released = await asyncio.gather(
        charge.bill(), release(rig, charge.session_id), return_exceptions=True
    )
    assert isinstance(bill, RecordReply)
    assert bill.state == "accepted"
    assert isinstance(released, SessionReleased | HubError)
    await rig.work()
    assert (await rig.wallet(), await rig.exposure(C)) == ((19_000, 0, 0), (1_000, 0))
    told = await rig.letters("release_authorization")
    assert len(told) == isinstance(released, SessionReleased)


# A hosted home has a word of its own about a bill.


async def test_a_hosted_home_refuses_the_bill_of_what_it_refused_and_takes_the_credit(rig: Rig) -> None:
    refused = await begin_by_host(rig, "CC-9")
    assert (refused.state, refused.refusal) == ("refused", "token_unknown")
    charge = await charge_of(rig, refused.session_id or (await rig.rows(SessionRow))[0].session_id)
    charge.minutes = 40
    reply = await charge.bill()
    assert (reply.state, objected(reply)) == ("suspended", {"authorization": "suspend"})
    await decide(rig, reply.record_id, "accept")
    await rig.work()
    row = await rig.record(charge.session_id)
    assert (row.state, row.reason) == ("disputed", "state_conflict")
    (letter,) = await rig.letters("push_record")
    assert (letter.done_at is not None, letter.dead_at) == (True, None)
    given = CreditRecord(record_ref="c-1", record_id=reply.record_id, amount_fen=1_000, reason="not him")
    credit = await rig.client(A).push_credit(given)
    await rig.work()
    (told,) = await rig.rows(RecordRow, record_id=credit.record_id)
    assert (told.settlement_ref is not None, told.driver_amount_fen) == (True, 0)
    assert [one.dead_at for one in await rig.letters("push_record")] == [None, None]
    assert await rig.wallet() == (20_000, 0, 0)
