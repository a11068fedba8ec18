"""The life of a cycle, on both engines: cut off, netted, fixed, and never again."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from hub.clearing.entering import derived_id
from hub.clearing.jobs import advance
from hub.clearing.tables import CycleRow
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.scope import HUB
from operator_sdk.contract.messages.common import HubId
from operator_sdk.contract.public_codes import Code
from tests.clearing_world import HUB_PARTY, MIDNIGHT, A, B, C, Market, net, records


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock).open()


@pytest.fixture
async def production(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock, env="production").open()


async def states(market: Market) -> list[str]:
    async with market.database.reading() as unit:
        rows = await unit.session.exec(select(CycleRow.state).order_by(col(CycleRow.opened_at)))
        return list(rows.all())


async def test_an_accepted_record_is_owed_and_stands_gross_in_the_books(market: Market) -> None:
    record_id = await market.accept(B, A, 10_000)
    (owed,) = await market.clearing.obligations(HUB)
    assert (owed.debtor, owed.creditor, owed.amount_fen, owed.state) == (B, A, 10_000, "open")
    assert owed.record_id == record_id
    assert owed.booked_day == "2026-03-02"
    (cycle,) = [cycle for _, cycle in await market.clearing.cycles(HUB)]
    assert (owed.cycle_id, cycle.state) == (cycle.cycle_id, "open")
    assert await market.posted("receivable", B) == 10_000
    assert await market.posted("payable", A) == 10_000
    assert await states(market) == ["open"]


async def test_a_record_accepted_twice_is_owed_once(market: Market) -> None:
    record_id = await market.accept(B, A, 10_000)
    await market.accept(B, A, 10_000, record_id=record_id)
    assert len(await market.clearing.obligations(HUB)) == 1
    assert await market.posted("receivable", B) == 10_000


@pytest.mark.parametrize(("home", "host", "fen"), [(A, A, 10_000), (B, A, 0)])
async def test_nothing_is_owed_to_oneself_or_for_nothing(
    market: Market, home: str, host: str, fen: int
) -> None:
    await market.accept(home, host, fen)
    assert await market.clearing.obligations(HUB) == []


async def test_a_day_is_cut_off_netted_and_fixed_with_commission(market: Market) -> None:
    traded = await market.trade()
    market.clock.now = MIDNIGHT + timedelta(seconds=1)
    result = await market.clearing.close_cycle(MIDNIGHT)
    assert result.cycle.state == "fixed"
    assert result.cycle.cutoff_at == MIDNIGHT
    assert records(result) == set(traded)
    commission = {o.debtor: o.amount_fen for o in result.obligations if o.kind == "commission"}
    assert commission == {A: 200 + 11, B: 30}
    assert net(result) == {
        A: 10_000 + 555 - 3_000 - 211,
        B: 3_000 - 10_000 - 30,
        C: -555,
        HUB_PARTY: 241,
    }
    assert result.cycle.obligations == len(result.obligations) == 5
    assert await states(market) == ["fixed", "open"]


async def test_a_fixed_cycle_leaves_the_net_in_the_books_and_itself_at_zero(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT + timedelta(hours=1)
    await market.accept(C, B, 77)
    result = await market.clearing.close_cycle(MIDNIGHT)
    later = {A: (0, 0), B: (0, 77), C: (77, 0), HUB_PARTY: (0, 0)}
    for party, fen in net(result).items():
        assert await market.posted("receivable", party) == max(0, -fen) + later[party][0]
        assert await market.posted("payable", party) == max(0, fen) + later[party][1]
    assert await market.posted("cycle", result.cycle.cycle_id) == 0
    await market.audit()


async def test_the_id_of_a_commission_follows_from_cycle_and_host(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT
    result = await market.clearing.close_cycle(MIDNIGHT)
    ids = {o.obligation_id for o in result.obligations if o.kind == "commission"}
    assert ids == {derived_id(MIDNIGHT, result.cycle.cycle_id, host, HUB_PARTY) for host in (A, B)}
    assert len(ids) == 2
    for obligation_id in ids:
        msgspec.convert(obligation_id, HubId)


async def test_everybody_is_listed_even_who_neither_pays_nor_receives(market: Market) -> None:
    await market.accept(B, A, 100)
    market.clock.now = MIDNIGHT
    assert net(await market.clearing.close_cycle(MIDNIGHT)) == {A: 100, B: -100, C: 0, HUB_PARTY: 0}


async def test_the_booked_day_decides_and_the_membership_is_frozen(market: Market) -> None:
    moment = timedelta(milliseconds=1)
    before = await market.accept(B, A, 100, at=MIDNIGHT - moment)
    after = await market.accept(B, A, 10, at=MIDNIGHT)
    market.clock.now = MIDNIGHT + timedelta(days=1)
    first = await market.clearing.close_cycle(MIDNIGHT)
    late = await market.accept(B, A, 1, at=MIDNIGHT - moment)
    assert (await market.clearing.close_cycle(MIDNIGHT)) == first
    second = await market.clearing.close_cycle(MIDNIGHT + timedelta(days=1))
    assert records(first) == {before}
    assert records(second) == {after, late}


async def test_inside_a_day_the_instant_of_acceptance_decides(market: Market) -> None:
    noon = market.clock.now
    early = await market.accept(B, A, 100, at=noon - timedelta(hours=3))
    at_cutoff = await market.accept(B, A, 10, at=noon)
    market.clock.advance(hours=1)
    assert records(await market.clearing.close_cycle(noon)) == {early}
    market.clock.now = MIDNIGHT
    assert records(await market.clearing.close_cycle(MIDNIGHT)) == {at_cutoff}


async def test_the_same_cut_off_again_gives_the_same_result_and_posts_nothing(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT
    first = await market.clearing.close_cycle(MIDNIGHT)
    market.clock.advance(hours=5)
    assert await market.clearing.close_cycle(MIDNIGHT) == first
    assert await states(market) == ["fixed", "open"]


async def test_a_cut_off_in_the_future_is_refused(market: Market) -> None:
    await market.trade()
    with pytest.raises(HubError) as refused:
        await market.clearing.close_cycle(market.clock.now + timedelta(milliseconds=1))
    assert refused.value.code is Code.RULE_VIOLATED
    assert await states(market) == ["open"]


async def test_a_cut_off_before_the_last_one_is_refused(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT
    await market.clearing.close_cycle(MIDNIGHT)
    with pytest.raises(HubError) as refused:
        await market.clearing.close_cycle(MIDNIGHT - timedelta(hours=1))
    assert refused.value.code is Code.STATE_CONFLICT
    assert await states(market) == ["fixed", "open"]


async def test_nothing_is_closed_before_there_was_anything(market: Market) -> None:
    with pytest.raises(HubError) as refused:
        await market.clearing.close_cycle(market.clock.now)
    assert refused.value.code is Code.STATE_CONFLICT
    with pytest.raises(NotFoundError):
        await market.clearing.cycle_result("cyc_none")


async def test_an_empty_day_closes_too(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT + timedelta(days=1)
    await market.clearing.close_cycle(MIDNIGHT)
    empty = await market.clearing.close_cycle(MIDNIGHT + timedelta(days=1))
    assert (empty.cycle.state, empty.obligations, set(net(empty).values())) == ("fixed", [], {0})


async def test_a_dispute_before_the_cut_off_keeps_the_obligation_out_until_it_returns_whole(
    market: Market,
) -> None:
    disputed, *others = await market.trade()
    await market.dispute(disputed)
    await market.dispute(disputed)
    market.clock.now = MIDNIGHT + timedelta(days=1)
    first = await market.clearing.close_cycle(MIDNIGHT)
    assert records(first) == set(others)
    assert await market.posted("receivable", B) == 10_000, "the claim keeps standing gross"
    await market.reinstate(disputed)
    second = await market.clearing.close_cycle(MIDNIGHT + timedelta(days=1))
    assert records(second) == {disputed}
    assert net(second)[B] == -10_000


async def test_a_dispute_after_fixing_is_refused_and_changes_nothing(market: Market) -> None:
    disputed, *_ = await market.trade()
    market.clock.now = MIDNIGHT
    result = await market.clearing.close_cycle(MIDNIGHT)
    with pytest.raises(HubError) as refused:
        await market.dispute(disputed)
    assert refused.value.code is Code.STATE_CONFLICT
    assert await market.clearing.cycle_result(result.cycle.cycle_id) == result


async def test_a_record_without_an_obligation_has_nothing_to_dispute(market: Market) -> None:
    await market.dispute("rec_of_home_and_host_in_one")
    await market.reinstate("rec_of_home_and_host_in_one")


async def test_in_production_closing_cuts_off_and_the_rest_waits_for_its_hour(production: Market) -> None:
    market = production
    traded = await market.trade()
    market.clock.now = MIDNIGHT + timedelta(minutes=1)
    cut = await market.clearing.close_cycle(MIDNIGHT)
    assert (cut.cycle.state, cut.positions, records(cut)) == ("cut_off", [], set(traded))
    cycle_id = cut.cycle.cycle_id

    async def at(hour: int, minute: int = 0) -> str:
        market.clock.now = MIDNIGHT + timedelta(hours=hour, minutes=minute)
        await advance(market.clearing, market.clock.business())
        return (await market.cycle(cycle_id)).state

    assert await at(3, 59) == "cut_off"
    assert await at(4) == "proposed"
    assert (await market.cycle(cycle_id)).disputes_until == MIDNIGHT + timedelta(hours=14)
    assert await at(14, 4) == "proposed"
    assert await at(14, 5) == "fixed"
    assert sum(net(await market.clearing.cycle_result(cycle_id)).values()) == 0


async def test_a_proposed_cycle_is_netted_anew_without_what_is_disputed(production: Market) -> None:
    market = production
    disputed, _, _ = await market.trade()
    market.clock.now = MIDNIGHT + timedelta(hours=4)
    await market.clearing.close_cycle(MIDNIGHT)
    (cycle_id,) = await advance(market.clearing, market.clock.business())
    before = await market.clearing.cycle_result(cycle_id)
    market.clock.now = MIDNIGHT + timedelta(hours=14)
    await market.dispute(disputed)
    without = await market.clearing.cycle_result(cycle_id)
    assert (without.cycle.state, without.cycle.digest, without.positions) == ("proposed", None, [])
    assert without.cycle.obligations == before.cycle.obligations - 1
    assert await advance(market.clearing, market.clock.business()) == [cycle_id]
    after = await market.clearing.cycle_result(cycle_id)
    assert after.cycle.state == "proposed"
    assert after.cycle.digest != before.cycle.digest
    assert after.cycle.obligations == before.cycle.obligations - 1
    assert net(after) == {A: 555 - 3_000 - 11, B: 3_000 - 30, C: -555, HUB_PARTY: 41}
    market.clock.now = MIDNIGHT + timedelta(hours=14, minutes=5)
    await advance(market.clearing, market.clock.business())
    fixed = await market.clearing.cycle_result(cycle_id)
    assert net(fixed) == net(after)
    assert await market.posted("receivable", B) == 10_000
    assert await market.posted("payable", HUB_PARTY) == 41


async def test_a_commission_on_nothing_is_withdrawn_and_still_listed(production: Market) -> None:
    market = production
    only = await market.accept(B, A, 10_000, ppm=20_000)
    market.clock.now = MIDNIGHT + timedelta(hours=4)
    await market.clearing.close_cycle(MIDNIGHT)
    await advance(market.clearing, market.clock.business())
    await market.dispute(only)
    await advance(market.clearing, market.clock.business())
    listed = {o.kind: (o.state, o.cycle_id) for o in await market.clearing.obligations(HUB)}
    assert listed == {"charge": ("disputed", None), "commission": ("withdrawn", None)}


async def test_between_the_end_of_disputes_and_fixing_silence_has_consented(production: Market) -> None:
    market = production
    disputed, *_ = await market.trade()
    market.clock.now = MIDNIGHT + timedelta(hours=4)
    await market.clearing.close_cycle(MIDNIGHT)
    await advance(market.clearing, market.clock.business())
    market.clock.now = MIDNIGHT + timedelta(hours=14, minutes=1)
    with pytest.raises(HubError) as refused:
        await market.dispute(disputed)
    assert refused.value.code is Code.STATE_CONFLICT


async def test_days_nobody_closed_are_closed_one_by_one_with_a_full_window_to_dispute(
    production: Market,
) -> None:
    market = production
    for day in range(3):
        market.clock.now = MIDNIGHT + timedelta(days=day - 1, hours=9)
        await market.accept(B, A, 100 + day)
    market.clock.now = MIDNIGHT + timedelta(days=3, hours=13)
    await advance(market.clearing, market.clock.business())
    rows = await market.clearing.cycles(HUB)
    cut = sorted((c.cutoff_at, c.obligations, c.state) for _, c in rows if c.cutoff_at)
    assert cut == [
        (MIDNIGHT, 1, "proposed"),
        (MIDNIGHT + timedelta(days=1), 1, "proposed"),
        (MIDNIGHT + timedelta(days=2), 1, "proposed"),
        (MIDNIGHT + timedelta(days=3), 0, "proposed"),
    ]
    proposed = [await market.cycle(c.cycle_id) for _, c in rows if c.cutoff_at]
    assert {row.disputes_until for row in proposed} == {MIDNIGHT + timedelta(days=4, hours=14)}
    assert await advance(market.clearing, market.clock.business()) == []


FIXED_STAYS_FIXED = [
    "UPDATE cycle_position SET amount_fen = amount_fen + 1 WHERE cycle_id = '{cycle}'",
    "DELETE FROM cycle_position WHERE cycle_id = '{cycle}'",
    "INSERT INTO cycle_position (cycle_id, party_id, amount_fen) VALUES ('{cycle}', 'MA5XXXXX9', 0)",
    "UPDATE obligation SET cycle_id = NULL, state = 'open' WHERE cycle_id = '{cycle}'",
    "UPDATE obligation SET cycle_id = '{cycle}' WHERE cycle_id <> '{cycle}'",
    "UPDATE obligation SET amount_fen = 1 WHERE kind = 'commission' AND cycle_id = '{cycle}'",
    "UPDATE obligation SET amount_fen = amount_fen + 1 WHERE cycle_id <> '{cycle}'",
    "UPDATE obligation SET creditor_party_id = 'MA5XXXXX9' WHERE cycle_id <> '{cycle}'",
    "DELETE FROM obligation WHERE cycle_id = '{cycle}'",
    "DELETE FROM obligation WHERE cycle_id <> '{cycle}'",
    "UPDATE obligation SET state = 'disputed', cycle_id = NULL WHERE cycle_id = '{cycle}'",
    "UPDATE obligation SET electricity_fen = 0, parking_fen = amount_fen WHERE state = 'in_cycle'",
    "UPDATE obligation SET commission_tax_code = '1' WHERE kind = 'charge'",
    "UPDATE cycle SET state = 'proposed' WHERE cycle_id = '{cycle}'",
    "UPDATE cycle SET state = 'settled' WHERE cycle_id = '{cycle}'",
    "UPDATE cycle SET frozen_at = NULL WHERE cycle_id = '{cycle}'",
    "UPDATE cycle SET state = 'other' WHERE cycle_id = '{cycle}'",
    "UPDATE cycle SET digest = 'x' WHERE cycle_id = '{cycle}'",
    "UPDATE cycle SET digest = NULL WHERE cycle_id = '{cycle}'",
    "UPDATE cycle SET cutoff_at = opened_at WHERE cycle_id = '{cycle}'",
    "DELETE FROM cycle WHERE cycle_id = '{cycle}'",
]


async def test_the_database_refuses_to_change_what_is_fixed(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT
    result = await market.clearing.close_cycle(MIDNIGHT)
    await market.accept(B, A, 50)
    for statement in FIXED_STAYS_FIXED:
        await refused(market, statement.format(cycle=result.cycle.cycle_id))
    assert await market.clearing.cycle_result(result.cycle.cycle_id) == result


async def test_rows_are_neither_replaced_nor_truncated(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT
    await market.clearing.close_cycle(MIDNIGHT)
    for table in ("cycle", "obligation", "cycle_position"):
        verb = {
            "sqlite": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
            "postgresql": f"TRUNCATE {table} CASCADE",
        }
        await refused(market, verb[market.database.dialect])


async def refused(market: Market, statement: str) -> None:
    with pytest.raises(DBAPIError, match="clearing: "):
        async with market.database.unit() as unit:
            await (await unit.session.connection()).execute(text(statement))


async def test_a_second_open_cycle_is_impossible(market: Market) -> None:
    await market.trade()
    now = market.clock.business()
    second = CycleRow(
        cycle_id="cyc_second",
        currency="CNY",
        frequency="daily",
        state="open",
        opened_at=now,
        updated_at=now,
    )
    with pytest.raises(DBAPIError, match=r"(?i)unique|replaced"):
        async with market.database.unit() as unit:
            unit.session.add(second)
    assert await states(market) == ["open"]


async def test_paying_and_settling_may_follow_when_they_come(market: Market) -> None:
    await market.trade()
    market.clock.now = MIDNIGHT
    cycle_id = (await market.clearing.close_cycle(MIDNIGHT)).cycle.cycle_id
    async with market.database.unit() as unit:
        for state in ("paying", "settled"):
            move = text("UPDATE cycle SET state = :state WHERE cycle_id = :cycle")
            await unit.execute(move.bindparams(state=state, cycle=cycle_id))
    assert (await market.cycle(cycle_id)).state == "settled"
    assert {one.state for one in await market.clearing.obligations(HUB)} == {"settled"}


async def test_lists_go_on_where_they_stopped(market: Market) -> None:
    for number in range(5):
        await market.accept(B, A, 100 + number)
    whole = await market.clearing.obligations(HUB)
    seen, after = [], None
    while page := await market.clearing.obligations(HUB, after=after, limit=2):
        seen += page
        assert page[-1].updated_at is not None
        after = (page[-1].updated_at, page[-1].obligation_id)
    assert seen == whole
    assert await market.clearing.obligations(HUB, updated_since=datetime(2030, 1, 1, tzinfo=UTC)) == []
    assert len(whole) == 5
