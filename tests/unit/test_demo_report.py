"""The demonstration checks its own report, and says what does not hold."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from operator_sdk.examples.demo.report import (
    REFUSALS,
    Charge,
    Frames,
    LedgerState,
    Line,
    Outage,
    Owed,
    Progress,
    Refusal,
    Repair,
    Report,
    problems,
)

AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def charge(name: str, mode: str, reason: str, *, lines: int = 1) -> Charge:
    line = Line(AT, AT, 1000, 650_000, 400_000, 65, 40)
    return Charge(
        session_id=name,
        home="B",
        host="A",
        start_mode=mode,
        connector_id="C1",
        stop_reason=reason,
        meter_start_wh=5000,
        meter_end_wh=5000 + 1000 * lines,
        energy_wh=1000 * lines,
        amount_fen=105 * lines,
        held_fen=5000,
        captured_fen=105 * lines,
        released_fen=5000 - 105 * lines,
        lines=[line] * lines,
        progress=[Progress(n, None, n, n) for n in range(5)],
    )


def good() -> Report:
    return Report(
        sessions=[
            charge("1", "home", "target_energy"),
            charge("2", "hub", "driver_remote", lines=2),
            charge("3", "host", "card"),
            charge("4", "home", "target_energy"),
        ],
        refusals=[Refusal(reason, 0) for reason in REFUSALS],
        outage=Outage("4", 6, 20, 20, 1),
        obligations=[*[Owed("B", "A", 105)] * 3, Owed("B", "A", 210), Owed("A", "HUB", 10)],
        positions={"A": 515, "B": -525, "HUB": 10, "C": 0},
        ledger=LedgerState(verified=True, postings=9),
        work_orders=[Repair("wo_1", ["open", "assigned", "accepted", "in_progress", "done", "confirmed"])],
        frames=Frames(can=900, meter=300),
        database="sqlite",
    )


def test_a_run_in_which_all_is_well_has_no_problems():
    assert problems(good()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sessions": good().sessions[:3]}, "only 3 sessions"),
        ({"refusals": good().refusals[1:]}, "token_unknown: 0 times"),
        ({"refusals": [*good().refusals[:3], Refusal("connector_faulted", 5)]}, "5 fen are still held"),
        ({"outage": Outage("4", 6, 20, 19, 1)}, "20 updates were made"),
        ({"outage": Outage("4", 6, 20, 20, 2)}, "2 charge records"),
        ({"obligations": good().obligations[1:]}, "do not owe what was billed"),
        ({"positions": {"A": 515, "B": -525, "HUB": 11, "C": 0}}, "do not sum to zero"),
        ({"ledger": LedgerState(verified=False, postings=9)}, "does not verify"),
        ({"work_orders": []}, "became a work order"),
        ({"work_orders": [Repair("wo_1", ["open", "assigned", "done"])]}, "wo_1 went open, assigned, done"),
        ({"frames": Frames(can=900, meter=0)}, "frames were counted as 900 and 0"),
    ],
)
def test_what_does_not_hold_is_said(change: dict[str, Any], said: str):
    assert any(said in problem for problem in problems(replace(good(), **change)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"released_fen": 0}, "held"),
        ({"meter_end_wh": 7001}, "energy"),
        ({"amount_fen": 107}, "sum of its lines"),
        ({"progress": []}, "updates were received"),
        ({"progress": [Progress(n, None, 0, 0) for n in (1, 2, 3, 2, 4)]}, "backward"),
    ],
)
def test_a_session_that_does_not_hold_is_named(change: dict[str, Any], said: str):
    whole = good()
    spoilt = replace(whole, sessions=[replace(whole.sessions[0], **change), *whole.sessions[1:]])
    assert any(problem.startswith("1: ") and said in problem for problem in problems(spoilt))
