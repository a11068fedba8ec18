"""What T/CEC 102 homes are told of charges and prices, and what their answers mean."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.protocols.tcec102.translate_checks import Told, orders_of, reply_to_check
from hub.protocols.tcec102.translate_out import (
    CONNECTOR_STATUS,
    OWN_REASONS,
    SEQ_STAT,
    STOP_REASON,
    Charge,
    Untellable,
    auth_fail_reason,
    charge_status,
    fail_reason_msg,
    fee_texts,
    order_of,
    policy_of,
    start_fail_reason,
)
from operator_sdk.contract.codes import ConnectorState, SessionState, StopReason
from operator_sdk.contract.messages.checks import ListedRecord
from operator_sdk.contract.messages.common import BillLine, FeeLine
from operator_sdk.contract.messages.directory import Tariff, TariffPeriod, TimeFee
from operator_sdk.contract.messages.records import HomeRecord
from operator_sdk.contract.record_check import compare
from operator_sdk.contract.tcec102.messages import (
    CheckChargeOrdersReply,
    DisputeOrder,
    NotificationEquipChargeStatus,
)
from operator_sdk.contract.tcec102.profile import Numbers, Profile, Time

HOST, HOME = "MA5AAAAA1", "MA5TCEC02"
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
SEQ = HOME + "0" * 18


def profile(zone: str = "Asia/Shanghai", **numbers: Any) -> Profile:
    """A home's profile."""
    return Profile(
        operator_id=HOME,
        name="Home",
        roles=["home"],
        base_url="http://partner.test",
        numbers=Numbers(**numbers),
        time=Time(zone=zone),
    )


def tariff(*periods: tuple[int, int, int, int], **other: Any) -> Tariff:
    """A tariff of (from minute, to minute, electricity, service)."""
    found = [
        TariffPeriod(start_minute=start, end_minute=end, electricity_micro=elec, service_micro=service)
        for start, end, elec, service in periods or [(0, 1440, 1_000_000, 500_000)]
    ]
    return Tariff(party_id=HOST, tariff_id="t", version=1, valid_from=NOON, periods=found, **other)


def line(minute: int, energy_wh: int, *, micro: int = 1_000_000, elec: int = 0, service: int = 0) -> BillLine:
    """Ten minutes of a bill."""
    start = NOON + timedelta(minutes=minute)
    return BillLine(
        start=start,
        end=start + timedelta(minutes=10),
        energy_wh=energy_wh,
        electricity_micro=micro,
        service_micro=500_000,
        electricity_fen=elec,
        service_fen=service,
    )


def record(
    lines: list[BillLine], *, owed: int | None = None, fees: tuple[FeeLine, ...] = (), **other: Any
) -> HomeRecord:
    """An accepted record with these lines."""
    elec, service = sum(one.electricity_fen for one in lines), sum(one.service_fen for one in lines)
    parking = sum(fee.amount_fen for fee in fees)
    said: dict[str, Any] = {
        "record_id": "rec_1",
        "session_id": "ses_1",
        "authorization_id": "aut_1",
        "home_ref": SEQ,
        "host_party_id": HOST,
        "connector": f"A1.{HOST}",
        "started_at": lines[0].start,
        "ended_at": lines[-1].end,
        "meter_start_wh": 0,
        "meter_end_wh": sum(one.energy_wh for one in lines),
        "energy_wh": sum(one.energy_wh for one in lines),
        "lines": lines,
        "electricity_fen": elec,
        "service_fen": service,
        "parking_fen": parking,
        "fees": list(fees),
        "amount_fen": elec + service + parking,
        "owed_fen": elec + service + parking if owed is None else owed,
        "tariff_id": "t",
        "tariff_version": 1,
        "stop_reason": "vehicle_full",
    }
    return HomeRecord(**(said | other))


# Words and numbers.


