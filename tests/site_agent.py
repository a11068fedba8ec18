"""A small site for tests: a real agent's end of the edge link, with scripted piles behind it.

It spools, numbers, reconnects and obeys as an agent does, keeps nothing on disk, and charges at a constant
power on the business clock it is given. `running` has it live in a thread of its own.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from websockets.exceptions import WebSocketException

from operator_sdk.clock import Clock
from operator_sdk.contract.codes import (
    AuthorizationState,
    ConnectorState,
    SessionState,
    StopReason,
    TokenKind,
)
from operator_sdk.contract.edge_link import BATCH_ITEMS_MOST
from operator_sdk.contract.edge_link.agent_end import Acknowledged
from operator_sdk.contract.edge_link.frames import (
    AuthorizeAsk,
    Authorized,
    BillItem,
    BlacklistCommand,
    CheckCommand,
    CheckResult,
    Command,
    Done,
    FaultItem,
    HealthItem,
    Item,
    QueryCommand,
    QueryResult,
    Refused,
    ReleaseAsk,
    Result,
    StartCommand,
    StartResult,
    StatusItem,
    StopCommand,
    StopResult,
    Stream,
    TariffsCommand,
    UpdateItem,
    encode,
)
from operator_sdk.contract.messages.common import Target, Token
from operator_sdk.contract.messages.directory import ConnectorStatus, Tariff
from operator_sdk.contract.messages.roaming import (
    AuthorizeRequest,
    CheckConnectorReply,
    HostSession,
    HostStartReply,
    HostStartRequest,
    ReleaseRequest,
)
from operator_sdk.contract.pricing import Reading
from tests.edge_client import AgentLine, Gateway, Site, connected
from tests.site_charge import Charge

T = TypeVar("T")
UPDATE_EVERY = timedelta(seconds=20)
TICK_S = 0.03


@dataclass
class Spool:
    """A numbered stream: everything made, and how much of it is acknowledged."""

    items: list[bytes] = field(default_factory=list)
    acknowledged: int = 0


class SiteAgent:
    """The site. `silent_to` names commands that it hears and does not answer."""

    def __init__(self, gateway: Gateway, site: Site, clock: Clock, *, power_w: int = 60_000) -> None:
        self.gateway, self.site, self.clock, self.power_w = gateway, site, clock, power_w
        self.spools = {stream: Spool() for stream in Stream}
        self.charges: dict[str, Charge] = {}
        self.replies: dict[str, HostStartReply] = {}
        self.heard: list[Command] = []
        self.tariffs: dict[tuple[str, int], Tariff] = {}
        self.blacklist: BlacklistCommand | None = None
        self.faulted: set[str] = set()
        self.unplugged: set[str] = set()
        self.silent_to: set[type[Command]] = set()
        self.is_cut = False
        self._line: AgentLine | None = None
        self._meters = dict.fromkeys(site.connectors, 100_000)
        self._taps = 0

    # What a person does at the piles.

    async def tap(self, connector_id: str, card: str) -> dict[str, str | None]:
        """A card held to the reader: ends the charge that it began, or asks and begins one."""
        running = self._running(connector_id)
        if running is not None and running.card == card:
            self._end(running, StopReason.CARD)
            return {"outcome": "stopped", "session_id": running.session_id, "refusal": None}
        if running is not None:
            return {"outcome": "refused", "session_id": None, "refusal": "connector_busy"}
        self._taps += 1
        assert self._line is not None
        token = Token(kind=TokenKind.CARD, ref=card)
        request = AuthorizeRequest(
            authorization_ref=f"tap-{self._taps}", token=token, connector_id=connector_id
        )
        answered = await self._line.ask(f"tap-{self._taps}", AuthorizeAsk(request=request))
        if isinstance(answered.answer, Refused):
            return {"outcome": "refused", "session_id": None, "refusal": answered.answer.code}
        assert isinstance(answered.answer, Authorized)
        granted = answered.answer.authorization
        if granted.state != AuthorizationState.GRANTED:
            return {"outcome": "refused", "session_id": None, "refusal": granted.refusal}
        assert granted.session_id is not None
        assert granted.tariff is not None
        charge = self._begin(granted.session_id, connector_id, granted.tariff, granted.limit_fen, Target())
        charge.card = card
        return {"outcome": "started", "session_id": granted.session_id, "refusal": None}

    async def release(self, ask_id: str, authorization_id: str) -> object:
        """Give an authorization back."""
        assert self._line is not None
        ask = ReleaseAsk(request=ReleaseRequest(authorization_id=authorization_id, reason="start_failed"))
        return (await self._line.ask(ask_id, ask)).answer

    async def fault(self, connector_id: str, faulted: bool) -> None:
        """Break a pile, or repair it."""
        if faulted:
            self.faulted.add(connector_id)
        else:
            self.faulted.discard(connector_id)
        self._add(
            Stream.LIVE,
            FaultItem(
                code="contactor", at=self.clock.business(), connector_id=connector_id, cleared=not faulted
            ),
        )
        running = self._running(connector_id)
        if running is not None and faulted:
            self._end(running, StopReason.FAULT)
        self._say_state(connector_id)

    async def cut(self, is_cut: bool) -> None:
        """Cut the site from the network, or mend the line."""
        self.is_cut = is_cut
        if is_cut and self._line is not None:
            self._line.socket.transport.abort()

    # Living.

    async def run(self) -> None:
        """Charge, and stay connected, until cancelled."""
        charging = asyncio.create_task(self._charge())
        try:
            while True:
                if not self.is_cut:
                    with contextlib.suppress(OSError, WebSocketException, AssertionError):
                        async with connected(self.gateway, self.site, answering=self._answer) as line:
                            self._line = line
                            self._greet()
                            await self._drain(line)
                self._line = None
                await asyncio.sleep(TICK_S)
        finally:
            charging.cancel()
            await asyncio.gather(charging, return_exceptions=True)

    async def _charge(self) -> None:
        while True:
            now = self.clock.business()
            for charge in list(self.charges.values()):
                self._go_on(charge, now)
            await asyncio.sleep(TICK_S)

    async def _drain(self, line: AgentLine) -> None:
        while not line.is_closed:
            for event in line.events:
                if isinstance(event, Acknowledged):
                    spool = self.spools[event.stream]
                    spool.acknowledged = max(spool.acknowledged, event.number)
            for stream, spool in self.spools.items():
                first = line.end.next_number(stream)
                if first is not None and first <= len(spool.items):
                    line.end.offer(stream, first, spool.items[first - 1 :][:BATCH_ITEMS_MOST])
            await line.flush()
            await asyncio.sleep(TICK_S)

    def _greet(self) -> None:
        for connector in self.site.connectors:
            self._say_state(connector)
        waiting = sum(len(spool.items) - spool.acknowledged for spool in self.spools.values())
        self._add(
            Stream.LIVE,
            HealthItem(at=self.clock.business(), can_frames=1_000, meter_frames=200, spool_waiting=waiting),
        )

    def _answer(self, command: Command) -> Result | None:
        self.heard.append(command)
        result = self._obey(command)
        return None if type(command) in self.silent_to else result

    def _obey(self, command: Command) -> Result:
        match command:
            case StartCommand(request=request):
                return StartResult(reply=self._start(request))
            case StopCommand(session_id=session_id):
                return self._stop(session_id, command.reason)
            case QueryCommand(session_id=session_id):
                return QueryResult(session=self._query(session_id))
            case CheckCommand(connector_id=connector_id):
                reply = CheckConnectorReply(state=self._state(connector_id), at=self.clock.business())
                return CheckResult(reply=reply)
            case TariffsCommand(tariffs=tariffs):
                self.tariffs |= {(one.tariff_id, one.version): one for one in tariffs}
            case BlacklistCommand():
                self.blacklist = command
            case _:
                pass
        return Done()

    def _start(self, request: HostStartRequest) -> HostStartReply:
        known = self.replies.get(request.session_id)
        if known is not None:
            return known
        tariff = self.tariffs.get((request.tariff_id, request.tariff_version))
        refusal = None
        if request.connector_id in self.faulted:
            refusal = "connector_faulted"
        elif self._running(request.connector_id):
            refusal = "connector_busy"
        elif tariff is None:
            refusal = "tariff_unknown"
        reply = HostStartReply(accepted=refusal is None, refusal=refusal)
        if tariff is not None and refusal is None:
            self._begin(request.session_id, request.connector_id, tariff, request.limit_fen, request.target)
        self.replies[request.session_id] = reply
        return reply

    def _stop(self, session_id: str, reason: str) -> Result:
        charge = self.charges.get(session_id)
        if charge is None:
            self.replies[session_id] = HostStartReply(accepted=False, refusal="host_refused")
            return Refused(code="not_found")
        self._end(charge, reason)
        return StopResult(state=charge.state)

    def _query(self, session_id: str) -> HostSession:
        charge = self.charges.get(session_id)
        if charge is None:
            return HostSession(known=False)
        return HostSession(
            known=True,
            state=charge.state,
            last_number=charge.number,
            energy_wh=charge.energy_wh,
            stop_reason=charge.stop_reason,
        )

    def _begin(
        self, session_id: str, connector_id: str, tariff: Tariff, limit_fen: int | None, target: Target
    ) -> Charge:
        first = Reading(self.clock.business(), self._meters[connector_id])
        charge = Charge(session_id, connector_id, tariff, limit_fen, target, [first])
        self.charges[session_id] = charge
        if connector_id in self.unplugged:
            charge.state, charge.stop_reason = SessionState.START_FAILED, StopReason.UNPLUGGED
        else:
            charge.state = SessionState.CHARGING
        self._say(charge)
        return charge

    def _go_on(self, charge: Charge, now: datetime) -> None:
        while charge.state == SessionState.CHARGING and charge.readings[-1].at + UPDATE_EVERY <= now:
            at = charge.readings[-1].at + UPDATE_EVERY
            step_wh = self.power_w * (UPDATE_EVERY // timedelta(seconds=1)) // 3600
            reading = Reading(at, charge.readings[-1].meter_wh + step_wh)
            reason = charge.would_end(reading)
            if reason is not None:
                self._end(charge, reason)
                return
            charge.readings.append(reading)
            self._meters[charge.connector_id] = reading.meter_wh
            self._say(charge)

    def _end(self, charge: Charge, reason: str) -> None:
        if charge.state != SessionState.CHARGING:
            return
        last = charge.readings[-1]
        if len(charge.readings) == 1:  # a bill has a first and a last reading
            charge.readings.append(Reading(last.at + timedelta(seconds=1), last.meter_wh))
        charge.state, charge.stop_reason = SessionState.ENDED, reason
        self._say(charge)
        self._add(Stream.BILLS, BillItem(record=charge.bill()))

    def _say(self, charge: Charge) -> None:
        power = self.power_w if charge.state == SessionState.CHARGING else 0
        self._add(Stream.LIVE, UpdateItem(session_id=charge.session_id, update=charge.update(power)))
        if charge.number == 1 or charge.state != SessionState.CHARGING:
            self._say_state(charge.connector_id)

    def _say_state(self, connector_id: str) -> None:
        status = ConnectorStatus(
            connector_id=connector_id, state=self._state(connector_id), at=self.clock.business()
        )
        self._add(Stream.LIVE, StatusItem(status=status))

    def _state(self, connector_id: str) -> ConnectorState:
        if connector_id in self.faulted:
            return ConnectorState.FAULTED
        return ConnectorState.CHARGING if self._running(connector_id) else ConnectorState.AVAILABLE

    def _running(self, connector_id: str) -> Charge | None:
        mine = (one for one in self.charges.values() if one.connector_id == connector_id)
        return next((one for one in mine if one.state == SessionState.CHARGING), None)

    def _add(self, stream: Stream, item: Item) -> None:
        self.spools[stream].items.append(encode(item))


class Remote:
    """The site from another thread."""

    def __init__(self, agent: SiteAgent, loop: asyncio.AbstractEventLoop) -> None:
        self.agent, self._loop = agent, loop

    def tap(self, connector_id: str, card: str) -> dict[str, str | None]:
        return self._do(self.agent.tap(connector_id, card))

    def release(self, ask_id: str, authorization_id: str) -> object:
        return self._do(self.agent.release(ask_id, authorization_id))

    def fault(self, connector_id: str, *, faulted: bool) -> None:
        self._do(self.agent.fault(connector_id, faulted))

    def cut(self, *, is_cut: bool) -> None:
        self._do(self.agent.cut(is_cut))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)


@contextmanager
def running(agent: SiteAgent) -> Iterator[Remote]:
    """Have the site live in a thread while the block lasts."""
    loop = asyncio.new_event_loop()
    task: asyncio.Task[None] = loop.create_task(agent.run())

    def live() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        yield Remote(agent, loop)
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=20)
