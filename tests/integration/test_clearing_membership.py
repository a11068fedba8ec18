"""Every obligation is in one cycle, that of its booked day, whoever comes late and whoever cuts when."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from hub.clearing.entering import Claim
from hub.clearing.jobs import advance
from hub.clearing.tables import CycleRow, ObligationRow, lock_cycle
from hub.core.clock import ZONE, ManualClock, local_day
from hub.core.database import Database
from hub.parties.scope import HUB
from operator_sdk.contract.codes import Frequency
from operator_sdk.contract.messages.clearing import CycleResult
from tests.clearing_world import MIDNIGHT, A, B, C, Market, MortalDatabase, net, records
from tests.databases import fresh_url

SECOND, MOMENT = timedelta(seconds=1), timedelta(milliseconds=1)


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock).open()


@pytest.fixture
async def production(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock, env="production").open()


async def cycles(market: Market) -> dict[datetime | None, set[str]]:
    """The records of every cycle by its cut-off; each of them is in one only."""
    found: dict[datetime | None, set[str]] = {}
    seen: Counter[str] = Counter()
    for _, cycle in await market.clearing.cycles(HUB):
        inside = await market.clearing.members(HUB, cycle.cycle_id, limit=1_000)
        found[cycle.cutoff_at] = {one.record_id for one in inside if one.record_id is not None}
        seen.update(found[cycle.cutoff_at])
    assert set(seen.values()) <= {1}
    return found


def midnight(year: int, month: int, day: int) -> datetime:
    """In Shanghai."""
    return datetime(year, month, day, tzinfo=UTC) - ZONE


EDGES = [
    (Frequency.DAILY, (2026, 3, 3)),
    (Frequency.DAILY, (2028, 3, 1)),  # after the 29th of February
    (Frequency.WEEKLY, (2026, 3, 9)),  # a Monday
    (Frequency.WEEKLY, (2027, 1, 4)),  # a week of two years
    (Frequency.MONTHLY, (2026, 3, 1)),  # after 28 days
    (Frequency.MONTHLY, (2028, 3, 1)),  # after 29
    (Frequency.MONTHLY, (2026, 5, 1)),  # after 30
    (Frequency.MONTHLY, (2027, 1, 1)),  # after 31, and a year
]


@pytest.mark.parametrize(("frequency", "edge"), EDGES)
async def test_around_the_edge_of_a_period_the_booked_day_decides(
    production: Market, frequency: Frequency, edge: tuple[int, int, int]
) -> None:
    market, at = production, midnight(*edge)
    instants = [at - SECOND, at - MOMENT, at, at + MOMENT, at + SECOND]
    accepted = {}
    for instant in instants:
        # Nobody has cut anything off yet when the last of them comes.
        market.clock.now = instant
        accepted[instant] = await market.accept(B, A, 100, frequency=frequency)
    market.clock.now = at + timedelta(minutes=1)
    await advance(market.clearing, market.clock.business())
    found = await cycles(market)
    assert found[at] == {accepted[instant] for instant in instants if instant < at}
    assert found[None] == {accepted[instant] for instant in instants if instant >= at}
    ((_, cut), (_, opened)) = sorted(
        await market.clearing.cycles(HUB), key=lambda found: found[1].cutoff_at is None
    )
    assert (cut.frequency, cut.obligations, opened.opened_at) == (frequency, 2, at)


async def test_each_frequency_has_cycles_of_its_own(production: Market) -> None:
    market = production
    accepted = {one: await market.accept(B, A, 100, frequency=one) for one in Frequency}
    market.clock.now = midnight(2026, 4, 6) + timedelta(hours=1)
    await advance(market.clearing, market.clock.business())
    async with market.database.reading() as unit:
        rows = list((await unit.session.exec(select(CycleRow))).all())
    held = {row.frequency: row.cutoff_at for row in rows if row.obligations}
    assert held == {
        "daily": midnight(2026, 3, 3),
        "weekly": midnight(2026, 3, 9),
        "monthly": midnight(2026, 4, 1),
    }
    in_cycles = {one.record_id: one.cycle_id for one in await market.clearing.obligations(HUB)}
    found = {row.cycle_id: row for row in rows}
    for frequency, record_id in accepted.items():
        cycle = found[in_cycles[record_id] or ""]
        assert (cycle.frequency, cycle.cutoff_at) == (frequency, held[frequency])


async def test_currencies_are_not_netted_with_each_other(market: Market) -> None:
    in_yuan = await market.accept(B, A, 100)
    in_dollars = await market.accept(B, A, 70, currency="HKD")
    market.clock.now = MIDNIGHT
    yuan = await market.clearing.close_cycle(MIDNIGHT)
    dollars = await market.clearing.close_cycle(MIDNIGHT, currency="HKD")
    assert (records(yuan), net(yuan)[A]) == ({in_yuan}, 100)
    assert (records(dollars), net(dollars)[A]) == ({in_dollars}, 70)


async def test_a_cut_off_moves_only_who_came_after_it(market: Market) -> None:
    early = await market.accept(B, A, 100)
    market.clock.now = MIDNIGHT + SECOND
    await market.accept(B, A, 10)
    before = await rows_of(market)
    market.clock.advance(hours=1)
    await market.clearing.close_cycle(MIDNIGHT)
    after = await rows_of(market)
    moved = [record_id for record_id, row in after.items() if row.updated_at != before[record_id].updated_at]
    assert early not in moved, "the rest of the cycle is not written again"
    assert len(moved) == 1


async def rows_of(market: Market) -> dict[str | None, ObligationRow]:
    async with market.database.reading() as unit:
        rows = (await unit.session.exec(select(ObligationRow).where(col(ObligationRow.kind) == "charge"))).all()
    return {row.record_id: row for row in rows}


async def test_a_reinstated_obligation_enters_the_cycle_that_is_open_then(market: Market) -> None:
    disputed = await market.accept(B, A, 100, frequency=Frequency.WEEKLY)
    await market.dispute(disputed)
    assert (await rows_of(market))[disputed].cycle_id is None
    market.clock.now = midnight(2026, 3, 9)
    await market.clearing.close_cycle(market.clock.now, frequency=Frequency.WEEKLY)
    await market.reinstate(disputed)
    found = await cycles(market)
    assert (found[None], found[midnight(2026, 3, 9)]) == ({disputed}, set())


async def test_a_withdrawn_obligation_is_in_no_cycle_and_never_comes_back(market: Market) -> None:
    record_id = await market.accept(B, A, 100)
    await market.withdraw(record_id)
    assert (await rows_of(market))[record_id].state == "in_cycle", "only what is disputed is withdrawn"
    await market.dispute(record_id)
    await market.withdraw(record_id)
    await market.reinstate(record_id)
    await market.dispute(record_id)
    (owed,) = await market.clearing.obligations(HUB)
    assert (owed.state, owed.cycle_id) == ("withdrawn", None)
    market.clock.now = MIDNIGHT
    assert records(await market.clearing.close_cycle(MIDNIGHT)) == set()


async def test_what_a_default_left_is_claimed_in_the_next_cycle_of_its_kind_once(market: Market) -> None:
    await market.accept(B, A, 100, frequency=Frequency.WEEKLY)
    market.clock.now = midnight(2026, 3, 9)
    closed = await market.clearing.close_cycle(market.clock.now, frequency=Frequency.WEEKLY)
    claims = [Claim(B, A, 40), Claim(B, C, 2)]

    async def claim() -> list[str]:
        async with market.database.unit() as unit:
            cycle = await lock_cycle(unit, closed.cycle.cycle_id)
            assert cycle is not None
            return await market.clearing.open_cycles.add_claims(unit, cycle, claims)

    ids = await claim()
    with pytest.raises(DBAPIError, match=r"(?i)unique|replaced"):
        await claim()
    market.clock.now = midnight(2026, 3, 16)
    following = await market.clearing.close_cycle(market.clock.now, frequency=Frequency.WEEKLY)
    assert {(one.obligation_id, one.kind, one.claim_of) for one in following.obligations} == {
        (obligation_id, "claim", closed.cycle.cycle_id) for obligation_id in ids
    }
    assert (net(following)[B], net(following)[A], net(following)[C]) == (-42, 40, 2)


OTHERS = [
    ("UPDATE obligation SET cycle_id = '{frozen}' WHERE cycle_id = '{open}'", "frozen"),
    ("UPDATE obligation SET cycle_id = '{weekly}' WHERE cycle_id = '{open}'", "one currency and frequency"),
    ("UPDATE obligation SET cycle_id = NULL WHERE cycle_id = '{open}'", "membership"),
    ("UPDATE cycle SET frozen_at = NULL WHERE cycle_id = '{frozen}'", "frozen once"),
    ("UPDATE cycle SET frequency = 'weekly' WHERE cycle_id = '{frozen}'", "cut-off is made once"),
    ("UPDATE cycle SET state = 'fixed' WHERE cycle_id = '{frozen}'", "leaves no state out|positions"),
    ("UPDATE cycle SET state = 'open' WHERE cycle_id = '{frozen}'", "never goes back"),
]


async def test_the_database_itself_keeps_cycles_apart(production: Market) -> None:
    market = production
    await market.accept(B, A, 100)
    market.clock.now = MIDNIGHT
    frozen = (await market.clearing.close_cycle(MIDNIGHT)).cycle.cycle_id
    await market.accept(B, A, 100)
    await market.accept(B, A, 100, frequency=Frequency.WEEKLY)
    names = {"frozen": frozen}
    for _, cycle in await market.clearing.cycles(HUB):
        if cycle.state == "open":
            names["open" if cycle.frequency == "daily" else "weekly"] = cycle.cycle_id
    for statement, why in OTHERS:
        with pytest.raises(DBAPIError, match=why):
            async with market.database.unit() as unit:
                await (await unit.session.connection()).execute(text(statement.format(**names)))


@pytest.mark.faults
async def test_who_is_accepting_while_the_cycle_is_cut_off_is_still_in_it(
    kind: str, clock: ManualClock
) -> None:
    """The cut-off waits for nobody; freezing waits for whoever entered before it."""
    async with fresh_url(kind) as url:
        slow, closer = MortalDatabase(url, pool_size=3), Database(url, pool_size=3)
        try:
            accepting, closing = await Market(slow, clock).open(), Market(closer, clock)
            first = await accepting.accept(B, A, 1)
            await closing.clearing.names()
            slow.pause_s = 0.5
            entering = asyncio.create_task(accepting.accept(B, A, 100))
            await asyncio.sleep(0.2)
            clock.now = MIDNIGHT
            closed = await closing.clearing.close_cycle(MIDNIGHT)
            slow.pause_s = 0
            assert records(closed) == {first, await entering}
            late = await accepting.accept(B, A, 10)
            assert (await cycles(closing))[None] == {late}
        finally:
            await slow.close()
            await closer.close()


@pytest.mark.integration
@pytest.mark.faults
async def test_a_cycle_is_not_frozen_before_who_has_entered_it_has_come_to_an_end(clock: ManualClock) -> None:
    """Also where nothing was written yet: the cycle itself is held from the first moment on."""
    async with fresh_url("postgresql") as url:
        one, other = Database(url, pool_size=2), Database(url, pool_size=2)
        try:
            entering, closing = await Market(one, clock).open(), Market(other, clock)
            first = await entering.accept(B, A, 1)
            clock.now = MIDNIGHT
            entered = asyncio.Event()
            closed = asyncio.create_task(_close_after(entered, closing))
            async with one.unit() as unit:
                await entering.clearing.open_cycles.enter(
                    unit, currency="CNY", frequency=Frequency.DAILY, at=MIDNIGHT
                )
                entered.set()
                await asyncio.sleep(0.5)
                assert not closed.done()
            assert records(await closed) == {first}
        finally:
            await one.close()
            await other.close()


async def _close_after(told: asyncio.Event, closing: Market) -> CycleResult:
    await told.wait()
    return await closing.clearing.close_cycle(MIDNIGHT)


@pytest.mark.integration
@pytest.mark.faults
async def test_who_accepts_never_waits_for_a_cut_off_nor_a_cut_off_for_them(clock: ManualClock) -> None:
    async with fresh_url("postgresql") as url:
        slow, other = MortalDatabase(url, pool_size=3), Database(url, pool_size=3)
        try:
            holding, quick = (
                await Market(slow, clock, env="production").open(),
                Market(other, clock, "production"),
            )
            await holding.accept(B, A, 1)
            slow.pause_s = 2
            entering = asyncio.create_task(holding.accept(C, B, 100))
            await asyncio.sleep(0.3)
            clock.now = MIDNIGHT
            async with asyncio.timeout(1):
                cycle_id = await quick.clearing._cut_off(MIDNIGHT, "CNY", Frequency.DAILY, MIDNIGHT)
                await quick.accept(A, C, 10)
            assert not entering.done()
            await quick.clearing.carry_on(cycle_id, MIDNIGHT)
            assert (await quick.cycle(cycle_id)).obligations == 2
            await entering
        finally:
            await slow.close()
            await other.close()


async def test_a_cycle_cut_off_before_the_one_before_it_is_frozen_waits_for_it(market: Market) -> None:
    """A closer dies between cut-off and freezing; the next day's cut-off comes first to the scene."""
    first = await market.accept(B, A, 1)
    market.clock.now = MIDNIGHT + timedelta(hours=1)
    second = await market.accept(B, A, 2)
    market.clock.now = MIDNIGHT + timedelta(days=1, hours=1)
    third = await market.accept(B, A, 4)
    await market.clearing._cut_off(MIDNIGHT, "CNY", Frequency.DAILY, market.clock.business())
    next_day = await market.clearing.close_cycle(MIDNIGHT + timedelta(days=1))
    assert records(next_day) == {second}
    found = await cycles(market)
    assert (found[MIDNIGHT], found[None]) == ({first}, {third})


async def test_days_fall_into_their_cycles_however_late_they_are_closed(production: Market) -> None:
    market = production
    by_day: dict[str, set[str]] = {}
    for day in range(4):
        for hour in (0, 13, 23):
            market.clock.now = MIDNIGHT + timedelta(days=day - 1, hours=hour)
            if hour == 13 or day:
                record_id = await market.accept(B, A, 100)
                by_day.setdefault(local_day(market.clock.now), set()).add(record_id)
    market.clock.now = MIDNIGHT + timedelta(days=3, hours=1)
    await advance(market.clearing, market.clock.business())
    found = await cycles(market)
    for cutoff_at, inside in found.items():
        if cutoff_at is not None:
            assert inside == by_day[local_day(cutoff_at - MOMENT)]
    assert found[None] == set()
