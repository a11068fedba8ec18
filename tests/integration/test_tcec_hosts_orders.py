"""Orders of a T/CEC 102 host: under each kind of pricing, what is kept, and how disputes end."""

from datetime import timedelta
from typing import Any

import msgspec
from sqlmodel import select

from hub.core.tables import BusinessMessage
from hub.parties.link import LinkRefused
from hub.parties.scope import of_party
from operator_sdk.contract.messages.disputes import DisputeRaise, DisputeResolve
from tests.tcec102_gate import HOST
from tests.tcec_host_rig import HOME, HostRig, open_host_rig

ESTIMATE = 'estimate_electricity = "0.9"\nestimate_service = "0.1"\n'
"""Other prices than those of any order here."""


def details(rig: HostRig, session: Any, **changes: Any) -> dict[str, Any]:
    """ChargeDetails of `HostRig.order`: one, with its prices."""
    one = {
        "DetailStartTime": rig.local(session.created_at),
        "DetailEndTime": rig.local(session.created_at + timedelta(seconds=120)),
        "ElecPrice": 1.0,
        "SevicePrice": 0.5,
        "DetailPower": 1.0,
        "DetailElecMoney": 1.0,
        "DetailSeviceMoney": 0.5,
    }
    return {"SumPeriod": 1, "ChargeDetails": [{**one, **changes}]}


async def test_with_pricing_by_details_an_order_is_held_against_its_own_prices() -> None:
    async with open_host_rig(rest=f'[pricing]\nmode = "details"\n{ESTIMATE}') as rig:
        for changes, confirmed, said in (({}, 0, {}), ({"ElecPrice": 0.8}, 1, {"price": "suspend"})):
            session = await rig.start()
            assert "query_equip_business_policy" not in rig.host.names()
            order = rig.order(session, **details(rig, session, **changes))
            assert (await rig.say("notification_charge_order_info", order))["ConfirmResult"] == confirmed
            record = (await rig.records())[-1]
            assert {name: verdict for name, verdict in findings(record).items() if name == "price"} == said


async def test_with_pricing_by_trust_an_order_is_taken_as_it_came_with_a_warning() -> None:
    async with open_host_rig(rest=f'[pricing]\nmode = "trust"\n{ESTIMATE}') as rig:
        session = await rig.start()
        said = await rig.say("notification_charge_order_info", rig.order(session))
        (record,) = await rig.records()
        assert (said["ConfirmResult"], record.state, record.owed_fen) == (0, "accepted", 150)
        assert findings(record)["price"] == "warn"


async def test_without_a_policy_an_order_is_held_against_its_own_prices_and_without_those_trusted() -> None:
    cases: list[tuple[dict[str, Any] | None, int, str | None]] = [
        ({}, 0, None),
        ({"ElecPrice": 0.8}, 1, "suspend"),
        (None, 0, "warn"),
    ]
    async with open_host_rig(connectors=len(cases), rest=f"[pricing]\n{ESTIMATE}") as rig:
        rig.host.answers["query_equip_business_policy"] = LinkRefused("message refused")
        for number, (own, confirmed, said) in enumerate(cases, 1):
            session = await rig.start(f"CONN{number}")
            more = {} if own is None else details(rig, session, **own)
            order = rig.order(session, **more)
            assert (await rig.say("notification_charge_order_info", order))["ConfirmResult"] == confirmed
            assert findings((await rig.records())[-1]).get("price") == said


async def test_fields_of_an_order_that_nobody_knows_are_kept_as_they_came() -> None:
    unknown = {"CuspElect": 0.25, "Vin": "LSVAA49J1", "PlateNo": "粤B12345", "vendor": {"a": [1, None]}}
    async with open_host_rig() as rig:
        session = await rig.start()
        order = rig.order(session, **unknown)
        assert (await rig.say("notification_charge_order_info", order))["ConfirmResult"] == 0
        (record,) = await rig.records()
        async with rig.hub.database.reading() as unit:
            kept = select(BusinessMessage).where(BusinessMessage.subject_id == record.record_id)
            row = (await unit.session.exec(kept)).one()
    assert row.body is not None
    assert "粤B12345".encode() not in row.body
    _, _, plain = rig.hub.seal.open(row.body).rpartition(b"\n")
    assert msgspec.json.decode(plain) == order


async def test_a_disputed_order_ends_as_staff_say_and_its_host_gets_the_same_answer_all_along() -> None:
    async with open_host_rig(connectors=2) as rig:
        disputes = rig.hub.roaming.disputes
        for number, outcome in enumerate(("accepted", "credited"), 1):
            session = await rig.start(f"CONN{number}")
            order = rig.order(session)

            async def confirmed(order: dict[str, Any] = order) -> bool:
                said = await rig.say("notification_charge_order_info", order)
                return bool(said["ConfirmResult"] == 0)

            assert await confirmed()
            (bill,) = [one for one in await rig.records() if one.session_id == session.session_id]
            raised = DisputeRaise(dispute_ref=outcome, record_id=bill.record_id, reason="never there")
            dispute = await disputes.raise_dispute(HOME, raised)
            assert await confirmed()
            decided = DisputeResolve(outcome=outcome, reason="looked at it")
            assert (await disputes.resolve(dispute.dispute_id, decided, "ann")).state == outcome
            assert await confirmed()
        bills = [one for one in await rig.records() if one.kind == "charge"]
        assert [one.state for one in bills] == ["accepted", "credited"]
        obligations = await rig.hub.clearing.obligations(of_party(HOST), limit=10)
        assert [one.amount_fen for one in obligations if one.state == "open"] == [150]


def findings(record: Any) -> dict[str, str]:
    """The rules that objected to a record, and how."""
    return {one["rule"]: one["verdict"] for one in msgspec.json.decode(record.findings)}
