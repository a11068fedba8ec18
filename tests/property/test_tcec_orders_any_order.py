"""Whatever a T/CEC 102 host says, in any order and repeated: no charge goes back, and each is billed once."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.parties.scope import of_party
from hub.roaming.model import may_follow
from hub.roaming.tables import SessionRow
from operator_sdk.contract.codes import SessionState
from tests.tcec102_gate import HOST
from tests.tcec_host_rig import HostRig, open_host_rig

pytestmark = pytest.mark.property

EXAMPLES = 12
EVENTS = ("start", "fail", "early", "middle", "late", "stopping", "ended", "stop", "order")


async def tell(rig: HostRig, session: SessionRow, event: str) -> None:
    """The host says it, in an envelope of its own."""
    match event:
        case "start":
            await rig.say("notification_start_charge_result", rig.result(session))
        case "fail":
            await rig.say("notification_start_charge_result", rig.result(session, 4))
        case "stop":
            await rig.say("notification_stop_charge_result", rig.stopped(session))
        case "order":
            await rig.say("notification_charge_order_info", rig.order(session))
        case "early" | "middle" | "late" | "stopping" | "ended":
            after_s, kwh, stat = {
                "early": (30, "0.25", 2),
                "middle": (60, "0.50", 2),
                "late": (90, "0.75", 2),
                "stopping": (100, "0.85", 3),
                "ended": (120, "1.00", 4),
            }[event]
            await rig.say("notification_equip_charge_status", rig.status(session, after_s, kwh, stat))


async def play(rig: HostRig, events: list[str]) -> None:
    """One charge at a connector of its own."""
    session = await rig.start(f"CONN{rig.started + 1}")
    seen = [SessionState(session.state)]
    for event in [*events, "order"]:
        await tell(rig, session, event)
        now = await rig.session(session.session_id)
        state = SessionState(now.state)
        assert state is seen[-1] or may_follow(seen[-1], state), (seen, event, state)
        seen.append(state)
        if SessionState.BILLED in seen:
            assert (now.energy_wh, now.amount_fen) == (1_000, 150)
    records = [one for one in await rig.records() if one.session_id == session.session_id]
    assert len(records) == 1
    if SessionState.START_FAILED in seen:
        # It was given up and released: whether it is owed is for the rules of records to say.
        assert records[0].state in {"accepted", "suspended"}
    else:
        assert (records[0].state, seen[-1]) == ("accepted", SessionState.BILLED), records[0].findings


def test_events_in_any_order_and_repetition_never_go_back_and_bill_once() -> None:
    with asyncio.Runner() as runner:
        opened = open_host_rig(connectors=2 * EXAMPLES)
        rig = runner.run(opened.__aenter__())
        try:

            @settings(max_examples=EXAMPLES, deadline=None, database=None)
            @given(events=st.lists(st.sampled_from(EVENTS), max_size=9))
            def any_order(events: list[str]) -> None:
                runner.run(play(rig, events))

            any_order()
            runner.run(count_what_is_owed(rig))
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def count_what_is_owed(rig: HostRig) -> None:
    """One obligation for each accepted record, and none for any other."""
    accepted = [one for one in await rig.records() if one.state == "accepted"]
    owed = await rig.hub.clearing.obligations(of_party(HOST), limit=200)
    assert len(owed) == len(accepted) > 0
    assert {one.amount_fen for one in owed} == {150}
