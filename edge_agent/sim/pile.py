"""A simulated pile's controller: commands and people change its state, time lets energy flow. Sends nothing.

Times are business time, given from outside; `advance` is called before anything is asked or done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from edge_agent.codecs.pile_bus_messages import (
    Ability,
    Command,
    CommandResult,
    Faults,
    Limit,
    Lock,
    LockAction,
    Measure,
    Meter,
    PileFault,
    PileState,
    Severity,
    Start,
    Status,
    Stop,
    StopCause,
)
from edge_agent.sim.vehicle import Charger, flow, plug_in, power_w

VERSION: Final = 1
START_TAKES: Final = timedelta(seconds=3)
STOP_TAKES: Final = timedelta(seconds=1)
COLD_C, WARMER_C, HOT_C = 25, 40, 95
MS: Final = timedelta(milliseconds=1)
CHARGE: Final = frozenset({PileState.STARTING, PileState.CHARGING, PileState.PAUSED})
CLOSED: Final = frozenset({PileState.CHARGING, PileState.PAUSED})
_SEVERITIES: Final = tuple(Severity)
_SEVERITY: Final = {
    PileFault.CABINET_OPEN: Severity.WARNING,
    PileFault.INSULATION: Severity.OUT_OF_SERVICE,
    PileFault.LEAKAGE: Severity.OUT_OF_SERVICE,
    PileFault.CONTACTOR_WELDED: Severity.OUT_OF_SERVICE,
    PileFault.INTERNAL: Severity.OUT_OF_SERVICE,
}
"""All others stop the charge."""


@dataclass(kw_only=True)
class PileController:
    """One pile with one connector. `refuses_starts` is a switch for whoever tries things out."""

    node: int
    charger: Charger
    now: datetime
    state: PileState = PileState.IDLE
    locked: bool = False
    faults: set[PileFault] = field(default_factory=set)
    last_sequence: int = 0
    last_result: CommandResult = CommandResult.NONE
    stop_cause: StopCause = StopCause.NONE
    refuses_starts: bool = False
    commands_taken: int = 0
    _is_unwanted: bool = False
    _plugged: bool = False
    _next_at: datetime | None = None

    # What time does.

    def advance(self, now: datetime) -> None:
        """Let time pass until then; a clock that steps back stands still here."""
        while self.now < now:
            until = now if self._next_at is None else min(now, self._next_at)
            if self.state is PileState.CHARGING:
                flow(self.charger, (until - self.now) // MS)
            self.now = until
            if self.state is PileState.CHARGING and self.charger.is_full:
                self._stop(StopCause.VEHICLE_FULL)
            if self._next_at is not None and self.now >= self._next_at:
                self._step()

    def _step(self) -> None:
        self._next_at = None
        if self.state is PileState.STARTING:
            self._flow_or_pause()
        elif self.state is PileState.STOPPING:
            self.state, self.locked = PileState.PLUGGED, False

    # What the agent does.

    def take(self, sequence: int, command: Command) -> None:
        """Do it or refuse it; one that was taken already is only answered again."""
        if sequence == self.last_sequence:
            return
        self.commands_taken += 1
        self.last_sequence = sequence
        match command:
            case Start():
                self.last_result = self._start(command)
            case Stop():
                self._stop(StopCause.COMMANDED)
                self.last_result = CommandResult.ACCEPTED
            case Limit():
                self.last_result = self._limit(command)
            case Lock():
                self.last_result = self._lock(command)

    def _start(self, command: Start) -> CommandResult:
        refusals: tuple[tuple[bool, CommandResult], ...] = (
            (self.refuses_starts, CommandResult.NOT_ALLOWED),
            (self.state is PileState.FAULTED, CommandResult.FAULTED),
            (not self._plugged, CommandResult.NOT_PLUGGED),
            (self.state is not PileState.PLUGGED, CommandResult.BUSY),
        )
        for refused, why in refusals:
            if refused:
                return why
        self.state, self.locked, self.stop_cause = PileState.STARTING, True, StopCause.NONE
        self._is_unwanted = False
        self.charger.limit_w, self.charger.on_ms = command.power_limit_w, 0
        self._next_at = self.now + START_TAKES
        return CommandResult.ACCEPTED

    def _limit(self, command: Limit) -> CommandResult:
        if self.state not in CHARGE:
            return CommandResult.NOT_CHARGING
        self.charger.limit_w = command.power_limit_w
        if self.state in CLOSED:
            self._flow_or_pause()
        return CommandResult.ACCEPTED

    def _flow_or_pause(self) -> None:
        is_paused = self._is_unwanted or self.charger.limit_w == 0
        self.state = PileState.PAUSED if is_paused else PileState.CHARGING

    def _lock(self, command: Lock) -> CommandResult:
        if self.state in CHARGE:
            return CommandResult.BUSY
        if not self._plugged:
            return CommandResult.NOT_PLUGGED
        self.locked = command.action is LockAction.LOCK
        return CommandResult.ACCEPTED

    def _stop(self, cause: StopCause) -> None:
        """The contactor opens at once; what follows takes a moment."""
        if self.state in CHARGE:
            self.state, self.stop_cause = PileState.STOPPING, cause
            self._next_at = self.now + STOP_TAKES

    def miss_agent(self) -> None:
        """Nobody has watched over the charge for too long."""
        self._stop(StopCause.AGENT_SILENT)

    # What people and bad luck do.

    def plug(self, soc_percent: int | None = None) -> None:
        """A fresh vehicle comes, with as much in its battery; nothing happens where one is."""
        if self._plugged:
            return
        self._plugged = True
        plug_in(self.charger)
        if soc_percent is not None:
            self.charger.battery_wms = self.charger.capacity_wms * soc_percent // 100
        self._rest()

    def unplug(self) -> None:
        """The vehicle goes, lock or no lock."""
        self._stop(StopCause.UNPLUGGED)
        self._plugged = self.locked = False
        self._rest()

    def press_stop(self) -> None:
        """The stop button at the pile."""
        self._stop(StopCause.STOP_BUTTON)

    def fail(self, fault: PileFault) -> None:
        """Something breaks; all but warnings stop the charge."""
        self.faults.add(fault)
        if self.severity in {Severity.NONE, Severity.WARNING}:
            return
        is_button = fault is PileFault.EMERGENCY_STOP
        self._stop(StopCause.EMERGENCY_STOP if is_button else StopCause.FAULT)
        self.state, self._next_at = PileState.FAULTED, None

    def fail_unnoticed(self, fault: PileFault) -> None:
        """Something breaks, is reported, and the controller does nothing about it."""
        self.faults.add(fault)

    def clear(self) -> None:
        """All faults are mended."""
        self.faults.clear()
        self.locked = False
        if self.state is PileState.FAULTED:
            self._rest()

    def pause(self) -> None:
        """The vehicle wants no energy for a while."""
        if self.state in CLOSED:
            self._is_unwanted = True
            self._flow_or_pause()

    def go_on(self) -> None:
        """The vehicle wants energy again, as far as the limit lets it."""
        if self.state in CLOSED:
            self._is_unwanted = False
            self._flow_or_pause()

    def fill(self) -> None:
        """The battery is full from now on."""
        self.charger.battery_wms = self.charger.capacity_wms
        if self.state is PileState.CHARGING:
            self._stop(StopCause.VEHICLE_FULL)

    def _rest(self) -> None:
        self._next_at = None
        if self.severity in {Severity.NONE, Severity.WARNING}:
            self.state = PileState.PLUGGED if self._plugged else PileState.IDLE

    # What it says.

    @property
    def severity(self) -> Severity:
        """Of its worst fault."""
        present = [_SEVERITY.get(fault, Severity.STOP) for fault in self.faults]
        return max(present, key=_SEVERITIES.index, default=Severity.NONE)

    @property
    def power_w(self) -> int:
        """What flows now."""
        return power_w(self.charger) if self.state is PileState.CHARGING else 0

    @property
    def voltage_dv(self) -> int:
        """At the connector; none while the contactor is open."""
        return self.charger.voltage_dv if self.state in CLOSED else 0

    @property
    def current_ma(self) -> int:
        """What flows now, cut to whole mA."""
        return self.power_w * 10_000 // self.voltage_dv if self.voltage_dv else 0

    def status(self) -> Status:
        """STATUS."""
        return Status(
            node=self.node,
            state=self.state,
            plugged=self._plugged,
            locked=self.locked,
            contactor_closed=self.state in CLOSED or PileFault.CONTACTOR_WELDED in self.faults,
            soc_percent=self.charger.soc_percent if self._plugged and self.charger.kind == "dc" else None,
            last_sequence=self.last_sequence,
            last_result=self.last_result,
            stop_cause=self.stop_cause,
        )

    def measure(self) -> Measure:
        """MEASURE."""
        warmth = COLD_C + WARMER_C * self.power_w // self.charger.rated_power_w
        is_hot = PileFault.OVER_TEMPERATURE in self.faults
        return Measure(
            node=self.node,
            voltage_dv=self.voltage_dv,
            current_da=self.current_ma // 100,
            power_w=self.power_w,
            temperature_c=HOT_C if is_hot else warmth,
        )

    def meter(self) -> Meter:
        """METER."""
        return Meter(self.node, self.charger.meter_wh)

    def failed(self) -> Faults:
        """FAULTS."""
        return Faults(self.node, frozenset(self.faults), self.severity)

    def ability(self) -> Ability:
        """ABILITY: half the modules are gone when one fails."""
        rated = self.charger.rated_power_w
        available = rated // 2 if PileFault.POWER_MODULE in self.faults else rated
        return Ability(self.node, VERSION, self.charger.kind, rated, available)


REPORTS: Final[
    tuple[tuple[type, Callable[[PileController], Status | Measure | Meter | Faults | Ability]], ...]
] = (
    (Status, PileController.status),
    (Measure, PileController.measure),
    (Meter, PileController.meter),
    (Faults, PileController.failed),
    (Ability, PileController.ability),
)
"""What a pile says without being asked."""
