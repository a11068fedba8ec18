"""Values on the wire and ours: yuan and fen, kWh and Wh, local times and UTC. Integers and `Decimal` only."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from operator_sdk.contract.money import round_half_up
from operator_sdk.contract.tcec102.coordinates import (
    bd09_to_gcj02,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    wgs84_to_gcj02,
)

__all__ = [
    "bd09_to_gcj02",
    "degrees_of",
    "e6_of",
    "fen_of",
    "format_day",
    "format_stamp",
    "format_time",
    "gcj02_to_bd09",
    "gcj02_to_wgs84",
    "kwh_of",
    "micro_of",
    "parse_clock",
    "parse_day",
    "parse_stamp",
    "parse_time",
    "price_of",
    "wgs84_to_gcj02",
    "wh_of",
    "yuan_of",
    "zone_of",
]

_TIME = re.compile(
    r"([0-9]{4})[-/]?([0-9]{2})[-/]?([0-9]{2})"
    r"(?:[ T]?([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:\.[0-9]{1,9})?)?)?"
)
_EPOCH_MS = re.compile(r"[0-9]{13}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK = re.compile(r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?")
_DAY_S = 86_400


def fen_of(yuan: Decimal) -> int:
    """Yuan to whole fen, halves away from zero."""
    return _scaled(yuan, 100)


def yuan_of(fen: int) -> Decimal:
    """Fen to yuan with two decimals."""
    return Decimal(fen).scaleb(-2)


def wh_of(kwh: Decimal) -> int:
    """KWh to whole Wh, halves away from zero."""
    return _scaled(kwh, 1000)


def kwh_of(wh: int) -> Decimal:
    """Wh to kWh with three decimals."""
    return Decimal(wh).scaleb(-3)


def micro_of(price: Decimal) -> int:
    """Yuan/kWh to integer 10^-6 yuan/kWh, halves away from zero."""
    return _scaled(price, 1_000_000)


def price_of(micro: int) -> Decimal:
    """10^-6 yuan/kWh to yuan/kWh with six decimals."""
    return Decimal(micro).scaleb(-6)


def e6_of(degrees: Decimal) -> int:
    """Degrees to integer 10^-6 degree, halves away from zero."""
    return _scaled(degrees, 1_000_000)


def degrees_of(e6: int) -> Decimal:
    """10^-6 degree to degrees with six decimals."""
    return Decimal(e6).scaleb(-6)


def _scaled(number: Decimal, factor: int) -> int:
    if not number.is_finite():
        raise ValueError("a finite number is expected")
    numerator, denominator = number.as_integer_ratio()
    return round_half_up(numerator * factor, denominator)


@cache
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("no such time zone") from None


def parse_time(text: str, zone: str | tzinfo) -> datetime:
    """A local time as UTC: `yyyy-MM-dd HH:mm:ss`, and what else is seen.

    Also taken: `T` or nothing between, slashes, no separators at all, fractions (cut), no seconds, a day alone
    (its midnight), epoch milliseconds.

    Raises:
        ValueError: not a time, or not of the years 2000 to 2199.
    """
    text = text.strip()
    if _EPOCH_MS.fullmatch(text):
        return _in_our_times(_EPOCH + timedelta(milliseconds=int(text)))
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("a time as yyyy-MM-dd HH:mm:ss is expected")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    local = datetime(year, month, day, hour, minute, second, tzinfo=_zone(zone))
    return _in_our_times(local)


def _in_our_times(at: datetime) -> datetime:
    if not 2000 <= at.year < 2200:
        raise ValueError("a time of the years 2000 to 2199 is expected")
    return at.astimezone(UTC)


def _zone(zone: str | tzinfo) -> tzinfo:
    return zone_of(zone) if isinstance(zone, str) else zone


def format_time(at: datetime, zone: str | tzinfo) -> str:
    """`yyyy-MM-dd HH:mm:ss` in the zone; fractions are cut. `at` must be aware."""
    return _local(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def format_day(at: datetime, zone: str | tzinfo) -> str:
    """`yyyy-MM-dd` in the zone. `at` must be aware."""
    return _local(at, zone).strftime("%Y-%m-%d")


def parse_day(text: str) -> date:
    """`yyyy-MM-dd`; a time after it is ignored.

    Raises:
        ValueError: not a day.
    """
    return date.fromisoformat(text.strip()[:10])


def format_stamp(at: datetime, zone: str | tzinfo, stamp: str = "text") -> str:
    """An envelope's TimeStamp: `yyyyMMddHHmmss` in the zone, or `epoch_ms`. `at` must be aware."""
    if stamp == "epoch_ms":
        return str((at - _EPOCH) // timedelta(milliseconds=1))
    return _local(at, zone).strftime("%Y%m%d%H%M%S")


def parse_stamp(text: str, zone: str | tzinfo) -> datetime:
    """An envelope's TimeStamp, of either kind, as UTC.

    Raises:
        ValueError: it is neither.
    """
    return parse_time(text, zone)


def _local(at: datetime, zone: str | tzinfo) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an aware time is expected")
    return at.astimezone(_zone(zone))


def parse_clock(text: str) -> int:
    """A time of day as seconds: `HHmmss`, `HH:mm:ss`, `HHmm` or `HH:mm`; 24:00 is 86400.

    Raises:
        ValueError: it is none.
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError("a time of day as HHmmss is expected")
    hour, minute, second = (int(part or 0) for part in found.groups())
    seconds = hour * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or seconds > _DAY_S:
        raise ValueError("a time of day as HHmmss is expected")
    return seconds
