"""The two gateways of the edge link behind one face, so that one suite holds them to the same contract.

Each is really served: the SDK's `SiteGateway` with its SQLite inbox, and the hub's own.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import select
from starlette.applications import Starlette

from hub.app import make_gateway
from hub.core.database import OutOfReach
from hub.parties.link import LinkError
from hub.protocols.edge.connection import EdgeLimits
from hub.protocols.edge.gateway import Gateway
from hub.settings import Settings
from hub.sites.connections import Connected, Connections, Taken
from hub.sites.context import SitesContext
from hub.upkeep.tables_alarms import AlarmRow
from hub.wiring import Hub, open_hub
from operator_sdk import SiteGateway, SiteOffline, SiteSilent, SqliteInbox, new_key
from operator_sdk.contract.codes import Role
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    BadItem,
    BlacklistCommand,
    Command,
    Done,
    Item,
    Result,
    Stream,
    TariffsCommand,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived
from operator_sdk.contract.edge_link.proof import token_digest
from operator_sdk.contract.messages.admin import CustomerAdd, PartyAdd
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import (
    Connector,
    Pile,
    StationPut,
    Tariff,
    TariffPeriod,
    TariffPut,
)
from operator_sdk.contract.messages.sites import SiteAdd, SiteKeyPropose
from operator_sdk.contract.signing import public_to_b64url
from operator_sdk.site_gateway import GatewayLimits, Inbox, SiteAlarm, SiteConnection
from tests import databases
from tests.rig_partners import Server, listen, serving

HOST = "MA5AAAAA1"
PRICES = [TariffPeriod(start_minute=0, end_minute=1440, electricity_micro=1, service_micro=1)]


class NotConnected(Exception):
    """The command was certainly not sent."""


class NoAnswer(Exception):
    """The site did not answer in time."""


class EdgeGateway(Protocol):
    """What the conformance suite needs of a gateway that is being served."""

    @property
    def url(self) -> str:
        """Where agents connect: ws://..."""

    @property
    def gateway_id(self) -> str:
        """The gateway's name in its challenge."""

    @property
    def gateway_key(self) -> Ed25519PublicKey:
        """The key it proves itself with."""

    async def add_site(self, site_id: str, public_key: Ed25519PublicKey, connectors: Sequence[str]) -> None:
        """Make a site known, with its connectors; again with another key: the site's key changes."""

    async def add_tariff(self, tariff: Tariff) -> None:
        """A tariff version that charges may name: pushed to who is connected, and at connection."""

    async def block(self, token: Token) -> None:
        """A token that no pile accepts from now on: pushed to who is connected, and at connection."""

    async def stored(self, site_id: str) -> list[Item | BadItem]:
        """Everything durable that the site sent: bills, then live, each in the order of its numbers."""

    async def fail_to_store(self, times: int) -> None:
        """Have the next attempts at storing fail."""

    async def command(self, site_id: str, command: Command, *, command_id: str | None = None) -> Result:
        """Command a site, within 2 s.

        Raises:
            NotConnected: certainly not sent.
            NoAnswer: it was silent.
        """

    async def alarms(self) -> list[tuple[str, str]]:
        """Site and code of every alarm so far: superseded, proof_wrong, bad_item."""


class Opener(Protocol):
    """Serves a gateway while the block lasts. `limits` shortens its patience where a test waits for its end."""

    def __call__(
        self, folder: Path, *, limits: Mapping[str, Any] | None = None
    ) -> AbstractAsyncContextManager[EdgeGateway]:
        """Open one."""


