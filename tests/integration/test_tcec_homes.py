"""A T/CEC 102 home over real HTTP: its driver charges at a native host, and the bill is paid."""

import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlmodel import select

from hub.clearing import tables_checks
from hub.clearing.tables_checks import CheckDue, CheckRow
from hub.core.clock import local_day
from hub.ledger.model import CLEARING
from hub.parties.link import LinkRefused
from hub.parties.scope import HUB as HUB_SCOPE
from hub.roaming.tables_disputes import DisputeRow
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.codes import ConnectorState, RecordState, SessionState, StopReason
from operator_sdk.contract.messages.checks import RecordListPart
from operator_sdk.contract.messages.disputes import DisputeAnswer, DisputeEvidence, DisputeResolve
from operator_sdk.contract.messages.records import CreditRecord
from operator_sdk.contract.messages.roaming import HostStartReply
from operator_sdk.contract.tcec102.messages import DisputeOrder, QueryEquipChargeStatus, QueryStopCharge
from operator_sdk.tcec102 import Tcec102Refused
from tests.counting import statements
from tests.rig import A, Rig
from tests.rig_charges import TURN_MINUTES, Charge, begin_by_home, charge_of
from tests.tcec_home_world import HOME, HomeWorld, open_homes

ONE_ENGINE = pytest.mark.parametrize("kind", ["sqlite"])
"""For what no engine does otherwise than another."""


@pytest.fixture
async def world(kind: str) -> AsyncIterator[HomeWorld]:
    async with open_homes(kind) as opened:
        await opened.listed()
        yield opened


async def test_a_charge_from_the_start_to_the_settled_bill(world: HomeWorld) -> None:
    rig, home, seq = world.rig, world.home, world.seq()
    begun = await world.start(seq=seq, balance=Decimal("40.00"))
    assert (begun.succ_stat, begun.fail_reason, begun.start_charge_seq_stat) == (0, 0, 1)
    session = await world.session_of(seq)
    assert (session.limit_fen, session.home_party_id, session.host_party_id) == (4_000, HOME, A)

    charge = await charge_of(rig, session.session_id)
    await charge.runs(0, 20)
    await rig.work()
    (result,) = home.heard("notification_start_charge_result")
    assert (result.start_charge_seq, result.start_charge_seq_stat, result.connector_id) == (seq, 2, "A1")
    status = home.heard("notification_equip_charge_status")[-1]
    assert (status.total_power, status.total_money, status.start_charge_seq_stat) == (Decimal("3.33"), 5, 2)
    asked = await world.hub.query_equip_charge_status(QueryEquipChargeStatus(start_charge_seq=seq))
    assert (asked.total_power, asked.total_money, asked.end_time) == (
        status.total_power,
        status.total_money,
        status.end_time,
    )

    stopped = await world.hub.query_stop_charge(QueryStopCharge(start_charge_seq=seq, connector_id="A1"))
    assert (stopped.succ_stat, stopped.start_charge_seq_stat) == (0, 3)
    await rig.work()
    assert [one.reason for one in rig.a.stops] == [StopReason.DRIVER_REMOTE]
    await charge.ends(40, StopReason.DRIVER_REMOTE)
    await charge.bill()
    await rig.work()
    (stop,) = home.heard("notification_stop_charge_result")
    assert (stop.start_charge_seq, stop.succ_stat, stop.start_charge_seq_stat) == (seq, 0, 4)
    (order,) = home.heard("notification_charge_order_info")
    assert (order.start_charge_seq, order.total_power, order.total_money) == (seq, Decimal("6.67"), 10)
    assert (order.total_elec_money + order.total_service_money, order.stop_reason) == (10, 0)
    record = await rig.record(session.session_id)
    assert (record.driver_amount_fen, record.captured_fen, record.released_fen) == (1_000, 1_000, 3_000)
    assert (await world.session_of(seq)).state == SessionState.SETTLED
    assert (await rig.obligations())[0][:3] == (HOME, A, 1_000)
    again = await world.hub.query_stop_charge(QueryStopCharge(start_charge_seq=seq, connector_id="A1"))
    assert (again.succ_stat, again.fail_reason) == (1, 3)


