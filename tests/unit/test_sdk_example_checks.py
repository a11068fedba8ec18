"""The example operators answer the hub's daily check: the home over real sockets, the host from its file."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from operator_sdk.contract.golden import GOLDEN
from operator_sdk.contract.messages.checks import ListedRecord, RecordListPart, RecordListReply
from operator_sdk.contract.messages.records import ChargeRecord, RecordReply
from operator_sdk.examples.home.app import create_app
from operator_sdk.examples.host.store import Session, Store
from operator_sdk.testing import FakeHub, served
from tests.unit.operators import HOME, fast_clock, operator
from tests.unit.test_sdk_example_home import KEY, ask, ids, record

DAY = "2026-03-01"


def part(lines: list[ListedRecord], ref: str = "chk-1", role: str = "home", **more: int) -> RecordListPart:
    numbers = {"part": 1, "parts": 1} | more
    return RecordListPart(check_ref=ref, role=role, day=DAY, lines=lines, **numbers)


def found(reply: RecordListReply) -> dict[str, tuple[str, int]]:
    return {one.record: (one.kind, one.at_risk_fen) for one in reply.differences}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub(clock=fast_clock())
    with served(hub.at):
        yield hub


@pytest.fixture
def home(hub: FakeHub, tmp_path: Path) -> Iterator[httpx.Client]:
    with operator(create_app, HOME, KEY, hub, tmp_path / "home.db") as client:
        yield client


async def test_a_home_compares_once_all_parts_are_there_and_says_the_same_again(
    hub: FakeHub, home: httpx.Client
) -> None:
    asked = ask()
    await hub.call(HOME, "authorize", asked)
    bill, unknown = record(asked.authorization_id, 1_234), record(ids("aut"), 99)
    for one in (bill, unknown, bill):
        await hub.call(HOME, "push_record", one)
    line = ListedRecord(record=bill.record_id, amount_fen=1_234, energy_wh=bill.energy_wh)
    extra = ListedRecord(record="rec-never-heard-of", amount_fen=5, energy_wh=1)
    second = part([extra], part=2, parts=2)
    for _ in range(2):
        waiting = await hub.call(HOME, "check_records", second)
        assert (waiting.state, waiting.there) == ("collecting", None)
    first = part([replace(line, amount_fen=1_200)], parts=2)
    reply = await hub.call(HOME, "check_records", first)
    assert found(reply) == {
        bill.record_id: ("amount", 34),
        unknown.record_id: ("missing_there", 99),  # refused, and heard of all the same
        "rec-never-heard-of": ("missing_here", 5),
    }
    for again in (first, second):
        assert await hub.call(HOME, "check_records", again) == reply
    as_host = await hub.call(HOME, "check_records", part([], "chk-2", "host"))
    assert (as_host.state, as_host.differences) == ("compared", [])


def test_a_host_lists_its_bills_but_for_those_that_were_rejected(tmp_path: Path) -> None:
    (golden,) = (one for one in GOLDEN if isinstance(one, ChargeRecord))
    (reply,) = (one for one in GOLDEN if isinstance(one, RecordReply))
    store = Store(tmp_path / "host.db")
    days = {"r-1": 1, "r-2": 1, "r-3": 2}
    for ref, day in days.items():
        bill = replace(golden, record_ref=ref, ended_at=golden.ended_at.replace(month=3, day=day))
        store.save_sessions(Session(session_id=ref, bill=bill))
        if ref == "r-2":
            rejected = replace(reply, record_ref=ref, state="rejected")
            store.save_sessions(Session(session_id=ref, bill=bill, record=rejected))
    line = ListedRecord(record="r-1", amount_fen=golden.amount_fen, energy_wh=golden.energy_wh)
    assert found(store.check_records(part([line], role="host"))) == {}
    assert found(store.check_records(part([], "chk-2", "host"))) == {
        "r-1": ("missing_there", golden.amount_fen)
    }
    store.close()
    store = Store(tmp_path / "host.db")
    assert found(store.check_records(part([line], "chk-2", "host"))) == {
        "r-1": ("missing_there", golden.amount_fen)
    }, "an answer stays what it was"
    store.close()
