"""When a cycle is cut off, proposed and fixed, in the hub's zone. All of it is business time."""

from datetime import datetime, timedelta
from typing import NamedTuple

from hub.core.clock import ZONE

DAILY = "daily"
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


def next_midnight(at: datetime) -> datetime:
    """The first local midnight after an instant."""
    return day_start(at) + timedelta(days=1)


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
