"""SiteGateway: lets the agents of an operator's sites in, one connection each."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from operator_sdk.chance import fresh_challenge
from operator_sdk.contract.edge_link import SUBPROTOCOL
from operator_sdk.contract.edge_link.frames import Answer, Ask, Command, LinkCode, LinkProblem, Result
from operator_sdk.contract.edge_link.gateway_end import GatewayEnd, Proving
from operator_sdk.contract.signing import SigningKey
from operator_sdk.errors import SiteOffline
from operator_sdk.guard import Refuse
from operator_sdk.keys import new_key
from operator_sdk.site_gateway.connection import WITHIN_S, GatewayLimits, SiteConnection, Work
from operator_sdk.site_gateway.inbox import Inbox
from operator_sdk.site_gateway.line import Line
from operator_sdk.site_gateway.own_code import OwnCodeFailed, run_own

log = logging.getLogger("interpile.site_gateway")


@dataclass(frozen=True, slots=True)
class SiteAlarm:
    """Something a person should look at.

    `code`: `superseded` (a second connection of a site took the place of the first: a cut that only the agent
    has noticed, or a key that is used twice), `proof_wrong` (somebody named this site and could not prove it),
    `bad_item` (an item that this version cannot read; it is in the inbox as it came).
    """

    site_id: str
    code: str
    detail: str = ""


OnConnected = Callable[[SiteConnection], Awaitable[None]]
OnDisconnected = Callable[[str], Awaitable[None]]
OnAsk = Callable[[str, Ask], Awaitable[Answer]]
OnAlarm = Callable[[SiteAlarm], Awaitable[None]]
_Function = TypeVar("_Function")


class SiteGateway:
    """The gateway of one operator.

    `gateway_id` is the operator's party id and `key` proves it to the agents, which know its public half.
    `site_key` gives the public key of a site, or None for a site that is not ours (any more); it is asked at
    every connection. `inbox` keeps what arrives.
    """

    def __init__(
        self,
        *,
        gateway_id: str,
        key: SigningKey,
        site_key: Callable[[str], Awaitable[Ed25519PublicKey | None]],
        inbox: Inbox,
        limits: GatewayLimits | None = None,
    ) -> None:
        self._gateway_id, self._key = gateway_id, key.private
        self._site_key, self._inbox = site_key, inbox
        self._limits = limits or GatewayLimits()
        self._sites: dict[str, SiteConnection] = {}
        self._handlers: dict[Line, asyncio.Task[None] | None] = {}
        self._unproved: Counter[str] = Counter()
        self._nobody = new_key("nobody").private.public_key()
        self._is_closing = False
        self._background: set[asyncio.Task[None]] = set()
        self._connected: OnConnected | None = None
        self._disconnected: OnDisconnected | None = None
        self._ask: OnAsk | None = None
        self._alarm: OnAlarm | None = None

    @property
    def sites(self) -> Mapping[str, SiteConnection]:
        """The sites that are connected, by their ids."""
        return MappingProxyType(self._sites)

    def route(self, path: str = "/edge") -> WebSocketRoute:
        """The route to put into a Starlette application."""
        return WebSocketRoute(path, self._serve)

    def on_connected(self, function: OnConnected) -> OnConnected:
        """Register what a site has to be told at each connection: tariffs, blacklist, stops it has missed.

        Until it has returned, `SiteGateway.command` waits; it commands the site through what it is given. If it
        raises, the connection is closed, and the site comes back.
        """
        self._connected = function
        return function

    def on_disconnected(self, function: OnDisconnected) -> OnDisconnected:
        """Register what happens when a site is gone (not when a new connection took over)."""
        self._disconnected = function
        return function

    def on_ask(self, function: OnAsk) -> OnAsk:
        """Register who answers AuthorizeAsk and ReleaseAsk; the same question may come again.

        `Refuse` becomes the answer `Refused`. Anything else it raises leaves the question open: the agent asks
        again.
        """
        self._ask = function
        return function

    def on_alarm(self, function: OnAlarm) -> OnAlarm:
        """Register who hears of a SiteAlarm."""
        self._alarm = function
        return function

    async def command(
        self, site_id: str, command: Command, *, within_s: float = WITHIN_S, command_id: str | None = None
    ) -> Result:
        """Command a site; with a `command_id` of one's own a repeat gets the first result.

        Raises:
            SiteOffline: it is not connected (or not yet told what it has to know): certainly not sent.
            SiteSilent: no answer in time; it may have been done.
            ValueError: the command does not fit into a frame.
        """
        site = self._sites.get(site_id)
        if site is None:
            raise SiteOffline(site_id)
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        try:
            async with asyncio.timeout_at(until):
                await site.ready()
        except TimeoutError as late:
            raise SiteOffline(site_id) from late
        return await site.command(command, within_s=until - loop.time(), command_id=command_id)

    async def aclose(self) -> None:
        """Say goodbye to every site and let nobody in any more; for the application's shutdown."""
        self._is_closing = True
        handlers = [task for task in self._handlers.values() if task is not None]
        for line in self._handlers:
            line.stop(LinkProblem(LinkCode.GOING_DOWN))
        if handlers:
            await asyncio.wait(handlers)
        if self._background:
            await asyncio.wait(self._background)

    async def _serve(self, socket: WebSocket) -> None:
        offered = SUBPROTOCOL in socket.scope["subprotocols"]
        address = socket.client.host if socket.client else ""
        is_full = self._unproved[address] >= self._limits.unproved_most
        if self._is_closing or not offered or is_full:
            await socket.close()  # before it is accepted: HTTP 403
            return
        end = GatewayEnd(self._gateway_id, self._key, nonce=fresh_challenge())
        line = Line(socket, end, send_s=self._limits.send_s)
        self._handlers[line] = asyncio.current_task()
        try:
            with ExitStack() as unproved:
                unproved.enter_context(self._counted(address))
                await socket.accept(subprotocol=SUBPROTOCOL)
                await line.run(self._attend(line, unproved))
        except WebSocketDisconnect:
            pass  # gone before it was accepted
        finally:
            del self._handlers[line]

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        """Count a connection among those of its address that have proved nothing."""
        self._unproved[address] += 1
        try:
            yield
        finally:
            self._unproved[address] -= 1
            if not self._unproved[address]:
                del self._unproved[address]

    async def _attend(self, line: Line, unproved: ExitStack) -> None:
        """Have a site prove itself, then serve it."""
        try:
            async with asyncio.timeout(self._limits.prove_s):
                site = await self._admit(line)
        except TimeoutError as late:
            raise LinkProblem(LinkCode.SILENT, "no proof") from late
        finally:
            unproved.close()
        if site is None:
            return
        self._take_over(site)
        line.flush()
        try:
            await site.serve()
        finally:
            self._let_go(site)

    async def _admit(self, line: Line) -> SiteConnection | None:
        proving = await line.receive(self._limits.prove_s)
        if not isinstance(proving, Proving):
            return None  # it has said goodbye: nothing else comes before the proof
        site_id, spool_id = proving.site_id, proving.spool_id
        try:
            key = await run_own("site_key", site_id, self._site_key(site_id))
            known = self._inbox.acknowledged(site_id, spool_id)
            acknowledged = await run_own("the inbox", site_id, known)
        except (OwnCodeFailed, Refuse) as problem:
            raise LinkProblem(LinkCode.GOING_DOWN) from problem
        try:
            # A stranger learns neither by the word nor by the time it takes which sites there are.
            line.end.accept(key or self._nobody, acknowledged)
        except LinkProblem as problem:
            if key is not None:
                self._raise_alarm(site_id, problem.code, proving.agent_version)
            raise
        work = Work(self._inbox, self._ask, self._connected, self._raise_alarm)
        return SiteConnection(line, proving, work, self._limits)

    def _take_over(self, site: SiteConnection) -> None:
        first = self._sites.get(site.site_id)
        self._sites[site.site_id] = site
        log.info("site %s is connected", site.site_id)
        if first is not None:
            same = "the same spool" if first.spool_id == site.spool_id else "another spool"
            self._raise_alarm(site.site_id, LinkCode.SUPERSEDED, same)
            first.stop(LinkProblem(LinkCode.SUPERSEDED))

    def _let_go(self, site: SiteConnection) -> None:
        if self._sites.get(site.site_id) is not site:
            return
        del self._sites[site.site_id]
        log.info("site %s is gone", site.site_id)
        if self._disconnected is not None:
            self._beside(self._disconnected(site.site_id), "on_disconnected", site.site_id)

    def _raise_alarm(self, site_id: str, code: str, detail: str) -> None:
        log.warning("site %s: %s %s", site_id, code, detail)
        if self._alarm is not None:
            self._beside(self._alarm(SiteAlarm(site_id, code, detail)), "on_alarm", site_id)

    def _beside(self, work: Awaitable[None], what: str, site_id: str) -> None:
        """Run the operator's function without making the link wait for it."""

        async def guarded() -> None:
            try:
                await run_own(what, site_id, work)
            except (OwnCodeFailed, Refuse):
                return  # logged where it was caught, or a refusal that nobody waits for

        task = asyncio.create_task(guarded())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
