"""A charge at a simulated pile: what it took by an instant, what it costs, and how that is told."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from operator_sdk.contract.tcec102.messages import (
    ChargeDetail,
    ChargeOrder,
    NotificationChargeOrderInfo,
    NotificationStartChargeResult,
    NotificationStopChargeResult,
)
from operator_sdk.contract.tcec102.values import format_time, kwh_of, price_of, yuan_of, zone_of
from operator_sdk.tcec102.sim.policy import DAY, SECOND, Line, lines

STARTING, CHARGING, STOPPING, ENDED, UNKNOWN = 1, 2, 3, 4, 5
BY_HAND, BY_HOME, VEHICLE_FULL, FAULT, PULLED = 0, 1, 2, 3, 4
"""StopReason of an order (102.3, 6.10)."""

_CAPACITY_WH = 60_000
_START_SOC = 40
_IDENT_CODE = "4321"


def whole_second(at: datetime) -> datetime:
    """Cut: times of this standard have no fractions, and money is worked out from what is told."""
    return at.replace(microsecond=0)


class Charge(msgspec.Struct, kw_only=True):
    """One charge of the host's. Times are business time, UTC, whole seconds; stored as it is.

    `qr_code` is the QRCode that the start came with.
    """

    seq: str
    connector_id: str
    power_w: int
    room_wh: int
    resolution_wh: int
    is_dc: bool
    asked_at: datetime
    qr_code: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stat: int = STARTING
    stop_reason: int = BY_HAND
    stop_asked: bool = False
    confirm_result: int | None = None
    order_attempts: int = 0
    dropped_at: datetime | None = None

    def energy_wh_at(self, at: datetime) -> int:
        """Energy since the start, cut to what the platform tells (10 Wh with two decimals)."""
        if self.started_at is None:
            return 0
        until = at if self.ended_at is None else min(at, self.ended_at)
        elapsed_s = max(0, (until - self.started_at) // SECOND)
        taken_wh = min(self.room_wh, self.power_w * elapsed_s // 3600)
        return taken_wh // self.resolution_wh * self.resolution_wh

    def full_at(self) -> datetime | None:
        """When the vehicle will have taken all that it has room for."""
        if self.started_at is None:
            return None
        return self.started_at + timedelta(seconds=-(-self.room_wh * 3600 // self.power_w))

    def lines_until(self, at: datetime, zone: str) -> list[Line]:
        """Its lines up to an instant."""
        begun = self.started_at or self.asked_at
        return lines(DAY, zone_of(zone), begun, max(begun, at), self.energy_wh_at)


class Told:
    """A charge in the words of T/CEC 102; `zone` is the profile's, `exact`: money keeps 4 decimals."""

    def __init__(self, zone: str, exact: Callable[[], bool]) -> None:
        self._zone, self._exact = zone, exact

    def time(self, at: datetime) -> str:
        """A time of a message."""
        return format_time(at, self._zone)

    def started(self, charge: Charge, stat: int) -> NotificationStartChargeResult:
        """The start result."""
        return NotificationStartChargeResult(
            start_charge_seq=charge.seq,
            start_charge_seq_stat=stat,
            connector_id=charge.connector_id,
            start_time=self.time(charge.started_at or charge.asked_at),
            ident_code=_IDENT_CODE if stat == CHARGING else None,
        )

    def status(self, charge: Charge, now: datetime) -> dict[str, Any]:
        """The fields of a charge status, for the push and for the query."""
        at = whole_second(charge.ended_at or now)
        made = charge.lines_until(at, self._zone)
        elec, service, total = self._totals(made)
        running = charge.stat in {CHARGING, STOPPING}
        volts = Decimal(400) if charge.is_dc else Decimal(220)
        amperes = Decimal(charge.power_w) / volts if running else Decimal(0)
        energy_wh = charge.energy_wh_at(at)
        return {
            "start_charge_seq": charge.seq,
            "start_charge_seq_stat": charge.stat,
            "connector_id": charge.connector_id,
            "connector_status": 3 if running else 2,
            "current_a": amperes.quantize(Decimal("0.1")),
            "voltage_a": volts if running else Decimal(0),
            "soc": Decimal(_START_SOC + 100 * energy_wh // _CAPACITY_WH) if charge.is_dc else Decimal(0),
            "start_time": self.time(charge.started_at or charge.asked_at),
            "end_time": self.time(at),
            "total_power": kwh_of(energy_wh),
            "elec_money": elec,
            "service_money": service,
            "total_money": total,
            "sum_period": len(made),
            "charge_details": [self._detail(line) for line in made],
        }

    def stopped(self, charge: Charge) -> NotificationStopChargeResult:
        """The stop result."""
        return NotificationStopChargeResult(
            start_charge_seq=charge.seq,
            start_charge_seq_stat=ENDED,
            connector_id=charge.connector_id,
            succ_stat=0,
        )

    def order(self, charge: Charge) -> NotificationChargeOrderInfo:
        """The bill."""
        assert charge.started_at is not None
        assert charge.ended_at is not None
        made = charge.lines_until(charge.ended_at, self._zone)
        elec, service, total = self._totals(made)
        return NotificationChargeOrderInfo(
            start_charge_seq=charge.seq,
            connector_id=charge.connector_id,
            start_time=self.time(charge.started_at),
            end_time=self.time(charge.ended_at),
            total_power=kwh_of(charge.energy_wh_at(charge.ended_at)),
            total_elec_money=elec,
            total_service_money=service,
            total_money=total,
            stop_reason=charge.stop_reason,
            sum_period=len(made),
            charge_details=[self._detail(line) for line in made],
        )

    def listed(self, charge: Charge) -> ChargeOrder:
        """The bill as the daily check lists it."""
        order = self.order(charge)
        return ChargeOrder(
            start_charge_seq=charge.seq, total_power=order.total_power, total_money=order.total_money
        )

    def _totals(self, made: list[Line]) -> tuple[Decimal, Decimal, Decimal]:
        if not self._exact():
            elec, service = sum(line.elec_fen for line in made), sum(line.service_fen for line in made)
            return yuan_of(elec), yuan_of(service), yuan_of(elec + service)
        # The odd ones: parts with 4 decimals, and a total that was rounded on its own.
        elec_yuan = sum((line.exact_yuan[0] for line in made), Decimal(0))
        service_yuan = sum((line.exact_yuan[1] for line in made), Decimal(0))
        return elec_yuan, service_yuan, (elec_yuan + service_yuan).quantize(Decimal("0.01"))

    def _detail(self, line: Line) -> ChargeDetail:
        elec, service = yuan_of(line.elec_fen), yuan_of(line.service_fen)
        if self._exact():
            elec, service = line.exact_yuan
        return ChargeDetail(
            detail_start_time=self.time(line.start),
            detail_end_time=self.time(line.end),
            elec_price=price_of(line.elec_micro),
            service_price=price_of(line.service_micro),
            detail_power=kwh_of(line.energy_wh),
            detail_elec_money=elec,
            detail_service_money=service,
        )
