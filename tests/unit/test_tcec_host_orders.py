"""Orders of T/CEC 102 hosts as charge records."""

from decimal import Decimal

import msgspec
import pytest

from hub.protocols.tcec102.translate_orders import ROUNDING, TIMES, confirm_result, record_of, stop_reason
from operator_sdk.contract.messages.directory import TariffPeriod
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply
from operator_sdk.contract.tcec102.wire import Ret, WireProblem
from tests.tcec_host_world import BEGUN, billed, detail, order, profile, seq, tariff


def test_an_order_without_details_is_one_line_at_the_prices_of_its_tariff() -> None:
    record, tolerated = record_of(order(), profile(), billed())
    assert isinstance(record, ChargeRecord)
    (line,) = record.lines
    assert (line.start, line.energy_wh) == (BEGUN, 10_000)
    assert (line.electricity_micro, line.service_micro) == (1_000_000, 500_000)
    assert (line.electricity_fen, line.service_fen, record.amount_fen) == (1_000, 500, 1_500)
    assert (record.energy_resolution_wh, record.amount_resolution_fen) == (10, 1)
    assert (record.metered, record.meter_start_wh, record.meter_end_wh) == (False, 0, 10_000)
    assert tolerated == frozenset()


def test_a_line_without_prices_keeps_none_where_the_tariff_is_an_estimate_or_has_several() -> None:
    changing = [
        TariffPeriod(start_minute=0, end_minute=750, electricity_micro=1, service_micro=1),
        TariffPeriod(start_minute=750, end_minute=1440, electricity_micro=2, service_micro=1),
    ]
    for unclear in (tariff(binding=False), tariff(periods=changing)):
        record, _ = record_of(order(), profile(), billed(unclear))
        assert (record.lines[0].electricity_micro, record.lines[0].service_micro) == (0, 0)


def test_details_that_end_a_second_early_meet_and_that_is_noted() -> None:
    said = order(
        charge_details=[
            detail("12:30:00", "13:00:00", "5.00", "5.00", "2.50"),
            detail("12:00:01", "12:29:59", "5.00", "5.00", "2.50"),
        ]
    )
    record, tolerated = record_of(said, profile(), billed())
    assert [line.start for line in record.lines] == [record.started_at, record.lines[0].end]
    assert record.lines[-1].end == record.ended_at
    assert TIMES in tolerated
    assert ROUNDING not in tolerated


def test_a_gap_of_two_seconds_stays() -> None:
    said = order(
        charge_details=[
            detail("12:00:00", "12:29:58", "5.00", "5.00", "2.50"),
            detail("12:30:00", "13:00:00", "5.00", "5.00", "2.50"),
        ]
    )
    record, tolerated = record_of(said, profile(), billed())
    assert record.lines[0].end < record.lines[1].start
    assert TIMES not in tolerated


def test_a_hundredth_goes_into_the_largest_line_and_more_stays_as_it_came() -> None:
    details = [
        detail("12:00:00", "12:20:00", "3.33", "3.33", "1.67"),
        detail("12:20:00", "13:00:00", "6.66", "6.66", "3.33"),
    ]
    record, tolerated = record_of(order(charge_details=details), profile(), billed())
    assert [line.energy_wh for line in record.lines] == [3_330, 6_670]
    assert [line.electricity_fen for line in record.lines] == [333, 667]
    assert sum(line.service_fen for line in record.lines) == record.service_fen == 500
    assert ROUNDING in tolerated
    lying, tolerated = record_of(
        order(charge_details=details, total_money=Decimal("16.00")), profile(), billed()
    )
    assert (lying.amount_fen, lying.electricity_fen) == (1_600, 1_000)
    assert [line.electricity_fen for line in lying.lines] == [333, 666]
    assert ROUNDING not in tolerated


def test_details_that_say_nothing_of_money_make_no_lines() -> None:
    bare = detail("12:00:00", "13:00:00", "10.00", "0", "0")
    bare = msgspec.structs.replace(bare, elec_price=None, detail_elec_money=None)
    record, _ = record_of(order(charge_details=[bare, bare]), profile(), billed())
    assert [line.energy_wh for line in record.lines] == [10_000]


def test_details_with_prices_only_are_priced_by_them() -> None:
    halves = [
        msgspec.structs.replace(one, detail_elec_money=None, detail_service_money=None)
        for one in (
            detail("12:00:00", "12:30:00", "4.00", "0", "0"),
            detail("12:30:00", "13:00:00", "6.00", "0", "0"),
        )
    ]
    record, tolerated = record_of(order(charge_details=halves), profile(), billed())
    assert [(line.electricity_fen, line.service_fen) for line in record.lines] == [(400, 200), (600, 300)]
    assert tolerated == frozenset()


def test_meter_readings_are_taken_where_both_came() -> None:
    said = order(meter_value_start=Decimal("1000.00"), meter_value_end=Decimal("1010.00"))
    record, _ = record_of(said, profile(), billed())
    assert (record.metered, record.meter_start_wh, record.meter_end_wh) == (True, 1_000_000, 1_010_000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_time": "yesterday"}, "StartTime"),
        ({"end_time": "0001-01-01 00:00:00"}, "EndTime"),
        ({"total_power": Decimal(-1)}, "TotalPower"),
        ({"total_money": Decimal("1e12")}, "TotalMoney"),
        ({"connector_id": "a-b"}, "ConnectorID"),
        ({"start_charge_seq": "9" * 52}, "StartChargeSeq"),
        ({"charge_details": [detail("12:00:00", "13:00:00", "1", "1", "1")] * 501}, "ChargeDetails"),
    ],
)
def test_what_no_record_can_hold_is_refused_by_name_and_without_its_value(
    changes: dict[str, object], field: str
) -> None:
    with pytest.raises(WireProblem) as refused:
        record_of(order(**changes), profile(), billed())
    assert refused.value.ret == Ret.BUSINESS
    assert refused.value.msg.startswith(f"{field}: ")
    assert "yesterday" not in refused.value.msg


def test_stop_reasons_are_the_standards_or_kept_as_the_hosts_own() -> None:
    said = [stop_reason(code) for code in (0, 1, 2, 3, 4, 5, 99, 70_000, -3)]
    assert said == [
        "driver_local", "driver_remote", "vehicle", "fault", "unplugged",
        "host_5", "host_99", "host_999", "host_3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "result"),
    [("accepted", 0), ("disputed", 0), ("settled", 0), ("credited", 0), ("suspended", 1), ("rejected", 1)],
)
def test_confirmed_is_what_was_accepted_whatever_became_of_it(state: str, result: int) -> None:
    assert confirm_result(RecordReply(record_id="rec", record_ref=seq(1), state=state, owed_fen=0)) == result
