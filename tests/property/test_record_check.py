"""Promise 17: whatever differs between two lists is found, nothing else is, and again changes nothing."""

import asyncio
from datetime import UTC, datetime

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.clearing.model_checks import implied
from hub.core.clock import ManualClock
from hub.roaming.tables_records import RecordRow
from operator_sdk.contract.messages.checks import ListedRecord
from operator_sdk.contract.record_check import compare, reply_of
from tests.checks_world import Desk, desk_on, kept, listed
from tests.databases import fresh_database

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
SHOWN = (Phase.explicit, Phase.reuse, Phase.generate)
"""A day at the hub takes too long to be made smaller; what was planted says enough."""

PLANTS = (
    "same", "same", "missing_here", "missing_there", "amount", "energy", "double", "doubled_session",
    "rejected_here", "other_sign",
)  # fmt: skip

Lines = list[ListedRecord]
Expected = dict[str, tuple[str, int]]
"""Record -> kind and money at risk."""


# Two lists, and an oracle that is slow and knows nothing of how they are compared.


def fen(line: ListedRecord) -> int:
    return -line.amount_fen if line.credit else line.amount_fen


def wh(line: ListedRecord) -> int:
    return -line.energy_wh if line.credit else line.energy_wh


def oracle(ours: Lines, theirs: Lines) -> Expected:
    found: Expected = {}
    for name in {line.record for line in ours + theirs}:
        mine = [line for line in ours if line.record == name]
        other = [line for line in theirs if line.record == name]
        gap = abs(sum(map(fen, mine)) - sum(map(fen, other)))
        if len(mine) > 1 or len(other) > 1:
            beyond = [sum(abs(fen(line)) for line in side[1:]) for side in (mine, other)]
            found[name] = ("double", max(gap, *beyond))
        elif not mine or not other:
            found[name] = ("missing_there" if mine else "missing_here", gap)
        elif gap:
            found[name] = ("amount", gap)
        elif sum(map(wh, mine)) != sum(map(wh, other)):
            found[name] = ("energy", 0)
    return found


lines = st.builds(
    ListedRecord,
    record=st.sampled_from([f"r-{number}" for number in range(8)]),
    amount_fen=st.sampled_from([0, 1, 700, 10**12]),
    energy_wh=st.sampled_from([0, 1, 5_000]),
    credit=st.booleans(),
)
lists = st.lists(lines, max_size=12)


@given(lists, lists)
def test_two_lists_differ_in_what_the_oracle_says(ours: Lines, theirs: Lines) -> None:
    result = compare(ours, theirs)
    assert {one.record: (one.kind, one.at_risk_fen) for one in result.differences} == oracle(ours, theirs)
    assert [one.record for one in result.differences] == sorted({one.record for one in result.differences})
    assert (result.here.amount_fen, result.there.amount_fen) == (sum(map(fen, ours)), sum(map(fen, theirs)))
    mirrored = compare(theirs, ours)
    assert {one.record: one.at_risk_fen for one in mirrored.differences} == {
        one.record: one.at_risk_fen for one in result.differences
    }


@given(st.lists(lines, max_size=8, unique_by=lambda line: line.record), lists)
def test_what_an_operator_answers_says_all_that_its_list_would(ours: Lines, theirs: Lines) -> None:
    """The hub never sees the operator's list; what it makes of the answer is what it would make of the list."""
    said = reply_of(compare(theirs, ours))
    found = compare(ours, implied(ours, said.differences)).differences
    assert {one.record: (one.kind, one.at_risk_fen) for one in found} == oracle(ours, theirs)


# A day at the hub.


class Day:
    """Records that the hub keeps, what the operator lists, and what must come out."""

    def __init__(self, plants: list[tuple[str, int, bool]]) -> None:
        self.rows: list[RecordRow] = []
        self.lines: Lines = []
        self.expected: Expected = {}
        for number, (plant, amount, credit) in enumerate(plants, 1):
            kind = "credit" if credit and plant != "doubled_session" else "charge"
            state = "rejected" if plant == "rejected_here" else "accepted"
            row = kept(number, state, amount_fen=amount, owed_fen=amount, kind=kind)
            if plant != "missing_here":
                self.rows.append(row)
            self._plant(plant, row, *listed([row]))

    def _plant(self, plant: str, row: RecordRow, line: ListedRecord) -> None:
        name, amount = line.record, line.amount_fen
        self.expected |= {
            "missing_here": {name: (plant, amount)},
            "missing_there": {name: (plant, amount)},
            "rejected_here": {name: (plant, 0)},
            "amount": {name: (plant, 7)},
            "energy": {name: (plant, 0)},
            "double": {name: (plant, amount)},
            "other_sign": {name: ("amount", 2 * amount)},
            "doubled_session": {f"{name}:again": ("double", amount)},
        }.get(plant, {})
        self.lines += {
            "missing_there": [],
            "amount": [replace(line, amount_fen=amount + 7)],
            "energy": [replace(line, energy_wh=line.energy_wh - 1)],
            "double": [line, line],
            "other_sign": [replace(line, credit=not line.credit)],
            "doubled_session": [line, replace(line, record=f"{name}:again")],
        }.get(plant, [line])
        if plant == "doubled_session":
            again = kept(500 + len(self.rows), session_id=row.session_id, record_ref=f"{name}:again")
            again.amount_fen = again.owed_fen = amount
            self.rows.append(again)

    @property
    def money(self) -> dict[str, int]:
        return {name: fen for name, (_, fen) in self.expected.items() if fen}


days = st.lists(st.tuples(st.sampled_from(PLANTS), st.integers(1, 10**6), st.booleans()), max_size=12).map(Day)


async def play(day: Day, parts: int) -> None:
    async with fresh_database("sqlite") as database:
        desk = await desk_on(database, ManualClock(NOON))
        await desk.add(*day.rows)
        first = await desk.send(day.lines, ref="one", parts=parts)
        assert {one.record: (one.kind, one.at_risk_fen) for one in first.differences} == day.expected
        assert first.differences_count == len(day.expected)
        opened = await desk.items()
        assert {name: item.amount_fen for name, item in opened.items()} == day.money
        for ref in ("one", "one", "two", "three"):
            again = await desk.send(day.lines, ref=ref, parts=parts)
            assert again.differences == first.differences
            assert (again == first) is (ref == "one")
            assert await desk.items() == opened
        await agrees_at_last(desk, day)


async def agrees_at_last(desk: Desk, day: Day) -> None:
    """The operator mends its list; what the hub itself has twice stays."""
    right = listed(one for one in day.rows if one.state != "rejected")
    await desk.send(right)
    own = {name for name, (kind, _) in day.expected.items() if kind == "double" and name.endswith(":again")}
    assert set(await desk.items()) == own
    closed = await desk.items(closed=True)
    assert set(closed) == day.money.keys() - own
    assert {(one.outcome, one.closing_reason) for one in closed.values()} <= {
        ("accepted", "a later check agrees")
    }
    await desk.balanced()


@settings(max_examples=8, deadline=None, phases=SHOWN, suppress_health_check=[HealthCheck.too_slow])
@given(days, st.integers(1, 3))
def test_every_planted_difference_is_found_no_other_is_and_again_changes_nothing(day: Day, parts: int) -> None:
    asyncio.run(play(day, parts))
