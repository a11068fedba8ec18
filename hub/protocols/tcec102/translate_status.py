"""What hosts say of a charge under way, as updates of its session (T/CEC 102.3-2016, 6.4 to 6.9).

The standard numbers nothing: an update's number is made from its sample's time and state, so that the same
status has the same number however often it comes, and an older one is history.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum

from hub.protocols.tcec102.translate_fields import instant, nearest, scaled
from operator_sdk.contract.codes import ConnectorState, SessionState
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import HostSession, HostStartReply, SessionUpdate
from operator_sdk.contract.pricing import PricingError, Reading, price, total_fen
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102.messages import (
    NotificationEquipChargeStatus,
    NotificationStartChargeResult,
    NotificationStopChargeResult,
    QueryStartChargeReply,
)
from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.wire import WireProblem

START_NUMBER, FIRST_SAMPLE = 1, 2
CLOCK_SLACK = timedelta(days=1)
"""How far a partner's clock may be behind ours for its times to be news."""

AHEAD_MOST = timedelta(minutes=5)
"""How far it may be ahead: a sample from tomorrow would silence its session until then. One from further ahead
is of when it came, and counted as AHEAD."""

AHEAD = "sample_ahead"

SECOND = timedelta(seconds=1)
SECOND_HAS = 8
"""Numbers: times have a resolution of a second, and a charge may begin, stop and end within one. Those between
are for stops' results, which have no time and take the next number."""

WH_PER_KWH, FEN_PER_YUAN, WATT_MOST = 1_000, 100, 100_000_000
ALREADY_STOPPED = 3
"""FailReason of a stop: there is nothing left to stop."""


class Stat(IntEnum):
    """StartChargeSeqStat."""

    STARTING = 1
    CHARGING = 2
    STOPPING = 3
    ENDED = 4
    UNKNOWN = 5


STATES = {
    Stat.CHARGING: SessionState.CHARGING,
    Stat.STOPPING: SessionState.STOPPING,
    Stat.ENDED: SessionState.ENDED,
}
"""What is news of a session; `starting` and `unknown` are none."""

RANKS = {SessionState.CHARGING: 0, SessionState.STOPPING: 3, SessionState.ENDED: 6}
"""Of the states within one second, as numbers above the second's own."""

CONNECTORS = {
    0: ConnectorState.OFFLINE,
    1: ConnectorState.AVAILABLE,
    2: ConnectorState.OCCUPIED,
    3: ConnectorState.CHARGING,
    4: ConnectorState.RESERVED,
    255: ConnectorState.FAULTED,
}
"""Status of a connector."""

START_REFUSALS = {1: Code.CONNECTOR_UNKNOWN, 2: Code.CONNECTOR_OFFLINE}


@dataclass(frozen=True, slots=True)
class Followed:
    """What never changes of the session a status is about; `tariff` prices what comes without money."""

    session_id: str
    created_at: datetime
    kind: str
    tariff: Tariff | None = None


def connector_state(status: int) -> ConnectorState | None:
    """The hub's word for a connector's status; None where the standard has no such number."""
    return CONNECTORS.get(status)


def update_of(
    status: NotificationEquipChargeStatus, profile: Profile, followed: Followed, now: datetime
) -> tuple[SessionUpdate | None, frozenset[str]]:
    """A status as an update, None where it is no news; and what was tolerated.

    `TotalPower` is energy and `EndTime` the time of the sample, whatever they are called.

    Raises:
        WireProblem: a field that no update can hold.
    """
    state = STATES.get(status.start_charge_seq_stat)  # type: ignore[call-overload]
    if state is None:
        return None, frozenset()
    at = instant(status.end_time, profile, "EndTime")
    ahead = at > now + AHEAD_MOST
    at = now if ahead else at
    energy_wh = nearest(scaled(status.total_power, WH_PER_KWH, "TotalPower"))
    update = SessionUpdate(
        number=number_of(at, followed.created_at, state),
        at=at,
        state=state,
        meter_wh=energy_wh,
        energy_wh=energy_wh,
        amount_fen=_amount_fen(status, profile, followed, (at, energy_wh)),
        power_w=power_w(status, followed.kind),
        soc_percent=soc_percent(status.soc, followed.kind),
    )
    return update, frozenset({AHEAD}) if ahead else frozenset()


