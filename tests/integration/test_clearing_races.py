"""Several close a cycle at once, and any of them may die anywhere: there is one result."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlmodel import func, select

from hub.clearing.jobs import advance
from hub.clearing.tables import CycleRow, ObligationRow
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.ledger.tables import LedgerPosting
from hub.parties.scope import HUB
from operator_sdk.contract.messages.clearing import CycleResult
from tests.clearing_world import MIDNIGHT, A, B, C, Killed, Market, MortalDatabase, net, records
from tests.databases import fresh_url

pytestmark = pytest.mark.faults

STEPS = 6
"""Units of a closing: cut off, freeze, commission, net, propose, fix."""


@asynccontextmanager
async def closers(kind: str, clock: ManualClock, count: int) -> AsyncIterator[list[Market]]:
    """Hubs over one database, each with connections of its own."""
    async with fresh_url(kind) as url:
        databases = [MortalDatabase(url, pool_size=3) for _ in range(count)]
        markets = [Market(database, clock) for database in databases]
        try:
            await markets[0].open()
            yield markets
            await markets[0].audit()
        finally:
            for database in databases:
                await database.close()


async def dawdle(markets: list[Market]) -> None:
    """Connect everybody first and let units take their time, so that they do meet."""
    await asyncio.gather(*(market.clearing.names() for market in markets))
    for market in markets:
        assert isinstance(market.database, MortalDatabase)
        market.database.pause_s = 0.01


async def postings(database: Database) -> dict[str, int]:
    async with database.reading() as unit:
        rows = await unit.session.exec(select(LedgerPosting.kind, func.count()).group_by(LedgerPosting.kind))
        return dict(rows.all())


async def test_five_close_at_once_and_there_is_one_result(kind: str, clock: ManualClock) -> None:
    async with closers(kind, clock, 5) as markets:
        for _ in range(3):
            await markets[0].trade()
        clock.now = MIDNIGHT
        await dawdle(markets)
        results = await asyncio.gather(*(m.clearing.close_cycle(MIDNIGHT) for m in markets))
        assert all(result == results[0] for result in results)
        assert results[0].cycle.state == "fixed"
        assert await postings(markets[0].database) == {
            "obligation": 9,
            "commission": 1,
            "cycle_gross": 1,
            "cycle_net": 1,
        }
        async with markets[0].database.reading() as unit:
            assert (await unit.session.exec(select(func.count()).select_from(CycleRow))).one() == 2


@pytest.mark.parametrize("after_commit", [False, True], ids=["before_commit", "after_commit"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_a_closer_that_dies_at_any_step_is_taken_over(
    kind: str, clock: ManualClock, step: int, after_commit: bool
) -> None:
    async with closers(kind, clock, 3) as markets:
        dying, rescuing, third = markets
        traded = await dying.trade()
        clock.now = MIDNIGHT
        assert isinstance(dying.database, MortalDatabase)
        dying.database.units_left, dying.database.after_commit = step, after_commit
        with pytest.raises(Killed):
            await dying.clearing.close_cycle(MIDNIGHT)
        late = await rescuing.accept(B, A, 1)
        results = await asyncio.gather(
            rescuing.clearing.close_cycle(MIDNIGHT), third.clearing.close_cycle(MIDNIGHT)
        )
        assert results[0] == results[1]
        assert results[0].cycle.digest == await undisturbed_digest(rescuing, results[0])
        assert records(results[0]) == set(traded)
        assert late not in records(results[0])
        assert sum(net(results[0]).values()) == 0
        assert (await postings(third.database))["cycle_net"] == 1


async def undisturbed_digest(market: Market, result: CycleResult) -> str:
    """The digest as anybody can compute it from the obligations, sorted by a hand of its own."""
    lines = []
    for one in sorted(result.obligations, key=lambda o: o.obligation_id, reverse=True):
        row = await market.obligation(one.obligation_id)
        fields = [one.obligation_id, one.kind, one.debtor, one.creditor, one.amount_fen, row.currency]
        fields += [one.booked_day, one.record_id]
        lines.append(json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n")
    return hashlib.sha256("".join(reversed(lines)).encode()).hexdigest()


async def test_five_that_die_one_after_another_still_come_to_one_result(kind: str, clock: ManualClock) -> None:
    async with closers(kind, clock, 6) as markets:
        traded = await markets[0].trade()
        clock.now = MIDNIGHT
        for step, market in enumerate(markets[:5], 1):
            assert isinstance(market.database, MortalDatabase)
            market.database.units_left, market.database.after_commit = step, bool(step % 2)
        outcomes = await asyncio.gather(
            *(m.clearing.close_cycle(MIDNIGHT) for m in markets[:5]), return_exceptions=True
        )
        assert all(isinstance(one, Killed | CycleResult) for one in outcomes)
        assert any(isinstance(one, Killed) for one in outcomes)
        result = await markets[5].clearing.close_cycle(MIDNIGHT)
        assert result.cycle.state == "fixed"
        assert records(result) == set(traded)
        assert all(one == result for one in outcomes if isinstance(one, CycleResult))


async def test_what_a_crash_left_is_finished_by_the_jobs_alone(kind: str, clock: ManualClock) -> None:
    async with closers(kind, clock, 2) as markets:
        await markets[0].trade()
        clock.now = MIDNIGHT
        assert isinstance(markets[0].database, MortalDatabase)
        markets[0].database.units_left = 3
        with pytest.raises(Killed):
            await markets[0].clearing.close_cycle(MIDNIGHT)
        (cycle_id,) = await advance(markets[1].clearing, clock.business())
        assert (await markets[1].cycle(cycle_id)).state == "fixed"


async def test_a_closer_behind_the_clock_of_one_that_died_still_fixes_the_cycle(
    kind: str, clock: ManualClock
) -> None:
    async with closers(kind, clock, 2) as markets:
        dying, rescuing = markets
        await dying.trade()
        clock.now = MIDNIGHT
        ahead = Market(dying.database, ManualClock(MIDNIGHT + timedelta(seconds=2)))
        assert isinstance(dying.database, MortalDatabase)
        dying.database.units_left, dying.database.after_commit = STEPS - 1, True
        with pytest.raises(Killed):
            await ahead.clearing.close_cycle(MIDNIGHT)
        assert (await rescuing.clearing.close_cycle(MIDNIGHT)).cycle.state == "fixed"


async def test_two_cut_offs_at_once_make_two_cycles_in_their_order(kind: str, clock: ManualClock) -> None:
    async with closers(kind, clock, 2) as markets:
        early = await markets[0].accept(B, A, 100)
        clock.now = MIDNIGHT + timedelta(hours=1)
        late = await markets[0].accept(B, A, 10)
        clock.now = MIDNIGHT + timedelta(days=1)
        await dawdle(markets)
        outcomes = await asyncio.gather(
            markets[0].clearing.close_cycle(MIDNIGHT),
            markets[1].clearing.close_cycle(MIDNIGHT + timedelta(days=1)),
            return_exceptions=True,
        )
        second = outcomes[1]
        assert isinstance(second, CycleResult)
        if isinstance(outcomes[0], CycleResult):
            assert (records(outcomes[0]), records(second)) == ({early}, {late})
        else:
            assert isinstance(outcomes[0], HubError)
            assert records(second) == {early, late}


async def test_every_record_enters_exactly_one_cycle_while_cycles_are_cut_around_it(
    kind: str, clock: ManualClock
) -> None:
    async with closers(kind, clock, 3) as markets:
        clock.now = MIDNIGHT
        first = await markets[0].accept(B, A, 1, at=MIDNIGHT)
        accepted = [first]

        async def accepting(market: Market) -> None:
            for fen in range(1, 9):
                for home, host in ((A, C), (C, A)):
                    record_id = await market.accept(home, host, fen * 100, ppm=10_000)
                    accepted.append(record_id)

        async def cutting(market: Market) -> None:
            for _ in range(6):
                clock.advance(seconds=1)
                await market.clearing.close_cycle(clock.now)

        await dawdle(markets)
        await asyncio.gather(accepting(markets[0]), accepting(markets[1]), cutting(markets[2]))
        clock.advance(seconds=1)
        await markets[2].clearing.close_cycle(clock.now)
        netted = [
            record_id
            for _, cycle in await markets[2].clearing.cycles(HUB)
            for record_id in records(await markets[2].clearing.cycle_result(cycle.cycle_id))
        ]
        assert {*netted} == {*accepted}
        assert len(netted) == len(set(netted)) == 33


async def test_a_dispute_that_races_the_closing_is_out_whole_or_in_whole(kind: str, clock: ManualClock) -> None:
    async with closers(kind, clock, 2) as markets:
        disputed, *others = await markets[0].trade()
        clock.now = MIDNIGHT
        await dawdle(markets)
        outcomes = await asyncio.gather(
            markets[0].clearing.close_cycle(MIDNIGHT),
            markets[1].dispute(disputed),
            return_exceptions=True,
        )
        closed, refused = outcomes
        assert isinstance(closed, CycleResult)
        expected = {disputed, *others} if isinstance(refused, HubError) else set(others)
        assert records(closed) == expected
        async with markets[0].database.reading() as unit:
            statement = select(ObligationRow.state).where(ObligationRow.record_id == disputed)
            state = (await unit.session.exec(statement)).one()
        assert state == ("in_cycle" if isinstance(refused, HubError) else "disputed")
        assert closed.cycle.digest == await undisturbed_digest(markets[0], closed)
