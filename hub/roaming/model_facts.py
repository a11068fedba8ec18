"""What is known around a record when it is judged: collected once, so that every rule is a pure function.

Durations are timedelta, distances whole metres, energy Wh, money fen, shares ppm (parts per million).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.records import ChargeRecord, CreditRecord, UnmatchedRecord

AnyRecord = ChargeRecord | UnmatchedRecord | CreditRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the rules compare with: data, so that another market may have other numbers."""

    clock_slack: timedelta = timedelta(minutes=5)
    meter_slack_wh: int = 10
    meter_slack_ppm: int = 1_000
    power_most_ppm: int = 1_050_000
    span_ac: timedelta = timedelta(hours=48)
    span_dc: timedelta = timedelta(hours=12)
    span_most: timedelta = timedelta(days=7)
    car_wh: int = 200_000
    truck_wh: int = 600_000
    truck_from_w: int = 250_000
    blink: timedelta = timedelta(seconds=60)
    blink_wh: int = 1_000
    late_warn: timedelta = timedelta(hours=24)
    late_suspend: timedelta = timedelta(days=7)
    live_ppm: int = 20_000
    travel_m_per_h: int = 150_000
    travel_from_m: int = 5_000


LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What home and host have agreed: how far amounts may differ in all, and how late a bill may come."""

    tolerance_fen: int
    late_most: timedelta
    currency: str = "CNY"


STRANGERS = Terms(tolerance_fen=0, late_most=timedelta(days=90))
"""Between parties that have no agreement, and within one party."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """The session a record names, and the authorization it was opened with.

    `authorized_at` is None where nothing was ever granted; `released_at` is when an authorization ended without
    a bill; `blocked_at` is when the home said of the same token, after that, that it is blocked.
    """

    host_party_id: str
    home_party_id: str
    token_party_id: str | None
    connector_id: str
    limit_fen: int | None = None
    authorized_at: datetime | None = None
    released_at: datetime | None = None
    blocked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorFacts:
    """The connector a record names. `rated_power_w` 0: not known. Instants are None where nobody noted them."""

    kind: str
    rated_power_w: int
    station_id: str
    created_at: datetime | None = None
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Another charge of the same driver; `distance_m` None where one of the places is not known.

    `connector` is None where it is not the sender's own: then who hears of it may not know which.
    """

    connector: str | None
    started_at: datetime
    ended_at: datetime
    distance_m: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFacts:
    """The last live update of the session: energy since its start, and whether the charge was over then."""

    energy_wh: int
    at: datetime
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The record that a credit names."""

    host_party_id: str
    kind: str
    state: str
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a rule may look at beside the record itself.

    `sender` is the authenticated party. `said_before` is None for a new id, True where the same id came with
    this very body, False where it came with another. `tariff` is the version in force at the start of the
    session, published at `published_at`; `opened_at` is when the hub opened the session. `stands` means that
    the session has a record already; `meter_end_wh` is the connector's last known reading before this charge;
    `overlapping` names a charge that the same connector billed for part of this time. `readings_due`: the
    sender's protocol tells meter readings, so that no bill of its own is without them.
    """

    sender: str
    now: datetime
    said_before: bool | None = None
    session: SessionFacts | None = None
    opened_at: datetime | None = None
    connector: ConnectorFacts | None = None
    terms: Terms = STRANGERS
    tariff: Tariff | None = None
    published_at: datetime | None = None
    stands: bool = False
    meter_end_wh: int | None = None
    overlapping: str | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    live: LiveFacts | None = None
    original: Original | None = None
    auto_accept: bool = True
    readings_due: bool = True
    limits: Limits = LIMITS
