"""Rules of the directory: what a station looks like, what a new description changes, when a tariff begins."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from operator_sdk.contract.codes import Band, ConnectorState
from operator_sdk.contract.messages.directory import StationPut, TariffPeriod
from operator_sdk.contract.station_details import details_problem, details_text

STATUS_TTL_S = 180
"""Business seconds after which a status says nothing any more."""

PUBLISHED_LATE = timedelta(minutes=5)
"""How far before its publication a tariff's version or assignment may begin; more would change prices already
agreed on."""

AHEAD_MOST = timedelta(minutes=5)
"""How far a status may be ahead of the hub's clock: one from next year would silence its connector."""


class DirectoryProblem(ValueError):
    """A description that a rule of the directory does not allow."""


class Outcome(StrEnum):
    """What a description did."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


class StationFacts(NamedTuple):
    """What a station's own row says. `details`, here and below, are canonical JSON."""

    name: str
    address: str
    latitude_e6: int
    longitude_e6: int
    tariff_id: str
    removed: bool = False
    details: str | None = None


class PileFacts(NamedTuple):
    """What a pile's row says."""

    kind: str
    rated_power_w: int
    power_assumed: bool
    removed: bool = False
    details: str | None = None


class ConnectorFacts(NamedTuple):
    """What a connector's row says."""

    pile_id: str
    rated_power_w: int
    removed: bool = False
    details: str | None = None


Facts = TypeVar("Facts", StationFacts, PileFacts, ConnectorFacts)


@dataclass(frozen=True, slots=True)
class StoredStation:
    """A station as the database has it, tombstones included."""

    facts: StationFacts
    updated_at: datetime
    piles: dict[str, PileFacts] = field(default_factory=dict)
    connectors: dict[str, ConnectorFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written for a station: nothing when unchanged."""

    outcome: Outcome
    station: StationFacts
    piles: dict[str, PileFacts]
    connectors: dict[str, ConnectorFacts]


def check_station(put: StationPut) -> None:
    """Raise DirectoryProblem when a pile or connector is named twice, or details say what none may."""
    twice = [name for name, count in Counter(pile.pile_id for pile in put.piles).items() if count > 1]
    if twice:
        raise DirectoryProblem(f"pile {twice[0]} is named twice")
    plugs = Counter(plug.connector_id for pile in put.piles for plug in pile.connectors)
    twice = [name for name, count in plugs.items() if count > 1]
    if twice:
        raise DirectoryProblem(f"connector {twice[0]} is named twice")
    problem = details_problem(put)
    if problem is not None:
        raise DirectoryProblem(problem)


def check_text(*texts: str) -> None:
    """Raise DirectoryProblem for control characters: no name has them, and not every engine keeps NUL."""
    if not all(text.isprintable() for text in texts):
        raise DirectoryProblem("text has control characters")


def search_text(*texts: str) -> str:
    """Texts as a search compares them: a letter is the same in either case, and in full or half width."""
    return unicodedata.normalize("NFKC", "\n".join(texts)).casefold()


def change_of(stored: StoredStation | None, put: StationPut, *, whole: bool) -> Change:
    """What a description changes.

    With `whole`, piles it leaves out become tombstones; otherwise only the piles it names are touched, and
    details it does not tell stay. Each pile is described whole; one that has lost its last connector is a
    tombstone.
    """
    station = StationFacts(
        put.name,
        put.address,
        put.latitude_e6,
        put.longitude_e6,
        put.tariff_id,
        details=details_text(put.details),
    )
    wanted_piles = {
        pile.pile_id: PileFacts(
            pile.kind, pile.rated_power_w, pile.power_assumed, details=details_text(pile.details)
        )
        for pile in put.piles
    }
    wanted_plugs = {
        plug.connector_id: ConnectorFacts(pile.pile_id, plug.rated_power_w, details=details_text(plug.details))
        for pile in put.piles
        for plug in pile.connectors
    }
    if stored is None:
        return Change(Outcome.CREATED, station, wanted_piles, wanted_plugs)
    if not whole:
        station = _keeping(stored.facts, station)
        wanted_piles = {name: _keeping(stored.piles.get(name), pile) for name, pile in wanted_piles.items()}
        wanted_plugs = {
            name: _keeping(stored.connectors.get(name), plug) for name, plug in wanted_plugs.items()
        }
    plugs = stored.connectors | wanted_plugs
    for plug_id, plug in stored.connectors.items():
        if plug_id not in wanted_plugs and (whole or plug.pile_id in wanted_piles):
            plugs[plug_id] = plug._replace(removed=True)
    equipped = {plug.pile_id for plug in plugs.values() if not plug.removed}
    piles = {
        pile_id: pile._replace(removed=pile_id not in equipped)
        for pile_id, pile in (stored.piles | wanted_piles).items()
    }
    return _difference(stored, station, piles, plugs)


def _keeping(stored: Facts | None, wanted: Facts) -> Facts:
    """Facts with the details that are stored, where they have none of their own."""
    if stored is None or wanted.details is not None:
        return wanted
    return wanted._replace(details=stored.details)


def removal_of(stored: StoredStation) -> Change:
    """The tombstones of a whole station."""
    return _difference(
        stored,
        stored.facts._replace(removed=True),
        {name: pile._replace(removed=True) for name, pile in stored.piles.items()},
        {name: plug._replace(removed=True) for name, plug in stored.connectors.items()},
    )


def _difference(
    stored: StoredStation,
    station: StationFacts,
    piles: Mapping[str, PileFacts],
    plugs: Mapping[str, ConnectorFacts],
) -> Change:
    new_piles = {name: pile for name, pile in piles.items() if stored.piles.get(name) != pile}
    new_plugs = {name: plug for name, plug in plugs.items() if stored.connectors.get(name) != plug}
    same = station == stored.facts and not new_piles and not new_plugs
    return Change(Outcome.UNCHANGED if same else Outcome.CHANGED, station, new_piles, new_plugs)


def check_bands(periods: Sequence[TariffPeriod]) -> None:
    """Raise DirectoryProblem for a band that is none of `codes.Band`."""
    for period in periods:
        if period.band is not None and period.band not in set(Band):
            raise DirectoryProblem(f"no such band: {period.band}")


def check_version(version: int, valid_from: datetime, *, newest: int | None, now: datetime) -> None:
    """Raise DirectoryProblem unless the version follows the newest and leaves the prices of the past alone."""
    if newest is None:
        _check_plausible(valid_from)
        return
    if version <= newest:
        raise DirectoryProblem(f"the version must be greater than {newest}")
    check_begins(valid_from, now=now)


def check_begins(valid_from: datetime, *, now: datetime) -> None:
    """Raise DirectoryProblem when what begins then would change prices of the past."""
    _check_plausible(valid_from)
    if valid_from < now - PUBLISHED_LATE:
        raise DirectoryProblem("valid_from is in the past")


def _check_plausible(valid_from: datetime) -> None:
    if not is_plausible(valid_from):
        raise DirectoryProblem("valid_from is implausible")


def is_plausible(at: datetime) -> bool:
    """Whether an instant is of this age: those at the ends of the calendar break arithmetic on them."""
    return 2000 <= at.year < 2200


def state_now(state: str | None, at: datetime | None, *, now: datetime, ttl_s: int = STATUS_TTL_S) -> str:
    """A connector's state: `offline` when it was never reported or the report has outlived its time."""
    if state is None or at is None or now - at > timedelta(seconds=ttl_s):
        return ConnectorState.OFFLINE.value
    return state
