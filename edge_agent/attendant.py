"""Attends one connector: hears its pile and its meter, and does what the session machine says.

One task takes one thing after the other, so that no two steps of a charge cross. A STOP leaves on the bus
before anything is written; a START leaves after it is written.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge_agent import session
from edge_agent.charge import Charge
from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus_messages import Command, PileState, Start, Status, Stop
from edge_agent.codecs.pile_bus_messages import StopReason as BusReason
from edge_agent.drivers.pile_bus import BusError, PileBus, PileView
from edge_agent.keeper import Keeper
from edge_agent.lease import Lease
from edge_agent.metering import MeterWatch
from edge_agent.pile_words import flow_of, pile_said
from edge_agent.safety import Facts, Limits, dangers
from edge_agent.session import (
    Event,
    Flow,
    MeterSaid,
    Moment,
    Order,
    Rules,
    StartAnswered,
    StopAsked,
    Tick,
)
from edge_agent.settings import PileSettings
from edge_agent.store import Written
from operator_sdk.contract.codes import ConnectorState, SessionState, StopReason
from operator_sdk.contract.edge_link.frames import FaultItem, Item, StatusItem, UpdateItem
from operator_sdk.contract.messages.directory import ConnectorStatus
from operator_sdk.contract.messages.roaming import ReleaseRequest
from operator_sdk.contract.public_codes import Code

log = logging.getLogger("interpile.edge.connector")

LOOK_S = 0.5
"""How often it looks when nothing happens."""

ORPHAN_AFTER = timedelta(seconds=3)
BUS_REASONS = {StopReason.LIMIT_REACHED: BusReason.LIMIT_REACHED, StopReason.FAULT: BusReason.DANGER}


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What meter and pile counted when both were first seen in a charge."""

    meter_wh: int
    pile_wh: int


