"""Clearing through the front door, with the SDK: what staff see whole and operators see of their own."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from hub.clearing import service
from hub.core.clock import ManualClock
from operator_sdk import AsyncHubClient, BearerToken, Forbidden, NotFound, Patience, Unprocessable
from operator_sdk.contract.messages.clearing import (
    CommissionRateAdd,
    CycleClose,
    StationGroupPut,
    TaxCodeAdd,
)
from operator_sdk.errors import BadRequest
from tests.clearing_world import Market
from tests.rig import A, B, C, Rig, open_rig

pytestmark = pytest.mark.integration


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as rig:
        yield rig


async def staff(rig: Rig, login: str, role: str) -> AsyncHubClient:
    """Somebody of the staff, signed in."""
    token = await rig.staff_token(login, role)
    return AsyncHubClient(rig.url, BearerToken(token), patience=Patience(attempts=1))


async def test_an_accountant_closes_a_cycle_and_pages_through_all_of_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "RESULT_MOST", 3)
    market = Market(rig.hub.database, ManualClock(rig.hub.clock.business()))
    market.clearing = rig.hub.clearing
    for number in range(7):
        await market.accept(B, A if number % 2 else C, 100 + number)
    async with await staff(rig, "ann", "accountant") as ann, await staff(rig, "olga", "onlooker") as olga:
        closed = await ann.close_cycle(CycleClose(cutoff_at=rig.hub.clock.business()))
        cycle = closed.cycle
        assert (cycle.state, cycle.obligations, len(closed.obligations)) == ("fixed", 7, 3)
        assert await ann.get_cycle(cycle.cycle_id) == closed
        seen, after = [], None
        while True:
            page = await ann.list_cycle_obligations(cycle.cycle_id, limit=2, after=after)
            seen += page.items
            after = page.next_after
            if after is None:
                break
        assert len(seen) == 7
        assert seen[:3] == closed.obligations
        assert [one.obligation_id for one in seen] == sorted(one.obligation_id for one in seen)
        with pytest.raises(BadRequest):
            await ann.list_cycle_obligations(cycle.cycle_id, after="'; --")
        with pytest.raises(NotFound):
            await ann.list_cycle_obligations("cyc_none")
        for refused in (olga, rig.client(A)):
            with pytest.raises(Forbidden):
                await refused.list_cycle_obligations(cycle.cycle_id)
    statement = await rig.client(A).get_statement(cycle.cycle_id)
    assert statement.digest == cycle.digest
    assert {line.counterparty for line in statement.lines} == {B}
    mine = (await rig.client(A).list_obligations()).items
    assert {one.creditor for one in mine} == {A}
    assert all(one.electricity_fen == one.amount_fen for one in mine)


async def test_rates_groups_and_tax_codes_are_the_accountants(rig: Rig) -> None:
    day = date(2999, 1, 1)
    rate = CommissionRateAdd(owner=A, ppm=20_000, valid_from=day, tax_code="304")
    async with await staff(rig, "ann", "accountant") as ann, await staff(rig, "olga", "onlooker") as olga:
        added = await ann.add_commission_rate(rate)
        assert await ann.add_commission_rate(rate) == added
        assert (await ann.list_commission_rates()).items == [added]
        assert (added.owner, added.made_by) == (A, "ann")
        with pytest.raises(Unprocessable):
            await ann.add_commission_rate(CommissionRateAdd(ppm=1, valid_from=date(2000, 1, 1)))
        put = StationGroupPut(station_group="centre", station_ids=["S1"])
        groups = await ann.put_station_group(A, put)
        assert await ann.list_station_groups(A) == groups
        with pytest.raises(NotFound):
            await ann.put_station_group("MA5XXXXX9", put)
        code = await ann.add_tax_code(TaxCodeAdd(kind="commission", tax_code="304", valid_from=day))
        assert (await ann.list_tax_codes()).items == [code]
        for refused in (olga, rig.client(A)):
            with pytest.raises(Forbidden):
                await refused.add_commission_rate(rate)
            with pytest.raises(Forbidden):
                await refused.list_commission_rates()
