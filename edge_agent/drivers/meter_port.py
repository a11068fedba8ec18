"""One serial line with DL/T 645-2007 meters on it: one question at a time, blocking.

The port is anything `serial.serial_for_url` opens: /dev/ttyS1, a pty, rfc2217://host:port, socket://host:port.
It is opened when first needed, and again after it vanished; while it does not open, questions fail at once and
only one in `reopen_ms` tries.

An answer carries nothing but address, control code and data identifier to know it by. So that a late or doubled
answer is not taken for the next one, the line is heard out until it is still before anything is sent, and what
does not match the question is passed over. (A late answer to the very same question is an answer to it.)
"""

import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import serial

from edge_agent.codecs.dlt645 import (
    MAX_FRAME,
    Frame,
    FrameError,
    FrameReader,
    MessageError,
    encode_frame,
)
from edge_agent.codecs.dlt645_messages import Answer, Question, SetTime, answers, parse, to_frame
from edge_agent.drivers.meter_errors import MeterGarbled, MeterGone, MeterLost, MeterSilent

WAKE_BYTES = 4
MAX_QUESTION = 24  # bytes of the longest question with its FE: a broadcast time
SLICE_S = 0.02
"""How long one read waits; also how long a line must be still to count as still."""

HEAR_OUT_S = 1.0
"""A line that is never still is spoken into after this long."""

WRITE_S = 2.0
BITS_PER_BYTE = 12  # start, eight, parity, two stop: the most there can be


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """How a line is opened and how long it is waited for.

    parity: N, E, O; ptys know only N. answer_ms: from the end of the question to the first byte of the answer
    (the standard: 500); gap_ms: between two bytes of a frame (the standard: 500).

    Raises:
        ValueError: a setting that no line has.
    """

    port: str
    baud: int = 2400
    parity: str = "E"
    stop_bits: int = 1
    answer_ms: int = 800
    gap_ms: int = 500
    attempts: int = 3
    reopen_ms: int = 1000

    def __post_init__(self) -> None:
        if not self.port or self.baud < 1:
            raise ValueError("a serial line needs a port and a baud rate")
        if self.parity not in ("N", "E", "O") or self.stop_bits not in (1, 2):
            raise ValueError(f"parity is N, E or O and stop bits 1 or 2, not {self.parity}{self.stop_bits}")
        if min(self.answer_ms, self.gap_ms, self.attempts, self.reopen_ms) < 1:
            raise ValueError("time-outs and attempts are whole numbers from 1 up")

    def bytes_s(self, count: int) -> float:
        """How long that many bytes are on the wire."""
        return count * BITS_PER_BYTE / self.baud


