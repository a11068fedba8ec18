"""Field types and small messages that the others share.

Instants are aware, UTC on the wire (RFC 3339 `Z`) and cut to milliseconds by whoever makes them.
Energy is integer Wh, power integer W, money integer fen, prices integer micro-yuan per kWh.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from operator_sdk.contract.codes import TargetKind, TokenKind

PartyId = Annotated[str, Meta(pattern=r"^[0-9A-Z]{9}$", description="9-character organisation code")]
ConnectorId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,26}$")]
ConnectorRef = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9]{1,26}\.[0-9A-Z]{9}$", description="{connector_id}.{party_id}")
]
ForeignId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="an id its sender made")]
HubId = Annotated[str, Meta(pattern=r"^[a-z]{2,3}_[0-9a-f-]{36}$", description="prefix + UUIDv7")]
Instant = Annotated[datetime, Meta(tz=True)]
Fen = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
SignedFen = Annotated[int, Meta(ge=-1_000_000_000_000, le=1_000_000_000_000)]
Wh = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
Watt = Annotated[int, Meta(ge=0, le=100_000_000)]
PriceMicro = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Ppm = Annotated[int, Meta(ge=0, le=1_000_000)]
Number = Annotated[int, Meta(ge=1, le=2_000_000_000)]
Text = Annotated[str, Meta(max_length=200)]
QrTail = Annotated[
    str, Meta(max_length=4000, description="what follows the slash of an hlht:// code: the host's own")
]
Word = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[a-z0-9_]+$")]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The base of everything on the wire."""


class Token(Message, frozen=True, kw_only=True):
    """What the driver shows to be known by; `ref` is a card number, user id, VIN or plate."""

    kind: TokenKind
    ref: Annotated[str, Meta(min_length=1, max_length=64)]


class Target(Message, frozen=True, kw_only=True):
    """Where a charge is meant to end: `value` is Wh, fen or seconds; 0 for full."""

    kind: TargetKind = TargetKind.FULL
    value: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0


class BillLine(Message, frozen=True, kw_only=True):
    """One stretch of one tariff period of a bill."""

    start: Instant
    end: Instant
    energy_wh: Wh
    electricity_micro: PriceMicro
    service_micro: PriceMicro
    electricity_fen: Fen
    service_fen: Fen


class FeeLine(Message, frozen=True, kw_only=True):
    """Money for time: parking or idle, from the end of the free minutes; at most the tariff's cap."""

    kind: Annotated[str, Meta(pattern="^(parking|idle)$")]
    start: Instant
    end: Instant
    price_micro_per_hour: PriceMicro
    amount_fen: Fen


class Empty(Message, frozen=True, kw_only=True):
    """Nothing to say."""


class ErrorBody(Message, frozen=True, kw_only=True):
    """The one error body. `code` is a public code; `details` never holds secrets or personal data."""

    code: str
    message: str
    request_id: str
    details: dict[str, Any] = {}


class ListQuery(Message, frozen=True, kw_only=True):
    """How a list is read: `oldest` change first, to follow what changes, or `newest` first, to look at."""

    order: Annotated[str, Meta(pattern="^(oldest|newest)$")] = "oldest"


class Page(Message, frozen=True, kw_only=True):
    """What every list reply ends with: `next_after` is the opaque keyset cursor, null on the last page."""

    next_after: str | None = None
