"""Distances in whole numbers are those on the great circle, and no circle is larger than its cells."""

from itertools import pairwise
from math import asin, atan2, cos, degrees, pi, radians, sin, sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.directory.distance import UNIT_UM, cells_within, metres, place_at
from hub.directory.geo import cell_of

pytestmark = pytest.mark.property

EARTH_M = 6_371_008.8


def degrees_e6(most: int) -> st.SearchStrategy[int]:
    """Evenly over the whole range: large ranges of integers would be drawn mostly near zero."""
    return st.builds(
        lambda whole, part: max(-most * 10**6, whole * 10**6 - part),
        st.integers(-most, most),
        st.sampled_from([0, 1, 999_999]) | st.integers(0, 999_999),
    )


anywhere = st.tuples(degrees_e6(90), degrees_e6(180))
inhabited = st.tuples(degrees_e6(55), degrees_e6(170))


def great_circle_m(one: tuple[int, int], other: tuple[int, int]) -> float:
    (south, west), (north, east) = ((radians(lat / 1e6), radians(lon / 1e6)) for lat, lon in (one, other))
    half = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin((east - west) / 2) ** 2
    return 2 * EARTH_M * asin(min(1.0, sqrt(half)))


def walk(begin: tuple[int, int], distance_m: float, bearing: float) -> tuple[int, int]:
    lat, lon, arc = radians(begin[0] / 1e6), radians(begin[1] / 1e6), distance_m / EARTH_M
    there = asin(sin(lat) * cos(arc) + cos(lat) * sin(arc) * cos(bearing))
    turn = atan2(sin(bearing) * sin(arc) * cos(lat), cos(arc) - sin(lat) * sin(there))
    return round(degrees(there) * 1e6), round(degrees(lon + turn) * 1e6)


@pytest.mark.parametrize(("within_km", "off"), [(100, 1e-4), (500, 1e-3), (1000, 5e-3)])
def test_a_distance_is_that_of_the_great_circle(within_km: int, off: float) -> None:
    @given(begin=inhabited, km=st.floats(0, within_km), bearing=st.floats(0, 2 * pi))
    def compare(begin: tuple[int, int], km: float, bearing: float) -> None:
        end = walk(begin, km * 1000, bearing)
        true_m = great_circle_m(begin, end)
        assert abs(metres(place_at(*begin).squares_to(*end)) - true_m) <= 2 + off * true_m

    compare()


CHINA = st.tuples(
    st.integers(18, 53).map(lambda whole: whole * 10**6 + 123_456),
    st.integers(73, 134).map(lambda whole: whole * 10**6 + 654_321),
)


@given(CHINA, CHINA)
def test_across_china_it_is_off_by_less_than_a_twelfth(one: tuple[int, int], other: tuple[int, int]) -> None:
    true_m = great_circle_m(one, other)
    assert abs(metres(place_at(*one).squares_to(*other)) - true_m) <= 2 + 0.08 * true_m


@given(begin=anywhere, end=anywhere)
def test_no_cosine_falls_below_zero(begin: tuple[int, int], end: tuple[int, int]) -> None:
    assert place_at(*begin).cosine_e6(end[0] - begin[0]) >= 0


def test_the_date_line_is_not_far_from_itself() -> None:
    assert metres(place_at(0, 179_999_000).squares_to(0, -179_999_000)) == 2000 * UNIT_UM // 10**6


@given(
    begin=anywhere,
    radius=st.sampled_from([0, 1, 900, 45_000, 180_000, 2_880_000]),
    part=st.one_of(st.just(0.9999), st.floats(0, 1)),
    bearing=st.one_of(st.sampled_from([0, 0.1, 0.2, pi / 2, pi, 3 * pi / 2]), st.floats(0, 2 * pi)),
)
def test_every_place_within_a_circle_lies_in_its_cells(
    begin: tuple[int, int], radius: int, part: float, bearing: float
) -> None:
    place = place_at(*begin)
    cells = cells_within(place, radius)
    assume(cells is not None)
    assert cells is not None
    north = round(radius * part * sin(bearing))
    cosine = max(1, place.cosine_e6(north)) / 1e6
    end = (begin[0] + north, begin[1] + round(radius * part * cos(bearing) / cosine))
    assume(place.squares_to(*end) <= radius**2)
    assert any(low <= cell_of(*end) <= high for low, high in cells)


@given(begin=inhabited, radius=st.sampled_from([45_000, 180_000]))
def test_a_circle_is_covered_by_few_squares_near_its_size(begin: tuple[int, int], radius: int) -> None:
    cells = cells_within(place_at(*begin), radius)
    assert cells is not None
    assert 1 <= len(cells) <= 12
    assert all(one[1] + 1 < other[0] for one, other in pairwise(cells))
    squares = sum(high - low + 1 for low, high in cells)
    assert squares * (180_000_000 >> 16) * (360_000_000 >> 16) <= 60 * radius**2
