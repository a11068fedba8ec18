"""What the tests of T/CEC 102 hosts share: a partner's profile, and messages as such a host sends them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from hub.protocols.tcec102.translate_orders import Billed
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod
from operator_sdk.contract.tcec102.messages import (
    ChargeDetail,
    NotificationChargeOrderInfo,
    NotificationEquipChargeStatus,
)
from operator_sdk.contract.tcec102.profile import Numbers, Pricing, Profile
from operator_sdk.contract.tcec102.sequences import make_seq

HUB, HOST = "MA5HUB000", "MA5TCEC01"
BEGUN = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
"""Noon in Shanghai."""

SESSION_ID = "ses_019a0000-0000-7000-8000-000000000001"


def profile(energy_decimals: int = 2, money_decimals: int = 2, **other: Any) -> Profile:
    """A host's profile."""
    numbers = Numbers(energy_decimals=energy_decimals, money_decimals=money_decimals)
    given = {"operator_id": HOST, "name": "Host", "roles": ["host"], "base_url": "http://partner.test"}
    return Profile(**{**given, "numbers": numbers, "pricing": Pricing(), **other})


def seq(number: int) -> str:
    """A StartChargeSeq of the hub's."""
    return make_seq(HUB, str(number))


def tariff(electricity: int = 1_000_000, service: int = 500_000, **other: Any) -> Tariff:
    """One price all day."""
    period = TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=electricity, service_micro=service)
    return Tariff(
        party_id=HOST, tariff_id="tcec-CONN1", version=3, valid_from=BEGUN, **{"periods": [period], **other}
    )


def billed(of: Tariff | None = None) -> Billed:
    """A session that began with a tariff."""
    return Billed(SESSION_ID, "tcec-CONN1", 3, of or tariff())


def order(**changes: Any) -> NotificationChargeOrderInfo:
    """10 kWh in an hour, 15.00 yuan."""
    said = NotificationChargeOrderInfo(
        start_charge_seq=seq(1),
        connector_id="CONN1",
        start_time="2026-03-02 12:00:00",
        end_time="2026-03-02 13:00:00",
        total_power=Decimal("10.00"),
        total_elec_money=Decimal("10.00"),
        total_service_money=Decimal("5.00"),
        total_money=Decimal("15.00"),
        stop_reason=1,
    )
    return msgspec.structs.replace(said, **changes)


def detail(start: str, end: str, power: str, electricity: str, service: str, **changes: Any) -> ChargeDetail:
    """A stretch of that day at 1.00 + 0.50 yuan a kWh."""
    said = ChargeDetail(
        detail_start_time=f"2026-03-02 {start}",
        detail_end_time=f"2026-03-02 {end}",
        detail_power=Decimal(power),
        elec_price=Decimal("1.0000"),
        service_price=Decimal("0.5000"),
        detail_elec_money=Decimal(electricity),
        detail_service_money=Decimal(service),
    )
    return msgspec.structs.replace(said, **changes)


def charging(**changes: Any) -> NotificationEquipChargeStatus:
    """A dc charge after ten minutes: 400 V, 100 A, 6.67 kWh, 10.00 yuan, 55 %."""
    said = NotificationEquipChargeStatus(
        start_charge_seq=seq(1),
        start_charge_seq_stat=2,
        connector_id="CONN1",
        connector_status=3,
        current_a=Decimal(100),
        voltage_a=Decimal(400),
        soc=Decimal("55.4"),
        start_time="2026-03-02 12:00:00",
        end_time="2026-03-02 12:10:00",
        total_power=Decimal("6.67"),
        total_money=Decimal("10.00"),
    )
    return msgspec.structs.replace(said, **changes)
