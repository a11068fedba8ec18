"""A hosted operator with a site of its own beside the rig's, and the site's agent as tests play it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from operator_sdk.contract.codes import ConnectorState, Role, SessionState, StopReason, TokenKind
from operator_sdk.contract.edge_link.frames import (
    BillItem,
    CheckCommand,
    CheckResult,
    Command,
    Done,
    QueryCommand,
    QueryResult,
    Result,
    StartCommand,
    StartResult,
    StatusItem,
    StopCommand,
    StopResult,
    Stream,
    UpdateItem,
)
from operator_sdk.contract.messages.admin import AgreementAdd, Customer, CustomerAdd, PartyAdd, TopUp
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import (
    Connector,
    ConnectorStatus,
    Pile,
    StationPut,
    StatusPush,
    Tariff,
)
from operator_sdk.contract.messages.roaming import CheckConnectorReply, HostSession, HostStartReply
from operator_sdk.contract.messages.sites import SiteAdd
from operator_sdk.contract.signing import public_to_b64url
from tests.edge_client import AgentLine, Answering, Site, connected
from tests.faults.world import until
from tests.rig import COMMISSION_PPM, HOLD_FEN, B, C, Rig, flat, open_rig
from tests.rig_charges import Charge, turn_of

E = "MA5EEEEE5"
CONNECTOR, OTHER = "E1", "E2"
STATION, SITE = "S-E", "site-e"
LIVE, BILLS = Stream.LIVE, Stream.BILLS
CARD = Token(kind=TokenKind.CARD, ref="EE-1")


@dataclass
class SiteWorld:
    """The rig, E's site, and where its agent connects."""

    rig: Rig
    site: Site
    customer: Customer
    url: str
    gateway_id: str
    gateway_key: Ed25519PublicKey
    state: str = SessionState.CHARGING
    heard: list[Command] = field(default_factory=list)

    def answering(self, command: Command) -> Result | None:
        """An agent that does what it is told."""
        self.heard.append(command)
        match command:
            case StartCommand():
                return StartResult(reply=HostStartReply(accepted=True, host_ref=command.request.session_id))
            case StopCommand():
                return StopResult(state=SessionState.STOPPING)
            case QueryCommand():
                return QueryResult(session=HostSession(known=True, state=SessionState(self.state)))
            case CheckCommand():
                reply = CheckConnectorReply(state="available", at=self.rig.hub.clock.business())
                return CheckResult(reply=reply)
            case _:
                return Done()

    def commands(self, kind: type[Any]) -> list[Any]:
        """What the agent was told, of a kind."""
        return [one for one in self.heard if isinstance(one, kind)]

    @asynccontextmanager
    async def online(self, answering: Answering | None = None) -> AsyncIterator[AgentLine]:
        """The site's agent, connected."""
        async with connected(self, self.site, answering=answering or self.answering) as line:
            yield line

    async def offline(self) -> None:
        """Wait until the hub has noticed that the agent is gone."""

        async def gone() -> bool:
            return not (await self.site_seen()).connected

        await until(gone)

    async def site_seen(self) -> Any:
        """The site as staff see it."""
        return await self.rig.hub.sites.registry.get(SITE)

    async def bad_items(self) -> list[Any]:
        """What was not taken."""
        return (await self.rig.hub.sites.registry.bad_items(SITE)).items

    async def alarms(self) -> list[tuple[str, str | None]]:
        """(code, connector) of every alarm, in order of code."""
        from hub.upkeep.tables_alarms import AlarmRow

        rows = await self.rig.rows(AlarmRow, host_party_id=E)
        return sorted((row.code, row.connector_id) for row in rows)

    async def wallet(self) -> tuple[int, int, int]:
        """(balance, held, debt) of E's customer."""
        token = Token(kind=TokenKind.APP_USER, ref=self.customer.customer_id)
        account = await self.rig.hub.accounts.driver_account(E, token)
        return account.balance_fen or 0, account.held_fen or 0, account.debt_fen or 0


