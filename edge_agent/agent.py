"""The agent of one site: opens the buses and the meters, attends every connector, and reports."""

import asyncio
import logging
import secrets
import sys
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from edge_agent import session
from edge_agent.attendant import Attendant
from edge_agent.charge import Charge
from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus_messages import BusProblem, Card
from edge_agent.desk import Desk
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.pile_bus import BusBack, BusEvent, BusLost, PileBus
from edge_agent.keeper import Keeper
from edge_agent.local import Cards
from edge_agent.metering import MeterWatch
from edge_agent.safety import limits_of
from edge_agent.session import Moment, Rules, StopAsked, Tick
from edge_agent.settings import CanTable, PileSettings, Settings
from edge_agent.spool import Mismatch, Spool
from edge_agent.store import Store, StoreFull, Written
from edge_agent.uplink import Ears, Home, Uplink
from operator_sdk.contract.codes import StopReason
from operator_sdk.contract.edge_link.frames import Answer, FaultItem, HealthItem, Item, UpdateItem

log = logging.getLogger("interpile.edge")

COUNT_EVERY_S, RETRY_S = 5, 2
STATES_S_LEAST = 0.5
STOP_MS = 200
"""How long energy may flow on after the reading that stops it."""

ATTEMPTS = 2
"""How often a meter is asked in one poll."""

BusName = tuple[str, str, int | None]
Work = Callable[[], Coroutine[None, None, None]]
"""Goes on until it is cancelled, or fails."""


