"""Disputes through the front door, with the SDK: both sides, staff, and who has no part in them."""

from collections.abc import AsyncIterator

import pytest

from hub.roaming.tables_disputes import DisputeRow
from operator_sdk import ApiError, AsyncHubClient, BearerToken
from operator_sdk.contract.messages.disputes import (
    Dispute,
    DisputeAnswer,
    DisputeEvidence,
    DisputeInsist,
    DisputeRaise,
    DisputeResolve,
    DisputeWithdraw,
)
from operator_sdk.contract.messages.records import RecordAnswer, RecordReply, TrustRestore
from tests.rig import A, B, D, Rig, open_rig
from tests.rig_charges import begin_by_home, charge_of

pytestmark = pytest.mark.integration

LOG = DisputeEvidence(name="log", text="解锁失败 · 11:00")
PHOTO = DisputeEvidence(name="photo", link="https://evidence.example/1.jpg", sha256="0" * 64)


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind, second_person_fen=900) as rig:
        yield rig


async def staff(rig: Rig, login: str = "boss", *roles: str) -> AsyncHubClient:
    """The SDK as a member of staff uses it; the rig closes it."""
    return rig._clients.setdefault(
        login, AsyncHubClient(rig.url, BearerToken(await rig.staff_token(login, *roles)))
    )


async def billed(rig: Rig) -> RecordReply:
    """A charge over 10.00 yuan, billed and delivered."""
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    return await charge.whole()


async def code_of(call: object) -> str:
    with pytest.raises(ApiError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


async def test_a_dispute_goes_its_whole_way_between_the_two_sides_and_staff(rig: Rig) -> None:
    record_id = (await billed(rig)).record_id
    home, host = rig.client(B), rig.client(A)
    raising = DisputeRaise(dispute_ref="d-1", record_id=record_id, reason="人不在", evidence=[LOG])
    raised = await home.raise_dispute(raising)
    assert await home.raise_dispute(raising) == raised
    dispute_id, reason = raised.dispute_id, "no"
    assert dispute_id.startswith("dsp_")
    (heard,) = (await host.list_disputes(state="raised", updated_since=raised.updated_at)).items
    assert (heard.dispute_id, heard.evidence, heard.dispute_ref) == (dispute_id, [LOG], None)

    contest = DisputeAnswer(answer="contest", reason=reason, evidence=[PHOTO])
    answered = await host.answer_dispute(dispute_id, contest)
    assert await host.answer_dispute(dispute_id, contest) == answered
    insisted = await home.insist_dispute(dispute_id, DisputeInsist(reason=reason))
    assert (insisted.state, insisted.answer_evidence, insisted.dispute_ref) == ("answered", [PHOTO], "d-1")

    await nobody_else_gets_anything(rig, raised)

    # Ten yuan are much here: two people.
    boss, clerk = await staff(rig), await staff(rig, "clerk", "accountant")
    credited = DisputeResolve(outcome="credited", reason="the photo shows another car")
    assert (await boss.resolve_dispute(dispute_id, credited)).proposed_by == "boss"
    assert await code_of(boss.resolve_dispute(dispute_id, credited)) == "second_person_needed"
    done = await clerk.resolve_dispute(dispute_id, credited)
    assert (done.state, done.resolved_by) == ("credited", "clerk")
    assert await boss.resolve_dispute(dispute_id, credited) == done
    accepted = DisputeResolve(outcome="accepted", reason="x")
    assert await code_of(boss.resolve_dispute(dispute_id, accepted)) == "state_conflict"
    seen = await home.get_dispute(dispute_id)
    assert (seen.resolved_by, seen.resolution_reason) == ("hub", credited.reason)
    assert [one.dispute_id for one in (await clerk.list_disputes(order="newest")).items] == [dispute_id]

    # What came of it.
    assert (await home.get_record(record_id)).state == "credited"
    assert await rig.exposure() == (0, 0)
    await rig.work()
    assert (rig.b.records[-1].kind, rig.b.records[-1].credit_of) == ("credit", record_id)


async def nobody_else_gets_anything(rig: Rig, raised: Dispute) -> None:
    """Another operator, and a driver. Staff without the function are in the walk over tenants."""
    dispute_id, stranger = raised.dispute_id, rig.client(D)
    assert (await stranger.list_disputes()).items == []
    other = DisputeRaise(dispute_ref="d", record_id=raised.record_id, reason="x")
    for call in (
        stranger.get_dispute(dispute_id),
        stranger.raise_dispute(other),
        stranger.answer_dispute(dispute_id, DisputeAnswer(answer="concede", reason="x")),
        stranger.withdraw_dispute(dispute_id, DisputeWithdraw(reason="x")),
        stranger.insist_dispute(dispute_id, DisputeInsist(reason="x")),
    ):
        assert await code_of(call) == "not_found"
    assert await code_of(rig.driver().list_disputes()) == "forbidden"


async def test_a_home_that_refuses_bills_raises_disputes_until_its_host_is_not_taken_at_its_word() -> None:
    """On one engine: what it does to rows is tested on both beside this."""
    async with open_rig("sqlite") as rig:
        await refuse_until_distrusted(rig)


async def refuse_until_distrusted(rig: Rig) -> None:
    boss = await staff(rig)
    await boss.restore_trust(A, TrustRestore(reason="try", disputes_most=1))
    rig.b.record_answer = lambda _: RecordAnswer(state="refused", reason="not ours")
    refused = [(await billed(rig)).record_id for _ in range(2)]
    found = (await rig.client(A).list_disputes()).items
    assert [(one.record_id, one.raised_by, one.reason, one.state) for one in found] == [
        (record_id, B, "not ours", "raised") for record_id in refused
    ]
    third = await billed(rig)
    assert (third.state, {one.rule for one in third.findings}) == ("suspended", {"disputes"})
    settlement = rig.b.settle(rig.b.records[0]).settlement
    assert settlement is not None
    assert (await rig.client(B).push_settlement(settlement)).state == "accepted"
    states = {row.record_id: row.state for row in await rig.rows(DisputeRow)}
    assert states == {refused[0]: "accepted", refused[1]: "raised"}
