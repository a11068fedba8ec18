"""Disputes under any steps by anybody, with cycles that close and end meanwhile, against a slow oracle."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from hub.clearing.tables import ObligationRow
from hub.core.clock import ManualClock, local_day
from hub.core.errors import HubError
from hub.ledger.tables import ACCOUNT
from hub.parties.tables import Exposure
from hub.roaming.tables_disputes import DisputeRow
from hub.roaming.tables_records import RecordRow
from tests.dispute_world import A, B, World, dispute_world

pytestmark = pytest.mark.property

AMOUNTS = (1_000, 70, 20_000, 3, 444)
BEGUN = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
STEPS = (
    "raise", "raise", "raise", "answer", "answer", "answer", "insist", "withdraw", "resolve", "time", "time",
    "credit", "settle", "settle", "close", "pay",
)  # fmt: skip
STEPS_MOST = 24


@dataclass(frozen=True)
class Wish:
    """What somebody tries: which step, about which bill, for which side, and whether in the wrong way."""

    step: str
    number: int
    by_host: bool
    wrong: bool
    late: bool
    concedes: bool


def wish_of(chance: Random) -> Wish:
    """Somebody's next wish. What is wrong, late or the end of a bill is wished for less often."""
    by_host, *rarely = [chance.randrange(most) == 0 for most in (3, 3, 5, 5)]
    return Wish(chance.choice(STEPS), chance.randrange(len(AMOUNTS)), by_host, *rarely)


@dataclass
class Quarrel:
    """A dispute as the oracle knows it."""

    dispute_id: str
    raised_by: str
    in_time: bool
    due_at: datetime
    state: str = "raised"
    insisted: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in {"raised", "answered"}

    @property
    def other_side(self) -> str:
        return A if self.raised_by == B else B


@dataclass
class Bill:
    """A record: its state, which cycle has what is owed for it and back (None: none), its last dispute, and
    who disputed it already.
    """

    record_id: str
    fen: int
    state: str = "accepted"
    cycle: int | str | None = 0
    credit: bool = False
    credit_cycle: int | None = None
    settled: bool = False
    quarrel: Quarrel | None = None
    disputed_by: set[str] = field(default_factory=set)

    @property
    def open_quarrel(self) -> Quarrel | None:
        return self.quarrel if self.quarrel is not None and self.quarrel.is_open else None


def pick(bills: list[Bill], number: int) -> list[Bill]:
    """One of them, or none where there is none."""
    return [bills[number % len(bills)]] if bills else []