def test_every_state_and_reason_of_ours_has_a_number_there() -> None:
    assert set(SEQ_STAT) == set(SessionState)
    assert set(CONNECTOR_STATUS) == set(ConnectorState)
    assert set(STOP_REASON) == set(StopReason)
    assert all(0 <= number <= 99 for number in STOP_REASON.values())


def test_our_own_fail_reasons_are_distinct_and_apart_from_the_standards() -> None:
    assert len(set(OWN_REASONS.values())) == len(OWN_REASONS)
    assert all(4 <= number < 99 for number in OWN_REASONS.values())


@pytest.mark.parametrize(
    ("code", "start", "auth"),
    [
        ("connector_unknown", 1, 13),
        ("connector_offline", 2, 12),
        ("connector_faulted", 11, 2),
        ("connector_unplugged", 23, 1),
        ("connector_busy", 10, 10),
        ("a reason of the host's own", 99, 99),
        (None, 99, 99),
    ],
)
def test_a_refusal_has_the_standards_reason_where_there_is_one(code: str | None, start: int, auth: int) -> None:
    assert (start_fail_reason(code), auth_fail_reason(code)) == (start, auth)


def test_a_refusal_is_said_in_both_languages_and_never_in_the_hosts_own_words() -> None:
    assert fail_reason_msg("connector_busy") == "充电枪使用中 This connector is in use."
    assert fail_reason_msg("secret of the host's") == fail_reason_msg(None) == "其他原因 Another reason."
    assert all(len(fail_reason_msg(code)) <= 100 for code in OWN_REASONS)


# A charge under way.


def status(state: str, **changes: Any) -> NotificationEquipChargeStatus:
    """A charge in a state."""
    said: dict[str, Any] = {
        "seq": SEQ,
        "connector": "A1",
        "state": state,
        "started_at": NOON,
        "at": NOON + timedelta(minutes=10),
        "energy_wh": 6_666,
        "amount_fen": 999,
        "soc_percent": 55,
    }
    return charge_status(NotificationEquipChargeStatus, Charge(**(said | changes)), profile())


def test_a_charge_is_told_in_local_time_with_its_money_and_energy() -> None:
    said = status("charging")
    assert (said.start_time, said.end_time) == ("2026-03-02 12:00:00", "2026-03-02 12:10:00")
    assert (said.total_power, said.total_money, said.soc) == (Decimal("6.67"), Decimal("9.99"), Decimal(55))
    assert (said.start_charge_seq_stat, said.connector_status) == (2, 3)


@pytest.mark.parametrize(
    ("state", "stat", "connector"),
    [("paused", 2, 2), ("stopping", 3, 3), ("billed", 4, 2), ("unknown", 5, 2), ("of a later version", 5, 2)],
)
def test_a_charge_that_does_not_flow_leaves_its_connector_occupied(
    state: str, stat: int, connector: int
) -> None:
    said = status(state)
    assert (said.start_charge_seq_stat, said.connector_status) == (stat, connector)


def test_what_is_not_known_of_a_charge_is_the_standards_zero_or_not_said() -> None:
    said = status("charging", soc_percent=None)
    assert {said.current_a, said.voltage_a, said.soc} == {Decimal(0)}
    assert said.elec_money is None
    assert said.service_money is None


# Orders.


@given(
    energies=st.lists(st.integers(0, 50_000), min_size=1, max_size=40),
    money=st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 9_999)), min_size=40, max_size=40),
    decimals=st.integers(0, 3),
    less=st.integers(0, 5_000),
)
def test_parts_of_an_order_sum_to_its_totals(
    energies: list[int], money: list[tuple[int, int]], decimals: int, less: int
) -> None:
    lines = [
        line(10 * number, energy, micro=1_000_000 + number, elec=elec, service=service)
        for number, (energy, (elec, service)) in enumerate(zip(energies, money, strict=False))
    ]
    billed = record(lines)
    owed = max(0, billed.amount_fen - less)
    said = order_of(record(lines, owed=owed), "A1", profile(energy_decimals=decimals))
    assert said.total_money * 100 == owed
    assert said.total_elec_money + said.total_service_money == said.total_money
    assert abs(said.total_power * 1000 - billed.energy_wh) * 2 <= 10 ** (3 - decimals)
    if len(energies) > 32:
        assert (said.charge_details, said.sum_period) == ([], 0)
        return
    assert said.sum_period == len(said.charge_details)
    assert sum(one.detail_power for one in said.charge_details) == said.total_power
    assert sum(one.detail_elec_money or 0 for one in said.charge_details) == said.total_elec_money
    assert sum(one.detail_service_money or 0 for one in said.charge_details) == said.total_service_money


