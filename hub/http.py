"""Other applications in the hub's process. Each registers itself; none is imported by its name.

An entry point of the group `interpile.apps` loads to a callable `(*, own_url, issuer) -> Starlette`: where this
process serves the hub, and the hub's public URL. A guest's routes are its own; everything else is the hub's.
"""

import logging
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.settings import SettingsError

log = logging.getLogger("interpile.app")

GROUP, OURS = "interpile.apps", "hub"
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (listened to, not dialled)


def guests(
    host: str, port: int, *, issuer: str, registered: Iterable[EntryPoint] | None = None
) -> list[Starlette]:
    """The applications that others register; one whose packages are missing is left out, and that is said.

    Raises:
        SettingsError: an application cannot use its settings.
    """
    name = ANYWHERE.get(host, host)
    own_url = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
    found = []
    for point in entry_points(group=GROUP) if registered is None else registered:
        if point.name == OURS:
            continue
        try:
            make = point.load()
        except ImportError as problem:
            log.warning("not served: %s (%s)", point.name, problem)
            continue
        try:
            found.append(make(own_url=own_url, issuer=issuer))
        except ValueError as problem:
            raise SettingsError(f"{point.name}: {problem}") from problem
    return found


class Beside:
    """Hands a request to the first guest that has a route for it, else to the hub."""

    def __init__(self, app: ASGIApp, guests: Sequence[Starlette]) -> None:
        self._app, self._guests = app, guests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        app = self._app
        if scope["type"] in {"http", "websocket"}:
            app = next((guest for guest in self._guests if _has_route(guest, scope)), app)
        await app(scope, receive, send)


def _has_route(guest: Starlette, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is not Match.NONE for route in guest.routes)
