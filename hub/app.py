"""The hub as an ASGI application: routes, health, metrics, and what runs beside them when embedded."""

import asyncio
import contextlib
import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator, Sequence

import msgspec
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hub.core.clock import unix_s
from hub.core.errors import HubError
from hub.core.limits import Limits
from hub.core.logs import configure_logs
from hub.core.metrics import OLDEST_DUE, OLDEST_LATE
from hub.core.outbox import oldest_due, oldest_late
from hub.core.requests import current_request_id, set_request_id
from hub.http import Beside
from hub.jobs import background
from hub.protocols.edge.connection import EdgeLimits, EdgeTools
from hub.protocols.edge.gateway import Gateway
from hub.protocols.edge.intake import IntakeTools
from hub.protocols.native.handlers import HANDLERS
from hub.protocols.native.server import NativeServer, error_response, request_id_of
from hub.protocols.tcec102.handlers_home import home_handlers
from hub.protocols.tcec102.handlers_host import HostHandlers
from hub.protocols.tcec102.routes import routes as tcec102_routes
from hub.protocols.tcec102.server import TcecServer
from hub.settings import Settings
from hub.wiring import Hub, open_hub, try_to_open
from hub.wiring_protocols import tcec102_tools
from operator_sdk.contract.edge_link import FRAME_BYTES_MOST
from operator_sdk.contract.messages.admin import Readiness
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.app")

KEEP_ALIVE_S = 75
"""Longer than any client keeps an idle connection: who closes first must not be the one that is asked."""
GRACEFUL_S = 5
STARTUP_FAILURE = 3


def create_app(
    settings: Settings | None = None, *, embedded: bool | None = None, guests: Sequence[Starlette] = ()
) -> Starlette:
    """The application. Embedded (no broker configured) also runs the jobs in this process.

    `guests` are applications of others that share the process: `hub.http`.
    """
    settings = settings or Settings.from_env()
    run_jobs = settings.broker_url is None if embedded is None else embedded

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            hub = await stack.enter_async_context(open_hub(settings))
            for guest in guests:
                await stack.enter_async_context(guest.router.lifespan_context(guest))
            app.state.hub = hub
            limits = Limits(hub.clock, settings.rate_per_s, settings.concurrent_most)
            server = NativeServer(hub, HANDLERS, limits, hub.nonces)
            app.router.routes.extend(server.routes())
            first, last = partner_routes(hub)
            app.router.routes.insert(0, first)
            gateway = app.state.gateway = make_gateway(hub)
            app.router.routes.extend([gateway.route(), last])
            if run_jobs and hub.database.dialect == "sqlite":
                await hub.outbox.forget_leases()
            beside = [hub.live.run(), gateway.run(), *(background(hub) if run_jobs else [])]
            tasks = [asyncio.create_task(work) for work in beside]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(Beside, guests=guests)],
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        exception_handlers={HTTPException: on_http_error, Exception: on_bug},
    )


def make_gateway(hub: Hub, limits: EdgeLimits | None = None) -> Gateway:
    """The gateway of hosted operators' sites; one a process."""
    tools = EdgeTools(hub.sites, IntakeTools(hub.roaming, hub.directory, hub.clock), hub.ids, hub.live)
    return Gateway(tools, hub.settings.party_id, hub.secrets.signer, hub.clock, limits)


def partner_routes(hub: Hub) -> tuple[BaseRoute, BaseRoute]:
    """Where partners that speak T/CEC 102 reach the hub: before all other routes, and behind them."""
    tools = tcec102_tools(hub, hub.tcec102)
    server = TcecServer(tools, {**HostHandlers().handlers(), **home_handlers(tools)})
    return tcec102_routes(
        server, hub.tcec102.profiles, hub.ids, certificate_header=hub.settings.certificate_header
    )


async def healthz(_: Request) -> Response:
    """The process lives."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def readyz(request: Request) -> Response:
    """The process can work: its database answers. Says which kind it is, and the business time."""
    hub: Hub = request.app.state.hub
    try:
        due_s, late_s = await _waiting(hub)
    except OSError:
        return error_response(HubError(Code.UNAVAILABLE))
    body = Readiness(
        status="ready",
        database=hub.database.dialect,
        business_time=hub.clock.business(),
        checks={"work_waiting_s": due_s, "letters_late_s": late_s},
    )
    return Response(msgspec.json.encode(body), media_type="application/json")


async def metrics(request: Request) -> Response:
    """Prometheus text."""
    hub: Hub = request.app.state.hub
    with contextlib.suppress(OSError):
        due_s, late_s = await _waiting(hub)
        OLDEST_DUE.set(due_s)
        OLDEST_LATE.set(late_s)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _waiting(hub: Hub) -> tuple[int, int]:
    """Seconds since the oldest work was due, and since the oldest letter tried in vain was written."""
    async with hub.database.reading() as unit:
        instants = await oldest_due(unit), await oldest_late(unit)
    now = hub.clock.wall()
    due, late = (0 if at is None else max(0, unix_s(now) - unix_s(at)) for at in instants)
    return due, late


async def on_http_error(request: Request, problem: Exception) -> Response:
    """No such route, or no such method on it."""
    hub: Hub = request.app.state.hub
    set_request_id(request_id_of(request, hub.ids))
    status = problem.status_code if isinstance(problem, HTTPException) else 404
    response = error_response(HubError(Code.METHOD_NOT_ALLOWED if status == 405 else Code.NOT_FOUND))
    response.headers["x-request-id"] = current_request_id()
    return response


async def on_bug(_: Request, problem: Exception) -> Response:
    """A fault of ours: its type and place go to the log, nothing of it to the caller."""
    log.error("unhandled %s", type(problem).__name__, extra={"code": Code.INTERNAL})
    response = error_response(HubError(Code.INTERNAL))
    response.headers["x-request-id"] = current_request_id()
    return response


def serve(settings: Settings, host: str, port: int, *, guests: Sequence[Starlette] = ()) -> None:
    """Serve until told to stop.

    Raises:
        SettingsError, SecretsError: as `open_hub`; found out first, for the server would log a whole trace.
    """
    configure_logs()
    asyncio.run(try_to_open(settings))
    app = create_app(settings, guests=guests)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # its buffers cost a phone's socket more than all else of it
        ws_max_size=2 * FRAME_BYTES_MOST,  # what is a little too large is told so
    )
    server = _Server(config, app)
    with contextlib.suppress(KeyboardInterrupt):  # the end of it, as asked
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """Lets sites go with a word before it hangs up on everybody."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """What is there now stays: to look through all of it for garbage would halt every answer for 0.2 s."""
        await super().startup(sockets)
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Once told to stop: sites first, then everything else."""
        await self._app.state.gateway.close()
        await super().shutdown(sockets)
