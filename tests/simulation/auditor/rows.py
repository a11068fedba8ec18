"""Raw rows, and the little arithmetic that everything here needs."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Row = sqlite3.Row
HUB_PARTY = "MA5HUB000"
US = 1_000_000
ZONE_US = 8 * 3600 * US
DAY_US = 24 * 3600 * US


@dataclass
class Source:
    """A database opened to be read, and what was found wrong in it."""

    path: str
    wrong: Callable[[str], None]
    connection: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None)
        self.connection.row_factory = sqlite3.Row

    def rows(self, query: str, *values: Any) -> list[Row]:
        return self.connection.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Row:
        found: Row = self.connection.execute(query, values).fetchone()
        return found

    def number(self, query: str, *values: Any) -> int:
        """One number; nothing counts as 0."""
        return int(self.one(query, *values)[0] or 0)

    def expect(self, is_so: bool, text: str) -> None:
        """It must be so."""
        if not is_so:
            self.wrong(text)

    def same(self, what: str, stored: object, computed: object) -> None:
        """What is stored must be what comes of computing it again."""
        if stored != computed:
            self.wrong(f"{what}: stored {stored}, computed {computed}")

    def close(self) -> None:
        self.connection.close()


def half_up(exact: Fraction) -> int:
    """To the nearest whole number, halves away from zero."""
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return whole if exact >= 0 else -whole


def local_day(at_us: int) -> str:
    """The day in Shanghai of an instant in microseconds since 1970, as YYYY-MM-DD."""
    days = (at_us + ZONE_US) // DAY_US
    # Civil from days: the calendar of years that begin in March.
    era_day = days + 719_468
    era, doe = divmod(era_day, 146_097)
    yoe = (doe - doe // 1_460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    month_from_march = (5 * doy + 2) // 153
    day = doy - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return f"{year:04d}-{month:02d}-{day:02d}"
