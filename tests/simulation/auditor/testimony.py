"""What partners and the bank say, from their own books: plain numbers and words, nothing of the hub's."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PeriodSaid:
    """A stretch of the day, in minutes, with its prices in micro-yuan per kWh."""

    start_minute: int
    end_minute: int
    electricity_micro: int
    service_micro: int


@dataclass(frozen=True, slots=True)
class TimeFeeSaid:
    """A fee for time, in micro-yuan per hour."""

    price_micro: int
    free_minutes: int
    cap_fen: int | None


@dataclass(frozen=True, slots=True)
class TariffSaid:
    """A version of a tariff as its host published it; the day begins at `offset_minutes` from UTC."""

    periods: tuple[PeriodSaid, ...]
    offset_minutes: int
    parking: TimeFeeSaid | None
    idle: TimeFeeSaid | None


@dataclass(frozen=True, slots=True)
class BillSaid:
    """A bill as its host sent it, and what the hub answered."""

    host: str
    record_ref: str
    session_id: str
    tariff: tuple[str, int]
    started_us: int
    ended_us: int
    left_us: int | None
    energy_wh: int
    amount_fen: int
    limit_fen: int | None
    right: bool
    record_id: str
    state: str
    owed_fen: int


@dataclass(frozen=True, slots=True)
class MovementSaid:
    """Money that the bank moved, under its own number: into the settlement account, or (negative) out of it."""

    ref: str
    party_id: str
    amount_fen: int
    deposit: bool


@dataclass(slots=True)
class Testimony:
    """Everything outside the hub."""

    tariffs: dict[tuple[str, str, int], TariffSaid] = field(default_factory=dict)
    bills: list[BillSaid] = field(default_factory=list)
    by_hand: set[str] = field(default_factory=set)
    """Suspended records that people accepted."""
    acknowledged: dict[str, list[tuple[int, str, int, int]]] = field(default_factory=dict)
    """Updates by session: number, state, energy_wh, amount_fen."""
    commission_ppm: dict[tuple[str, str], int] = field(default_factory=dict)
    frequencies: dict[tuple[str, str], str] = field(default_factory=dict)
    """By home and host."""
    home_owes: dict[str, dict[str, int]] = field(default_factory=dict)
    """What each native home has accepted to owe, by record; a credit counts negative."""
    home_refuses: dict[str, set[str]] = field(default_factory=dict)
    still_held: dict[str, list[str]] = field(default_factory=dict)
    """Sessions for which a native home still holds money."""
    flowed: dict[str, bool] = field(default_factory=dict)
    """Whether current ever flowed, by session; only those of hosts that do not lie."""
    topped_up: dict[str, int] = field(default_factory=dict)
    """Into the wallets of hosted customers, by customer."""
    movements: list[MovementSaid] = field(default_factory=list)
    statements: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """Papers as operators got them, by (cycle, party): signed fen by obligation."""
