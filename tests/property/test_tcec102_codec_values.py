"""Values of T/CEC 102 against exact fractions; places, times, numbers and QR codes there and back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_sdk.contract.tcec102 import values
from operator_sdk.contract.tcec102.coordinates import in_china
from operator_sdk.contract.tcec102.sequences import is_seq, make_qr, make_seq, parse_qr

pytestmark = pytest.mark.property

amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=9)
places = st.tuples(st.integers(18_000_000, 53_000_000), st.integers(74_000_000, 134_000_000))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
milliseconds = st.integers(1_010_000_000_000, 7_250_000_000_000)
"""Of the years 2002 to 2199: before them, an epoch stamp has fewer than 13 digits."""
zones = st.sampled_from(["Asia/Shanghai", "Asia/Urumqi", "UTC"])


def _half_away(exact: Fraction) -> int:
    whole = floor(abs(exact) + Fraction(1, 2))
    return whole if exact >= 0 else -whole


@given(amounts)
def test_amounts_are_the_nearest_whole_number_halves_away_from_zero(amount: Decimal) -> None:
    exact = Fraction(amount)
    assert values.fen_of(amount) == _half_away(exact * 100)
    assert values.wh_of(amount) == _half_away(exact * 1000)
    assert values.micro_of(amount) == _half_away(exact * 1_000_000)


@given(st.integers(-(10**12), 10**12))
def test_our_integers_go_out_and_come_back_exactly(number: int) -> None:
    assert values.fen_of(values.yuan_of(number)) == number
    assert values.wh_of(values.kwh_of(number)) == number
    assert values.micro_of(values.price_of(number)) == number
    assert values.e6_of(values.degrees_of(number)) == number


@given(milliseconds, zones)
def test_a_time_goes_out_and_comes_back(moment: int, zone: str) -> None:
    at = EPOCH + timedelta(seconds=moment // 1000)
    text = values.format_time(at, zone)
    assert values.parse_time(text, zone) == at
    assert values.parse_time(values.format_stamp(at, zone), zone) == at
    assert text.startswith(values.format_day(at, zone))


@given(milliseconds, zones)
def test_a_stamp_in_milliseconds_goes_out_and_comes_back(moment: int, zone: str) -> None:
    at = EPOCH + timedelta(milliseconds=moment)
    assert values.parse_stamp(values.format_stamp(at, zone, "epoch_ms"), zone) == at


@given(st.text(max_size=30))
def test_any_text_is_a_time_of_our_times_or_a_value_error(text: str) -> None:
    try:
        at = values.parse_time(text, "Asia/Shanghai")
    except ValueError:
        return
    assert at.utcoffset() == timedelta(0)
    assert 1999 <= at.year <= 2200


@given(places)
def test_a_place_in_china_goes_through_all_three_systems_and_back(place: tuple[int, int]) -> None:
    assert in_china(*place)
    for there, back in (
        (values.wgs84_to_gcj02, values.gcj02_to_wgs84),
        (values.gcj02_to_bd09, values.bd09_to_gcj02),
    ):
        again = back(*there(*place))
        assert max(abs(again[0] - place[0]), abs(again[1] - place[1])) <= 2, (there.__name__, place, again)


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=9, max_size=9), st.text())
def test_a_sequence_has_27_characters_and_begins_with_its_maker(operator_id: str, unique: str) -> None:
    seq = make_seq(operator_id, unique.encode("utf-8", "replace").decode())
    assert (len(seq), seq[:9], is_seq(seq), seq.upper()) == (27, operator_id, True, seq)


visible = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1, max_size=26
)


@given(visible, st.text("0123456789ABC", min_size=9, max_size=9), st.text(max_size=10))
def test_a_qr_code_goes_out_and_comes_back(connector_id: str, operator_id: str, custom: str) -> None:
    custom = custom.replace("\0", "").strip()
    assert parse_qr(make_qr(connector_id, operator_id, custom)) == (connector_id, operator_id, custom)


@given(st.text())
def test_any_text_is_a_qr_code_or_is_not(text: str) -> None:
    parsed = parse_qr("hlht://" + text)
    assert parsed is None or len(parsed[1]) == 9
