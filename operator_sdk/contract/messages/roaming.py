"""Authorizations, sessions and their live updates.

A message that changes something carries its sender's id (`..._ref`): the same id with the same body gets the
stored answer, with another body 422 `id_reused`. Session updates are numbered by the pile's side.
"""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.codes import AuthorizationState, SessionState
from operator_sdk.contract.messages.common import (
    ConnectorId,
    ConnectorRef,
    Fen,
    ForeignId,
    HubId,
    Instant,
    Message,
    Number,
    Page,
    PartyId,
    QrTail,
    Target,
    Text,
    Token,
    Watt,
    Wh,
    Word,
)
from operator_sdk.contract.messages.directory import Tariff


class AuthorizeRequest(Message, frozen=True, kw_only=True):
    """Host to hub: a token was shown at this host's connector (host-initiated)."""

    authorization_ref: ForeignId
    token: Token
    connector_id: ConnectorId
    target: Target = Target()


class Authorization(Message, frozen=True, kw_only=True):
    """Hub to host: the decision. `token_ref` is the driver's pseudonym for this pair of operators.

    When granted, the host starts by itself, stops at `limit_fen` and sends updates under `session_id`.
    """

    authorization_id: HubId
    authorization_ref: str
    state: str
    session_id: str | None = None
    refusal: str | None = None
    limit_fen: Fen | None = None
    token_ref: str | None = None
    tariff: Tariff | None = None


class HomeAuthorizeRequest(Message, frozen=True, kw_only=True):
    """Hub to home: may this token of yours charge there? `authorization_id` is the id to hold against."""

    authorization_id: HubId
    session_id: HubId
    token: Token
    host_party_id: PartyId
    connector: ConnectorRef
    tariff: Tariff
    target: Target
    hold_fen: Fen


class HomeAuthorization(Message, frozen=True, kw_only=True):
    """Home to hub: granted up to `limit_fen` (null: no limit of the home's own) or refused with a reason.

    `subject` is the home's own id of the driver, so that the driver's phone finds a charge begun by card.
    """

    state: AuthorizationState
    refusal: Word | None = None
    limit_fen: Fen | None = None
    home_ref: ForeignId | None = None
    subject: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class ReleaseRequest(Message, frozen=True, kw_only=True):
    """Give back what an authorization held. Releasing an unknown id succeeds and burns it.

    `home_ref` is the home's own number (its `start_ref` when it began the charge).
    """

    authorization_id: HubId
    reason: Word
    home_ref: ForeignId | None = None


class ReleaseReply(Message, frozen=True, kw_only=True):
    """The authorization is released (or was consumed by a record, and then stays so)."""

    authorization_id: HubId
    state: str


class StartRequest(Message, frozen=True, kw_only=True):
    """Home to hub: start at that connector for a driver of mine, authorized by me (home-initiated).

    `qr_tail` is what the scanned `hlht://` code has after its slash; some hosts' piles need it. It is handed on
    and not kept: a repeat with another tail is the same start, and the first one's tail is what was told.
    """

    start_ref: ForeignId
    token: Token
    connector: ConnectorRef
    limit_fen: Fen | None = None
    target: Target = Target()
    qr_tail: QrTail | None = None


class HostStartRequest(Message, frozen=True, kw_only=True):
    """Hub to host: start. The host stops at `limit_fen`; `token_ref` is a pseudonym.

    `host_ref` is the number that the hub has given the charge in the host's name. Only links whose protocol has
    the caller number a charge need it; a host on this API numbers its charges itself, and never gets one.
    `qr_tail` is what the driver's code had after its slash, where the home or a scan has told it.
    """

    session_id: HubId
    authorization_id: HubId
    connector_id: ConnectorId
    home_party_id: PartyId
    token_ref: str
    start_mode: str
    tariff_id: ForeignId
    tariff_version: Number
    limit_fen: Fen | None
    target: Target
    host_ref: ForeignId | None = None
    qr_tail: QrTail | None = None


class HostStartReply(Message, frozen=True, kw_only=True):
    """Host to hub, within 5 s: taken up (the first update follows within 60 s) or refused with a reason."""

    accepted: bool
    refusal: Word | None = None
    host_ref: ForeignId | None = None


class StopRequest(Message, frozen=True, kw_only=True):
    """Stop this session. Home to hub, driver to hub, hub to host."""

    stop_ref: ForeignId
    reason: Word = "driver_remote"


class StopReply(Message, frozen=True, kw_only=True):
    """The session's state once the stop is on its way; `ended` confirms that no energy flows."""

    session_id: HubId
    state: str


