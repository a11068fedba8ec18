"""Paying a fixed cycle: pay-ins before pay-outs, deposits, defaults shared pro rata, nothing booked twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hub.clearing.payments import Payments
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.ledger.model import HUB as HUB_BOOK
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, of_party
from hub.parties.tables import Exposure, change_exposure
from operator_sdk.contract.codes import PaymentState
from operator_sdk.contract.messages.payments import (
    BankDayPut,
    DepositBook,
    Payment,
    PaymentBook,
    PaymentQuery,
)
from operator_sdk.contract.public_codes import Code
from tests.clearing_world import HUB_PARTY, MIDNIGHT, A, B, C, Market
from tests.databases import fresh_url

PAY_IN_OVER = MIDNIGHT + timedelta(hours=16)
"""16:00 of the local day that MIDNIGHT begins, a Tuesday."""


@dataclass
class Till:
    """A market with its payments."""

    market: Market
    payments: Payments

    async def close(self) -> str:
        """Fix what was traded so far; the cycle's id."""
        self.market.clock.now = MIDNIGHT
        return (await self.market.clearing.close_cycle(MIDNIGHT)).cycle.cycle_id

    async def asked(self, cycle_id: str) -> dict[str, Payment]:
        """The payments of a cycle by party."""
        return {one.party_id: one for one in await self.payments.payments(HUB, PaymentQuery(cycle_id=cycle_id))}

    async def pay(self, payment: Payment, fen: int | None = None, ref: str = "") -> Payment:
        """Money moves at the bank."""
        amount = payment.amount_fen if fen is None else fen
        message = PaymentBook(
            movement_ref=ref or f"bank-{payment.payment_id[-12:]}-{amount}",
            amount_fen=amount,
            moved_at=self.market.clock.business(),
        )
        return await self.payments.book(payment.payment_id, message, by="chen")

    async def deposit(self, party: str, fen: int, ref: str = "dep-1") -> int:
        """Money moves into a deposit."""
        message = DepositBook(movement_ref=ref, amount_fen=fen, moved_at=MIDNIGHT)
        return (await self.payments.book_deposit(party, message, by="chen")).balance_fen


@asynccontextmanager
async def tills(kind: str, clock: ManualClock, count: int = 1) -> AsyncIterator[list[Till]]:
    """Hubs over one database; its books are audited in the end."""
    async with fresh_url(kind) as url:
        databases = [Database(url, pool_size=3) for _ in range(count)]
        made = []
        for database in databases:
            market = Market(database, clock)
            audit = AuditLog(clock, market.ids)
            made.append(
                Till(
                    market,
                    Payments(
                        database,
                        clock,
                        market.ids,
                        ledger=market.ledger,
                        audit=audit,
                        hub_party_id=HUB_PARTY,
                        env="test",
                    ),
                )
            )
        try:
            await made[0].market.open()
            yield made
            await made[0].market.audit()
        finally:
            for database in databases:
                await database.close()


@pytest.fixture
async def till(kind: str, clock: ManualClock) -> AsyncIterator[Till]:
    async with tills(kind, clock) as (one,):
        yield one


async def state(till: Till, cycle_id: str) -> str:
    return (await till.market.cycle(cycle_id)).state


async def test_a_cycle_is_paid_in_then_out_and_settled_and_its_money_is_gone_through(till: Till) -> None:
    await till.market.accept(B, A, 10_000, ppm=20_000)
    cycle_id = await till.close()
    asked = {one.party_id: one for one in await till.payments.ask(cycle_id)}
    assert {party: (one.direction, one.amount_fen) for party, one in asked.items()} == {
        A: ("pay_out", 9_800),
        B: ("pay_in", 10_000),
        HUB_PARTY: ("pay_out", 200),
    }
    assert asked[B].due_at == PAY_IN_OVER
    assert await state(till, cycle_id) == "paying"
    for party in (B, A, HUB_PARTY):
        assert (await till.pay(asked[party])).state is PaymentState.PAID
    await till.payments.advance(till.market.clock.business())
    assert await state(till, cycle_id) == "settled"
    for kind in ("receivable", "payable"):
        for party in (A, B, HUB_PARTY):
            assert await till.market.posted(kind, party) == 0
    assert await till.market.posted("settlement_cash", "") == 0
    async with till.market.database.reading() as unit:
        assert (await till.market.ledger.balances(unit, HUB_BOOK, "commission")).balance_fen == 200


async def test_nobody_is_paid_out_before_everybody_has_paid_in(till: Till) -> None:
    await till.market.accept(B, A, 100)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    with pytest.raises(HubError) as refused:
        await till.pay(asked[A])
    assert refused.value.code is Code.STATE_CONFLICT
    await till.pay(asked[B], 40)
    with pytest.raises(HubError):
        await till.pay(asked[A])
    await till.pay(asked[B], 60)
    assert (await till.pay(asked[A])).state is PaymentState.PAID


