"""Times as partners write them, times of day, QR codes of the field, known places in the three map systems."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from operator_sdk.contract.tcec102 import values
from operator_sdk.contract.tcec102.sequences import is_seq, make_seq, parse_qr

TEN = datetime(2026, 8, 1, 2, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-01 10:00:05",
        "2026-08-01T10:00:05",
        " 2026/08/01 10:00:05 ",
        "2026-08-01 10:00:05.0",
        "20260801100005",
        "20260801 100005",
        "1785549605000",
    ],
)
def test_a_time_is_read_in_every_form_seen(text: str) -> None:
    assert values.parse_time(text, "Asia/Shanghai") == TEN


def test_a_day_alone_is_its_midnight() -> None:
    assert values.parse_time("2026-08-01", "Asia/Shanghai") == datetime(2026, 7, 31, 16, tzinfo=UTC)
    assert values.parse_day("2026-08-01 10:00:00") == date(2026, 8, 1)


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01 00:00:00", "2026-02-30 00:00:00", "0000-00-00 00:00:00", "1999-12-31 00:00:00",
     "9999-12-31 23:59:59", "2026-08-01 24:00:00", "9999999999999", "２０２６-08-01 10:00:05"],
)  # fmt: skip
def test_what_is_no_time_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.parse_time(text, "Asia/Shanghai")


def test_times_are_written_in_the_partners_zone() -> None:
    assert values.format_time(TEN, "Asia/Shanghai") == "2026-08-01 10:00:05"
    assert values.format_stamp(TEN, "Asia/Shanghai") == "20260801100005"
    assert values.format_stamp(TEN, "Asia/Shanghai", "epoch_ms") == "1785549605000"
    assert values.format_day(TEN.replace(hour=17), "Asia/Shanghai") == "2026-08-02"
    with pytest.raises(ValueError, match="aware"):
        values.format_time(TEN.replace(tzinfo=None), "Asia/Shanghai")
    with pytest.raises(ValueError, match="no such time zone"):
        values.parse_time("2026-08-01", "../../etc/passwd")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("000000", 0),
        ("080000", 28_800),
        ("08:30", 30_600),
        ("0830", 30_600),
        ("23:59:59", 86_399),
        ("240000", 86_400),
    ],
)
def test_a_time_of_day_is_read_in_every_form_seen(text: str, seconds: int) -> None:
    assert values.parse_clock(text) == seconds


@pytest.mark.parametrize("text", ["", "8:00", "24:00:01", "12:60", "125960", "99", "noon"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HHmmss"):
        values.parse_clock(text)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("hlht://3702030162102.395815801/", ("3702030162102", "395815801", "")),
        ("hlht://47756771.MA59CU773/", ("47756771", "MA59CU773", "")),
        ("hlht://1110190000000073001.MA002TMQX/01730000", ("1110190000000073001", "MA002TMQX", "01730000")),
        ("HLHT://1.2.MA002TMQX", ("1.2", "MA002TMQX", "")),
        ("hlht://1.MA002TMQX/a/b.c", ("1", "MA002TMQX", "a/b.c")),
        ("https://example.com/1.MA002TMQX/", None),
        ("hlht://MA002TMQX/", None),
        ("hlht://.MA002TMQX/", None),
        ("hlht://1.SHORT/", None),
        ("hlht://", None),
    ],
)
def test_qr_codes_of_the_field_are_parsed(text: str, parsed: tuple[str, str, str] | None) -> None:
    assert parse_qr(text) == parsed


def test_a_sequence_depends_on_its_maker_and_the_text_alone() -> None:
    assert make_seq("MA59CU773", "ses_1") == make_seq("MA59CU773", "ses_1") != make_seq("MA59CU773", "ses_2")
    assert not is_seq("MA59CU773")
    with pytest.raises(ValueError, match="9 letters"):
        make_seq("MA59", "ses_1")


def test_halves_are_rounded_away_from_zero_and_only_numbers_are_taken() -> None:
    assert values.fen_of(Decimal("0.005")) == 1
    assert values.fen_of(Decimal("-0.005")) == -1
    assert values.wh_of(Decimal("0.0004999")) == 0
    assert values.micro_of(Decimal("0.8500")) == 850_000
    assert str(values.yuan_of(1)) == "0.01"
    for text in ("NaN", "Infinity"):
        with pytest.raises(ValueError, match="finite"):
            values.fen_of(Decimal(text))


def test_the_shifts_agree_with_the_published_examples() -> None:
    assert values.wgs84_to_gcj02(39_915_000, 116_404_000) == (39_916_404, 116_410_244)
    assert values.gcj02_to_bd09(39_915_000, 116_404_000) == (39_921_337, 116_410_369)
    north, east = values.bd09_to_gcj02(39_915_000, 116_404_000)
    assert abs(north - 39_908_657) <= 3
    assert abs(east - 116_397_627) <= 3


def test_places_outside_china_are_not_shifted() -> None:
    for place in [(52_520_000, 13_405_000), (-33_870_000, 151_210_000)]:
        assert values.wgs84_to_gcj02(*place) == place
        assert values.gcj02_to_wgs84(*place) == place
