"""Questions and answers of DL/T 645-2007, its application layer: what control code and data of a frame say.

| question | C | answer | C |
|---|---|---|---|
| `Read` | 11 | `Data` | 91, B1 when there is more |
| `ReadNext` | 12 | `NextData` | 92, B2 when there is more |
| `ReadAddress` | 13 | `AddressIs` | 93 |
| `SetTime`, to every meter | 08 | none | |
| any | | `Refusal` | D1, D2, ... and one byte of reasons |

A message carries no number of its own: an answer belongs to a question by address, control code, data
identifier and, for the following pieces, sequence. A refusal does not even name the identifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from edge_agent.codecs.dlt645 import (
    MAX_DATA,
    Frame,
    MessageError,
    address_bytes,
    address_matches,
    address_text,
)

READ = 0x11
READ_NEXT = 0x12
READ_ADDRESS = 0x13
SET_TIME = 0x08
ANSWER = 0x80
REFUSED = 0x40
MORE = 0x20
FUNCTION = 0x1F

ANY_METER = "A" * 12
EVERY_METER = "9" * 12
"""Broadcast: nobody answers."""

REASONS = (
    "other",
    "no_such_data",
    "not_permitted",
    "rate_fixed",
    "too_many_year_zones",
    "too_many_day_periods",
    "too_many_tariffs",
)
"""The bits of a refusal, from the lowest."""


@dataclass(frozen=True, slots=True)
class Read:
    """Asks a meter for one item; identifier: 8 hexadecimal digits, as in `dlt645_items.Item`."""

    address: str
    identifier: str


@dataclass(frozen=True, slots=True)
class ReadNext:
    """Asks for piece `sequence` (1..255) of an item that did not fit into one frame."""

    address: str
    identifier: str
    sequence: int


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """Asks the only meter on a line who it is."""

    address: str = ANY_METER


@dataclass(frozen=True, slots=True)
class SetTime:
    """Tells every meter the time; `at` is cut to seconds, its fields are what the meter shows.

    The frame has no zone: by agreement of both ends it is the station's. Here `at` is marked UTC.
    """

    at: datetime


@dataclass(frozen=True, slots=True)
class Data:
    """The item asked for, or its first piece."""

    address: str
    identifier: str
    payload: bytes
    more: bool = False


@dataclass(frozen=True, slots=True)
class NextData:
    """A following piece."""

    address: str
    identifier: str
    payload: bytes
    sequence: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class AddressIs:
    """Who the meter is."""

    address: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The meter will not; control: of the question; code: the byte of reasons."""

    address: str
    control: int
    code: int

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(reason for bit, reason in enumerate(REASONS) if self.code >> bit & 1)


Question = Read | ReadNext | ReadAddress
Answer = Data | NextData | AddressIs | Refusal
Message = Question | SetTime | Answer


def to_frame(message: Message) -> Frame:
    """The frame that says it.

    Raises:
        FrameError: an address or a payload that cannot travel.
        MessageError: an identifier, sequence, code or year that cannot.
    """
    match message:
        case Read():
            return Frame(message.address, READ, _identifier_bytes(message.identifier))
        case ReadNext():
            data = _identifier_bytes(message.identifier) + _byte(message.sequence)
            return Frame(message.address, READ_NEXT, data)
        case ReadAddress():
            return Frame(message.address, READ_ADDRESS)
        case SetTime():
            return Frame(EVERY_METER, SET_TIME, _time_bytes(message.at))
        case Data() | NextData():
            return _data_frame(message)
        case AddressIs():
            return Frame(message.address, READ_ADDRESS | ANSWER, address_bytes(message.address))
        case Refusal():
            control = message.control & FUNCTION | ANSWER | REFUSED
            return Frame(message.address, control, _byte(message.code))


def parse(frame: Frame) -> Message:
    """What a frame says.

    Raises:
        MessageError: an unknown control code, or data that does not fit it.
    """
    if frame.control & ~FUNCTION == ANSWER | REFUSED:
        return _refusal(frame)
    reader = _READERS.get(frame.control)
    if reader is None:
        raise MessageError(f"control code {frame.control:02X}")
    return reader(frame)