class Attendant:
    """One connector. `open_faults`: what was reported and is not cleared.

    `seen` is set once the pile was heard or is known to be silent: before that nobody can say how it is.
    """

    def __init__(
        self,
        pile: PileSettings,
        *,
        bus: PileBus,
        meter: MeterWatch,
        keeper: Keeper,
        clock: Clock,
        rules: Rules,
        limits: Limits,
        open_faults: Sequence[str] = (),
    ) -> None:
        self.pile, self.connector_id = pile, pile.connector_id
        self.charge: Charge | None = None
        self.is_reserved = False
        self.seen = asyncio.Event()
        self.meter = meter
        self._bus, self._keeper, self._clock = bus, keeper, clock
        self._rules, self._limits = rules, limits
        self._lease = Lease(bus, pile.can.node)
        self._inbox: deque[tuple[Event, asyncio.Future[None] | None]] = deque()
        self._kick = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open_faults = set(open_faults)
        self._found: dict[str, StopReason | None] = {}
        self._reported: ConnectorState | None = None
        self._is_metered = False
        self._baseline: _Baseline | None = None
        self._orphan_since: datetime | None = None
        self._orphan_stopped_at: datetime | None = None
        self._is_restless = False

    def moment(self) -> Moment:
        """Now."""
        return Moment(self._clock.business(), self._clock.wall())

    @property
    def view(self) -> PileView:
        """What the pile last said."""
        return self._bus.view(self.pile.can.node)

    @property
    def state(self) -> ConnectorState:
        """What the world is told of the connector."""
        status = self.view.status
        if status is None or self.view.is_lost:
            return ConnectorState.OFFLINE
        if status.state is PileState.FAULTED or any(self._found.values()):
            return ConnectorState.FAULTED
        if self.charge is not None:
            return ConnectorState.CHARGING
        if self.is_reserved:
            return ConnectorState.RESERVED
        return ConnectorState.OCCUPIED if status.plugged else ConnectorState.AVAILABLE

    def objection(self) -> Code | None:
        """Why no charge can start here now."""
        if self._keeper.is_full:
            return Code.CONNECTOR_OFFLINE
        return {
            ConnectorState.OFFLINE: Code.CONNECTOR_OFFLINE,
            ConnectorState.FAULTED: Code.CONNECTOR_FAULTED,
            ConnectorState.CHARGING: Code.CONNECTOR_BUSY,
            ConnectorState.RESERVED: Code.CONNECTOR_BUSY,
        }.get(self.state)

    def begin(self, charge: Charge) -> None:
        """Take up a charge that was just kept."""
        assert self.charge is None
        self.charge = charge
        log.info("%s: %s starts", self.connector_id, charge.session_id)
        self.meter.hurry()
        self._kick.set()

    def resume(self, charge: Charge) -> None:
        """Take up a charge that was open before a restart."""
        self._is_metered = False
        self.charge = session.resume(charge, self.moment(), self._rules)
        if charge.last is not None:
            self.meter.begin_from(charge.last.meter_wh, charge.last.at)
        log.info("%s: %s goes on from %s", self.connector_id, charge.session_id, charge.state)

    def begin_again(self, kept: Charge | None) -> None:
        """After a failure of its own: from what was kept, as after a restart of the agent."""
        code = "attendant_failed"
        if code not in self._open_faults:
            self._open_faults.add(code)
            at = self._clock.business()
            self._keeper.keep(
                Written(at=at, live=[FaultItem(code=code, at=at, connector_id=self.connector_id)])
            )
        self.charge = None
        if kept is not None:
            self.resume(kept)

    def look(self) -> None:
        """Something may have changed."""
        self._kick.set()

    def tell(self, event: Event) -> None:
        """Something happened."""
        self._inbox.append((event, None))
        self._kick.set()

    async def told(self, event: Event) -> None:
        """Something happened; returns when it has had its effect."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inbox.append((event, done))
        self._kick.set()
        await done

    async def command(self, command: Command) -> Status:
        """Tell the pile something that has nothing to do with a charge.

        Raises:
            BusError: it refuses, is silent, or the bus is gone.
        """
        return await self._bus.command(self.pile.can.node, command)

    def status_item(self) -> StatusItem:
        """The connector's state as of now."""
        return StatusItem(
            status=ConnectorStatus(connector_id=self.connector_id, state=self.state, at=self._clock.business())
        )

    async def run(self) -> None:
        """Attend until cancelled; the pile goes on by itself."""
        metering = asyncio.create_task(self.meter.run(self._metered))
        try:
            while True:
                self._kick.clear()
                while self._inbox:
                    await self._take_next()
                await self._look()
                await self._wait()
        finally:
            metering.cancel()
            for task in self._tasks:
                task.cancel()

    async def _take_next(self) -> None:
        event, done = self._inbox.popleft()
        try:
            await self._take(event)
        finally:
            # Whoever waits looks at what became of the charge, and may have given up.
            if done is not None and not done.done():
                done.set_result(None)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._kick.wait()
        except TimeoutError:
            return

    def _metered(self, said: MeterSaid | None) -> None:
        if said is not None:
            self._inbox.append((said, None))
        self._kick.set()

    async def _take(self, event: Event) -> None:
        if self.charge is None:
            return
        self._is_metered |= isinstance(event, MeterSaid)
        before = self.charge
        step = session.step(before, event, self._rules)
        self.charge = step.charge if step.charge.is_open else None
        if Order.STOP in step.orders:
            self._spawn(self._stop(step.charge.stop_reason or StopReason.UNKNOWN))
            # The task gets to the bus before anything here can wait for the disk.
            await asyncio.sleep(0)
        if step.keep:
            self._keeper.keep(self._written(step))
        if Order.START in step.orders:
            self._start()
        if step.charge.state is not before.state:
            self._changed(step.charge)

    def _written(self, step: session.Step) -> Written:
        charge = step.charge
        release = None
        if charge.state is SessionState.START_FAILED and charge.card is not None:
            release = ReleaseRequest(authorization_id=charge.authorization_id, reason="start_failed")
        return Written(
            at=self._clock.business(),
            charge=charge,
            live=[UpdateItem(session_id=charge.session_id, update=update) for update in step.updates],
            bill=step.bill,
            release=release,
        )

    def _changed(self, charge: Charge) -> None:
        self._baseline = None
        log.info(
            "%s: %s %s %d Wh %d fen %s",
            self.connector_id,
            charge.session_id,
            charge.state,
            charge.energy_wh,
            charge.amount_fen,
            charge.stop_reason or "",
        )
        self.meter.hurry()

    def _start(self) -> None:
        if self._keeper.is_full:
            # What is not kept must not begin.
            self.tell(StopAsked(at=self.moment(), reason=StopReason.FAULT))
        else:
            self._spawn(self._start_pile())

    async def _start_pile(self) -> None:
        is_taken = True
        try:
            await self._bus.command(self.pile.can.node, Start())
        except BusError as problem:
            log.warning("%s: no start: %s", self.connector_id, problem)
            is_taken = False
        self.tell(StartAnswered(at=self.moment(), is_taken=is_taken))

    async def _stop(self, reason: StopReason) -> None:
        try:
            await self._bus.command(self.pile.can.node, Stop(BUS_REASONS.get(reason, BusReason.WANTED)))
        except BusError as problem:
            log.warning("%s: stop not confirmed: %s", self.connector_id, problem)
        self._kick.set()

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self) -> None:
        """Everything that can be seen now: dangers first, then the pile's word, then time."""
        at, view = self.moment(), self.view
        if view.status is not None or view.is_lost:
            self.seen.set()
        self._found = dangers(self._limits, self._facts(view))
        reason = next(filter(None, self._found.values()), None)
        if reason is not None:
            await self._take(StopAsked(at=at, reason=reason))
        if view.status is not None and not view.is_lost:
            await self._take(pile_said(view.status, view.measure, at))
            self._orphaned(view.status, at)
        await self._take(
            Tick(
                at=at,
                is_pile_silent=view.is_lost,
                is_meter_silent=self.meter.missed > 1 or self.meter.fault is not None,
            )
        )
        self._hurry_when_still()
        self._report(at)
        # Last of all: an attendant that fails before it comes here holds no charge.
        if self._lease.is_due(self.charge):
            self._spawn(self._lease.renew())

    def _hurry_when_still(self) -> None:
        """The last reading of a charge is wanted at once, and so is the first when the plug is in."""
        charge = self.charge
        restless = charge is not None and (
            charge.still_since is not None
            or (charge.state is SessionState.STARTING and charge.is_plugged and not charge.is_start_sent)
        )
        if restless and not self._is_restless:
            self.meter.hurry()
        self._is_restless = restless

    def _facts(self, view: PileView) -> Facts:
        by_meter_wh = by_pile_wh = None
        # What was read before a restart and what the pile counts now are apart in time.
        if self.charge is not None and self.charge.last and self._is_metered and view.meter is not None:
            now = _Baseline(self.charge.last.meter_wh, view.meter.energy_wh)
            base = self._baseline = self._baseline or now
            by_meter_wh, by_pile_wh = now.meter_wh - base.meter_wh, now.pile_wh - base.pile_wh
        return Facts(
            measure=view.measure,
            faults=view.faults,
            is_pile_silent=view.is_lost or view.is_stale,
            meter_fault=self.meter.fault,
            polls_unanswered=self.meter.missed,
            by_meter_wh=by_meter_wh,
            by_pile_wh=by_pile_wh,
        )

    def _orphaned(self, status: Status, at: Moment) -> None:
        """A pile that charges for nobody is stopped."""
        if self.charge is not None or flow_of(status) in {Flow.STILL, Flow.STOPPING}:
            self._orphan_since = None
            return
        since = self._orphan_since = self._orphan_since or at.wall
        if at.wall - since < ORPHAN_AFTER:
            return
        self._found["charging_without_session"] = None
        stopped_at = self._orphan_stopped_at
        if stopped_at is None or at.wall - stopped_at >= ORPHAN_AFTER:
            self._orphan_stopped_at = at.wall
            self._spawn(self._stop(StopReason.UNKNOWN))

    def _report(self, at: Moment) -> None:
        """Faults and states as they change. A fault is cleared once it is gone and no charge runs."""
        if self._keeper.is_full:
            return
        items: list[Item] = [
            FaultItem(code=code, at=at.business, connector_id=self.connector_id)
            for code in sorted(self._found.keys() - self._open_faults)
        ]
        self._open_faults |= self._found.keys()
        if self.charge is None:
            gone = self._open_faults - self._found.keys()
            items += [
                FaultItem(code=code, at=at.business, connector_id=self.connector_id, cleared=True)
                for code in sorted(gone)
            ]
            self._open_faults -= gone
        state = self.state
        if state is not self._reported and self.seen.is_set():
            self._reported = state
            items.append(self.status_item())
        if items:
            log.info("%s: %s %s", self.connector_id, state, " ".join(sorted(self._open_faults)))
            self._keeper.keep(Written(at=at.business, live=items))
