"""JSON as partners send it: exact numbers, trailing commas forgiven, everything bounded."""

import re
from decimal import Decimal
from typing import Any

import msgspec

_LONGEST_NUMBER = 40
_BOM = b"\xef\xbb\xbf"

# A string (also one that never ends, so that each byte is looked at once), or a comma before a closing bracket.
_STRING_OR_COMMA = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|,(?=\s*+[}\]])', re.DOTALL)


class NotJson(ValueError):
    """The bytes are no JSON that can be read; the text says why and holds nothing of them."""


def parse(body: bytes) -> tuple[Any, frozenset[str]]:
    """The value, numbers with a point or an exponent as `Decimal`, and what was forgiven.

    Raises:
        NotJson: not JSON, not UTF-8, too deep, or a number beyond reason.
    """
    try:
        return _DECODER.decode(body), frozenset()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _parse_repaired(body)


def _parse_repaired(body: bytes) -> tuple[Any, frozenset[str]]:
    forgiven = set()
    if body.startswith(_BOM):
        body = body.removeprefix(_BOM)
        forgiven.add("byte_order_mark")
    repaired = _STRING_OR_COMMA.sub(lambda found: b"" if found[0] == b"," else found[0], body)
    if len(repaired) != len(body):
        forgiven.add("trailing_comma")
    try:
        return _DECODER.decode(repaired), frozenset(forgiven)
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except UnicodeDecodeError:
        raise NotJson("not UTF-8") from None
    except (msgspec.MsgspecError, ValueError) as problem:
        # It says which kind of trouble and at which byte, never the bytes themselves.
        raise NotJson(str(problem).partition(" - at ")[0]) from None


def _exact(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return Decimal(text)


_DECODER = msgspec.json.Decoder(float_hook=_exact)