class SerialLine:
    """The line. Used by one thread, except for `frames` and `stop`."""

    def __init__(self, settings: LineSettings) -> None:
        self.settings = settings
        self.frames = 0
        """Frames sent and received, whoever they were for."""
        self._port: serial.SerialBase | None = None
        self._not_before = 0.0
        self._stopped = threading.Event()

    def ask(self, question: Question) -> Answer:
        """The answer to a question, asked up to `attempts` times.

        Raises:
            MeterLost: no answer.
            Dlt645Error: a question that cannot be asked.
        """
        frame = to_frame(question)
        lost: MeterLost = MeterGone(f"{self.settings.port} is closed")
        for _ in range(self.settings.attempts):
            if self._stopped.is_set():
                break
            try:
                with self._opened() as port:
                    self._send(port, frame)
                    return self._listen(port, question)
            except MeterLost as failure:
                lost = failure
        raise lost

    def tell(self, message: SetTime) -> None:
        """Sends what nobody answers.

        Raises:
            MeterGone: the port is not there.
            Dlt645Error: a message that cannot be sent.
        """
        frame = to_frame(message)
        with self._opened() as port:
            self._send(port, frame)

    def stop(self) -> None:
        """From any thread: the question under way fails soon, every later one at once."""
        self._stopped.set()

    def close(self) -> None:
        """Closes the port; the next question opens it again unless the line was stopped."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    @contextmanager
    def _opened(self) -> Iterator[serial.SerialBase]:
        try:
            if self._port is None:
                self._port = self._open()
            yield self._port
        # pyserial lets through the error of termios, which is no OSError.
        except (OSError, termios.error) as failure:
            self.close()
            raise MeterGone(f"{self.settings.port}: {failure}") from failure

    def _open(self) -> serial.SerialBase:
        settings = self.settings
        if self._stopped.is_set() or time.monotonic() < self._not_before:
            raise MeterGone(f"{settings.port} is closed")
        remote = settings.port.startswith("rfc2217:")
        try:
            return serial.serial_for_url(
                settings.port,
                baudrate=settings.baud,
                bytesize=serial.EIGHTBITS,
                parity=settings.parity,
                stopbits=settings.stop_bits,
                timeout=SLICE_S,
                write_timeout=None if remote else WRITE_S,  # pyserial has none for rfc2217
                exclusive=True,
            )
        # ValueError: an address that names no known kind of port.
        except (OSError, termios.error, ValueError) as failure:
            self._not_before = time.monotonic() + settings.reopen_ms / 1000
            how = f"{settings.baud} 8{settings.parity}{settings.stop_bits}"
            raise MeterGone(f"{settings.port} does not open with {how}: {failure}") from failure

    def _send(self, port: serial.SerialBase, frame: Frame) -> None:
        until = time.monotonic() + HEAR_OUT_S
        while port.read(MAX_FRAME) and time.monotonic() < until:
            pass
        port.write(encode_frame(frame, wake=WAKE_BYTES))
        self.frames += 1

    def _listen(self, port: serial.SerialBase, question: Question) -> Answer:
        settings = self.settings
        gap_s = settings.gap_ms / 1000
        heard_at = time.monotonic()
        # A write only fills a buffer, so the question is still on its way when waiting begins.
        begin_by = heard_at + settings.bytes_s(MAX_QUESTION) + settings.answer_ms / 1000
        end_by = begin_by + settings.bytes_s(MAX_FRAME) + gap_s
        heard = Heard(question)
        while not self._stopped.is_set():
            chunk = port.read(1)
            now = time.monotonic()
            if chunk:
                heard_at = now
                heard.bytes(chunk)
            elif now - heard_at >= gap_s:
                heard.silence()
            if heard.answer or now >= (end_by if heard.unfinished else begin_by):
                break
        heard.silence()
        self.frames += heard.frames
        if heard.answer is None:
            raise heard.failure()
        return heard.answer


class Heard:
    """What came after a question: the answer, once it is there, and what was not it."""

    def __init__(self, question: Question) -> None:
        self.answer: Answer | None = None
        self.frames = 0
        self._question = question
        self._reader = FrameReader()
        self._garbled = ""

    @property
    def unfinished(self) -> bool:
        """Whether a frame seems to have begun."""
        return self._reader.pending > 0

    def bytes(self, chunk: bytes) -> None:
        """Bytes came."""
        self._take(self._reader.feed(chunk))

    def silence(self) -> None:
        """No byte came for longer than a gap."""
        self._take(self._reader.quiet())

    def failure(self) -> MeterLost:
        """Why there is no answer."""
        whom = self._question.address
        if self._garbled:
            return MeterGarbled(f"meter {whom}: {self._garbled}")
        return MeterSilent(f"meter {whom}: no answer; frames of others: {self.frames}")

    def _take(self, found: list[Frame | FrameError]) -> None:
        for seen in found:
            if isinstance(seen, FrameError):
                self._garbled = str(seen)
                continue
            self.frames += 1
            try:
                message = parse(seen)
            except MessageError as wrong:
                self._garbled = str(wrong)
                continue
            if self.answer is None and isinstance(message, Answer) and answers(self._question, message):
                self.answer = message