def test_neighbours_of_one_price_are_one_detail() -> None:
    said = order_of(record([line(0, 1_000, elec=100), line(10, 2_000, elec=200)]), "A1", profile())
    (detail,) = said.charge_details
    assert (detail.detail_start_time, detail.detail_end_time) == ("2026-03-02 12:00:00", "2026-03-02 12:20:00")
    assert (detail.detail_power, detail.detail_elec_money) == (Decimal(3), Decimal(3))
    assert detail.elec_price == 1
    assert said.stop_reason == 2


def test_a_fee_for_time_is_service_money_and_a_detail_without_energy() -> None:
    fee = FeeLine(
        kind="parking",
        start=NOON,
        end=NOON + timedelta(hours=1),
        price_micro_per_hour=4_000_000,
        amount_fen=400,
    )
    said = order_of(record([line(0, 1_000, elec=100, service=50)], fees=(fee,)), "A1", profile())
    assert (said.total_elec_money, said.total_service_money, said.total_money) == (
        Decimal(1),
        Decimal("4.50"),
        Decimal("5.50"),
    )
    assert said.charge_details[1].detail_power == 0
    assert said.charge_details[1].service_price is None


def test_a_price_that_the_profiles_decimals_cannot_say_is_not_said() -> None:
    said = order_of(record([line(0, 1_000, micro=1_000_010, elec=100)]), "A1", profile())
    assert said.charge_details[0].elec_price is None
    assert said.charge_details[0].service_price == Decimal("0.5")


# Prices.


def test_a_tariff_is_told_by_the_starts_of_its_periods() -> None:
    said = policy_of(tariff((0, 480, 300_000, 100_000), (480, 1440, 900_000, 100_000)), profile(), NOON)
    assert [(one.start_time, one.elec_price, one.service_price) for one in said] == [
        ("000000", Decimal("0.3"), Decimal("0.1")),
        ("080000", Decimal("0.9"), Decimal("0.1")),
    ]


def test_a_tariff_of_another_zone_is_told_in_the_partners_day() -> None:
    said = policy_of(
        tariff((0, 480, 300_000, 0), (480, 1440, 900_000, 0), utc_offset_minutes=0), profile(), NOON
    )
    assert [(one.start_time, one.elec_price) for one in said] == [
        ("000000", Decimal("0.9")),
        ("080000", Decimal("0.3")),
        ("160000", Decimal("0.9")),
    ]


def test_a_price_with_more_decimals_than_the_profile_has_cannot_be_told() -> None:
    fine = tariff((0, 1440, 1_000_010, 0))
    with pytest.raises(Untellable, match="price_decimals"):
        policy_of(fine, profile(), NOON)
    assert policy_of(fine, profile(price_decimals=6), NOON)[0].elec_price == Decimal("1.00001")


def test_prices_are_readable_and_short_enough() -> None:
    elec, service, parking = fee_texts(
        tariff(
            (0, 480, 300_000, 500_000),
            (480, 1440, 1_234_500, 500_000),
            parking=TimeFee(price_micro_per_hour=5_000_000, free_minutes=30),
        )
    )
    assert elec == "00:00-08:00 0.30元/度；08:00-24:00 1.2345元/度"
    assert (service, parking) == ("0.50元/度", "5.00元/小时，前30分钟免费")
    many = [(60 * hour, 60 * hour + 60, 100_000 + hour, 100_000 + hour) for hour in range(24)]
    elec, service, _ = fee_texts(tariff(*many))
    assert service == "0.10至0.100023元/度，分时计价"
    assert len(elec) <= 256


