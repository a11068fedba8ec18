"""Units that lock the same rows take them in one order, or two of them wait for each other for ever."""

import asyncio

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.ledger.model import CLEARING, Account
from hub.parties.tables import Exposure, change_exposure, lock_exposures
from tests.clearing_world import A, B, Market


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    market = await Market(database, clock).open()
    async with database.unit() as unit:
        for party in (A, B):
            unit.session.add(Exposure(home_party_id=party, limit_fen=1_000))
    return market


def payable(party: str) -> Account:
    return Account(CLEARING, "payable", party, "CNY")


async def test_an_exposure_is_never_locked_behind_an_account(market: Market) -> None:
    async with market.database.unit() as unit:
        await market.ledger.lock(unit, [payable(A)])
        with pytest.raises(AssertionError, match="before accounts"):
            await change_exposure(unit, A, owed=5)
    async with market.database.unit() as unit:
        await lock_exposures(unit, {A, B})
        await market.ledger.lock(unit, [payable(A)])
        await change_exposure(unit, A, owed=5)
    async with market.database.reading() as unit:
        exposure = await unit.session.get(Exposure, A)
    assert exposure is not None
    assert exposure.owed_fen == 5


async def test_two_who_lock_many_exposures_do_not_wait_for_each_other_for_ever(market: Market) -> None:
    async def work(homes: list[str]) -> None:
        for _ in range(20):
            async with market.database.unit() as unit:
                await lock_exposures(unit, homes)
                for home in homes:
                    await change_exposure(unit, home, owed=1)

    async with asyncio.timeout(20):
        await asyncio.gather(work([A, B]), work([B, A]))
    async with market.database.reading() as unit:
        owed = [exposure.owed_fen for home in (A, B) if (exposure := await unit.session.get(Exposure, home))]
    assert owed == [40, 40]
