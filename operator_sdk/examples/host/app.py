"""The host as one ASGI app: the hub's calls, the sites' connections, a local control API, a page for people."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock
from operator_sdk.examples import web
from operator_sdk.examples.host import site as sites
from operator_sdk.examples.host.courier import Courier
from operator_sdk.examples.host.desk import Desk
from operator_sdk.examples.host.fleet import Fleet, Intake
from operator_sdk.examples.host.inbox import HostInbox
from operator_sdk.examples.host.local import Local
from operator_sdk.examples.host.publish import Publisher
from operator_sdk.examples.host.store import Store
from operator_sdk.examples.settings import Settings
from operator_sdk.operator import OperatorApp
from operator_sdk.site_gateway import SqliteInbox

EDGE_PATH = "/edge"


def create_app(settings: Settings, clock: Clock) -> Starlette:
    """The host, ready to be served; its tasks run for as long as it is."""
    host = Host(settings, clock)
    return Starlette(routes=host.routes(), lifespan=host.lifespan)


class Host:
    """The parts of a host, and how they hang together."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        site, party_id, key = sites.load(settings.data), settings.party_id, settings.key
        self._places = sites.places_of(site)
        self._store, self._kept = Store(settings.database), SqliteInbox(settings.database)
        for tariff in site.tariffs:
            self._store.add_tariff(tariff)
        self._hub = AsyncHubClient(
            settings.hub_url, settings.credentials, clock=clock, issuer=settings.hub_issuer
        )
        agents = sites.load_agents(settings.sites)
        self._inbox = HostInbox(self._kept, self._store, self._wake, sites=sites.sites_of(agents), clock=clock)
        self._fleet = Fleet(
            party_id=party_id,
            key=key,
            agents=agents,
            inbox=self._inbox,
            store=self._store,
            hub=self._hub,
            clock=clock,
        )
        self._desk = Desk(self._fleet, self._store, self._places, clock)
        self._courier = Courier(self._kept, self._hub, self._desk.record_answered)
        self._intake = Intake(self._kept, self._store, self._fleet.changed)
        self._publisher = Publisher(
            stations=site.stations,
            connectors=self._places,
            store=self._store,
            fleet=self._fleet,
            hub=self._hub,
            clock=clock,
        )
        self._operator = OperatorApp(
            party_id=party_id, key=key, hub_url=settings.hub_url, public_url=settings.public_url, clock=clock
        )
        self._desk.answer_for(self._operator)

    def routes(self) -> list[BaseRoute]:
        """The sites' way in, the staff's, and the hub's."""
        local = Local(
            places=self._places,
            store=self._store,
            inbox=self._kept,
            fleet=self._fleet,
            desk=self._desk,
            publisher=self._publisher,
        )
        return [self._fleet.gateway.route(EDGE_PATH), *local.routes(), Mount("/", app=self._operator)]

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Go on where the last run ended; close everything at the end."""
        await self._inbox.catch_up()
        work = (self._intake.run(), self._publisher.run(), self._fleet.run())
        tasks = [web.background(one) for one in work]
        yield
        await self._fleet.gateway.aclose()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._courier.aclose()
        await self._operator.aclose()
        await self._hub.aclose()
        await self._kept.aclose()
        self._store.close()

    def _wake(self, sessions: Sequence[str]) -> None:
        self._intake.news.set()
        self._courier.wake(sessions)
