"""Reads business objects with tolerance: any case, the alias table, numbers as text, lists in other forms.

What was forgiven comes back as short words (`case:ConnectorID`, `alias:SeviceMoney`, `text_number:Status`),
built of the standard's names only, so that they can be counted. Problems name the field and what is expected,
never a value.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from operator_sdk.contract.tcec102 import fields as f
from operator_sdk.contract.tcec102.interfaces import INTERFACES, Interface
from operator_sdk.contract.tcec102.loose_json import NotJson, parse
from operator_sdk.contract.tcec102.messages import ConnectorStatusInfo
from operator_sdk.contract.tcec102.messages_base import Part
from operator_sdk.contract.tcec102.problems import Ret, WireProblem

M = TypeVar("M", bound=Part)

_NUMBER_TEXT = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?")
_DEEPEST_EXTRA = 20


class _Wrong(Exception):
    """A field that cannot be read: its path below the place where this is caught, and what is expected."""

    def __init__(self, expected: str, path: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.path = path


def read(kind: type[M], plain: bytes) -> tuple[M, frozenset[str]]:
    """The message in `plain`, and what was forgiven.

    Raises:
        WireProblem: BUSINESS (4004): no JSON object, or a field is missing, of a wrong type or beyond reason.
    """
    return _read(kind, *_object(plain))


def read_request(interface: Interface, plain: bytes) -> tuple[Any, frozenset[str]]:
    """The request of an interface, and what was forgiven.

    Raises:
        WireProblem: BUSINESS (4004): as `read`, or the fields are another interface's (see `belongs`).
    """
    tree, forgiven = _object(plain)
    if not _belongs(interface, tree):
        raise WireProblem(Ret.BUSINESS, "Data belongs to another interface", "other_interface")
    return _read(interface.request, tree, forgiven)


def belongs(interface: Interface, plain: bytes) -> bool:
    """Whether a request's fields are this interface's rather than another's.

    The signature does not cover the path, so that a captured body can be sent to another interface. It belongs
    elsewhere when all that another interface requires is there, and that is more than this one knows of it.
    A body that is no object belongs nowhere.
    """
    try:
        tree, _ = _object(plain)
    except WireProblem:
        return False
    return _belongs(interface, tree)


def _read(kind: type[M], tree: dict[str, Any], forgiven: frozenset[str]) -> tuple[M, frozenset[str]]:
    reader = _Reader(set(forgiven))
    try:
        return reader.part(kind, tree), frozenset(reader.tolerated)
    except _Wrong as wrong:
        place = wrong.path.lstrip(".") or "Data"
        raise WireProblem(Ret.BUSINESS, f"{place}: {wrong.expected}", "field") from None


def _belongs(interface: Interface, tree: dict[str, Any]) -> bool:
    if tree.keys() <= f.shape(interface.request).by_name.keys():
        return True  # nobody can know more of it
    return _names_belong(interface.name, _ALL_SPELLINGS.intersection(name.lower() for name in tree))


_ALL_SPELLINGS = frozenset(
    spelling for interface in INTERFACES.values() for spelling in f.shape(interface.request).by_spelling
)
"""Names beyond these say nothing, and whoever sends many must not fill the cache with them."""


@lru_cache(maxsize=1000)
def _names_belong(name: str, names: frozenset[str]) -> bool:
    interface = INTERFACES[name]
    known = len(_known(interface, names))
    return all(_required(other, names) <= known for other in INTERFACES.values() if other is not interface)


def _known(interface: Interface, names: frozenset[str]) -> set[str]:
    """The fields of the interface's request that are there, in any spelling."""
    spellings = f.shape(interface.request).by_spelling
    return {spellings[name].name for name in names if name in spellings}


def _required(interface: Interface, names: frozenset[str]) -> int:
    """How many fields the interface requires, if all of them are there, or else 0."""
    required = f.shape(interface.request).required
    return len(required) if required <= _known(interface, names) else 0


def _object(plain: bytes) -> tuple[dict[str, Any], frozenset[str]]:
    try:
        tree, forgiven = parse(plain)
    except NotJson as problem:
        raise WireProblem(Ret.BUSINESS, f"Data is not JSON: {problem}", "not_json") from None
    if not isinstance(tree, dict):
        raise WireProblem(Ret.BUSINESS, "Data must hold a JSON object", "not_json")
    return tree, forgiven


