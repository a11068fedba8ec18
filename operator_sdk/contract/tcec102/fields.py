"""What reading and writing know of each message type, worked out once from its definition."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any

from msgspec import inspect

from operator_sdk.contract.tcec102.aliases import ALIASES
from operator_sdk.contract.tcec102.messages_base import Part

TEXT, WHOLE, NUMBER, OBJECT = "text", "whole", "number", "object"
_LONGEST_ID = 64
_MOST_EXPONENT = 30

_SANE: dict[str, tuple[int, int]] = {
    "money": (0, 1_000_000_000),
    "energy": (0, 1_000_000_000),
    "price": (0, 1_000),
    "tenths": (0, 1_000_000_000),
    "degrees": (-180, 180),
    "measure": (-1_000_000, 1_000_000),
}
"""The least and the most of each kind of number, far beyond any honest value."""


Plain = Callable[[Any], Any]


def is_sane(number: Decimal) -> bool:
    """Whether arithmetic with it takes no time that anybody notices."""
    return -_MOST_EXPONENT <= number.adjusted() <= _MOST_EXPONENT


def _no_part(_: Any) -> None:
    """A part is read field by field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `kind` says how it is read, `unit` how many decimals are written.

    `plain` gives the value (of a list, one value) that is written as the standard has it, None for all else.
    """

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
    plain: Plain = _no_part


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
    field = replace(field, **_of_kind(kind, unit))
    return replace(field, plain=_plain_of(field))


def _plain_of(field: Field) -> Plain:
    match field.kind:
        case "text":
            return _plain_text(field.longest, field.pattern)
        case "whole":
            return _plain_whole(field.least, field.most)
        case "number":
            return _plain_number(field.least, field.most)
    return _no_part


def _plain_text(longest: int, pattern: re.Pattern[str] | None) -> Plain:
    fits = pattern.fullmatch if pattern is not None else None

    def plain(given: Any) -> str | None:
        if type(given) is not str or len(given) > longest or "\0" in given:
            return None
        return given if fits is None or fits(given) else None

    return plain


def _plain_whole(least: int, most: int) -> Plain:
    def plain(given: Any) -> int | None:
        return given if type(given) is int and least <= given <= most else None

    return plain


def _plain_number(least: int, most: int) -> Plain:
    low, high = Decimal(least), Decimal(most)

    def plain(given: Any) -> Decimal | None:
        if type(given) is int:
            # Compared first: Decimal of a very long integer takes time that grows with its square.
            return Decimal(given) if least <= given <= most else None
        return given if type(given) is Decimal and is_sane(given) and low <= given <= high else None

    return plain


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
