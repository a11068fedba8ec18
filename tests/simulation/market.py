"""The market of a seed: operators, tariffs, stations, agreements, drivers and what is in their wallets."""

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.wiring import Hub
from operator_sdk.contract.codes import ConnectorState, Role, TokenKind
from operator_sdk.contract.messages.admin import (
    AgreementAdd,
    Customer,
    CustomerAdd,
    DriverTokenAdd,
    PartyAdd,
    TopUp,
)
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    Station,
    StationPut,
    StatusPush,
    StatusPushed,
    Tariff,
    TariffPeriod,
    TariffPut,
    TimeFee,
)
from tests.simulation.door import staff
from tests.simulation.home import Home
from tests.simulation.host import Host
from tests.simulation.operators import Operator, Scene

EXPOSURE_FEN, TIGHT_FEN = 50_000_000, 14_000
HOLDS_FEN = (2_000, 5_000, 5_000, 10_001)
COMMISSIONS_PPM = (0, 15_000, 20_000, 33_333)
FREQUENCIES = ("daily", "daily", "daily", "daily", "weekly", "monthly")
DEPOSITS_FEN = (0, 0, 500, 4_000, 100_000)
DRIVERS = 6


@dataclass(frozen=True, slots=True)
class Driver:
    """Somebody with a card and a phone. `customer_id` where the home is hosted."""

    home_party_id: str
    card: Token
    subject: str
    customer_id: str | None = None


