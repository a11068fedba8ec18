"""Records as they are taken: judged in their step, told to whom they concern, decided by people."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import msgspec
import pytest

from hub.core.clock import local_day
from hub.directory.tables import ConnectorRow, PileRow
from hub.roaming.tables import AuthorizationRow
from hub.roaming.tables_records import RecordRow
from hub.roaming.trust import DISPUTES_MOST, auto_accept, count_dispute
from operator_sdk import ApiError, AsyncHubClient, BearerToken
from operator_sdk.contract.messages.records import (
    RecordDecision,
    RecordReply,
    TrustRestore,
    UnmatchedRecord,
)
from tests.rig import HOLD_FEN, A, B, C, D, Rig, open_rig
from tests.rig_charges import Charge, begin_by_driver, begin_by_home, begin_by_host, charge_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def staff(rig: Rig, login: str = "boss", *roles: str) -> AsyncHubClient:
    """The SDK as a member of staff uses it; the rig closes it."""
    return rig._clients.setdefault(
        login, AsyncHubClient(rig.url, BearerToken(await rig.staff_token(login, *roles)))
    )


async def charged(rig: Rig, minutes: int = 40) -> Charge:
    """B's driver has charged; the bill is still to come."""
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.runs(0, minutes // 2)
    await charge.ends(minutes)
    return charge


def objected(reply: RecordReply) -> dict[str, str]:
    return {finding.rule: finding.verdict for finding in reply.findings}


async def code_of(call: object) -> str:
    with pytest.raises(ApiError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


# The rules, each with the facts that the database really holds.


async def test_what_the_database_knows_reaches_the_rules(rig: Rig) -> None:
    """One charge after another, each wrong in one way."""
    assert objected(await (await charged(rig)).bill()) == {}
    assert objected(await (await charged(rig)).bill(tariff_version=2)) == {"tariff": "suspend"}

    unseen = await charged(rig)
    assert objected(await unseen.bill(record_ref="x")) == {}
    assert objected(await unseen.bill()) == {"second_record": "suspend"}

    shrunk = await charged(rig)
    await shrunk.push(msgspec.structs.replace(shrunk.update(41), energy_wh=9_000))
    shrunk.minutes = 40
    assert objected(await shrunk.bill()) == {"live_energy": "suspend"}

    lowered = await charged(rig)
    lowered.meter_wh -= 40_000
    assert objected(await lowered.bill()) == {}
    below = await charge_of(rig, (await begin_by_home(rig)).session_id)
    below.started_at, below.minutes = lowered.at(40), 5
    below.meter_wh = lowered.meter_wh
    assert objected(await below.bill()) == {"meter_back": "suspend"}

    twice = await charged(rig)
    twice.started_at = lowered.at(20)
    assert objected(await twice.bill()) == {"connector_overlap": "suspend"}


async def test_permission_and_place_are_those_of_the_time(rig: Rig) -> None:
    early = await charged(rig)
    await patch(rig, early, authorization={"created_at": early.started_at + timedelta(minutes=9)})
    assert objected(await early.bill()) == {"authorization": "suspend"}

    blocked = await charge_of(rig, (await begin_by_host(rig, "BB-2")).session_id)
    rig.b.blocked.add("BB-2")
    refused = await begin_by_host(rig, "BB-2")
    assert refused.refusal == "token_blocked"
    blocked.started_at, blocked.minutes = rig.hub.clock.business() + timedelta(minutes=1), 3
    assert objected(await blocked.bill()) == {"authorization": "suspend"}

    for when in ({"removed_at": timedelta(0)}, {"created_at": timedelta(minutes=1)}):
        gone = await charged(rig)
        at = {name: gone.started_at + shift for name, shift in when.items()}
        await patch(rig, gone, connector=at)
        assert objected(await gone.bill()) == {"connector": "suspend"}
        await patch(rig, gone, connector=dict.fromkeys(when))


async def test_a_rating_that_was_only_assumed_proves_nothing_against_a_bill(rig: Rig) -> None:
    for assumed, expected in ((False, {"power": "suspend"}), (True, {})):
        charge = await charged(rig)
        await patch(rig, charge, pile={"rated_power_w": 7_000, "power_assumed": assumed})
        assert objected(await charge.bill()) == expected


async def patch(rig: Rig, charge: Charge, **rows: Mapping[str, object]) -> None:
    """Alter what is known of a charge's authorization, connector or pile."""
    session = await rig.session(charge.session_id)
    async with rig.hub.database.unit() as unit:
        known = {
            "authorization": await unit.session.get(AuthorizationRow, session.authorization_id),
            "connector": await unit.session.get(ConnectorRow, (A, session.connector_id)),
            "pile": await unit.session.get(PileRow, (A, "S1", "P1")),
        }
        for name, values in rows.items():
            for column, value in values.items():
                setattr(known[name], column, value)


async def test_a_driver_in_two_places_is_a_warning_and_the_record_is_owed(rig: Rig) -> None:
    first = await charge_of(rig, (await begin_by_host(rig, connector_id="A2")).session_id)
    first.minutes = 40
    assert objected(await first.bill(connector_id="A2")) == {}
    second = await charge_of(rig, (await begin_by_host(rig)).session_id)
    second.minutes, second.started_at = 30, first.started_at
    await patch(rig, second, authorization={"created_at": second.started_at})
    reply = await second.bill()
    assert (reply.state, objected(reply)) == ("accepted", {"driver_twice": "warn"})


async def test_late_records_are_graded_by_the_agreement(rig: Rig) -> None:
    graded = {}
    for days in (2, 8, 91):
        charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
        charge.minutes, charge.started_at = 40, charge.started_at - timedelta(days=days)
        charge.meter_wh -= days * 100_000 // 91
        await patch(rig, charge, authorization={"created_at": charge.started_at})
        reply = await charge.bill(tariff_version=1)
        graded[days] = (reply.state, objected(reply))
    assert graded == {
        2: ("accepted", {"late": "warn"}),
        8: ("suspended", {"late": "suspend"}),
        91: ("rejected", {"late": "reject"}),
    }


async def test_money_for_no_energy_is_accepted_and_not_owed(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.runs(0)
    record = charge.record()
    still = [msgspec.structs.replace(line, energy_wh=0, electricity_fen=90) for line in record.lines]
    charge.minutes = 40
    reply = await charge.bill(
        lines=[msgspec.structs.replace(one, end=charge.at(40)) for one in still],
        energy_wh=0,
        meter_end_wh=charge.meter_wh,
        electricity_fen=90 * len(still),
        service_fen=0,
        amount_fen=90 * len(still),
    )
    assert (reply.state, reply.owed_fen, objected(reply)) == ("accepted", 0, {"no_energy": "warn"})
    assert await rig.obligations() == []
    assert await rig.exposure() == (0, 0)


# Who sees what.


async def test_each_side_sees_its_part_of_what_the_rules_said(rig: Rig) -> None:
    charge = await charged(rig)
    record = charge.record()
    dearer = [msgspec.structs.replace(line, service_fen=line.service_fen + 1) for line in record.lines]
    reply = await charge.bill(
        lines=dearer,
        service_fen=record.service_fen + len(dearer),
        amount_fen=record.amount_fen + len(dearer),
        record_ref=record.record_ref,
    )
    assert reply.state == "accepted"
    host = await rig.client(A).get_record(reply.record_id)
    home = await rig.client(B).get_record(reply.record_id)
    person = await (await staff(rig)).get_record(reply.record_id)
    assert [one.rule for one in host.outcomes][:3] == ["party", "said_before", "second_record"]
    assert len(host.outcomes) == 25
    assert {one.verdict for one in host.outcomes} == {"pass", "not_applicable"}
    assert (person.outcomes, person.record_ref) == (host.outcomes, host.record_ref)
    assert (home.outcomes, home.findings, home.record_ref) == ([], [], None)
    for seen in (host, home, person):
        assert seen.repriced is not None
        assert [part.kind for part in seen.repriced.parts] == ["electricity", "service"] * len(dearer)
        assert seen.repriced.difference_fen == len(dearer)
        assert seen.repriced.repriced_fen == seen.amount_fen - len(dearer)
        assert seen.repriced.tolerance_fen == 100
    assert await code_of(rig.client(D).get_record(reply.record_id)) == "not_found"
    onlooker = await staff(rig, "onlooker", "onlooker")
    assert await code_of(onlooker.get_record(reply.record_id)) == "forbidden"


async def test_an_honest_record_has_nothing_to_explain_and_a_driver_sees_a_bill(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_driver(rig)).session_id)
    reply = await charge.whole()
    assert (await rig.client(A).get_record(reply.record_id)).repriced is None
    mine = await rig.driver().get_record(reply.record_id)
    assert (mine.outcomes, mine.reason, mine.repriced, mine.home_party_id) == ([], None, None, C)


async def test_records_are_listed_by_state(rig: Rig) -> None:
    accepted = await (await charged(rig)).bill()
    suspended = await (await charged(rig)).bill(tariff_version=2)
    for state, reply in (("accepted", accepted), ("suspended", suspended)):
        page = await rig.client(A).list_records(state=state)
        assert [one.record_id for one in page.items] == [reply.record_id]
    assert await code_of(rig.client(A).list_records(state="nonsense")) == "malformed"


# The same number again.


async def test_the_same_number_with_another_body_is_refused_and_changes_nothing(rig: Rig) -> None:
    charge = await charged(rig)
    record = charge.record("same")
    first = await rig.client(A).push_record(record)
    before = await rig.fingerprint()
    for other in (
        msgspec.structs.replace(record, stop_reason="host"),
        msgspec.structs.replace(record, left_at=charge.at(41)),
    ):
        assert await code_of(rig.client(A).push_record(other)) == "id_reused"
    assert await rig.client(A).push_record(record) == first
    assert await rig.fingerprint() == before
    assert len(await rig.rows(RecordRow)) == 1
    assert any("another body" in line for line in rig.logs.lines)


# People decide.


def decision(what: str = "accept", **more: str) -> RecordDecision:
    return RecordDecision(decision=what, reason="looked at it", **more)


async def test_a_suspended_record_is_owed_once_a_person_accepts_it(rig: Rig) -> None:
    charge = await charged(rig)
    reply = await charge.bill(tariff_version=2)
    assert await rig.exposure() == (0, HOLD_FEN)
    boss = await staff(rig)
    decided = [await boss.decide_record(reply.record_id, decision()) for _ in range(2)]
    assert decided[0] == decided[1]
    assert (decided[0].state, decided[0].decided_by) == ("accepted", "boss")
    assert await rig.exposure() == (1_000, 0)
    await rig.work()
    assert [one.record_id for one in rig.b.records] == [reply.record_id]
    row = await rig.record(charge.session_id)
    assert (row.state, row.reason, row.settlement_ref is not None) == ("accepted", "looked at it", True)
    assert await code_of(boss.decide_record(reply.record_id, decision("reject"))) == "state_conflict"


async def test_a_suspended_record_that_is_rejected_leaves_room_for_a_right_one(rig: Rig) -> None:
    charge = await charged(rig)
    reply = await charge.bill(tariff_version=2)
    boss = await staff(rig)
    assert (await boss.decide_record(reply.record_id, decision("reject"))).state == "rejected"
    assert (await rig.client(A).get_record(reply.record_id)).reason == "looked at it"
    assert await rig.exposure() == (0, HOLD_FEN)
    assert (await charge.bill()).state == "accepted"


async def test_much_money_is_decided_by_two_people_who_say_the_same(kind: str) -> None:
    async with open_rig(kind, second_person_fen=500) as rig:
        charge = await charged(rig)
        reply = await charge.bill(tariff_version=2)
        boss, clerk = await staff(rig), await staff(rig, "clerk", "accountant")
        proposed = await boss.decide_record(reply.record_id, decision())
        assert (proposed.state, proposed.proposed_by, proposed.decided_by) == ("suspended", "boss", None)
        assert await code_of(boss.decide_record(reply.record_id, decision())) == "second_person_needed"
        other = await clerk.decide_record(reply.record_id, decision("reject"))
        assert (other.state, other.proposed_by, other.decided_by) == ("suspended", "clerk", None)
        assert await rig.obligations() == []
        done = await boss.decide_record(reply.record_id, decision("reject"))
        assert (done.state, done.proposed_by, done.decided_by) == ("rejected", "clerk", "boss")
        onlooker = await staff(rig, "onlooker", "onlooker")
        assert await code_of(onlooker.decide_record(reply.record_id, decision())) == "forbidden"
        assert await code_of(boss.decide_record(charge.session_id, decision())) == "not_found"


# Records without a session.


def unmatched(charge: Charge, **changes: object) -> UnmatchedRecord:
    """A's bill of a charge that it knows by a number of its own only."""
    record = charge.record()
    said = {name: getattr(record, name) for name in record.__struct_fields__ if name != "session_id"}
    return UnmatchedRecord(**(said | {"session_ref": "offline-7"} | changes))


async def test_a_record_without_a_session_waits_until_a_person_names_who_owes_it(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    # The rig has published its prices only now.
    charge.started_at, charge.minutes = rig.hub.clock.business() - timedelta(minutes=2), 4
    bill = unmatched(charge, token_kind="card", token_digest="0" * 32)
    before = await rig.fingerprint()
    replies = [await rig.client(A).push_unmatched_record(bill) for _ in range(2)]
    assert replies[0] == replies[1]
    assert (replies[0].state, objected(replies[0])) == ("suspended", {"session": "suspend"})
    record_id = replies[0].record_id
    assert await code_of(rig.client(B).get_record(record_id)) == "not_found"
    other = msgspec.structs.replace(bill, home_party_id=B)
    assert await code_of(rig.client(A).push_unmatched_record(other)) == "id_reused"
    assert await rig.exposure() == (0, HOLD_FEN)
    boss = await staff(rig)
    for wrong in (decision(), decision(home_party_id=D)):
        assert await code_of(boss.decide_record(record_id, wrong)) == "rule_violated"
    decided = await boss.decide_record(record_id, decision(home_party_id=B))
    assert (decided.state, decided.home_party_id) == ("accepted", B)
    assert await rig.fingerprint() != before
    assert await rig.exposure() == (bill.amount_fen, HOLD_FEN)
    await rig.work()
    (told,) = rig.b.records
    assert (told.session_id, told.authorization_id, told.token_digest) == (None, None, "0" * 32)
    assert (await rig.client(A).get_record(record_id)).settlement is not None
    assert [said.record_id for said in rig.a.settlements] == [record_id]


async def test_a_session_that_the_hub_knows_after_all_is_billed_as_such(rig: Rig) -> None:
    granted = await begin_by_host(rig, ref="auth-9")
    charge = await charge_of(rig, granted.session_id)
    charge.minutes = 40
    before = await rig.fingerprint()
    with pytest.raises(ApiError) as refused:
        await rig.client(A).push_unmatched_record(unmatched(charge, session_ref="auth-9"))
    assert refused.value.code == "rule_violated"
    assert refused.value.details["session_id"] == granted.session_id
    assert await rig.fingerprint() == before


# A host that is disputed too often.


async def test_a_host_that_is_disputed_too_often_is_not_taken_at_its_word_until_staff_say_so(rig: Rig) -> None:
    today = local_day(rig.hub.clock.business())
    async with rig.hub.database.unit() as unit:
        for _ in range(DISPUTES_MOST):
            assert await count_dispute(unit, A, today)
        assert not await count_dispute(unit, A, today)
        assert not await auto_accept(unit, A)
        assert await auto_accept(unit, B)
    reply = await (await charged(rig)).bill()
    assert (reply.state, objected(reply)) == ("suspended", {"disputes": "suspend"})
    boss = await staff(rig)
    (listed,) = (await boss.list_partner_trust()).items
    assert (listed.party_id, listed.disputes, listed.stopped_day) == (A, DISPUTES_MOST + 1, today)
    restored = await boss.restore_trust(A, TrustRestore(reason="their meters are mended", disputes_most=2))
    assert (restored.stopped_day, restored.lifted_by, restored.disputes) == (None, "boss", 0)
    assert (await (await charged(rig)).bill()).state == "accepted"
    async with rig.hub.database.unit() as unit:
        assert [await count_dispute(unit, A, today) for _ in range(3)] == [True, True, False]
    async with rig.hub.database.unit() as unit:
        assert await count_dispute(unit, B, today)
        assert not await count_dispute(unit, A, "2199-01-01"), "another day does not lift it"
    assert await code_of(boss.restore_trust("MA5ZZZZZ9", TrustRestore(reason="x"))) == "not_found"
