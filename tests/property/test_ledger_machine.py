"""The ledger against a naive oracle, over any sequence of postings, holds, captures, voids and expiries."""

import asyncio
import copy
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.core.clock import ManualClock, local_day
from hub.core.errors import HubError
from hub.ledger.model import Posting
from tests.books import AT, Books, fund, spend, wallet
from tests.databases import fresh_database

pytestmark = pytest.mark.property

T = TypeVar("T")
WALLETS = ("w0", "w1")
names = st.sampled_from(WALLETS)
# Few references and amounts, so that repeats and exact fits are common.
references = st.sampled_from([f"r{n}" for n in range(6)])
amounts = st.sampled_from([1, 2, 5, 10, 50])
kinds = st.sampled_from(["fund", "spend"])
TABLES = (
    "ledger_account", "ledger_posting", "ledger_entry", "ledger_hold", "ledger_hold_event", "ledger_unsealed",
    "ledger_seal", "ledger_day",
)  # fmt: skip


@dataclass
class Held:
    """A hold as the oracle knows it."""

    name: str | None
    amount_fen: int
    state: str
    captured_fen: int = 0
    expires_at: object = None


@dataclass
class Oracle:
    """What the books should say, kept in dictionaries."""

    balance: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WALLETS, 0))
    holds: dict[str, Held] = field(default_factory=dict)
    posted: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def held(self, name: str) -> int:
        return sum(h.amount_fen for h in self.holds.values() if (h.name, h.state) == (name, "open"))

    def free(self, name: str) -> int:
        return self.balance[name] - self.held(name)

    def post(self, kind: str, reference: str, name: str, amount_fen: int) -> str:
        known = self.posted.get((kind, reference))
        if known is not None:
            return "done" if known == (name, amount_fen) else "id_reused"
        if kind == "spend" and self.free(name) < amount_fen:
            return "insufficient_funds"
        self.posted[kind, reference] = (name, amount_fen)
        self.balance[name] += amount_fen if kind == "fund" else -amount_fen
        return "done"

    def post_many(self, batch: list[tuple[str, str, str, int]]) -> str:
        """One by one, and back to what was before when one is refused."""
        before = copy.deepcopy(self.__dict__)
        wanted = dict(self.posted)
        if any(wanted.setdefault((k, r), (name, fen)) != (name, fen) for k, r, name, fen in batch):
            return "id_reused"
        if all(self.post(*one) == "done" for one in batch):
            return "done"
        self.__dict__.update(before)
        return "insufficient_funds"

    def hold(self, reference: str, name: str, amount_fen: int, expires_at: object) -> str:
        known = self.holds.get(reference)
        if known is not None:
            same = known.name is None or (known.name, known.amount_fen) == (name, amount_fen)
            return known.state if same else "id_reused"
        state = "open" if self.free(name) >= amount_fen else "refused"
        self.holds[reference] = Held(name, amount_fen, state, expires_at=expires_at)
        return state

    def capture(self, reference: str, amount_fen: int) -> str:
        known = self.holds.get(reference)
        if known is None:
            return "not_found"
        if known.name is None or known.state == "refused":
            return "state_conflict"
        if amount_fen > known.amount_fen:
            return "rule_violated"
        if known.state == "open":
            known.state, known.captured_fen = "captured", amount_fen
            self.balance[known.name] -= amount_fen
            return "captured"
        same = known.state == "captured" and known.captured_fen == amount_fen
        return "captured" if same else "state_conflict"

    def void(self, reference: str) -> str:
        known = self.holds.setdefault(reference, Held(None, 0, "voided"))
        if known.state == "open":
            known.state = "voided"
        return known.state

    def expire(self, now: object) -> int:
        due = [
            h
            for h in self.holds.values()
            if h.state == "open" and h.expires_at is not None and h.expires_at <= now  # type: ignore[operator]
        ]
        for hold in due:
            hold.state = "expired"
        return len(due)


