"""When a cycle is cut off, proposed and fixed, in the hub's zone. All of it is business time."""

from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from hub.core.clock import ZONE
from operator_sdk.contract.codes import Frequency

PROPOSED_AT = timedelta(hours=4)
DISPUTES_UNTIL = timedelta(hours=14)
FIXED_AT = timedelta(hours=14, minutes=5)
WINDOW_LEAST = timedelta(hours=8)
"""Silence is consent only of those who had time to speak: a cycle proposed late waits for the next day."""


class Window(NamedTuple):
    """Until when a proposed cycle may be disputed, and when it is fixed."""

    disputes_until: datetime
    fixed_at: datetime


def day_start(at: datetime) -> datetime:
    """The midnight with which the local day of an instant began."""
    local = at + ZONE
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - ZONE


def period_start(at: datetime, frequency: Frequency) -> datetime:
    """The midnight with which the day, the week (Monday) or the month (the 1st) of an instant began."""
    start = day_start(at)
    local = start + ZONE
    match frequency:
        case Frequency.DAILY:
            return start
        case Frequency.WEEKLY:
            return start - timedelta(days=local.weekday())
        case Frequency.MONTHLY:
            return start - timedelta(days=local.day - 1)
        case _:
            assert_never(frequency)


def next_cutoff(at: datetime, frequency: Frequency) -> datetime:
    """The first midnight after an instant that begins a day, a week or a month."""
    start = period_start(at, frequency)
    match frequency:
        case Frequency.DAILY:
            return start + timedelta(days=1)
        case Frequency.WEEKLY:
            return start + timedelta(days=7)
        case Frequency.MONTHLY:
            # No month is longer than 31 days, and none is shorter than 28.
            return period_start(start + timedelta(days=31), frequency)
        case _:
            assert_never(frequency)


def proposal_at(cutoff_at: datetime) -> datetime:
    """The first 04:00 at or after the cut-off."""
    due = day_start(cutoff_at) + PROPOSED_AT
    return due if due >= cutoff_at else due + timedelta(days=1)


def dispute_window(proposed_at: datetime) -> Window:
    """Until 14:00, fixed at 14:05 of the day of the proposal, or of the next when that is too soon."""
    day = day_start(proposed_at)
    if day + DISPUTES_UNTIL - proposed_at < WINDOW_LEAST:
        day += timedelta(days=1)
    return Window(day + DISPUTES_UNTIL, day + FIXED_AT)


def fixing_at(disputes_until: datetime) -> datetime:
    """When a cycle is fixed, given until when it may be disputed."""
    return disputes_until + (FIXED_AT - DISPUTES_UNTIL)