class FailingInbox:
    """Stands before an inbox and fails on demand, as a full disk does."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox, self.failures = inbox, 0

    async def acknowledged(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        return await self._inbox.acknowledged(site_id, spool_id)

    async def store(
        self, site_id: str, spool_id: str, stream: Stream, first: int, items: Sequence[Item | BadItem]
    ) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise OSError("no space left on device")
        await self._inbox.store(site_id, spool_id, stream, first, items)


class SdkGateway:
    """SiteGateway as an operator would use it: pushes at connection and on change."""

    def __init__(self, url: str, inbox: SqliteInbox, limits: GatewayLimits) -> None:
        self.url, self.gateway_id = f"{url.replace('http', 'ws')}/edge", HOST
        self._key = new_key("gateway")
        self._inbox, self._failing = inbox, FailingInbox(inbox)
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._tariffs: list[Tariff] = []
        self._blocked: list[bytes] = []
        self._alarms: list[SiteAlarm] = []
        self.gateway = SiteGateway(
            gateway_id=HOST, key=self._key, site_key=self._site_key, inbox=self._failing, limits=limits
        )
        self.gateway.on_connected(self._push)
        self.gateway.on_alarm(self._alarmed)
        self.gateway.on_ask(self._asked)

    @property
    def gateway_key(self) -> Ed25519PublicKey:
        return self._key.private.public_key()

    async def add_site(self, site_id: str, public_key: Ed25519PublicKey, connectors: Sequence[str]) -> None:
        self._keys[site_id] = public_key

    async def add_tariff(self, tariff: Tariff) -> None:
        self._tariffs.append(tariff)
        await self._push_all()

    async def block(self, token: Token) -> None:
        self._blocked.append(token_digest(token))
        await self._push_all()

    async def stored(self, site_id: str) -> list[Item | BadItem]:
        kinds = ("update", "status", "fault", "health", "bill", "bad")
        kept = [one for one in await self._inbox.waiting(*kinds, most=100_000) if one.site_id == site_id]
        return [one.item for one in sorted(kept, key=lambda one: (one.stream, one.number))]

    async def fail_to_store(self, times: int) -> None:
        self._failing.failures = times

    async def command(self, site_id: str, command: Command, *, command_id: str | None = None) -> Result:
        try:
            return await self.gateway.command(site_id, command, within_s=2, command_id=command_id)
        except SiteOffline as problem:
            raise NotConnected from problem
        except SiteSilent as problem:
            raise NoAnswer from problem

    async def alarms(self) -> list[tuple[str, str]]:
        return [(one.site_id, one.code) for one in self._alarms]

    async def _site_key(self, site_id: str) -> Ed25519PublicKey | None:
        return self._keys.get(site_id)

    async def _push(self, site: SiteConnection) -> None:
        await site.command(TariffsCommand(tariffs=self._tariffs))
        await site.command(BlacklistCommand(version=len(self._blocked), digests=self._blocked))

    async def _push_all(self) -> None:
        await asyncio.gather(*(self._push(site) for site in self.gateway.sites.values()))

    async def _alarmed(self, alarm: SiteAlarm) -> None:
        self._alarms.append(alarm)

    async def _asked(self, site_id: str, ask: Ask) -> Answer:
        return Done()


@asynccontextmanager
async def open_sdk(folder: Path, *, limits: Mapping[str, Any] | None = None) -> AsyncIterator[EdgeGateway]:
    """The SDK's gateway, served by uvicorn in this loop."""
    at = listen()
    inbox = SqliteInbox(folder / "inbox.db")
    served = SdkGateway(at.url, inbox, GatewayLimits(**(limits or {})))
    app = Starlette(routes=[served.gateway.route("/edge")])
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[at.socket]))
    try:
        yield served  # the port is ours already: who connects early waits
        await served.gateway.aclose()
    finally:
        server.end()
        await task
        await inbox.aclose()


class KeptConnections(Connections):
    """The hub's own, which also keeps what became durable as it came, and fails on demand."""

    def __init__(self, context: SitesContext) -> None:
        super().__init__(context)
        self.failures = 0
        self.kept: dict[tuple[str, Stream, str, int], Item | BadItem] = {}

    async def store(self, connected: Connected, arrived: Arrived, taken: Taken) -> int:
        if self.failures > 0:
            self.failures -= 1
            raise OutOfReach("no database")
        # A cut cancels who waits here, maybe when the unit is committed already: what is durable counts.
        storing = asyncio.ensure_future(super().store(connected, arrived, taken))
        storing.add_done_callback(partial(self._keep, connected, arrived))
        return await asyncio.shield(storing)

    def _keep(self, connected: Connected, arrived: Arrived, storing: "asyncio.Future[int]") -> None:
        if storing.cancelled() or storing.exception() is not None:
            return
        site_id, spool_id = connected.place.site_id, connected.spool_id
        for number, item in enumerate(arrived.items, arrived.first):
            # The hub works off an item before it counts it: coming again, it must be the same.
            known = self.kept.setdefault((site_id, arrived.stream, spool_id, number), item)
            assert known == item


