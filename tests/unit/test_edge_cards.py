"""Cards at a pile: what is asked at home, what is kept until it is settled, and what is forgotten."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from edge_agent.attendant import Attendant
from edge_agent.charge import Charge
from edge_agent.clock import Clock
from edge_agent.keeper import Keeper
from edge_agent.local import Cards
from edge_agent.store import Store, Written
from edge_agent.uplink import LinkDown, Uplink
from operator_sdk.contract.codes import TokenKind
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    AuthorizeAsk,
    Authorized,
    Done,
    Refused,
    ReleaseAsk,
)
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import Authorization, AuthorizeRequest, ReleaseRequest
from operator_sdk.contract.public_codes import Code
from tests.edge_rig import EPOCH, TARIFF, UNPRICEABLE, new_id

NOT_NOW = (Code.UNAVAILABLE, Code.TOO_MANY_REQUESTS, Code.IN_PROGRESS, Code.INTERNAL)


@dataclass
class Link:
    """An uplink whose gateway answers as it is told."""

    answering: Callable[[str, Ask], Answer]
    is_open: bool = True
    asked: list[Ask] = field(default_factory=list)

    async def ask(self, ask_id: str, ask: Ask, *, within_s: float) -> Answer:
        if not self.is_open:
            raise LinkDown("not connected")
        self.asked.append(ask)
        return self.answering(ask_id, ask)


@dataclass
class Plug:
    """A free connector."""

    connector_id: str = "P1"
    charge: Charge | None = None
    is_reserved: bool = False

    def objection(self) -> Code | None:
        return None

    def look(self) -> None:
        return


def granting(tariff: Tariff | None = TARIFF) -> Callable[[str, Ask], Answer]:
    def answer(ask_id: str, ask: Ask) -> Answer:
        if isinstance(ask, ReleaseAsk):
            return Done()
        granted = Authorization(
            authorization_id=new_id("aut"),
            authorization_ref=ask_id,
            state="granted",
            session_id=new_id("ses"),
            tariff=tariff,
        )
        return Authorized(authorization=granted)

    return answer


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "edge.sqlite3", new_spool_id="spool-1")
    yield opened
    opened.close()


def cards(store: Store, link: Link) -> Cards:
    clock = Clock()
    keeper = Keeper(store, clock, written=lambda: None, on_full=lambda: None)
    return Cards(keeper, cast("Uplink", link), clock, cast("Any", None))


async def shown(desk: Cards, number: str = "B0000123") -> None:
    """A card is shown, and something comes of it."""
    others = asyncio.all_tasks()
    desk.shown(cast("Attendant", Plug()), number)
    await asyncio.gather(*(asyncio.all_tasks() - others))


def an_open_ask(store: Store, ask_id: str) -> None:
    token = Token(kind=TokenKind.CARD, ref="B0000123")
    store.put_ask(
        ask_id,
        AuthorizeRequest(authorization_ref=ask_id, token=token, connector_id="P1", target=Target()),
    )


def an_open_release(store: Store) -> None:
    release = ReleaseRequest(authorization_id=new_id("aut"), reason="start_failed")
    store.write(Written(at=EPOCH, release=release))


async def test_a_card_that_home_has_not_decided_yet_is_refused_and_its_question_stays(store: Store) -> None:
    def pending(ask_id: str, _: Ask) -> Answer:
        said = Authorization(authorization_id=new_id("aut"), authorization_ref=ask_id, state="pending")
        return Authorized(authorization=said)

    await shown(cards(store, Link(pending)))
    assert store.taps()[-1].refusal == Code.HOME_UNAVAILABLE
    assert len(store.asks()) == 1


@pytest.mark.parametrize("code", NOT_NOW)
async def test_a_card_that_home_cannot_decide_now_is_refused_and_its_question_stays(
    store: Store, code: Code
) -> None:
    link = Link(lambda *_: Refused(code=code))
    await shown(cards(store, link))
    assert [(tap.outcome, tap.refusal) for tap in store.taps()] == [("refused", Code.HOME_UNAVAILABLE)]
    assert len(store.asks()) == 1


@pytest.mark.parametrize("code", NOT_NOW)
async def test_what_home_cannot_settle_now_is_settled_later(store: Store, code: Code) -> None:
    an_open_ask(store, "card-1")
    an_open_release(store)
    link = Link(lambda *_: Refused(code=code))
    desk = cards(store, link)
    await desk.settle()
    desk.answered_late("card-1", Refused(code=code))
    assert (len(store.asks()), len(store.releases())) == (1, 1)
    link.answering = granting()
    await desk.settle()
    assert (store.asks(), store.releases()) == ({}, [])


async def test_one_release_that_home_cannot_take_now_does_not_hold_up_the_others(store: Store) -> None:
    an_open_release(store)
    an_open_release(store)
    first = store.releases()[0].authorization_id

    def busy(ask_id: str, ask: Ask) -> Answer:
        return Refused(code=Code.IN_PROGRESS) if ask_id.endswith(first) else Done()

    await cards(store, Link(busy)).settle()
    assert [release.authorization_id for release in store.releases()] == [first]


async def test_a_refusal_that_stands_settles_the_question(store: Store) -> None:
    link = Link(lambda *_: Refused(code=Code.INSUFFICIENT_FUNDS))
    await shown(cards(store, link))
    assert store.taps()[-1].refusal == Code.INSUFFICIENT_FUNDS
    assert store.asks() == {}


async def test_cards_shown_without_a_link_are_refused_and_never_asked_about(store: Store) -> None:
    link = Link(granting(), is_open=False)
    desk = cards(store, link)
    for number in range(5):
        await shown(desk, f"B000012{number}")
    assert [tap.refusal for tap in store.taps()] == [Code.HOME_UNAVAILABLE] * 5
    link.is_open = True
    await desk.settle()
    assert link.asked == []


async def test_what_an_old_question_held_is_given_back_before_the_next_is_asked(store: Store) -> None:
    for ask_id in ("card-1", "card-2"):
        an_open_ask(store, ask_id)
    an_open_release(store)
    link = Link(granting())
    await cards(store, link).settle()
    assert [type(ask) for ask in link.asked] == [ReleaseAsk, AuthorizeAsk, ReleaseAsk, AuthorizeAsk, ReleaseAsk]
    assert (store.asks(), store.releases()) == ({}, [])


async def test_while_something_cannot_be_given_back_nothing_more_is_asked_for(store: Store) -> None:
    for ask_id in ("card-1", "card-2"):
        an_open_ask(store, ask_id)
    yes = granting()

    def keeping(ask_id: str, ask: Ask) -> Answer:
        return Refused(code=Code.UNAVAILABLE) if isinstance(ask, ReleaseAsk) else yes(ask_id, ask)

    desk = cards(store, Link(keeping))
    for _ in range(3):
        await desk.settle()
    assert (len(store.asks()), len(store.releases())) == (1, 1)


async def test_a_card_is_refused_where_home_grants_a_tariff_that_cannot_be_priced(store: Store) -> None:
    await shown(cards(store, Link(granting(UNPRICEABLE))))
    assert store.taps()[-1].refusal == Code.TARIFF_UNKNOWN
    assert len(store.releases()) == 1
