"""The rules of a session while it runs: which state may follow, what an update changes, when it is the goal."""

from datetime import datetime, timedelta
from typing import NamedTuple

from operator_sdk.contract.codes import (
    SESSION_RANK,
    TARGET_STOPS,
    ConnectorState,
    SessionState,
    StartMode,
    TargetKind,
)
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.pricing import estimate_fen
from operator_sdk.contract.progress import percent_done, seconds_left, shortfall_s_step
from operator_sdk.contract.public_codes import Code

FROM_HOST = frozenset(
    {
        SessionState.CHARGING,
        SessionState.PAUSED,
        SessionState.STOPPING,
        SessionState.ENDED,
        SessionState.START_FAILED,
    }
)
"""The states that a host may report."""

FINAL = frozenset({SessionState.SETTLED, SessionState.REFUSED, SessionState.START_FAILED})
FINISHING = frozenset({SessionState.STOPPING, SessionState.ENDED, SessionState.BILLED, SessionState.SETTLED})
OVER_AT_HOST = frozenset(
    {SessionState.ENDED, SessionState.BILLED, SessionState.SETTLED, SessionState.START_FAILED}
)
"""What a host that is asked says of a session that is over there."""

SECONDS_LEFT_MOST = 2_000_000_000
"""A charge that has all but stopped would otherwise be told in numbers that no column holds."""

DEFAULT_HOLD_FEN = 5_000
"""Held where home and host are the same operator and need no agreement."""

NOT_YET_CHARGING = frozenset({SessionState.AUTHORIZED, SessionState.STARTING, SessionState.UNKNOWN})


def may_follow(old: SessionState, new: SessionState) -> bool:
    """Whether a session may go from one state to another: ranked, never backward, out of nothing final.

    Within a rank only charging and paused change into each other, and `unknown` and `starting`. Only a session
    that has not charged can fail to start or be refused.
    """
    if old is new or old in {SessionState.SETTLED, SessionState.REFUSED}:
        return False
    if old is SessionState.START_FAILED:
        # A host that said "failed" and then sends a bill is believed about the bill, not about the failure.
        return new in {SessionState.BILLED, SessionState.SETTLED}
    if new is SessionState.START_FAILED:
        return SESSION_RANK[old] < SESSION_RANK[SessionState.CHARGING]
    if new is SessionState.REFUSED:
        return old in {SessionState.REQUESTED, SessionState.AUTHORIZED}
    if new is SessionState.UNKNOWN:
        return old in {SessionState.AUTHORIZED, SessionState.STARTING}
    if SESSION_RANK[new] == SESSION_RANK[old]:
        return {old, new} == {SessionState.CHARGING, SessionState.PAUSED} or old is SessionState.UNKNOWN
    return SESSION_RANK[new] > SESSION_RANK[old]


class Live(NamedTuple):
    """What the hub knows of a charge under way. Energy Wh, power W, money fen, `shortfall_ws` watt-seconds."""

    state: SessionState
    started_at: datetime | None
    last_at: datetime | None
    last_number: int
    energy_wh: int
    amount_fen: int
    power_w: int
    goal_fen: int | None
    able_w: int
    shortfall_ws: int
    percent: int | None
    seconds_left: int | None
    stop_reason: str | None = None


class Heard(NamedTuple):
    """An update as the rules see it."""

    number: int
    at: datetime
    state: SessionState
    energy_wh: int
    amount_fen: int
    power_w: int
    stop_reason: str | None


def after_update(live: Live, heard: Heard) -> Live:
    """The live state after an update that is newer than all before; the state itself never goes back."""
    state = heard.state if may_follow(live.state, heard.state) else live.state
    started_at = live.started_at or heard.at
    step_s = (heard.at - (live.last_at or heard.at)) // timedelta(seconds=1)
    shortfall = live.shortfall_ws + shortfall_s_step(able_w=live.able_w, power_w=heard.power_w, step_s=step_s)
    ended = heard.state is SessionState.ENDED
    percent = percent_done(
        goal=live.goal_fen,
        amount_fen=heard.amount_fen,
        sent=live.percent,
        ended=ended,
        at_target=heard.stop_reason in TARGET_STOPS,
    )
    left = seconds_left(
        goal=live.goal_fen,
        amount_fen=heard.amount_fen,
        elapsed_s=max(0, (heard.at - started_at) // timedelta(seconds=1)),
        shortfall_ws=shortfall,
        able_w=live.able_w,
        finishing=state in FINISHING or heard.state in FINISHING,
    )
    return live._replace(
        state=state,
        started_at=started_at,
        last_at=heard.at,
        last_number=heard.number,
        energy_wh=heard.energy_wh,
        amount_fen=heard.amount_fen,
        power_w=heard.power_w,
        shortfall_ws=shortfall,
        percent=percent,
        seconds_left=None if left is None else min(left, SECONDS_LEFT_MOST),
        stop_reason=heard.stop_reason or live.stop_reason,
    )


def estimate_of(*, target: Target, tariff: Tariff, start: datetime, able_w: int) -> int | None:
    """The price of the target, estimated with the prices at the start; None for a full charge."""
    if target.kind is TargetKind.AMOUNT:
        return target.value
    if target.kind is TargetKind.ENERGY:
        return estimate_fen(tariff, start=start, energy_wh=target.value)
    if target.kind is TargetKind.TIME:
        return estimate_fen(tariff, start=start, energy_wh=able_w * target.value // 3600)
    return None


def connector_refusal(state: str, start_mode: StartMode) -> Code | None:
    """Why a connector in this state takes no charge, or None.

    A host that asks from its own pile knows better than its last report, except of a fault.
    """
    if state == ConnectorState.FAULTED:
        return Code.CONNECTOR_FAULTED
    if start_mode is StartMode.HOST:
        return None
    if state == ConnectorState.OFFLINE:
        return Code.CONNECTOR_OFFLINE
    if state in {ConnectorState.CHARGING, ConnectorState.RESERVED}:
        return Code.CONNECTOR_BUSY
    return None


def target_problem(target: Target) -> str | None:
    """Why a target makes no sense, or None."""
    if target.kind is TargetKind.FULL:
        return "a full charge has no target value" if target.value else None
    return None if target.value > 0 else "a target needs a value"
