"""What daily checks put into suspense, what they leave there, and whose money it is. Both engines."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.clearing.model_checks import ITEMS_MOST, WHOLE_DAY
from hub.core.clock import ManualClock
from hub.core.database import Database
from operator_sdk.contract.codes import SuspenseOutcome
from operator_sdk.contract.messages.checks import ListedRecord, RecordCheck, RecordListPart
from operator_sdk.contract.messages.suspense import SuspenseClose
from tests.checks_world import DAY, Desk, desk_on, kept, listed
from tests.clearing_world import A, B


@pytest.fixture
async def desk(database: Database, clock: ManualClock) -> AsyncIterator[Desk]:
    made = await desk_on(database, clock)
    yield made
    await made.balanced()


def kinds(check: RecordCheck) -> dict[str, str]:
    return {one.record: one.kind for one in check.differences}


async def test_a_difference_that_changes_is_closed_and_opened_anew(desk: Desk) -> None:
    row = kept(1)
    (line,) = listed([row])
    await desk.add(row)
    await desk.send([replace(line, amount_fen=1_400)])
    (first,) = (await desk.items()).values()
    assert first.amount_fen == 100
    await desk.send([replace(line, amount_fen=1_300)])
    (second,) = (await desk.items()).values()
    (closed,) = (await desk.items(closed=True)).values()
    assert (second.amount_fen, closed.item_id) == (200, first.item_id)
    assert (closed.outcome, closed.closing_reason) == ("accepted", "a later check says otherwise")
    await desk.send([line])
    assert await desk.items() == {}
    await desk.send([replace(line, amount_fen=1_300)])
    (third,) = (await desk.items()).values()
    assert third.item_id not in {first.item_id, second.item_id}


async def test_what_a_person_has_explained_stays_explained_until_it_is_another_difference(desk: Desk) -> None:
    row = kept(1)
    await desk.add(row)
    await desk.send([])
    (item,) = (await desk.items()).values()
    why = SuspenseClose(outcome=SuspenseOutcome.WRITTEN_OFF, reason="the host has lost its bill")
    await desk.suspense.close(item.item_id, why, by="boss", alone=True)
    assert kinds(await desk.send([])) == {"r-1": "missing_there"}
    assert await desk.items() == {}
    await desk.send([replace(*listed([row]), amount_fen=1)])
    assert (await desk.items())["r-1"].amount_fen == 1_499


async def test_a_list_of_another_day_altogether_is_one_item(desk: Desk) -> None:
    await desk.add(kept(1), kept(2))
    count = ITEMS_MOST + 1
    wrong = [ListedRecord(record=f"x-{n}", amount_fen=2, energy_wh=1) for n in range(count - 2)]
    assert await desk.send([]) is not None
    assert len(await desk.items()) == 2
    check = await desk.send(wrong, parts=2)
    assert (check.differences_count, check.at_risk_fen) == (count, 2 * (count - 2) + 3_000)
    (whole,) = (await desk.items()).values()
    assert (whole.evidence["record"], whole.amount_fen) == (WHOLE_DAY, check.at_risk_fen)
    await desk.send(wrong[:1])
    assert {name: item.amount_fen for name, item in (await desk.items()).items()} == {
        "x-0": 2,
        "r-1": 1_500,
        "r-2": 1_500,
    }


async def test_a_home_has_never_heard_of_what_is_suspended(desk: Desk) -> None:
    rows = [
        kept(1),
        kept(2, "suspended"),
        kept(3, "rejected"),
        kept(4, "credited", amount_fen=9_999, owed_fen=1_000),
        kept(5, kind="credit", amount_fen=9_999, owed_fen=1_000),
    ]
    await desk.add(*rows)
    right = listed([rows[0], rows[3], rows[4]], "home")
    check = await desk.send(right, role="home")
    assert (check.differences, check.here) == ([], check.there)
    assert check.here is not None
    assert (check.here.records, check.here.amount_fen) == (3, 1_500)
    knows_too_much = await desk.send([*right, *listed(rows[1:3], "home")], role="home")
    assert kinds(knows_too_much) == {
        rows[1].record_id: "suspended_here",
        rows[2].record_id: "rejected_here",
    }
    assert await desk.items() == {}
    assert kinds(await desk.send(listed(one for one in rows if one.state != "rejected"))) == {}


async def test_a_record_of_another_day_is_said_to_be_one(desk: Desk) -> None:
    row = kept(1, service_day="2026-03-01")
    await desk.add(row)
    (found,) = (await desk.send(listed([row]))).differences
    assert (found.kind, found.record_id, found.reason) == (
        "missing_here",
        row.record_id,
        "kept here for 2026-03-01",
    )


async def test_the_second_record_of_a_session_is_named_even_where_both_lists_agree(desk: Desk) -> None:
    rows = [
        kept(1, session_id="ses"),
        kept(2, session_id="ses"),
        kept(3, session_id="other"),
        kept(4, "credited", session_id="billed-anew"),
        kept(5, session_id="billed-anew"),
        kept(6, "suspended", session_id="other"),
        kept(7, session_id="late", service_day="2026-02-27"),
        kept(8, session_id="late"),
    ]
    await desk.add(*rows)
    lines = listed(one for one in rows if one.service_day == DAY)
    found = (await desk.send(lines)).differences
    assert [(one.record, one.kind, one.at_risk_fen) for one in found] == [
        ("r-2", "double", 1_500),
        ("r-8", "double", 1_500),
    ]


async def test_what_a_home_lists_and_nobody_knows_is_its_own_claim(desk: Desk) -> None:
    stranger = ListedRecord(record="rec-of-nobody", amount_fen=7, energy_wh=1)
    await desk.send([stranger], role="home")
    (item,) = (await desk.items()).values()
    assert (item.home_party_id, item.host_party_id) == (B, B)


async def test_parts_that_come_at_once_make_one_check_that_is_compared_once(desk: Desk) -> None:
    rows = [kept(number) for number in range(1, 7)]
    await desk.add(*rows)
    lines = listed(rows[1:])
    parts = [
        RecordListPart(check_ref="c", role="host", day=DAY, part=n, parts=5, lines=[line])
        for n, line in enumerate(lines, 1)
    ]
    answers = await asyncio.gather(*(desk.checks.take(A, part) for part in parts * 2))
    assert len({one.check_id for one in answers}) == 1
    assert {one.state for one in answers} <= {"collecting", "compared"}
    done = await desk.checks.take(A, parts[0])
    assert (done.state, kinds(done)) == ("compared", {"r-1": "missing_there"})
    assert len(await desk.items()) == 1


@pytest.mark.parametrize("table", ["record_check_part", "record_check_difference"])
async def test_what_was_listed_and_found_is_never_edited(desk: Desk, table: str) -> None:
    await desk.send([ListedRecord(record="r-1", amount_fen=1, energy_wh=1)])
    for statement in (f"UPDATE {table} SET check_id = check_id", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match=f"{table} only grows"):
            async with desk.market.database.unit() as unit:
                await unit.execute(text(statement))