class Agent:
    """Everything of one site, wired."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._store = Store(settings.database, new_spool_id=secrets.token_hex(16))
        self._spool = Spool(self._store)
        self._counted = {name: int(self._store.meta(name) or "0") for name in ("can_frames", "meter_frames")}
        self._keeper = Keeper(self._store, clock, written=self._written, on_full=self._disk_full)
        self._buses = {
            name: pile_bus(settings, name, partial(self._heard, name))
            for name in dict.fromkeys(bus_name(pile.can) for pile in settings.piles)
        }
        self._lines = self._meter_lines()
        self._attendants = {pile.connector_id: self._attendant(pile) for pile in settings.piles}
        desk = Desk(settings.site.site_id, self._attendants, self._keeper, clock, settings.site.start_wait_s)
        self._uplink = Uplink(self._home(), self._spool, self._ears(desk))
        self._cards = Cards(self._keeper, self._uplink, clock, desk.opening)
        self._failed: set[str] = set()

    async def run(self) -> None:
        """Run until cancelled. Charges go on at their piles; everything is kept.

        Raises:
            BusUnusable: a bus that can never be opened as the file describes it.
        """
        try:
            for bus in self._buses.values():
                await bus.open()
            self._resume()
            log.info("site %s runs with %d piles", self._settings.site.site_id, len(self._attendants))
            async with asyncio.TaskGroup() as tasks:
                for name, attendant in self._attendants.items():
                    again = partial(self._attend_again, attendant)
                    tasks.create_task(kept_going(f"attendant of {name}", attendant.run, again))
                for name, work in self._works().items():
                    tasks.create_task(kept_going(name, work, partial(self._work_again, name, work)))
        finally:
            await self._close()

    async def _close(self) -> None:
        for line in self._lines.values():
            await line.close()
        for bus in self._buses.values():
            await bus.close()
        try:
            self._keep_counts()
        except StoreFull as problem:
            log.warning("frame counts not kept: %s", problem)
        self._store.close()
        log.info("site %s stopped", self._settings.site.site_id)

    # Wiring.

    def _meter_lines(self) -> dict[str, MeterLine]:
        meters = {pile.meter.port: pile.meter for pile in self._settings.piles}
        return {
            port: MeterLine(port=port, baud=meter.baud, parity=meter.parity, attempts=ATTEMPTS)
            for port, meter in meters.items()
        }

    def _attendant(self, pile: PileSettings) -> Attendant:
        site = self._settings.site
        rules = Rules(
            look_ahead_ms=(pile.meter.poll_ms + STOP_MS) * self._clock.speed,
            update_every=timedelta(seconds=site.updates_every_s),
            charge_most=timedelta(seconds=pile.safety.charge_s_most),
            start_wait=timedelta(seconds=site.start_wait_s),
            stop_wait=timedelta(seconds=site.stop_wait_s),
        )
        return Attendant(
            pile,
            bus=self._buses[bus_name(pile.can)],
            meter=MeterWatch(pile, self._lines[pile.meter.port], self._clock),
            keeper=self._keeper,
            clock=self._clock,
            rules=rules,
            limits=limits_of(pile, self._clock.speed),
            open_faults=[code for connector, code in self._store.faults() if connector == pile.connector_id],
        )

    def _home(self) -> Home:
        gateway, site = self._settings.gateway, self._settings.site
        return Home(
            url=gateway.url,
            site_id=site.site_id,
            key=self._settings.key,
            gateway_id=gateway.id,
            gateway_key=self._settings.gateway_key,
            connectors=tuple(self._attendants),
            ca_file=self._settings.ca_file,
            version=agent_version(),
        )

    def _ears(self, desk: Desk) -> Ears:
        return Ears(
            commanded=desk.commanded,
            answered_late=self._answered_late,
            opened=self._opened,
            lost=self._lost,
            superseded=self._superseded,
            mismatched=self._mismatched,
        )

    # What happens.

    def _written(self) -> None:
        self._uplink.wake()

    def _answered_late(self, ask_id: str, answer: Answer) -> None:
        self._cards.answered_late(ask_id, answer)

    def _heard(self, name: BusName, event: BusEvent) -> None:
        match event:
            case BusLost():
                log.warning("bus %s %s is gone: %s", name[0], name[1], event.reason)
            case BusBack():
                log.info("bus %s %s is back", name[0], name[1])
            case BusProblem():
                log.debug("bus %s %s: %s", name[0], name[1], event)
            case _:
                attendant = self._attendant_at(name, event.node)
                if attendant is not None and isinstance(event, Card):
                    self._cards.shown(attendant, event.number)
                elif attendant is not None:
                    attendant.look()

    def _attendant_at(self, name: BusName, node: int) -> Attendant | None:
        for attendant in self._attendants.values():
            if attendant.pile.can.node == node and bus_name(attendant.pile.can) == name:
                return attendant
        return None

    def _resume(self) -> None:
        for charge in self._store.open_charges():
            attendant = self._attendants.get(charge.connector_id)
            if attendant is not None and attendant.charge is None:
                attendant.resume(charge)
            else:
                self._abandon(charge)

    async def _attend_again(self, attendant: Attendant) -> None:
        await asyncio.sleep(RETRY_S)
        if not self._keeper.is_full:
            charges = (one for one in self._store.open_charges() if one.connector_id == attendant.connector_id)
            attendant.begin_again(next(charges, None))
        await attendant.run()

    def _abandon(self, charge: Charge) -> None:
        """A charge at a pile that the file no longer names ends where it was last seen."""
        log.error("%s has no pile %s any more", charge.session_id, charge.connector_id)
        at = Moment(self._clock.business(), self._clock.wall())
        rules = Rules(
            look_ahead_ms=0,
            update_every=timedelta(0),
            charge_most=timedelta(days=1),
            start_wait=timedelta(0),
            stop_wait=timedelta(0),
        )
        for event in (
            StopAsked(at=at, reason=StopReason.UNKNOWN),
            Tick(at=at, is_pile_silent=True, is_meter_silent=True),
        ):
            step = session.step(charge, event, rules)
            charge = step.charge
            updates = [UpdateItem(session_id=charge.session_id, update=update) for update in step.updates]
            self._keeper.keep(Written(at=at.business, charge=charge, live=updates, bill=step.bill))

    def _disk_full(self) -> None:
        for attendant in self._attendants.values():
            attendant.tell(StopAsked(at=attendant.moment(), reason=StopReason.FAULT))

    def _opened(self) -> None:
        log.info("linked to %s", self._settings.gateway.id)
        self._note_link("up")
        # The states that waited here may have outlived their time at the other end.
        self._report_states()

    def _lost(self, reason: str) -> None:
        log.warning("no link to %s: %s", self._settings.gateway.id, reason)
        self._note_link("down", reason)

    def _note_link(self, state: str, reason: str = "") -> None:
        try:
            self._store.put_meta(link=state, link_reason=reason, link_at=self._clock.wall().isoformat())
        except StoreFull as problem:
            log.debug("link state not kept: %s", problem)

    def _superseded(self) -> None:
        log.error("somebody else reports as site %s: is its key used twice?", self._settings.site.site_id)
        self._alarm("superseded")

    def _mismatched(self, mismatch: Mismatch) -> None:
        self._alarm(mismatch)

    def _alarm(self, code: str, text: str = "") -> None:
        """Something happened that a person should look into; it does not last."""
        at = self._clock.business()
        self._keep(FaultItem(code=code, at=at, text=text), FaultItem(code=code, at=at, cleared=True))

    def _keep(self, *items: Item) -> None:
        if not self._keeper.is_full:
            self._keeper.keep(Written(at=self._clock.business(), live=items))

    # What goes on all the time.

    def _works(self) -> dict[str, Work]:
        site = self._settings.site
        states_s = self._clock.wall_for(timedelta(seconds=site.status_every_s)).total_seconds()
        return {
            "link": self._uplink.run,
            "cards": self._cards.run,
            "states": partial(_every, max(states_s, STATES_S_LEAST), self._report_states),
            "health": partial(_every, site.health_every_s, self._report_health),
            "counts": partial(_every, COUNT_EVERY_S, self._count),
            "keeper": partial(_every, RETRY_S, self._keeper.retry),
        }

    async def _work_again(self, name: str, work: Work) -> None:
        await asyncio.sleep(RETRY_S)
        if name not in self._failed:
            self._failed.add(name)
            self._alarm("agent_failed", name)
        await work()

    def _report_states(self) -> None:
        """Said again while somebody hears it; what changes meanwhile is kept as it changes."""
        if self._uplink.is_open:
            self._keep(*(one.status_item() for one in self._attendants.values() if one.seen.is_set()))

    def _report_health(self) -> None:
        self._tidy()
        if not self._uplink.is_open:
            return
        try:
            waiting = self._spool.waiting()
        except StoreFull as problem:
            log.warning("health not told: %s", problem)
            return
        self._keep(
            HealthItem(
                at=self._clock.business(),
                can_frames=self._frames()["can_frames"],
                meter_frames=self._frames()["meter_frames"],
                spool_waiting=waiting.live + waiting.bills,
                version=agent_version(),
            )
        )

    def _tidy(self) -> None:
        try:
            self._store.forget_before(self._clock.business())
            if dropped := self._spool.thin(self._settings.site.spool_items_most):
                log.error("the spool is over its quota: %d items dropped, no bill among them", dropped)
        except StoreFull as problem:
            log.warning("nothing forgotten: %s", problem)

    def _count(self) -> None:
        try:
            self._keep_counts()
        except StoreFull as problem:
            log.debug("frame counts not kept: %s", problem)

    def _keep_counts(self) -> None:
        self._store.put_meta(**self._frames())

    def _frames(self) -> Mapping[str, int]:
        return {
            "can_frames": self._counted["can_frames"] + sum(bus.frames for bus in self._buses.values()),
            "meter_frames": self._counted["meter_frames"] + sum(line.frames for line in self._lines.values()),
        }


async def kept_going(name: str, begin: Work, begin_again: Work) -> None:
    """Work for ever. What fails begins again, and nothing else notices."""
    work = begin
    while True:
        (problem,) = await asyncio.gather(work(), return_exceptions=True)
        log.error("%s failed and begins again", name, exc_info=problem)
        work = begin_again


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        work()


def bus_name(can: CanTable) -> BusName:
    """What tells one bus from another."""
    return can.interface, can.channel, can.port


def pile_bus(settings: Settings, name: BusName, on_event: Callable[[BusEvent], None]) -> PileBus:
    """A bus with the piles that the file puts on it, not yet open."""
    piles = [pile for pile in settings.piles if bus_name(pile.can) == name]
    one = piles[0].can
    options = dict(one.options)
    if one.port is not None:
        options["port"] = one.port
    if one.bitrate is not None:
        options["bitrate"] = one.bitrate
    return PileBus(
        interface=one.interface,
        channel=one.channel,
        nodes=[pile.can.node for pile in piles],
        lost_after_s=min(pile.safety.pile_silent_ms for pile in piles) / 1000,
        on_event=on_event,
        **options,
    )


def agent_version() -> str:
    """What the agent calls itself."""
    try:
        return f"interpile {version('interpile')} python {sys.version_info.major}.{sys.version_info.minor}"
    except PackageNotFoundError:
        return "interpile"
