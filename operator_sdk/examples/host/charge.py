"""One charge at a host: from `starting` to the bill. Pure: time is an argument, effects are returned.

The charge stops before it would go beyond its limit or target, so the bill never exceeds either.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply, SettlementRecord
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.money import amount_fen
from operator_sdk.contract.pricing import (
    Reading,
    edges_between,
    highest_price_micro,
    price,
    total_fen,
)
from operator_sdk.examples.host.pile import STEP_MS, Pile, able_w, flow, plug_in, power_w

MS = timedelta(milliseconds=1)
START_DELAY = timedelta(seconds=3)
RUNNING = frozenset({SessionState.STARTING, SessionState.CHARGING})


class Charge(msgspec.Struct, kw_only=True):
    """A session as the host knows it; `host_ref` is its own number for it."""

    session_id: str
    authorization_id: str
    connector_id: str
    host_ref: str
    tariff: Tariff
    limit_fen: int | None
    target: Target
    last_at: datetime
    update_interval_s: int
    card: str | None = None
    state: SessionState = SessionState.STARTING
    readings: list[Reading] = []
    next_update_at: datetime | None = None
    next_number: int = 1
    stop_reason: str | None = None
    power_w: int = 0
    record: RecordReply | None = None
    settlement: SettlementRecord | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not come to its end."""
        return self.state in RUNNING


def energy_wh(charge: Charge, meter_wh: int) -> int:
    """Energy since the start."""
    return meter_wh - charge.readings[0].meter_wh if charge.readings else 0


def amount_so_far(charge: Charge, at: datetime, meter_wh: int) -> int:
    """The host's own price up to this reading."""
    if not charge.readings:
        return 0
    return total_fen(price(charge.tariff, [*charge.readings, Reading(at, meter_wh)]))


def run(charge: Charge, pile: Pile, now: datetime, *, may_start: bool = True) -> Iterator[SessionUpdate]:
    """Let the charge go on until now; yields the updates that fall due on the way."""
    if charge.state == SessionState.STARTING:
        if now < charge.last_at + START_DELAY:
            return
        if not may_start:
            yield _start_failed(charge, pile, now)
            return
        yield _begin(charge, pile)
    while charge.state == SessionState.CHARGING and charge.last_at < now:
        yield from _stretch(charge, pile, now)


def finish(charge: Charge, pile: Pile, reason: str) -> SessionUpdate:
    """Stop where the charge stands; its last update."""
    if charge.state == SessionState.STARTING:
        return _start_failed(charge, pile, charge.last_at, reason)
    charge.readings.append(Reading(charge.last_at, pile.meter_wh))
    charge.state, charge.stop_reason = SessionState.ENDED, reason
    return _update(charge, pile)


def bill(charge: Charge) -> ChargeRecord:
    """The bill of an ended charge, priced from its own readings."""
    first, last = charge.readings[0], charge.readings[-1]
    lines = price(charge.tariff, charge.readings)
    return ChargeRecord(
        record_ref=charge.host_ref,
        session_id=charge.session_id,
        connector_id=charge.connector_id,
        started_at=first.at,
        ended_at=last.at,
        meter_start_wh=first.meter_wh,
        meter_end_wh=last.meter_wh,
        energy_wh=last.meter_wh - first.meter_wh,
        lines=lines,
        electricity_fen=sum(line.electricity_fen for line in lines),
        service_fen=sum(line.service_fen for line in lines),
        amount_fen=total_fen(lines),
        tariff_id=charge.tariff.tariff_id,
        tariff_version=charge.tariff.version,
        stop_reason=charge.stop_reason or StopReason.UNKNOWN,
    )


def _begin(charge: Charge, pile: Pile) -> SessionUpdate:
    plug_in(pile)
    charge.last_at += START_DELAY
    charge.state = SessionState.CHARGING
    charge.readings = [Reading(charge.last_at, pile.meter_wh)]
    return _update(charge, pile)


def _start_failed(charge: Charge, pile: Pile, at: datetime, reason: str = StopReason.FAULT) -> SessionUpdate:
    charge.last_at = at
    charge.state, charge.stop_reason = SessionState.START_FAILED, reason
    return _update(charge, pile)


