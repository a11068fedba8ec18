"""Disputes as the services keep them: who may say what until when, and where the money stands. Both engines."""

from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.core.clock import ManualClock
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB, of_party
from hub.parties.tables import AuditRow, StaffRow
from hub.roaming.tables_disputes import DisputeRow
from hub.roaming.tables_records import RecordRow
from hub.roaming.tables_trust import PartnerTrustRow
from hub.roaming.triggers_disputes import ANSWERED, INSISTED, RAISED, WHY
from operator_sdk.contract.messages.disputes import DisputeEvidence
from tests.dispute_world import LOG, PHOTO, A, B, D, World, dispute_world

pytestmark = pytest.mark.integration

RESOLVED = ("resolution_reason", "resolved_by", "resolved_at")


@pytest.fixture
async def world(kind: str, clock: ManualClock) -> AsyncIterator[World]:
    async with dispute_world(kind, clock, second_person_fen=5_000) as world:
        yield world


async def code_of(call: Awaitable[object]) -> str:
    with pytest.raises(HubError) as refused:
        await call
    return refused.value.code.value


# In time.


async def test_a_dispute_takes_the_claim_out_and_conceding_it_leaves_nothing_owed(world: World) -> None:
    record_id = await world.accept()
    raised = await world.dispute(record_id, evidence=[LOG, PHOTO])
    assert (raised.state, raised.in_time, raised.amount_fen) == ("raised", True, 1_000)
    assert raised.due_at - raised.raised_at == timedelta(hours=72)
    assert await world.state(record_id) == "disputed"
    assert await world.owed(record_id) == [("charge", "disputed", False)]
    assert (await world.posted("receivable", B), await world.posted("payable", A)) == (0, 0)
    assert (await world.posted("claimed", A), await world.exposure()) == (1_000, 1_000)
    (item,) = await world.hub.suspense.items(HUB)
    assert (item.kind, item.subject_id, item.amount_fen) == ("dispute", raised.dispute_id, 1_000)

    conceded = await world.answer(raised.dispute_id, "concede", evidence=[])
    assert (conceded.state, conceded.answer, conceded.resolved_by) == ("credited", "concede", A)
    assert (conceded.evidence, conceded.answered_at) == ([LOG, PHOTO], world.clock.business())
    assert await world.state(record_id) == "credited"
    assert await world.owed(record_id) == [("charge", "withdrawn", False)]
    assert (await world.posted("claimed", A), await world.exposure()) == (0, 0)
    assert await world.hub.suspense.items(HUB) == []
    (credit,) = await world.rows(RecordRow, credit_of=record_id)
    assert (credit.record_ref, credit.state, credit.amount_fen) == (raised.dispute_id, "accepted", 1_000)
    assert credit.owed_fen == 0, "what was never owed is not owed back"


async def test_a_withdrawn_dispute_puts_the_claim_back_and_may_be_followed_by_the_other_sides(
    world: World,
) -> None:
    record_id = await world.accept()
    for side in (B, A):
        raised = await world.dispute(record_id, by=side)
        withdrawn = await world.withdraw(raised.dispute_id, by=side)
        assert (withdrawn.state, withdrawn.resolution_reason, withdrawn.resolved_by) == (
            "accepted",
            "found it",
            side,
        )
        assert await world.state(record_id) == "accepted"
        assert await world.owed(record_id) == [("charge", "in_cycle", True)]
        assert (await world.posted("receivable", B), await world.posted("claimed", A)) == (1_000, 0), side
    assert await world.exposure() == 1_000


async def test_each_side_disputes_a_record_once_however_that_ended(world: World) -> None:
    """Else what is owed is put off from cycle to cycle, and one record stops a host for everybody."""
    record_id = await world.accept()
    by_home = await world.dispute(record_id, ref="d")
    for state in ("raised", "accepted"):
        assert await conflict_of(world.dispute(record_id)) == {"dispute_id": by_home.dispute_id, "state": state}
        await world.withdraw(by_home.dispute_id)
    again = await world.dispute(record_id, ref="d")
    assert (again.dispute_id, again.state) == (by_home.dispute_id, "accepted"), "said again in the same words"
    by_host = await world.dispute(record_id, by=A)
    assert await conflict_of(world.dispute(record_id)) == {
        "dispute_id": by_home.dispute_id,
        "state": "accepted",
    }
    await world.withdraw(by_host.dispute_id, by=A)
    assert await conflict_of(world.dispute(record_id, by=A)) == {
        "dispute_id": by_host.dispute_id,
        "state": "accepted",
    }
    await world.hub.roaming.disputes.refuse(record_id, "the letter came late")
    assert (await world.state(record_id), len(await world.rows(DisputeRow))) == ("accepted", 2)
    (trust,) = await world.rows(PartnerTrustRow, party_id=A)
    assert trust.disputes == 1


