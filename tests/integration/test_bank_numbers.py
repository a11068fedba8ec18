"""A bank's number is booked once, as one thing, whoever books it and however often. Both engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import msgspec
import pytest
from sqlalchemy import text

from hub.clearing.movements import draw_ref
from hub.core.clock import ManualClock
from hub.core.errors import HubError
from operator_sdk.contract.codes import PaymentState
from operator_sdk.contract.messages.common import ForeignId
from operator_sdk.contract.messages.payments import Payment
from tests.clearing_world import A, B
from tests.integration.test_payments import PAY_IN_OVER, Till, tills


@pytest.fixture
async def till(kind: str, clock: ManualClock) -> AsyncIterator[Till]:
    async with tills(kind, clock) as (one,):
        yield one


async def code_of(call: Awaitable[object]) -> str:
    with pytest.raises(HubError) as refused:
        await call
    return refused.value.code.value


@pytest.mark.parametrize("claimed", [True, False])
async def test_a_number_is_one_over_payments_and_deposits_together(till: Till, claimed: bool) -> None:
    """Also one that was booked before numbers were claimed."""
    await till.market.accept(B, A, 100)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    paid = await till.pay(asked[B], 60, ref="N-1")
    assert await till.deposit(B, 40, ref="N-2") == 40
    if not claimed:
        async with till.market.database.unit() as unit:
            await unit.execute(text("DELETE FROM business_message"))
    assert await code_of(till.deposit(B, 60, ref="N-1")) == "id_reused"
    assert await code_of(till.pay(asked[B], 40, ref="N-2")) == "id_reused"
    assert await code_of(till.deposit(B, 41, ref="N-2")) == "id_reused"
    assert await code_of(till.deposit(A, 40, ref="N-2")) == "id_reused"
    assert await till.pay(asked[B], 60, ref="N-1") == paid
    assert await till.deposit(B, 40, ref="N-2") == 40
    assert await till.market.posted("settlement_cash", "") == 100


async def test_one_transfer_for_two_things_is_booked_in_parts(till: Till) -> None:
    await till.market.accept(B, A, 100)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    numbers = [msgspec.convert(f"N-1:{part}", ForeignId) for part in (1, 2)]
    assert (await till.pay(asked[B], 100, ref=numbers[0])).state is PaymentState.PAID
    assert await till.deposit(B, 20, ref=numbers[1]) == 20
    assert await till.market.posted("settlement_cash", "") == 120


async def test_nobody_takes_the_reference_under_which_a_deposit_is_drawn(till: Till) -> None:
    """Else the draw fails for ever, and with it the end of the cycle."""
    await till.market.accept(B, A, 100)
    cycle_id = await till.close()
    asked = {one.party_id: one for one in await till.payments.ask(cycle_id)}
    payment_id = asked[B].payment_id
    assert await till.deposit(B, 150, ref=payment_id) == 150
    for call in (
        till.deposit(B, 150, ref=draw_ref(payment_id)),
        till.pay(asked[B], 1, ref=draw_ref(payment_id)),
        till.deposit(B, 1, ref=draw_ref("anything")),
    ):
        assert await code_of(call) == "rule_violated"
    await till.payments.advance(PAY_IN_OVER)
    assert (await till.asked(cycle_id))[B].deposit_fen == 100
    assert (await till.payments.deposit(B)).balance_fen == 50
    assert await till.deposit(B, 150, ref=payment_id) == 50, "said again"


@pytest.mark.faults
async def test_of_a_payment_and_deposits_booked_at_once_under_one_number_one_is_booked(
    kind: str, clock: ManualClock
) -> None:
    async with tills(kind, clock, 4) as four:
        await four[0].market.accept(B, A, 1_000)
        asked = {one.party_id: one for one in await four[0].payments.ask(await four[0].close())}
        booked = 0
        for number in range(6):
            said = await asyncio.gather(
                four[0].pay(asked[B], 10, ref=f"N-{number}"),
                four[1].deposit(B, 10, ref=f"N-{number}"),
                four[2].deposit(A, 10, ref=f"N-{number}"),
                four[3].pay(asked[B], 10, ref=f"N-{number}"),
                return_exceptions=True,
            )
            problems = [one for one in said if isinstance(one, BaseException)]
            assert {one.code.value for one in problems if isinstance(one, HubError)} == {"id_reused"}, said
            assert len(problems) == (2 if isinstance(said[0], Payment) else 3), said
            booked += 10
            assert await four[0].market.posted("settlement_cash", "") == booked
