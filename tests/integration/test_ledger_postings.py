"""Postings: whole or not at all, once per reference, and never without funds."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from hub.core.clock import ManualClock
from hub.core.database import Database, OutOfReach
from hub.core.errors import HubError
from hub.ledger.model import Account, Balance
from operator_sdk.contract.public_codes import Code
from tests.books import BOOK, Books, entry, fund, spend, wallet

BANK = Account(BOOK, "funds_at_bank")


@pytest.fixture
async def books(database: Database, clock: ManualClock) -> AsyncIterator[Books]:
    books = Books(database, clock)
    yield books
    await books.audit()


async def test_a_posting_moves_both_accounts(books: Books) -> None:
    await books.post("t1", fund("w1", 500))
    await books.post("t2", spend("w1", 120))
    assert await books.balance(wallet()) == Balance(380, 0, 2)
    assert await books.balance(BANK) == Balance(500, 0, 1)
    assert await books.balance(Account(BOOK, "payable", "MA5AAAAA1")) == Balance(120, 0, 1)


async def test_an_account_never_used_is_empty(books: Books) -> None:
    assert await books.balance(wallet("nobody")) == Balance(0, 0, 0)


async def test_the_same_posting_twice_is_booked_once(books: Books) -> None:
    first = await books.post("t1", fund("w1", 500))
    assert await books.post("t1", list(reversed(fund("w1", 500)))) == first
    assert (await books.balance(wallet())).balance_fen == 500


@pytest.mark.parametrize("other", [fund("w1", 501), fund("w2", 500), fund("w1", 500) * 2])
async def test_the_same_reference_with_other_entries_is_refused_and_changes_nothing(
    books: Books, other: list
) -> None:
    await books.post("t1", fund("w1", 500))
    with pytest.raises(HubError) as refused:
        await books.post("t1", other)
    assert refused.value.code is Code.ID_REUSED
    assert await books.balance(wallet()) == Balance(500, 0, 1)
    assert await books.balance(wallet("w2")) == Balance(0, 0, 0)


async def test_one_reference_may_be_used_by_two_kinds(books: Books) -> None:
    first = await books.post("t1", fund("w1", 500), kind="top_up")
    assert await books.post("t1", fund("w1", 500), kind="gift") != first


async def test_a_wallet_does_not_go_below_zero(books: Books) -> None:
    await books.post("t1", fund("w1", 100))
    with pytest.raises(HubError) as refused:
        await books.post("t2", spend("w1", 101))
    assert refused.value.code is Code.INSUFFICIENT_FUNDS
    assert await books.balance(wallet()) == Balance(100, 0, 1)


async def test_held_money_cannot_be_spent_by_a_posting(books: Books) -> None:
    await books.post("t1", fund("w1", 100))
    await books.hold("h1", 60)
    with pytest.raises(HubError) as refused:
        await books.post("t2", spend("w1", 41))
    assert refused.value.code is Code.INSUFFICIENT_FUNDS
    await books.post("t3", spend("w1", 40))


async def test_an_account_may_stand_in_a_posting_more_than_once(books: Books) -> None:
    await books.post("t1", [*fund("w1", 100), *fund("w1", 50)])
    assert await books.balance(wallet()) == Balance(150, 0, 2)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [entry(BANK, 5)],
        [entry(BANK, 5), entry(wallet(), -4)],
        [entry(BANK, 0), entry(wallet(), 0)],
        [entry(BANK, 5), entry(Account("clearing", "cycle", "c"), -5)],
        [entry(BANK, 5), entry(Account(BOOK, "wallet", "w1", "EUR"), -5)],
        [entry(BANK, 5), entry(Account(BOOK, "cycle", "c"), -5)],
    ],
)
async def test_what_is_not_a_posting_is_a_mistake_of_the_caller(books: Books, entries: list) -> None:
    with pytest.raises(ValueError, match=r"posting|entry|accounts"):
        await books.post("t1", entries)


async def test_many_callers_booking_one_reference_book_it_once(books: Books) -> None:
    await books.post("t0", fund("w2", 5))
    ids = await asyncio.gather(*(books.post("t1", fund("w1", 500)) for _ in range(12)))
    assert len(set(ids)) == 1
    assert (await books.balance(wallet())).balance_fen == 500


async def test_callers_racing_one_reference_over_other_accounts_book_one_of_them(
    books: Books,
) -> None:
    attempts = [
        [entry(Account(f"MA5{n:06}", "funds_at_bank"), 5), entry(Account(f"MA5{n:06}", "wallet"), -5)]
        for n in range(8)
    ]
    done = await asyncio.gather(*(books.post("t1", entries) for entries in attempts), return_exceptions=True)
    refused = [d.code for d in done if isinstance(d, HubError)]
    assert refused == [Code.ID_REUSED] * 7


async def test_postings_that_cross_do_not_lock_each_other_out(books: Books) -> None:
    names = [f"w{n}" for n in range(6)]
    for name in names:
        await books.post(f"fund {name}", fund(name, 1000))

    async def move(n: int) -> None:
        giver, taker = names[n % 6], names[(n * 5 + 1) % 6 if n % 6 != (n * 5 + 1) % 6 else n % 6 - 1]
        new = wallet(f"new {n // 7}")
        lines = [entry(wallet(giver), 2), entry(wallet(taker), -1), entry(new, -1)]
        await books.post(f"move {n}", lines if n % 2 else lines[::-1])

    async with asyncio.timeout(30):
        await asyncio.gather(*(move(n) for n in range(60)))
    total = [(await books.balance(wallet(name))).balance_fen for name in names]
    assert sum(total) == 6000 - 60


async def test_a_unit_that_fails_leaves_nothing(books: Books) -> None:
    async def fail() -> None:
        async with books.database.unit() as unit:
            await books.ledger.post(
                unit, kind="test", reference="t1", event_at=books.clock.now, entries=fund("w1", 5)
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await books.balance(wallet()) == Balance(0, 0, 0)


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["postgresql"])
async def test_books_whose_connections_were_cut_are_out_of_reach_once(books: Books, kind: str) -> None:
    await asyncio.gather(*(books.post(f"t{n}", fund("w1", 1)) for n in range(6)))
    async with books.database.engine.connect() as killer:
        await killer.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    with pytest.raises(OutOfReach):
        await books.post("cut", fund("w1", 1))
    for n in range(12):
        await books.post(f"after {n}", fund("w1", 1))
