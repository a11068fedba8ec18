"""The sessions of a seed: dealt from decks, so that every seed has some of everything."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from operator_sdk.contract.codes import TargetKind
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.common import Target, Token
from tests.simulation.charge import HostConduct
from tests.simulation.home import HomeConduct
from tests.simulation.market import Driver, Market
from tests.simulation.operators import rest
from tests.simulation.phone import Phone

DAYS = 2
MODES = {"hub": 10, "host": 11, "home": 9}
STARTS = {"plain": 22, "refuses": 1, "fails": 2, "mute": 2, "deaf": 1, "slow": 2}
REPORTS = {"plain": 26, "none": 4}
RECORDS = {
    "plain": 12, "late": 3, "very_late": 1, "never": 1, "twice": 3, "second": 2, "reused": 1, "overpriced": 2,
    "unsummed": 1, "lies": 1, "credited": 3,
}  # fmt: skip
FLOWS = {"plain": 22, "overrun": 4, "pauses": 4}
GRANTS = {"plain": 21, "unlimited": 2, "lower": 2, "higher": 1, "refuses": 1, "mute": 2, "deaf": 1}
SETTLES = {"plain": 21, "later": 4, "refuses": 4, "never": 1}
CANCELS = {"never": 20, "at_once": 4, "early": 3, "midway": 3}
TARGETS = {"full": 16, "energy": 5, "amount": 5, "time": 4}
WHEN = {"any": 15, "midnight": 11, "together": 4}


@dataclass(frozen=True, slots=True)
class Card:
    """One session as it was dealt."""

    mode: str
    when: datetime
    driver: Driver
    host_party_id: str
    connector_id: str
    target: Target
    at_host: HostConduct
    at_home: HomeConduct
    cancels_s: int | None


class Story:
    """Deals and plays."""

    def __init__(self, market: Market, sessions: int) -> None:
        self._market, self._scene, self._sessions = market, market.scene, sessions
        self._chance = market.scene.around.chance

    def deal(self, begins: datetime) -> list[Card]:
        """The cards in order of time."""
        decks = (MODES, STARTS, REPORTS, RECORDS, FLOWS, GRANTS, SETTLES, CANCELS, TARGETS, WHEN)
        dealt = zip(*(self._chance.deck(deck, self._sessions) for deck in decks), strict=True)
        return sorted((self._card(begins, hand) for hand in dealt), key=lambda card: card.when)

    def _card(self, begins: datetime, hand: tuple[str, ...]) -> Card:
        mode, start, reports, record, flow, grants, settles, cancels, target, when = hand
        host, connector = self._chance.pick(self._market.connectors)
        drivers = [d for d in self._market.drivers if mode != "home" or d.customer_id is None]
        cancels_s = {
            "at_once": self._chance.between(0, 8),
            "early": self._chance.between(10, 90),
            "midway": self._chance.between(100, 3_600),
        }.get(cancels)
        return Card(
            mode=mode,
            when=self._instant(begins, when),
            driver=self._chance.pick(drivers),
            host_party_id=host,
            connector_id=connector,
            target=self._target(target),
            at_host=HostConduct(
                start=start,
                reports=reports,
                record=record,
                overrun=flow == "overrun",
                pauses=flow == "pauses",
            ),
            at_home=HomeConduct(grants=grants, settles=settles, cancels_s=cancels_s),
            cancels_s=cancels_s,
        )

    def _target(self, kind: str) -> Target:
        low, high = {"energy": (500, 40_000), "amount": (50, 6_000), "time": (120, 5_400)}.get(kind, (0, 0))
        return Target(kind=TargetKind(kind), value=self._chance.between(low, high))

    def _instant(self, begins: datetime, when: str) -> datetime:
        if when == "midnight":
            # Shanghai's midnight is 16:00 UTC.
            day = begins.replace(hour=16, minute=0, second=0, microsecond=0)
            day += timedelta(days=self._chance.between(0, DAYS - 1))
            return max(begins, day + timedelta(seconds=self._chance.between(-5_400, 600)))
        if when == "together":
            return begins + timedelta(hours=9, seconds=self._chance.between(0, 20))
        return begins + timedelta(seconds=self._chance.between(0, DAYS * 86_400))

    async def play(self, cards: list[Card]) -> None:
        """Begin every session at its time."""
        for card in cards:
            await rest(max(0.0, (card.when - self._scene.now).total_seconds()))
            self._scene.network.apart(self._begin(card))

    async def _begin(self, card: Card) -> None:
        market, scene = self._market, self._scene
        scene.around.note(
            "session", card.mode, card.driver.home_party_id, card.host_party_id, card.connector_id
        )
        scene.reach(f"session by {card.mode}")
        host, home = market.hosts[card.host_party_id], market.homes.get(card.driver.home_party_id)
        if card.mode != "host":
            host.expected[card.connector_id] = card.at_host
        if home is not None:
            token = card.driver.subject if card.mode == "hub" else card.driver.card.ref
            home.expected[token] = card.at_home
        connector = connector_ref(card.host_party_id, card.connector_id)
        match card.mode:
            case "hub":
                await Phone(scene, card.driver).charge(connector, card.target, card.cancels_s)
            case "home" if home is not None:
                await self._by_home(card, connector)
            case _:
                await host.card_shown(
                    self._shown(card),
                    card.connector_id,
                    card.target,
                    card.at_host,
                    waits_s=self._plugging_s(),
                )

    def _shown(self, card: Card) -> Token:
        """A card, now and then one that nobody issued."""
        if self._chance.happens(30):
            return Token(kind=card.driver.card.kind, ref=f"??{card.driver.card.ref}")
        return card.driver.card

    def _plugging_s(self) -> float:
        """Mostly at once; now and then the driver takes half an hour and more to plug in."""
        return self._scene.seconds(1_200, 2_400) if self._chance.happens(80) else self._scene.seconds(2, 40)

    async def _by_home(self, card: Card, connector: str) -> None:
        home = self._market.homes[card.driver.home_party_id]
        await home.operator.until_up()
        limit = None if card.at_home.grants == "unlimited" else self._chance.pick((2_000, 5_000, 9_999))
        ref = f"n:{self._chance.between(0, 10**12)}"
        await home.start(ref, card.driver.card, connector, card.target, limit)