class _Reader:
    """Reads one message and collects what it forgives."""

    __slots__ = ("tolerated",)

    def __init__(self, tolerated: set[str]) -> None:
        self.tolerated = tolerated

    def part(self, kind: type[M], value: Any) -> M:
        """One object."""
        if not isinstance(value, dict):
            raise _Wrong("an object is expected")
        shape = f.shape(kind)
        found: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, given in value.items():
            field = shape.by_name.get(name) or self._spelled(shape, name)
            if field is None:
                extra[name] = _kept(given)
            else:
                self._take(found, field, given)
        if extra:
            self.tolerated.add("unknown_field")
            found["extra"] = extra
        for field in shape.fields:
            if field.required and field.attribute not in found:
                raise _Wrong("is required", f".{field.name}")
        return kind(**found)

    def _spelled(self, shape: f.Shape, name: str) -> f.Field | None:
        lower = name.lower()
        field = shape.by_spelling.get(lower)
        if field is not None:
            how = "case" if field.name.lower() == lower else "alias"
            self.tolerated.add(f"{how}:{field.name}")
        return field

    def _take(self, found: dict[str, Any], field: f.Field, given: Any) -> None:
        value = None if field.many else field.plain(given)
        if value is None:  # something to forgive, or wrong
            try:
                value = self._many(field, given) if field.many else self._one(field, given)
            except _Wrong as wrong:
                raise _Wrong(wrong.expected, f".{field.name}{wrong.path}") from None
        if value is None:
            return
        if field.attribute in found and found[field.attribute] != value:
            raise _Wrong("is given twice, in two spellings", f".{field.name}")
        found[field.attribute] = value

    def _many(self, field: f.Field, given: Any) -> list[Any]:
        if given is None or given == "":
            self.tolerated.add(f"empty:{field.name}")
            return []
        if isinstance(given, str) and given.lstrip()[:1] in {"[", "{"}:
            given = self._json_text(field, given)
        if not isinstance(given, list):
            self.tolerated.add(f"single:{field.name}")
            given = [given]
        values = []
        for place, one in enumerate(given):
            try:
                value = self._one(field, one)
            except _Wrong as wrong:
                raise _Wrong(wrong.expected, f"[{place}]{wrong.path}") from None
            if value is None:
                raise _Wrong("must not be null", f"[{place}]")
            values.append(value)
        return values

    def _json_text(self, field: f.Field, text: str) -> Any:
        try:
            tree, forgiven = parse(text.encode())
        except NotJson:
            raise _Wrong("holds text that is not JSON") from None
        self.tolerated |= {f"json_text:{field.name}", *forgiven}
        return tree

    def _one(self, field: f.Field, given: Any) -> Any:
        """The value; None for a null, or an empty text where a number may be missing."""
        if given is None:
            return self._null(field)
        if field.kind == f.TEXT:
            return self._text(field, given)
        if field.kind == f.OBJECT:
            return self._nested(field, given)
        if isinstance(given, str):
            if not given.strip() and not field.required:
                self.tolerated.add(f"empty:{field.name}")
                return None
            given = self._number_text(field, given)
        return _whole(field, given) if field.kind == f.WHOLE else _number(field, given)

    def _null(self, field: f.Field) -> str | None:
        self.tolerated.add(f"null:{field.name}")
        # A free text that is required may still be empty: QRCode most of all.
        return "" if field.required and field.kind == f.TEXT and field.pattern is None else None

    def _text(self, field: f.Field, given: Any) -> str:
        if not isinstance(given, str):
            given = _written(given)
            self.tolerated.add(f"number:{field.name}")
        text: str | None = field.plain(given)
        if text is not None:
            return text
        if len(given) > field.longest or "\0" in given:
            raise _Wrong(f"at most {field.longest} characters are expected, none of them NUL")
        raise _Wrong("1 to 64 visible ASCII characters are expected")

    def _nested(self, field: f.Field, given: Any) -> Part:
        assert field.part is not None
        if isinstance(given, str):
            given = self._json_text(field, given)
        given = self._only_one(field, given)
        if field.part is ConnectorStatusInfo and isinstance(given, dict):
            inner = _wrapped_status(given)
            if inner is not None:
                self.tolerated.add(f"wrapped:{field.name}")
                given = self._only_one(field, inner)
        return self.part(field.part, given)

    def _only_one(self, field: f.Field, given: Any) -> Any:
        """What a list of one holds, where no list belongs."""
        if isinstance(given, list) and len(given) == 1 and not field.many:
            self.tolerated.add(f"list_of_one:{field.name}")
            return given[0]
        return given

    def _number_text(self, field: f.Field, text: str) -> int | Decimal:
        text = text.strip()
        if not _NUMBER_TEXT.fullmatch(text):
            raise _Wrong("a number is expected")
        self.tolerated.add(f"text_number:{field.name}")
        return Decimal(text)


def _wrapped_status(given: dict[str, Any]) -> Any:
    """The status inside a station's object, for those who send that in its place."""
    names = {name.lower(): name for name in given}
    if "connectorid" in names:
        return None
    found = names.get("connectorstatusinfos") or names.get("connectorstatusinfo")
    return given[found] if found else None


def _whole(field: f.Field, given: Any) -> int:
    if isinstance(given, Decimal) and f.is_sane(given) and given == given.to_integral_value():
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool):
        raise _Wrong("a whole number is expected")
    whole: int | None = field.plain(given)
    if whole is None:
        raise _Wrong(f"a whole number from {field.least} to {field.most} is expected")
    return whole


def _number(field: f.Field, given: int | Decimal) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, int | Decimal):
        raise _Wrong("a number is expected")
    number: Decimal | None = field.plain(given)
    if number is None:
        raise _Wrong(f"a number from {field.least} to {field.most} is expected")
    return number


def _written(number: Any) -> str:
    """A number that stands where text is expected, as text."""
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 10**30:
        return str(number)
    if isinstance(number, Decimal) and f.is_sane(number):
        return f"{number:f}"
    raise _Wrong("text is expected")


def _kept(value: Any, depth: int = 0) -> Any:
    """An unknown field's value, if it can be stored anywhere.

    Raises:
        _Wrong: it is nested too deeply, or a text holds NUL, which databases do not take.
    """
    if depth > _DEEPEST_EXTRA:
        raise _Wrong("an unknown field is nested too deeply")
    if isinstance(value, str):
        if "\0" in value:
            raise _Wrong("an unknown field holds NUL")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _kept(name)
            _kept(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _kept(inner, depth + 1)
    return value