class LedgerMachine(RuleBasedStateMachine):
    """Drives both, and compares every answer and every balance."""

    @initialize()
    def open_books(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock(AT)
        self.oracle = Oracle()
        self.opened = fresh_database("sqlite")
        self.books = Books(self.run(self.opened.__aenter__()), self.clock)
        self.file = sqlite3.connect(self.books.database.engine.url.database or "")

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    def answer(self, work: Callable[[], Awaitable[object]]) -> str:
        """The state or the code that comes of it; what is refused must leave every row as it was."""
        before = self.rows()
        try:
            done = self.run(work())
        except HubError as refused:
            assert self.rows() == before
            return refused.code.value
        return str(getattr(done, "state", "done"))

    def rows(self) -> list[object]:
        """Everything in the books."""
        return [self.read(f"SELECT * FROM {table}") for table in TABLES]

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Past the ledger, from the file itself."""
        return self.file.execute(query).fetchall()

    @rule(reference=references, name=names, amount_fen=amounts)
    def fund(self, reference: str, name: str, amount_fen: int) -> None:
        got = self.answer(lambda: self.books.post(reference, fund(name, amount_fen), "fund"))
        assert got == self.oracle.post("fund", reference, name, amount_fen)

    @rule(reference=references, name=names, amount_fen=amounts)
    def spend(self, reference: str, name: str, amount_fen: int) -> None:
        got = self.answer(lambda: self.books.post(reference, spend(name, amount_fen), "spend"))
        assert got == self.oracle.post("spend", reference, name, amount_fen)

    @rule(batch=st.lists(st.tuples(kinds, references, names, amounts), max_size=5))
    def post_many(self, batch: list[tuple[str, str, str, int]]) -> None:
        entries = {"fund": fund, "spend": spend}
        postings = [
            Posting(kind=kind, reference=reference, event_at=AT, entries=entries[kind](name, amount_fen))
            for kind, reference, name, amount_fen in batch
        ]
        assert self.answer(lambda: self.book_all(postings)) == self.oracle.post_many(batch)

    async def book_all(self, postings: list[Posting]) -> None:
        async with self.books.database.unit() as unit:
            ids = await self.books.ledger.post_many(unit, postings)
        assert len(ids) == len(postings)

    @rule(reference=references, name=names, amount_fen=amounts, minutes=st.sampled_from([0, 5, None]))
    def hold(self, reference: str, name: str, amount_fen: int, minutes: int | None) -> None:
        end = None if minutes is None else self.clock.now + timedelta(minutes=minutes)
        got = self.answer(lambda: self.books.hold(reference, amount_fen, name, end))
        assert got == self.oracle.hold(reference, name, amount_fen, end)

    @precondition(lambda self: self.oracle.holds)
    @rule(data=st.data(), amount_fen=st.sampled_from([0, 1, 2, 5, 10, 50]))
    def capture(self, data: st.DataObject, amount_fen: int) -> None:
        reference = data.draw(st.sampled_from(sorted(self.oracle.holds)))
        name = self.oracle.holds[reference].name or "w0"
        got = self.answer(lambda: self.books.capture(reference, amount_fen, name))
        assert got == self.oracle.capture(reference, amount_fen)

    @rule(reference=st.sampled_from(["r0", "r1", "never made"]))
    def void(self, reference: str) -> None:
        assert self.answer(lambda: self.books.void(reference)) == self.oracle.void(reference)

    @rule(minutes=st.sampled_from([0, 5, 10]))
    def wait_and_expire(self, minutes: int) -> None:
        self.clock.advance(minutes=minutes)
        assert self.run(self.books.jobs.expire()) == self.oracle.expire(self.clock.now)

    @rule(days=st.sampled_from([0, 0, 1]))
    def seal(self, days: int) -> None:
        self.clock.advance(days=days)
        self.run(self.books.jobs.close_days(local_day(self.clock.now)))

    @invariant()
    def every_balance_is_as_the_oracle_says(self) -> None:
        if not hasattr(self, "books"):
            return
        query = "SELECT subject, -posted_fen, held_fen FROM ledger_account WHERE kind = 'wallet'"
        seen = dict.fromkeys(WALLETS, (0, 0)) | {name: fens for name, *fens in self.read(query)}
        for name in WALLETS:
            assert tuple(seen[name]) == (self.oracle.balance[name], self.oracle.held(name))

    def teardown(self) -> None:
        if hasattr(self, "books"):
            for name in WALLETS:
                assert self.run(self.books.balance(wallet(name))).available_fen == self.oracle.free(name)
            self.run(self.books.audit())
            self.file.close()
            self.run(self.opened.__aexit__(None, None, None))
            self.loop.close()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=70,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
