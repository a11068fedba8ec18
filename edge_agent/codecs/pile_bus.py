"""The pile bus: frames to values and back, as `pile_bus.dbc` describes them.

`decode` is total: whatever a bus carries gives a value or a `BusProblem`. Signals are read raw, in the unit of
their own resolution, so that no float ever comes to be.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

import cantools
from cantools.database.can import Database
from cantools.database.can import Message as Layout
from cantools.database.can.signal import Signal

from edge_agent.codecs.pile_bus_messages import (
    CARD_CHARACTERS_MOST,
    Ability,
    BusProblem,
    CardPart,
    Commanded,
    CommandResult,
    Faults,
    Limit,
    Lock,
    LockAction,
    Measure,
    Meter,
    PileFault,
    PileKind,
    PileState,
    ProblemKind,
    Report,
    Severity,
    Start,
    Status,
    Stop,
    StopCause,
    StopReason,
)

DBC: Final = Path(__file__).parents[1] / "pile_bus.dbc"
AGENT: Final = 0xE0
NODE_LAST: Final = 0xDF
PART_CHARACTERS: Final = 7

_ENUMS: dict[str, type[StrEnum]] = {
    "state": PileState,
    "last_result": CommandResult,
    "stop_cause": StopCause,
    "severity": Severity,
    "kind": PileKind,
    "reason": StopReason,
    "action": LockAction,
}
# Of each kind of message: its name in the DBC, and which signal fills which field.
_FIELDS: dict[type, tuple[str, dict[str, str]]] = {
    Status: (
        "STATUS",
        {
            "state": "state",
            "plugged": "plugged",
            "locked": "locked",
            "contactor_closed": "contactor_closed",
            "soc_percent": "soc",
            "last_sequence": "last_sequence",
            "last_result": "last_result",
            "stop_cause": "stop_cause",
        },
    ),
    Measure: (
        "MEASURE",
        {
            "voltage_dv": "voltage",
            "current_da": "current",
            "power_w": "power",
            "temperature_c": "temperature",
        },
    ),
    Meter: ("METER", {"energy_wh": "energy"}),
    Faults: ("FAULTS", {"severity": "severity"} | {fault: fault for fault in PileFault}),
    CardPart: ("CARD", {"tap": "tap", "part": "part", "parts": "parts", "text": "characters"}),
    Ability: (
        "ABILITY",
        {
            "version": "version",
            "kind": "kind",
            "rated_power_w": "rated_power",
            "available_power_w": "available_power",
        },
    ),
    Start: ("START", {"power_limit_w": "power_limit"}),
    Stop: ("STOP", {"reason": "reason"}),
    Limit: ("LIMIT", {"power_limit_w": "power_limit"}),
    Lock: ("LOCK", {"action": "action"}),
}
_COMMANDS = (Start, Stop, Limit, Lock)


class _Unreadable(ValueError):
    def __init__(self, kind: ProblemKind, detail: str) -> None:
        self.kind, self.detail = kind, detail


@dataclass(frozen=True, slots=True)
class _Reader:
    """One signal: its whole-number range, and the raw values that have a name."""

    signal: str
    low: int
    high: int
    named: dict[int, object]
    only_named: bool

    def value(self, raw: int) -> object:
        if raw in self.named:
            return self.named[raw]
        if self.only_named:
            raise _Unreadable(ProblemKind.UNKNOWN_VALUE, self.signal)
        if not self.low <= raw <= self.high:
            raise _Unreadable(ProblemKind.OUT_OF_RANGE, self.signal)
        return raw

    def raw(self, value: object) -> int:
        for raw, named in self.named.items():
            if value is named:
                return raw
        if type(value) is not int or self.only_named or not self.low <= value <= self.high:
            raise ValueError(f"{self.signal} cannot be {value!r}")
        return value


def _reader(signal: Signal) -> _Reader:
    conversion = signal.conversion
    low, high = (
        round(conversion.numeric_scaled_to_raw(bound)) for bound in (signal.minimum or 0, signal.maximum or 0)
    )
    choices = {raw: str(name) for raw, name in (signal.choices or {}).items()}
    named: dict[int, object]
    if enum := _ENUMS.get(signal.name):
        named = {raw: enum(name) for raw, name in choices.items()}
    elif signal.length == 1:
        named = {0: False, 1: True}
    else:
        named = dict.fromkeys(choices)
    return _Reader(signal.name, low, high, named, bool(enum) or signal.length == 1)


class _Kind:
    """One message of the DBC, beside the class that its values fill."""

    def __init__(self, values: type, layout: Layout) -> None:
        self.values, self.layout = values, layout
        fields = dict(_FIELDS[values][1])
        if values in _COMMANDS:
            fields["sequence"] = "sequence"
        self.fields = [(field, _reader(layout.get_signal_by_name(name))) for field, name in fields.items()]
        used = sum(((1 << signal.length) - 1) << signal.start for signal in layout.signals)
        self.reserved = ~used & ((1 << 8 * layout.length) - 1)

    def read(self, data: bytes) -> dict[str, Any]:
        if len(data) != self.layout.length:
            raise _Unreadable(ProblemKind.WRONG_LENGTH, str(len(data)))
        if int.from_bytes(data, "little") & self.reserved:
            raise _Unreadable(ProblemKind.RESERVED_BITS, "")
        raw = cast("dict[str, int]", self.layout.decode(data, decode_choices=False, scaling=False))
        return {field: reader.value(raw[reader.signal]) for field, reader in self.fields}

    def write(self, values: dict[str, Any]) -> bytes:
        raw = {reader.signal: reader.raw(values[field]) for field, reader in self.fields}
        return self.layout.encode(raw, scaling=False, strict=False)


def _load() -> tuple[Database, dict[type, _Kind]]:
    database = cast("Database", cantools.database.load_file(DBC, database_format="dbc", strict=True))
    kinds = {values: _Kind(values, database.get_message_by_name(name)) for values, (name, _) in _FIELDS.items()}
    return database, kinds


_DATABASE, _KINDS = _load()
_BY_ID = {kind.layout.frame_id: kind for kind in _KINDS.values()}
_ATTRIBUTES = _DATABASE.dbc.attributes if _DATABASE.dbc else {}
BITRATE: Final[int] = int(_ATTRIBUTES["Baudrate"].value)
AGENT_SILENT_S: Final[int] = int(_ATTRIBUTES["AgentSilence"].value) // 1000
"""How long a pile charges on without a command."""

FRAME_IDS: Final[dict[type, int]] = {values: kind.layout.frame_id for values, kind in _KINDS.items()}
CYCLES_MS: Final[dict[type, int]] = {
    values: kind.layout.cycle_time for values, kind in _KINDS.items() if kind.layout.cycle_time
}
"""How often a pile sends what it sends without being asked, and the agent LIMIT while a charge runs."""


def decode(can_id: int, data: bytes) -> Report | Commanded | BusProblem:
    """What a frame with a 29-bit id says."""
    try:
        return _decode(can_id, data)
    except _Unreadable as problem:
        return BusProblem(problem.kind, can_id, data, problem.detail)


def _decode(can_id: int, data: bytes) -> Report | Commanded:
    # Reports carry the pile's node in the lowest byte, commands in the one above.
    if kind := _BY_ID.get(can_id & ~0xFF):
        return _report(kind, _node(can_id & 0xFF), kind.read(data))
    kind = _BY_ID.get(can_id & ~0xFF00)
    if kind is None:
        raise _Unreadable(ProblemKind.UNKNOWN_ID, "")
    values = kind.read(data)
    return Commanded(_node(can_id >> 8 & 0xFF), values.pop("sequence"), kind.values(**values))


def _node(node: int) -> int:
    if not 1 <= node <= NODE_LAST:
        raise _Unreadable(ProblemKind.WRONG_NODE, str(node))
    return node


def _report(kind: _Kind, node: int, values: dict[str, Any]) -> Report:
    if kind.values is Faults:
        severity = values.pop("severity")
        return Faults(node, frozenset(fault for fault in PileFault if values[fault]), severity)
    if kind.values is CardPart:
        values["text"] = _text(**values)
    return cast("Report", kind.values(node=node, **values))


def _text(*, tap: int, part: int, parts: int, text: int) -> str:
    characters = text.to_bytes(PART_CHARACTERS, "little").rstrip(b"\0")
    is_last = part == parts - 1
    if (
        part >= parts
        or not characters
        or not all(0x21 <= one <= 0x7E for one in characters)
        or (len(characters) < PART_CHARACTERS and not is_last)
        or PART_CHARACTERS * part + len(characters) > CARD_CHARACTERS_MOST
    ):
        raise _Unreadable(ProblemKind.NOT_A_CARD, f"part {part} of {parts}, tap {tap}")
    return characters.decode("ascii")


def encode(message: Report | Commanded) -> tuple[int, bytes]:
    """The frame that says this: its 29-bit id and its bytes.

    Raises:
        ValueError: a node, a sequence or a value that has no place on the bus.
    """
    if not 1 <= message.node <= NODE_LAST:
        raise ValueError(f"node {message.node} is none of 1 to {NODE_LAST}")
    if isinstance(message, Commanded):
        kind = _KINDS[type(message.command)]
        values = _values(message.command) | {"sequence": message.sequence}
        return kind.layout.frame_id | message.node << 8, kind.write(values)
    kind = _KINDS[type(message)]
    return kind.layout.frame_id | message.node, kind.write(_values(message))


def _values(message: Report | Start | Stop | Limit | Lock) -> dict[str, Any]:
    if isinstance(message, Faults):
        return {"severity": message.severity} | {fault: fault in message.active for fault in PileFault}
    values = {field: getattr(message, field) for field in _FIELDS[type(message)][1]}
    if isinstance(message, CardPart):
        values["text"] = _characters(message)
    return values


def _characters(message: CardPart) -> int:
    raw = int.from_bytes(message.text.encode("ascii"), "little")
    if raw.bit_length() > 8 * PART_CHARACTERS:
        raise ValueError(f"{message.text!r} does not fit into a part")
    _text(tap=message.tap, part=message.part, parts=message.parts, text=raw)
    return raw
