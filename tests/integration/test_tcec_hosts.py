"""The hub as the customer side of a T/CEC 102 host: whole charges, events in any order, what is nobody's."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub.core.clock import local_day
from hub.parties.link import LinkError
from hub.parties.scope import of_party
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.admin import AgreementAdd
from operator_sdk.contract.tcec102 import messages
from tests.tcec102_gate import HOST, profile_text
from tests.tcec_host_rig import HOME, HostRig, open_host_rig

ENGINES = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
ELSE = "MA5TCEC09"


@ENGINES
async def test_a_charge_lives_from_the_check_of_the_connector_to_the_confirmed_order(kind: str) -> None:
    async with open_host_rig(kind) as rig:
        session = await rig.start()
        # The price was told when the stations were, less than a minute ago.
        assert rig.host.names() == ["query_equip_auth", "query_start_charge"]
        asked = rig.host.heard[-1][1]
        assert asked.start_charge_seq == session.host_ref
        assert (len(asked.start_charge_seq), session.tariff_id) == (27, "tcec-CONN1")
        said = await rig.say("notification_start_charge_result", rig.result(session))
        assert (said["StartChargeSeq"], said["SuccStat"]) == (session.host_ref, 0)
        await rig.say("notification_equip_charge_status", rig.status(session, 60, "0.50"))
        live = await rig.session(session.session_id)
        assert (live.state, live.energy_wh, live.amount_fen, live.power_w) == ("charging", 500, 75, 30_000)
        await rig.say("notification_stop_charge_result", rig.stopped(session))
        assert (await rig.session(session.session_id)).state == SessionState.ENDED
        said = await rig.say("notification_charge_order_info", rig.order(session))
        (record,) = await rig.records()
        assert said["ConfirmResult"] == 0, record.findings
        assert (record.state, record.owed_fen, record.metered) == ("accepted", 150, False)
        owed = await rig.hub.clearing.obligations(of_party(HOST), limit=10)
        assert [(one.debtor, one.creditor, one.amount_fen) for one in owed] == [(HOME, HOST, 150)]


async def test_the_code_that_a_driver_types_to_stop_reaches_the_home() -> None:
    codes = {"4711": "4711", None: None, "what the pile's display says of its fault " * 2: None}
    async with open_host_rig(connectors=len(codes)) as rig:
        told: dict[str, Any] = {}

        async def call(party_id: str, interface: str, message: Any, *, timeout_s: int = 10) -> Any:
            if party_id == HOST:
                return await rig.host.call(party_id, interface, message, timeout_s=timeout_s)
            told[interface] = message
            return None

        rig.hub.tcec102.caller.call = call  # type: ignore[method-assign]
        text = profile_text(ELSE, '["home"]')
        await rig.hub.tcec102.profiles.add(text, "test", deposit_fen=1_000_000, limit_fen=1_000_000)
        await rig.hub.parties.add_agreement(AgreementAdd(home_party_id=ELSE, host_party_id=HOST), actor="test")
        for number, (code, known) in enumerate(codes.items(), 1):
            session = await rig.start(f"CONN{number}", home=ELSE)
            result = {**rig.result(session), "IdentCode": code}
            await rig.say("notification_start_charge_result", result)
            # Sent again until it is acknowledged: the first code is the one that was told.
            await rig.say("notification_start_charge_result", {**result, "IdentCode": known and "0000"})
            await rig.work()
            start = told["notification_start_charge_result"]
            assert (start.start_charge_seq, start.ident_code) == (f"start-{number}", known)


async def test_an_order_comes_twice_in_other_envelopes_and_is_one_record() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        for _ in range(2):
            said = await rig.say("notification_charge_order_info", rig.order(session))
            assert said["ConfirmResult"] == 0
        assert len(await rig.records()) == 1
        said = await rig.say("notification_charge_order_info", rig.order(session, StopReason=0))
        assert said["ConfirmResult"] == 1
        assert [one.state for one in await rig.records()] == ["accepted", "suspended"]


async def test_an_order_stays_the_same_one_when_the_decimals_of_the_profile_or_of_its_numbers_change() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        said = await rig.say("notification_charge_order_info", rig.order(session))
        assert said["ConfirmResult"] == 0
        more = "[numbers]\nenergy_decimals = 4\nmoney_decimals = 4\n"
        await rig.hub.tcec102.profiles.replace(HOST, profile_text(rest=more), "test")
        again = rig.order(session, TotalPower="1.0000", TotalMoney="1.5000", SumPeriod=0)
        said = await rig.say("notification_charge_order_info", again)
        assert said["ConfirmResult"] == 0
        assert len(await rig.records()) == 1
        dearer = rig.order(session, TotalSeviceMoney=0.51, TotalMoney=1.51)
        said = await rig.say("notification_charge_order_info", dearer)
        assert said["ConfirmResult"] == 1
        assert [one.state for one in await rig.records()] == ["accepted", "suspended"]


async def test_a_corrected_order_after_a_rejected_one_is_judged_anew() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        said = await rig.say("notification_charge_order_info", rig.order(session, TotalMoney=9.9))
        assert said["ConfirmResult"] == 1
        said = await rig.say("notification_charge_order_info", rig.order(session))
        assert said["ConfirmResult"] == 0
        assert [one.state for one in await rig.records()] == ["rejected", "accepted"]


async def test_another_hosts_number_is_as_unknown_as_one_that_never_was() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        other = await rig.world.partner(profile_text(ELSE))
        before = await rig.session(session.session_id)
        for interface, message in (
            ("notification_start_charge_result", rig.result(session)),
            ("notification_equip_charge_status", rig.status(session, 60, "0.50")),
            ("notification_stop_charge_result", rig.stopped(session)),
        ):
            answers = []
            for number in (session.host_ref, "MA5HUB000ABCDEFGHIJKLMNOPQR"):
                ret, said = await other.say(interface, {**message, "StartChargeSeq": number})
                assert said.pop("StartChargeSeq") == number
                answers.append((ret, said))
            assert answers[0] == answers[1]
            assert answers[0][1]["SuccStat"] == 1
        assert (await rig.session(session.session_id)) == before


async def test_an_order_of_no_known_charge_waits_for_a_person() -> None:
    async with open_host_rig() as rig:
        session = await rig.start()
        stranger = rig.order(session, StartChargeSeq="MA5HUB000ABCDEFGHIJKLMNOPQR")
        for _ in range(2):
            said = await rig.say("notification_charge_order_info", stranger)
            assert said["ConfirmResult"] == 1
        (record,) = await rig.records()
        assert (record.state, record.session_ref) == ("suspended", "MA5HUB000ABCDEFGHIJKLMNOPQR")


async def test_a_connector_that_is_not_plugged_in_or_broken_starts_nothing() -> None:
    async with open_host_rig() as rig:
        for reason, refusal in ((1, "connector_unplugged"), (2, "connector_faulted"), (44, "host_refused")):

            def refused(asked: Any, reason: int = reason) -> messages.QueryEquipAuthReply:
                return messages.QueryEquipAuthReply(
                    equip_auth_seq=asked.equip_auth_seq,
                    connector_id=asked.connector_id,
                    succ_stat=1,
                    fail_reason=reason,
                )

            rig.host.answers["query_equip_auth"] = refused
            session = await rig.start()
            assert (session.state, session.refusal) == ("refused", refusal)
        assert "query_start_charge" not in rig.host.names()


async def test_a_changed_price_is_a_new_version_and_an_unknown_one_is_the_profiles_estimate() -> None:
    prices = '[pricing]\npolicy_life_s = 0\nestimate_electricity = "0.9"\nestimate_service = "0.1"\n'
    async with open_host_rig(rest=prices) as rig:
        first = await rig.start()
        again = await rig.start()
        assert (again.tariff_id, again.tariff_version) == (first.tariff_id, first.tariff_version)

        def dearer(asked: Any) -> messages.QueryEquipBusinessPolicyReply:
            said = rig.host.query_equip_business_policy(asked)
            period = said.policy_infos[0]
            return messages.QueryEquipBusinessPolicyReply(
                equip_biz_seq=said.equip_biz_seq,
                connector_id=said.connector_id,
                succ_stat=0,
                policy_infos=[
                    messages.PolicyInfo(
                        start_time="000000",
                        elec_price=period.elec_price * 2,
                        service_price=period.service_price,
                    )
                ],
            )

        rig.host.answers["query_equip_business_policy"] = dearer
        dear = await rig.start()
        assert dear.tariff_version == first.tariff_version + 1
        rig.host.answers["query_equip_business_policy"] = LinkError("too slow")
        unsure = await rig.start()
        async with rig.hub.database.reading() as unit:
            tariff = await rig.hub.directory.tariff_version(unit, HOST, unsure.tariff_id, unsure.tariff_version)
        assert tariff is not None
        assert (tariff.binding, tariff.periods[0].electricity_micro) == (False, 900_000)


async def test_a_start_that_nobody_answers_is_asked_about_and_then_stopped() -> None:
    async with open_host_rig() as rig:
        rig.host.answers["query_start_charge"] = LinkError("too slow")
        session = await rig.start()
        assert session.state == SessionState.UNKNOWN
        rig.host.answers["query_equip_charge_status"] = lambda _: messages.QueryEquipChargeStatusReply(
            **{**_nothing(session.host_ref, session.connector_id), "start_charge_seq_stat": 4}
        )
        rig.host.answers["query_stop_charge"] = lambda asked: messages.QueryStopChargeReply(
            start_charge_seq=asked.start_charge_seq, start_charge_seq_stat=4, succ_stat=1, fail_reason=3
        )
        await rig.work()
        names = rig.host.names()
        assert names.index("query_equip_charge_status") < names.index("query_stop_charge")
        assert (await rig.session(session.session_id)).state == SessionState.START_FAILED


async def test_a_start_that_fails_gives_everything_back_once() -> None:
    async with open_host_rig() as rig:
        session = await rig.start(limit_fen=5_000)
        for stat in (4, 5, 2):
            await rig.say("notification_start_charge_result", rig.result(session, stat))
        assert (await rig.session(session.session_id)).state == SessionState.START_FAILED


async def test_connector_states_are_kept_or_dropped() -> None:
    async with open_host_rig() as rig:
        for connector, state, answer in (("CONN1", 255, 0), ("CONN1", 7, 1), ("CONN99", 1, 1)):
            body = {"ConnectorStatusInfo": {"ConnectorID": connector, "Status": state}}
            assert await rig.say("notification_stationStatus", body) == {"Status": answer}
        info = await rig.hub.directory.get_connector(HOST, "CONN1")
        assert info.state == "faulted"


async def _told(rig: HostRig, envelope: bytes) -> str:
    """The state of CONN1 after an envelope that the hub acknowledged."""
    said = rig.partner.opened(await rig.partner.post("notification_stationStatus", envelope))
    assert (said.ret, said.plain) == (0, b'{"Status":0}')
    return (await rig.hub.directory.get_connector(HOST, "CONN1")).state


def _state(rig: HostRig, state: int, at: datetime) -> bytes:
    body = {"ConnectorStatusInfo": {"ConnectorID": "CONN1", "Status": state}}
    return rig.partner.sealed(body, at=at)


AVAILABLE, FAULTED, LOOSE = 1, 255, "[time]\nwindow_s = 0"


@pytest.mark.parametrize("rest", ["", LOOSE])
async def test_a_state_that_is_sent_again_byte_for_byte_does_not_set_its_connector_back(rest: str) -> None:
    async with open_host_rig(rest=rest) as rig:
        now = rig.hub.clock.wall()
        first = _state(rig, AVAILABLE, now)
        for _ in range(2):
            assert await _told(rig, first) == "available"
        assert await _told(rig, _state(rig, FAULTED, now)) == "faulted"
        # A blank more makes no other envelope of it.
        for again in (first, first.replace(b":", b": ", 1)):
            assert await _told(rig, again) == "faulted"
        assert await _told(rig, _state(rig, AVAILABLE, now)) == "available"


@pytest.mark.parametrize(("days", "seqs"), [(0, [1]), (400, [1]), (400, [1, 2])])
async def test_a_partner_whose_time_stamp_stands_still_is_believed_when_it_says_the_same_again(
    days: int, seqs: list[int]
) -> None:
    async with open_host_rig(rest=LOOSE) as rig:
        still = rig.hub.clock.wall() - timedelta(days=days)
        rig.partner.seq = itertools.cycle(seqs)
        for _ in range(2):
            assert await _told(rig, _state(rig, AVAILABLE, still)) == "available"
            assert await _told(rig, _state(rig, FAULTED, still)) == "faulted"


async def test_a_daily_list_is_answered_with_what_differs_and_two_lists_are_two_checks() -> None:
    async with open_host_rig() as rig:
        day = local_day(rig.hub.clock.business() - timedelta(days=1))
        number = "MA5HUB000ABCDEFGHIJKLMNOPQR"
        for name in ("MA5TCEC010000000000000CHK01", "MA5TCEC010000000000000CHK02"):
            said = await rig.say("check_charge_orders", _list(name, day, number))
            assert (said["CheckOrderSeq"], said["TotalDisputeOrder"], said["TotalDisputeMoney"]) == (
                name,
                1,
                15.0,
            )
            assert said["DisputeOrders"] == [
                {"StartChargeSeq": number, "TotalPower": 10.0, "TotalMoney": 15.0, "DisputeReason": 1}
            ]
        found = await rig.hub.record_checks.checks(of_party(HOST))
        assert [(one.day, one.role, one.differences_count) for one in found] == [(day, "host", 1)] * 2
        today = local_day(rig.hub.clock.business())
        ret, _ = await rig.partner.say(
            "check_charge_orders", _list("MA5TCEC010000000000000CHK03", today, number)
        )
        assert ret == 4004


async def test_a_list_that_agrees_with_the_records_has_no_dispute_and_closes_what_an_earlier_one_opened() -> (
    None
):
    days: dict[str, Any] = {
        "speed": 43_200,
        "epoch": datetime.now(UTC),
        "business_epoch": datetime(2026, 3, 2, 4, tzinfo=UTC),
    }
    async with open_host_rig(**days) as rig:
        session = await rig.start()
        assert (await rig.say("notification_charge_order_info", rig.order(session)))["ConfirmResult"] == 0
        day = (await rig.records())[0].service_day
        midnight = datetime.fromisoformat(f"{day}T16:00:00Z")
        wait = rig.hub.clock.wall_for(midnight - rig.hub.clock.business())
        await asyncio.sleep(wait.total_seconds() + 0.01)
        for check, (kwh, yuan), reasons, waiting in (
            ("A", (1.0, 2.5), [2], 1),
            ("B", (1.01, 1.5), [3], 0),
            ("C", (1.0, 1.5), [], 0),
        ):
            said = await rig.say("check_charge_orders", _list(check, day, session.host_ref or "", kwh, yuan))
            assert [one["DisputeReason"] for one in said["DisputeOrders"]] == reasons
            items = await rig.hub.suspense.items(of_party(HOST))
            assert len(items) == waiting


def _list(name: str, day: str, number: str, kwh: float = 10.0, yuan: float = 15.0) -> dict[str, Any]:
    return {
        "CheckOrderSeq": name,
        "StartTime": f"{day} 00:00:00",
        "EndTime": f"{day} 23:59:59",
        "OrderCount": 1,
        "TotalOrderPower": kwh,
        "TotalOrderMoney": yuan,
        "ChargeOrders": [{"StartChargeSeq": number, "TotalPower": kwh, "TotalMoney": yuan}],
    }


def _nothing(seq: str | None, connector_id: str) -> dict[str, Any]:
    """A status of a charge in which nothing happened."""
    return {
        "start_charge_seq": seq,
        "connector_id": connector_id,
        "connector_status": 1,
        "current_a": Decimal(0),
        "voltage_a": Decimal(0),
        "soc": Decimal(0),
        "start_time": "2026-03-02 12:00:00",
        "end_time": "2026-03-02 12:00:00",
        "total_power": Decimal(0),
    }
