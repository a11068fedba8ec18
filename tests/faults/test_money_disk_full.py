"""The disk is full: a clear refusal, nothing half done, and everything goes on when there is room."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import event

from hub.core.clock import ManualClock
from hub.core.database import Database, OutOfReach
from hub.ledger.tables import POSTING
from operator_sdk import ApiError
from operator_sdk.contract.codes import SessionState
from tests import databases
from tests.books import AT, Books, fund, spend, wallet
from tests.clearing_world import A, B
from tests.faults.cluster import OWNER, Cluster, as_owner, cluster_in
from tests.faults.test_edge_disk import fill_up
from tests.faults.world import insist, open_world, until
from tests.rig_charges import begin_by_home, charge_of

pytestmark = pytest.mark.faults

T = TypeVar("T")
MOST = 20_000
"""Messages after which a small disk is full for certain."""

LEDGER = (
    "ledger_account", "ledger_posting", "ledger_entry", "ledger_hold", "ledger_hold_event", "ledger_unsealed",
)  # fmt: skip


@contextmanager
def small_disk(folder: Path, size: str, **options: object) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir()
    words = ",".join([f"size={size}", *(f"{name}={value}" for name, value in options.items())])
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", words, "tmpfs", str(folder)], capture_output=True, check=False, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# A file of SQLite that may not grow, in this process.


class Cramped(Database):
    """A file with a limit in pages; none at first."""

    pages = 0

    def limit(self, pages: int) -> None:
        """From the next connection on."""
        self.pages = pages
        if not event.contains(self.engine.sync_engine, "connect", self._connected):
            event.listen(self.engine.sync_engine, "connect", self._connected)

    def _connected(self, connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA max_page_count = {self.pages or 1 << 30}")
        cursor.close()


def rows_of(url: str) -> list[Any]:
    """Everything in the books, past the hub."""
    eyes = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return [eyes.execute(f"SELECT * FROM {table}").fetchall() for table in LEDGER]
    finally:
        eyes.close()


async def until_full(work: Callable[[int], Awaitable[object]]) -> int:
    """Do something until it is refused for want of room; the number of the one that was refused."""
    for number in range(MOST):
        try:
            await work(number)
        except OutOfReach:
            return number
    raise AssertionError("it never became full")


async def test_a_file_without_room_refuses_and_goes_on_when_there_is_room() -> None:
    async with databases.fresh_url("sqlite") as url:
        database = Cramped(url, pool_size=1)
        books = Books(database, ManualClock(AT))
        await books.post("funds", fund("w1", 10**6))
        eyes = sqlite3.connect(url.removeprefix("sqlite:///"))
        (used,) = eyes.execute("PRAGMA page_count").fetchone()
        eyes.close()
        await database.engine.dispose()
        database.limit(used + 12)

        refused = await until_full(lambda number: books.post(f"p{number}", spend("w1", 1)))
        assert refused > 10
        steps: dict[str, Callable[[], Awaitable[object]]] = {
            "posting": lambda: books.post(f"p{refused}", spend("w1", 1)),
            "hold": lambda: books.hold("h" * 90, 10),
            "seal": books.jobs.seal,
        }
        without_room = [name for name, step in steps.items() if await _is_refused_whole(url, step)]
        assert without_room, "there is no room for everything"

        await database.engine.dispose()
        database.limit(0)
        for step in steps.values():
            await step()
        await books.capture("h" * 90, 4)
        await books.jobs.seal()
        balance = await books.balance(wallet())
        assert (balance.balance_fen, balance.held_fen) == (10**6 - (refused + 1) - 4, 0)
        await books.audit()
        await database.close()


async def _is_refused_whole(url: str, step: Callable[[], Awaitable[object]]) -> bool:
    before = rows_of(url)
    try:
        await step()
    except OutOfReach:
        assert rows_of(url) == before
        return True
    return False


# The hub in a process of its own, on a disk of a few megabytes.


async def test_a_hub_on_a_full_disk_answers_503_and_loses_nothing(tmp_path: Path) -> None:
    async with databases.fresh_url("sqlite") as empty:
        with small_disk(tmp_path / "disk", "12m") as disk:
            shutil.copyfile(empty.removeprefix("sqlite:///"), disk / "hub.db")
            async with asyncio.timeout(80), open_world(f"sqlite:///{disk}/hub.db", tmp_path) as world:
                hub = world.fleet.serve(world.url)
                await hub.answers(world.url)
                session = await begin_by_home(world.rig)
                charge = await charge_of(world.rig, session.session_id)
                await charge.push(charge.update(0))
                fill_up(disk / "ballast")
                problem = None
                while problem is None and charge.number < MOST:
                    update = charge.update(min(charge.number, 39))
                    try:
                        await charge.push(update)
                    except ApiError as said:
                        problem = said
                assert problem is not None
                assert (problem.status, problem.code) == (503, "unavailable")
                stored = [row.number for row in await world.rig.updates(charge.session_id)]
                assert stored == list(range(1, charge.number)), "all that was acknowledged, and no more"

                (disk / "ballast").unlink()
                await insist(lambda: charge.push(update))
                last = charge.update(40, SessionState.ENDED, reason="driver_local")
                await insist(lambda: charge.push(last))
                bill = charge.record()
                reply = await insist(lambda: world.rig.client(A).push_record(bill))
                assert (reply.state, reply.owed_fen) == ("accepted", 1_000)
                await world.forget_leases()

                async def settled() -> bool:
                    return (await world.rig.session(charge.session_id)).state == "settled"

                await until(settled)
                assert hub.alive
                assert await world.rig.obligations() == [(B, A, 1_000, "open")]


# PostgreSQL on a small disk.


@asynccontextmanager
async def small_cluster(tmp_path: Path) -> AsyncIterator[tuple[Cluster, Path]]:
    owner = {"uid": OWNER, "gid": OWNER, "mode": "700"} if as_owner() else {}
    with ExitStack() as stack:
        # Where a test's own folders are, only the test itself may go.
        folder = Path(stack.enter_context(_passable()))
        disk = stack.enter_context(small_disk(folder / "disk", "120m", **owner))
        async with cluster_in(disk) as cluster:
            yield cluster, disk


@contextmanager
def _passable() -> Iterator[str]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="interpile-disk-") as folder:
        os.chmod(folder, 0o755)
        yield folder


@pytest.mark.integration
async def test_a_postgresql_without_room_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with asyncio.timeout(90), small_cluster(tmp_path) as (cluster, disk):
        database = Database(cluster.url, pool_size=2)
        books = Books(database, ManualClock(AT))
        await books.post("funds", fund("w1", 10**6))
        acknowledged = 0
        for _ in range(200):
            await books.post(f"p{acknowledged}", spend("w1", 1))
            acknowledged += 1
        ballast = [disk / "ballast", disk / "more"]
        for file in ballast:  # a refused post may give back a little room, and that is not for long
            fill_up(file)
            acknowledged += await until_full(partial(spent, books, acknowledged))

        for file in ballast:
            file.unlink()
        await cluster.start()
        await database.engine.dispose()
        for number in range(acknowledged - 5, acknowledged + 20):
            await _insist(lambda: books.post(f"p{number}", spend("w1", 1)))  # noqa: B023 - awaited here
        async with database.reading() as unit:
            rows = (await unit.execute(POSTING.select())).all()
        assert {row.reference for row in rows} == {"funds", *(f"p{n}" for n in range(acknowledged + 20))}
        assert (await books.balance(wallet())).balance_fen == 10**6 - (acknowledged + 20)
        await books.jobs.seal()
        await books.audit()
        await database.close()


async def spent(books: Books, before: int, number: int) -> None:
    """One more posting, the next but `number`."""
    await books.post(f"p{before + number}", spend("w1", 1))


async def _insist(step: Callable[[], Awaitable[T]]) -> T:
    for _ in range(100):
        try:
            return await step()
        except OutOfReach:
            await asyncio.sleep(0.05)
    return await step()