class Walk:
    """Drives both, and compares every answer, every row and every balance."""

    def __init__(self, world: World, bills: list[Bill]) -> None:
        self.world, self.clock, self.bills = world, world.clock, bills
        self.cycles: list[str] = []
        self.paid: set[int] = set()

    async def attempt(self, work: Awaitable[Any]) -> str | None:
        """None, or the code of the refusal."""
        try:
            await work
        except HubError as refused:
            return refused.code.value
        return None

    # What becomes of a bill, as a person would say it.

    def stands(self, bill: Bill, quarrel: Quarrel) -> None:
        quarrel.state = "accepted"
        if bill.state == "disputed":
            bill.state = "settled" if bill.cycle in self.paid else "accepted"
            if bill.cycle == "out":
                bill.cycle = len(self.cycles)

    def undone(self, bill: Bill, quarrel: Quarrel | None) -> None:
        bill.state, bill.credit = "credited", True
        if bill.cycle == "out":
            bill.cycle = None
        else:
            bill.credit_cycle = len(self.cycles)
        if quarrel is not None:
            quarrel.state = "credited"

    # Steps.

    def raised(self) -> list[Bill]:
        """Bills whose dispute waits for an answer."""
        return [bill for bill in self.bills if bill.open_quarrel and bill.open_quarrel.state == "raised"]

    def open_ones(self) -> list[Bill]:
        """Bills with an open dispute."""
        return [bill for bill in self.bills if bill.open_quarrel]

    async def raise_(self, wish: Wish) -> None:
        bill, by = self.bills[wish.number], A if wish.by_host else B
        expected = None
        if bill.state not in {"accepted", "settled"} or bill.open_quarrel or by in bill.disputed_by:
            expected = "state_conflict"
        elif self.world.too_old(local_day(BEGUN)):
            expected = "rule_violated"
        found = []

        async def work() -> None:
            found.append(await self.world.dispute(bill.record_id, by))

        assert await self.attempt(work()) == expected
        if expected is None:
            in_time = bill.state == "accepted" and bill.cycle == len(self.cycles)
            assert found[0].in_time == in_time
            due_at = self.clock.business() + timedelta(hours=72)
            bill.quarrel = Quarrel(found[0].dispute_id, by, in_time, due_at)
            bill.disputed_by.add(by)
            if bill.state == "accepted":
                bill.state = "disputed"
            if in_time:
                bill.cycle = "out"

    async def answer(self, wish: Wish) -> None:
        for bill in pick(self.raised(), wish.number):
            quarrel = bill.open_quarrel
            assert quarrel is not None
            if wish.late:
                self.clock.advance(hours=72)
            by = quarrel.raised_by if wish.wrong else quarrel.other_side
            expected = None
            if wish.wrong:
                expected = "forbidden"
            elif self.clock.business() >= quarrel.due_at:
                expected = "state_conflict"
            said = "concede" if wish.concedes else "contest"
            assert await self.attempt(self.world.answer(quarrel.dispute_id, said, by)) == expected
            if expected is None and wish.concedes:
                self.undone(bill, quarrel)
            elif expected is None:
                quarrel.state, quarrel.due_at = "answered", self.clock.business() + timedelta(days=7)

    async def insist(self, wish: Wish) -> None:
        for bill in pick(self.open_ones(), wish.number):
            quarrel = bill.open_quarrel
            if quarrel is None or quarrel.insisted:
                return
            if wish.late:
                self.clock.advance(days=7)
            by = quarrel.other_side if wish.wrong else quarrel.raised_by
            expected = None
            if wish.wrong:
                expected = "forbidden"
            elif quarrel.state != "answered" or self.clock.business() >= quarrel.due_at:
                expected = "state_conflict"
            assert await self.attempt(self.world.insist(quarrel.dispute_id, by)) == expected
            quarrel.insisted = expected is None

    async def withdraw(self, wish: Wish) -> None:
        for bill in pick(self.open_ones(), wish.number):
            quarrel = bill.open_quarrel
            assert quarrel is not None
            by = quarrel.other_side if wish.wrong else quarrel.raised_by
            expected = "forbidden" if wish.wrong else None
            assert await self.attempt(self.world.withdraw(quarrel.dispute_id, by)) == expected
            if expected is None:
                self.stands(bill, quarrel)

    async def resolve(self, wish: Wish) -> None:
        for bill in pick([bill for bill in self.bills if bill.quarrel], wish.number):
            quarrel, outcome = bill.quarrel, "credited" if wish.concedes else "accepted"
            assert quarrel is not None
            expected = None if quarrel.is_open or quarrel.state == outcome else "state_conflict"
            assert await self.attempt(self.world.resolve(quarrel.dispute_id, outcome)) == expected
            if quarrel.is_open:
                (self.stands if outcome == "accepted" else self.undone)(bill, quarrel)

    async def time(self, wish: Wish) -> None:
        """Some goes by, seldom little, and the job looks."""
        self.clock.advance(hours=1 if wish.wrong else 200 if wish.late else 80)
        ended = 0
        for bill in self.bills:
            quarrel = bill.open_quarrel
            if quarrel is not None and not quarrel.insisted and self.clock.business() >= quarrel.due_at:
                (self.undone if quarrel.state == "raised" else self.stands)(bill, quarrel)
                ended += 1
        assert await self.world.expire() == ended

    async def credit(self, wish: Wish) -> None:
        bill = self.bills[wish.number]
        quarrel = bill.open_quarrel
        if quarrel is not None and quarrel.raised_by == A:
            assert await self.attempt(self.world.credit(bill.record_id, bill.fen)) == "state_conflict"
            return
        reply = await self.world.credit(bill.record_id, bill.fen)
        if bill.state == "credited":
            assert reply.state == "rejected"
            return
        assert (reply.state, reply.owed_fen) == ("accepted", 0 if bill.cycle == "out" else bill.fen)
        self.undone(bill, quarrel)

    async def settle(self, wish: Wish) -> None:
        bill = self.bills[wish.number]
        expected = "rule_violated" if bill.settled else None
        assert await self.attempt(self.world.settle(bill.record_id, bill.fen)) == expected
        quarrel = bill.open_quarrel
        if expected is None and quarrel is not None and quarrel.raised_by == B:
            self.stands(bill, quarrel)
        bill.settled = True

    async def close(self, _: Wish) -> None:
        if len(self.cycles) < 3:
            self.cycles.append(await self.world.close())

    async def pay(self, _: Wish) -> None:
        for number in sorted(set(range(len(self.cycles))) - self.paid)[:1]:
            await self.world.pay(self.cycles[number])
            self.paid.add(number)
            for bill in self.bills:
                if bill.cycle == number and bill.state == "accepted":
                    bill.state = "settled"

    # What must hold.

    async def compare(self) -> None:
        async with self.world.database.reading() as unit:
            states = {row.record_id: row.state for row in await unit.session.exec(select(RecordRow))}
            owed = (await unit.session.exec(select(ObligationRow))).all()
            disputes = (await unit.session.exec(select(DisputeRow))).all()
            exposure = await unit.session.get(Exposure, B)
            accounts = (await unit.execute(ACCOUNT.select())).all()
        for bill in self.bills:
            assert states[bill.record_id] == bill.state
            self._compare_owed(bill, owed)
            open_ones = {
                one.dispute_id for one in disputes if one.record_id == bill.record_id and not one.resolved_at
            }
            assert open_ones == {one.dispute_id for one in (bill.open_quarrel,) if one is not None}
        out = sum(bill.fen for bill in self.bills if bill.cycle == "out")
        assert sum(row.posted_fen for row in accounts if row.kind == "suspense") == out
        assert sum(row.posted_fen for row in accounts if row.kind == "claimed") == -out
        assert sum(row.posted_fen for row in accounts) == 0
        assert exposure is not None
        assert exposure.owed_fen == self._owed()

    def _compare_owed(self, bill: Bill, owed: Any) -> None:
        number_of = {cycle_id: number for number, cycle_id in enumerate(self.cycles)}
        (charge,) = [one for one in owed if one.record_id == bill.record_id]
        if isinstance(bill.cycle, int):
            assert charge.state == "in_cycle"
            assert charge.cycle_id is not None
            assert number_of.get(charge.cycle_id, len(self.cycles)) == bill.cycle
        else:
            assert (charge.state, charge.cycle_id) == ("disputed" if bill.cycle == "out" else "withdrawn", None)
        back = [one for one in owed if one.credit_of == bill.record_id]
        in_cycles = [number_of.get(one.cycle_id, len(self.cycles)) for one in back]
        assert in_cycles == ([] if bill.credit_cycle is None else [bill.credit_cycle])

    def _owed(self) -> int:
        """What the home owes and has not paid: charges that stand, less what is owed back."""
        charges = [bill.fen for bill in self.bills if bill.cycle is not None and bill.cycle not in self.paid]
        credited = [bill for bill in self.bills if bill.credit_cycle is not None]
        return sum(charges) - sum(bill.fen for bill in credited if bill.credit_cycle not in self.paid)


# A walk is drawn from one number: drawn step by step, most walks would be short of what makes them interesting.
@settings(max_examples=10, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(seed=st.integers(0, 2**32))
def test_disputes_and_their_money_are_always_what_the_oracle_says(seed: int) -> None:
    async def play() -> None:
        async with dispute_world("sqlite", ManualClock(BEGUN)) as world:
            walk = Walk(world, [Bill(await world.accept(fen), fen) for fen in AMOUNTS])
            chance = Random(seed)
            for wish in [wish_of(chance) for _ in range(STEPS_MOST)]:
                await getattr(walk, "raise_" if wish.step == "raise" else wish.step)(wish)
                await walk.compare()

    asyncio.run(play())