@dataclass
class Market:
    """Everybody who takes part. Hosted homes have no platform: only drivers."""

    scene: Scene
    operators: dict[str, Operator] = field(default_factory=dict)
    homes: dict[str, Home] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    hosted: list[str] = field(default_factory=list)
    drivers: list[Driver] = field(default_factory=list)
    topped_up: list[tuple[str, str, int]] = field(default_factory=list)
    commission_ppm: dict[tuple[str, str], int] = field(default_factory=dict)
    frequencies: dict[tuple[str, str], str] = field(default_factory=dict)
    connectors: list[tuple[str, str]] = field(default_factory=list)

    def draw(self) -> None:
        """Who there is."""
        chance = self.scene.around.chance
        for number in range(chance.between(1, 2)):
            self._platform(f"MA5HST00{number}", host=True)
        for number in range(chance.between(1, 2)):
            self._platform(f"MA5HOM00{number}", home=True)
        self._platform("MA5DUO000", host=True, home=True)
        self.hosted = ["MA5HSD000"]

    def _platform(self, party_id: str, *, host: bool = False, home: bool = False) -> None:
        operator = self.operators[party_id] = Operator(party_id, self.scene)
        if host:
            self.hosts[party_id] = operator.desks[Role.HOST] = Host(operator)
        if home:
            prefix = prefix_of(party_id)
            self.homes[party_id] = operator.desks[Role.HOME] = Home(operator, prefix=prefix)

    async def open(self, hub: Hub) -> None:
        """Let everybody in: staff add the parties, hosts describe themselves over the network."""
        await hub.parties.ensure_hub_party("MA5HUB000", "互桩清分中心")
        tight = self.scene.around.chance.pick([*self.homes, *self.hosted])
        for party_id in [*self.operators, *self.hosted]:
            await hub.parties.add_party(self._party(party_id, tight), "setup")
        await self._agree(hub)
        for host in self.hosts.values():
            await self._describe(host)
        for home_party_id in [*self.homes, *self.hosted]:
            for number in range(DRIVERS):
                await self._driver(home_party_id, number)

    def _party(self, party_id: str, tight: str) -> PartyAdd:
        native = party_id in self.operators
        is_home = party_id in self.homes or not native
        roles = [Role.HOME] * is_home + [Role.HOST] * (party_id in self.hosts)
        return PartyAdd(
            party_id=party_id,
            name=f"运营商{party_id[-6:]}",
            roles=roles,
            protocol="native" if native else "hosted",
            base_url=f"https://{party_id.lower()}.example" if native else None,
            token_prefixes=[prefix_of(party_id)] if is_home else [],
            deposit_fen=0,
            exposure_limit_fen=(TIGHT_FEN if party_id == tight else EXPOSURE_FEN) if is_home else 0,
        )

    async def _agree(self, hub: Hub) -> None:
        chance = self.scene.around.chance
        pairs = [(home, host) for home in [*self.homes, *self.hosted] for host in self.hosts if home != host]
        without = chance.pick(pairs) if len(pairs) > 4 else None
        for home, host in pairs:
            if (home, host) == without:
                continue
            ppm = self.commission_ppm[home, host] = chance.pick(COMMISSIONS_PPM)
            self.frequencies[home, host] = chance.pick(FREQUENCIES)
            add = AgreementAdd(
                home_party_id=home, host_party_id=host, commission_ppm=ppm, hold_fen=chance.pick(HOLDS_FEN)
            )
            await hub.parties.add_agreement(add, "setup")
        self._agree_on_frequencies()

    def _agree_on_frequencies(self) -> None:
        hand = sqlite3.connect(self.scene.around.path, isolation_level=None)
        hand.executemany(
            "UPDATE agreement SET frequency = ? WHERE home_party_id = ? AND host_party_id = ?",
            [(frequency, *pair) for pair, frequency in self.frequencies.items()],
        )
        hand.close()

    # Hosts.

    async def _describe(self, host: Host) -> None:
        chance, door, me = self.scene.around.chance, self.scene.door, host.operator.me
        await self.publish(host, "t1", 1, self.scene.now - timedelta(days=40))
        plugs = [f"{host.party_id[3]}{host.party_id[-1]}{number}" for number in range(chance.between(3, 5))]
        pile = Pile(
            pile_id="P1",
            kind="dc",
            rated_power_w=120_000,
            connectors=[Connector(connector_id=plug) for plug in plugs],
        )
        put = StationPut(
            name="一站", latitude_e6=22_540_000, longitude_e6=114_050_000, tariff_id="t1", piles=[pile]
        )
        await door.insist(Station, "put_station", me, put, station_id="S1")
        statuses = [
            ConnectorStatus(connector_id=plug, state=ConnectorState.AVAILABLE, at=self.scene.now)
            for plug in plugs
        ]
        await door.insist(StatusPushed, "push_status", me, StatusPush(statuses=statuses))
        host.connectors = plugs
        self.connectors += [(host.party_id, plug) for plug in plugs]

    async def publish(self, host: Host, tariff_id: str, version: int, valid_from: datetime) -> None:
        """A host publishes a tariff; it can price by it as soon as the hub has it."""
        tariff = await self.scene.door.insist(
            Tariff,
            "put_tariff",
            host.operator.me,
            self._tariff(valid_from),
            tariff_id=tariff_id,
            version=str(version),
        )
        host.tariffs[tariff_id, version] = tariff

    def _tariff(self, valid_from: datetime) -> TariffPut:
        chance = self.scene.around.chance
        edges = sorted({chance.between(1, 95) * 15 for _ in range(chance.between(0, 6))})
        periods = [
            TariffPeriod(
                start_minute=start,
                end_minute=end,
                electricity_micro=chance.between(280_000, 1_600_000),
                service_micro=chance.between(0, 800_000),
            )
            for start, end in zip([0, *edges], [*edges, 1440], strict=True)
        ]
        return TariffPut(
            valid_from=valid_from, periods=periods, parking=self._time_fee(), idle=self._time_fee()
        )

    def _time_fee(self) -> TimeFee | None:
        chance = self.scene.around.chance
        if chance.happens(500):
            return None
        cap = chance.between(100, 3_000) if chance.happens(500) else None
        return TimeFee(
            price_micro_per_hour=chance.between(500_000, 9_000_000),
            free_minutes=chance.between(0, 30),
            cap_fen=cap,
        )

    # Drivers.

    async def _driver(self, home_party_id: str, number: int) -> None:
        card = Token(kind=TokenKind.CARD, ref=f"{prefix_of(home_party_id)}-{number}")
        subject, customer_id = f"u{number}", None
        if home_party_id in self.hosted:
            customer_id = subject = await self._customer(home_party_id, number, card)
        self.drivers.append(Driver(home_party_id, card, subject, customer_id))

    async def _customer(self, home_party_id: str, number: int, card: Token) -> str:
        clerk, door = staff("clerk"), self.scene.door
        add = CustomerAdd(home_party_id=home_party_id, customer_ref=f"c{number}", phone=f"1380000{number:04d}")
        customer = await door.insist(Customer, "add_customer", clerk, add)
        token = DriverTokenAdd(kind=card.kind, ref=card.ref)
        await door.insist(Customer, "add_driver_token", clerk, token, customer_id=customer.customer_id)
        await self.top_up(home_party_id, customer.customer_id, self.scene.around.chance.between(3_000, 40_000))
        return customer.customer_id

    async def top_up(self, home_party_id: str, customer_id: str, amount_fen: int) -> None:
        """Money reaches a hosted home's bank account; the clerk books it, once, however often."""
        ref = f"top-{len(self.topped_up)}"
        self.topped_up.append((home_party_id, customer_id, amount_fen))
        top_up = TopUp(top_up_ref=ref, amount_fen=amount_fen)
        await self.scene.door.insist(Customer, "top_up_wallet", staff("clerk"), top_up, customer_id=customer_id)


def prefix_of(party_id: str) -> str:
    """What the tokens of a home begin with."""
    return party_id[3:7] + party_id[-1]
