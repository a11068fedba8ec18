"""Station files (docs/station-import.md): CSV bytes in, station descriptions and bad rows out."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from hub.directory.geo import LATITUDE_MOST_E6, LONGITUDE_MOST_E6, parse_e6, to_gcj02
from hub.directory.model import DirectoryProblem, check_text
from operator_sdk.contract.messages.admin import ImportProblem
from operator_sdk.contract.messages.common import ForeignId
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    StationDetails,
    StationId,
    StationPut,
)
from operator_sdk.contract.station_details import Details, details_problem

HEADERS = {
    "interpile": (
        "station_id", "name", "address", "latitude", "longitude", "tariff_id", "pile_id", "kind",
        "power_kw", "connector_ids",
    ),
    "st-evcdp": ("station_id", "latitude", "longitude", "fast", "slow", "count"),
}  # fmt: skip
DETAILS: dict[str, tuple[str, type[Details], str]] = {
    f"{what}.{name}": (what, kind, name)
    for what, kind in (("station", StationDetails), ("pile", PileDetails), ("connector", ConnectorDetails))
    for name in kind.__struct_fields__
}
"""Columns that the profile `interpile` may have behind its own: what they tell of what."""

FAST_W, SLOW_W = 60_000, 7_000
"""What the st-evcdp profile assumes of a fast and a slow pile."""

PILES_MOST = 2_000

_KW = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,9}")
_EVCDP_ID = re.compile(r"[A-Za-z0-9]{1,18}")


class WrongHeader(ValueError):
    """The file is not of this profile at all."""


@dataclass(slots=True)
class ParsedStation:
    """A station out of a file; `lines` says on which line each pile stands."""

    station_id: str
    line: int
    put: StationPut
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class ParsedFile:
    """What a file holds."""

    stations: dict[str, ParsedStation] = field(default_factory=dict)
    problems: list[ImportProblem] = field(default_factory=list)


Row = dict[str, str]


def parse(data: bytes, *, profile: str, datum: str, tariff_id: str) -> ParsedFile:
    """Read a file; bad rows are reported by line and leave the good ones alone.

    Raises:
        WrongHeader: the first line is not the profile's header.
    """
    reader = _Reader(datum, tariff_id)
    take: dict[str, Callable[[int, Row], None]] = {
        "interpile": reader.take_pile,
        "st-evcdp": reader.take_evcdp,
    }
    header = HEADERS[profile]
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    try:
        given = tuple(name.strip() for name in _fields(lines[0]))
    except DirectoryProblem as problem:
        raise WrongHeader(str(problem)) from None
    more = given[len(header) :]
    if given[: len(header)] != header or (more and profile != "interpile"):
        raise WrongHeader("the first line must be: " + ",".join(header))
    unknown = [name for name in more if name not in DETAILS or more.count(name) > 1]
    if unknown:
        raise WrongHeader(f"no such column, or twice: {unknown[0]}")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            fields = _fields(line)
            if len(fields) != len(given):
                raise DirectoryProblem(f"{len(fields)} fields instead of {len(given)}")
            row = {name: text.strip() for name, text in zip(given, fields, strict=True)}
            check_text(*row.values())
            take[profile](number, row)
        except DirectoryProblem as problem:
            reader.file.problems.append(ImportProblem(line=number, reason=str(problem)))
    return reader.file


def _fields(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8").rstrip("\r")], strict=True), [])
    except UnicodeDecodeError:
        raise DirectoryProblem("not UTF-8") from None
    except csv.Error as problem:
        raise DirectoryProblem(f"not CSV: {problem}") from None


class _Reader:
    def __init__(self, datum: str, tariff_id: str) -> None:
        self.file = ParsedFile()
        self._datum, self._tariff_id = datum, tariff_id
        self._plugs: dict[str, int] = {}

    def take_pile(self, line: int, row: Row) -> None:
        """A row of the profile `interpile`: one pile."""
        station_id = _valid("station_id", _given(row, "station_id"), StationId)
        known = self.file.stations.get(station_id)
        said = _details(row)
        pile = Pile(
            pile_id=_given(row, "pile_id"),
            kind=_given(row, "kind").lower(),
            rated_power_w=_watt(_given(row, "power_kw")),
            connectors=[
                Connector(connector_id=name.strip(), details=said.get("connector"))
                for name in _given(row, "connector_ids").split(";")
            ],
            details=said.get("pile"),
        )
        pile = _valid("pile", msgspec.to_builtins(pile), Pile)
        if known is not None and pile.pile_id in known.lines:
            raise DirectoryProblem(f"duplicate pile {pile.pile_id}: also on line {known.lines[pile.pile_id]}")
        if known is not None and len(known.put.piles) >= PILES_MOST:
            raise DirectoryProblem(f"more than {PILES_MOST} piles at one station")
        put = self._station(row, name=row["name"] or station_id, address=row["address"])
        put = msgspec.structs.replace(put, details=said.get("station"))
        problem = details_problem(msgspec.structs.replace(put, piles=[pile])) if said else None
        if problem is not None:
            raise DirectoryProblem(problem)
        if known is not None and msgspec.structs.replace(known.put, piles=[]) != put:
            raise DirectoryProblem(f"station {station_id} is described otherwise on line {known.line}")
        self._claim(line, pile)
        if known is None:
            known = self.file.stations[station_id] = ParsedStation(station_id, line, put)
        known.put.piles.append(pile)
        known.lines[pile.pile_id] = line

    def take_evcdp(self, line: int, row: Row) -> None:
        """A row of the profile `st-evcdp`: one station, its piles only counted."""
        number = _given(row, "station_id")
        if not _EVCDP_ID.fullmatch(number):
            raise DirectoryProblem("station_id is not made of letters and digits")
        station_id = f"ST{number}"
        fast, slow, count = (_whole(name, _given(row, name)) for name in ("fast", "slow", "count"))
        if fast + slow != count:
            raise DirectoryProblem(f"count mismatch: {fast} fast and {slow} slow are not {count}")
        if count > PILES_MOST:
            raise DirectoryProblem(f"more than {PILES_MOST} piles at one station")
        known = self.file.stations.get(station_id)
        if known is not None:
            raise DirectoryProblem(f"duplicate station {station_id}: also on line {known.line}")
        put = self._station(row, name=station_id, address="")
        station = ParsedStation(station_id, line, put)
        for pile in _counted_piles(station_id, fast, slow):
            self._claim(line, pile)
            put.piles.append(pile)
            station.lines[pile.pile_id] = line
        self.file.stations[station_id] = station

    def _station(self, row: Row, *, name: str, address: str) -> StationPut:
        place = to_gcj02(
            _degrees("latitude", row, LATITUDE_MOST_E6), _degrees("longitude", row, LONGITUDE_MOST_E6),
            self._datum,
        )  # fmt: skip
        fields = {
            "name": name,
            "address": address,
            "latitude_e6": place[0],
            "longitude_e6": place[1],
            "tariff_id": _valid("tariff_id", row.get("tariff_id") or self._tariff_id, ForeignId),
            "piles": [],
        }
        return _valid("station", fields, StationPut)  # type: ignore[no-any-return]

    def _claim(self, line: int, pile: Pile) -> None:
        names = [plug.connector_id for plug in pile.connectors]
        for name in names:
            if name in self._plugs:
                raise DirectoryProblem(f"duplicate connector {name}: also on line {self._plugs[name]}")
        if len(set(names)) < len(names):
            raise DirectoryProblem("the pile names a connector twice")
        self._plugs.update(dict.fromkeys(names, line))


def _counted_piles(station_id: str, fast: int, slow: int) -> Iterator[Pile]:
    for letter, kind, power_w, count in (("F", "dc", FAST_W, fast), ("S", "ac", SLOW_W, slow)):
        for number in range(1, count + 1):
            pile_id = f"{station_id}{letter}{number:03d}"
            yield Pile(
                pile_id=pile_id,
                kind=kind,
                rated_power_w=power_w,
                connectors=[Connector(connector_id=pile_id)],
                power_assumed=True,
            )


def _details(row: Row) -> dict[str, Any]:
    """What further columns tell of the station, the pile and each connector; an empty field tells nothing."""
    told: dict[str, dict[str, Any]] = {}
    kinds: dict[str, type[Details]] = {}
    for column, value in row.items():
        if value and column in DETAILS:
            what, kind, name = DETAILS[column]
            told.setdefault(what, {})[name] = value.split() if name == "pictures" else value
            kinds[what] = kind
    try:
        return {what: msgspec.convert(fields, kinds[what], strict=False) for what, fields in told.items()}
    except msgspec.ValidationError as problem:
        raise DirectoryProblem(f"details: {problem}") from None


def _given(row: Row, name: str) -> str:
    if not row[name]:
        raise DirectoryProblem(f"{name} is missing")
    return row[name]


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise DirectoryProblem(f"{name} is not a whole number")
    return int(text)


def _watt(text: str) -> int:
    if not _KW.fullmatch(text):
        raise DirectoryProblem("power_kw is not a decimal number")
    watt = Decimal(text) * 1000
    if watt != int(watt) or watt == 0:
        raise DirectoryProblem("power_kw is not a positive number of whole watts")
    return int(watt)


def _degrees(name: str, row: Row, most_e6: int) -> int:
    text = _given(row, name)
    try:
        return parse_e6(text, most_e6)
    except ValueError as problem:
        raise DirectoryProblem(f"{name}: {problem}") from None


def _valid(name: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as problem:
        raise DirectoryProblem(f"{name}: {problem}") from None
