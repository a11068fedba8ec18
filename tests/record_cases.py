"""Charge records as an honest host makes them, and what the hub knows around them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from hub.roaming.model_facts import (
    AnyRecord,
    ConnectorFacts,
    Elsewhere,
    Facts,
    LiveFacts,
    Original,
    SessionFacts,
    Terms,
)
from operator_sdk.contract.messages.common import BillLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.messages.records import Bill, ChargeRecord, CreditRecord
from operator_sdk.contract.pricing import Reading, fee_lines, price, total_fen

HOST, HOME, OTHER = "MA5AAAAA1", "MA5BBBBB2", "MA5DDDDD4"
MIDNIGHT = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
"""In Shanghai."""

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = MIDNIGHT + 20 * HOUR
SESSION = "ses_0198c0de-0000-7000-8000-000000000000"
RECORD = "rec_0198c0de-0000-7000-8000-000000000000"

TARIFF = Tariff(
    party_id=HOST,
    tariff_id="t",
    version=3,
    valid_from=MIDNIGHT - timedelta(days=30),
    periods=[
        TariffPeriod(start_minute=0, end_minute=480, electricity_micro=400_000, service_micro=300_000),
        TariffPeriod(start_minute=480, end_minute=1200, electricity_micro=1_100_000, service_micro=500_000),
        TariffPeriod(start_minute=1200, end_minute=1440, electricity_micro=700_000, service_micro=300_000),
    ],
    parking=TimeFee(price_micro_per_hour=2_000_000, free_minutes=120),
    idle=TimeFee(price_micro_per_hour=30_000_000, free_minutes=15, cap_fen=5_000),
)


def bill(readings: list[Reading], *, left_at: datetime | None = None, tariff: Tariff = TARIFF) -> ChargeRecord:
    """An honest bill of these readings."""
    first, last, lines = readings[0], readings[-1], price(tariff, readings)
    fees = fee_lines(tariff, started_at=first.at, ended_at=last.at, left_at=left_at)
    return ChargeRecord(
        record_ref="r",
        session_id=SESSION,
        connector_id="A1",
        started_at=first.at,
        ended_at=last.at,
        left_at=left_at,
        meter_start_wh=first.meter_wh,
        meter_end_wh=last.meter_wh,
        energy_wh=last.meter_wh - first.meter_wh,
        lines=lines,
        fees=fees,
        electricity_fen=sum(line.electricity_fen for line in lines),
        service_fen=sum(line.service_fen for line in lines),
        parking_fen=sum(fee.amount_fen for fee in fees if fee.kind == "parking"),
        idle_fen=sum(fee.amount_fen for fee in fees if fee.kind == "idle"),
        amount_fen=total_fen(lines, fees),
        tariff_id=tariff.tariff_id,
        tariff_version=tariff.version,
        stop_reason="driver_local",
    )


def usual() -> ChargeRecord:
    """From 07:00 to 09:00, across the edge at 08:00: two lines, no fees."""
    return bill([Reading(MIDNIGHT + 7 * HOUR, 5_000), Reading(MIDNIGHT + 9 * HOUR, 25_000)])


def through_midnight() -> ChargeRecord:
    """From 19:30 to 00:30, and unplugged two hours later: three lines, parking and idle."""
    start = MIDNIGHT - 4 * HOUR - 30 * MINUTE
    readings = [Reading(start, 100_000), Reading(start + 3 * HOUR, 130_000), Reading(start + 5 * HOUR, 151_337)]
    return bill(readings, left_at=readings[-1].at + 2 * HOUR)


def nothing_flowed() -> ChargeRecord:
    """An hour at the plug without a Wh, and three hours of standing there."""
    start = MIDNIGHT + 10 * HOUR
    return bill([Reading(start, 7_000), Reading(start + HOUR, 7_000)], left_at=start + 4 * HOUR)


def refund() -> CreditRecord:
    """The credit of a record over 5,000 fen."""
    return CreditRecord(record_ref="c", record_id=RECORD, amount_fen=5_000, reason="billed twice")


def facts_for(record: AnyRecord) -> Facts:
    """What the hub knows around an honest record."""
    if not isinstance(record, Bill):
        known = Original(host_party_id=HOST, kind="charge", state="accepted", amount_fen=5_000)
        return Facts(sender=HOST, now=NOW, original=known)
    opened = record.started_at - MINUTE
    return Facts(
        sender=HOST,
        now=max(NOW, (record.left_at or record.ended_at) + MINUTE),
        session=SessionFacts(
            host_party_id=HOST,
            home_party_id=HOME,
            token_party_id=HOME,
            connector_id="A1",
            limit_fen=50_000,
            authorized_at=opened,
        ),
        opened_at=opened,
        connector=ConnectorFacts(
            kind="dc", rated_power_w=120_000, station_id="S1", created_at=MIDNIGHT - timedelta(days=300)
        ),
        terms=Terms(tolerance_fen=100, late_most=timedelta(days=30)),
        tariff=TARIFF,
        published_at=TARIFF.valid_from,
        meter_end_wh=record.meter_start_wh,
        elsewhere=(
            Elsewhere(
                connector=f"D1.{OTHER}",
                started_at=record.started_at - 4 * HOUR,
                ended_at=record.started_at - 2 * HOUR,
                distance_m=40_000,
            ),
        ),
        live=LiveFacts(energy_wh=record.energy_wh, at=record.ended_at, ended=True),
    )


CLEAN: dict[str, Callable[[], AnyRecord]] = {
    "usual": usual,
    "through midnight": through_midnight,
    "nothing flowed": nothing_flowed,
    "credit": refund,
}

Case = tuple[AnyRecord, Facts]


def changed(record: ChargeRecord, **values: object) -> ChargeRecord:
    """A record with some fields altered."""
    return msgspec.structs.replace(record, **values)


def fitted(record: ChargeRecord, lines: list[BillLine], **values: object) -> ChargeRecord:
    """A record with other lines, and every sum over them made to fit."""
    electricity = sum(line.electricity_fen for line in lines)
    service = sum(line.service_fen for line in lines)
    amount = electricity + service + record.parking_fen + record.idle_fen
    sums = {"lines": lines, "electricity_fen": electricity, "service_fen": service, "amount_fen": amount}
    return changed(record, **(sums | values))


def with_line(record: ChargeRecord, index: int, **values: object) -> ChargeRecord:
    """One line altered, and every sum over them made to fit."""
    lines = list(record.lines)
    lines[index] = msgspec.structs.replace(lines[index], **values)
    return fitted(record, lines)


def priced_anew(start: datetime, span: timedelta, energy_wh: int) -> ChargeRecord:
    """An honest bill of another charge."""
    return bill([Reading(start, 5_000), Reading(start + span, 5_000 + energy_wh)])
