"""Fields of partners' messages as the hub's own values, or the protocol's word for why not."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from operator_sdk.contract.tcec102.profile import Profile
from operator_sdk.contract.tcec102.values import parse_time
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

MOST = 1_000_000_000_000


def instant(text: str, profile: Profile, name: str) -> datetime:
    """A business time in the partner's zone, as UTC.

    Raises:
        WireProblem: it is none, or of no age of ours.
    """
    try:
        at = parse_time(text, profile.time.zone)
    except ValueError as problem:
        raise WireProblem(Ret.BUSINESS, f"{name}: expected yyyy-MM-dd HH:mm:ss", "time") from problem
    if not 2000 <= at.year < 2200:
        raise WireProblem(Ret.BUSINESS, f"{name}: expected a time of this age", "time")
    return at


def scaled(value: Decimal, units: int, name: str, *, most: int = MOST) -> Decimal:
    """A number in smaller units: yuan in fen, kWh in Wh. Exact; nothing is rounded.

    Raises:
        WireProblem: it is below zero or beyond all measure.
    """
    if not value.is_finite() or not 0 <= value * units <= most:
        raise WireProblem(Ret.BUSINESS, f"{name}: expected a number from 0 to {most // units}", "number")
    return value * units


def checked(text: str, kind: Any, name: str) -> str:
    """An id of the hub's contract.

    Raises:
        WireProblem: it is none.
    """
    try:
        known: str = msgspec.convert(text, type=kind)
    except msgspec.ValidationError as problem:
        raise WireProblem(Ret.BUSINESS, f"{name}: expected another form of id", "id") from problem
    return known


def nearest(value: Decimal) -> int:
    """To the nearest integer, halves away from zero."""
    return whole(value, ROUND_HALF_UP)


def whole(value: Decimal, rounding: str) -> int:
    """To an integer, rounded as `decimal` calls it."""
    return int(value.to_integral_value(rounding=rounding))
