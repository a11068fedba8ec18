"""The caller's language, and the words for a code: the public table first, then what only this service says."""

import re
from enum import StrEnum

from operator_sdk.contract.public_codes import PUBLIC_CODES, Code


class Locale(StrEnum):
    """The languages there are."""

    ZH = "zh"
    EN = "en"


TOO_DEEP, TOO_WIDE, TOO_LONG = "too_deep", "too_wide", "too_long"
TOO_MANY_ALIASES, NOT_GRAPHQL = "too_many_aliases", "not_graphql"
NO_INTROSPECTION = "no_introspection"

OWN_WORDS: dict[str, tuple[str, str]] = {
    TOO_DEEP: ("查询嵌套过深", "The document is nested too deeply."),
    TOO_WIDE: ("查询范围过大", "The document asks for too much at once."),
    TOO_LONG: ("查询过长", "The document is too long."),
    TOO_MANY_ALIASES: ("查询别名过多", "The document has too many aliases."),
    NO_INTROSPECTION: ("此处不提供接口描述", "The schema is not described here."),
    NOT_GRAPHQL: ("不是 GraphQL 请求", "This is not a GraphQL request."),
}
"""Chinese and English of the codes that never leave this service."""

_PREFERENCE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,30})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*\Z")
HEADER_MOST = 200


def locale_of(wanted: object) -> Locale:
    """The best of an Accept-Language header or a bare language tag (RFC 9110 section 12.5.4); else Chinese."""
    text = wanted[:HEADER_MOST] if isinstance(wanted, str) else ""
    best, best_milli = Locale.ZH, 0
    for part in text.split(","):
        match = _PREFERENCE.match(part)
        if match is None or match[1].lower() not in set(Locale):
            continue
        milli = _milli(match[2])
        if milli > best_milli:
            best, best_milli = Locale(match[1].lower()), milli
    return best


def _milli(quality: str | None) -> int:
    """A quality of at most three decimals, in thousandths; 1 where none is given."""
    if quality is None:
        return 1000
    whole, _, part = quality.partition(".")
    return int(whole) * 1000 + int(part.ljust(3, "0"))


def word_of(code: str, locale: Locale) -> str:
    """What a person reads for a code; an unknown one is read as a refusal."""
    if code in OWN_WORDS:
        return OWN_WORDS[code][locale is Locale.EN]
    try:
        meaning = PUBLIC_CODES[Code(code)]
    except ValueError:
        meaning = PUBLIC_CODES[Code.RULE_VIOLATED]
    return meaning.en if locale is Locale.EN else meaning.zh
