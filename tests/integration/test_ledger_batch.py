"""Many postings at once: the same rules and refusals as one by one, and all of them or none."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.ledger.model import Account, Balance, Entry, Posting
from operator_sdk.contract.public_codes import Code
from tests.books import AT, BOOK, Books, entry, fund, spend, wallet

PAYABLE = Account(BOOK, "payable", "MA5AAAAA1")


@pytest.fixture
async def books(database: Database, clock: ManualClock) -> AsyncIterator[Books]:
    books = Books(database, clock)
    await books.post("funds", fund("w1", 1000))
    yield books
    await books.audit()


def posting(reference: str, entries: Sequence[Entry], kind: str = "many", note: str = "") -> Posting:
    return Posting(kind=kind, reference=reference, event_at=AT, entries=entries, note=note)


async def post_many(books: Books, postings: Sequence[Posting]) -> list[str]:
    async with books.database.unit() as unit:
        return await books.ledger.post_many(unit, postings)


async def test_many_postings_move_what_each_of_them_would(books: Books) -> None:
    ids = await post_many(books, [posting(f"p{n}", spend("w1", n), note=f"第{n}笔") for n in range(1, 31)])
    assert len(set(ids)) == 30
    assert await books.balance(wallet()) == Balance(1000 - 465, 0, 31)
    assert await books.balance(PAYABLE) == Balance(465, 0, 30)


async def test_nothing_is_booked_by_no_postings(books: Books) -> None:
    assert await post_many(books, []) == []


async def test_accounts_never_used_are_made_first(books: Books) -> None:
    await post_many(books, [posting(f"p{n}", fund(f"new{n}", 5)) for n in range(300)])
    assert await books.balance(wallet("new299")) == Balance(5, 0, 1)
    assert await books.balance(Account(BOOK, "funds_at_bank")) == Balance(2500, 0, 301)


async def test_the_same_postings_again_book_nothing_and_give_their_ids(books: Books) -> None:
    postings = [posting(f"p{n}", spend("w1", n)) for n in range(1, 6)]
    first = await post_many(books, postings[:3])
    assert (await post_many(books, postings[::-1]))[::-1][:3] == first
    assert await books.balance(PAYABLE) == Balance(15, 0, 5)


async def test_a_posting_given_twice_is_booked_once(books: Books) -> None:
    first, again, other = await post_many(
        books,
        [posting("p1", spend("w1", 5)), posting("p1", spend("w1", 5)[::-1]), posting("p2", spend("w1", 5))],
    )
    assert first == again != other
    assert await books.balance(PAYABLE) == Balance(10, 0, 2)


@pytest.mark.parametrize(
    "reused",
    [
        [posting("known", spend("w1", 6))],
        [posting("twice", spend("w1", 5)), posting("twice", spend("w1", 6))],
    ],
)
async def test_one_reused_reference_refuses_all_of_them(books: Books, reused: list[Posting]) -> None:
    await books.post("known", spend("w1", 5), kind="many")
    before = await books.balance(wallet())
    with pytest.raises(HubError) as refused:
        await post_many(books, [posting("p1", spend("w1", 1)), *reused, posting("p2", spend("w1", 1))])
    assert refused.value.code is Code.ID_REUSED
    assert await books.balance(wallet()) == before


async def test_each_posting_needs_funds_when_its_turn_comes(books: Books) -> None:
    await books.hold("h1", 100)
    with pytest.raises(HubError) as refused:
        await post_many(books, [posting("p1", spend("w1", 901)), posting("p2", fund("w1", 500))])
    assert refused.value.code is Code.INSUFFICIENT_FUNDS
    assert await books.balance(wallet()) == Balance(1000, 100, 1)
    await post_many(books, [posting("p2", fund("w1", 500)), posting("p1", spend("w1", 1400))])
    assert await books.balance(wallet()) == Balance(100, 100, 3)


async def test_what_is_not_a_posting_is_a_mistake_of_the_caller(books: Books) -> None:
    with pytest.raises(ValueError, match="two entries"):
        await post_many(books, [posting("p1", spend("w1", 1)), posting("p2", [entry(wallet(), 5)])])
    assert await books.balance(wallet()) == Balance(1000, 0, 1)


async def test_batches_that_cross_do_not_lock_each_other_out(books: Books) -> None:
    names = [f"w{n}" for n in range(2, 12)]
    await post_many(books, [posting(f"fund {name}", fund(name, 100)) for name in names])

    async def batch(number: int) -> None:
        turned = names[number:] + names[:number]
        await post_many(books, [posting(f"{number} {name}", spend(name, 3)) for name in turned])
        await books.post(f"single {number}", spend(turned[0], 2))

    async with asyncio.timeout(60):
        await asyncio.gather(*(batch(number) for number in range(8)))
    assert await books.balance(PAYABLE) == Balance(8 * 10 * 3 + 8 * 2, 0, 88)


async def test_batches_racing_one_reference_over_other_accounts_book_it_once(books: Books) -> None:
    def over(number: int) -> list[Posting]:
        bank, mine = Account(f"MA5{number:06}", "funds_at_bank"), Account(f"MA5{number:06}", "wallet")
        return [
            posting(f"own {number}", [entry(bank, 7), entry(mine, -7)]),
            posting("common", [entry(bank, 5), entry(mine, -5)]),
        ]

    done = await asyncio.gather(*(post_many(books, over(n)) for n in range(6)), return_exceptions=True)
    refused = [one.code for one in done if isinstance(one, HubError)]
    assert refused == [Code.ID_REUSED] * 5
    held = [await books.balance(Account(f"MA5{n:06}", "wallet")) for n in range(6)]
    assert sorted(one.balance_fen for one in held) == [0] * 5 + [12]
