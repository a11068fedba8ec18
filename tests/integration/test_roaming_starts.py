"""The three ways to start, from the first word to the settlement, on both engines."""

from collections.abc import AsyncIterator

import pytest

from hub.ledger.model import CLEARING
from hub.parties.scope import of_party
from hub.roaming.tables import LegRow
from operator_sdk import ApiError
from operator_sdk.contract.codes import ConnectorState, StopReason
from operator_sdk.contract.messages.roaming import (
    HostStartReply,
    ReleaseRequest,
    ScanRequest,
    StartChargingRequest,
    StopRequest,
)
from tests.rig import HOLD_FEN, A, B, C, Rig, open_rig
from tests.rig_charges import begin, begin_by_driver, begin_by_home, begin_by_host, charge_of

pytestmark = pytest.mark.integration

BILL_FEN = 1_000
"""Forty minutes at 10 kW and 1.50 yuan a kWh, each fee kind rounded by itself: 6,666 Wh."""


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


@pytest.mark.parametrize("mode", ["home", "host", "hub"])
async def test_a_charge_is_billed_owed_settled_and_told_to_everybody(rig: Rig, mode: str) -> None:
    begun = await begin(rig, mode)
    assert await rig.exposure(begun.home) == (0, HOLD_FEN)
    charge = await charge_of(rig, begun.session_id)
    reply = await charge.whole()

    assert (reply.state, reply.owed_fen, reply.findings) == ("accepted", BILL_FEN, [])
    assert (await rig.session(begun.session_id)).state == "settled"
    assert (await rig.authorization(begun.session_id)).state == "consumed"
    assert await rig.exposure(begun.home) == (BILL_FEN, 0)
    assert await rig.obligations() == [(begun.home, A, BILL_FEN, "open")]
    assert await rig.posted(CLEARING, "receivable", begun.home) == BILL_FEN
    assert await rig.posted(CLEARING, "payable", A) == BILL_FEN
    (settlement,) = rig.a.settlements
    assert (settlement.captured_fen, settlement.released_fen) == (BILL_FEN, HOLD_FEN - BILL_FEN)
    assert rig.b.releases == []


