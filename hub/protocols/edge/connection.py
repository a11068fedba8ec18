"""One proved connection of a site: its spool in, commands out, its asks answered, until either end is done."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.websockets import WebSocket, WebSocketDisconnect

from hub.core.database import OutOfReach
from hub.core.errors import UNDECIDED, HubError
from hub.core.ids import Ids
from hub.core.live import Live
from hub.core.metrics import EDGE_ITEMS
from hub.parties.link import LinkError
from hub.protocols.edge.intake import Intake, IntakeTools, Undecided, plain
from hub.sites.connections import Connected, SiteClosed, Superseded, check_token
from hub.sites.context import site_topic
from hub.sites.service import Sites
from hub.sites.tables import SiteCommandRow
from operator_sdk.contract.edge_link import IN_FLIGHT_MOST
from operator_sdk.contract.edge_link.frames import (
    Answer,
    Ask,
    AuthorizeAsk,
    Authorized,
    BlacklistCommand,
    Command,
    Done,
    LinkCode,
    LinkProblem,
    Refused,
    StartCommand,
    StopCommand,
    Stream,
    TariffsCommand,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived, Asked, GatewayEnd, Left, Resulted
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.edge")


@dataclass(frozen=True, slots=True)
class EdgeLimits:
    """How long and how much the gateway puts up with; times in seconds of wall time.

    `prove_s`: until the proof. `idle_s`: without a message; an agent says how it fares at least each minute.
    `send_s`: while a site takes nothing of what is sent to it. `unproved_most`: connections of one address
    without a proof. `asks_most`: under way at one time for one site.
    """

    prove_s: float = 10
    idle_s: float = 180
    send_s: float = 10
    unproved_most: int = 32
    asks_most: int = 32


TARIFFS_AT_ONCE = 50
"""Of the longest there may be, this many are less than half a frame."""

REPEATED = TariffsCommand | BlacklistCommand | StopCommand
"""What a site is told until it takes it: the next look tells it again. Everything else is for whoever waits."""


class Gone(Exception):
    """The other end has left."""


@dataclass(frozen=True, slots=True)
class EdgeTools:
    """What a connection works with."""

    sites: Sites
    intake: IntakeTools
    ids: Ids
    live: Live


async def receive(socket: WebSocket) -> bytes:
    """The next message.

    Raises:
        Gone: there is none any more.
        LinkProblem: malformed, it is text.
    """
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise Gone
    data = message.get("bytes")
    if data is None:
        raise LinkProblem(LinkCode.MALFORMED, "text")
    return bytes(data)


async def send_all(socket: WebSocket, end: GatewayEnd) -> None:
    """Send what waits, in order.

    Raises:
        Gone: nobody is there to take it.
    """
    try:
        while end.outgoing:
            await socket.send_bytes(end.outgoing.popleft())
    except (WebSocketDisconnect, RuntimeError) as problem:
        raise Gone from problem


@dataclass(slots=True)
class _Pushed:
    """What this connection was told already. `asked`: commands by id whose result has not come."""

    tariffs: set[tuple[str, int]] = field(default_factory=set)
    blacklist: int | None = None
    commands: set[str] = field(default_factory=set)
    asked: dict[str, Command] = field(default_factory=dict)

    def forget(self, command_id: str, command: Command) -> None:
        """It was not taken: to be told again."""
        match command:
            case TariffsCommand():
                self.tariffs -= {(one.tariff_id, one.version) for one in command.tariffs}
            case BlacklistCommand() if command.version == self.blacklist:
                self.blacklist = None
            case _:
                self.commands.discard(command_id)


class Connection:
    """Runs until an end is done; `news` is set when there may be something to send, `end` to end it."""

    def __init__(
        self, tools: EdgeTools, socket: WebSocket, end: GatewayEnd, connected: Connected, limits: EdgeLimits
    ) -> None:
        self._t, self._socket, self._end, self.connected = tools, socket, end, connected
        self._limits = limits
        self._intake = Intake(tools.intake, connected.place, tools.sites.connections.outlook)
        self._queues: Mapping[Stream, asyncio.Queue[Arrived]] = {
            stream: asyncio.Queue(IN_FLIGHT_MOST) for stream in Stream
        }
        # As many at most as the hub has asked for: `_read` lets all others fall.
        self._results: asyncio.Queue[tuple[Resulted, Command]] = asyncio.Queue()
        self._outgoing = asyncio.Event()
        self._ended: asyncio.Future[LinkCode] = asyncio.get_running_loop().create_future()
        self._pushed = _Pushed()
        self._asks = 0
        self.news = asyncio.Event()
        self.to_refresh = False

    def finish(self, code: LinkCode) -> None:
        """End the connection soon, and say why."""
        if not self._ended.done():
            self._ended.set_result(code)

    async def run(self) -> LinkProblem | None:
        """Work until it is over; why the hub ends it, or None when the other end has left."""
        problem: LinkProblem | None = None
        try:
            # Known before the first item comes: what the site may speak of.
            await self._refresh()
            async with asyncio.TaskGroup() as tasks:
                for work in (
                    self._read(tasks),
                    self._write(),
                    self._command(),
                    self._note_results(),
                    self._wait_for_end(),
                ):
                    tasks.create_task(work)
                for stream in Stream:
                    tasks.create_task(self._store(stream))
        except* Gone:
            pass
        except* LinkProblem as problems:
            problem = _first(problems)
        except* Superseded:
            problem = LinkProblem(LinkCode.SUPERSEDED)
        except* SiteClosed:
            problem = LinkProblem(LinkCode.SITE_UNKNOWN, "revoked, or its key was replaced")
        except* (OutOfReach, Undecided):
            problem = LinkProblem(LinkCode.NOT_STORED)
        return problem

    async def _wait_for_end(self) -> None:
        raise LinkProblem(await self._ended)

    # In.

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            event = self._end.receive(await self._message())
            match event:
                case Arrived():
                    self._enqueue(event)
                case Resulted():
                    if (asked := self._pushed.asked.pop(event.command_id, None)) is not None:
                        self._results.put_nowait((event, asked))
                case Asked() if self._asks >= self._limits.asks_most:
                    self._end.answer(event.ask_id, Refused(code=Code.TOO_MANY_REQUESTS))
                case Asked():
                    self._asks += 1
                    tasks.create_task(self._ask(event))
                case Left():
                    raise Gone
            self._outgoing.set()

    async def _message(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await receive(self._socket)
        except TimeoutError:
            raise LinkProblem(LinkCode.SILENT, "no message") from None

    def _enqueue(self, arrived: Arrived) -> None:
        try:
            self._queues[arrived.stream].put_nowait(arrived)
        except asyncio.QueueFull:
            raise LinkProblem(LinkCode.OUT_OF_ORDER, "more in flight than may be") from None

    async def _store(self, stream: Stream) -> None:
        """Take a stream's batches one after another; acknowledge each once everything of it is durable."""
        while True:
            arrived = await self._queues[stream].get()
            taken = await self._intake.take(arrived)
            last = await self._t.sites.connections.store(self.connected, arrived, taken)
            self._end.stored(stream, last)
            self._outgoing.set()
            for outcome, count in (
                ("refused", len(taken.refused)),
                ("taken", len(arrived.items) - len(taken.refused)),
            ):
                EDGE_ITEMS.labels(stream.value, outcome).inc(count)

    # Asks.

    async def _ask(self, asked: Asked) -> None:
        try:
            answer = await self._answer_to(asked.ask)
        except HubError as problem:
            answer = Refused(code=problem.code)
        except (OutOfReach, LinkError):
            answer = Refused(code=Code.UNAVAILABLE)
        finally:
            self._asks -= 1
        self._end.answer(asked.ask_id, answer)
        self._outgoing.set()

    async def _answer_to(self, ask: Ask) -> Answer:
        roaming, host = self._t.intake.roaming, self.connected.place.host_party_id
        if isinstance(ask, AuthorizeAsk):
            if not await self._intake.serves(ask.request.connector_id):
                return Refused(code=Code.CONNECTOR_UNKNOWN)
            if plain(ask.request.token.ref) != ask.request.token.ref:
                return Refused(code=Code.MALFORMED)
            return Authorized(authorization=await roaming.authorizing.authorize(host, ask.request))
        await self._intake.check_release(ask.request)
        await roaming.authorizing.release(host, ask.request)
        return Done()

    # Out.

    async def _write(self) -> None:
        while True:
            self._outgoing.clear()
            try:
                async with asyncio.timeout(self._limits.send_s):
                    await send_all(self._socket, self._end)
            except TimeoutError:
                raise LinkProblem(LinkCode.SILENT, "takes nothing") from None
            await self._outgoing.wait()

    async def _command(self) -> None:
        """Tell the site what it should know and do, now and whenever there is news."""
        site_id = self.connected.place.site_id
        async with self._t.live.follow(site_topic(site_id)) as self.news:
            while True:
                self.news.clear()
                tokens = await self._t.sites.connections.tokens([site_id])
                check_token(tokens.get(site_id), self.connected)
                if self.to_refresh:
                    self.to_refresh = False
                    await self._refresh()
                for row in await self._t.sites.commands.waiting([site_id]):
                    await self._send(row)
                await self.news.wait()

    async def _refresh(self) -> None:
        place = self.connected.place
        outlook = await self._t.sites.connections.outlook(place)
        self._intake.connectors = outlook.connectors
        self._push_tariffs(outlook.tariffs)
        if outlook.blacklist_version != self._pushed.blacklist:
            version, digests = await self._t.sites.connections.blacklist(place.host_party_id)
            self._pushed.blacklist = version
            self._push(BlacklistCommand(version=version, digests=digests))

    def _push_tariffs(self, tariffs: Sequence[Tariff]) -> None:
        fresh = [one for one in tariffs if (one.tariff_id, one.version) not in self._pushed.tariffs]
        self._pushed.tariffs |= {(one.tariff_id, one.version) for one in fresh}
        for first in range(0, len(fresh), TARIFFS_AT_ONCE):
            self._push(TariffsCommand(tariffs=fresh[first : first + TARIFFS_AT_ONCE]))

    def _push(self, command: Command) -> None:
        """Tell the site something that nobody waits for; it is told anew on every connection."""
        self._tell(self._t.ids.new("cmd"), command)

    def _tell(self, command_id: str, command: Command) -> None:
        self._pushed.asked[command_id] = command
        self._end.command(command_id, command)
        self._outgoing.set()

    async def _send(self, row: SiteCommandRow) -> None:
        if row.command_id in self._pushed.commands:
            return
        command = await self._t.sites.commands.take(row)
        if command is None:
            return
        if isinstance(command, StartCommand):
            await self._push_tariff_of(command)
        self._pushed.commands.add(row.command_id)
        self._tell(row.command_id, command)

    async def _push_tariff_of(self, start: StartCommand) -> None:
        """A tariff that a start names was pushed before it, even one published a moment ago."""
        named = (start.request.tariff_id, start.request.tariff_version)
        if named not in self._pushed.tariffs:
            host = self.connected.place.host_party_id
            tariff = await self._t.sites.connections.tariff(host, *named)
            self._push_tariffs([tariff] if tariff is not None else [])

    async def _note_results(self) -> None:
        """One after another, so that a site's answers never take more than one of the hub's connections."""
        while True:
            await self._note_result(*await self._results.get())

    async def _note_result(self, resulted: Resulted, command: Command) -> None:
        site_id, command_id = self.connected.place.site_id, resulted.command_id
        if isinstance(resulted.result, Refused):
            log.warning("site %s refused a command: %s", site_id, resulted.result.code)
            if resulted.result.code in UNDECIDED and isinstance(command, REPEATED):
                self._pushed.forget(command_id, command)
                return
        if command_id in self._pushed.commands:
            await self._t.sites.commands.note_result(site_id, command_id, resulted.result)


def _first(problems: BaseExceptionGroup[LinkProblem]) -> LinkProblem:
    one = problems.exceptions[0]
    return _first(one) if isinstance(one, BaseExceptionGroup) else one
