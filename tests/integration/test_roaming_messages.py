"""Messages twice, out of order, altered; scans; and the stream that a driver follows. Both engines."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from hub.ledger.model import CLEARING
from hub.roaming.tables import ScanRow
from operator_sdk import ApiError
from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.roaming import ScanRequest, SessionProgress, StartChargingRequest
from tests.rig import HOLD_FEN, A, B, C, Rig, open_rig
from tests.rig_charges import begin_by_driver, begin_by_home, begin_by_host, charge_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


async def code_of(call: object) -> str:
    with pytest.raises(ApiError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


async def test_every_message_said_again_has_the_same_answer_and_one_effect(rig: Rig) -> None:
    granted = [await begin_by_host(rig, ref="auth-x") for _ in range(3)]
    assert granted[0] == granted[1] == granted[2]
    assert len(rig.b.authorizations) == 1
    started = [await begin_by_home(rig, ref="start-x") for _ in range(3)]
    assert len({one.session_id for one in started}) == 1
    assert len(rig.a.starts) == 1
    assert await rig.exposure() == (0, 2 * HOLD_FEN)

    charge = await charge_of(rig, granted[0].session_id)
    await charge.runs(0)
    await charge.ends(40)
    replies = [await rig.client(A).push_session(charge.session_id, update) for update in charge.sent * 2]
    assert [reply.number for reply in replies] == [1, 2, 1, 2]
    record = charge.record("rec-x")
    accepted = [await rig.client(A).push_record(record) for _ in range(3)]
    assert accepted[0] == accepted[1] == accepted[2]
    assert await rig.obligations() == [(B, A, 1_000, "open")]
    await rig.work()
    settlement = rig.b.settlement(rig.b.records[0])
    for _ in range(2):
        await rig.client(B).push_settlement(settlement)
    await rig.work()
    assert (len(rig.b.records), len(rig.a.settlements)) == (1, 1)
    assert await rig.exposure() == (1_000, HOLD_FEN)


async def test_the_same_id_twice_at_once_is_one_charge(rig: Rig) -> None:
    answers = await asyncio.gather(*(begin_by_host(rig, ref="both") for _ in range(6)), return_exceptions=True)
    granted = {one.authorization_id for one in answers if not isinstance(one, BaseException)}
    refused = {one.code for one in answers if isinstance(one, ApiError)}
    assert len(granted) == 1
    assert refused <= {"in_progress"}
    assert len(rig.b.authorizations) == 1
    assert await rig.exposure() == (0, HOLD_FEN)


async def test_the_same_bill_twice_at_once_is_owed_once(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    charge.minutes = 40
    bills = [charge.record("one"), charge.record("one"), charge.record("two"), charge.record("three")]
    replies = await asyncio.gather(*(rig.client(A).push_record(bill) for bill in bills))
    assert sorted(reply.state for reply in replies if reply.record_ref != "one").count("accepted") <= 1
    assert await rig.obligations() == [(B, A, 1_000, "open")]
    assert await rig.exposure() == (1_000, 0)


async def test_another_bill_for_the_same_charge_waits_in_suspense(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.whole()
    before = (await rig.obligations(), await rig.exposure(), await rig.posted(CLEARING, "payable", A))
    second = await charge.bill()
    assert (second.state, second.owed_fen) == ("suspended", 0)
    assert [finding.rule for finding in second.findings] == ["second_record"]
    assert (await rig.obligations(), await rig.exposure(), await rig.posted(CLEARING, "payable", A)) == before
    assert await rig.posted(CLEARING, "claimed", A) == 1_000


async def test_a_rejected_bill_may_be_followed_by_a_right_one(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.runs(0)
    await charge.ends(40)
    wrong = await charge.bill(amount_fen=999)
    assert (wrong.state, wrong.owed_fen) == ("rejected", 0)
    assert await rig.exposure() == (0, HOLD_FEN)
    assert (await charge.bill()).state == "accepted"
    assert await rig.obligations() == [(B, A, 1_000, "open")]


async def test_a_suspended_bill_owes_nothing_and_keeps_the_hold(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    charge.minutes = 40
    reply = await charge.bill(meter_end_wh=1_006_700)
    assert (reply.state, reply.owed_fen) == ("suspended", 0)
    await rig.work()
    assert (await rig.obligations(), rig.b.records) == ([], [])
    assert await rig.exposure() == (0, HOLD_FEN)


async def test_updates_out_of_order_become_history_and_the_live_state_does_not_go_back(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    updates = [charge.update(minute) for minute in (0, 5, 10, 15)]
    for position in (0, 3, 1, 2, 1, 3):
        await charge.push(updates[position])
    row = await rig.session(charge.session_id)
    assert (row.last_number, row.energy_wh) == (4, charge.wh(15))
    stored = await rig.updates(charge.session_id)
    assert [one.number for one in stored] == [1, 2, 3, 4]
    assert [one.percent is None for one in stored] == [False, True, True, False]


async def test_a_number_said_again_with_other_words_changes_nothing(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    first = charge.update(5)
    await charge.push(first)
    await charge.push(msgspec.structs.replace(first, energy_wh=9_999_999, state=SessionState.ENDED))
    row = await rig.session(charge.session_id)
    assert (row.state, row.energy_wh) == ("charging", first.energy_wh)


async def test_an_update_behind_the_bill_does_not_change_what_was_billed(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.whole()
    late = msgspec.structs.replace(charge.update(50), energy_wh=77_777, amount_fen=99_999)
    await charge.push(late)
    row = await rig.session(charge.session_id)
    assert (row.state, row.energy_wh, row.amount_fen, row.power_w) == ("settled", charge.wh(40), 1_000, 0)
    assert len(await rig.updates(charge.session_id)) == 4


async def test_progress_rises_to_a_hundred_at_the_target(rig: Rig) -> None:
    session = await begin_by_driver(rig, target=Target(kind=TargetKind.AMOUNT, value=1_000))
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0, 10, 20, 39)
    await charge.ends(40, StopReason.TARGET_AMOUNT)
    said = await rig.updates(session.session_id)
    assert [one.percent for one in said] == [0, 25, 50, 97, 100]
    assert said[0].seconds_left is None
    assert said[-1].seconds_left == 0
    assert all(one.seconds_left is not None and one.seconds_left >= 0 for one in said[1:])


# Scans.


async def scanned(rig: Rig, code: str = f"A1.{A}") -> str:
    return (await rig.driver().scan(ScanRequest(code=code))).scan_id


async def start(rig: Rig, scan_id: str, ref: str = "") -> object:
    request = StartChargingRequest(request_ref=ref or rig.ref("drv"), scan_id=scan_id)
    return await rig.driver().start_charging(request)


async def test_our_own_signed_code_is_read_and_a_forged_one_is_not(rig: Rig) -> None:
    url = rig.hub.roaming.scans.url_for(f"A1.{A}")
    assert await scanned(rig, url)
    before = await rig.fingerprint()
    other = url.replace("A1.", "A2.")
    flipped = url[:-1] + ("A" if url[-1] != "A" else "B")
    for forged in (other, flipped, url.split("&m=", maxsplit=1)[0], url.replace("k=1", "k=9")):
        assert await code_of(scanned(rig, forged)) == "code_forged"
    for unknown in ("hlht://X9.MA5AAAAA1", "nonsense", f"Z9.{A}", "https://evil.example/c/A1"):
        assert await code_of(scanned(rig, unknown)) == "code_unknown"
    assert await rig.fingerprint() == before


async def test_a_scan_is_used_once(rig: Rig) -> None:
    scan_id = await scanned(rig)
    await start(rig, scan_id)
    before = await rig.fingerprint()
    assert await code_of(start(rig, scan_id)) == "scan_used"
    assert await rig.fingerprint() == before


async def test_a_scan_lives_two_minutes(rig: Rig) -> None:
    scan_id = await scanned(rig)
    (row,) = await rig.rows(ScanRow, scan_id=scan_id)
    assert timedelta(0) < row.expires_at - rig.hub.clock.wall() <= timedelta(minutes=2)
    async with rig.hub.database.unit() as unit:
        mine = await unit.session.get(ScanRow, scan_id)
        assert mine is not None
        mine.expires_at = rig.hub.clock.wall()
    assert await code_of(start(rig, scan_id)) == "scan_expired"
    assert await rig.wallet() == (20_000, 0, 0)


async def test_a_scan_is_the_drivers_own(rig: Rig) -> None:
    scan_id = await scanned(rig)
    request = StartChargingRequest(request_ref="x", scan_id=scan_id)
    for other in (rig.driver(C, "somebody"), rig.driver(B, "u-1")):
        assert await code_of(other.start_charging(request)) == "scan_unknown"
    assert (await rig.rows(ScanRow, scan_id=scan_id))[0].used_at is None


async def test_a_price_that_changed_since_the_scan_is_shown_again_first(rig: Rig) -> None:
    scan_id = await scanned(rig)
    await rig.reprice(2)
    before = await rig.fingerprint()
    assert await code_of(start(rig, scan_id)) == "price_changed"
    assert await rig.fingerprint() == before
    assert rig.a.starts == []
    assert await start(rig, await scanned(rig))


# Following.


async def test_a_driver_follows_from_the_number_he_has(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0, 5)
    heard: list[SessionProgress] = []
    first = asyncio.Event()

    async def follow() -> None:
        async for said in rig.driver().session_events(session.session_id, after=1):
            heard.append(said)
            first.set()

    async with asyncio.timeout(20):
        following = asyncio.create_task(follow())
        await first.wait()
        await charge.runs(10, 15)
        await charge.ends(20)
        await charge.bill()
        await following
    assert [said.number for said in heard] == [2, 3, 4, 5]
    assert [said.percent for said in heard] == sorted(said.percent or 0 for said in heard)


async def test_the_stream_itself_numbers_its_events_and_ends_with_the_bill(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.whole()
    headers = {
        "authorization": f"Bearer {rig.token(C, rig.customer.customer_id)}",
        "last-event-id": "2",
    }
    answer = await rig.http.get(f"/v1/sessions/{session.session_id}/events", headers=headers, timeout=10)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == ["id: 3"]
    assert answer.text.endswith("event: end\ndata: {}\n\n")


@pytest.mark.parametrize("wrong", ["x", "-1", "²", "9999999999", "99999999999999999999"])
async def test_a_number_that_no_update_has_is_malformed(rig: Rig, wrong: str) -> None:
    session = await begin_by_driver(rig)
    headers = {
        b"authorization": f"Bearer {rig.token(C, rig.customer.customer_id)}".encode(),
        b"last-event-id": wrong.encode("latin-1"),
    }
    answer = await rig.http.get(f"/v1/sessions/{session.session_id}/events", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