@pytest.mark.parametrize("fen", [101, 10**12])
async def test_more_than_is_open_is_refused_and_changes_nothing(till: Till, fen: int) -> None:
    await till.market.accept(B, A, 100)
    cycle_id = await till.close()
    asked = {one.party_id: one for one in await till.payments.ask(cycle_id)}
    with pytest.raises(HubError) as refused:
        await till.pay(asked[B], fen)
    assert refused.value.code is Code.RULE_VIOLATED
    assert refused.value.details == {"at_most_fen": 100}
    assert (await till.asked(cycle_id))[B] == asked[B]
    assert await till.market.posted("settlement_cash", "") == 0


async def test_the_banks_number_counts_once_and_with_one_content(till: Till) -> None:
    await till.market.accept(B, A, 100)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    first = await till.pay(asked[B], 60, ref="N-1")
    assert await till.pay(asked[B], 60, ref="N-1") == first
    with pytest.raises(HubError) as refused:
        await till.pay(asked[B], 40, ref="N-1")
    assert refused.value.code is Code.ID_REUSED
    assert await till.market.posted("settlement_cash", "") == 60
    with pytest.raises(HubError) as refused:
        await till.pay(asked[A], 60, ref="N-1")
    assert refused.value.code is Code.ID_REUSED


async def test_asking_twice_asks_once_and_an_open_cycle_is_not_asked_for(till: Till) -> None:
    await till.market.accept(B, A, 100)
    cycle_id = await till.close()
    assert await till.payments.ask(cycle_id) == await till.payments.ask(cycle_id)
    (open_one,) = [one.cycle_id for _, one in await till.market.clearing.cycles(HUB) if one.state == "open"]
    with pytest.raises(HubError) as refused:
        await till.payments.ask(open_one)
    assert refused.value.code is Code.STATE_CONFLICT
    with pytest.raises(NotFoundError):
        await till.payments.ask("cyc_00000000-0000-7000-8000-000000000000")


async def test_a_late_payer_s_deposit_is_drawn_and_the_cycle_is_settled(till: Till) -> None:
    await till.market.accept(B, A, 100)
    assert await till.deposit(B, 150) == 150
    cycle_id = await till.close()
    asked = {one.party_id: one for one in await till.payments.ask(cycle_id)}
    await till.pay(asked[B], 30)
    await till.payments.advance(PAY_IN_OVER - timedelta(milliseconds=1))
    assert (await till.asked(cycle_id))[B].deposit_fen == 0
    await till.payments.advance(PAY_IN_OVER)
    paid = (await till.asked(cycle_id))[B]
    assert (paid.state, paid.paid_fen, paid.deposit_fen, paid.missing_fen) == ("paid", 30, 70, 0)
    assert (await till.payments.deposit(B)).balance_fen == 80
    await till.pay(asked[A])
    await till.payments.advance(PAY_IN_OVER)
    assert await state(till, cycle_id) == "settled"
    assert await till.market.posted("settlement_cash", "") == 80
    assert await till.deposit(B, -80, ref="dep-2") == 0


async def test_what_a_default_leaves_is_withheld_pro_rata_and_owed_in_the_next_cycle(till: Till) -> None:
    await till.market.accept(B, A, 200)
    await till.market.accept(B, C, 100)
    await till.deposit(B, 30)
    cycle_id = await till.close()
    asked = {one.party_id: one for one in await till.payments.ask(cycle_id)}
    await till.pay(asked[B], 120)
    await till.payments.advance(PAY_IN_OVER)
    now = await till.asked(cycle_id)
    assert (now[B].state, now[B].missing_fen) == ("short", 150)
    assert {party: now[party].withheld_fen for party in (A, C)} == {A: 100, C: 50}
    with pytest.raises(HubError):
        await till.pay(now[A], 101)
    assert (await till.pay(now[A], 100)).state is PaymentState.SHORT
    await till.pay(now[C], 50)
    await till.payments.advance(PAY_IN_OVER)
    assert await state(till, cycle_id) == "partially_paid"
    with pytest.raises(HubError):
        await till.pay(now[B], 150)
    till.market.clock.now = MIDNIGHT + timedelta(days=1)
    following = await till.market.clearing.close_cycle(till.market.clock.now)
    claims = {(o.debtor, o.creditor): o.amount_fen for o in following.obligations if o.kind == "claim"}
    assert claims == {(B, A): 100, (B, C): 50}
    again = {one.party_id: one for one in await till.payments.ask(following.cycle.cycle_id)}
    for party in (B, A, C):
        await till.pay(again[party])
    await till.payments.advance(PAY_IN_OVER + timedelta(days=1))
    assert await state(till, following.cycle.cycle_id) == "settled"
    assert await till.market.posted("settlement_cash", "") == 0
    assert await till.market.posted("receivable", B) == await till.market.posted("payable", A) == 0


