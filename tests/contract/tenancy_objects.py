"""What the walk over tenants finds at the hub, and what it says there."""

from datetime import datetime

import msgspec

from hub.core.tables import OutboxLetter
from hub.roaming.ports import WaitingMoney
from operator_sdk.contract.codes import SuspenseKind
from operator_sdk.contract.messages.checks import ListedRecord
from operator_sdk.contract.messages.common import Message
from operator_sdk.contract.messages.disputes import (
    DisputeAnswer,
    DisputeEvidence,
    DisputeInsist,
    DisputeRaise,
    DisputeWithdraw,
)
from operator_sdk.contract.messages.payments import Payment
from operator_sdk.contract.messages.records import UnmatchedRecord
from tests.rig import A, B, Rig
from tests.rig_charges import Charge

NAMES = {
    "party_id": A,
    "station_id": "S1",
    "connector": f"A1.{A}",
    "tariff_id": "t",
    "version": "1",
    "day": "2026-10-01",
    "key_id": "k1",
    "site_id": "site-1",
}
"""What a path may name beside the ids that the hub made."""


async def close_and_ask(rig: Rig) -> dict[str, Payment]:
    """What a closed cycle comes to, by party."""
    closed = await rig.hub.clearing.close_cycle(rig.hub.clock.business())
    return {one.party_id: one for one in await rig.hub.payments.ask(closed.cycle.cycle_id)}


def bodies_about(charge: Charge) -> dict[str, bytes]:
    """What only the host of a charge may say."""
    return {
        "push_session": msgspec.json.encode(charge.update(20)),
        "push_record": msgspec.json.encode(charge.record("theirs")),
        "push_unmatched_record": msgspec.json.encode(unmatched(charge)),
    }


def unmatched(charge: Charge) -> UnmatchedRecord:
    """A bill over nothing, so that it leaves no money waiting."""
    record = charge.record("theirs-2", electricity_fen=0, service_fen=0, amount_fen=0)
    said = {name: getattr(record, name) for name in record.__struct_fields__ if name != "session_id"}
    return UnmatchedRecord(**said, session_ref="theirs-2")


async def leave_waiting(rig: Rig, record_id: str) -> str:
    async with rig.hub.database.unit() as unit:
        waiting = WaitingMoney(
            kind=SuspenseKind.OVER_LIMIT,
            subject_id=record_id,
            home_party_id=B,
            host_party_id=A,
            amount_fen=1,
            currency="CNY",
            reason="above the limit",
            evidence={},
        )
        return await rig.hub.suspense.open_suspense(unit, waiting)


async def raise_a_dispute(rig: Rig, record_id: str) -> tuple[str, dict[str, bytes]]:
    """B disputes a record of A's; its id, and what either side may say about it."""
    raising = DisputeRaise(dispute_ref="d-1", record_id=record_id, reason="the driver was not there")
    raised = await rig.client(B).raise_dispute(raising)
    photo = DisputeEvidence(name="photo", link="https://evidence.example/1.jpg")
    said: dict[str, Message] = {
        # Said again by whoever raised it, it is the same dispute; by others it is about nobody's record.
        "raise_dispute": raising,
        "answer_dispute": DisputeAnswer(answer="contest", reason="it was", evidence=[photo]),
        "insist_dispute": DisputeInsist(reason="another car"),
        "withdraw_dispute": DisputeWithdraw(reason="found it"),
    }
    return raised.dispute_id, {name: msgspec.json.encode(message) for name, message in said.items()}


async def check_a_day(rig: Rig) -> str:
    """A's list of a day, and what it differs in."""
    line = ListedRecord(record="theirs-4", amount_fen=0, energy_wh=1)
    check = await rig.hub.record_checks.enter(A, "host", "2026-10-01", [line], by="test")
    return check.check_id


async def bury_a_letter(rig: Rig) -> str:
    async with rig.hub.database.unit() as unit:
        rows = await rig.rows(OutboxLetter, kind="push_record")
        letter = await unit.session.get(OutboxLetter, rows[0].position)
        assert letter is not None
        letter.dead_at, letter.done_at, letter.reason = rig.hub.clock.wall(), None, "test"
        return letter.letter_id


def bodies_of(ids: dict[str, str], now: datetime) -> dict[str, bytes]:
    """A well-formed body for every operation that takes one."""
    stop = b'{"stop_ref":"theirs"}'
    return {
        "release_authorization": msgspec.json.encode(
            {"authorization_id": ids["authorization_id"], "reason": "mine"}
        ),
        "stop_session": stop,
        "stop_charging": stop,
        "push_credit": msgspec.json.encode(
            {"record_ref": "theirs-3", "record_id": ids["record_id"], "amount_fen": 1_000, "reason": "theirs"}
        ),
        "start_charging": msgspec.json.encode({"request_ref": "theirs", "scan_id": ids["scan_id"]}),
        "scan": msgspec.json.encode({"code": f"A1.{A}"}),
        "authorize": msgspec.json.encode(
            {"authorization_ref": "theirs", "token": {"kind": "card", "ref": "BB-1"}, "connector_id": "A1"}
        ),
        "start_session": msgspec.json.encode(
            {"start_ref": "theirs", "token": {"kind": "app_user", "ref": "u-1"}, "connector": f"A1.{A}"}
        ),
        "check_records": msgspec.json.encode(
            {"check_ref": "theirs", "role": "host", "day": "2026-10-01", "part": 1, "parts": 1, "lines": []}
        ),
        "report_fault": msgspec.json.encode(
            {"request_ref": "theirs", "connector": ids["connector"], "kind": "other"}
        ),
        "push_status": msgspec.json.encode(
            {"statuses": [{"connector_id": "A1", "state": "faulted", "at": now}]}
        ),
        "put_station": msgspec.json.encode(
            {"name": "x", "latitude_e6": 0, "longitude_e6": 0, "tariff_id": "t", "piles": []}
        ),
        "assign_tariff": msgspec.json.encode(
            {"tariff_id": ids["tariff_id"], "station_id": ids["station_id"], "valid_from": now}
        ),
        "put_tariff": msgspec.json.encode(
            {
                "valid_from": now,
                "periods": [
                    {"start_minute": 0, "end_minute": 1440, "electricity_micro": 1, "service_micro": 1}
                ],
            }
        ),
    }
