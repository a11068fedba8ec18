"""PostgreSQL itself is killed under load: what was acknowledged is there, and what is said again counts once.

`make faults ROUNDS=50` kills it more often than `make test` does.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy.engine import make_url
from sqlmodel import col, select

from hub.auditor.verify import audit
from hub.clearing.tables import CYCLE
from hub.core.clock import ManualClock
from hub.core.database import Database, OutOfReach, Unit
from hub.ledger.model import Account
from hub.ledger.tables import POSTING, LedgerUnsealed
from operator_sdk.contract.codes import SessionState
from operator_sdk.examples.demo.proxy import Channel
from tests.books import AT, Books, fund, spend, wallet
from tests.clearing_world import MIDNIGHT, A, B, Market
from tests.databases import fresh_url
from tests.faults.cluster import Cluster, own_cluster
from tests.faults.processes import free_port
from tests.faults.world import World, insist, open_world, until
from tests.rig_charges import Charge, begin_by_home, charge_of

pytestmark = [pytest.mark.faults, pytest.mark.integration]

T = TypeVar("T")
ROUNDS = int(os.environ.get("INTERPILE_FAULT_ROUNDS", "3"))
TELLERS, WALLETS = 6, 3
FUNDS_FEN = 10**9


@dataclass
class Tellers:
    """Keep booking until told to stop; each message has its reference, and is said until it is answered."""

    books: Books
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: dict[str, str] = field(default_factory=dict)
    captured: set[str] = field(default_factory=set)
    unknown: int = 0
    in_silence: int = 0

    async def work(self, number: int) -> None:
        name, turn = f"w{number % WALLETS}", 0
        while not self.stop.is_set():
            turn += 1
            reference = f"{number}-{turn}"
            if turn % 3:
                self.acknowledged[reference] = await self.said(reference, self._post(reference, name))
                continue
            await self.said(f"hold of {reference}", lambda: self.books.hold(reference, 7, name))  # noqa: B023
            await self.said(reference, lambda: self.books.capture(reference, 5, name))  # noqa: B023
            self.captured.add(reference)

    def _post(self, reference: str, name: str) -> Callable[[], Awaitable[str]]:
        return lambda: self.books.post(reference, spend(name, 1))

    async def said(self, reference: str, step: Callable[[], Awaitable[T]]) -> T:
        """Say it again and again until there is an answer."""
        failed = False
        while True:
            try:
                if failed and await self._is_booked(reference):
                    self.in_silence, failed = self.in_silence + 1, False
                return await step()
            except OutOfReach:
                self.unknown, failed = self.unknown + 1, True
                await asyncio.sleep(0.02)

    async def _is_booked(self, reference: str) -> bool:
        async with self.books.database.reading() as unit:
            found = await unit.execute(POSTING.select().where(POSTING.c.reference == reference))
            return found.first() is not None

    async def check(self) -> None:
        """Every message has its one posting, under the id that was answered."""
        async with self.books.database.reading() as unit:
            rows = (await unit.execute(POSTING.select())).all()
        stored = {row.reference: row.posting_id for row in rows if row.kind == "test"}
        assert self.acknowledged.items() <= stored.items(), "nothing that was acknowledged is lost"
        captures = [row.reference for row in rows if row.kind == "capture"]
        assert {*captures} == self.captured
        assert len(rows) == len(self.acknowledged) + len(self.captured) + WALLETS
        left_fen = 0
        for number in range(WALLETS):
            balance = await self.books.balance(wallet(f"w{number}"))
            assert balance.held_fen == 0
            left_fen += balance.balance_fen
        spent_fen = len(self.acknowledged) + 5 * len(self.captured)
        assert left_fen == WALLETS * FUNDS_FEN - spent_fen
        assert (await self.books.balance(Account(wallet().book, "payable", A))).balance_fen == spent_fen


async def test_what_was_acknowledged_is_booked_once_whenever_it_dies(
    record_property: Callable[[str, object], None],
) -> None:
    lots = random.Random(20_260_302)
    async with asyncio.timeout(60 + 5 * ROUNDS), own_cluster() as cluster:
        database = Database(cluster.url, pool_size=TELLERS + 1)
        books = Books(database, ManualClock(AT))
        for number in range(WALLETS):
            await books.post(f"funds {number}", fund(f"w{number}", FUNDS_FEN), kind="funds")
        tellers = Tellers(books)
        working = [asyncio.create_task(tellers.work(number)) for number in range(TELLERS)]
        try:
            for _ in range(ROUNDS):
                await asyncio.sleep(lots.uniform(0.2, 0.6))
                before = len(tellers.acknowledged)
                cluster.kill()
                await cluster.start()
                await until(lambda: _more(tellers, before + TELLERS))  # noqa: B023 - awaited here
            tellers.stop.set()
            await asyncio.gather(*working)
            await books.jobs.seal()
            await tellers.check()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await database.close()
        report = await audit(cluster.url)
        assert report.verified, report.problems
        assert report.sealed == report.postings
        assert tellers.unknown >= ROUNDS, "each kill left somebody without an answer"
        record_property(
            "killed", f"{ROUNDS} kills, {report.postings} postings, {tellers.in_silence} in silence"
        )


async def _more(tellers: Tellers, than: int) -> bool:
    return len(tellers.acknowledged) > than


# The hub beside it.


async def test_a_hub_whose_postgresql_dies_owes_every_acknowledged_record_once(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(90),
        own_cluster() as cluster,
        open_world(cluster.url, tmp_path) as world,
    ):
        hub = world.fleet.serve(world.url)
        await hub.answers(world.url)
        charges = [await charge_of(world.rig, (await begin_by_home(world.rig)).session_id) for _ in range(4)]
        killing = asyncio.create_task(_kill_now_and_then(cluster, 2))
        replies = await asyncio.gather(*(_charge_and_bill(charge, killing) for charge in charges))
        await killing
        assert hub.alive
        await world.rig.hub.database.engine.dispose()
        assert [(reply.state, reply.owed_fen) for reply in replies] == [("accepted", 1_000)] * 4
        for charge in charges:
            stored = [row.number for row in await world.rig.updates(charge.session_id)]
            assert stored == list(range(1, charge.number + 1))
        await _settles(world, charges)
        assert await world.rig.obligations() == [(B, A, 1_000, "open")] * 4
        assert (await world.rig.exposure())[0] == 4_000


async def _kill_now_and_then(cluster: Cluster, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.4)
        cluster.kill()
        await cluster.start()


async def _charge_and_bill(charge: Charge, while_this: "asyncio.Task[None]"):
    """Updates as long as there is danger, then the last one and the bill, said once more for good measure."""
    while not while_this.done():
        update = charge.update(min(charge.number, 39))
        await insist(lambda: charge.push(update))  # noqa: B023 - awaited within this round
        await asyncio.sleep(0.01)
    last = charge.update(40, SessionState.ENDED, reason="driver_local")
    await insist(lambda: charge.push(last))
    bill = charge.record()
    first = await insist(lambda: charge.rig.client(A).push_record(bill))
    again = await insist(lambda: charge.rig.client(A).push_record(bill))
    assert first == again
    return first


async def _settles(world: World, charges: list[Charge]) -> None:
    await world.forget_leases()

    async def done() -> bool:
        states = [(await world.rig.session(charge.session_id)).state for charge in charges]
        return set(states) == {"settled"} and not await world.rig.rows(LedgerUnsealed)

    await until(done)


# The commit is made, and its answer is lost: by the suite's own proxy, before the very commit.


class Deaf(Database):
    """Hears nothing of what becomes of its commits, as often as it is told."""

    channel: Channel
    times = 0

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Unit]:
        async with super().unit() as unit:
            yield unit
            if self.times:
                self.times -= 1
                self.channel.obey("drop_answers")

    async def said(self, step: Callable[[], Awaitable[T]]) -> T:
        """Say it, hear nothing, and say it again."""
        self.times = 1
        with pytest.raises(OutOfReach):
            await step()
        self.channel.obey("pass")
        return await step()


@asynccontextmanager
async def deaf() -> AsyncIterator[tuple[Deaf, str]]:
    """A database behind a proxy, and its address without one."""
    async with fresh_url("postgresql") as url:
        there = make_url(url)
        target = (there.host or "127.0.0.1", there.port or 5432)
        channel = Channel("database", ("127.0.0.1", free_port()), target)
        server = await channel.serve()
        near = there.set(host="127.0.0.1", port=channel.listen[1]).render_as_string(hide_password=False)
        database = Deaf(near, pool_size=2)
        database.channel = channel
        try:
            yield database, url
        finally:
            await database.close()
            channel.obey("cut")
            server.close()
            await until(lambda: _all_are_gone(channel))


async def _all_are_gone(channel: Channel) -> bool:
    return not channel.open


async def test_a_commit_whose_answer_was_lost_counts_once_however_often_it_is_said() -> None:
    async with asyncio.timeout(60), deaf() as (database, url):
        books = Books(database, ManualClock(AT))
        await database.said(lambda: books.post("funds", fund("w1", 1_000)))
        for number in range(4):
            await database.said(lambda: books.post(f"p{number}", spend("w1", 10)))  # noqa: B023 - awaited here
        held = await database.said(lambda: books.hold("h1", 300))
        captured = await database.said(lambda: books.capture("h1", 200))
        await books.hold("h2", 100, expires_at=AT + timedelta(hours=1))
        voided = await database.said(lambda: books.void("h2"))
        assert (held.state, captured.captured_fen, voided.state) == ("open", 200, "voided")
        balance = await books.balance(wallet())
        assert (balance.balance_fen, balance.held_fen, balance.version) == (1_000 - 40 - 200, 0, 6)
        await database.said(books.jobs.seal)
        report = await audit(url)
        assert (report.verified, report.postings, report.sealed) == (True, 6, 6)


async def test_a_closing_none_of_whose_commits_is_answered_is_made_once() -> None:
    async with asyncio.timeout(60), deaf() as (database, url):
        market = await Market(database, ManualClock(AT)).open()
        await market.trade()
        market.clock.now = MIDNIGHT
        for _ in range(12):
            database.times = 1
            with pytest.raises(OutOfReach):
                await market.clearing.close_cycle(MIDNIGHT)
            database.channel.obey("pass")
        result = await market.clearing.close_cycle(MIDNIGHT)
        assert result.cycle.state == "fixed"
        async with database.reading() as unit:
            states = (await unit.execute(select(CYCLE.c.state).order_by(CYCLE.c.opened_at))).scalars().all()
            kinds = (await unit.execute(select(col(POSTING.c.kind)))).scalars().all()
        assert sorted(states) == ["fixed", "open"]
        assert sorted(kinds) == ["commission", "cycle_gross", "cycle_net", *["obligation"] * 3]
        report = await audit(url)
        assert report.verified, report.problems
