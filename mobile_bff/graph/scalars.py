"""Scalars: money and energy beyond 32 bits, instants, and enums beside the text they came from."""

import re
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from operator_sdk.contract.codes import (
    Band,
    ConnectorState,
    FaultKind,
    FaultState,
    OrderState,
    RecordState,
    SessionState,
    StartMode,
    StopReason,
    TargetKind,
)

__all__ = [
    "SCALARS",
    "Band",
    "ConnectorState",
    "FaultKind",
    "FaultState",
    "Fen",
    "OrderState",
    "PileKind",
    "RecordState",
    "SessionState",
    "StartMode",
    "StopReason",
    "TargetKind",
    "Wh",
    "instant_text",
    "known",
]

Fen = NewType("Fen", int)
Wh = NewType("Wh", int)

MOST = 1_000_000_000_000
"""The contract's bound of money and energy, exact in every JSON reader."""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)


def _whole(name: str, least: int) -> Any:
    def parse(value: object) -> int:
        # JSON's true is no number, and 1.0 no whole one: neither was meant as money.
        if type(value) is not int or not least <= value <= MOST:
            raise GraphQLError(f"{name} must be a whole number from {least} to {MOST}")
        return value

    return parse


def instant_text(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _instant(value: object) -> datetime:
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise GraphQLError("DateTime must be an RFC 3339 instant with its zone")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise GraphQLError("DateTime must be an RFC 3339 instant with its zone") from None


SCALARS: dict[object, ScalarDefinition] = {
    Fen: strawberry.scalar(
        name="Fen", description="Money: whole fen, a number beyond 32 bits.", parse_value=_whole("Fen", -MOST)
    ),
    Wh: strawberry.scalar(
        name="Wh", description="Energy: whole watt hours, a number beyond 32 bits.", parse_value=_whole("Wh", 0)
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant: RFC 3339, UTC, milliseconds.",
        serialize=instant_text,
        parse_value=_instant,
    ),
}

_DESCRIBED: dict[type[Enum], str] = {
    SessionState: "A charge while it runs.",
    RecordState: "A bill at the hub.",
    ConnectorState: "What a plug is doing now.",
    Band: "The time-of-use bands of the day.",
    StopReason: "Why a charge ended.",
    StartMode: "Who began the charge.",
    TargetKind: "Where a charge is meant to end.",
    FaultKind: "What is wrong with a connector.",
    FaultState: "What came of a fault report.",
    OrderState: "The work order a fault became a part of.",
}
for _kind, _text in _DESCRIBED.items():
    strawberry.enum(_kind, description=_text)


@strawberry.enum(description="Alternating or direct current.")
class PileKind(Enum):
    AC = "ac"
    DC = "dc"


Member = TypeVar("Member", bound=Enum)


def known(kind: type[Member], text: str | None) -> Member | None:
    """The member, or None for a value newer than this version: then its text stands beside."""
    try:
        return kind(text)
    except ValueError:
        return None