def number_of(sample: datetime, created_at: datetime, state: SessionState) -> int:
    """An update's number: by seconds since a day before the session was opened, then by state."""
    seconds = max(0, (sample - created_at + CLOCK_SLACK) // SECOND)
    return FIRST_SAMPLE + SECOND_HAS * seconds + RANKS[state]


def power_w(status: NotificationEquipChargeStatus, kind: str) -> int:
    """Voltage x current: of a dc connector they are in phase A, of an ac one the phases add up."""
    phases: list[tuple[Decimal | None, Decimal | None]] = [(status.voltage_a, status.current_a)]
    if kind != "dc":
        phases += [(status.voltage_b, status.current_b), (status.voltage_c, status.current_c)]
    watts = sum((volts * amperes for volts, amperes in phases if volts and amperes), Decimal(0))
    return nearest(min(max(watts, Decimal(0)), Decimal(WATT_MOST)))


def soc_percent(soc: Decimal, kind: str) -> int | None:
    """The battery's charge, where it is one: ac piles do not know it and say 0 or 1."""
    return nearest(soc) if kind != "ac" and 1 < soc <= 100 else None


def _amount_fen(
    status: NotificationEquipChargeStatus, profile: Profile, followed: Followed, sample: tuple[datetime, int]
) -> int:
    """The money so far: the host's, or what the session's tariff makes of the energy.

    A 0 says as little as no word: the standard makes it the default, and limits are kept by what is seen here.
    """
    total, electricity, service = status.total_money, status.elec_money, status.service_money
    if not total and electricity is not None and service is not None:
        total = electricity + service
    if total:
        return nearest(scaled(total, FEN_PER_YUAN, "TotalMoney"))
    if followed.tariff is None:
        return 0
    at, energy_wh = sample
    started = min(instant(status.start_time, profile, "StartTime"), at)
    # A charge of years has more tariff edges than anybody waits for.
    started = max(started, at - timedelta(days=7))
    try:
        return total_fen(price(followed.tariff, [Reading(started, 0), Reading(at, energy_wh)]))
    except PricingError:
        return 0


def start_update(
    result: NotificationStartChargeResult, profile: Profile, now: datetime
) -> SessionUpdate | None:
    """A start's result as the session's first update: it charges, or it failed; None where it is neither."""
    stat = result.start_charge_seq_stat
    if stat not in {Stat.CHARGING, Stat.ENDED, Stat.UNKNOWN}:
        return None
    charging = stat == Stat.CHARGING
    return SessionUpdate(
        number=START_NUMBER,
        at=_near(result.start_time, profile, now) if charging else now,
        state=SessionState.CHARGING if charging else SessionState.START_FAILED,
        meter_wh=0,
        energy_wh=0,
        amount_fen=0,
        power_w=0,
    )


def _near(text: str, profile: Profile, now: datetime) -> datetime:
    """A time that a partner gives, or now where it gives none that can be: nothing hangs on it."""
    try:
        at = instant(text, profile, "StartTime")
    except WireProblem:
        return now
    return at if now - CLOCK_SLACK <= at <= now + AHEAD_MOST else now


@dataclass(frozen=True, slots=True)
class Seen:
    """What the hub last heard of a session, and when: a stop's result says no numbers of its own."""

    at: datetime
    energy_wh: int
    amount_fen: int


def stop_update(result: NotificationStopChargeResult, seen: Seen) -> SessionUpdate | None:
    """A stop's result as an update, to be stored under the next number; None where the pile has not stopped.

    It is of the time of what it repeats: how much flowed until the stop, only the order says.
    """
    state = stopped_state(result.start_charge_seq_stat, result.succ_stat, result.fail_reason)
    if state is None:
        return None
    return SessionUpdate(
        number=START_NUMBER,
        at=seen.at,
        state=state,
        meter_wh=seen.energy_wh,
        energy_wh=seen.energy_wh,
        amount_fen=seen.amount_fen,
        power_w=0,
    )


def stopped_state(stat: int, succ_stat: int, fail_reason: int) -> SessionState | None:
    """What a stop came to: ended, stopping, or None where the host did not stop. Stopped before is stopped."""
    if succ_stat:
        return SessionState.ENDED if fail_reason == ALREADY_STOPPED else None
    return SessionState.ENDED if stat == Stat.ENDED else SessionState.STOPPING


def start_reply(reply: QueryStartChargeReply) -> HostStartReply:
    """A start's answer: taken up, no more than that, or refused with a reason."""
    if not reply.succ_stat:
        return HostStartReply(accepted=True)
    return HostStartReply(
        accepted=False, refusal=START_REFUSALS.get(reply.fail_reason, Code.HOST_REFUSED).value
    )


def host_session(status: NotificationEquipChargeStatus, update: SessionUpdate | None = None) -> HostSession:
    """What a host answers about a charge, and its update. One that ended without energy never began."""
    energy_wh = nearest(scaled(status.total_power, WH_PER_KWH, "TotalPower"))
    known = {Stat.STARTING: SessionState.STARTING, **STATES}
    state = known.get(status.start_charge_seq_stat, SessionState.UNKNOWN)  # type: ignore[call-overload]
    if state is SessionState.ENDED and not energy_wh:
        state = SessionState.START_FAILED
    last_number = update.number if update is not None else 0
    return HostSession(known=True, state=state, last_number=last_number, energy_wh=energy_wh, update=update)
