"""Eight threads with connections of their own race for one wallet and for one hold, on either engine."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError
from hub.ledger.model import Balance
from operator_sdk.contract.public_codes import Code
from tests import databases
from tests.books import AT, Books, fund, spend, wallet

THREADS, ROUNDS = 8, 12
Step = Callable[[Books, int], Awaitable[str]]


class Racers:
    """One thread each with an event loop and a database of its own, let go together."""

    def __init__(self, url: str) -> None:
        self._url, self._start = url, threading.Barrier(THREADS)
        self._pool = ThreadPoolExecutor(THREADS)

    def race(self, rounds: int, step: Step) -> list[Counter[str]]:
        """What came of each round, by outcome."""
        outcomes = list(self._pool.map(self._run, range(THREADS), [rounds] * THREADS, [step] * THREADS))
        return [Counter(one[number] for one in outcomes) for number in range(rounds)]

    def _run(self, number: int, rounds: int, step: Step) -> list[str]:
        async def all_rounds() -> list[str]:
            database = Database(self._url, pool_size=1)
            try:
                books = Books(database, ManualClock(AT))
                await books.balance(wallet())  # connected before the race
                return [await self._one(step, books, each * THREADS + number) for each in range(rounds)]
            finally:
                await database.close()

        return asyncio.run(all_rounds())

    async def _one(self, step: Step, books: Books, number: int) -> str:
        await asyncio.to_thread(self._start.wait, 60)
        try:
            return await step(books, number)
        except HubError as refused:
            return refused.code.value

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


@pytest.fixture
def url(kind: str) -> Iterator[str]:
    with asyncio.Runner() as runner:
        opened = databases.fresh_url(kind)
        yield runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
def racers(url: str) -> Iterator[Racers]:
    racers = Racers(url)
    yield racers
    racers.close()


def once(url: str, work: Callable[[Books], Awaitable[None]]) -> None:
    """Something before or after a race."""

    async def opened() -> None:
        database = Database(url, pool_size=1)
        try:
            await work(Books(database, ManualClock(AT)))
        finally:
            await database.close()

    asyncio.run(opened())


def test_one_hold_more_than_there_is_money_for_is_refused(url: str, racers: Racers) -> None:
    async def fund_wallets(books: Books) -> None:
        for number in range(ROUNDS):
            await books.post(f"funds {number}", fund(f"w{number}", 100 * THREADS - 1))

    async def hold(books: Books, number: int) -> str:
        return (await books.hold(f"h{number}", 100, f"w{number // THREADS}")).state.value

    async def nothing_more_is_held(books: Books) -> None:
        for number in range(ROUNDS):
            balance = await books.balance(wallet(f"w{number}"))
            assert balance == Balance(100 * THREADS - 1, 100 * (THREADS - 1), 1)
        await books.audit()

    once(url, fund_wallets)
    for outcome in racers.race(ROUNDS, hold):
        assert outcome == {"open": THREADS - 1, "refused": 1}
    once(url, nothing_more_is_held)


def test_holds_and_postings_never_take_a_fen_twice(url: str, racers: Racers) -> None:
    async def fund_wallets(books: Books) -> None:
        for number in range(ROUNDS):
            await books.post(f"funds {number}", fund(f"w{number}", 350))

    async def take(books: Books, number: int) -> str:
        name = f"w{number // THREADS}"
        if number % 2:
            return (await books.hold(f"h{number}", 100, name)).state.value
        await books.post(f"p{number}", spend(name, 100))
        return "spent"

    async def whole(books: Books) -> None:
        for number in range(ROUNDS):
            assert (await books.balance(wallet(f"w{number}"))).available_fen == 50
        await books.audit()

    once(url, fund_wallets)
    for outcome in racers.race(ROUNDS, take):
        assert outcome["open"] + outcome["spent"] == 3
        assert outcome["refused"] + outcome[Code.INSUFFICIENT_FUNDS.value] == THREADS - 3
    once(url, whole)


async def end_it(books: Books, number: int) -> str:
    """Capture a part, capture another part, give back, or expire."""
    reference = f"h{number // THREADS}"
    match number % 4:
        case 0 | 1 as other:
            return f"captured {(await books.capture(reference, (40, 70)[other])).captured_fen}"
        case 2:
            return f"then {(await books.void(reference)).state.value}"
    await books.jobs.expire()
    return "expired"


def test_a_hold_ends_exactly_once_however_many_would_end_it(url: str, racers: Racers) -> None:
    async def hold_money(books: Books) -> None:
        await books.post("funds", fund("w1", 100 * ROUNDS))
        for number in range(ROUNDS):
            await books.hold(f"h{number}", 100, expires_at=AT)

    async def ended(books: Books) -> None:
        holds = [await books.void(f"h{number}") for number in range(ROUNDS)]
        assert {hold.captured_fen + hold.released_fen for hold in holds} == {100}
        spent_fen = sum(hold.captured_fen for hold in holds)
        balance = await books.balance(wallet())
        assert (balance.balance_fen, balance.held_fen) == (100 * ROUNDS - spent_fen, 0)
        await books.audit()

    once(url, hold_money)
    for outcome in racers.race(ROUNDS, end_it):
        captures = [name for name in outcome if name.startswith("captured")]
        assert len(captures) <= 1
        assert len([name for name in outcome if name.startswith("then")]) == 1
        assert outcome[Code.STATE_CONFLICT.value] == (2 if captures else 4)
    once(url, ended)


def test_one_reference_books_once_whoever_comes_first(url: str, racers: Racers) -> None:
    async def post(books: Books, number: int) -> str:
        return await books.post(f"t{number // THREADS}", fund("w1", 5 + number % 2))

    async def booked(books: Books) -> None:
        balance = await books.balance(wallet())
        assert balance.version == ROUNDS
        await books.audit()

    for outcome in racers.race(ROUNDS, post):
        assert outcome[Code.ID_REUSED.value] == THREADS // 2
        assert len(outcome) == 2
    once(url, booked)
