"""What the hub's staff see and do."""

from typing import Annotated, Any

from msgspec import Meta

from operator_sdk.contract.codes import Frequency, Role, TokenKind
from operator_sdk.contract.messages.common import (
    Fen,
    ForeignId,
    HubId,
    Instant,
    Message,
    Page,
    PartyId,
    Ppm,
    Text,
)


class PartyAdd(Message, frozen=True, kw_only=True):
    """A new operator. `protocol` native needs a base URL; hosted has none and lives in the hub's accounts.

    A party that speaks T/CEC 102 is added with its profile, by command; as such it is refused.
    Role and protocol `app` are a phone service's back end: it signs in and reads the public directory.
    """

    party_id: PartyId
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    roles: Annotated[list[Role], Meta(min_length=1, max_length=3)]
    protocol: Annotated[str, Meta(pattern="^(native|hosted|app|tcec102)$")]
    base_url: Annotated[str, Meta(max_length=200)] | None = None
    token_prefixes: Annotated[list[str], Meta(max_length=50)] = []
    deposit_fen: Fen = 0
    exposure_limit_fen: Fen = 0


class Party(Message, frozen=True, kw_only=True):
    """An operator on the hub."""

    party_id: PartyId
    name: str
    roles: list[str]
    protocol: str
    base_url: str | None
    created_at: Instant
    owed_fen: int | None = None
    open_limits_fen: int | None = None
    exposure_limit_fen: int | None = None


class ExposurePut(Message, frozen=True, kw_only=True):
    """What a home has deposited and up to what it may owe, open limits included."""

    deposit_fen: Fen
    exposure_limit_fen: Fen


class PartyPage(Page, frozen=True, kw_only=True):
    """A page of parties."""

    items: list[Party]


class AgreementAdd(Message, frozen=True, kw_only=True):
    """What a home and a host have agreed. The host pays `commission_ppm` of each record to the hub.

    A record's amounts may differ from the tariff's by `amount_tolerance_fen` in all; one that comes more than
    `late_days` after the charge is rejected.
    """

    home_party_id: PartyId
    host_party_id: PartyId
    commission_ppm: Ppm = 0
    hold_fen: Annotated[int, Meta(ge=100, le=10_000_000)] = 5_000
    amount_tolerance_fen: Fen = 100
    late_days: Annotated[int, Meta(ge=1, le=3_650)] = 90
    frequency: Frequency = Frequency.DAILY


class Agreement(Message, frozen=True, kw_only=True):
    """An agreement in force."""

    agreement_id: HubId
    home_party_id: PartyId
    host_party_id: PartyId
    commission_ppm: int
    hold_fen: int
    amount_tolerance_fen: int
    frequency: str
    currency: str
    late_days: int = 90


class StaffAdd(Message, frozen=True, kw_only=True):
    """A person who works for the hub's operator."""

    login: Annotated[str, Meta(pattern=r"^[a-z0-9._-]{2,40}$")]
    password: Annotated[str, Meta(min_length=12, max_length=200)]
    roles: Annotated[list[str], Meta(min_length=1, max_length=20)]


class Staff(Message, frozen=True, kw_only=True):
    """A person on the staff."""

    login: str
    roles: list[str]


class StationImport(Message, frozen=True, kw_only=True):
    """Stations as CSV text. `datum` says which system its coordinates use; `unknown` keeps them as they are."""

    party_id: PartyId
    csv: Annotated[str, Meta(max_length=8_000_000)]
    profile: Annotated[str, Meta(pattern="^(interpile|st-evcdp)$")] = "interpile"
    datum: Annotated[str, Meta(pattern="^(gcj-02|wgs-84|unknown)$")] = "gcj-02"
    tariff_id: ForeignId = "default"


class ImportProblem(Message, frozen=True, kw_only=True):
    """A row that was not loaded, by its line in the file."""

    line: int
    reason: str


class ImportReport(Message, frozen=True, kw_only=True):
    """What an import did; good rows are loaded although bad ones are not."""

    stations: int
    piles: int
    connectors: int
    created: int
    changed: int
    unchanged: int
    problems: list[ImportProblem] = []


class LedgerReport(Message, frozen=True, kw_only=True):
    """All recomputed from raw rows. `verified` is true when `problems` is empty; the first comes first.

    `sealed` counts the postings in the chain of seals, `days` the closed days.
    """

    verified: bool
    postings: int
    entries: int
    accounts: int
    sealed: int
    holds: int = 0
    days: int = 0
    problems: list[str] = []


class DeadLetter(Message, frozen=True, kw_only=True):
    """An outbox message that gave up, with its reason."""

    letter_id: HubId
    kind: str
    party_id: str | None
    subject: str
    attempts: int
    reason: str
    created_at: Instant
    dead_at: Instant


class DeadLetterPage(Page, frozen=True, kw_only=True):
    """A page of dead letters."""

    items: list[DeadLetter]


class CustomerAdd(Message, frozen=True, kw_only=True):
    """A driver of a hosted home; the phone is kept as a keyed digest only."""

    home_party_id: PartyId
    customer_ref: ForeignId
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9]{6,15}$")]
    name: Text = ""


class Customer(Message, frozen=True, kw_only=True):
    """A hosted driver and the wallet."""

    customer_id: HubId
    home_party_id: PartyId
    customer_ref: str
    balance_fen: int
    held_fen: int
    debt_fen: int


class DriverTokenAdd(Message, frozen=True, kw_only=True):
    """A card, VIN or plate of a hosted driver; kept as a keyed digest only."""

    kind: TokenKind
    ref: Annotated[str, Meta(min_length=1, max_length=64)]


class DriverTokenBlock(Message, frozen=True, kw_only=True):
    """Block or unblock a token."""

    kind: TokenKind
    ref: Annotated[str, Meta(min_length=1, max_length=64)]
    blocked: bool = True


class TopUp(Message, frozen=True, kw_only=True):
    """Money that reached the hosted operator's bank account for this driver."""

    top_up_ref: ForeignId
    amount_fen: Annotated[int, Meta(ge=1, le=100_000_000)]


class Readiness(Message, frozen=True, kw_only=True):
    """Whether the hub can work, and on what."""

    status: str
    database: str
    business_time: Instant
    checks: dict[str, Any] = {}
