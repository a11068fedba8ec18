"""What reading and writing know of each message type, worked out once from its definition."""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from msgspec import inspect

from operator_sdk.contract.tcec102.aliases import ALIASES
from operator_sdk.contract.tcec102.messages_base import Part

TEXT, WHOLE, NUMBER, OBJECT = "text", "whole", "number", "object"
_LONGEST_ID = 64

_SANE: dict[str, tuple[int, int]] = {
    "money": (0, 1_000_000_000),
    "energy": (0, 1_000_000_000),
    "price": (0, 1_000),
    "tenths": (0, 1_000_000_000),
    "degrees": (-180, 180),
    "measure": (-1_000_000, 1_000_000),
}
"""The least and the most of each kind of number, far beyond any honest value."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `kind` says how it is read, `unit` how many decimals are written."""

    attribute: str
    name: str
    required: bool
    optional: bool
    many: bool
    unit: str
    kind: str = TEXT
    part: type[Part] | None = None
    pattern: re.Pattern[str] | None = None
    longest: int = 4000
    least: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a type, by the standard's name and by every other spelling in lower case."""

    fields: tuple[Field, ...]
    by_name: dict[str, Field]
    by_spelling: dict[str, Field]
    required: frozenset[str]


@cache
def shape(kind: type[Part]) -> Shape:
    """The fields of a message type, without `extra`."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    fields = tuple(_field(one) for one in described.fields if one.name != "extra")
    by_name = {field.name: field for field in fields}
    by_spelling = {field.name.lower(): field for field in fields}
    for field in fields:
        for spelling in _spellings(field):
            by_spelling.setdefault(spelling.lower(), field)
    required = frozenset(field.name for field in fields if field.required)
    return Shape(fields, by_name, by_spelling, required)


def _spellings(field: Field) -> tuple[str, ...]:
    if field.many:
        return (*ALIASES.get(field.name, ()), field.name.removesuffix("s"))
    if field.kind == OBJECT:
        return (f"{field.name}s", *ALIASES.get(field.name, ()))
    return ALIASES.get(field.name, ())


def _field(described: inspect.Field) -> Field:
    kind, optional = _without_none(described.type)
    many = isinstance(kind, inspect.ListType)
    if isinstance(kind, inspect.ListType):
        kind = kind.item_type
    unit = ""
    if isinstance(kind, inspect.Metadata):
        unit = str((kind.extra or {}).get("kind", ""))
        kind = kind.type
    field = Field(
        attribute=described.name,
        name=described.encode_name,
        required=described.required,
        optional=optional,
        many=many,
        unit=unit,
    )
    return replace(field, **_of_kind(kind, unit))


def _of_kind(kind: inspect.Type, unit: str) -> dict[str, Any]:
    match kind:
        case inspect.StrType(max_length=longest, pattern=pattern):
            compiled = re.compile(pattern) if pattern else None
            return {"kind": TEXT, "pattern": compiled, "longest": longest or _LONGEST_ID}
        case inspect.IntType(ge=least, le=most):
            return {"kind": WHOLE, "least": least, "most": most}
        case inspect.DecimalType():
            least, most = _SANE[unit]
            return {"kind": NUMBER, "least": least, "most": most}
        case inspect.StructType(cls=part):
            return {"kind": OBJECT, "part": part}
    raise TypeError(f"a message cannot have a field of {kind}")


def _without_none(kind: inspect.Type) -> tuple[inspect.Type, bool]:
    if isinstance(kind, inspect.UnionType):
        (only,) = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return only, True
    return kind, False