def _stretch(charge: Charge, pile: Pile, now: datetime) -> Iterator[SessionUpdate]:
    """Up to the next instant at which anything can change."""
    assert charge.next_update_at is not None
    until = min(now, charge.next_update_at)
    edge = next(iter(edges_between(charge.tariff, charge.last_at, until)), None)
    until = edge or until
    ends = _time_target(charge)
    until = min(until, ends) if ends else until
    reason = _advance(charge, pile, until)
    if reason is None and ends is not None and charge.last_at >= ends:
        reason = StopReason.TARGET_TIME
    if reason is not None:
        yield finish(charge, pile, reason)
        return
    if _is_edge(charge.tariff, charge.last_at):
        charge.readings.append(Reading(charge.last_at, pile.meter_wh))
        yield _update(charge, pile)
    elif charge.last_at >= charge.next_update_at:
        yield _update(charge, pile)


def _is_edge(tariff: Tariff, at: datetime) -> bool:
    return bool(edges_between(tariff, at - MS, at + MS))


def _time_target(charge: Charge) -> datetime | None:
    if charge.target.kind != TargetKind.TIME:
        return None
    return charge.readings[0].at + timedelta(seconds=charge.target.value)


def _advance(charge: Charge, pile: Pile, until: datetime) -> StopReason | None:
    """Let energy flow until then, or until the next moment would be too much."""
    left = (until - charge.last_at) // MS
    if _is_far_from_any_stop(charge, pile, left):
        _flow(charge, pile, left)
        return None
    while left > 0:
        if pile.is_full:
            return StopReason.VEHICLE_FULL
        reason: StopReason | None = None
        for step in (STEP_MS, 100, 10, 1):
            reason = _breach(charge, pile, min(step, left))
            if reason is None:
                _flow(charge, pile, min(step, left))
                break
        if reason is not None:
            return reason
        left = (until - charge.last_at) // MS
    return StopReason.VEHICLE_FULL if pile.is_full else None


def _flow(charge: Charge, pile: Pile, ms: int) -> None:
    flow(pile, ms)
    charge.last_at += ms * MS


def _is_far_from_any_stop(charge: Charge, pile: Pile, ms: int) -> bool:
    most_wms = able_w(pile) * ms
    if pile.battery_wms + most_wms >= pile.capacity_wms:
        return False
    ahead_wh = most_wms // 3_600_000 + 2
    dearest = highest_price_micro(charge.tariff)
    # A fee kind may round up once in each line, so a few fen are added.
    amount = amount_so_far(charge, charge.last_at, pile.meter_wh) + amount_fen(ahead_wh, dearest) + 4
    return _limit(charge, energy_wh(charge, pile.meter_wh) + ahead_wh, amount) is None


def _breach(charge: Charge, pile: Pile, ms: int) -> StopReason | None:
    ahead = msgspec.structs.replace(pile)
    flow(ahead, ms)
    amount = amount_so_far(charge, charge.last_at + ms * MS, ahead.meter_wh)
    return _limit(charge, energy_wh(charge, ahead.meter_wh), amount)


def _limit(charge: Charge, energy: int, amount: int) -> StopReason | None:
    target = charge.target
    if target.kind == TargetKind.ENERGY and energy > target.value:
        return StopReason.TARGET_ENERGY
    if target.kind == TargetKind.AMOUNT and amount > target.value:
        return StopReason.TARGET_AMOUNT
    if charge.limit_fen is not None and amount > charge.limit_fen:
        return StopReason.LIMIT_REACHED
    return None


def _update(charge: Charge, pile: Pile) -> SessionUpdate:
    number = charge.next_number
    charge.next_number += 1
    charge.next_update_at = charge.last_at + timedelta(seconds=charge.update_interval_s)
    flowing = charge.state == SessionState.CHARGING
    charge.power_w = power_w(pile) if flowing else 0
    return SessionUpdate(
        number=number,
        at=charge.last_at,
        state=charge.state,
        meter_wh=pile.meter_wh,
        energy_wh=energy_wh(charge, pile.meter_wh),
        amount_fen=amount_so_far(charge, charge.last_at, pile.meter_wh),
        power_w=charge.power_w,
        soc_percent=pile.soc_percent if pile.kind == "dc" and charge.readings else None,
        stop_reason=charge.stop_reason,
        host_ref=charge.host_ref,
    )