class SiteCharge(Charge):
    """A charge at E's pile, as the agent sends it over its line."""

    def as_items(self, *minutes: int) -> list[UpdateItem]:
        """Updates at these minutes."""
        return [UpdateItem(session_id=self.session_id, update=self.update(minute)) for minute in minutes]

    def end_item(self, minutes: int, reason: StopReason = StopReason.DRIVER_LOCAL) -> UpdateItem:
        """The last update."""
        update = self.update(minutes, SessionState.ENDED, reason=reason)
        return UpdateItem(session_id=self.session_id, update=update)

    def bill_item(self, ref: str = "", **changes: object) -> BillItem:
        """The bill."""
        return BillItem(record=self.record(ref, **{"connector_id": CONNECTOR, **changes}))


async def charge_at_site(world: SiteWorld, session_id: str | None) -> SiteCharge:
    """A session at E's pile that begins to charge, an hour ago."""
    row, started_at, meter_wh = await turn_of(world.rig, session_id)
    put = flat(world.rig.hub)
    tariff = Tariff(
        party_id=E,
        tariff_id=row.tariff_id,
        version=row.tariff_version,
        valid_from=put.valid_from,
        periods=put.periods,
    )
    return SiteCharge(world.rig, row.session_id, tariff, started_at, meter_wh)


async def send(line: AgentLine, stream: Stream, items: Sequence[Any]) -> None:
    """Send items, and wait until they are acknowledged."""
    first = line.end.next_number(stream)
    assert first is not None
    await line.offer(stream, items)
    await line.acknowledged(stream, first + len(items) - 1)


async def set_up_site(rig: Rig, site: Site) -> Customer:
    """The hosted operator E with a station, a site at it and a customer with a card."""
    hub = rig.hub
    add = PartyAdd(
        party_id=E,
        name="Hosted host",
        roles=[Role.HOME, Role.HOST],
        protocol="hosted",
        token_prefixes=["EE"],
        deposit_fen=1_000_000,
        exposure_limit_fen=1_000_000,
    )
    await hub.parties.add_party(add, actor="test")
    for home in (B, C):
        terms = AgreementAdd(
            home_party_id=home, host_party_id=E, commission_ppm=COMMISSION_PPM, hold_fen=HOLD_FEN
        )
        await hub.parties.add_agreement(terms, actor="test")
    await hub.directory.put_tariff(E, "e", 1, flat(hub))
    plugs = [Connector(connector_id=name) for name in (CONNECTOR, OTHER)]
    pile = Pile(pile_id="PE", kind="ac", rated_power_w=60_000, connectors=plugs)
    station = StationPut(
        name="E", latitude_e6=22_000_000, longitude_e6=114_000_000, tariff_id="e", piles=[pile]
    )
    await hub.directory.put_station(E, STATION, station)
    now = hub.clock.business()
    states = [
        ConnectorStatus(connector_id=plug.connector_id, state=ConnectorState.AVAILABLE, at=now)
        for plug in plugs
    ]
    await hub.directory.push_status(E, StatusPush(statuses=states))
    key = public_to_b64url(site.key.public_key())
    await hub.sites.registry.add(
        SiteAdd(site_id=SITE, host_party_id=E, station_id=STATION, public_key=key), actor="test", alone=True
    )
    customer = await hub.accounts.add_customer(
        CustomerAdd(home_party_id=E, customer_ref="e-1", phone="13900002222", name="李四")
    )
    await hub.accounts.add_token(customer.customer_id, CARD)
    return await hub.accounts.top_up(customer.customer_id, TopUp(top_up_ref="e-top-1", amount_fen=20_000))


async def around(rig: Rig) -> SiteWorld:
    """E and its site on a rig; the agent is not yet connected."""
    site = Site(site_id=SITE, connectors=(CONNECTOR, OTHER))
    customer = await set_up_site(rig, site)
    key = rig.hub.secrets.signer.private.public_key()
    url = f"{rig.url.replace('http', 'ws')}/v1/edge"
    return SiteWorld(rig, site, customer, url, rig.hub.settings.party_id, key)


@asynccontextmanager
async def open_site_world(kind: str, **settings: Any) -> AsyncIterator[SiteWorld]:
    """Everything up."""
    async with open_rig(kind, **settings) as rig:
        yield await around(rig)


def status(connector_id: str, state: ConnectorState, at: Any) -> StatusItem:
    """A connector's state."""
    return StatusItem(status=ConnectorStatus(connector_id=connector_id, state=state, at=at))
