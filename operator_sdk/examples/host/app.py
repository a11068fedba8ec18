"""The host as one ASGI app: the hub's calls, a local control API, a page for people.

The control API stands for what happens at the piles. It has no sign-in: listen on a private address.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from msgspec import Meta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock
from operator_sdk.contract.codes import RecordState, StopReason
from operator_sdk.contract.messages.common import Empty, Message, Target
from operator_sdk.contract.messages.records import SettlementRecord, SettlementReply
from operator_sdk.contract.messages.roaming import (
    CheckConnectorReply,
    CheckConnectorRequest,
    HostSession,
    HostStartReply,
    HostStartRequest,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.examples import web
from operator_sdk.examples.host import site as sites
from operator_sdk.examples.host.charge import Charge, amount_so_far, energy_wh
from operator_sdk.examples.host.page import PAGE
from operator_sdk.examples.host.platform import Platform
from operator_sdk.examples.host.publish import Publisher
from operator_sdk.examples.host.store import Store
from operator_sdk.examples.settings import Settings
from operator_sdk.guard import Refuse
from operator_sdk.operator import Call, OperatorApp


class Tap(Message, frozen=True):
    """A card held to the reader."""

    card: Annotated[str, Meta(min_length=1, max_length=64)]
    target: Target = Target()


class LocalStop(Message, frozen=True):
    """The stop button, or the emergency one."""

    reason: StopReason = StopReason.DRIVER_LOCAL


class Fault(Message, frozen=True):
    """Break the pile, or repair it."""

    faulted: bool


class Plug(Message, frozen=True):
    """Put the plug in, or pull it."""

    plugged: bool


def create_app(settings: Settings, clock: Clock) -> Starlette:
    """The host, ready to be served; its tasks run for as long as it is."""
    store = Store(settings.database)
    hub = AsyncHubClient(settings.hub_url, settings.credentials, clock=clock, issuer=settings.hub_issuer)
    platform = Platform(
        party_id=settings.party_id,
        site=sites.load(settings.data),
        store=store,
        hub=hub,
        clock=clock,
        update_interval_s=settings.update_interval_s,
    )
    publisher = Publisher(platform, hub)
    operator = OperatorApp(
        party_id=settings.party_id,
        key=settings.key,
        hub_url=settings.hub_url,
        public_url=settings.public_url,
        clock=clock,
    )
    answer_the_hub(operator, platform)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [web.background(platform.run()), web.background(publisher.run())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await platform.courier.aclose()
        await operator.aclose()
        await hub.aclose()
        store.close()

    routes = [*Local(platform, publisher).routes(), Mount("/", app=operator)]
    return Starlette(routes=routes, lifespan=lifespan)


def answer_the_hub(app: OperatorApp, platform: Platform) -> None:
    """What a host answers."""

    @app.start
    async def start(message: HostStartRequest, _: Call) -> HostStartReply:
        return platform.start(message)

    @app.stop
    async def stop(message: StopRequest, call: Call) -> StopReply:
        known = message.reason in set(StopReason)
        state = platform.stop(call.session_id, message.reason if known else StopReason.HUB)
        return StopReply(session_id=call.session_id, state=state)

    @app.query_session
    async def query_session(_: Empty, call: Call) -> HostSession:
        return platform.query(call.session_id)

    @app.check_connector
    async def check_connector(message: CheckConnectorRequest, _: Call) -> CheckConnectorReply:
        connector = platform.connector(message.connector_id)
        return CheckConnectorReply(state=connector.state, at=platform.clock.business())

    @app.push_settlement
    async def push_settlement(message: SettlementRecord, _: Call) -> SettlementReply:
        platform.settle(message)
        return SettlementReply(record_id=message.record_id, state=RecordState.SETTLED)


class Local:
    """The control API and the page."""

    def __init__(self, platform: Platform, publisher: Publisher) -> None:
        self._platform = platform
        self._publisher = publisher

    def routes(self) -> list[Route]:
        """Everything below /local, and the page."""
        connector = "/local/connectors/{connector_id}"
        return [
            web.route("/", "GET", self._page),
            web.route("/local/connectors", "GET", self._connectors),
            web.route(f"{connector}/tap", "POST", self._tap),
            web.route(f"{connector}/fault", "POST", self._fault),
            web.route(f"{connector}/plug", "POST", self._plug),
            web.route("/local/sessions", "GET", self._sessions),
            web.route("/local/sessions/{session_id}", "GET", self._session),
            web.route("/local/sessions/{session_id}/stop", "POST", self._stop),
        ]

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(PAGE)

    async def _connectors(self, _: Request) -> dict[str, object]:
        shown = [
            {
                "connector_id": one.connector_id,
                "kind": one.pile.kind,
                "state": one.state,
                "meter_wh": one.pile.meter_wh,
                "plugged": one.is_plugged,
                "session_id": one.charge.session_id if one.charge else None,
            }
            for one in self._platform.connectors.values()
        ]
        return {"published": self._publisher.is_published, "connectors": shown}

    async def _tap(self, request: Request) -> dict[str, str | None]:
        tap = await web.read(request, Tap)
        return await self._platform.tap(request.path_params["connector_id"], tap.card, tap.target)

    async def _fault(self, request: Request) -> dict[str, object]:
        fault = await web.read(request, Fault)
        connector_id = request.path_params["connector_id"]
        self._platform.set_fault(connector_id, faulted=fault.faulted)
        return {"state": self._platform.connector(connector_id).state}

    async def _plug(self, request: Request) -> dict[str, object]:
        plug = await web.read(request, Plug)
        connector_id = request.path_params["connector_id"]
        self._platform.set_plugged(connector_id, plugged=plug.plugged)
        return {"plugged": plug.plugged}

    async def _stop(self, request: Request) -> dict[str, object]:
        stop = await web.read(request, LocalStop)
        return {"state": self._platform.stop(request.path_params["session_id"], stop.reason)}

    async def _sessions(self, _: Request) -> dict[str, object]:
        ids = [charge.session_id for charge in self._platform.store.latest_charges()]
        found = (self._platform.find(session_id) for session_id in ids)
        return {"sessions": [self._shown(charge) for charge in found if charge]}

    async def _session(self, request: Request) -> dict[str, object]:
        charge = self._platform.find(request.path_params["session_id"])
        if charge is None:
            raise Refuse(Code.NOT_FOUND)
        return self._shown(charge)

    def _shown(self, charge: Charge) -> dict[str, object]:
        meter_wh = self._platform.meter_wh(charge)
        return {
            "session_id": charge.session_id,
            "host_ref": charge.host_ref,
            "connector_id": charge.connector_id,
            "state": charge.state,
            "stop_reason": charge.stop_reason,
            "energy_wh": energy_wh(charge, meter_wh),
            "amount_fen": amount_so_far(charge, charge.last_at, meter_wh),
            "power_w": charge.power_w,
            "limit_fen": charge.limit_fen,
            "meter_wh": meter_wh,
            "at": charge.last_at,
            "numbers": self._platform.store.numbers(charge.session_id),
            "record": charge.record,
            "settlement": charge.settlement,
        }
