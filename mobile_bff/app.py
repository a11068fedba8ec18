"""The service as an ASGI application: GraphQL, the driver's page, and where our QR codes lead."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from mobile_bff.drivers import Drivers
from mobile_bff.feeds import Feeds
from mobile_bff.graph.context import Services
from mobile_bff.graph.directory import Directory
from mobile_bff.graph.sockets import MESSAGE_MOST, Sockets
from mobile_bff.graph.view import GraphView
from mobile_bff.headers import SecurityHeaders
from mobile_bff.hub_backend import HubBackend, open_client
from mobile_bff.limiter import Limiter
from mobile_bff.page import Page
from mobile_bff.refused import Refused, told
from mobile_bff.settings import Settings, SettingsError
from operator_sdk.client import AsyncHubClient
from operator_sdk.clock import Clock

WEB = Path(__file__).parent / "web"
CODE_MOST = 500
KEEP_ALIVE_S = 75
"""Longer than any client keeps an idle connection: who closes first must not be the one that is asked."""
GRACEFUL_S = 5


def create_app(
    settings: Settings | None = None,
    *,
    own_url: str | None = None,
    issuer: str | None = None,
    alone: bool = False,
    clock: Clock | None = None,
) -> Starlette:
    """The application. `alone` adds health checks; `own_url` and `issuer` are the hub's, where it is not alone.

    Raises:
        SettingsError: a setting that cannot be used.
    """
    settings = settings or Settings.from_env(own_url=own_url, issuer=issuer)
    services, client = _services(settings, clock or _clock())
    view = GraphView(services, origins=settings.origins, in_production=settings.in_production)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def landing(request: Request) -> Response:
        """A scanned code of ours, opened in a browser: on to the page, which has the hub read it."""
        query = f"?{request.url.query}" if request.url.query else ""
        code = f"{settings.issuer}{request.url.path}{query}"[:CODE_MOST]
        return RedirectResponse(f"/app/#/scan?code={quote(code, safe='')}", 303)

    routes: list[BaseRoute] = [
        Route("/graphql", view),
        WebSocketRoute("/graphql", view),
        Route("/c/{connector}", landing),
        *_page(),
    ]
    if alone:
        routes += [Route("/healthz", healthz), Route("/readyz", readyz)]
    app = Starlette(routes=routes, lifespan=lifespan, middleware=_middleware(settings))
    app.state.services, app.state.client = services, client
    return app


def _services(settings: Settings, clock: Clock) -> tuple[Services, AsyncHubClient]:
    client = open_client(settings, clock)
    drivers = Drivers(client, settings.issuer, clock)
    backend = HubBackend(client, drivers, has_own_name=settings.party_id is not None)
    services = Services(
        backend,
        drivers,
        Directory(backend),
        Feeds(backend, drivers),
        Sockets(settings.sockets_per_driver),
        clock,
        Limiter(clock, rate_per_s=settings.rate_per_s),
        Limiter(clock, rate_per_s=settings.sign_ins_per_s),
    )
    return services, client


def _clock() -> Clock:
    try:
        return Clock.from_env()
    except ValueError as problem:
        raise SettingsError(f"the clock: {problem}") from problem


def _page() -> list[BaseRoute]:
    """The driver's page, where this installation has it."""
    if not WEB.is_dir():
        return []
    return [
        Route("/app", lambda _: RedirectResponse("/app/", 308)),
        Route("/app/{path:path}", Page(WEB).answer),
    ]


def _middleware(settings: Settings) -> list[Middleware]:
    """The same origin needs no leave of ours; others are let in by name."""
    headers = Middleware(SecurityHeaders, https=settings.issuer.startswith("https://"))
    if not settings.origins:
        return [headers]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.origins,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "x-request-id"],
        expose_headers=["x-request-id"],
    )
    return [headers, cors]


async def healthz(_: Request) -> Response:
    """The process lives."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """The process can work: the hub answers."""
    try:
        with told():
            await request.app.state.client.call("jwks")
    except Refused:
        return JSONResponse({"status": "hub out of reach"}, 503)
    return JSONResponse({"status": "ready"})


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop."""
    uvicorn.run(
        create_app(settings, alone=True),
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_MOST,
        ws_per_message_deflate=False,  # its buffers cost a phone's socket more than all else of it
    )
