"""Rules of sites: when one counts as connected, how long a command is good for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LEASE = timedelta(seconds=30)
"""A connection that its process has not renewed for this long is gone."""

ANSWER_WITHIN = timedelta(seconds=5)
"""How long a site may take to answer a command, and how long a command that must not be late is good for."""

SUPERSEDED, PROOF_WRONG = "superseded", "proof_wrong"
BAD_ITEM, BILL_REFUSED = "bad_item", "bill_refused"
CLOCK_SKEW = "clock_skew"
"""Faults that the hub sees in a site's link: two machines with one key, a wrong key, items not taken, a clock
that is off. Only the last one lasts."""

CLOCK_SLACK = timedelta(minutes=2)
"""How far a site's clock may be off. Bills that end minutes from now are refused."""

CAUGHT_UP_AFTER = timedelta(minutes=1)
"""A connection this old (wall time) has delivered what was made, and waited, before it."""

BAD_ITEMS_MOST, RAW_BYTES_MOST = 1_000, 1 << 18
"""So many refused items of each of a site's streams are kept, the newest; so much of each."""


class SiteState(StrEnum):
    """A site may connect while it is live: its key approved, and not revoked."""

    PROPOSED = "proposed"
    LIVE = "live"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Place:
    """A hosted operator's site: its name, the operator, the station it stands at."""

    site_id: str
    host_party_id: str
    station_id: str


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """What a site last said of itself; instants of business time, counts since its spool was made."""

    at: datetime
    can_frames: int
    meter_frames: int
    spool_waiting: int
    version: str


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item of a spool that cannot be taken: where it stood, what it was, why, and as it came."""

    number: int
    kind: str
    problem: str
    raw: bytes


def is_clock_off(*, ahead: timedelta, late: timedelta, is_fresh: bool) -> bool | None:
    """Whether a site's clock is off; None where nobody can know.

    `ahead`: the site's health above the hub's business clock. `late`: how long (wall time) it was under way if
    the clock is right; what is not fresh may really have been.
    """
    if ahead > CLOCK_SLACK:
        return True
    if late <= CLOCK_SLACK:
        return False
    return True if is_fresh else None


def state_of(*, public_key: str | None, revoked: bool) -> SiteState:
    """The state that a site's row says."""
    if revoked:
        return SiteState.REVOKED
    return SiteState.LIVE if public_key is not None else SiteState.PROPOSED


def is_connected(token: str | None, seen_at: datetime | None, now: datetime) -> bool:
    """Whether some process holds the site's connection now (wall time)."""
    return token is not None and seen_at is not None and now - seen_at < LEASE
