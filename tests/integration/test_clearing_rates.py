"""Rates of commission: said ahead, chosen when a record is accepted, kept with what it owes."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from hub.clearing.tables import ObligationRow
from hub.clearing.tables_rates import tax_codes
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.tables import AuditRow
from hub.roaming.ports import Fees
from operator_sdk.contract.messages.clearing import CommissionRateAdd, StationGroupPut, TaxCodeAdd
from operator_sdk.contract.public_codes import Code
from tests.clearing_world import HUB_PARTY, MIDNIGHT, A, B, C, Market, net

TODAY = date(2026, 3, 2)
FEES = Fees(electricity_fen=1_000, service_fen=500, parking_fen=300, idle_fen=199)


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock).open()


async def let(market: Market, ppm: int, **more: Any) -> None:
    add = CommissionRateAdd(ppm=ppm, **({"valid_from": TODAY} | more))
    await market.rates.add_rate(add, actor="ann")


async def owed(market: Market, **more: Any) -> ObligationRow:
    """What becomes owed by a record of every kind of fee."""
    usual: dict[str, Any] = {"fees": FEES, "station_id": "S1"}
    record_id = await market.accept(B, A, FEES.total_fen, **(usual | more))
    async with market.database.reading() as unit:
        statement = select(ObligationRow).where(col(ObligationRow.record_id) == record_id)
        return (await unit.session.exec(statement)).one()


def ppms(row: ObligationRow) -> tuple[int, int, int, int]:
    return row.electricity_ppm, row.service_ppm, row.parking_ppm, row.idle_ppm


async def test_without_a_rate_the_agreement_says_what_the_hub_takes(market: Market) -> None:
    row = await owed(market, ppm=5_000)
    assert ppms(row) == (5_000,) * 4
    assert row.commission_fen == 5 + 3 + 2 + 1, "5.000, 2.500, 1.500 and 0.995, each rounded half up"
    assert row.commission_tax_code is None


async def test_the_most_specific_rate_is_chosen_for_each_fee(market: Market) -> None:
    put = StationGroupPut(station_group="centre", station_ids=["S1", "S2"])
    await market.rates.put_station_group(A, put, actor="ann")
    await let(market, 1_000)
    await let(market, 2_000, owner=A, tax_code="3040")
    await let(market, 3_000, owner=A, fee_kind="service")
    await let(market, 4_000, owner=A, station_group="centre", fee_kind="parking")
    await let(market, 9_000, owner=A, station_group="edge")
    await let(market, 9_001, owner=C)
    await let(market, 9_002, seller=C)
    assert ppms(await owed(market, ppm=5_000)) == (2_000, 3_000, 4_000, 2_000)
    assert ppms(await owed(market, station_id="S3")) == (2_000, 3_000, 2_000, 2_000)
    assert ppms(await owed(market, station_id=None)) == (2_000, 3_000, 2_000, 2_000)
    assert (await owed(market)).commission_tax_code == "3040"
    moved = StationGroupPut(station_group="edge", station_ids=["S1"])
    groups = await market.rates.put_station_group(A, moved, actor="ann")
    assert {one.station_group: one.station_ids for one in groups.groups} == {"centre": ["S2"], "edge": ["S1"]}
    assert ppms(await owed(market)) == (9_000,) * 4, "a group is narrower than a kind of fee"


async def test_a_rate_holds_from_its_first_booked_day_on(market: Market) -> None:
    await let(market, 1_000)
    await let(market, 2_000, valid_from=TODAY + timedelta(days=1))
    assert ppms(await owed(market, at=MIDNIGHT - timedelta(milliseconds=1)))[0] == 1_000
    assert ppms(await owed(market, at=MIDNIGHT))[0] == 2_000


async def test_what_was_chosen_stays_with_what_is_owed(market: Market) -> None:
    before = await owed(market, ppm=5_000)
    await let(market, 1_000)
    after = await owed(market, ppm=5_000)
    market.clock.now = MIDNIGHT
    result = await market.clearing.close_cycle(MIDNIGHT)
    assert net(result)[HUB_PARTY] == before.commission_fen + after.commission_fen == 11 + 2
    await market.audit()


async def test_a_credit_gives_back_at_the_rates_of_what_it_reverses(market: Market) -> None:
    row = await owed(market, ppm=5_000)
    await let(market, 1_000, owner=A, tax_code="3040")
    assert row.record_id is not None
    await market.credit(row.record_id, B, A, row.amount_fen, fees=FEES, station_id="S1")
    market.clock.now = MIDNIGHT
    result = await market.clearing.close_cycle(MIDNIGHT)
    assert set(net(result).values()) == {0}
    assert {one.kind for one in result.obligations} == {"charge", "credit"}


async def test_rates_say_who_made_them_and_are_on_the_audit_log(market: Market) -> None:
    await let(market, 2_000, owner=A, tax_code="3040")
    await let(market, 2_000, owner=A, tax_code="3040")
    (rate,) = (await market.rates.rates()).items
    assert (rate.owner, rate.seller, rate.ppm, rate.valid_from, rate.made_by) == (A, None, 2_000, TODAY, "ann")
    async with market.database.reading() as unit:
        noted = (await unit.session.exec(select(AuditRow.action))).all()
    assert list(noted) == ["add_commission_rate"], "the same again changes nothing"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"valid_from": TODAY - timedelta(days=1)}, Code.RULE_VIOLATED),
        ({"station_group": "centre"}, Code.RULE_VIOLATED),
        ({"ppm": 7}, Code.ID_REUSED),
        ({"tax_code": "1"}, Code.ID_REUSED),
    ],
)
async def test_a_rate_that_reaches_back_or_contradicts_is_refused(
    market: Market, more: dict[str, Any], code: Code
) -> None:
    await let(market, 1_000)
    with pytest.raises(HubError) as refused:
        await let(market, **({"ppm": 1_000} | more))
    assert refused.value.code is code
    assert len((await market.rates.rates()).items) == 1


async def test_a_rate_for_nobody_is_refused(market: Market) -> None:
    for more in ({"owner": "MA5XXXXX9"}, {"seller": "MA5XXXXX9"}):
        with pytest.raises(NotFoundError):
            await let(market, 1_000, **more)
    with pytest.raises(NotFoundError):
        await market.rates.station_groups("MA5XXXXX9")


async def test_tax_codes_hold_from_a_day_on(market: Market) -> None:
    first, later = TODAY, TODAY + timedelta(days=30)
    for kind, code, day in (("service", "1", first), ("service", "2", later), ("commission", "3", first)):
        add = TaxCodeAdd(kind=kind, tax_code=code, valid_from=day)
        assert await market.rates.add_tax_code(add, actor="ann") == await market.rates.add_tax_code(
            add, actor="bob"
        )
    with pytest.raises(HubError) as refused:
        await market.rates.add_tax_code(TaxCodeAdd(kind="service", tax_code="9", valid_from=first), actor="ann")
    assert refused.value.code is Code.ID_REUSED
    async with market.database.reading() as unit:
        assert await tax_codes(unit, first.isoformat()) == {"service": "1", "commission": "3"}
        assert await tax_codes(unit, later.isoformat()) == {"service": "2", "commission": "3"}
        assert await tax_codes(unit, "2026-03-01") == {}
    assert [one.tax_code for one in (await market.rates.tax_codes()).items] == ["3", "1", "2"]


@pytest.mark.parametrize("table", ["commission_rate", "tax_code"])
async def test_rates_and_tax_codes_are_never_changed(market: Market, table: str) -> None:
    await let(market, 1_000)
    await market.rates.add_tax_code(TaxCodeAdd(kind="idle", tax_code="1", valid_from=TODAY), actor="ann")
    replaced = {
        "sqlite": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "postgresql": f"TRUNCATE {table}",
    }
    made_by = f"UPDATE {table} SET made_by = 'x'"
    for statement in (made_by, f"DELETE FROM {table}", replaced[market.database.dialect]):
        with pytest.raises(DBAPIError, match="clearing: "):
            async with market.database.unit() as unit:
                await (await unit.session.connection()).execute(text(statement))


SPOILT = [
    {"fees": Fees(electricity_fen=99)},
    {"fees": Fees(electricity_fen=101)},
    {"fees": Fees(electricity_fen=101, idle_fen=-1)},
]


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_fees_that_are_not_parts_of_the_amount_are_refused_by_the_database(
    market: Market, spoilt: dict[str, Any]
) -> None:
    with pytest.raises(DBAPIError, match="obligation_fees"):
        await market.accept(B, A, 100, **spoilt)


async def test_a_commission_that_does_not_follow_from_its_rates_is_refused_by_the_database(
    market: Market,
) -> None:
    row = await owed(market, ppm=5_000)
    values = row.model_dump() | {"obligation_id": "obl_other", "record_id": "rec_other"}
    with pytest.raises(DBAPIError, match="obligation_commission"):
        async with market.database.unit() as unit:
            unit.session.add(ObligationRow(**(values | {"commission_fen": row.commission_fen + 1})))
    async with market.database.unit() as unit:
        unit.session.add(ObligationRow(**values))
