"""What travels on the pile bus, as values: reports of piles, commands of the agent, and what is neither.

Everything is a whole number: voltages and currents in tenths (`_dv`, `_da`), power in W, energy in Wh.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CARD_CHARACTERS_MOST: Final = 16


class PileState(StrEnum):
    """Where a pile is."""

    IDLE = "idle"
    PLUGGED = "plugged"
    STARTING = "starting"
    CHARGING = "charging"
    PAUSED = "paused"
    STOPPING = "stopping"
    FAULTED = "faulted"


class CommandResult(StrEnum):
    """What became of a command; all but NONE and ACCEPTED are refusals."""

    NONE = "none"
    ACCEPTED = "accepted"
    NOT_PLUGGED = "not_plugged"
    FAULTED = "faulted"
    BUSY = "busy"
    NOT_CHARGING = "not_charging"
    OUT_OF_RANGE = "out_of_range"
    NOT_ALLOWED = "not_allowed"


class StopCause(StrEnum):
    """Why the pile's last charge stopped; NONE while it has not."""

    NONE = "none"
    COMMANDED = "commanded"
    VEHICLE_FULL = "vehicle_full"
    VEHICLE_STOPPED = "vehicle_stopped"
    STOP_BUTTON = "stop_button"
    EMERGENCY_STOP = "emergency_stop"
    FAULT = "fault"
    UNPLUGGED = "unplugged"
    AGENT_SILENT = "agent_silent"


class PileFault(StrEnum):
    """What can be wrong with a pile: one bit each."""

    EMERGENCY_STOP = "emergency_stop"
    OVER_TEMPERATURE = "over_temperature"
    OVER_CURRENT = "over_current"
    OVER_VOLTAGE = "over_voltage"
    UNDER_VOLTAGE = "under_voltage"
    INSULATION = "insulation"
    LEAKAGE = "leakage"
    CONTACTOR_WELDED = "contactor_welded"
    CONNECTOR_LOCK = "connector_lock"
    COMMUNICATION = "communication"
    POWER_MODULE = "power_module"
    VEHICLE = "vehicle"
    METER = "meter"
    CABINET_OPEN = "cabinet_open"
    INTERNAL = "internal"


class Severity(StrEnum):
    """Of the worst fault: STOP stopped the charge, OUT_OF_SERVICE wants a person."""

    NONE = "none"
    WARNING = "warning"
    STOP = "stop"
    OUT_OF_SERVICE = "out_of_service"


class PileKind(StrEnum):
    """Alternating or direct current."""

    AC = "ac"
    DC = "dc"


class StopReason(StrEnum):
    """Why the agent stops a charge."""

    WANTED = "wanted"
    LIMIT_REACHED = "limit_reached"
    DANGER = "danger"


class LockAction(StrEnum):
    """What to do with the plug's lock."""

    UNLOCK = "unlock"
    LOCK = "lock"


# Reports: from a pile (`node`) to the agent.


@dataclass(frozen=True, slots=True)
class Status:
    """Where the pile is, and what became of the last command. `soc_percent` is None where no vehicle tells."""

    node: int
    state: PileState
    plugged: bool
    locked: bool
    contactor_closed: bool
    soc_percent: int | None
    last_sequence: int
    last_result: CommandResult
    stop_cause: StopCause


@dataclass(frozen=True, slots=True)
class Measure:
    """What flows now, positive into the vehicle."""

    node: int
    voltage_dv: int
    current_da: int
    power_w: int
    temperature_c: int | None


@dataclass(frozen=True, slots=True)
class Meter:
    """The pile's own count of energy: to hold the meter's against, never a base for a bill."""

    node: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong now; empty when nothing is."""

    node: int
    active: frozenset[PileFault]
    severity: Severity


@dataclass(frozen=True, slots=True)
class CardPart:
    """Up to seven characters of a card's number; `CardReader` puts parts together."""

    node: int
    tap: int
    part: int
    parts: int
    text: str


@dataclass(frozen=True, slots=True)
class Ability:
    """What the pile is and can."""

    node: int
    version: int
    kind: PileKind
    rated_power_w: int
    available_power_w: int


Report = Status | Measure | Meter | Faults | CardPart | Ability


@dataclass(frozen=True, slots=True)
class Card:
    """A card was shown at the reader: its whole number."""

    node: int
    number: str


# Commands: from the agent to a pile.


@dataclass(frozen=True, slots=True)
class Start:
    """Lock, close the contactor, charge; below `power_limit_w` where one is given."""

    power_limit_w: int | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Open the contactor."""

    reason: StopReason = StopReason.WANTED


@dataclass(frozen=True, slots=True)
class Limit:
    """Stay below this power; 0 pauses, None lifts the limit."""

    power_limit_w: int | None


@dataclass(frozen=True, slots=True)
class Lock:
    """Lock the plug, or let it go."""

    action: LockAction


Command = Start | Stop | Limit | Lock


@dataclass(frozen=True, slots=True)
class Commanded:
    """A command as it travels: to which pile, under which sequence (1 to 255)."""

    node: int
    sequence: int
    command: Command


class ProblemKind(StrEnum):
    """What is wrong with a frame; NOT_A_FRAME is what the line carried that is none of this bus at all."""

    NOT_A_FRAME = "not_a_frame"
    UNKNOWN_ID = "unknown_id"
    WRONG_NODE = "wrong_node"
    WRONG_LENGTH = "wrong_length"
    RESERVED_BITS = "reserved_bits"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_VALUE = "unknown_value"
    NOT_A_CARD = "not_a_card"


@dataclass(frozen=True, slots=True)
class BusProblem:
    """A frame that means nothing; `detail` names the signal or the length."""

    kind: ProblemKind
    can_id: int
    data: bytes
    detail: str = ""