async def test_a_hosted_drivers_wallet_is_held_then_charged_once(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    assert await rig.wallet() == (20_000, HOLD_FEN, 0)
    charge = await charge_of(rig, session.session_id)
    await charge.whole()
    assert await rig.wallet() == (20_000 - BILL_FEN, 0, 0)
    assert await rig.posted(C, "payable", A) == BILL_FEN


async def test_a_native_home_hears_the_first_the_newest_and_the_last_update(rig: Rig) -> None:
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.runs(0, 5, 10, 15)
    await charge.ends(20)
    await rig.work()
    assert [(said.number, said.state) for said in rig.b.progress] == [
        (1, "charging"),
        (4, "charging"),
        (5, "ended"),
    ]


async def test_the_host_learns_a_pseudonym_and_never_the_card(rig: Rig) -> None:
    granted = await begin_by_host(rig, "BB-1")
    again = await begin_by_host(rig, "BB-1", connector_id="A2")
    other = await begin_by_host(rig, "BB-2")
    assert granted.token_ref == again.token_ref != other.token_ref
    assert "BB-1" not in str(granted)


@pytest.mark.parametrize(
    ("card", "refusal"), [("XX-9", "token_unknown"), ("BB-9", "token_unknown"), ("BB-2", "token_blocked")]
)
async def test_a_card_that_may_not_charge_is_refused_and_nothing_is_held(
    rig: Rig, card: str, refusal: str
) -> None:
    rig.b.blocked.add("BB-2")
    before = await rig.fingerprint()
    answer = await begin_by_host(rig, card)
    assert (answer.state, answer.refusal, answer.limit_fen) == ("refused", refusal, None)
    assert await rig.fingerprint() == before


async def test_an_empty_wallet_is_refused_for_insufficient_funds(rig: Rig) -> None:
    first = await begin_by_driver(rig)
    assert first.state == "starting"
    # The wallet holds 200.00 and each charge 50.00: four fit.
    for _ in range(3):
        await begin_by_driver(rig)
    fifth = await begin_by_driver(rig)
    assert (fifth.state, fifth.refusal) == ("refused", "insufficient_funds")
    assert await rig.wallet() == (20_000, 4 * HOLD_FEN, 0)
    assert await rig.exposure(C) == (0, 4 * HOLD_FEN)


@pytest.mark.parametrize("mode", ["home", "host", "hub"])
async def test_a_faulted_connector_takes_no_charge(rig: Rig, mode: str) -> None:
    await rig.report(ConnectorState.FAULTED)
    before = await rig.fingerprint()
    if mode == "host":
        assert (await begin_by_host(rig)).refusal == "connector_faulted"
    else:
        session = await (begin_by_home(rig) if mode == "home" else begin_by_driver(rig))
        assert (session.state, session.refusal) == ("refused", "connector_faulted")
    assert (rig.b.authorizations, rig.a.starts) == ([], [])
    assert await rig.fingerprint() == before


async def test_no_home_may_come_to_owe_more_than_its_limit(rig: Rig) -> None:
    fits = await begin_by_home(rig, limit_fen=999_000)
    assert fits.state == "starting"
    over = await begin_by_host(rig)
    assert (over.state, over.refusal) == ("refused", "home_exposure_exceeded")
    assert rig.b.authorizations == []
    small = await begin_by_home(rig, limit_fen=1_000)
    assert small.state == "starting"
    assert await rig.exposure() == (0, 1_000_000)


async def test_a_home_that_grants_more_than_it_may_owe_is_refused_and_gets_its_hold_back(rig: Rig) -> None:
    await begin_by_home(rig, limit_fen=990_000)
    rig.b.grant_fen = 20_000
    answer = await begin_by_host(rig)
    assert (answer.state, answer.refusal) == ("refused", "home_exposure_exceeded")
    assert await rig.exposure() == (0, 990_000)
    await rig.work()
    assert [one.authorization_id for one in rig.b.releases] == [answer.authorization_id]


async def test_a_home_may_grant_less_than_was_asked(rig: Rig) -> None:
    rig.b.grant_fen = 700
    answer = await begin_by_host(rig)
    assert answer.limit_fen == 700
    assert await rig.exposure() == (0, 700)


async def test_a_host_gives_back_what_it_will_not_use(rig: Rig) -> None:
    granted = await begin_by_host(rig)
    release = ReleaseRequest(authorization_id=granted.authorization_id, reason="driver_left")
    for _ in range(2):
        assert (await rig.client(A).release_authorization(release)).state == "released"
    await rig.work()
    assert await rig.exposure() == (0, 0)
    assert len(rig.b.releases) == 1
    assert (await rig.session(granted.session_id or "")).state == "start_failed"


async def test_nothing_is_given_back_once_the_charge_runs(rig: Rig) -> None:
    granted = await begin_by_host(rig)
    charge = await charge_of(rig, granted.session_id)
    await charge.runs(0)
    release = ReleaseRequest(authorization_id=granted.authorization_id, reason="mistake")
    with pytest.raises(ApiError) as refused:
        await rig.client(A).release_authorization(release)
    assert refused.value.code == "state_conflict"
    assert await rig.exposure() == (0, HOLD_FEN)


async def test_a_host_that_never_begins_is_asked_and_stopped_before_anything_is_given_back(rig: Rig) -> None:
    granted = await begin_by_host(rig)
    await rig.work_now("authorization_unused")
    assert rig.a.heard == ["query_session", "stop"]
    assert (await rig.session(granted.session_id or "")).state == "unknown"
    assert await rig.exposure() == (0, HOLD_FEN), "energy may flow"
    rig.a.stop_state = None
    await rig.hub.roaming.stopping.stop(of_party(B), granted.session_id or "", StopRequest(stop_ref="s"))
    await rig.work()
    assert (await rig.authorization(granted.session_id or "")).state == "expired"
    assert await rig.exposure() == (0, 0)
    assert [one.authorization_id for one in rig.b.releases] == [granted.authorization_id]


async def test_the_driver_stops_and_the_host_confirms(rig: Rig) -> None:
    session = await begin_by_driver(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0, 10)
    stop = StopRequest(stop_ref="stop-1")
    first = await rig.driver().stop_charging(session.session_id, stop)
    again = await rig.driver().stop_charging(session.session_id, stop)
    assert first == again
    assert first.state == "stopping"
    await rig.work()
    assert len(rig.a.stops) == 1
    await charge.push(charge.update(11))
    assert (await rig.driver().get_session(session.session_id)).seconds_left == 0
    await charge.ends(12, StopReason.DRIVER_REMOTE)
    assert (await rig.session(session.session_id)).state == "ended"


async def test_the_home_stops_its_drivers_charge(rig: Rig) -> None:
    session = await begin_by_home(rig)
    charge = await charge_of(rig, session.session_id)
    await charge.runs(0, 10)
    reply = await rig.client(B).stop_session(session.session_id, StopRequest(stop_ref="s"))
    assert reply.state == "stopping"
    await rig.work()
    assert [one.reason for one in rig.a.stops] == ["driver_remote"]


async def test_two_series_of_numbers_of_one_host_may_overlap(rig: Rig) -> None:
    """A host that numbers its authorizations and its charges from 1 gets both through."""
    rig.a.start_answer = lambda _: HostStartReply(accepted=True, host_ref="1")
    granted = await begin_by_host(rig, ref="1")
    assert granted.state == "granted"
    session = await begin_by_home(rig)
    assert session.state == "starting"
    rig.b.home_ref = lambda _: "7"
    assert (await begin_by_host(rig)).state == "granted"
    assert (await begin_by_host(rig)).state == "granted"


async def test_a_number_that_the_host_gives_with_its_yes_is_kept(rig: Rig) -> None:
    for session in (await begin_by_home(rig), await begin_by_driver(rig)):
        number = f"s:{session.session_id[-12:]}"
        assert (await rig.session(session.session_id)).host_ref == number
        (leg,) = await rig.rows(LegRow, session_id=session.session_id, side="host")
        assert (leg.external_ref, leg.direction) == (number, "out")


async def test_what_the_driver_scanned_starts_one_charge(rig: Rig) -> None:
    scan = await rig.driver().scan(ScanRequest(code=f"A1.{A}"))
    start = StartChargingRequest(request_ref="r-1", scan_id=scan.scan_id)
    first = await rig.driver().start_charging(start)
    again = await rig.driver().start_charging(start)
    assert first.session_id == again.session_id
    assert len(rig.a.starts) == 1
    assert (await rig.client(A).get_session(first.session_id)).token_ref is not None
    with pytest.raises(ApiError):
        await rig.client(B).get_session(first.session_id)
