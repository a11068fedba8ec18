"""Holds: counted in what is available, ended exactly once, refused for ever once refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.ledger.model import Account, Balance, HoldState
from operator_sdk.contract.public_codes import Code
from tests.books import BOOK, Books, fund, spend


@pytest.fixture
async def books(database: Database, clock: ManualClock) -> AsyncIterator[Books]:
    books = Books(database, clock)
    await books.post("funds", fund("w1", 1000))
    yield books
    await books.audit()


async def wallet_of(books: Books) -> Balance:
    return await books.balance(Account(BOOK, "wallet", "w1"))


async def test_a_hold_lowers_what_is_available_and_moves_nothing(books: Books) -> None:
    assert (await books.hold("h1", 400)).state is HoldState.OPEN
    assert await wallet_of(books) == Balance(1000, 400, 1)
    assert (await wallet_of(books)).available_fen == 600


async def test_the_same_hold_twice_is_made_once(books: Books) -> None:
    assert await books.hold("h1", 400) == await books.hold("h1", 400)
    assert (await wallet_of(books)).held_fen == 400


@pytest.mark.parametrize(("amount_fen", "name"), [(401, "w1"), (400, "w2")])
async def test_the_same_hold_with_other_content_is_refused(books: Books, amount_fen: int, name: str) -> None:
    await books.hold("h1", 400)
    with pytest.raises(HubError) as refused:
        await books.hold("h1", amount_fen, name)
    assert refused.value.code is Code.ID_REUSED


async def test_a_refused_hold_stays_refused_when_money_comes(books: Books) -> None:
    assert (await books.hold("h1", 1001)).state is HoldState.REFUSED
    await books.post("more", fund("w1", 5000))
    assert (await books.hold("h1", 1001)).state is HoldState.REFUSED
    assert (await books.void("h1")).state is HoldState.REFUSED
    with pytest.raises(HubError) as refused:
        await books.capture("h1", 1)
    assert refused.value.code is Code.STATE_CONFLICT
    assert await wallet_of(books) == Balance(6000, 0, 2)


async def test_a_capture_takes_its_part_and_releases_the_rest(books: Books) -> None:
    await books.hold("h1", 400)
    hold = await books.capture("h1", 150)
    assert (hold.state, hold.captured_fen, hold.released_fen) == (HoldState.CAPTURED, 150, 250)
    assert await wallet_of(books) == Balance(850, 0, 2)


async def test_a_capture_of_nothing_releases_everything(books: Books) -> None:
    await books.hold("h1", 400)
    hold = await books.capture("h1", 0)
    assert (hold.state, hold.captured_fen, hold.released_fen) == (HoldState.CAPTURED, 0, 400)
    assert await books.capture("h1", 0) == hold
    assert await wallet_of(books) == Balance(1000, 0, 1)


async def test_a_whole_wallet_can_be_held_and_captured(books: Books) -> None:
    await books.hold("h1", 1000)
    await books.capture("h1", 1000)
    assert await wallet_of(books) == Balance(0, 0, 2)


async def test_a_capture_repeated_is_answered_and_books_nothing(books: Books) -> None:
    await books.hold("h1", 400)
    assert await books.capture("h1", 150) == await books.capture("h1", 150)
    assert (await wallet_of(books)).balance_fen == 850


async def test_a_second_capture_of_another_amount_is_refused(books: Books) -> None:
    await books.hold("h1", 400)
    await books.capture("h1", 150)
    for amount_fen in (149, 0):
        with pytest.raises(HubError) as refused:
            await books.capture("h1", amount_fen)
        assert refused.value.code is Code.STATE_CONFLICT
    assert (await wallet_of(books)).balance_fen == 850


async def test_more_than_the_hold_cannot_be_captured(books: Books) -> None:
    await books.hold("h1", 400)
    with pytest.raises(HubError) as refused:
        await books.capture("h1", 401)
    assert refused.value.code is Code.RULE_VIOLATED
    assert await wallet_of(books) == Balance(1000, 400, 1)


async def test_a_capture_cannot_borrow_the_reference_of_another_posting(books: Books) -> None:
    await books.hold("h1", 400)
    await books.post("h1", spend("w1", 150), kind="capture")
    with pytest.raises(HubError) as refused:
        await books.capture("h1", 150)
    assert refused.value.code is Code.ID_REUSED
    assert await wallet_of(books) == Balance(850, 400, 2)


async def test_entries_that_take_another_amount_are_a_mistake_of_the_caller(books: Books) -> None:
    await books.hold("h1", 400)
    with pytest.raises(ValueError, match="exactly"):
        async with books.database.unit() as unit:
            await books.ledger.capture_hold(
                unit,
                "h1",
                100,
                kind="capture",
                posting_reference="h1",
                event_at=books.clock.now,
                entries=spend("w1", 99),
            )


async def test_a_void_gives_everything_back_once(books: Books) -> None:
    await books.hold("h1", 400)
    hold = await books.void("h1")
    assert (hold.state, hold.released_fen) == (HoldState.VOIDED, 400)
    assert await books.void("h1") == hold
    assert (await books.hold("h1", 400)).state is HoldState.VOIDED
    assert await wallet_of(books) == Balance(1000, 0, 1)


async def test_a_captured_hold_is_not_given_back(books: Books) -> None:
    await books.hold("h1", 400)
    captured = await books.capture("h1", 150)
    assert await books.void("h1") == captured
    assert await wallet_of(books) == Balance(850, 0, 2)


async def test_releasing_an_unknown_reference_burns_it(books: Books) -> None:
    burnt = await books.void("h1")
    assert (burnt.state, burnt.amount_fen, burnt.account) == (HoldState.VOIDED, 0, None)
    assert await books.void("h1") == burnt
    assert await books.hold("h1", 400) == burnt
    with pytest.raises(HubError) as refused:
        await books.capture("h1", 1)
    assert refused.value.code is Code.STATE_CONFLICT
    assert await wallet_of(books) == Balance(1000, 0, 1)


async def test_an_unknown_hold_cannot_be_captured(books: Books) -> None:
    with pytest.raises(NotFoundError):
        await books.capture("h1", 1)


async def test_holds_expire_when_their_time_has_come_and_not_before(books: Books) -> None:
    end = books.clock.now + timedelta(hours=1)
    await books.hold("h1", 100, expires_at=end)
    await books.hold("h2", 200, expires_at=end + timedelta(seconds=1))
    await books.hold("h3", 300)
    assert await books.jobs.expire() == 0
    books.clock.advance(hours=1)
    assert await books.jobs.expire() == 1
    books.clock.advance(days=900)
    assert await books.jobs.expire() == 1
    assert await wallet_of(books) == Balance(1000, 300, 1)
    with pytest.raises(HubError) as refused:
        await books.capture("h1", 1)
    assert refused.value.code is Code.STATE_CONFLICT


async def test_racing_holds_never_hold_more_than_there_is(books: Books) -> None:
    made = await asyncio.gather(*(books.hold(f"h{n}", 130) for n in range(20)))
    assert sorted(hold.state for hold in made) == ["open"] * 7 + ["refused"] * 13
    assert await wallet_of(books) == Balance(1000, 910, 1)


async def test_racing_holds_and_postings_never_spend_a_fen_twice(books: Books) -> None:
    async def spent(n: int) -> int:
        try:
            await books.post(f"p{n}", spend("w1", 90))
        except HubError:
            return 0
        return 90

    async def held(n: int) -> int:
        return 110 if (await books.hold(f"h{n}", 110)).state is HoldState.OPEN else 0

    done = await asyncio.gather(*(f(n) for n in range(10) for f in (spent, held)))
    assert 1000 - 90 < sum(done) <= 1000
    assert (await wallet_of(books)).available_fen == 1000 - sum(done)


async def test_capture_void_and_expiry_racing_end_a_hold_exactly_once(books: Books) -> None:
    ends = set()
    for n in range(12):
        await books.hold(f"h{n}", 50, expires_at=books.clock.now)
        racers = [books.capture(f"h{n}", 20), books.void(f"h{n}"), books.jobs.expire()]
        # Another order each time, so that each of the three comes first now and then.
        order = racers[n % 3 :] + racers[: n % 3]
        done = await asyncio.gather(*order, return_exceptions=True)
        failed = [one for one in done if isinstance(one, BaseException)]
        assert all(isinstance(one, HubError) and one.code is Code.STATE_CONFLICT for one in failed)
        ends.add((await books.void(f"h{n}")).state)
    left = await wallet_of(books)
    assert left.held_fen == 0
    assert (1000 - left.balance_fen) % 20 == 0
    assert ends <= {HoldState.CAPTURED, HoldState.VOIDED, HoldState.EXPIRED}


async def test_the_same_hold_made_and_burnt_at_once_ends_as_one_of_both(books: Books) -> None:
    for n in range(12):
        racers = [books.hold(f"h{n}", 50), books.void(f"h{n}")]
        made, voided = await asyncio.gather(*racers) if n % 2 else await asyncio.gather(*racers[::-1])
        assert {made.state, voided.state} <= {HoldState.OPEN, HoldState.VOIDED}
        assert (await books.void(f"h{n}")).state is HoldState.VOIDED
    assert await wallet_of(books) == Balance(1000, 0, 1)


async def test_many_captures_of_one_hold_book_one_posting(books: Books) -> None:
    await books.hold("h1", 400)
    done = await asyncio.gather(*(books.capture("h1", 300) for _ in range(10)))
    assert all(hold == done[0] for hold in done)
    assert await wallet_of(books) == Balance(700, 0, 2)