@ONE_ENGINE
async def test_what_cannot_start_is_refused_with_its_reason_and_told_as_failed(world: HomeWorld) -> None:
    rig, home, seq = world.rig, world.home, world.seq()
    rig.a.start_answer = lambda _: HostStartReply(accepted=False, refusal="connector_busy")
    refused = await world.start(seq=seq)
    assert (refused.succ_stat, refused.fail_reason, refused.start_charge_seq_stat) == (1, 10, 4)
    assert await world.start(seq=seq) == refused
    await rig.work()
    (result,) = home.heard("notification_start_charge_result")
    assert (result.start_charge_seq, result.start_charge_seq_stat) == (seq, 4)

    unknown = await world.start("NOWHERE")
    assert (unknown.succ_stat, unknown.fail_reason) == (1, 1)
    await rig.report(ConnectorState.OFFLINE, "A2")
    offline = await world.start("A2")
    assert (offline.succ_stat, offline.fail_reason) == (1, 2)
    with pytest.raises(Tcec102Refused, match="id_reused"):
        await world.start("A2", seq=seq)
    for balance in ("-1.00", "1e12"):
        with pytest.raises(Tcec102Refused, match="Balance"):
            await world.start(balance=Decimal(balance))
    assert await rig.exposure(HOME) == (0, 0)


@ONE_ENGINE
async def test_a_start_repeated_with_another_balance_is_the_same_charge_with_its_first_limit(
    world: HomeWorld,
) -> None:
    rig, seq = world.rig, world.seq()
    first = await world.start(seq=seq, balance=Decimal("40.00"))
    assert await world.start(seq=seq, balance=Decimal("39.10")) == first
    assert await world.start(seq=seq) == first
    session = await world.session_of(seq)
    await (await charge_of(rig, session.session_id)).runs(0, 5)
    charging = await world.start(seq=seq, balance=Decimal("38.00"))
    assert (charging.succ_stat, charging.fail_reason, charging.start_charge_seq_stat) == (0, 0, 2)
    assert (await world.session_of(seq)).limit_fen == 4_000
    assert len(rig.a.starts) == 1
    with pytest.raises(Tcec102Refused, match="id_reused"):
        await world.start("A2", seq=seq, balance=Decimal("40.00"))


@ONE_ENGINE
async def test_a_home_sees_no_charge_of_another_home(world: HomeWorld) -> None:
    rig = world.rig
    theirs = await begin_by_home(rig, ref="B-1")
    for call in (
        world.hub.query_equip_charge_status(QueryEquipChargeStatus(start_charge_seq="B-1")),
        world.hub.query_stop_charge(QueryStopCharge(start_charge_seq="B-1", connector_id="A1")),
    ):
        with pytest.raises(Tcec102Refused, match="no such charge of yours"):
            await call
    assert (await rig.session(theirs.session_id)).state == SessionState.STARTING


@ONE_ENGINE
async def test_the_start_is_told_before_all_else_however_late_and_once_it_is_acknowledged_no_more(
    world: HomeWorld,
) -> None:
    rig, home, seq = world.rig, world.home, world.seq()
    await world.start(seq=seq)
    charge = await charge_of(rig, (await world.session_of(seq)).session_id)
    home.broken = {"notification_start_charge_result"}
    await charge.runs(0, 10)
    await rig.work()
    assert home.told == []
    home.broken = set()
    await charge.runs(20)
    await rig.work_now("push_session")
    names = [name for name, _ in home.told]
    assert names[0] == "notification_start_charge_result"
    assert names.count("notification_start_charge_result") == 1
    last = home.heard("notification_equip_charge_status")[-1]
    assert last.total_power == Decimal("3.33")


