"""The hub's gateway: `GET /v1/edge` upgrades to a WebSocket, a site proves itself, and its connection runs."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.core.clock import Clock
from hub.core.database import OutOfReach
from hub.core.errors import TooManyError
from hub.core.limits import Limits
from hub.core.metrics import EDGE_REFUSED, EDGE_SITES
from hub.core.runner import keep_running
from hub.protocols.edge.connection import Connection, EdgeLimits, EdgeTools, Gone, receive, send_all
from hub.protocols.edge.intake import plain
from hub.sites.connections import Connected, SiteClosed
from hub.sites.model import PROOF_WRONG, SUPERSEDED
from operator_sdk.contract.edge_link import SUBPROTOCOL
from operator_sdk.contract.edge_link.frames import LinkCode, LinkProblem
from operator_sdk.contract.edge_link.gateway_end import GatewayEnd, Proving
from operator_sdk.contract.signing import SigningKey

log = logging.getLogger("interpile.edge")

PATH = "/v1/edge"
PROVE_BYTES_MOST = 16_384
GOODBYE_WITHIN_S = 1
HANDSHAKES_PER_S = 10
"""Of one address, and twice as many at once."""

LOOK_S = 1
"""How often a process looks by itself for commands of other processes, should a notice be lost."""

RENEW_EVERY, REFRESH_EVERY = 10, 5
"""In looks: leases of connections, and what sites should know."""

NORMAL, POLICY, TRY_AGAIN = 1000, 1008, 1013
"""WebSocket close codes (RFC 6455)."""


class Gateway:
    """Every connection of this process. `key` is the hub's signing key, `party_id` its name."""

    def __init__(
        self, tools: EdgeTools, party_id: str, key: SigningKey, clock: Clock, limits: EdgeLimits | None = None
    ) -> None:
        self._t, self._party_id, self._key = tools, party_id, key
        self._limits = limits or EdgeLimits()
        self._callers = Limits(clock, HANDSHAKES_PER_S, self._limits.unproved_most)
        self._open: set[Connection] = set()
        self._looks = 0
        self._closing, self._empty = False, asyncio.Event()

    def route(self) -> WebSocketRoute:
        """The one route."""
        return WebSocketRoute(PATH, self._serve)

    async def run(self) -> None:
        """Look after the connections until cancelled."""
        await keep_running("edge", LOOK_S, self.look)

    async def look(self) -> None:
        """Wake connections that have something to do; renew what lives."""
        self._looks += 1
        if not self._open:
            return
        if self._looks % RENEW_EVERY == 0:
            await self._t.sites.connections.renew([one.connected for one in self._open])
        refresh = self._looks % REFRESH_EVERY == 0
        sites = {one.connected.place.site_id for one in self._open}
        tokens = await self._t.sites.connections.tokens(sites)
        waiting = {row.site_id for row in await self._t.sites.commands.waiting(sites)}
        for one in self._open:
            site_id = one.connected.place.site_id
            if site_id in waiting or tokens.get(site_id) != one.connected.token:
                one.news.set()
        if refresh:
            self.refresh()

    def refresh(self) -> None:
        """Look what every site should know now."""
        for one in self._open:
            one.to_refresh = True
            one.news.set()

    async def close(self) -> None:
        """Say goodbye to every site; nobody new is let in."""
        self._closing = True
        for one in self._open:
            one.finish(LinkCode.GOING_DOWN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * GOODBYE_WITHIN_S):
                while self._open:
                    self._empty.clear()
                    await self._empty.wait()

    async def _serve(self, socket: WebSocket) -> None:
        address = f"edge:{socket.client.host if socket.client else ''}"
        if SUBPROTOCOL not in socket.scope["subprotocols"] or self._closing:
            await socket.close(POLICY)
            return
        end = self._new_end()
        try:
            with self._callers.admit(address):
                await socket.accept(subprotocol=SUBPROTOCOL)
                connected = await self._prove(socket, end)
        except TooManyError:
            await socket.close(TRY_AGAIN)
        except Gone:
            return
        except LinkProblem as problem:
            await self._bye(socket, end, problem)
        else:
            await self._run(socket, end, connected)

    def _new_end(self) -> GatewayEnd:
        nonce = hashlib.sha256(self._t.ids.secret().encode()).digest()
        return GatewayEnd(self._party_id, self._key.private, nonce=nonce)

    async def _prove(self, socket: WebSocket, end: GatewayEnd) -> Connected:
        """Challenge, proof and look-up; the welcome waits in `end`.

        Raises:
            Gone: the other end has left.
            LinkProblem: it is not proved, is silent, or broke a rule; not_stored without a database.
        """
        try:
            async with asyncio.timeout(self._limits.prove_s):
                await send_all(socket, end)
                data = await receive(socket)
        except TimeoutError:
            raise LinkProblem(LinkCode.SILENT, "no proof") from None
        if len(data) > PROVE_BYTES_MOST:
            raise LinkProblem(LinkCode.TOO_LARGE)
        proving = end.receive(data)
        if not isinstance(proving, Proving):
            raise Gone
        try:
            return await self._let_in(end, proving)
        except SiteClosed:
            raise LinkProblem(LinkCode.SITE_UNKNOWN) from None  # it has proved itself a moment ago
        except OutOfReach:
            raise LinkProblem(LinkCode.NOT_STORED) from None

    async def _let_in(self, end: GatewayEnd, proving: Proving) -> Connected:
        connections = self._t.sites.connections
        known = await connections.known(proving.site_id)
        if known is None:  # the same word as for a wrong key: strangers do not learn which sites there are
            raise LinkProblem(LinkCode.PROOF_WRONG)
        durable = await connections.durable(proving.site_id, proving.spool_id)
        try:
            end.accept(known.key, durable)
        except LinkProblem:
            await connections.alarm(known.place, PROOF_WRONG)
            raise
        outlook = await connections.outlook(known.place)
        strange = sorted(set(proving.connectors) - outlook.connectors)
        if strange:
            log.warning("site %s serves connectors that do not stand there: %s", proving.site_id, strange[:5])
        return await connections.open(known, proving.spool_id, plain(proving.agent_version))

    async def _run(self, socket: WebSocket, end: GatewayEnd, connected: Connected) -> None:
        connection = Connection(self._t, socket, end, connected, self._limits)
        site_id = connected.place.site_id
        self._open.add(connection)
        EDGE_SITES.inc()
        log.info("site %s connected", site_id)
        try:
            problem = await connection.run()
            log.info("site %s disconnected: %s", site_id, problem or "it left")
            if problem is not None:
                if problem.code is LinkCode.SUPERSEDED:
                    await _if_in_reach(self._t.sites.connections.alarm(connected.place, SUPERSEDED))
                await self._bye(socket, end, problem)
        finally:
            await _if_in_reach(self._t.sites.connections.close(connected))
            self._open.discard(connection)
            self._empty.set()
            EDGE_SITES.dec()

    async def _bye(self, socket: WebSocket, end: GatewayEnd, problem: LinkProblem) -> None:
        """Say why, if anybody listens, and hang up."""
        EDGE_REFUSED.labels(problem.code.value).inc()
        end.bye(problem.code, problem.detail[:200])
        with contextlib.suppress(TimeoutError, Gone, RuntimeError, WebSocketDisconnect):
            async with asyncio.timeout(GOODBYE_WITHIN_S):
                await send_all(socket, end)
                await socket.close(NORMAL if problem.code is LinkCode.GOING_DOWN else POLICY)


async def _if_in_reach(work: Awaitable[None]) -> None:
    """Do what the next connection would do as well."""
    with contextlib.suppress(OutOfReach):
        await work
