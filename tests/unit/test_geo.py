"""Coordinates: exact integers in, exact integers out, and the published shift between the two systems."""

import pytest

from hub.directory.geo import LATITUDE_MOST_E6, LONGITUDE_MOST_E6, cell_of, parse_e6, to_gcj02


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22.716272", 22_716_272),
        ("14.1", 14_100_000),
        ("-0.0000005", -1),
        ("0.0000004", 0),
        ("+90", 90_000_000),
        ("8.0000015", 8_000_002),
    ],
)
def test_degrees_become_whole_millionths_rounded_half_up(text: str, value: int) -> None:
    assert parse_e6(text, LATITUDE_MOST_E6) == value


@pytest.mark.parametrize(
    "text", ["", " 1", "1e2", "NaN", "Infinity", "1_0", "22,5", "٢٢", "1.", ".5", "1000", "90.0000005", "-91"]
)
def test_what_is_no_latitude_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"degrees|range"):
        parse_e6(text, LATITUDE_MOST_E6)


def test_the_shift_agrees_with_the_published_example() -> None:
    assert to_gcj02(39_915_000, 116_404_000, "wgs-84") == (39_916_404, 116_410_244)


@pytest.mark.parametrize("datum", ["gcj-02", "unknown"])
def test_other_systems_are_kept_as_they_are(datum: str) -> None:
    assert to_gcj02(39_915_000, 116_404_000, datum) == (39_915_000, 116_404_000)


@pytest.mark.parametrize("place", [(52_520_000, 13_405_000), (-33_870_000, 151_210_000), (0, 0)])
def test_places_outside_china_are_not_shifted(place: tuple[int, int]) -> None:
    assert to_gcj02(*place, "wgs-84") == place


def test_in_shenzhen_the_shift_is_some_hundred_metres() -> None:
    latitude, longitude = to_gcj02(22_540_000, 114_050_000, "wgs-84")
    assert -4_000 < latitude - 22_540_000 < -2_000
    assert 4_000 < longitude - 114_050_000 < 6_000


def test_cells_are_32_bits_and_neighbours_share_their_beginning() -> None:
    corners = [(-LATITUDE_MOST_E6, -LONGITUDE_MOST_E6), (LATITUDE_MOST_E6, LONGITUDE_MOST_E6)]
    assert [cell_of(*corner) for corner in corners] == [0, 2**32 - 1]
    here, next_door, beijing = cell_of(22_540_000, 114_050_000), cell_of(22_540_100, 114_050_100), cell_of(
        39_915_000, 116_404_000
    )  # fmt: skip
    assert here == next_door
    assert here >> 26 == beijing >> 26
    assert here >> 16 != beijing >> 16
