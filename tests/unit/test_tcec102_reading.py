"""Business objects as partners send them: what is forgiven, what is refused, and how the refusal reads."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from operator_sdk.contract.tcec102 import messages as m
from operator_sdk.contract.tcec102.golden import GOLDEN, GOLDEN_PROFILE
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.problems import WireProblem
from operator_sdk.contract.tcec102.profile import Numbers, Spelling
from operator_sdk.contract.tcec102.reading import belongs, read
from operator_sdk.contract.tcec102.writing import write

SEQ = "123456789000000000000000001"
ORDER = (
    '{"StartChargeSeq":"' + SEQ + '","ConnectorID":"1","StartTime":"2026-08-01 10:00:00",'
    '"EndTime":"2026-08-01 11:00:00","TotalPower":10.5,"TotalElecMoney":5.00,"TotalMoney":8.00,"StopReason":0,'
)
DETAIL = '{"DetailStartTime":"2026-08-01 10:00:00","DetailEndTime":"2026-08-01 11:00:00","DetailPower":10.5}'
DETAIL_TEXT = DETAIL.replace('"', '\\"')


def _order(service: str = '"TotalSeviceMoney":3.00', more: str = "") -> bytes:
    return (ORDER + service + more + "}").encode()


def _read(kind: Any, text: str) -> tuple[Any, set[str]]:
    message, tolerated = read(kind, text.encode())
    return message, set(tolerated)


def _problem(kind: Any, plain: bytes) -> WireProblem:
    with pytest.raises(WireProblem) as caught:
        read(kind, plain)
    assert caught.value.ret == 4004
    return caught.value


def test_what_the_standard_says_needs_no_tolerance() -> None:
    order, tolerated = read(m.NotificationChargeOrderInfo, _order())
    assert (order.total_service_money, order.total_power, tolerated) == (
        Decimal(3),
        Decimal("10.5"),
        frozenset(),
    )


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("TotalServiceMoney", "alias:TotalSeviceMoney"),
        ("totalSeviceMoney", "case:TotalSeviceMoney"),
        ("TOTALSERVICEMONEY", "alias:TotalSeviceMoney"),
    ],
)
def test_a_field_is_known_in_every_spelling_seen(name: str, word: str) -> None:
    order, tolerated = read(m.NotificationChargeOrderInfo, _order(f'"{name}":3.00'))
    assert (order.total_service_money, set(tolerated)) == (Decimal(3), {word})


@pytest.mark.parametrize(
    ("details", "words"),
    [
        (f"[{DETAIL}]", set()),
        (DETAIL, {"single:ChargeDetails"}),
        (f'"[{DETAIL_TEXT}]"', {"json_text:ChargeDetails"}),
        (f'"{DETAIL_TEXT}"', {"json_text:ChargeDetails", "single:ChargeDetails"}),
        (f'["{DETAIL_TEXT}"]', {"json_text:ChargeDetails"}),
        (f"[{DETAIL},]", {"trailing_comma"}),
    ],
)
def test_details_are_read_as_list_object_or_text(details: str, words: set[str]) -> None:
    order, tolerated = read(m.NotificationChargeOrderInfo, _order(more=f',"ChargeDetails":{details}'))
    assert [one.detail_power for one in order.charge_details] == [Decimal("10.5")]
    assert tolerated == words


@pytest.mark.parametrize("details", ["null", '""', "[]"])
def test_no_details_are_an_empty_list(details: str) -> None:
    order, _ = read(m.NotificationChargeOrderInfo, _order(more=f',"ChargeDetails":{details},"SumPeriod":null'))
    assert (order.charge_details, order.sum_period) == ([], None)


def test_unknown_fields_are_kept_as_they_came_and_written_back() -> None:
    more = ',"serialVersionUID":1,"AccountDate":"2026-08-01","Nested":{"a":[1.50,null]}'
    order, tolerated = read(m.NotificationChargeOrderInfo, _order(more=more))
    assert order.extra == {
        "serialVersionUID": 1,
        "AccountDate": "2026-08-01",
        "Nested": {"a": [Decimal("1.50"), None]},
    }
    assert tolerated == {"unknown_field"}
    assert read(m.NotificationChargeOrderInfo, write(order, GOLDEN_PROFILE))[0] == order
    assert b'"Nested":{"a":[1.50,null]}' in write(order, GOLDEN_PROFILE)


def test_known_extensions_have_attributes_of_their_own() -> None:
    more = (
        ',"VIN":"LSVAA4182E2123456","LicensePlate":"沪A00001","MeterValueStart":"100.00","MeterValueEnd":110.5'
    )
    order, _ = read(m.NotificationChargeOrderInfo, _order(more=more))
    assert (order.vin, order.plate_no) == ("LSVAA4182E2123456", "沪A00001")
    assert (order.meter_value_start, order.meter_value_end, order.extra) == (Decimal(100), Decimal("110.5"), {})
    start, _ = _read(
        m.QueryStartCharge,
        '{"StartChargeSeq":"1","ConnectorID":"1","QRCode":null,"PhoneNum":13800000000,"Balance":"50"}',
    )
    assert (start.qr_code, start.phone_num, start.balance) == ("", "13800000000", Decimal(50))


@pytest.mark.parametrize(
    "info",
    [
        '"ConnectorStatusInfo":{"ConnectorID":"1","Status":3}',
        '"ConnectorStatusInfos":[{"ConnectorID":"1","Status":"3"}]',
        '"connectorStatusInfo":{"connectorID":1,"status":3}',
        '"StationStatusInfo":{"StationID":"9","ConnectorStatusInfos":[{"ConnectorID":"1","Status":3}]}',
        '"ConnectorStatusInfo":"{\\"ConnectorID\\":\\"1\\",\\"Status\\":3}"',
    ],
)
def test_a_status_is_found_in_every_wrapping_seen(info: str) -> None:
    message, _ = _read(m.NotificationStationStatus, "{" + info + "}")
    assert message.connector_status_info.connector_id == "1"
    assert message.connector_status_info.status == 3


def test_lists_are_known_without_their_last_letter() -> None:
    page, tolerated = _read(
        m.QueryStationsInfoReply, '{"pageCount":1,"PageNo":1.0,"ItemSize":"0","StationInfo":null}'
    )
    assert (page.page_count, page.page_no, page.station_infos) == (1, 1, [])
    assert tolerated == {
        "case:PageCount",
        "text_number:ItemSize",
        "alias:StationInfos",
        "empty:StationInfos",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.5", "a whole number is expected"),
        ("true", "a whole number is expected"),
        ('"one"', "a number is expected"),
        ('""', "a number is expected"),
        ("null", "is required"),
        ("99999999999999999999", "a whole number from -2147483648 to 2147483647 is expected"),
        ("1e300", "a whole number is expected"),
        ("[1]", "a whole number is expected"),
    ],
)
def test_what_is_no_whole_number_is_refused_by_name_without_its_value(value: str, expected: str) -> None:
    problem = _problem(m.NotificationStationStatusReply, b'{"Status":%s}' % value.encode())
    assert problem.msg == f"Status: {expected}"


@pytest.mark.parametrize(
    "value",
    ["-0.01", "1e10", "1e999999999", '"NaN"', '"Infinity"', '"1_0"', '"١"', "false", "9" * 50, '"0x1"'],
)
def test_what_is_no_sane_amount_is_refused(value: str) -> None:
    problem = _problem(m.NotificationChargeOrderInfo, _order(f'"TotalSeviceMoney":{value}'))
    assert problem.msg.startswith("TotalSeviceMoney: a number")


def test_a_problem_inside_a_list_says_where() -> None:
    bad = DETAIL.replace("10.5", '"ten"')
    problem = _problem(m.NotificationChargeOrderInfo, _order(more=f',"ChargeDetails":[{DETAIL},{bad}]'))
    assert problem.msg == "ChargeDetails[1].DetailPower: a number is expected"
    problem = _problem(m.QueryStationStatus, b'{"StationIDs":["1",null]}')
    assert problem.msg == "StationIDs[1]: must not be null"


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "must hold a JSON object"),
        (b'{"StartChargeSeq":"\xb3\xe4"}', "not UTF-8"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"StartChargeSeq":' + b"9" * 1_000_000 + b"}", "out of range"),
        (b'{"StartChargeSeq":' + b"9" * 1_000_000 + b".5}", "too long"),
        (b'{"StartChargeSeq":"' + b'\\"' * 500_000, "not JSON"),
        (b"," * 500_000 + b"}", "not JSON"),
        (b'{"StartChargeSeq":"\\ud800"}', "not JSON"),
        (b'{"StartChargeSeq":"a\\u0000"}', "StartChargeSeq"),
        (b'{"StartChargeSeq":"' + b"a" * 65 + b'"}', "at most 64"),
        (b'{"StartChargeSeq":"a","startchargeseq":"b"}', "given twice"),
        (b'{"StartChargeSeq":"a b"}', "visible ASCII"),
        (b'{"StartChargeSeq":"a","More":"\\u0000"}', "NUL"),
        (b'{"StartChargeSeq":"a","More":' + b"[" * 50 + b"]" * 50 + b"}", "nested too deeply"),
    ],
)
def test_hostile_bytes_are_refused_in_bounded_time(plain: bytes, words: str) -> None:
    assert words in _problem(m.QueryEquipChargeStatus, plain).msg


def test_a_free_text_with_nul_is_refused_as_no_database_takes_it() -> None:
    problem = _problem(m.QueryToken, b'{"OperatorID":"123456789","OperatorSecret":"a\\u0000b"}')
    assert problem.msg.startswith("OperatorSecret: at most 4000 characters")


@pytest.mark.parametrize("levels", [2, 100, 900, 960, 980, 990, 5000])
def test_a_status_wrapped_again_and_again_is_refused(levels: int) -> None:
    plain = b'{"ConnectorStatusInfo":' * levels + b"1" + b"}" * levels
    assert _problem(m.NotificationStationStatus, plain).reason in {"field", "not_json"}


def test_a_start_cannot_be_replayed_as_a_stop() -> None:
    start = write(GOLDEN["query_start_charge"][0], GOLDEN_PROFILE)
    assert belongs(INTERFACES["query_start_charge"], start)
    assert not belongs(INTERFACES["query_stop_charge"], start)
    assert not belongs(INTERFACES["query_equip_charge_status"], start)


def test_a_partners_extensions_do_not_make_a_request_foreign() -> None:
    started = (
        b'{"StartChargeSeq":"1","StartChargeSeqStat":2,"ConnectorID":"1","StartTime":"2026-08-01 10:00:00",'
        b'"SuccStat":0,"FailReason":0}'
    )
    assert belongs(INTERFACES["notification_start_charge_result"], started)
    assert belongs(INTERFACES["query_stations_info"], b'{"PageNo":1,"PageSize":10,"StationIDs":[]}')
    assert not belongs(INTERFACES["query_stations_info"], b'{"OperatorID":"123456789","OperatorSecret":"x"}')
    assert not belongs(INTERFACES["query_token"], b"[]")


@pytest.mark.parametrize(
    ("spelling", "numbers", "start", "policy"),
    [
        (Spelling(), Numbers(), '"QRCode":"x"', '"ElecPrice":1.2000,"SevicePrice":0.4000'),
        (Spelling(service="Service"), Numbers(price_decimals=2), '"QRCode":"x"', '1.20,"ServicePrice":0.40'),
        (Spelling(qr_code="QrCode"), Numbers(as_strings=True), '"QrCode":"x"', '"SevicePrice":"0.4000"'),
        (Spelling(case="lower_camel"), Numbers(), '"qrCode":"x"', '"sevicePrice":0.4000'),
        (Spelling(case="lower_camel", service="Service"), Numbers(), '"connectorID":"1"', '"servicePrice":0.4'),
    ],
)
def test_names_and_numbers_are_written_as_the_profile_says(
    spelling: Spelling, numbers: Numbers, start: str, policy: str
) -> None:
    profile = replace(GOLDEN_PROFILE, spelling=spelling, numbers=numbers)
    asked = m.QueryStartCharge(start_charge_seq="1", connector_id="1", qr_code="x")
    price = m.PolicyInfo(start_time="000000", elec_price=Decimal("1.2"), service_price=Decimal("0.4"))
    assert start in write(asked, profile).decode()
    assert policy in write(price, profile).decode()


def test_decimals_are_written_as_the_profile_says_and_rounded_half_up() -> None:
    order, _ = read(m.NotificationChargeOrderInfo, _order('"TotalSeviceMoney":3.005'))
    assert b'"TotalSeviceMoney":3.01,' in write(order, GOLDEN_PROFILE)
    assert b'"TotalPower":10.50,' in write(order, GOLDEN_PROFILE)
    with pytest.raises(ValueError, match="finite"):
        write(
            m.ChargeOrder(start_charge_seq="1", total_power=Decimal("NaN"), total_money=Decimal(0)),
            GOLDEN_PROFILE,
        )
    with pytest.raises(ValueError, match="digits"):
        write(
            m.ChargeOrder(start_charge_seq="1", total_power=Decimal("1e30"), total_money=Decimal(0)),
            GOLDEN_PROFILE,
        )
