"""A scripted charge for tests: a state, readings, and the updates and the bill that follow from them."""

from dataclasses import dataclass

from operator_sdk.contract.codes import SessionState, StopReason, TargetKind
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord
from operator_sdk.contract.messages.roaming import SessionUpdate
from operator_sdk.contract.pricing import Reading, price, total_fen


@dataclass
class Charge:
    """One charge: readings on the way, and the updates made of them."""

    session_id: str
    connector_id: str
    tariff: Tariff
    limit_fen: int | None
    target: Target
    readings: list[Reading]
    state: SessionState = SessionState.STARTING
    number: int = 0
    stop_reason: str | None = None
    card: str | None = None

    @property
    def energy_wh(self) -> int:
        return self.readings[-1].meter_wh - self.readings[0].meter_wh

    @property
    def amount_fen(self) -> int:
        return total_fen(price(self.tariff, self.readings)) if len(self.readings) > 1 else 0

    def would_end(self, reading: Reading) -> str | None:
        """Why the charge must not get that far."""
        amount_fen = total_fen(price(self.tariff, [*self.readings, reading]))
        if self.limit_fen is not None and amount_fen > self.limit_fen:
            return StopReason.LIMIT_REACHED
        energy_wh = reading.meter_wh - self.readings[0].meter_wh
        if self.target.kind == TargetKind.ENERGY and energy_wh > self.target.value:
            return StopReason.TARGET_ENERGY
        return None

    def update(self, power_w: int) -> SessionUpdate:
        self.number += 1
        return SessionUpdate(
            number=self.number,
            at=self.readings[-1].at,
            state=self.state,
            meter_wh=self.readings[-1].meter_wh,
            energy_wh=self.energy_wh,
            amount_fen=self.amount_fen,
            power_w=power_w,
            stop_reason=self.stop_reason,
            host_ref=f"site-{self.session_id[-12:]}",
        )

    def bill(self) -> ChargeRecord:
        first, last = self.readings[0], self.readings[-1]
        lines = price(self.tariff, self.readings)
        return ChargeRecord(
            record_ref=f"site-{self.session_id[-12:]}",
            session_id=self.session_id,
            connector_id=self.connector_id,
            started_at=first.at,
            ended_at=last.at,
            meter_start_wh=first.meter_wh,
            meter_end_wh=last.meter_wh,
            energy_wh=self.energy_wh,
            lines=lines,
            electricity_fen=sum(line.electricity_fen for line in lines),
            service_fen=sum(line.service_fen for line in lines),
            amount_fen=total_fen(lines),
            tariff_id=self.tariff.tariff_id,
            tariff_version=self.tariff.version,
            stop_reason=self.stop_reason or StopReason.UNKNOWN,
        )
