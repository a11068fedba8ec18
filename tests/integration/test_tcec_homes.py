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
from hub.parties.link import LinkRefused
from hub.parties.scope import HUB as HUB_SCOPE
from operator_sdk.contract.codes import ConnectorState, RecordState, SessionState, StopReason
from operator_sdk.contract.messages.checks import RecordListPart
from operator_sdk.contract.messages.records import CreditRecord
from operator_sdk.contract.messages.roaming import HostStartReply
from operator_sdk.contract.tcec102.messages import DisputeOrder, QueryEquipChargeStatus, QueryStopCharge
from operator_sdk.tcec102 import Tcec102Refused
from tests.rig import A, Rig
from tests.rig_charges import TURN_MINUTES, begin_by_home, charge_of
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
async def test_the_start_is_told_once_however_late_and_in_whatever_order(world: HomeWorld) -> None:
    rig, home, seq = world.rig, world.home, world.seq()
    await world.start(seq=seq)
    charge = await charge_of(rig, (await world.session_of(seq)).session_id)
    home.broken = {"notification_start_charge_result"}
    await charge.runs(0, 10)
    await rig.work()
    assert home.told == []
    home.broken, home.succ_stat = set(), 1
    await charge.runs(20)
    await rig.work_now("push_session")
    names = [name for name, _ in home.told]
    assert names[0] == "notification_start_charge_result"
    assert names.count("notification_start_charge_result") == 1
    last = home.heard("notification_equip_charge_status")[-1]
    assert last.total_power == Decimal("3.33")


@ONE_ENGINE
async def test_an_order_that_the_home_refuses_is_disputed_and_a_credit_is_not_told(world: HomeWorld) -> None:
    rig, home, seq = world.rig, world.home, world.seq()
    await world.start(seq=seq)
    charge = await charge_of(rig, (await world.session_of(seq)).session_id)
    home.confirm_result = 1
    await charge.whole()
    record = await rig.record(charge.session_id)
    assert (record.state, record.settlement_ref) == (RecordState.DISPUTED, None)
    credit = CreditRecord(
        record_ref="cr-1", record_id=record.record_id, amount_fen=record.amount_fen, reason="x"
    )
    await rig.client(A).push_credit(credit)
    await rig.work()
    letters = [one for one in await rig.letters("push_record") if one.dead_at is not None]
    assert [one.reason for one in letters] == ["the standard has no credit"]
    assert len(home.heard("notification_charge_order_info")) == 1


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
