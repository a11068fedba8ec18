"""What a description changes: written down and read back it is the same, and told again it changes nothing."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.directory.model import Change, Outcome, StoredStation, change_of
from hub.directory.views import station_of
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorDetails,
    Pile,
    PileDetails,
    StationDetails,
    StationPut,
)
from operator_sdk.contract.station_details import WORDS, details_problem, details_text

pytestmark = pytest.mark.property

NOW = datetime(2026, 3, 2, tzinfo=UTC)
KEY = ("MA5AAAAA1", "S1")
TEXT = st.text(st.characters(categories=("L", "N")), max_size=10)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def words(kind: type, name: str) -> st.SearchStrategy[Any]:
    return maybe(st.sampled_from(sorted(WORDS[kind][name])))


PLUG_DETAILS = st.builds(
    ConnectorDetails,
    name=maybe(TEXT),
    connector_type=words(ConnectorDetails, "connector_type"),
    voltage_upper_v=maybe(st.integers(0, 10_000)),
)
PILE_DETAILS = st.builds(
    PileDetails,
    model=maybe(TEXT),
    latitude_e6=maybe(st.integers(-90_000_000, 90_000_000)),
    equipment_type=words(PileDetails, "equipment_type"),
)
STATION_DETAILS = st.builds(
    StationDetails,
    area_code=maybe(st.sampled_from(["440305", "440305000000"])),
    park_spaces=maybe(st.integers(0, 9)),
    pictures=maybe(st.lists(st.just("https://a.example/1.jpg"), max_size=2)),
    support_order=maybe(st.booleans()),
    status=words(StationDetails, "status"),
)


@st.composite
def puts(draw: st.DrawFn) -> StationPut:
    """Descriptions of one station with up to three piles, their connectors in order."""
    piles = []
    for pile_id in draw(st.lists(st.sampled_from(["P1", "P2", "P3"]), unique=True).map(sorted)):
        names = draw(st.lists(st.sampled_from(["A", "B"]), min_size=1, unique=True).map(sorted))
        plugs = [Connector(connector_id=pile_id + name, details=draw(maybe(PLUG_DETAILS))) for name in names]
        details = draw(maybe(PILE_DETAILS))
        piles.append(Pile(pile_id=pile_id, kind="dc", rated_power_w=1, connectors=plugs, details=details))
    return StationPut(
        name="N",
        latitude_e6=0,
        longitude_e6=0,
        tariff_id="t",
        piles=piles,
        details=draw(maybe(STATION_DETAILS)),
    )


def written(stored: StoredStation | None, change: Change) -> StoredStation:
    """What is stored after a change."""
    piles, plugs = (stored.piles, stored.connectors) if stored is not None else ({}, {})
    return StoredStation(change.station, NOW, piles | change.piles, plugs | change.connectors)


@settings(max_examples=50)
@given(st.lists(puts(), min_size=1, max_size=4))
def test_the_last_whole_description_is_what_is_read_back(told: list[StationPut]) -> None:
    stored = None
    for put in told:
        assert details_problem(put) is None
        stored = written(stored, change_of(stored, put, whole=True))
        station = station_of(KEY, stored)
        assert (station.details, station.piles) == (put.details, put.piles)
        again = change_of(stored, msgspec.json.decode(msgspec.json.encode(put), type=StationPut), whole=True)
        assert (again.outcome, again.piles, again.connectors) == (Outcome.UNCHANGED, {}, {})


@settings(max_examples=50)
@given(puts(), puts())
def test_a_part_takes_no_details_away_and_adds_its_own(whole: StationPut, part: StationPut) -> None:
    before = written(None, change_of(None, whole, whole=True))
    after = written(before, change_of(before, part, whole=False))
    assert after.facts.details == (details_text(part.details) or before.facts.details)
    for pile in part.piles:
        known = before.piles.get(pile.pile_id)
        assert after.piles[pile.pile_id].details == (
            details_text(pile.details) or (known.details if known is not None else None)
        )
    assert change_of(after, part, whole=False).outcome is Outcome.UNCHANGED