def answers(question: Question, message: Message) -> bool:
    """Whether `message` answers exactly this question."""
    match question, message:
        case (Read(), Data()):
            same = question.identifier == message.identifier
        case (ReadNext(), NextData()):
            asked = (question.identifier, question.sequence)
            same = asked == (message.identifier, message.sequence)
        case (ReadAddress(), AddressIs()):
            same = True
        case (Read() | ReadNext() | ReadAddress(), Refusal()):
            same = message.control == to_frame(question).control
        case _:
            return False
    return same and address_matches(question.address, message.address)


def _data_frame(message: Data | NextData) -> Frame:
    control = ANSWER | (MORE if message.more else 0)
    data = _identifier_bytes(message.identifier) + message.payload
    if isinstance(message, NextData):
        return Frame(message.address, control | READ_NEXT, data + _byte(message.sequence))
    return Frame(message.address, control | READ, data)


def _identifier_bytes(identifier: str) -> bytes:
    try:
        raw = bytes.fromhex(identifier)[::-1]
    except ValueError as wrong:
        raise MessageError(f"identifier {identifier!r}") from wrong
    if len(raw) != 4:
        raise MessageError(f"identifier {identifier!r}")
    return raw


def _identifier(data: bytes) -> str:
    return data[3::-1].hex().upper()


def _byte(value: int) -> bytes:
    if not 0 <= value <= 0xFF:
        raise MessageError(f"{value} is no byte")
    return bytes([value])


def _time_bytes(at: datetime) -> bytes:
    if not 2000 <= at.year <= 2099:
        raise MessageError(f"the year {at.year} has no two digits of its own")
    return bytes.fromhex(f"{at:%y%m%d%H%M%S}")[::-1]


def _time(frame: Frame) -> SetTime:
    digits = _sized(frame, 6)[::-1].hex()
    if not digits.isdecimal():
        raise MessageError(f"{digits} is no time")
    year, *rest = (int(digits[at : at + 2]) for at in range(0, 12, 2))
    month, day, hour, minute, second = rest
    try:
        return SetTime(datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC))
    except ValueError as wrong:
        raise MessageError(f"{digits} is no time") from wrong


def _sized(frame: Frame, least: int, most: int | None = None) -> bytes:
    if not least <= len(frame.data) <= (least if most is None else most):
        raise MessageError(f"control code {frame.control:02X} with {len(frame.data)} bytes")
    return frame.data


def _read(frame: Frame) -> Read:
    return Read(frame.address, _identifier(_sized(frame, 4)))


def _read_next(frame: Frame) -> ReadNext:
    data = _sized(frame, 5)
    return ReadNext(frame.address, _identifier(data), data[4])


def _read_address(frame: Frame) -> ReadAddress:
    _sized(frame, 0)
    return ReadAddress(frame.address)


def _data(frame: Frame) -> Data:
    data = _sized(frame, 4, MAX_DATA)
    return Data(frame.address, _identifier(data), data[4:], more=bool(frame.control & MORE))


def _next_data(frame: Frame) -> NextData:
    data = _sized(frame, 5, MAX_DATA)
    more = bool(frame.control & MORE)
    return NextData(frame.address, _identifier(data), data[4:-1], data[-1], more=more)


def _address_is(frame: Frame) -> AddressIs:
    # Some meters leave the wildcard in the frame's own address: what they say in the data counts.
    address = address_text(_sized(frame, 6))
    if not address.isdecimal():
        raise MessageError(f"{address} is no address")
    return AddressIs(address)


def _refusal(frame: Frame) -> Refusal:
    return Refusal(frame.address, frame.control & FUNCTION, _sized(frame, 1)[0])


_READERS: dict[int, Callable[[Frame], Message]] = {
    READ: _read,
    READ_NEXT: _read_next,
    READ_ADDRESS: _read_address,
    SET_TIME: _time,
    READ | ANSWER: _data,
    READ | ANSWER | MORE: _data,
    READ_NEXT | ANSWER: _next_data,
    READ_NEXT | ANSWER | MORE: _next_data,
    READ_ADDRESS | ANSWER: _address_is,
}
