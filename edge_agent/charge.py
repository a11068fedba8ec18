"""A charge as the agent keeps it: what was measured, what it costs, and the bill at its end. Pure.

Readings are kept where the bill needs them (the first, those around each tariff edge, the last), so that
`contract.pricing` makes the same bill from them as from all readings there ever were.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.pricing import Reading, edges_between, fee_lines, price, total_fen

MS = timedelta(milliseconds=1)
MICROSECOND = timedelta(microseconds=1)
WMS_PER_WH = 3_600_000
OVER = frozenset({SessionState.ENDED, SessionState.START_FAILED})


class Charge(Struct, frozen=True, kw_only=True):
    """One session. `deadline`, `resend_at` and `rose_at` are wall time, every other instant business time.

    `card`: the digest of the card that began it, if one did. `still_since`: the pile says that energy has
    stopped, so a reading asked for after that is the last. `rose_at`: when the meter last rose.
    """

    session_id: str
    authorization_id: str
    connector_id: str
    host_ref: str
    tariff: Tariff
    limit_fen: int | None
    target: Target
    deadline: datetime
    energy_resolution_wh: int = 10
    card: bytes | None = None
    state: SessionState = SessionState.STARTING
    is_start_sent: bool = False
    is_start_taken: bool = False
    is_plugged: bool = False
    resend_at: datetime | None = None
    rose_at: datetime | None = None
    still_since: datetime | None = None
    readings: tuple[Reading, ...] = ()
    last: Reading | None = None
    last_number: int = 0
    next_update_at: datetime | None = None
    updated_at: datetime | None = None
    stop_reason: StopReason | None = None
    power_w: int = 0
    soc_percent: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has not come to its end."""
        return self.state not in OVER

    @property
    def energy_wh(self) -> int:
        """Energy since the start."""
        return self.last.meter_wh - self.readings[0].meter_wh if self.last and self.readings else 0

    @property
    def amount_fen(self) -> int:
        """Its price so far, parking included."""
        return _price_fen(self, self.last, self.last.at) if self.last and self.readings else 0


def observed(charge: Charge, at: datetime, meter_wh: int) -> Charge:
    """Take a reading in: energy never goes down, and no two readings have one instant."""
    before = charge.last
    assert before is not None
    now = Reading(max(at, before.at + MS), max(meter_wh, before.meter_wh))
    if not edges_between(charge.tariff, before.at, now.at + MICROSECOND):
        return replaced(charge, last=now)
    around = (now,) if charge.readings[-1] == before else (before, now)
    return replaced(charge, last=now, readings=charge.readings + around)


def next_update(charge: Charge, at: datetime) -> tuple[Charge, SessionUpdate]:
    """Number the charge as it stands; its time never goes back."""
    known = [instant for instant in (at, charge.updated_at, charge.last and charge.last.at) if instant]
    charge = replaced(charge, last_number=charge.last_number + 1, updated_at=max(known))
    return charge, SessionUpdate(
        number=charge.last_number,
        at=max(known),
        state=charge.state,
        meter_wh=charge.last.meter_wh if charge.last else 0,
        energy_wh=charge.energy_wh,
        amount_fen=charge.amount_fen,
        power_w=charge.power_w,
        soc_percent=charge.soc_percent,
        stop_reason=charge.stop_reason,
        host_ref=charge.host_ref,
    )


def ended(charge: Charge) -> Charge:
    """The charge at its end, its last reading kept: later than the first, as every bill wants it."""
    first, last = charge.readings[0], charge.last
    assert last is not None
    if last.at <= first.at:
        last = Reading(first.at + MS, last.meter_wh)
    readings = charge.readings if charge.readings[-1] == last else (*charge.readings, last)
    return replaced(charge, state=SessionState.ENDED, readings=readings, last=last, power_w=0)


def _price_fen(charge: Charge, last: Reading, ended_at: datetime) -> int:
    """What a bill would say if energy ended with this reading, and the charge then."""
    fees = fee_lines(charge.tariff, started_at=charge.readings[0].at, ended_at=ended_at)
    return total_fen(price(charge.tariff, (*charge.readings, last)), fees)


def bill(charge: Charge) -> ChargeRecord:
    """The bill of an ended charge, made at its end: parking runs until then, and nothing is idle yet."""
    first, last = charge.readings[0], charge.readings[-1]
    lines = price(charge.tariff, charge.readings)
    fees = fee_lines(charge.tariff, started_at=first.at, ended_at=last.at)
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
        amount_fen=total_fen(lines, fees),
        fees=fees,
        parking_fen=sum(fee.amount_fen for fee in fees),
        tariff_id=charge.tariff.tariff_id,
        tariff_version=charge.tariff.version,
        stop_reason=charge.stop_reason or StopReason.UNKNOWN,
        energy_resolution_wh=charge.energy_resolution_wh,
    )


def _dearest_fen(charge: Charge, last: Reading, within: timedelta, more_wh: int) -> int:
    """The most that a bill could say if so much energy came at any moment within that time, and then a stop.

    The stop takes a reading more to be seen, and what time costs runs until then.
    """
    late = Reading(last.at + within, last.meter_wh + more_wh)
    dearest = _price_fen(charge, late, late.at + within)
    if not edges_between(charge.tariff, last.at, late.at):
        return dearest
    # It may all come before the price changes, or be split so that each of two more amounts is rounded up.
    soon = Reading(last.at + MS, late.meter_wh)
    return max(dearest, _price_fen(charge, soon, late.at + within)) + 2


def breach(charge: Charge, ahead_ms: int) -> StopReason | None:
    """Which target or limit might be passed within that much business time, at the power that flows now."""
    last, target = charge.last, charge.target
    assert last is not None
    # The meter may be just short of its next step.
    ahead_wh = -(-charge.power_w * ahead_ms // WMS_PER_WH) + charge.energy_resolution_wh
    if target.kind is TargetKind.ENERGY and charge.energy_wh + ahead_wh > target.value:
        return StopReason.TARGET_ENERGY
    if target.kind is not TargetKind.AMOUNT and charge.limit_fen is None:
        return None
    amount = _dearest_fen(replaced(charge, readings=(*charge.readings, last)), last, ahead_ms * MS, ahead_wh)
    if target.kind is TargetKind.AMOUNT and amount > target.value:
        return StopReason.TARGET_AMOUNT
    return StopReason.LIMIT_REACHED if charge.limit_fen is not None and amount > charge.limit_fen else None


replaced = msgspec.structs.replace
