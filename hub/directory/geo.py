"""Coordinates: decimal text to integers of 10^-6 degree, WGS-84 to GCJ-02, and a cell for later searches.

The conversion is the published approximation on the Krasovsky ellipsoid that maps in China use. It computes in
float between integers: a coordinate is neither money nor energy, and the result is rounded to 10^-6 degree.
"""

import re
from decimal import ROUND_HALF_UP, Decimal
from math import cos, pi, sin, sqrt

DATUMS = ("gcj-02", "wgs-84", "unknown")
"""`unknown` is kept as it is."""

LATITUDE_MOST_E6, LONGITUDE_MOST_E6 = 90_000_000, 180_000_000

_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{1,15})?")
_E6 = 1_000_000
_RADIUS_M = 6_378_245.0
_ECCENTRICITY_SQUARED = 0.00669342162296594323
CELL_BITS = 16
"""Bits of a cell's row, and of its column."""


def parse_e6(text: str, most_e6: int) -> int:
    """Decimal degrees as integer 10^-6 degree, halves away from zero.

    Raises:
        ValueError: not a plain decimal number, or beyond `most_e6`.
    """
    if not _DEGREES.fullmatch(text):
        raise ValueError("not a decimal number of degrees")
    value = int((Decimal(text) * _E6).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if abs(value) > most_e6:
        raise ValueError("out of range")
    return value


def to_gcj02(latitude_e6: int, longitude_e6: int, datum: str) -> tuple[int, int]:
    """(latitude, longitude) in GCJ-02; only `wgs-84` within China changes."""
    if datum != "wgs-84" or not _in_china(latitude_e6, longitude_e6):
        return latitude_e6, longitude_e6
    latitude, longitude = latitude_e6 / _E6, longitude_e6 / _E6
    east, north = longitude - 105.0, latitude - 35.0
    angle = latitude / 180.0 * pi
    flattening = 1 - _ECCENTRICITY_SQUARED * sin(angle) ** 2
    meridian_m = _RADIUS_M * (1 - _ECCENTRICITY_SQUARED) / (flattening * sqrt(flattening))
    parallel_m = _RADIUS_M / sqrt(flattening) * cos(angle)
    moved_north = _north_m(east, north) * 180.0 / (meridian_m * pi)
    moved_east = _east_m(east, north) * 180.0 / (parallel_m * pi)
    return latitude_e6 + round(moved_north * _E6), longitude_e6 + round(moved_east * _E6)


def _in_china(latitude_e6: int, longitude_e6: int) -> bool:
    return 829_300 <= latitude_e6 <= 55_827_100 and 72_004_000 <= longitude_e6 <= 137_834_700


def _north_m(x: float, y: float) -> float:
    metres = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    metres += (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    metres += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    return metres + (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0


def _east_m(x: float, y: float) -> float:
    metres = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    metres += (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    metres += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    return metres + (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0


def cell_of(latitude_e6: int, longitude_e6: int) -> int:
    """A 32-bit cell (about 300 m by 600 m); cells that share leading bits are near each other."""
    return cell_at(*row_and_column(latitude_e6, longitude_e6), CELL_BITS)


def row_and_column(latitude_e6: int, longitude_e6: int) -> tuple[int, int]:
    """The row (from the south) and column (from the west) of a place's cell."""
    top = (1 << CELL_BITS) - 1
    row = min(top, ((latitude_e6 + LATITUDE_MOST_E6) << CELL_BITS) // (2 * LATITUDE_MOST_E6))
    column = min(top, ((longitude_e6 + LONGITUDE_MOST_E6) << CELL_BITS) // (2 * LONGITUDE_MOST_E6))
    return row, column


def cell_at(row: int, column: int, bits: int) -> int:
    """The leading `2 * bits` bits of a cell: a square of a coarser grid."""
    cell = 0
    for bit in reversed(range(bits)):
        cell = cell << 2 | (column >> bit & 1) << 1 | row >> bit & 1
    return cell
