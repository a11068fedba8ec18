"""Frames of DL/T 645-2007, 多功能电能表通信协议: how a meter on an RS-485 line is spoken to.

    [FE x 1..4] 68 A0..A5 68 C L DATA CS 16

A0 holds the lowest two digits of the 12-digit address; C is the control code; L counts DATA; every byte of
DATA travels with 0x33 added; CS is the sum from the first 68 to the end of DATA, modulo 256; the FE only wake
the receiver. What DATA means is in `dlt645_messages` and `dlt645_items`.

Errors, shared by the three modules:

    Dlt645Error (ValueError)
    ├── FrameError     not a frame; `fault` says what was wrong, `raw` holds the bytes
    ├── MessageError   a whole frame, but not a message known here
    └── ItemError      a value that is not BCD, not of its length, or does not fit
"""

import re
from dataclasses import dataclass
from enum import StrEnum

START = 0x68
END = 0x16
WAKE = 0xFE
OFFSET = 0x33
MAX_DATA = 200
"""The longest DATA that the standard allows (L <= 200 when reading, <= 50 when writing)."""

HEAD = 10
TAIL = 2
MAX_FRAME = HEAD + MAX_DATA + TAIL

_ADDRESS = re.compile(r"[0-9A-F]{12}")


class Fault(StrEnum):
    """What makes bytes no frame."""

    NO_START = "no_start"
    NO_SECOND_START = "no_second_start"
    OVERSIZED = "oversized"
    BAD_CHECKSUM = "bad_checksum"
    NO_END = "no_end"
    TRUNCATED = "truncated"
    SURPLUS = "surplus"
    BAD_FIELD = "bad_field"


class Dlt645Error(ValueError):
    """Anything that does not read or cannot be written as DL/T 645."""


class FrameError(Dlt645Error):
    """Bytes that are no frame: `fault`, and `raw` from the 68 as far as it was looked at."""

    def __init__(self, fault: Fault, raw: bytes = b"") -> None:
        super().__init__(f"{fault}: {raw.hex(' ')}" if raw else str(fault))
        self.fault = fault
        self.raw = raw


class MessageError(Dlt645Error):
    """A whole frame that says nothing known here."""


class ItemError(Dlt645Error):
    """A value that its data identifier does not allow."""


@dataclass(frozen=True, slots=True)
class Frame:
    """address: 12 digits as printed on the meter (`A` is the wildcard digit); data: without the 0x33.

    Raises:
        FrameError: (`bad_field`) a field that cannot travel.
    """

    address: str
    control: int
    data: bytes = b""

    def __post_init__(self) -> None:
        fits = _ADDRESS.fullmatch(self.address) and 0 <= self.control <= 0xFF
        if not fits or len(self.data) > MAX_DATA:
            raise FrameError(Fault.BAD_FIELD)


def encode_frame(frame: Frame, *, wake: int = 0) -> bytes:
    """The bytes of a frame, after `wake` bytes FE."""
    head = bytes([START, *address_bytes(frame.address), START, frame.control, len(frame.data)])
    body = head + bytes((byte + OFFSET) & 0xFF for byte in frame.data)
    return bytes([WAKE] * wake) + body + bytes([sum(body) & 0xFF, END])


def decode_frame(raw: bytes) -> Frame:
    """The one frame that the bytes are, FE before it allowed.

    Raises:
        FrameError: they are not exactly that.
    """
    raw = raw.lstrip(bytes([WAKE]))
    if not raw.startswith(bytes([START])):
        raise FrameError(Fault.NO_START, raw)
    seen = _look(raw)
    if seen is None:
        raise FrameError(Fault.TRUNCATED, raw)
    if isinstance(seen, FrameError):
        raise seen
    if len(raw) > HEAD + len(seen.data) + TAIL:
        raise FrameError(Fault.SURPLUS, raw)
    return seen


class FrameReader:
    """Finds frames in bytes that come in any pieces, among noise.

    What `feed` gives does not depend on how the bytes were cut. It keeps less than one frame
    (`MAX_FRAME` bytes). Bytes before a 68 are skipped and counted in `skipped`; a 68 that turns out not to
    begin a frame is reported, and the search goes on one byte later.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped = 0

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of what may be a frame."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame | FrameError]:
        """The frames that `chunk` completes, and what looked like one, in order."""
        self._buffer += chunk
        found: list[Frame | FrameError] = []
        while self._skip_to_start():
            seen = _look(bytes(self._buffer[:MAX_FRAME]))
            if seen is None:
                break
            found.append(seen)
            taken = HEAD + len(seen.data) + TAIL if isinstance(seen, Frame) else 1
            del self._buffer[:taken]
        return found

    def quiet(self) -> list[Frame | FrameError]:
        """The line has been silent for longer than a gap within a frame: nothing pending will be completed.

        A frame may come to light that a stray 68 before it had covered.
        """
        found: list[Frame | FrameError] = []
        while self._buffer:
            found.append(FrameError(Fault.TRUNCATED, bytes(self._buffer)))
            del self._buffer[0]
            found += self.feed(b"")
        return found

    def _skip_to_start(self) -> bool:
        start = self._buffer.find(START)
        noise = start if start >= 0 else len(self._buffer)
        self.skipped += noise
        del self._buffer[:noise]
        return bool(self._buffer)


def address_bytes(address: str) -> bytes:
    """An address as it travels: lowest digits first."""
    return bytes.fromhex(address)[::-1]


def address_text(raw: bytes) -> str:
    """An address as it is printed on the meter."""
    return raw[::-1].hex().upper()


def address_matches(pattern: str, address: str) -> bool:
    """Whether `pattern`, in which `A` stands for any digit, names this meter."""
    return all(wanted in ("A", digit) for wanted, digit in zip(pattern, address, strict=True))


def _look(raw: bytes) -> Frame | FrameError | None:
    """What begins with the 68 at raw[0]; None while that cannot be said yet."""
    if len(raw) > 7 and raw[7] != START:
        return FrameError(Fault.NO_SECOND_START, raw[:8])
    if len(raw) < HEAD:
        return None
    length = raw[9]
    if length > MAX_DATA:
        return FrameError(Fault.OVERSIZED, raw[:HEAD])
    whole = HEAD + length + TAIL
    if len(raw) < whole:
        return None
    body, checksum, end = raw[: whole - TAIL], raw[whole - 2], raw[whole - 1]
    if sum(body) & 0xFF != checksum:
        return FrameError(Fault.BAD_CHECKSUM, raw[:whole])
    if end != END:
        return FrameError(Fault.NO_END, raw[:whole])
    data = bytes((byte - OFFSET) & 0xFF for byte in body[HEAD:])
    return Frame(address=address_text(raw[1:7]), control=raw[8], data=data)