async def test_the_database_itself_takes_one_dispute_of_each_side(world: World, kind: str) -> None:
    raised = await world.dispute(await world.accept())
    await world.withdraw(raised.dispute_id)
    kept = ", ".join(one for one in DisputeRow.model_fields if one not in {"dispute_id", "state", *RESOLVED})
    copied = f"INTO dispute (dispute_id, state, {kept}) SELECT 'dsp_2', 'raised', {kept} FROM dispute"
    if kind == "sqlite":
        await refused(world, f"INSERT {copied}")
        await refused(world, f"INSERT OR REPLACE {copied}")
    else:
        await refused(world, f"INSERT {copied}", why="record_id_raised_by")


async def conflict_of(call: Awaitable[object]) -> dict[str, object]:
    with pytest.raises(HubError) as refused:
        await call
    assert refused.value.code.value == "state_conflict"
    return refused.value.details


async def test_a_home_that_settles_gives_its_dispute_up_and_a_hosts_dispute_stays(world: World) -> None:
    own, hosts = await world.accept(), await world.accept()
    raised, by_host = await world.dispute(own), await world.dispute(hosts, by=A)
    assert await world.settle(own) == "accepted"
    assert await world.settle(hosts) == "disputed", "only whoever raised it gives it up"
    found = {one.dispute_id: one for one in await asked(world)}
    assert (found[raised.dispute_id].state, found[raised.dispute_id].resolved_by) == ("accepted", B)
    assert found[by_host.dispute_id].state == "raised"
    assert (await world.posted("receivable", B), await world.posted("claimed", A)) == (1_000, 1_000)


async def asked(world: World, viewer: str | None = None) -> list:
    scope = HUB if viewer is None else of_party(viewer)
    return await world.hub.roaming.disputes.disputes(scope, after=None, updated_since=None, limit=50)


async def test_a_hosts_credit_concedes_what_the_home_disputes_and_not_its_own_dispute(world: World) -> None:
    record_id, own = await world.accept(), await world.accept()
    raised, by_host = await world.dispute(record_id), await world.dispute(own, by=A)
    wrong = await world.credit(record_id, 999)
    assert (wrong.state, await world.state(record_id)) == ("rejected", "disputed")
    assert (await world.credit(record_id)).state == "accepted"
    assert await code_of(world.credit(own)) == "state_conflict"
    found = {one.dispute_id: one for one in await asked(world)}
    assert (found[raised.dispute_id].state, found[raised.dispute_id].resolved_by) == ("credited", A)
    assert found[by_host.dispute_id].state == "raised"
    assert (await world.exposure(), await world.posted("claimed", A)) == (1_000, 1_000)


# Not in time.


async def test_a_dispute_after_the_cycle_is_fixed_leaves_it_alone_and_a_credit_is_owed_back(
    world: World,
) -> None:
    record_id, other = await world.accept(), await world.accept()
    cycle_id = await world.close()
    before = await world.hub.clearing.cycle_result(cycle_id)
    late, stands = await world.dispute(record_id), await world.dispute(other)
    assert (late.in_time, await world.state(record_id)) == (False, "disputed")
    assert await world.hub.suspense.items(HUB) == []
    await world.answer(late.dispute_id, "concede")
    assert sorted(await world.owed(record_id)) == [("charge", "in_cycle", True), ("credit", "in_cycle", True)]
    assert await world.exposure() == 1_000
    await world.pay(cycle_id)
    assert await world.state(other) == "disputed"
    await world.withdraw(stands.dispute_id)
    assert await world.state(other) == "settled", "its cycle has ended meanwhile"
    after = await world.hub.clearing.cycle_result(cycle_id)
    assert (after.cycle.digest, after.positions) == (before.cycle.digest, before.positions)
    assert await world.exposure() == -1_000


async def test_a_settled_record_keeps_its_state_and_is_credited_by_a_new_obligation(world: World) -> None:
    record_id = await world.accept()
    await world.pay(await world.close())
    assert await world.state(record_id) == "settled"
    raised = await world.dispute(record_id)
    assert (raised.in_time, await world.state(record_id)) == (False, "settled")
    assert await code_of(world.dispute(record_id, by=A)) == "state_conflict"
    await world.answer(raised.dispute_id)
    await world.insist(raised.dispute_id)
    assert (await world.resolve(raised.dispute_id, "credited")).state == "credited"
    assert (await world.state(record_id), await world.exposure()) == ("credited", -1_000)


async def test_after_ninety_days_nobody_disputes_any_more(world: World) -> None:
    record_id, other = await world.accept(), await world.accept()
    world.clock.advance(days=90)
    assert (await world.dispute(other)).state == "raised"
    world.clock.advance(days=1)
    assert await code_of(world.dispute(record_id)) == "rule_violated"
    with pytest.raises(HubError) as refused:
        await world.hub.roaming.disputes.refuse(record_id, "late")
    assert refused.value.code == "rule_violated"
    assert await world.state(record_id) == "accepted"


