"""Daily lists of T/CEC 102 hosts in the names of the daily check, and its outcome as their answer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.core.clock import local_day
from hub.protocols.tcec102.translate_checks_in import Kept, lines_of, reply_of, window_of
from operator_sdk.contract.messages.checks import ListedRecord
from operator_sdk.contract.record_check import compare
from operator_sdk.contract.tcec102.messages import ChargeOrder, CheckChargeOrders
from operator_sdk.contract.tcec102.profile import Time
from operator_sdk.contract.tcec102.wire import WireProblem
from tests.tcec_host_world import BEGUN, profile, seq

DAY, EDGES = "2026-03-02", ("00:00:00", "23:59:59")
OF_THEIR_DAY = (1, 2, 3)


def listed(*orders: tuple[int, str, str], **changes: Any) -> CheckChargeOrders:
    """A list of that day: (number, kWh, yuan)."""
    lines = [
        ChargeOrder(start_charge_seq=seq(number), total_power=Decimal(power), total_money=Decimal(money))
        for number, power, money in orders
    ]
    said = {
        "check_order_seq": seq(900),
        "start_time": f"{DAY} 00:00:00",
        "end_time": f"{DAY} 23:59:59",
        "order_count": len(lines),
        "total_order_power": sum((one.total_power for one in lines), Decimal(0)),
        "total_order_money": sum((one.total_money for one in lines), Decimal(0)),
        "charge_orders": lines,
    }
    return CheckChargeOrders(**{**said, **changes})


def kept(number: int, fen: int, wh: int, **changes: Any) -> Kept:
    """A record of the hub's of that noon."""
    said = Kept(f"{seq(number)}.abc", "charge", "accepted", BEGUN, BEGUN + timedelta(hours=1), DAY, fen, wh)
    return said._replace(**changes)


def disputes(
    check: CheckChargeOrders, records: Sequence[Kept], zone: str = "Asia/Shanghai"
) -> list[tuple[str, int]]:
    """What is answered: (StartChargeSeq, reason)."""
    window = window_of(check, profile(time=Time(zone=zone)))
    assert window.day == DAY
    ours = [
        ListedRecord(
            record=one.record_ref,
            amount_fen=one.amount_fen,
            energy_wh=one.energy_wh,
            credit=one.kind == "credit",
        )
        for one in records
        if one.service_day == DAY and one.state != "rejected"
    ]
    result = compare(ours, lines_of(check.charge_orders, records, window))
    reply = reply_of(check, result.differences)
    assert reply.total_dispute_order == len(reply.dispute_orders)
    assert reply.total_dispute_money == sum((one.total_money for one in reply.dispute_orders), Decimal(0))
    return sorted((one.start_charge_seq, one.dispute_reason) for one in reply.dispute_orders)


def test_equal_lists_have_no_dispute() -> None:
    assert disputes(listed((1, "10.00", "15.00")), [kept(1, 1_500, 10_000)]) == []


def test_every_reason_of_the_standard_and_ours_for_what_they_forgot() -> None:
    check = listed((1, "10.00", "15.00"), (2, "10.00", "16.00"), (3, "11.00", "15.00"), (5, "1.00", "1.00"))
    records = [kept(number, 1_500, 10_000) for number in (2, 3, 4)]
    records.append(kept(5, 100, 1_000, state="rejected"))
    assert disputes(check, records) == sorted([(seq(1), 1), (seq(2), 2), (seq(3), 3), (seq(4), 4), (seq(5), 1)])


def test_an_order_listed_twice_is_disputed() -> None:
    check = listed((1, "10.00", "15.00"), (1, "10.00", "15.00"))
    assert disputes(check, [kept(1, 1_500, 10_000)]) == [(seq(1), 2)]


def test_a_corrected_order_is_meant_rather_than_the_rejected_one() -> None:
    records = [
        kept(1, 9_900, 10_000, state="rejected"),
        kept(1, 1_500, 10_000, record_ref=f"{seq(1)}.def"),
        kept(1, 1_700, 10_000, record_ref=f"{seq(1)}.fff", state="suspended"),
    ]
    assert disputes(listed((1, "10.00", "15.00")), records) == []


def test_credits_have_no_name_in_the_standard_and_count_as_agreed() -> None:
    records = [kept(1, 1_500, 10_000), kept(2, 1_500, 10_000, record_ref="dsp_1", kind="credit")]
    assert disputes(listed((1, "10.00", "15.00")), records) == []


def test_charges_across_midnight_may_be_counted_to_either_day() -> None:
    ended_today = kept(1, 1_500, 10_000, started_at=BEGUN - timedelta(hours=13))
    ended_tomorrow = kept(2, 1_500, 10_000, service_day="2026-03-03")
    records = [ended_today, ended_tomorrow]
    assert disputes(listed((1, "10.00", "15.00")), records) == []
    assert disputes(listed((2, "10.00", "15.00")), records) == []
    assert disputes(listed((2, "10.00", "15.01")), records) == [(seq(2), 1)]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Asia/Urumqi", "Europe/Berlin"])
def test_a_host_in_another_zone_lists_its_own_day(zone: str) -> None:
    begins, ends = (datetime.fromisoformat(f"{DAY}T{text}").replace(tzinfo=ZoneInfo(zone)) for text in EDGES)

    def ended(number: int, at: datetime) -> Kept:
        started_at = at - timedelta(minutes=30)
        if number in OF_THEIR_DAY:
            started_at = max(started_at, begins)
        return kept(number, 1_500, 10_000, started_at=started_at, ended_at=at, service_day=local_day(at))

    second = timedelta(seconds=1)
    times = (BEGUN, begins + second, ends, begins - second, ends + second)
    records = [ended(number, at) for number, at in enumerate(times, 1)]
    assert disputes(listed(*((number, "10.00", "15.00") for number in OF_THEIR_DAY)), records, zone) == []
    missed = [(seq(number), 4) for number in OF_THEIR_DAY if records[number - 1].service_day == DAY]
    assert disputes(listed(), records, zone) == sorted(missed)


def test_a_day_alone_as_both_times_is_that_whole_day() -> None:
    check = listed(start_time=DAY, end_time=DAY)
    assert disputes(check, [kept(1, 1_500, 10_000)]) == [(seq(1), 4)]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (f"{DAY} 00:00:00", "2026-03-05 00:00:00"),
        (f"{DAY} 10:00:00", f"{DAY} 09:00:00"),
        ("", f"{DAY} 09:00:00"),
    ],
)
def test_a_list_is_about_one_day(start: str, end: str) -> None:
    with pytest.raises(WireProblem):
        window_of(listed(start_time=start, end_time=end), profile())
    assert window_of(listed(), profile()).days == ["2026-03-01", DAY, "2026-03-03"]
