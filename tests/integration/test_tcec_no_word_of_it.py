"""T/CEC 102: an answer that is no word on the matter itself decides nothing for good."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlmodel import update

from hub.core.clock import local_day
from hub.core.tables import OutboxLane, OutboxLetter
from hub.parties.link import LinkRefused
from hub.parties.scope import of_party
from operator_sdk.contract.codes import RecordState, SessionState
from operator_sdk.contract.messages.roaming import StopRequest
from operator_sdk.contract.tcec102.messages import (
    NotificationChargeOrderInfo,
    NotificationChargeOrderInfoReply,
    QueryEquipBusinessPolicy,
    QueryEquipBusinessPolicyReply,
)
from operator_sdk.contract.tcec102.wire import Ret, WireProblem
from operator_sdk.tcec102 import Caller
from tests.rig_charges import Charge, charge_of
from tests.tcec102_gate import HOST
from tests.tcec_home_world import HomeWorld, open_homes
from tests.tcec_host_rig import HOME, HostRig, open_host_rig


async def _stop_refused(rig: HostRig, session_id: str, reason: str) -> None:
    rig.host.answers["query_stop_charge"] = LinkRefused(reason)
    await rig.hub.roaming.stopping.stop(of_party(HOME), session_id, StopRequest(stop_ref="s-1"))
    await rig.work()
    del rig.host.answers["query_stop_charge"]
    now = rig.hub.clock.wall()
    async with rig.hub.database.unit() as unit:
        await unit.execute(update(OutboxLetter).values(due_at=now))
        await unit.execute(update(OutboxLane).values(due_at=now))


@pytest.mark.parametrize("reason", ["envelope refused", "message refused"])
async def test_a_stop_that_is_refused_is_tried_again_while_the_charge_runs(reason: str) -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        await rig.say("notification_start_charge_result", rig.result(session))
        await _stop_refused(rig, session.session_id, reason)
        asked = rig.host.names().count("query_stop_charge")
        await rig.work()
        assert rig.host.names().count("query_stop_charge") == asked + 1


async def test_a_stop_whose_envelope_is_refused_releases_nothing() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        await _stop_refused(rig, session.session_id, "envelope refused")
        assert (await rig.session(session.session_id)).state == SessionState.STARTING


async def test_a_connector_whose_prices_nobody_can_read_costs_its_host_no_station() -> None:
    async with open_host_rig(connectors=2, rest="[pricing]\npolicy_life_s = 0\n") as rig:

        def unreadable(asked: QueryEquipBusinessPolicy) -> QueryEquipBusinessPolicyReply:
            told = rig.host.query_equip_business_policy(asked)
            return msgspec.structs.replace(told, policy_infos=[]) if asked.connector_id == "CONN1" else told

        rig.host.answers["query_equip_business_policy"] = unreadable
        report = await rig.hub.station_pulls.pull(HOST, complete=True)
        assert report.problem is None
        assert report.kept is not None
        assert (report.kept.stations, report.kept.gaps) == (1, 0)


async def test_a_list_that_comes_again_after_an_order_of_it_came_is_judged_anew() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        at = rig.hub.clock.business() - timedelta(days=1)
        day = local_day(at)
        listed = {
            "CheckOrderSeq": "MA5TCEC010000000000000CHK01",
            "StartTime": f"{day} 00:00:00",
            "EndTime": f"{day} 23:59:59",
            "OrderCount": 1,
            "TotalOrderPower": 1.0,
            "TotalOrderMoney": 1.5,
            "ChargeOrders": [{"StartChargeSeq": session.host_ref, "TotalPower": 1.0, "TotalMoney": 1.5}],
        }
        said = await rig.say("check_charge_orders", listed)
        assert [one["DisputeReason"] for one in said["DisputeOrders"]] == [1]
        times = {"StartTime": rig.local(at - timedelta(seconds=60)), "EndTime": rig.local(at)}
        await rig.say("notification_charge_order_info", rig.order(session, **times))
        for _ in range(2):
            said = await rig.say("check_charge_orders", listed)
            assert said["CheckOrderSeq"] == listed["CheckOrderSeq"]
        assert len(await rig.hub.record_checks.checks(of_party(HOST))) == 2


async def _charged(world: HomeWorld) -> Charge:
    seq = world.seq()
    await world.start(seq=seq)
    charge = await charge_of(world.rig, (await world.session_of(seq)).session_id)
    await charge.whole()
    return charge


async def test_an_order_whose_message_is_refused_is_no_dispute_and_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_homes("sqlite") as world:
        await world.listed()
        answers = iter([Ret.ENVELOPE, Ret.BUSINESS])
        good = world.home.notification_charge_order_info

        async def refused(message: NotificationChargeOrderInfo, caller: Caller) -> Any:
            if (ret := next(answers, None)) is not None:
                raise WireProblem(ret, "no", "no")
            return await good(message, caller)

        monkeypatch.setattr(world.home, "notification_charge_order_info", refused)
        charge = await _charged(world)
        for _ in range(2):
            record = await world.rig.record(charge.session_id)
            assert (record.state, record.settlement_ref) == (RecordState.ACCEPTED, None)
            await world.rig.work_now("push_record")
        assert (await world.rig.record(charge.session_id)).settlement_ref is not None


async def test_a_confirmation_of_another_order_settles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_homes("sqlite") as world:
        await world.listed()

        async def mixed_up(message: NotificationChargeOrderInfo, _: Caller) -> Any:
            return NotificationChargeOrderInfoReply(
                start_charge_seq=world.seq(), connector_id=message.connector_id, confirm_result=0
            )

        monkeypatch.setattr(world.home, "notification_charge_order_info", mixed_up)
        record = await world.rig.record((await _charged(world)).session_id)
        assert (record.state, record.settlement_ref) == (RecordState.ACCEPTED, None)
