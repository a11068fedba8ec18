"""The ready inbox: each number once, all or none, and still there after a kill."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from operator_sdk import SqliteInbox
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.edge_link.frames import BadItem, HealthItem, Item, Stream, UpdateItem
from operator_sdk.contract.messages.roaming import SessionUpdate

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
SPOOL = ("site-1", "spool-1")
LIVE, BILLS = Stream.LIVE, Stream.BILLS
FIRST, SECOND = (f"ses_01980000-0000-7000-8000-{number:012d}" for number in (1, 2))


def health(number: int) -> HealthItem:
    return HealthItem(at=AT, can_frames=number, meter_frames=0, spool_waiting=0)


def update(session_id: str, number: int) -> UpdateItem:
    said = SessionUpdate(
        number=number,
        at=AT,
        state=SessionState.CHARGING,
        meter_wh=number,
        energy_wh=number,
        amount_fen=number,
        power_w=1,
    )
    return UpdateItem(session_id=session_id, update=said)


async def test_each_number_is_kept_once_and_a_gap_never(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    await inbox.store(*SPOOL, LIVE, 1, [health(1), health(2)])
    await inbox.store(*SPOOL, LIVE, 1, [health(1), health(2)])
    await inbox.store(*SPOOL, LIVE, 2, [health(2), health(3)])
    with pytest.raises(ValueError, match="5 after 3"):
        await inbox.store(*SPOOL, LIVE, 5, [health(5)])
    await inbox.store(*SPOOL, BILLS, 1, [health(9)])
    await inbox.store("site-1", "spool-2", LIVE, 1, [health(7)])
    assert await inbox.acknowledged(*SPOOL) == {LIVE: 3, BILLS: 1}
    assert await inbox.acknowledged("site-2", "spool-1") == {}
    kept = await inbox.waiting("health")
    assert [(one.stream, one.number) for one in kept] == [
        (LIVE, 1), (LIVE, 2), (LIVE, 3), (BILLS, 1), (LIVE, 1),
    ]  # fmt: skip
    await inbox.aclose()


async def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    await inbox.store(*SPOOL, LIVE, 1, [health(1)])
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute(
        "create trigger full before insert on inbox when new.number = 3"
        " begin select raise(abort, 'the disk is full'); end"
    )
    with pytest.raises(sqlite3.Error, match="full"):
        await inbox.store(*SPOOL, LIVE, 2, [health(2), health(3), health(4)])
    assert await inbox.acknowledged(*SPOOL) == {LIVE: 1}
    assert [one.number for one in await inbox.waiting("health")] == [1]
    other.execute("drop trigger full")
    other.close()
    await inbox.store(*SPOOL, LIVE, 2, [health(2), health(3), health(4)])
    assert [one.item for one in await inbox.waiting("health")] == [health(n) for n in (1, 2, 3, 4)]
    await inbox.aclose()


async def test_sessions_are_worked_off_in_order_and_what_is_done_can_be_forgotten(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    items: list[Item | BadItem] = [
        update(FIRST, 1),
        update(SECOND, 1),
        update(FIRST, 2),
        BadItem(raw=b"\xc1", problem="what?"),
    ]
    await inbox.store(*SPOOL, LIVE, 1, items)
    assert sorted(await inbox.waiting_sessions()) == [FIRST, SECOND]
    first = await inbox.next_of_session(FIRST)
    assert first is not None
    assert first.item == items[0]
    await inbox.done(first.position)
    second = await inbox.next_of_session(FIRST)
    assert second is not None
    await inbox.refused(second.position, "not_found")
    assert await inbox.next_of_session(FIRST) is None
    assert await inbox.waiting_sessions() == [SECOND]
    states = [(one.item, one.state, one.reason) for one in await inbox.of_session(FIRST)]
    assert states == [(items[0], "done", None), (items[2], "refused", "not_found")]
    (bad,) = await inbox.waiting("bad")
    assert isinstance(bad.item, BadItem)
    assert bad.item.raw == b"\xc1"
    assert await inbox.forget(second.position) == 1
    assert [one.item for one in await inbox.of_session(FIRST)] == [items[2]]
    assert await inbox.acknowledged(*SPOOL) == {LIVE: 4}
    await inbox.aclose()


async def test_the_loop_goes_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    inbox = SqliteInbox(tmp_path / "inbox.db")
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute("begin immediate")
    storing = asyncio.create_task(inbox.store(*SPOOL, LIVE, 1, [health(1)]))
    await asyncio.sleep(0.05)  # as long as it takes to see that nothing blocks
    assert not storing.done()
    other.execute("rollback")
    other.close()
    await storing
    assert await inbox.acknowledged(*SPOOL) == {LIVE: 1}
    await inbox.aclose()


PROGRAM = """
import asyncio, sys
from datetime import UTC, datetime
from operator_sdk import SqliteInbox
from operator_sdk.contract.edge_link.frames import HealthItem, Stream

async def main():
    inbox = SqliteInbox(sys.argv[1])
    for number in range(1, 100_000):
        at = datetime(2026, 3, 2, tzinfo=UTC)
        item = HealthItem(at=at, can_frames=number, meter_frames=0, spool_waiting=0)
        await inbox.store("site-1", "spool-1", Stream.LIVE, number, [item])
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.faults
def test_what_was_said_to_be_kept_outlives_a_kill(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "inbox.db")], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said = 0
    while said < 40:
        said = int(child.stdout.readline())
    os.kill(child.pid, signal.SIGKILL)
    said = int(([said, *map(int, child.stdout.read().split())])[-1])
    child.wait()
    child.stdout.close()
    durable, numbers = asyncio.run(_found(tmp_path / "inbox.db"))
    assert durable in {said, said + 1}
    assert numbers == list(range(1, durable + 1))


async def _found(path: Path) -> tuple[int, list[int]]:
    inbox = SqliteInbox(path)
    durable = (await inbox.acknowledged(*SPOOL))[LIVE]
    numbers = [one.number for one in await inbox.waiting("health", most=100_000)]
    await inbox.aclose()
    return durable, numbers
