"""Where partners reach the hub: any interface's name under the prefix that a partner's profile names.

Profiles come and go while the hub serves, so the paths are not a list of routes but a rule: the last part of
the path is the interface, what is before it the prefix.
"""

from starlette.datastructures import Headers, URLPath
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from hub.core.bodies import Bodies
from hub.core.database import OutOfReach
from hub.core.errors import HubError
from hub.core.ids import Ids
from hub.core.metrics import Observed, count_answer
from hub.core.requests import set_request_id
from hub.protocols.tcec102.profiles import PartnerProfiles
from hub.protocols.tcec102.server import NO_DATABASE, Arrival, TcecServer
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.wire import Ret, WireProblem

USUAL = frozenset({"", "/evcs/v1"})
"""Prefixes under which something is served even while no partner names them."""

NAME_MOST = 60

CONTENT_TYPE = b"content-type", b"application/json; charset=utf-8"


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
        self._bodies = Bodies()

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
        set_request_id(self._ids.new("req"))
        operation = f"tcec102:{name if self._known else 'unknown'}"
        with Observed(operation):
            ret, body = await self._answer(scope, receive, prefix, name)
        count_answer(operation, int(ret))
        headers = [CONTENT_TYPE, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive, prefix: str, name: str) -> tuple[int, bytes]:
        headers, header, client = Headers(scope=scope), self._certificate_header, scope.get("client")
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        arrival = Arrival(
            interface=name[:NAME_MOST],
            prefix=prefix,
            body=b"",
            bearer=bearer.strip() if kind.lower() == "bearer" else "",
            address=client[0] if client else "",
            certificate=headers.get(header) if header is not None else None,
        )
        try:
            if not await self._profiles.serve(prefix) and prefix not in USUAL:
                raise HTTPException(404)
        except OutOfReach:
            return self._server.refuse(arrival, WireProblem(Ret.BUSY, NO_DATABASE, "database"))
        length = headers.get("content-length")
        most = self._profiles.body_most  # nobody is known yet: of the partner that may send most
        try:
            arrival.body = await self._bodies.read(receive, length=length, most=most)
        except HubError as problem:
            return self._server.refuse(arrival, _in_words(problem, most))
        return await self._server.answer(arrival)


def _in_words(problem: HubError, most: int) -> WireProblem:
    if problem.code is Code.TOO_LARGE:
        return WireProblem(Ret.ENVELOPE, f"the body is larger than {most} bytes", "too_large")
    return WireProblem(Ret.ENVELOPE, problem.details["problem"], "cut_off")


def routes(
    server: TcecServer, profiles: PartnerProfiles, ids: Ids, *, certificate_header: str | None
) -> tuple[BaseRoute, BaseRoute]:
    """The route to put before all others, and the one to put behind them."""
    first = InterfaceRoute(server, profiles, ids, certificate_header=certificate_header, known=True)
    last = InterfaceRoute(server, profiles, ids, certificate_header=certificate_header, known=False)
    return first, last
