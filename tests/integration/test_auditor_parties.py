"""The auditor holds what every party owes and is owed against obligations, disputes and payments."""

import pytest

from hub.auditor.verify import verify
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.ledger.model import CLEARING, Entry
from tests.clearing_world import MIDNIGHT, A, B, C, Market


@pytest.fixture
async def market(database: Database, clock: ManualClock) -> Market:
    return await Market(database, clock).open()


async def _move(market: Market, kind: str, *amounts: tuple[str, int]) -> None:
    """A posting that balances, in its place and sealed like any other, but of nothing that happened."""
    entries = [
        Entry(book=CLEARING, kind=kind, subject=party, amount_fen=fen, currency="CNY") for party, fen in amounts
    ]
    async with market.database.unit() as unit:
        await market.ledger.post(
            unit, kind="test", reference=f"{kind}-moved", event_at=market.clock.business(), entries=entries
        )


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("kind", ["payable", "receivable"])
async def test_money_moved_between_two_parties_is_found_by_name(market: Market, kind: str, fixed: bool) -> None:
    await market.trade()
    if fixed:
        market.clock.now = MIDNIGHT
        await market.clearing.close_cycle(MIDNIGHT)
    assert verify(market.database.url).problems == []
    await _move(market, kind, (A, 77), (B, -77))
    assert [problem.split(":")[0] for problem in verify(market.database.url).problems] == [
        f"party {A}",
        f"party {B}",
    ]


async def test_what_is_out_of_its_cycle_or_next_day_still_stands(market: Market) -> None:
    disputed, *_ = await market.trade()
    await market.dispute(disputed)
    market.clock.now = MIDNIGHT
    await market.clearing.close_cycle(MIDNIGHT)
    await market.accept(C, A, 900)
    await market.reinstate(disputed)
    assert verify(market.database.url).problems == []
