"""Eight writers of postings, on the ledger and on the bare driver with the ledger's own statements, in turns.

    python -m tests.bench.ledger URL

Prints one line of JSON. Each writer makes a hold, books two postings and captures the hold, each in a unit of
its own, over 200 wallets and 20 hosts; a posting has two entries. The bare writers send the same statements to
the same tables with the same triggers, and nothing else: they check no rule and make no digest.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from statistics import median

from hub.core.clock import SystemClock
from hub.core.database import Database
from hub.core.ids import SystemIds
from hub.ledger.model import Account, Entry, Posting
from hub.ledger.service import Ledger
from tests.bench.ledger_bare import Bare, bare_writers

BOOK = "MA5CCCCC3"
WALLETS = [Account(BOOK, "wallet", f"c{number:03d}") for number in range(200)]
HOSTS = [Account(BOOK, "payable", f"MA5{number:06d}") for number in range(20)]
BANK = Account(BOOK, "funds_at_bank")
WRITERS, ROUNDS, ROUND_S = 8, 5, 3.0
BATCH, BATCHES = 5_000, 3
HELD_FEN, CAPTURED_FEN, SPENT_FEN, FUNDS_FEN = 500, 400, 30, 10**12


def entries(giver: Account, taker: Account, amount_fen: int) -> list[Entry]:
    """Money owed by a wallet to a host."""
    return [
        Entry(**giver._asdict(), amount_fen=amount_fen),
        Entry(**taker._asdict(), amount_fen=-amount_fen),
    ]


class Ours:
    """Writers on the ledger."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, SystemClock()
        self.ledger = Ledger(self.clock, SystemIds(self.clock))

    async def fund(self) -> None:
        """Every account there will be, and money in every wallet."""
        funds = [
            Posting(
                kind="top_up",
                reference=wallet.subject,
                event_at=self.clock.business(),
                entries=entries(BANK, wallet, FUNDS_FEN),
            )
            for wallet in WALLETS
        ]
        async with self.database.unit() as unit:
            await self.ledger.lock(unit, [*WALLETS, *HOSTS, BANK])
            await self.ledger.post_many(unit, funds)

    async def hold(self, reference: str, wallet: Account) -> None:
        """Make a hold."""
        async with self.database.unit() as unit:
            await self.ledger.make_hold(unit, wallet, reference, HELD_FEN, None)

    async def post(self, reference: str, wallet: Account, host: Account) -> None:
        """Book a posting."""
        async with self.database.unit() as unit:
            await self.ledger.post(
                unit,
                kind="bench",
                reference=reference,
                event_at=self.clock.business(),
                entries=entries(wallet, host, SPENT_FEN),
            )

    async def capture(self, reference: str, wallet: Account, host: Account) -> None:
        """Capture a hold."""
        async with self.database.unit() as unit:
            await self.ledger.capture_hold(
                unit,
                reference,
                CAPTURED_FEN,
                kind="bench_capture",
                posting_reference=reference,
                event_at=self.clock.business(),
                entries=entries(wallet, host, CAPTURED_FEN),
            )

    async def batch(self, name: str, pairs: Sequence[tuple[Account, Account]]) -> None:
        """Book many postings in one unit."""
        at = self.clock.business()
        postings = [
            Posting(
                kind="bench_batch",
                reference=f"{name}-{number}",
                event_at=at,
                entries=entries(wallet, host, SPENT_FEN),
            )
            for number, (wallet, host) in enumerate(pairs)
        ]
        async with self.database.unit() as unit:
            await self.ledger.post_many(unit, postings)


async def writer(side: Ours | Bare, name: str, until: float) -> int:
    """Work until then; how many postings were booked."""
    chance, booked, number = random.Random(name), 0, 0
    while time.perf_counter() < until:
        number += 1
        reference, held = f"{name}-{number}", chance.choice(WALLETS)
        await side.hold(reference, held)
        for part in "ab":
            await side.post(f"{reference}{part}", chance.choice(WALLETS), chance.choice(HOSTS))
        await side.capture(reference, held, chance.choice(HOSTS))
        booked += 3
    return booked


async def one_round(side: Ours | Bare, name: str) -> float:
    """Postings per second of eight writers."""
    begun = time.perf_counter()
    writers = (writer(side, f"{name}-{number}", begun + ROUND_S) for number in range(WRITERS))
    booked = sum(await asyncio.gather(*writers))
    return booked / (time.perf_counter() - begun)


async def one_batch(side: Ours | Bare, name: str) -> float:
    """Postings per second of one batch."""
    chance = random.Random(name)
    pairs = [(chance.choice(WALLETS), chance.choice(HOSTS)) for _ in range(BATCH)]
    begun = time.perf_counter()
    await side.batch(name, pairs)
    return BATCH / (time.perf_counter() - begun)


async def in_turns(
    ours: Ours, bare: Bare, measure: Callable[[Ours | Bare, str], Awaitable[float]], rounds: int, name: str
) -> list[tuple[float, float]]:
    """(ours, bare) of each round, after one that does not count."""
    found = [
        (await measure(ours, f"{name}-ours-{number}"), await measure(bare, f"{name}-bare-{number}"))
        for number in range(rounds + 1)
    ]
    return found[1:]


async def run(url: str) -> dict[str, object]:
    """All of it, on a migrated, empty database."""
    async with AsyncExitStack() as stack:
        database = Database(url, pool_size=WRITERS)
        stack.push_async_callback(database.close)
        ours = Ours(database)
        await ours.fund()
        bare = await stack.enter_async_context(bare_writers(url, WRITERS))
        single = await in_turns(ours, bare, one_round, ROUNDS, "single")
        batch = await in_turns(ours, bare, one_batch, BATCHES, "batch")
    return {
        "per_s": round(median(one for one, _ in single), 1),
        "vs_bare": round(median(one / other for one, other in single), 3),
        "batch_per_s": round(median(one for one, _ in batch), 1),
        "batch_vs_bare": round(median(one / other for one, other in batch), 3),
        "rounds": [[round(one), round(other)] for one, other in (*single, *batch)],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1]))))
