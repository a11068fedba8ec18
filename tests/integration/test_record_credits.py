"""Credits: one record undone by another, once, whole; money goes back to whom it came from. Both engines."""

from collections.abc import AsyncIterator

import pytest

from hub.clearing.tables import ObligationRow
from hub.ledger.model import CLEARING
from operator_sdk import ApiError
from operator_sdk.contract.messages.records import CreditRecord, RecordAnswer, RecordReply
from tests.rig import A, B, C, Rig, open_rig
from tests.rig_charges import Charge, begin_by_driver, begin_by_home, charge_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def billed(rig: Rig, *, by_driver: bool = False) -> tuple[Charge, RecordReply]:
    """A charge over 10.00 yuan, billed and settled."""
    session = await (begin_by_driver(rig) if by_driver else begin_by_home(rig))
    charge = await charge_of(rig, session.session_id)
    return charge, await charge.whole()


def credit(record_id: str, ref: str = "credit-1", amount_fen: int = 1_000) -> CreditRecord:
    return CreditRecord(record_ref=ref, record_id=record_id, amount_fen=amount_fen, reason="billed twice")


async def code_of(call: object) -> str:
    with pytest.raises(ApiError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


async def owed(rig: Rig) -> list[tuple[str, str, str, int, str | None]]:
    rows = await rig.rows(ObligationRow)
    return sorted(
        (row.kind, row.debtor_party_id, row.creditor_party_id, row.amount_fen, row.credit_of) for row in rows
    )


async def test_a_credit_is_owed_back_beside_the_record_that_stays(rig: Rig) -> None:
    charge, reply = await billed(rig)
    given = [await rig.client(A).push_credit(credit(reply.record_id)) for _ in range(2)]
    assert given[0] == given[1]
    assert (given[0].state, given[0].owed_fen, given[0].findings) == ("accepted", 1_000, [])
    assert await owed(rig) == [
        ("charge", B, A, 1_000, None),
        ("credit", A, B, 1_000, reply.record_id),
    ]
    assert await rig.posted(CLEARING, "receivable", B) == await rig.posted(CLEARING, "payable", A)
    assert await rig.exposure() == (0, 0)
    await rig.work()
    told = rig.b.records[-1]
    assert (told.kind, told.credit_of, told.owed_fen) == ("credit", reply.record_id, 1_000)
    assert (told.session_id, told.lines) == (charge.session_id, [])
    for party in (A, B):
        before = await rig.client(party).get_record(reply.record_id)
        after = await rig.client(party).get_record(given[0].record_id)
        assert (before.state, after.state, after.kind) == ("credited", "accepted", "credit")
        assert (after.credit_of, after.reason) == (reply.record_id, "billed twice")
        assert after.settlement is not None
        assert after.settlement.captured_fen == 0


async def test_a_second_credit_and_half_a_credit_are_rejected_and_change_nothing(rig: Rig) -> None:
    _, reply = await billed(rig)
    before = await rig.fingerprint()
    half = await rig.client(A).push_credit(credit(reply.record_id, "half", 500))
    assert (half.state, half.owed_fen) == ("rejected", 0)
    assert [(one.rule, one.verdict) for one in half.findings] == [("credit", "reject")]
    assert await rig.fingerprint() == before
    assert (await rig.client(A).push_credit(credit(reply.record_id))).state == "accepted"
    before = await rig.fingerprint()
    again = await rig.client(A).push_credit(credit(reply.record_id, "credit-2"))
    of_it = await rig.client(A).push_credit(credit(again.record_id, "credit-3"))
    assert (again.state, of_it.state) == ("rejected", "rejected")
    assert await code_of(rig.client(A).push_credit(credit(reply.record_id, amount_fen=999))) == "id_reused"
    assert await rig.fingerprint() == before
    outcomes = (await rig.client(A).get_record(again.record_id)).outcomes
    assert {one.rule for one in outcomes if one.verdict != "not_applicable"} >= {"party", "credit"}


async def test_nobody_credits_what_nobody_owes(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    charge.minutes = 40
    suspended = await charge.bill(tariff_version=2)
    rejected = await rig.client(A).push_credit(credit(suspended.record_id))
    assert rejected.state == "rejected"
    before = await rig.fingerprint()
    unknown = suspended.record_id[:-4] + "ffff"
    assert await code_of(rig.client(A).push_credit(credit(unknown, "unknown"))) == "not_found"
    assert await rig.fingerprint() == before


async def test_a_credit_of_what_the_home_refused_concedes_its_dispute(rig: Rig) -> None:
    rig.b.record_answer = lambda _: RecordAnswer(state="refused", reason="not mine")
    _, disputed = await billed(rig)
    (raised,) = (await rig.client(A).list_disputes(state="raised")).items
    assert (raised.record_id, raised.raised_by, raised.reason) == (disputed.record_id, B, "not mine")
    given = await rig.client(A).push_credit(credit(disputed.record_id))
    assert (given.state, given.owed_fen) == ("accepted", 0)
    assert (await rig.client(B).get_dispute(raised.dispute_id)).state == "credited"
    assert await rig.posted(CLEARING, "claimed", A) == 0
    assert await rig.exposure() == (0, 0)
    rig.b.record_answer = rig.b.settle
    await rig.work()
    told = rig.b.records[-1]
    assert (told.kind, told.credit_of, told.owed_fen) == ("credit", disputed.record_id, 0)


async def test_a_credited_session_may_be_billed_anew(rig: Rig) -> None:
    charge, reply = await billed(rig)
    await rig.client(A).push_credit(credit(reply.record_id))
    again = await charge.bill()
    assert (again.state, again.findings) == ("accepted", [])
    assert [row[:4] for row in await owed(rig)] == [
        ("charge", B, A, 1_000),
        ("charge", B, A, 1_000),
        ("credit", A, B, 1_000),
    ]
    assert await rig.exposure() == (1_000, 0)


async def test_a_hosted_driver_gets_the_money_back_and_sees_one_bill(rig: Rig) -> None:
    _, reply = await billed(rig, by_driver=True)
    assert await rig.wallet() == (19_000, 0, 0)
    await rig.client(A).push_credit(credit(reply.record_id))
    for _ in range(2):
        await rig.work_now()
    assert await rig.wallet() == (20_000, 0, 0)
    assert await rig.posted(C, "payable", A) == 0
    (mine,) = (await rig.driver().list_records()).items
    assert (mine.record_id, mine.state, mine.kind) == (reply.record_id, "credited", "charge")