@ONE_ENGINE
async def test_of_a_charge_that_its_home_knows_nothing_is_read_but_its_updates(world: HomeWorld) -> None:
    rig, home, seq = world.rig, world.home, world.seq()
    await world.start(seq=seq)
    charge = await charge_of(rig, (await world.session_of(seq)).session_id)
    await charge.runs(0)
    await rig.work()
    await charge.runs(10)
    with statements(rig.hub.database) as asked:
        await rig.work()
    assert len(home.heard("notification_equip_charge_status")) == 2
    assert not [statement for statement in asked if "tcec102_start_told" in statement]


async def test_a_home_is_told_a_status_as_often_as_its_profile_says_and_what_changes_at_once() -> None:
    async with open_homes("sqlite", profile_more="[push]\nstatus_s = 900\n") as world:
        rig, home, seq = world.rig, world.home, world.seq()
        await world.listed()
        await world.start(seq=seq)
        charge = await charge_of(rig, (await world.session_of(seq)).session_id)

        async def told(minute: int, state: SessionState = SessionState.CHARGING) -> int:
            before = len(home.heard("notification_equip_charge_status"))
            await charge.push(charge.update(minute, state))
            await rig.work()
            return len(home.heard("notification_equip_charge_status")) - before

        assert await told(0) == 1
        assert [await told(minute) for minute in (5, 10, 15, 20)] == [0, 0, 1, 0]
        assert await told(21, SessionState.PAUSED) == 1
        assert [await told(minute, SessionState.PAUSED) for minute in (26, 36)] == [0, 1]
        assert await told(37) == 1
        # A host's own clock wavers: a minute early is not too soon for a quarter of an hour.
        assert await told(51) == 1
        asked = await world.hub.query_equip_charge_status(QueryEquipChargeStatus(start_charge_seq=seq))
        await charge.ends(52)
        await rig.work()
        assert len(home.heard("notification_start_charge_result")) == 1
        assert len(home.heard("notification_stop_charge_result")) == 1
        assert asked.total_power == Decimal("8.50")


async def refused_charge(world: HomeWorld) -> Charge:
    """A charge of 1,000 fen whose order the home answers with ConfirmResult 1."""
    seq = world.seq()
    await world.start(seq=seq)
    charge = await charge_of(world.rig, (await world.session_of(seq)).session_id)
    world.home.confirm_result = 1
    await charge.whole()
    return charge


@ONE_ENGINE
async def test_an_order_that_the_home_refuses_is_disputed_and_a_credit_is_not_told(world: HomeWorld) -> None:
    rig, charge = world.rig, await refused_charge(world)
    record = await rig.record(charge.session_id)
    assert (record.state, record.settlement_ref) == (RecordState.DISPUTED, None)
    assert await rig.obligations() == [(HOME, A, 1_000, "disputed")]
    assert await stands(rig) == (0, 0, 1_000, (1_000, 0)), "owed to nobody yet, and kept free by the home"
    credit = CreditRecord(
        record_ref="cr-1", record_id=record.record_id, amount_fen=record.amount_fen, reason="x"
    )
    await rig.client(A).push_credit(credit)
    await rig.work()
    letters = [one for one in await rig.letters("push_record") if one.dead_at is not None]
    assert [one.reason for one in letters] == ["the standard has no credit"]
    assert len(world.home.heard("notification_charge_order_info")) == 1
    (dispute,) = await rig.rows(DisputeRow)
    assert (dispute.raised_by, dispute.reason, dispute.state) == (HOME, "ConfirmResult 1", "credited")
    (given_back,) = await rig.rows(RecordRow, credit_of=record.record_id)
    assert (given_back.state, given_back.amount_fen, given_back.owed_fen) == ("accepted", 1_000, 0)
    assert [one[3] for one in await rig.obligations()] == ["withdrawn"]
    assert await stands(rig) == (0, 0, 0, (0, 0)), "the home owes nothing, and its host has no claim"


