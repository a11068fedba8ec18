"""The hub's clock is stepped, forward and backward: holds end at their time, no posting is passed over, and
every record is in one cycle."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from hub.auditor.verify import audit
from hub.core.clock import ManualClock, local_day
from hub.core.database import Database
from hub.core.errors import HubError
from hub.ledger.tables_days import closed_days
from hub.parties.scope import HUB
from operator_sdk.contract.public_codes import Code
from tests.books import AT, Books, fund, spend, wallet
from tests.clearing_world import MIDNIGHT, A, B, C, Market, records

pytestmark = pytest.mark.faults

STEP = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Books]:
    books = Books(database, ManualClock(AT))
    await books.post("funds", fund("w1", 10**6))
    yield books
    await books.audit()


async def states(books: Books, *references: str) -> list[str]:
    async with books.database.reading() as unit:
        holds = [await books.ledger.hold(unit, reference) for reference in references]
    return [hold.state.value for hold in holds if hold is not None]


async def test_a_hold_ends_at_its_time_and_no_clock_step_ends_it_before(books: Books) -> None:
    await books.hold("soon", 100, expires_at=AT + 5 * MINUTE)
    await books.hold("later", 100, expires_at=AT + 30 * MINUTE)
    await books.hold("never", 100)
    books.clock.now = AT - STEP
    assert await books.jobs.expire() == 0
    await books.hold("made back then", 100, expires_at=AT - 5 * MINUTE)
    assert (await books.balance(wallet())).held_fen == 400
    books.clock.now = AT
    assert await books.jobs.expire() == 1
    assert await states(books, "made back then", "soon", "later", "never") == ["expired", *["open"] * 3]
    books.clock.now = AT + STEP
    assert await books.jobs.expire() == 1
    books.clock.now = AT - STEP
    with pytest.raises(HubError) as refused:
        await books.capture("soon", 1)
    assert refused.value.code is Code.STATE_CONFLICT, "a clock set back brings no hold back"
    assert (await books.hold("soon", 100, expires_at=AT + 5 * MINUTE)).state == "expired"
    assert (await books.capture("later", 60)).captured_fen == 60
    books.clock.now = AT + timedelta(days=400)
    assert await books.jobs.expire() == 0
    assert await states(books, "soon", "later", "never") == ["expired", "captured", "open"]
    assert (await books.balance(wallet())).held_fen == 100


async def test_the_chain_covers_every_posting_whichever_way_time_goes(books: Books) -> None:
    lots = random.Random(20_260_302)
    true, days = MIDNIGHT - 30 * MINUTE, set()
    for number in range(40):
        true += lots.choice((1, 3, 20, 600)) * MINUTE
        books.clock.now = true + lots.choice((-1, 0, 0, 1)) * STEP
        await books.post(f"p{number}", spend("w1", 1 + number))
        days.add(local_day(books.clock.now))
        if number % 2:
            await books.jobs.round()
    books.clock.now = true + timedelta(days=2)
    await books.jobs.round()
    report = await audit(books.database.url)
    assert (report.problems, report.sealed, report.postings) == ([], 41, 41)
    async with books.database.reading() as unit:
        closed = await closed_days(unit, 100)
    assert sum(day.postings for day in closed) == 41
    assert {day.day for day in closed} <= days | {local_day(AT)}
    assert [day.seal_number for day in closed] == sorted((day.seal_number for day in closed), reverse=True)


async def test_a_day_is_closed_once_though_the_clock_goes_back_over_midnight(books: Books) -> None:
    books.clock.now = MIDNIGHT - MINUTE
    await books.post("before", spend("w1", 1))
    books.clock.now = MIDNIGHT + 9 * MINUTE
    await books.jobs.round()
    books.clock.now = MIDNIGHT - MINUTE
    await books.post("before, once more", spend("w1", 2))
    for now in (MIDNIGHT - MINUTE, MIDNIGHT + 9 * MINUTE, MIDNIGHT + timedelta(days=1, minutes=1)):
        books.clock.now = now
        await books.jobs.round()
    async with books.database.reading() as unit:
        closed = {day.day: day.postings for day in await closed_days(unit, 10)}
    assert closed == {local_day(AT): 2, local_day(MIDNIGHT): 1}


# Records around a cut-off.


async def accept_at(market: Market, now: datetime, home: str, host: str) -> str:
    market.clock.now = now
    return await market.accept(home, host, 100, ppm=10_000)


async def test_every_record_is_in_one_cycle_however_the_clock_goes_at_the_cut_off(database: Database) -> None:
    market = await Market(database, ManualClock(MIDNIGHT - STEP)).open()
    before = await accept_at(market, MIDNIGHT - MINUTE, B, A)
    ahead = await accept_at(market, MIDNIGHT + 9 * MINUTE, C, A)
    back = await accept_at(market, MIDNIGHT - MINUTE, B, C)
    market.clock.now = MIDNIGHT + MINUTE
    first = await market.clearing.close_cycle(MIDNIGHT)
    assert records(first) == {before, back}
    after_all = await accept_at(market, MIDNIGHT - 5 * MINUTE, A, C)
    with pytest.raises(HubError) as refused:
        await market.clearing.close_cycle(MIDNIGHT)
    assert refused.value.details == {"reason": "cutoff_in_the_future"}
    market.clock.now = MIDNIGHT + STEP
    assert await market.clearing.close_cycle(MIDNIGHT) == first, "a fixed day stays what it is"
    market.clock.now = MIDNIGHT + timedelta(days=1)
    second = await market.clearing.close_cycle(market.clock.now)
    assert records(second) == {ahead, after_all}
    await market.audit()


async def test_cycles_in_production_go_on_when_the_clock_is_right_again(database: Database) -> None:
    market = await Market(database, ManualClock(MIDNIGHT - STEP), env="production").open()
    lots, accepted = random.Random(7), set()
    true = MIDNIGHT - timedelta(hours=2)
    for _ in range(60):
        true += lots.choice((5, 30, 90)) * MINUTE
        market.clock.now = true + lots.choice((-1, 0, 0, 1)) * STEP
        accepted.add(await market.accept(*lots.choice(((B, A), (C, A), (A, C))), 100))
        await market.clearing.close_due(market.clock.business())
    market.clock.now = true + timedelta(days=3)
    for _ in range(72):
        market.clock.advance(hours=1)
        await market.clearing.close_due(market.clock.business())
    cycles = [cycle for _, cycle in await market.clearing.cycles(HUB) if cycle.state == "fixed"]
    assert len(cycles) >= 2
    netted = [
        record for cycle in cycles for record in records(await market.clearing.cycle_result(cycle.cycle_id))
    ]
    assert len(netted) == len(set(netted))
    assert {*netted} == accepted
    await market.audit()
