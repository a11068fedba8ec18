"""A charge as its host lives it: what the pile does, what is reported, what is billed."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import FeeLine, Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.pricing import Reading, fee_lines, price, total_fen


@dataclass(frozen=True, slots=True)
class HostConduct:
    """How a host behaves in one session.

    start: plain | refuses | fails | mute (does it, answers nobody) | deaf (never hears) | slow.
    reports: plain | none. record: plain | late | very_late | never, and what is wrong with it:
    twice | second | reused | overpriced | unsummed | credited | lies (says that it failed, and charges).
    """

    start: str = "plain"
    reports: str = "plain"
    overrun: bool = False
    pauses: bool = False
    record: str = "plain"


PLAIN = HostConduct()

TAKEN, ON, ENDED, FAILED, BURNT, REFUSED = "taken", "on", "ended", "failed", "burnt", "refused"
"""A charge at its host. Burnt: stopped before it began; it never will begin."""

AS_TOLD = {
    TAKEN: SessionState.STARTING,
    ON: SessionState.CHARGING,
    ENDED: SessionState.ENDED,
    FAILED: SessionState.START_FAILED,
    BURNT: SessionState.START_FAILED,
    REFUSED: SessionState.START_FAILED,
}


@dataclass
class Charge:
    """One session at its pile. Power is even while it flows: readings between two ticks lie on a line."""

    session_id: str
    connector_id: str
    tariff: Tariff
    limit_fen: int | None
    target: Target
    conduct: HostConduct
    power_w: int
    meter_start_wh: int
    host_ref: str
    state: str = TAKEN
    number: int = 0
    last: SessionUpdate | None = None
    readings: list[Reading] = field(default_factory=list)
    left_at: datetime | None = None
    stop_reason: str = StopReason.VEHICLE_FULL
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    outgoing: list[SessionUpdate | ChargeRecord] = field(default_factory=list)
    acknowledged: list[SessionUpdate] = field(default_factory=list)
    sent: list[ChargeRecord] = field(default_factory=list)
    courier: bool = False

    @property
    def started_at(self) -> datetime:
        return self.readings[0].at

    @property
    def meter_wh(self) -> int:
        return self.readings[-1].meter_wh

    def begin(self, at: datetime) -> None:
        """Current flows from now on."""
        self.readings = [Reading(at, self.meter_start_wh)]

    def tick(self, at: datetime, *, flowing: bool) -> None:
        """The meter is read; the last stretch had current, or had none."""
        before = self.readings[-1]
        passed_ms = (at - before.at) // timedelta(milliseconds=1)
        gained = (2 * self.power_w * passed_ms + 3_600_000) // 7_200_000 if flowing else 0
        self.readings.append(Reading(at, before.meter_wh + gained))

    def amount_fen(self) -> int:
        """What it has come to, without fees for time."""
        return total_fen(price(self.tariff, self.readings)) if len(self.readings) > 1 else 0

    def amount_after_fen(self, seconds: int) -> int:
        """What it would come to after so many more seconds of current."""
        last = self.readings[-1]
        gained = (2 * self.power_w * seconds + 3_600) // 7_200
        ahead = Reading(last.at + timedelta(seconds=seconds), last.meter_wh + gained)
        return total_fen(price(self.tariff, [*self.readings, ahead]))

    def fees(self) -> list[FeeLine]:
        """Fees for time, known once the vehicle has left."""
        ended_at = self.readings[-1].at
        return fee_lines(self.tariff, started_at=self.started_at, ended_at=ended_at, left_at=self.left_at)

    def seconds_to(self, limit_fen: int, most: int) -> int:
        """The longest time, up to `most`, after which it has come to no more than a limit."""
        if self.amount_after_fen(most) <= limit_fen:
            return most
        low, high = 0, most
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if self.amount_after_fen(middle) <= limit_fen else (low, middle)
        return low

    def seconds_wanted(self, vehicle_s: int) -> tuple[int, str]:
        """How long it goes on if nobody stops it, and why it stops then."""
        wanted, reason = vehicle_s, StopReason.VEHICLE_FULL
        match self.target.kind:
            case TargetKind.TIME if self.target.value < wanted:
                wanted, reason = self.target.value, StopReason.TARGET_TIME
            case TargetKind.ENERGY if self.target.value * 3600 // self.power_w < wanted:
                wanted, reason = self.target.value * 3600 // self.power_w, StopReason.TARGET_ENERGY
            case TargetKind.AMOUNT:
                seconds = self.seconds_to(self.target.value, wanted)
                if seconds < wanted:
                    wanted, reason = seconds, StopReason.TARGET_AMOUNT
        if self.limit_fen is not None and not self.conduct.overrun:
            seconds = self.seconds_to(self.limit_fen, wanted)
            if seconds < wanted:
                wanted, reason = seconds, StopReason.LIMIT_REACHED
        return max(wanted, 1), reason

    def update(self, at: datetime, state: SessionState, *, power_w: int = 0) -> SessionUpdate:
        """The next update."""
        self.number += 1
        begun = bool(self.readings)
        self.last = SessionUpdate(
            number=self.number,
            at=at,
            state=state,
            meter_wh=self.meter_wh if begun else self.meter_start_wh,
            energy_wh=self.meter_wh - self.meter_start_wh if begun else 0,
            amount_fen=self.amount_fen(),
            power_w=power_w,
            stop_reason=self.stop_reason if state is SessionState.ENDED else None,
        )
        return self.last

    def record(self, ref: str) -> ChargeRecord:
        """The bill."""
        lines, fees = price(self.tariff, self.readings), self.fees()
        electricity = sum(line.electricity_fen for line in lines)
        service = sum(line.service_fen for line in lines)
        by_kind = {
            kind: sum(fee.amount_fen for fee in fees if fee.kind == kind) for kind in ("parking", "idle")
        }
        return ChargeRecord(
            record_ref=ref,
            session_id=self.session_id,
            connector_id=self.connector_id,
            started_at=self.started_at,
            ended_at=self.readings[-1].at,
            meter_start_wh=self.meter_start_wh,
            meter_end_wh=self.meter_wh,
            energy_wh=self.meter_wh - self.meter_start_wh,
            lines=lines,
            electricity_fen=electricity,
            service_fen=service,
            amount_fen=total_fen(lines, fees),
            tariff_id=self.tariff.tariff_id,
            tariff_version=self.tariff.version,
            stop_reason=self.stop_reason,
            left_at=self.left_at,
            fees=fees,
            parking_fen=by_kind["parking"],
            idle_fen=by_kind["idle"],
        )
