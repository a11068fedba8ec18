"""Where partners reach the hub: any interface's name under the prefix that a partner's profile names.

Profiles come and go while the hub serves, so the paths are not a list of routes but a rule: the last part of
the path is the interface, what is before it the prefix.
"""

import asyncio

from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from hub.core.database import OutOfReach
from hub.core.ids import Ids
from hub.core.metrics import REQUESTS, observed
from hub.core.requests import set_request_id
from hub.protocols.tcec102.profiles import PartnerProfiles
from hub.protocols.tcec102.server import NO_DATABASE, Arrival, TcecServer
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

USUAL = frozenset({"", "/evcs/v1"})
"""Prefixes under which something is served even while no partner names them."""

NAME_MOST = 60

BODY_S = 20
"""How long a body may take to arrive."""


class InterfaceRoute(BaseRoute):
    """One of two: for the standard's names under any prefix, or for any other name under a partner's prefix.

    The first stands before all other routes, since it costs one look in a table; the second after them.
    """

    def __init__(
        self,
        server: TcecServer,
        profiles: PartnerProfiles,
        ids: Ids,
        *,
        certificate_header: str | None,
        known: bool,
    ) -> None:
        self._server, self._profiles, self._ids = server, profiles, ids
        self._certificate_header, self._known = certificate_header, known

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By the path alone."""
        if scope["type"] != "http":
            return Match.NONE, {}
        prefix, _, name = scope["path"].rpartition("/")
        if self._known:
            matches = name in INTERFACES
        else:
            matches = bool(prefix) and (prefix in USUAL or self._profiles.seem_to_serve(prefix))
        return (Match.FULL, {"tcec102": (prefix, name)}) if matches else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Never asked for."""
        raise NoMatchFound(name, dict(path_params))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is not ours gets the application's own 404 or 405."""
        prefix, name = scope["tcec102"]
        if scope["method"] != "POST":
            raise HTTPException(405)
        request = Request(scope, receive)
        set_request_id(self._ids.new("req"))
        operation = f"tcec102:{name if self._known else 'unknown'}"
        with observed(operation):
            ret, body = await self._answer(request, prefix, name)
        REQUESTS.labels(operation, str(int(ret))).inc()
        response = Response(body, media_type="application/json; charset=utf-8")
        await response(scope, receive, send)

    async def _answer(self, request: Request, prefix: str, name: str) -> tuple[int, bytes]:
        headers, header = request.headers, self._certificate_header
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        arrival = Arrival(
            interface=name[:NAME_MOST],
            prefix=prefix,
            body=b"",
            bearer=bearer.strip() if kind.lower() == "bearer" else "",
            address=request.client.host if request.client else "",
            certificate=headers.get(header) if header is not None else None,
        )
        try:
            if not await self._profiles.serve(prefix) and prefix not in USUAL:
                raise HTTPException(404)
            arrival.body = await _read_body(request, self._profiles.body_most)
        except WireProblem as problem:
            return self._server.refuse(arrival, problem)
        except OutOfReach:
            return self._server.refuse(arrival, WireProblem(Ret.BUSY, NO_DATABASE, "database"))
        return await self._server.answer(arrival)


async def _read_body(request: Request, most: int) -> bytes:
    """The body. Nobody is known yet, so the bound is that of the partner that may send most."""
    too_large = WireProblem(Ret.ENVELOPE, f"the body is larger than {most} bytes", "too_large")
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length[:12]) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large
    except (ClientDisconnect, TimeoutError):
        raise WireProblem(Ret.ENVELOPE, "the body did not arrive", "cut_off") from None
    return bytes(body)


def routes(
    server: TcecServer, profiles: PartnerProfiles, ids: Ids, *, certificate_header: str | None
) -> tuple[BaseRoute, BaseRoute]:
    """The route to put before all others, and the one to put behind them."""
    first = InterfaceRoute(server, profiles, ids, certificate_header=certificate_header, known=True)
    last = InterfaceRoute(server, profiles, ids, certificate_header=certificate_header, known=False)
    return first, last
