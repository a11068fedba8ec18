"""Daily checks over the API and the outbox: an operator's list to the hub, and the hub's to real operators."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hub.clearing import tables_checks
from hub.clearing.checking_out import RecordChecksOut
from hub.clearing.tables_checks import CheckDay, CheckDue, CheckRow
from hub.core.clock import local_day
from hub.core.database import Database
from hub.core.outbox import Outbox
from hub.roaming.tables_records import RecordRow
from operator_sdk import ApiError, Forbidden, NotFound
from operator_sdk.contract.messages.checks import ListedRecord, RecordCheck, RecordListPart
from operator_sdk.contract.messages.records import CreditRecord
from operator_sdk.contract.messages.suspense import SuspenseItem
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from tests.checks_world import listed
from tests.rig import A, B, D, Rig, open_rig
from tests.rig_charges import TURN_MINUTES, begin_by_home, charge_of
from tests.rig_raw import send

ONE_ENGINE = pytest.mark.parametrize("kind", ["sqlite"])
"""For what no engine does otherwise than another."""


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as opened:
        # Charges at about noon of yesterday: that day is over.
        now = opened.hub.clock.business().astimezone(UTC)
        noon = (now + timedelta(hours=8)).replace(hour=4, minute=0) - timedelta(days=1)
        first = (now - noon - timedelta(hours=1)) // timedelta(minutes=TURN_MINUTES)
        opened.turns = itertools.count(first)
        yield opened


async def charged(rig: Rig, count: int) -> list[RecordRow]:
    """A's bills of yesterday, all B's, in order of record."""
    for _ in range(count):
        await (await charge_of(rig, (await begin_by_home(rig)).session_id)).whole(20)
    found = sorted(await rig.rows(RecordRow), key=lambda one: one.record_id)
    assert len({one.service_day for one in found}) == 1
    return found


def part_of(day: str, lines: list[ListedRecord], ref: str = "c-1", **changes: Any) -> RecordListPart:
    part = RecordListPart(check_ref=ref, role="host", day=day, part=1, parts=1, lines=lines)
    return replace(part, **changes)


def found_in(check: RecordCheck) -> dict[str, tuple[str, int]]:
    return {one.record: (one.kind, one.at_risk_fen) for one in check.differences}


async def open_items(rig: Rig) -> list[SuspenseItem]:
    from hub.parties.scope import HUB as EVERYTHING

    return await rig.hub.suspense.items(EVERYTHING)


async def refused(rig: Rig, party: str, part: RecordListPart) -> ApiError:
    with pytest.raises(ApiError) as problem:
        await rig.client(party).check_records(part)
    return problem.value


# An operator's list.


async def test_a_host_sends_its_list_and_hears_how_the_hubs_differs(rig: Rig) -> None:
    first, second, third = await charged(rig, 3)
    day = first.service_day
    await rig.client(A).push_credit(
        CreditRecord(record_ref="cr-1", record_id=third.record_id, amount_fen=third.amount_fen, reason="twice")
    )
    lines = listed([first, second, third])
    lines[1] = replace(lines[1], amount_fen=lines[1].amount_fen + 100)
    lines.append(ListedRecord(record="never-sent", amount_fen=900, energy_wh=6_000))
    parts = [part_of(day, lines[n : n + 2], part=n // 2 + 1, parts=2) for n in (0, 2)]
    waiting = await rig.client(A).check_records(parts[1])
    assert (waiting.state, waiting.parts_done, waiting.here) == ("collecting", 1, None)
    assert await rig.client(A).check_records(parts[1]) == waiting
    check = await rig.client(A).check_records(parts[0])
    assert check.check_id == waiting.check_id
    assert check.state == "compared"
    assert found_in(check) == {
        second.record_ref: ("amount", 100),
        "never-sent": ("missing_here", 900),
        "cr-1": ("missing_there", third.amount_fen),
    }
    assert check.here is not None
    assert check.here.records == 4
    assert check.here.amount_fen == first.amount_fen + second.amount_fen
    for part in (*parts, *reversed(parts)):
        assert await rig.client(A).check_records(part) == check
    assert await rig.client(A).get_record_check(check.check_id) == check
    items = await open_items(rig)
    assert {one.evidence["record"]: one.amount_fen for one in items} == {
        name: fen for name, (_, fen) in found_in(check).items()
    }
    by_record = {one.evidence["record"]: one for one in items}
    assert by_record[second.record_ref].home_party_id == B
    assert by_record[second.record_ref].evidence["here"]["amount_fen"] == second.amount_fen
    assert by_record["never-sent"].home_party_id is None

    agreed = await rig.client(A).check_records(part_of(day, listed(await host_rows(rig)), "c-2"))
    assert (agreed.differences, agreed.at_risk_fen) == ([], 0)
    assert await open_items(rig) == []


async def host_rows(rig: Rig) -> list[RecordRow]:
    return [one for one in await rig.rows(RecordRow) if one.state != "rejected"]


@ONE_ENGINE
async def test_a_home_is_asked_for_what_it_owes(rig: Rig) -> None:
    one, other = await charged(rig, 2)
    lines = listed([one], "home")
    check = await rig.client(B).check_records(part_of(one.service_day, lines, role="home"))
    assert found_in(check) == {other.record_id: ("missing_there", other.owed_fen)}
    (item,) = await open_items(rig)
    assert (item.home_party_id, item.host_party_id, item.amount_fen) == (B, A, other.owed_fen)
    stranger = ListedRecord(record="rec-of-nobody", amount_fen=5, energy_wh=1)
    again = await rig.client(B).check_records(
        part_of(one.service_day, [*listed([one, other], "home"), stranger], "c-2", role="home")
    )
    assert found_in(again) == {"rec-of-nobody": ("missing_here", 5)}


async def test_what_is_wrong_with_a_list_is_said_and_changes_nothing(rig: Rig) -> None:
    day = local_day(rig.hub.clock.business() - timedelta(days=1))
    line = ListedRecord(record="r-1", amount_fen=0, energy_wh=1)
    part = part_of(day, [line])
    assert (await refused(rig, B, part)).code == Code.FORBIDDEN
    assert isinstance(await refused(rig, A, replace(part, role="home")), Forbidden)
    assert (await refused(rig, A, replace(part, day="2026-02-30"))).code == Code.MALFORMED
    assert (await refused(rig, A, replace(part, day="20260228"))).code == Code.MALFORMED
    today = local_day(rig.hub.clock.business())
    for not_over in (today, "9999-12-31"):
        assert (await refused(rig, A, replace(part, day=not_over))).code == Code.RULE_VIOLATED
    assert (await refused(rig, A, replace(part, part=2))).code == Code.MALFORMED
    assert (await refused(rig, A, replace(part, parts=0))).code == Code.MALFORMED
    assert (await refused(rig, A, replace(part, lines=[line] * 5_001))).code == Code.MALFORMED
    unsigned = await rig.http.post(
        HUB["check_records"].path,
        content=msgspec.json.encode(part),
        headers={"authorization": f"Bearer {rig.token(A)}", "content-type": "application/json"},
    )
    assert unsigned.json()["code"] == Code.SIGNATURE_MISSING
    assert await rig.rows(CheckRow) == []

    check = await rig.client(A).check_records(part)
    for other in (
        replace(part, lines=[]),
        replace(part, day=local_day(rig.hub.clock.business() - timedelta(days=2))),
        replace(part, part=1, parts=2),
    ):
        assert (await refused(rig, A, other)).code == Code.ID_REUSED
    begun = await rig.client(A).check_records(replace(part, check_ref="c-2", part=2, parts=2))
    two_days_ago = local_day(rig.hub.clock.business() - timedelta(days=2))
    for header in (replace(part, parts=3), replace(part, parts=2, day=two_days_ago)):
        assert (await refused(rig, A, replace(header, check_ref="c-2"))).code == Code.ID_REUSED
    assert await rig.client(A).get_record_check(begun.check_id) == begun
    assert await rig.client(A).get_record_check(check.check_id) == check
    for name in ("get_record_check", "list_record_differences"):
        with pytest.raises(NotFound):
            await getattr(rig.client(D), name)(check.check_id)
    assert (await rig.client(D).list_record_checks()).items == []
    assert [one.check_id for one in (await rig.client(A).list_record_checks(day=day)).items] == [
        check.check_id,
        begun.check_id,
    ]
    assert (await rig.client(A).list_record_checks(day="2020-01-01")).items == []


@ONE_ENGINE
async def test_staff_see_every_check_and_all_its_differences_by_pages(rig: Rig) -> None:
    day = local_day(rig.hub.clock.business() - timedelta(days=1))
    lines = [ListedRecord(record=f"r-{n:04}", amount_fen=0, energy_wh=1) for n in range(1_200)]
    check = await rig.client(A).check_records(part_of(day, lines))
    assert (check.differences_count, len(check.differences)) == (1_200, 1_000)
    token, operation = await rig.staff_token(), HUB["list_record_differences"]
    path, seen = f"/v1/record-checks/{check.check_id}/differences", []
    after: str | None = ""
    while after is not None:
        page = (await send(rig, operation, f"{path}?limit=200&after={after}", b"", token=token)).json()
        seen += [one["record"] for one in page["items"]]
        after = page["next_after"]
    assert seen == [line.record for line in lines]
    for wrong in ("x", "-1", "²", "9" * 30):
        answer = await send(rig, operation, f"{path}?after={wrong}", b"", token=token)
        assert answer.json()["code"] == Code.MALFORMED
    listing = await send(rig, HUB["list_record_checks"], "/v1/record-checks", b"", token=token)
    assert [one["check_id"] for one in listing.json()["items"]] == [check.check_id]
    onlooker = await rig.staff_token("onlooker", "onlooker")
    answer = await send(rig, HUB["list_record_checks"], "/v1/record-checks", b"", token=onlooker)
    assert answer.status_code == 403


# The hub's list.


async def make_due(rig: Rig, day: str, *parties: str) -> None:
    """The hub has seen everybody; for these parties the time has come to check this day."""
    await rig.hub.checks_out.advance()
    async with rig.hub.database.unit() as unit:
        for party in parties:
            for role in ("host", "home"):
                due = await unit.session.get(CheckDue, (party, role))
                if due is not None:
                    due.day, due.due_at = day, rig.hub.clock.business()


@ONE_ENGINE
async def test_a_day_of_which_something_waits_is_checked_again_with_the_next(rig: Rig) -> None:
    (record,) = await charged(rig, 1)
    yesterday, today = record.service_day, local_day(rig.hub.clock.business())
    rig.a.own_list = lambda _: []
    for day in (yesterday, today):
        await make_due(rig, day, A)
        assert await rig.hub.checks_out.advance() == 1
        await rig.work()
        rig.a.own_list = lambda part: list(part.lines)
    days = sorted((one.day, one.state, one.differences) for one in await rig.rows(CheckRow))
    assert days == [(yesterday, "compared", 0), (yesterday, "compared", 1), (today, "compared", 0)]
    assert await open_items(rig) == []
    await make_due(rig, today, A)
    await rig.hub.checks_out.advance()
    assert len(await rig.rows(CheckRow)) == 4


async def the_check(rig: Rig, party: str = A) -> RecordCheck:
    (row,) = await rig.rows(CheckRow, party_id=party, source="hub")
    from hub.parties.scope import HUB as EVERYTHING

    return await rig.hub.record_checks.check(EVERYTHING, row.check_id)


async def test_operators_get_the_hubs_list_after_midnight_and_say_what_theirs_says(rig: Rig) -> None:
    one, other = await charged(rig, 2)
    rig.a.own_list = lambda part: [
        replace(part.lines[0], amount_fen=part.lines[0].amount_fen + 3),
        ListedRecord(record="not-yet-sent", amount_fen=77, energy_wh=1),
    ]
    await make_due(rig, one.service_day, A, B)
    assert await rig.hub.checks_out.advance() == 2
    assert await rig.hub.checks_out.advance() == 0
    await rig.work()
    assert [line.record for line in rig.a.list_parts[0].lines] == [one.record_ref, other.record_ref]
    assert [line.record for line in rig.b.list_parts[0].lines] == [one.record_id, other.record_id]
    mine, theirs = await the_check(rig), await the_check(rig, B)
    assert (theirs.state, theirs.differences, theirs.role) == ("compared", [], "home")
    assert found_in(mine) == {
        one.record_ref: ("amount", 3),
        other.record_ref: ("missing_there", other.amount_fen),
        "not-yet-sent": ("missing_here", 77),
    }
    assert (mine.differences[1].here_fen, mine.differences[1].there_fen) == (one.amount_fen, one.amount_fen + 3)
    items = await open_items(rig)
    assert {item.amount_fen for item in items} == {3, 77, other.amount_fen}
    assert await rig.client(A).get_record_check(mine.check_id) == mine
    # What the host says by itself of the same day opens nothing a second time.
    own = rig.a.own_list(rig.a.list_parts[0])
    said = await rig.client(A).check_records(part_of(one.service_day, own))
    assert found_in(said) == found_in(mine)
    assert [item.item_id for item in await open_items(rig)] == [item.item_id for item in items]


@ONE_ENGINE
async def test_an_operator_in_trouble_is_asked_again_until_it_has_answered(rig: Rig) -> None:
    day = local_day(rig.hub.clock.business() - timedelta(days=1))
    await make_due(rig, day, A)
    assert await rig.hub.checks_out.advance() == 1
    for tried, mood in enumerate(("500", "unsigned", "nonsense", "lost"), 1):
        rig.a.moods["check_records"] = mood
        await rig.work_now("check_records")
        assert ((await the_check(rig)).state, rig.a.heard.count("check_records")) == ("sending", tried)
        await rig.has_tried(500)
    del rig.a.moods["check_records"]
    await rig.work_now("check_records")
    check = await the_check(rig)
    assert (check.state, check.differences) == ("compared", [])
    await rig.work_now()
    assert rig.a.heard.count("check_records") == 5


@ONE_ENGINE
async def test_a_list_goes_in_parts_and_again_to_whoever_has_lost_some(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_checks, "LINES_MOST", 1)
    one, other = await charged(rig, 2)
    await make_due(rig, one.service_day, A)
    await rig.hub.checks_out.advance()
    rig.a.moods["check_records"] = "500"
    await rig.work()
    real = rig.a.on_check_records

    async def forgetful(part: RecordListPart, call: Any) -> Any:
        """Was started anew in between, on an empty database."""
        if part.part == 2 and len(rig.a.list_parts) == 1:
            rig.a.list_parts.clear()
        return await real(part, call)

    rig.a.app._handlers["check_records"] = forgetful
    del rig.a.moods["check_records"]
    await rig.work_now("check_records")
    assert (await the_check(rig)).state == "sending"
    await rig.work_now("check_records")
    check = await the_check(rig)
    assert (check.state, check.parts, check.parts_done, check.differences) == ("compared", 2, 2, [])
    assert check.there is not None
    assert check.there.amount_fen == one.amount_fen + other.amount_fen


@ONE_ENGINE
async def test_whoever_offers_no_checks_or_answers_about_another_list_changes_nothing(rig: Rig) -> None:
    (record,) = await charged(rig, 1)
    del rig.a.app._handlers["check_records"]
    wrong = rig.b.on_check_records

    async def of_another_list(part: RecordListPart, call: Any) -> Any:
        return replace(await wrong(part, call), there=None)

    rig.b.app._handlers["check_records"] = of_another_list
    await make_due(rig, record.service_day, A, B)
    await rig.hub.checks_out.advance()
    await rig.work()
    declined, waiting = await the_check(rig), await the_check(rig, B)
    assert (declined.state, declined.reason) == ("declined", "not offered by the operator")
    assert waiting.state == "sending"
    (letter,) = [one for one in await rig.letters("check_records") if one.party_id == B]
    assert letter.dead_at is not None
    assert letter.reason == "the operator's answer is about another list"
    assert await open_items(rig) == []


async def test_several_job_processes_send_each_list_once_and_make_up_for_lost_days(rig: Rig) -> None:
    day = local_day(rig.hub.clock.business() - timedelta(days=3))
    await make_due(rig, day, A, B, D)
    async with rig.hub.database.unit() as unit:
        due = await unit.session.get(CheckDue, (A, "host"))
        assert due is not None
        due.due_at -= timedelta(days=2)
    engines = [Database(rig.hub.database.url) for _ in range(4)]
    hub = rig.hub

    def process(database: Database) -> RecordChecksOut:
        outbox = Outbox(database, hub.clock, hub.ids, hub.local_doorbell, "other")
        return RecordChecksOut(
            database, hub.clock, hub.ids, parties=hub.parties, links=hub.links, outbox=outbox,
            money_waits=hub.suspense, minute=60,
        )  # fmt: skip

    begun = await asyncio.gather(*(process(engine).advance() for engine in engines))
    for engine in engines:
        await engine.close()
    assert sum(begun) == 6
    rows = sorted((one.party_id, one.role, one.day) for one in await rig.rows(CheckRow))
    days = [local_day(rig.hub.clock.business() - timedelta(days=back)) for back in (3, 2, 1)]
    assert rows == [*((A, "host", one) for one in days), (B, "home", day), (D, "home", day), (D, "host", day)]
    await rig.work()
    assert rig.a.heard.count("check_records") == 3
    assert {one.compared for one in await rig.rows(CheckDay)} == {1}
    hosted = [one for one in await rig.rows(CheckDue) if one.party_id not in {A, B, D}]
    assert [(one.role, one.party_id) for one in hosted] == [("home", "MA5CCCCC3")]