# The daily check.


def listed(number: int, fen: int, wh: int = 10_002, *, credit: bool = False) -> ListedRecord:
    """A line of the hub's list."""
    return ListedRecord(record=f"rec_{number}", amount_fen=fen, energy_wh=wh, credit=credit)


LINES = [listed(1, 1_500), listed(2, 700), listed(3, 700, credit=True), listed(4, 100), listed(5, 60)]
TOLD = Told(LINES, {"rec_1": "SEQ1", "rec_2": "SEQ2", "rec_3": "SEQ2", "rec_5": "SEQ1"}, profile())


def disputed(seq: str, reason: int, money: str = "15.00", power: str = "10.00") -> CheckChargeOrdersReply:
    """A home's answer with one dispute."""
    dispute = DisputeOrder(
        start_charge_seq=seq,
        total_power=Decimal(power),
        total_money=Decimal(money),
        dispute_reason=reason,
    )
    return answer(dispute)


def answer(*disputes: DisputeOrder) -> CheckChargeOrdersReply:
    """A home's answer."""
    return CheckChargeOrdersReply(
        check_order_seq="C",
        start_time="",
        end_time="",
        total_dispute_order=len(disputes),
        total_dispute_power=Decimal(0),
        total_dispute_money=Decimal(0),
        dispute_orders=list(disputes),
    )


def test_a_day_is_told_by_the_homes_own_numbers_once_each() -> None:
    said = orders_of(TOLD, "2026-03-02", "C")
    assert [(one.start_charge_seq, one.total_money, one.total_power) for one in said.charge_orders] == [
        ("SEQ1", Decimal("0.60"), Decimal("10.00")),
        ("SEQ2", Decimal("7.00"), Decimal("10.00")),
    ]
    assert (said.order_count, said.total_order_money, said.total_order_power) == (
        2,
        Decimal("7.60"),
        Decimal(20),
    )
    assert (said.start_time, said.end_time) == ("2026-03-02 00:00:00", "2026-03-02 23:59:59")


def test_a_home_in_another_zone_reads_the_hubs_day_in_its_own_time() -> None:
    told = Told(LINES, {}, profile("Asia/Tokyo"))
    said = orders_of(told, "2026-03-02", "C")
    assert (said.start_time, said.end_time) == ("2026-03-02 01:00:00", "2026-03-03 00:59:59")


def test_a_home_that_disputes_nothing_has_the_hubs_own_list() -> None:
    reply = reply_to_check(TOLD, answer())
    assert (reply.state, reply.differences) == ("compared", [])
    assert reply.here == reply.there == compare(LINES, LINES).here


@pytest.mark.parametrize(
    ("reply", "kind", "at_risk_fen"),
    [
        (disputed("SEQ2", 1), "missing_here", 700),
        (disputed("SEQ2", 2, money="6.50"), "amount", 50),
        (disputed("SEQ2", 2, money="7.00"), "missing_here", 700),
        (disputed("SEQ2", 3, power="9.00"), "energy", 0),
        (disputed("SEQ2", 3, power="10.00"), "missing_here", 700),
        (disputed("SEQ2", 42), "missing_here", 700),
    ],
)
def test_a_dispute_is_a_difference_of_that_record(
    reply: CheckChargeOrdersReply, kind: str, at_risk_fen: int
) -> None:
    (found,) = reply_to_check(TOLD, reply).differences
    assert (found.record, found.kind, found.at_risk_fen) == ("rec_2", kind, at_risk_fen)


def test_a_disputed_order_that_the_hub_never_told_is_missing_there() -> None:
    (found,) = reply_to_check(TOLD, disputed("SEQ9", 2)).differences
    assert (found.record, found.kind, found.here_fen) == ("SEQ9", "missing_there", 1_500)