class SessionRelease(Message, frozen=True, kw_only=True):
    """Staff: no bill of this session stands or is to be expected; let go what its authorization holds."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class SessionReleased(Message, frozen=True, kw_only=True):
    """Where a release stands. `decided_by` null: it is about much, and a second person must say the same."""

    session_id: HubId
    state: str
    authorization_id: HubId
    authorization_state: str
    reason: str
    proposed_by: str
    decided_by: str | None


class SessionUpdate(Message, frozen=True, kw_only=True):
    """Host to hub: update `number` of a session (1, 2, 3 ... in the order the pile's side made them).

    `energy_wh` and `amount_fen` count from the session's start; `meter_wh` is the meter's cumulative reading.
    `state` is one of charging, paused, stopping, ended, start_failed. A number already stored is acknowledged
    and nothing is written.
    """

    number: Number
    at: Instant
    state: SessionState
    meter_wh: Wh
    energy_wh: Wh
    amount_fen: Fen
    power_w: Watt
    soc_percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    stop_reason: Word | None = None
    host_ref: ForeignId | None = None


class UpdateReply(Message, frozen=True, kw_only=True):
    """Stored: everything up to and including `number` of this call is durable at the hub."""

    session_id: HubId
    number: Number
    state: str


class SessionProgress(Message, frozen=True, kw_only=True):
    """Hub to home and to drivers: an update with progress. `percent` and `seconds_left` may be null."""

    session_id: HubId
    number: Number
    at: Instant
    state: str
    energy_wh: int
    amount_fen: int
    power_w: int
    percent: int | None
    seconds_left: int | None
    soc_percent: int | None = None
    stop_reason: str | None = None


class HostSession(Message, frozen=True, kw_only=True):
    """Host to hub, when asked: the session as the host knows it. `known` false: it never started there.

    `update` is the newest update that the host has made, whether it was pushed or not: the hub takes it as if
    it had just come.
    """

    known: bool
    state: SessionState = SessionState.UNKNOWN
    last_number: Annotated[int, Meta(ge=0)] = 0
    energy_wh: Wh = 0
    stop_reason: Word | None = None
    update: SessionUpdate | None = None


class Session(Message, frozen=True, kw_only=True):
    """A session as the caller may see it: `ref` is the caller's own number for it.

    Hosts do not see the home's limit beyond what they must stop at; homes do not see the host's costs.
    """

    session_id: HubId
    start_mode: str
    state: str
    home_party_id: PartyId
    host_party_id: PartyId
    connector: ConnectorRef
    target: Target
    energy_wh: int
    amount_fen: int
    power_w: int
    last_number: int
    created_at: Instant
    updated_at: Instant
    ref: str | None = None
    authorization_id: str | None = None
    token_ref: str | None = None
    limit_fen: int | None = None
    tariff_id: str | None = None
    tariff_version: int | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    percent: int | None = None
    seconds_left: int | None = None
    stop_reason: str | None = None
    refusal: str | None = None


class SessionPage(Page, frozen=True, kw_only=True):
    """A page of sessions, oldest change first."""

    items: list[Session]


class ScanRequest(Message, frozen=True, kw_only=True):
    """Driver to hub: what was scanned or typed: a signed URL, an hlht:// code or `connector_id.party_id`.

    What an hlht:// code has after its slash is kept with the scan and handed on to the host at the start.
    """

    code: Annotated[str, Meta(min_length=1, max_length=500)]


class Scan(Message, frozen=True, kw_only=True):
    """Single use, two minutes, for this driver, connector, tariff version and hold amount."""

    scan_id: HubId
    connector: ConnectorRef
    station_name: str
    address: str
    kind: str
    rated_power_w: int
    state: str
    tariff: Tariff
    hold_fen: Fen
    expires_at: Instant


class StartChargingRequest(Message, frozen=True, kw_only=True):
    """Driver to hub: start what was scanned (hub-initiated)."""

    request_ref: ForeignId
    scan_id: HubId
    target: Target = Target()


class DriverAccountRequest(Message, frozen=True, kw_only=True):
    """Hub to home: what this driver's account says."""

    token: Token


class DriverAccount(Message, frozen=True, kw_only=True):
    """Balance and open holds where the home can say."""

    home_party_id: PartyId
    balance_fen: int | None = None
    held_fen: int | None = None
    debt_fen: int | None = None
    name: Text = ""


class CheckConnectorRequest(Message, frozen=True, kw_only=True):
    """Hub to host: could a charge start at this connector now?"""

    connector_id: ConnectorId


class CheckConnectorReply(Message, frozen=True, kw_only=True):
    """The connector's state as its host sees it."""

    state: str
    at: Instant