# Who may say what, and until when.


async def test_each_side_speaks_in_its_turn_and_once(world: World) -> None:
    record_id = await world.accept()
    raised = await world.dispute(record_id)
    one = raised.dispute_id
    assert await code_of(world.answer(one, by=B)) == "forbidden"
    assert await code_of(world.withdraw(one, by=A)) == "forbidden"
    assert await code_of(world.insist(one)) == "state_conflict", "nobody has answered"
    assert await code_of(world.answer(one, evidence=[])) == "rule_violated"
    said_nothing = [DisputeEvidence(name="photo")]
    assert await code_of(world.answer(one, evidence=said_nothing)) == "rule_violated"
    answered = await world.answer(one)
    assert (answered.state, answered.answer_evidence) == ("answered", [PHOTO])
    assert answered.due_at - world.clock.business() == timedelta(days=7)
    assert await world.answer(one) == answered
    assert await code_of(world.answer(one, "concede")) == "id_reused"
    assert await code_of(world.insist(one, by=A)) == "forbidden"
    insisted = await world.insist(one)
    assert await world.insist(one) == insisted
    assert (insisted.state, insisted.insist_reason) == ("answered", "another car")
    world.clock.advance(days=30)
    assert await world.expire() == 0, "it waits for staff, however long"
    assert (await world.withdraw(one)).state == "accepted"
    assert await code_of(world.answer(one, by=A, reason="late")) == "id_reused"


async def test_the_same_number_says_one_thing_and_a_second_dispute_waits_for_the_first(world: World) -> None:
    record_id, other = await world.accept(), await world.accept()
    raised = await world.dispute(record_id, ref="d")
    assert await world.dispute(record_id, ref="d") == raised
    assert await code_of(world.dispute(record_id, ref="d", reason="other words")) == "id_reused"
    assert await code_of(world.dispute(other, ref="d")) == "id_reused"
    assert await code_of(world.dispute(record_id, by=A)) == "state_conflict"
    assert len(await world.rows(DisputeRow)) == 1


async def test_only_what_is_owed_by_another_is_disputed(world: World) -> None:
    waiting = await world.accept(home_party_id=B)
    own = await world.accept(home_party_id=A)
    assert await code_of(world.dispute(own, by=A)) == "rule_violated"
    with pytest.raises(NotFoundError):
        await world.dispute(waiting, by=D)
    with pytest.raises(NotFoundError):
        await world.dispute(waiting[:-4] + "ffff")
    credit = await world.credit(waiting)
    assert await code_of(world.dispute(waiting)) == "state_conflict"
    assert await code_of(world.dispute(credit.record_id)) == "rule_violated"
    assert await world.rows(DisputeRow) == []


async def test_both_sides_see_both_sides_evidence_and_nobody_else_sees_anything(world: World) -> None:
    raised = await world.dispute(await world.accept(), ref="mine", evidence=[LOG])
    await world.answer(raised.dispute_id)
    host, home, staff = [(await asked(world, viewer))[0] for viewer in (A, B, None)]
    for seen in (host, home, staff):
        assert (seen.evidence, seen.answer_evidence, seen.answer_reason) == ([LOG], [PHOTO], "it was there")
    assert (host.dispute_ref, home.dispute_ref, staff.dispute_ref) == (None, "mine", "mine")
    assert await asked(world, D) == []
    disputes = world.hub.roaming.disputes
    for call in (
        disputes.dispute(of_party(D), raised.dispute_id),
        world.answer(raised.dispute_id, by=D),
        world.withdraw(raised.dispute_id, by=D),
        world.insist(raised.dispute_id, by=D),
    ):
        with pytest.raises(NotFoundError):
            await call


# Silence.


async def test_silence_of_the_other_side_credits_and_of_whoever_raised_it_lets_stand(world: World) -> None:
    unanswered, contested = await world.accept(), await world.accept()
    first, second = await world.dispute(unanswered), await world.dispute(contested)
    await world.answer(second.dispute_id)
    world.clock.advance(hours=71, minutes=59)
    assert await world.expire() == 0
    world.clock.advance(minutes=1)
    assert await code_of(world.answer(first.dispute_id)) == "state_conflict", "the time decides, not the job"
    assert await world.expire() == 1
    assert (await world.state(unanswered), await world.state(contested)) == ("credited", "disputed")
    world.clock.advance(days=7)
    assert await code_of(world.insist(second.dispute_id)) == "state_conflict"
    assert [await world.expire() for _ in range(2)] == [1, 0]
    assert await world.state(contested) == "accepted"
    ended = {one.dispute_id: (one.state, one.resolved_by) for one in await asked(world, A)}
    assert ended == {first.dispute_id: ("credited", "hub"), second.dispute_id: ("accepted", "hub")}


