"""Suspense: every item is opened and closed by postings, and the books say what the list says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.clearing.suspense import Suspense
from hub.core.clock import ManualClock
from hub.core.database import Database
from hub.core.errors import HubError, NotFoundError
from hub.parties.audit import AuditLog
from hub.parties.scope import HUB, of_party
from hub.roaming.context import SECOND_PERSON_FEN
from hub.roaming.ports import WaitingMoney
from operator_sdk.contract.codes import SuspenseKind, SuspenseOutcome
from operator_sdk.contract.messages.suspense import SuspenseClose, SuspenseItem
from operator_sdk.contract.public_codes import Code
from tests.clearing_world import A, B, C, Market
from tests.databases import fresh_database

WAITING = WaitingMoney(
    kind=SuspenseKind.OVER_LIMIT,
    subject_id="rec-1",
    home_party_id=B,
    host_party_id=A,
    amount_fen=500,
    currency="CNY",
    reason="above the limit",
    evidence={"limit_fen": 1_000, "bill_fen": 1_500},
)
LARGE_FEN = SECOND_PERSON_FEN + 1
WRITE_OFF = SuspenseClose(outcome=SuspenseOutcome.WRITTEN_OFF, reason="the host bears it")


@dataclass
class Shelf:
    """A market with its suspense."""

    market: Market
    suspense: Suspense

    async def put(self, item: WaitingMoney = WAITING) -> str:
        async with self.market.database.unit() as unit:
            return await self.suspense.open_suspense(unit, item)

    async def settle(self, item: WaitingMoney, outcome: SuspenseOutcome) -> None:
        async with self.market.database.unit() as unit:
            await self.suspense.close_suspense(
                unit, item.kind, item.subject_id, outcome=outcome, reason="explained", by="hub"
            )

    async def claimed(self, host: str) -> int:
        return await self.market.posted("claimed", host)


async def shelf_on(database: Database, clock: ManualClock) -> Shelf:
    market = await Market(database, clock).open()
    audit = AuditLog(clock, market.ids)
    return Shelf(market, Suspense(database, clock, market.ids, ledger=market.ledger, audit=audit))


@pytest.fixture
async def shelf(kind: str, clock: ManualClock) -> AsyncIterator[Shelf]:
    async with fresh_database(kind) as database:
        made = await shelf_on(database, clock)
        yield made
        ages = await made.suspense.ages(HUB)
        assert ages.amount_fen == ages.balance_fen
        await made.market.audit()


async def test_an_item_stands_in_the_books_until_it_is_closed_once(shelf: Shelf) -> None:
    item_id = await shelf.put()
    assert await shelf.put() == item_id
    assert await shelf.market.posted("suspense", item_id) == 500
    assert await shelf.claimed(A) == 500
    closed = await shelf.suspense.close(item_id, WRITE_OFF, by="chen")
    assert (closed.outcome, closed.closed_by, closed.closing_reason) == (
        "written_off",
        "chen",
        "the host bears it",
    )
    assert await shelf.market.posted("suspense", item_id) == await shelf.claimed(A) == 0
    with pytest.raises(HubError) as refused:
        await shelf.suspense.close(item_id, WRITE_OFF, by="lin")
    assert refused.value.code is Code.STATE_CONFLICT
    assert await shelf.put() == item_id
    assert await shelf.market.posted("suspense", item_id) == 0


async def test_a_large_item_takes_two_people_who_say_the_same(shelf: Shelf) -> None:
    item_id = await shelf.put(replace(WAITING, amount_fen=LARGE_FEN))
    proposed = await shelf.suspense.close(item_id, WRITE_OFF, by="chen")
    assert (proposed.outcome, proposed.proposed_outcome, proposed.proposed_by) == (None, "written_off", "chen")
    with pytest.raises(HubError) as refused:
        await shelf.suspense.close(item_id, WRITE_OFF, by="chen")
    assert refused.value.code is Code.SECOND_PERSON_NEEDED
    other = SuspenseClose(outcome=SuspenseOutcome.RETURNED, reason="not his money")
    assert (await shelf.suspense.close(item_id, other, by="lin")).outcome is None
    assert (await shelf.suspense.item(HUB, item_id)).proposed_by == "lin"
    assert await shelf.claimed(A) == LARGE_FEN
    assert (await shelf.suspense.close(item_id, other, by="chen")).outcome is SuspenseOutcome.RETURNED
    small = await shelf.put(replace(WAITING, subject_id="rec-2", amount_fen=SECOND_PERSON_FEN))
    assert (await shelf.suspense.close(small, WRITE_OFF, by="chen")).outcome is SuspenseOutcome.WRITTEN_OFF


async def test_who_holds_the_database_acts_alone(shelf: Shelf) -> None:
    item_id = await shelf.put(replace(WAITING, amount_fen=LARGE_FEN))
    closed = await shelf.suspense.close(item_id, WRITE_OFF, by="cli:root", alone=True)
    assert closed.closed_by == "cli:root"


@pytest.mark.parametrize("kind_of_item", [SuspenseKind.RECORD, SuspenseKind.DISPUTE, SuspenseKind.SESSION])
async def test_what_is_decided_elsewhere_is_not_closed_by_itself(
    shelf: Shelf, kind_of_item: SuspenseKind
) -> None:
    item_id = await shelf.put(replace(WAITING, kind=kind_of_item))
    with pytest.raises(HubError) as refused:
        await shelf.suspense.close(item_id, WRITE_OFF, by="chen", alone=True)
    assert refused.value.code is Code.STATE_CONFLICT
    await shelf.settle(replace(WAITING, kind=kind_of_item), SuspenseOutcome.ACCEPTED)
    assert (await shelf.suspense.item(HUB, item_id)).outcome is SuspenseOutcome.ACCEPTED


async def test_an_item_without_money_books_nothing_and_is_listed(shelf: Shelf) -> None:
    item_id = await shelf.put(replace(WAITING, kind=SuspenseKind.SESSION, amount_fen=0))
    assert [item.item_id for item in await shelf.suspense.items(HUB)] == [item_id]
    assert await shelf.claimed(A) == 0
    await shelf.suspense.own(item_id, "lin", by="chen")
    assert (await shelf.suspense.item(HUB, item_id)).owner == "lin"


async def test_items_age_and_are_due(shelf: Shelf) -> None:
    await shelf.put()
    shelf.market.clock.advance(seconds=8 * 24 * 3600)
    await shelf.put(replace(WAITING, subject_id="rec-2", amount_fen=70))
    ages = await shelf.suspense.ages(HUB)
    assert {(one.days, one.items, one.amount_fen) for one in ages.ages} == {(7, 1, 500), (0, 1, 70)}
    old, new = sorted(await shelf.suspense.items(HUB), key=lambda item: item.opened_at)
    assert (old.age_days, new.age_days) == (8, 0)
    assert old.due_at - old.opened_at == timedelta(days=3)


async def test_only_the_two_sides_see_an_item(shelf: Shelf) -> None:
    item_id = await shelf.put()
    assert (await shelf.suspense.item(of_party(A), item_id)).item_id == item_id
    with pytest.raises(NotFoundError):
        await shelf.suspense.item(of_party(C), item_id)
    assert await shelf.suspense.items(of_party(C)) == []


@pytest.mark.faults
async def test_five_who_close_at_once_close_it_once(shelf: Shelf) -> None:
    item_id = await shelf.put()
    outcomes = await asyncio.gather(
        *(shelf.suspense.close(item_id, WRITE_OFF, by=f"p{number}") for number in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, SuspenseItem) for one in outcomes) == 1
    assert await shelf.claimed(A) == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", *SuspenseOutcome)),
        st.integers(0, 4),
        st.sampled_from((A, C)),
        st.sampled_from((0, 1, 99, 10**12)),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_suspense_is_the_sum_of_its_open_items(
    steps: list[tuple[str, int, str, int]], clock: ManualClock
) -> None:
    async def play() -> None:
        async with fresh_database("sqlite") as database:
            shelf = await shelf_on(database, clock)
            open_items: dict[str, tuple[str, int]] = {}
            ever: set[str] = set()
            for step, number, host, fen in steps:
                subject = f"rec-{number}"
                item = replace(WAITING, subject_id=subject, host_party_id=host, amount_fen=fen)
                if step == "put":
                    await shelf.put(item)
                    if subject not in ever:
                        open_items[subject] = (host, fen)
                        ever.add(subject)
                else:
                    await shelf.settle(item, SuspenseOutcome(step))
                    open_items.pop(subject, None)
            ages = await shelf.suspense.ages(HUB)
            assert ages.balance_fen == ages.amount_fen == sum(fen for _, fen in open_items.values())
            for host in (A, C):
                assert await shelf.claimed(host) == sum(f for h, f in open_items.values() if h == host)
            await shelf.market.audit()

    asyncio.run(play())
