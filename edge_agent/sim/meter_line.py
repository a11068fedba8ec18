"""A pty with simulated DL/T 645-2007 meters on it, on the running event loop; misbehaves when told to."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from functools import reduce
from operator import and_
from pathlib import Path

from edge_agent.codecs.dlt645 import END, Frame, FrameError, FrameReader, MessageError, encode_frame
from edge_agent.codecs.dlt645_messages import Answer, Message, Refusal, parse, to_frame
from edge_agent.sim.meter import SimulatedMeter
from edge_agent.sim.pty import Pty

WAKE_BYTES = 4
GAP_S = 0.5
NOISE = bytes.fromhex("00 FF 68 11 FE 16 68")
"""With two false starts in it."""

STRANGER = "000000000001"
OFFSET_WH = 100_000


class Misbehaviour(StrEnum):
    """What a line can do wrong."""

    SILENT = "silent"
    LATE = "late"  # by `ms`
    TWICE = "twice"
    NOISE_BEFORE = "noise_before"
    NOISE_BETWEEN = "noise_between"  # inside the frame
    TRUNCATED = "truncated"
    WRONG_ADDRESS = "wrong_address"
    WRONG_CHECKSUM = "wrong_checksum"
    REFUSE = "refuse"  # with `code`
    NOT_BCD = "not_bcd"
    BACKWARD = "backward"  # 100 kWh below the truth
    JUMP = "jump"  # 100 kWh above
    OVERSIZED = "oversized"  # L = 255
    VANISH = "vanish"  # the pty itself, until `behave`


_OFFSETS = {Misbehaviour.BACKWARD: -OFFSET_WH, Misbehaviour.JUMP: OFFSET_WH}


class SimulatedLine:
    """`start()` inside a running event loop, then open `port` with parity N; `stop()` at the end.

    Nothing here blocks, and everything happens on that loop, the meters' `values` included.
    """

    def __init__(self, *meters: SimulatedMeter, link: Path | None = None) -> None:
        self.meters = meters
        self.link = link
        self.answered = 0
        """Questions that a meter would answer, misbehaviour or not."""
        self._pty: Pty | None = None
        self._reader = FrameReader()
        self._gap: asyncio.TimerHandle | None = None
        self._late: set[asyncio.TimerHandle] = set()
        self._kind: Misbehaviour | None = None
        self._left: int | None = None
        self._ms = 0
        self._code = 0

    @property
    def port(self) -> str:
        """What the agent opens. Raises RuntimeError while the line is not there."""
        if self._pty is None:
            raise RuntimeError("the line is not there")
        return self._pty.port

    def start(self) -> None:
        """Lays the line."""
        if self._pty is None:
            self._reader = FrameReader()
            self._pty = Pty(self.link)
            asyncio.get_running_loop().add_reader(self._pty.fileno(), self._heard)

    def stop(self) -> None:
        """Takes the line away."""
        for timer in (*self._late, *filter(None, [self._gap])):
            timer.cancel()
        self._late.clear()
        if self._pty is not None:
            asyncio.get_running_loop().remove_reader(self._pty.fileno())
            self._pty.close()
            self._pty = None

    def misbehave(
        self, kind: Misbehaviour | str, *, times: int | None = None, ms: int = 1000, code: int = 0x01
    ) -> None:
        """From the next answer on, for `times` answers or until `behave`."""
        self._kind = Misbehaviour(kind)
        self._left, self._ms, self._code = times, ms, code
        if self._kind is Misbehaviour.VANISH:
            self.stop()

    def behave(self) -> None:
        """Ends every misbehaviour, and brings a vanished line back."""
        self._kind = None
        self.start()

    def _heard(self) -> None:
        if self._gap:
            self._gap.cancel()
            self._gap = None
        if self._pty is not None:
            self._take(self._reader.feed(self._pty.read()))
        if self._reader.pending:
            self._gap = asyncio.get_running_loop().call_later(GAP_S, self._fell_silent)

    def _fell_silent(self) -> None:
        self._take(self._reader.quiet())

    def _take(self, found: list[Frame | FrameError]) -> None:
        for seen in found:
            if isinstance(seen, FrameError):
                continue
            try:
                message = parse(seen)
            except MessageError:
                continue
            self._asked(message)

    def _asked(self, message: Message) -> None:
        kind = self._kind
        offset_wh = _OFFSETS.get(kind, 0) if kind else 0
        told = (meter.answer(message, offset_wh=offset_wh) for meter in self.meters)
        spoken = [_spoken(answer, kind, self._code) for answer in told if answer is not None]
        if not spoken:
            return
        self.answered += 1
        wire = _collide(spoken)
        if kind is Misbehaviour.LATE:
            self._say_later(wire)
        else:
            self._say(wire)
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                self._kind = self._left = None

    def _say(self, wire: bytes) -> None:
        if self._pty is not None:
            self._pty.write(wire)

    def _say_later(self, wire: bytes) -> None:
        def due() -> None:
            self._late.discard(timer)
            self._say(wire)

        timer = asyncio.get_running_loop().call_later(self._ms / 1000, due)
        self._late.add(timer)


def _collide(spoken: list[bytes]) -> bytes:
    """What is heard when several speak at once: a line is low where anybody pulls it low."""
    if len(spoken) == 1:
        return spoken[0]
    longest = max(map(len, spoken))
    padded = (wire.ljust(longest, b"\xff") for wire in spoken)
    return bytes(reduce(and_, column) for column in zip(*padded, strict=True))


def _spoken(answer: Answer, kind: Misbehaviour | None, code: int) -> bytes:
    if kind is Misbehaviour.REFUSE:
        control = to_frame(answer).control
        return _wire(to_frame(Refusal(answer.address, control, code)))
    frame = to_frame(answer)
    bend = _BENT.get(kind) if kind else None
    return bend(frame) if bend else _wire(frame)


def _wire(frame: Frame) -> bytes:
    return encode_frame(frame, wake=WAKE_BYTES)


def _noise_between(frame: Frame) -> bytes:
    wire = _wire(frame)
    half = len(wire) // 2
    return wire[:half] + NOISE + wire[half:]


def _wrong_checksum(frame: Frame) -> bytes:
    wire = _wire(frame)
    return wire[:-2] + bytes([wire[-2] ^ 0x55, END])


def _not_bcd(frame: Frame) -> bytes:
    data = frame.data[:4] + b"\xff" * len(frame.data[4:])
    return _wire(Frame(frame.address, frame.control, data))


def _oversized(frame: Frame) -> bytes:
    body = encode_frame(frame)[:9] + b"\xff" + b"\x33" * 255
    return bytes([*body, sum(body) & 0xFF, END])


_BENT: dict[Misbehaviour, Callable[[Frame], bytes]] = {
    Misbehaviour.SILENT: lambda _: b"",
    Misbehaviour.TWICE: lambda frame: _wire(frame) * 2,
    Misbehaviour.NOISE_BEFORE: lambda frame: NOISE + _wire(frame),
    Misbehaviour.NOISE_BETWEEN: _noise_between,
    Misbehaviour.TRUNCATED: lambda frame: _wire(frame)[:-4],
    Misbehaviour.WRONG_ADDRESS: lambda frame: _wire(Frame(STRANGER, frame.control, frame.data)),
    Misbehaviour.WRONG_CHECKSUM: _wrong_checksum,
    Misbehaviour.NOT_BCD: _not_bcd,
    Misbehaviour.OVERSIZED: _oversized,
}