# Staff.


async def test_staff_decide_once_and_a_large_one_takes_two_people(world: World) -> None:
    small, large = await world.accept(5_000), await world.accept(5_001)
    first, second = await world.dispute(small), await world.dispute(large)
    async with world.database.unit() as unit:
        for login, maker in (("ann", "test"), ("bob", "test"), ("eve", "ann")):
            now = world.clock.wall()
            person = StaffRow(
                login=login, created_by=maker, password_hash="", roles="accountant", created_at=now
            )
            unit.session.add(person)
    resolved = await world.resolve(first.dispute_id, "credited")
    assert (resolved.state, resolved.resolved_by, resolved.answer) == ("credited", "ann", None)
    assert await world.resolve(first.dispute_id, "credited", "bob") == resolved
    assert await code_of(world.resolve(first.dispute_id, "accepted")) == "state_conflict"

    proposed = await world.resolve(second.dispute_id, "credited")
    assert (proposed.state, proposed.proposed_outcome, proposed.proposed_by) == ("raised", "credited", "ann")
    for same in ("ann", "eve"):
        assert await code_of(world.resolve(second.dispute_id, "credited", same)) == "second_person_needed"
    assert (await world.resolve(second.dispute_id, "accepted", "bob")).state == "raised"
    (seen,) = [one for one in await asked(world, A) if one.dispute_id == second.dispute_id]
    assert (seen.proposed_by, seen.proposed_outcome) == (None, None)
    assert (await world.resolve(second.dispute_id, "accepted", "ann")).resolved_by == "ann"
    assert {one.resolved_by for one in await asked(world, A)} == {"hub"}
    assert (await world.state(small), await world.state(large)) == ("credited", "accepted")


async def test_who_holds_the_database_decides_alone_and_is_on_the_audit_log(world: World) -> None:
    raised = await world.dispute(await world.accept(9_999))
    await world.resolve(raised.dispute_id, "accepted", "cli:root", alone=True)
    noted = [
        (one.action, one.actor, one.subject) for one in await world.rows(AuditRow, action="resolve_dispute")
    ]
    assert noted == [("resolve_dispute", "cli:root", raised.dispute_id)]


# Trust.


async def test_every_dispute_of_a_home_counts_against_the_host_and_a_refusal_once(world: World) -> None:
    first, second, own = [await world.accept() for _ in range(3)]
    await world.dispute(first)
    await world.dispute(own, by=A)
    for reason in ("never there", "in other words"):
        await world.hub.roaming.disputes.refuse(second, reason)
    (row,) = await world.rows(PartnerTrustRow, party_id=A)
    assert row.disputes == 2
    (refused,) = await world.rows(DisputeRow, record_id=second)
    assert (refused.raised_by, refused.dispute_ref, refused.reason) == (B, second, "never there")
    await world.withdraw(refused.dispute_id)
    await world.hub.roaming.disputes.refuse(second, "the letter came twice")
    assert await world.state(second) == "accepted"
    assert await code_of(world.dispute(second)) == "state_conflict", "a refusal was its one dispute"


# What the database refuses by itself.


async def test_what_was_said_and_how_it_ended_stay(world: World, kind: str) -> None:
    raised = await world.dispute(await world.accept())
    values = {"raised_at": "77", "in_time": "0", "amount_fen": "77"}
    if kind == "postgresql":
        values |= {"raised_at": "'2026-03-01 00:00:00+00'", "in_time": "false"}
    for column in RAISED:
        value = values.get(column, "'x'")
        await refused(world, f"UPDATE dispute SET {column} = {value}")
    await refused(world, "DELETE FROM dispute")
    await world.answer(raised.dispute_id)
    await world.insist(raised.dispute_id)
    for column in (*ANSWERED, *INSISTED):
        await refused(world, f"UPDATE dispute SET {column} = NULL")
    await refused(world, "UPDATE dispute SET state = 'raised'")
    await world.resolve(raised.dispute_id, "accepted")
    for change in ("state = 'credited'", "resolved_by = 'x'", "due_at = due_at", "proposed_by = 'x'"):
        await refused(world, f"UPDATE dispute SET {change}")
    copied = "INSERT {} INTO dispute SELECT * FROM dispute"
    if kind == "sqlite":
        await refused(world, copied.format("OR REPLACE"))
    else:
        await refused(world, "TRUNCATE dispute")


async def refused(world: World, statement: str, why: str = WHY) -> None:
    with pytest.raises(DBAPIError, match=why):
        async with world.database.unit() as unit:
            await (await unit.session.connection()).execute(text(statement))
