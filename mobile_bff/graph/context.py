"""What a resolver may reach: who asks, in which language, and what answers. New for every operation."""

import asyncio
import contextlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import strawberry
from starlette.websockets import WebSocket
from strawberry.dataloader import DataLoader

from mobile_bff.drivers import Driver, Drivers
from mobile_bff.hub_backend import Caller, DriverBackend, HubBackend
from mobile_bff.limiter import Limiter
from mobile_bff.refused import Refused
from mobile_bff.words import Locale
from operator_sdk.clock import Clock
from operator_sdk.contract.messages.roaming import Session
from operator_sdk.contract.public_codes import Code

if TYPE_CHECKING:
    from mobile_bff.feeds import Feeds
    from mobile_bff.graph.directory import Directory
    from mobile_bff.graph.places import ConnectorPlace
    from mobile_bff.graph.sockets import Sockets


@dataclass(frozen=True, slots=True)
class Services:
    """What all callers share."""

    backend: HubBackend
    drivers: Drivers
    directory: "Directory"
    feeds: "Feeds"
    sockets: "Sockets"
    clock: Clock
    limiter: Limiter
    sign_ins: Limiter


class Context:
    """One caller's. Its loaders remember what they loaded, so every operation and every event has new ones."""

    def __init__(
        self,
        services: Services,
        *,
        locale: Locale,
        token: str | None,
        request_id: str,
        address: str,
        websocket: WebSocket | None = None,
    ) -> None:
        self.services, self.locale, self.token, self.request_id = services, locale, token, request_id
        self.address = address
        self.websocket = websocket
        self.driver: Driver | None = None
        self.connection_params: dict[str, Any] = {}
        self.renew()

    @property
    def caller(self) -> Caller:
        """On whose behalf the hub is asked."""
        return Caller(self.token, self.request_id)

    def renew(self) -> None:
        """Forget what was loaded."""
        self.places: DataLoader[str, ConnectorPlace | None] = DataLoader(load_fn=self._places)
        self.sessions: DataLoader[str, Session] = DataLoader(load_fn=self._sessions)

    def fresh(self) -> "Context":
        """The same caller, for another operation of the same socket."""
        other = Context(
            self.services,
            locale=self.locale,
            token=self.token,
            request_id=self.request_id,
            address=self.address,
            websocket=self.websocket,
        )
        other.driver = self.driver
        return other

    async def as_driver(self) -> DriverBackend:
        """The calls of this driver, who is counted. A wrong token ends here: to the hub it is a guess of ours.

        Raises:
            Refused: unauthenticated, token_invalid, too_many_requests.
        """
        driver = await self.services.drivers.of(self.token)
        self.services.limiter.take(driver.name)
        return self.services.backend.as_driver(self.caller)

    def as_nobody(self) -> HubBackend:
        """The calls that need no token. The hub counts them all as ours, so here they are counted by address.

        Raises:
            Refused: too_many_requests.
        """
        self.services.sign_ins.take(self.address)
        return self.services.backend

    async def count(self) -> None:
        """Count a call to the public directory: a driver's, or else one of this address.

        Raises:
            Refused: too_many_requests.
        """
        caller: Hashable = self.address
        with contextlib.suppress(Refused):
            caller = (await self.services.drivers.of(self.token)).name
        self.services.limiter.take(caller)

    async def _places(self, connectors: list[str]) -> "list[ConnectorPlace | BaseException | None]":
        return await asyncio.gather(*map(self._place, connectors), return_exceptions=True)

    async def _place(self, connector: str) -> "ConnectorPlace | None":
        try:
            return await self.services.directory.place(connector, self.caller)
        except Refused as problem:
            if problem.code == Code.NOT_FOUND:
                return None
            raise

    async def _sessions(self, session_ids: list[str]) -> list[Session | BaseException]:
        driver = self.services.backend.as_driver(self.caller)
        return await asyncio.gather(*map(driver.session, session_ids), return_exceptions=True)


Info = strawberry.Info[Context, None]