@ONE_ENGINE
async def test_an_order_that_the_home_refuses_and_its_host_proves_is_owed_in_the_end(world: HomeWorld) -> None:
    rig, charge = world.rig, await refused_charge(world)
    (dispute,) = await rig.rows(DisputeRow)
    proof = DisputeEvidence(name="log", text="40 minutes at 10 kW")
    said = DisputeAnswer(answer="contest", reason="it charged", evidence=[proof])
    await rig.client(A).answer_dispute(dispute.dispute_id, said)
    decided = DisputeResolve(outcome="accepted", reason="the meter says so")
    await rig.hub.roaming.disputes.resolve(dispute.dispute_id, decided, "ann")
    await rig.work()
    assert (await rig.record(charge.session_id)).state == RecordState.ACCEPTED
    assert await rig.obligations() == [(HOME, A, 1_000, "open")]
    assert await stands(rig) == (1_000, 1_000, 0, (1_000, 0))
    result = await rig.hub.clearing.close_cycle(rig.hub.clock.business())
    assert [(one.debtor, one.amount_fen) for one in result.obligations if one.kind == "charge"] == [
        (HOME, 1_000)
    ]


async def stands(rig: Rig) -> tuple[int, int, int, tuple[int, int]]:
    """In fen: what the home owes, what its host is owed, what it claims in vain, and the home's exposure."""
    return (
        await rig.posted(CLEARING, "receivable", HOME),
        await rig.posted(CLEARING, "payable", A),
        await rig.posted(CLEARING, "claimed", A),
        await rig.exposure(HOME),
    )


@ONE_ENGINE
async def test_the_hubs_list_of_the_day_is_one_message_and_its_disputes_go_into_suspense(
    world: HomeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, home = world.rig, world.home
    now = rig.hub.clock.business()
    noon = (now + timedelta(hours=8)).replace(hour=4, minute=0) - timedelta(days=1)
    rig.turns = itertools.count((now - noon - timedelta(hours=1)) // timedelta(minutes=TURN_MINUTES))
    seqs = []
    for _ in range(3):
        seqs.append(world.seq())
        await world.start(seq=seqs[-1])
        await (await charge_of(rig, (await world.session_of(seqs[-1])).session_id)).whole(20)
    home.disputes = [
        DisputeOrder(start_charge_seq=seqs[1], total_power=Decimal(3), total_money=Decimal(4), dispute_reason=2)
    ]
    monkeypatch.setattr(tables_checks, "LINES_MOST", 2)  # so the list has two parts
    await send_lists(rig)
    (asked,) = home.heard("check_charge_orders")
    assert {one.start_charge_seq for one in asked.charge_orders} == set(seqs)
    assert (asked.order_count, asked.total_order_money) == (3, 15)
    checks = {one.party_id: one for one in await rig.rows(CheckRow)}
    check = checks[HOME]
    assert (check.state, check.parts, check.differences, check.at_risk_fen) == ("compared", 2, 1, 100)
    open_items = await rig.hub.suspense.items(HUB_SCOPE, closed=False, limit=10)
    assert [one.amount_fen for one in open_items if one.home_party_id == HOME] == [100]
    link = await rig.hub.links.of(HOME)
    as_host = RecordListPart(check_ref="c", role="host", day=check.day, part=1, parts=1, lines=[])
    with pytest.raises(LinkRefused, match="not_found"):
        await link.check_records(as_host)


async def send_lists(rig: Rig) -> None:
    """What is due at night, as if the night had come."""
    await rig.hub.checks_out.advance()
    async with rig.hub.database.unit() as unit:
        for row in (await unit.session.exec(select(CheckDue))).all():
            row.due_at, row.day = rig.hub.clock.business(), yesterday(rig)
    await rig.hub.checks_out.advance()
    await rig.work()


def yesterday(rig: Rig) -> str:
    """The local day before this."""
    return local_day(rig.hub.clock.business() - timedelta(days=1))