class HubGateway:
    """The hub's gateway, with a hosted operator whose sites it serves."""

    def __init__(self, hub: Hub, gateway: Gateway, kept: KeptConnections, url: str) -> None:
        self.url, self.gateway_id = f"{url.replace('http', 'ws')}/v1/edge", hub.settings.party_id
        self._hub, self._gateway, self._kept = hub, gateway, kept
        self._tariff_id = "base"
        self._connectors: dict[str, Sequence[str]] = {}

    @property
    def gateway_key(self) -> Ed25519PublicKey:
        return self._hub.secrets.signer.private.public_key()

    async def set_up(self) -> None:
        """A hosted operator with a tariff and a customer."""
        add = PartyAdd(party_id=HOST, name="Host", roles=[Role.HOME, Role.HOST], protocol="hosted")
        await self._hub.parties.add_party(add, actor="test")
        await self._put_tariff("base", 1, self._hub.clock.business(), PRICES)
        customer = CustomerAdd(home_party_id=HOST, customer_ref="c-1", phone="13900002222", name="C")
        self._customer = (await self._hub.accounts.add_customer(customer)).customer_id

    async def _put_tariff(
        self, tariff_id: str, version: int, valid_from: datetime, periods: list[TariffPeriod]
    ) -> None:
        put = TariffPut(valid_from=valid_from, periods=periods)
        await self._hub.directory.put_tariff(HOST, tariff_id, version, put)

    async def add_site(self, site_id: str, public_key: Ed25519PublicKey, connectors: Sequence[str]) -> None:
        key = public_to_b64url(public_key)
        registry = self._hub.sites.registry
        if site_id in self._connectors:
            await registry.propose_key(site_id, SiteKeyPropose(public_key=key), actor="test", alone=True)
            return
        self._connectors[site_id] = connectors
        await self._put_stations()
        add = SiteAdd(site_id=site_id, host_party_id=HOST, station_id=site_id, public_key=key)
        await registry.add(add, actor="test", alone=True)

    async def _put_stations(self) -> None:
        for site_id, connectors in self._connectors.items():
            plugs = [Connector(connector_id=one) for one in connectors]
            pile = Pile(pile_id=f"P{connectors[0]}", kind="dc", rated_power_w=60_000, connectors=plugs)
            put = StationPut(
                name=site_id, latitude_e6=0, longitude_e6=0, tariff_id=self._tariff_id, piles=[pile]
            )
            await self._hub.directory.put_station(HOST, site_id, put)

    async def add_tariff(self, tariff: Tariff) -> None:
        first = self._tariff_id != tariff.tariff_id
        begins = tariff.valid_from if first else self._hub.clock.business()
        await self._put_tariff(tariff.tariff_id, tariff.version, begins, tariff.periods)
        self._tariff_id = tariff.tariff_id
        await self._put_stations()
        self._gateway.refresh()

    async def block(self, token: Token) -> None:
        await self._hub.accounts.add_token(self._customer, token)
        await self._hub.accounts.block_token(self._customer, token)
        self._gateway.refresh()

    async def stored(self, site_id: str) -> list[Item | BadItem]:
        kept = self._kept.kept
        return [kept[key] for key in sorted(kept) if key[0] == site_id]

    async def fail_to_store(self, times: int) -> None:
        self._kept.failures = times

    async def command(self, site_id: str, command: Command, *, command_id: str | None = None) -> Result:
        within = timedelta(seconds=2)
        try:
            return await self._hub.sites.commands.run(site_id, command, command_id=command_id, within=within)
        except LinkError as problem:
            raise (NoAnswer if problem.sent else NotConnected) from problem

    async def alarms(self) -> list[tuple[str, str]]:
        async with self._hub.database.reading() as unit:
            rows = (await unit.session.exec(select(AlarmRow))).all()
        return [(row.site_id, row.code) for row in rows if row.site_id is not None]


@asynccontextmanager
async def open_own(folder: Path, *, limits: Mapping[str, Any] | None = None) -> AsyncIterator[EdgeGateway]:
    """The hub's own gateway over a database of its own, served by uvicorn in this loop."""
    at = listen()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh_url("sqlite"))
        settings = Settings(
            env="test", database_url=url, public_url=at.url, secret_file=folder / "secrets.json"
        )
        hub = await stack.enter_async_context(open_hub(settings))
        kept = KeptConnections(hub.sites.connections._c)
        hub.sites.connections = kept
        gateway = make_gateway(hub, EdgeLimits(**(limits or {})))
        own = HubGateway(hub, gateway, kept, at.url)
        await own.set_up()
        app = Starlette(routes=[gateway.route()])
        await stack.enter_async_context(serving((app, at)))
        looking = asyncio.create_task(gateway.run())
        try:
            yield own
            await gateway.close()
        finally:
            looking.cancel()
            await asyncio.wait({looking})


OPENERS: dict[str, Opener] = {"sdk": open_sdk, "hub": open_own}
