"""Writes business objects strictly to a partner's profile: its spelling, case and decimals."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache
from typing import Any

import msgspec

from operator_sdk.contract.tcec102 import fields as f
from operator_sdk.contract.tcec102.messages_base import Part
from operator_sdk.contract.tcec102.profile import Numbers, Profile, Spelling

_TENTHS, _MICRO, _HUNDREDTHS = 1, 6, 2
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def write(message: Part, profile: Profile) -> bytes:
    """The message as JSON. What is None, or an empty optional list, is left out; numbers are rounded half up.

    Raises:
        ValueError: a number is not finite or has more digits than anything sane (a fault of the caller).
    """
    return _ENCODER.encode(_object(message, profile))


def _object(part: Part, profile: Profile) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for field, name in _names(type(part), profile.spelling):
        value = getattr(part, field.attribute)
        if value is None or (value == [] and not field.required):
            continue
        if field.many:
            written[name] = [_value(field, one, profile) for one in value]
        else:
            written[name] = _value(field, value, profile)
    for name, value in part.extra.items():
        written.setdefault(name, value)
    return written


def _value(field: f.Field, value: Any, profile: Profile) -> Any:
    if field.kind == f.OBJECT:
        return _object(value, profile)
    if field.kind == f.TEXT:
        return value
    if field.kind == f.NUMBER:
        value = _rounded(value, _decimals(field.unit, profile.numbers))
    return _text(value) if profile.numbers.as_strings else value


def _text(number: Any) -> str:
    return f"{number:f}" if isinstance(number, Decimal) else str(number)


def _rounded(number: Decimal, decimals: int) -> Decimal:
    if not number.is_finite():
        raise ValueError("a finite number is expected")
    try:
        return number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise ValueError("a number of at most 28 digits is expected") from None


def _decimals(unit: str, numbers: Numbers) -> int:
    own = {"money": numbers.money_decimals, "energy": numbers.energy_decimals, "price": numbers.price_decimals}
    fixed = {"tenths": _TENTHS, "degrees": _MICRO, "measure": _HUNDREDTHS}
    return own[unit] if unit in own else fixed[unit]


@cache
def _names(kind: type[Part], spelling: Spelling) -> tuple[tuple[f.Field, str], ...]:
    return tuple((field, spelled(field.name, spelling)) for field in f.shape(kind).fields)


def spelled(name: str, spelling: Spelling) -> str:
    """A standard field name as the partner writes it."""
    if spelling.service == "Service":
        name = name.replace("Sevice", "Service")
    if name == "QRCode":
        return "qrCode" if spelling.case == "lower_camel" else spelling.qr_code
    return name[:1].lower() + name[1:] if spelling.case == "lower_camel" else name
