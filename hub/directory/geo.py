"""Coordinates: decimal text to integers of 10^-6 degree, WGS-84 to GCJ-02, and a cell for later searches."""

import re
from decimal import ROUND_HALF_UP, Decimal

from operator_sdk.contract.tcec102.coordinates import wgs84_to_gcj02

DATUMS = ("gcj-02", "wgs-84", "unknown")
"""`unknown` is kept as it is."""

LATITUDE_MOST_E6, LONGITUDE_MOST_E6 = 90_000_000, 180_000_000

_DEGREES = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{1,15})?")
_E6 = 1_000_000
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
    if datum != "wgs-84":
        return latitude_e6, longitude_e6
    return wgs84_to_gcj02(latitude_e6, longitude_e6)


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