async def test_who_passes_a_default_on_owes_and_is_owed_what_it_could_not_pay(till: Till) -> None:
    await till.market.accept(B, A, 100)
    await till.market.accept(A, C, 100)
    cycle_id = await till.close()
    await till.payments.ask(cycle_id)
    await till.payments.advance(PAY_IN_OVER)
    assert (await till.asked(cycle_id))[C].withheld_fen == 100
    assert await state(till, cycle_id) == "partially_paid"
    till.market.clock.now = MIDNIGHT + timedelta(days=1)
    following = await till.market.clearing.close_cycle(till.market.clock.now)
    claims = {(o.debtor, o.creditor): o.amount_fen for o in following.obligations}
    assert claims == {(B, A): 100, (A, C): 100}


async def test_a_host_that_cannot_pay_its_commission_owes_it_in_the_next_cycle(till: Till) -> None:
    await till.market.accept(B, A, 1_000, ppm=20_000)
    await till.market.accept(A, B, 1_000)
    cycle_id = await till.close()
    await till.payments.ask(cycle_id)
    await till.payments.advance(PAY_IN_OVER)
    assert (await till.asked(cycle_id))[HUB_PARTY].withheld_fen == 20
    assert await state(till, cycle_id) == "partially_paid"
    till.market.clock.now = MIDNIGHT + timedelta(days=1)
    following = await till.market.clearing.close_cycle(till.market.clock.now)
    assert {(o.debtor, o.kind, o.amount_fen) for o in following.obligations if o.creditor == HUB_PARTY} == {
        (A, "claim", 20)
    }


async def test_homes_may_owe_anew_what_they_paid_and_not_what_they_left(till: Till) -> None:
    async with till.market.database.unit() as unit:
        unit.session.add(Exposure(home_party_id=B, limit_fen=1_000))
        await unit.session.flush()
        await change_exposure(unit, B, owed=300)
    await till.market.accept(B, A, 300)
    cycle_id = await till.close()
    asked = {one.party_id: one for one in await till.payments.ask(cycle_id)}
    await till.pay(asked[B], 200)
    await till.payments.advance(PAY_IN_OVER)
    await till.pay((await till.asked(cycle_id))[A], 200)
    await till.payments.advance(PAY_IN_OVER)
    async with till.market.database.reading() as unit:
        row = await unit.session.get(Exposure, B)
    assert row is not None
    assert row.owed_fen == 100


async def test_an_operator_sees_its_own_payments_only(till: Till) -> None:
    await till.market.accept(B, A, 100)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    assert await till.payments.payments(of_party(A), PaymentQuery()) == [asked[A]]
    with pytest.raises(NotFoundError):
        await till.payments.payment(of_party(A), asked[B].payment_id)


async def test_the_calendar_moves_the_day_of_payment(till: Till) -> None:
    await till.payments.put_bank_day("2026-03-03", BankDayPut(works=False, note="闭行"), by="chen")
    await till.market.accept(B, A, 100)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    assert asked[B].due_at == PAY_IN_OVER + timedelta(days=1)
    with pytest.raises(HubError) as refused:
        await till.payments.put_bank_day("2026-02-30", BankDayPut(works=False), by="chen")
    assert refused.value.code is Code.MALFORMED


async def test_a_cycle_in_which_nobody_pays_anything_is_settled_by_itself(till: Till) -> None:
    await till.market.accept(B, A, 100)
    await till.market.accept(A, B, 100)
    cycle_id = await till.close()
    await till.payments.advance(MIDNIGHT)
    assert await state(till, cycle_id) == "settled"


@pytest.mark.faults
async def test_five_who_collect_and_five_who_book_at_once_book_everything_once(
    kind: str, clock: ManualClock
) -> None:
    async with tills(kind, clock, 5) as five:
        await five[0].market.accept(B, A, 100)
        await five[0].deposit(B, 40)
        cycle_id = await five[0].close()
        asked = {
            one.party_id: one for one in (await asyncio.gather(*(t.payments.ask(cycle_id) for t in five)))[0]
        }
        await asyncio.gather(*(till.pay(asked[B], 60, ref="N-7") for till in five))
        await asyncio.gather(*(till.payments.advance(PAY_IN_OVER) for till in five))
        paid = (await five[0].asked(cycle_id))[B]
        assert (paid.paid_fen, paid.deposit_fen, paid.state) == (60, 40, "paid")
        await asyncio.gather(*(till.pay(asked[A], 100, ref="N-8") for till in five))
        await asyncio.gather(*(till.payments.advance(PAY_IN_OVER) for till in five))
        assert await state(five[0], cycle_id) == "settled"
        assert await five[0].market.posted("settlement_cash", "") == 0


@pytest.mark.parametrize("table", ["payment_movement", "deposit_movement"])
async def test_movements_only_grow(till: Till, table: str) -> None:
    await till.market.accept(B, A, 100)
    await till.deposit(B, 5)
    asked = {one.party_id: one for one in await till.payments.ask(await till.close())}
    await till.pay(asked[B])
    for change in (f"UPDATE {table} SET amount_fen = 1", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="only grows"):
            async with till.market.database.unit() as unit:
                await unit.execute(text(change))
