"""One CAN bus, opened, read without blocking the loop, and opened again when it goes.

Any interface of python-can: `socketcan` on real hardware, `slcan` adapters, `udp_multicast` and `virtual` for
trying out. A bus with a file descriptor is read by the loop itself, one without by a thread.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import can

# python-can complains, once it is collected, of a bus that could not even be opened.
logging.getLogger("can.bus").setLevel(logging.ERROR)

REOPEN_S = 1.0
SEND_S = 0.2
# slcan reads byte by byte: long enough for the rest of a frame that has begun to come.
_RECV_S = 0.001
_THREAD_RECV_S = 0.1
_DEFAULTS: dict[str, dict[str, Any]] = {
    # Hop limit 0: a simulated bus stays on its machine.
    "udp_multicast": {"fd": False, "hop_limit": 0},
    "slcan": {"timeout": 0},
}


class BusError(Exception):
    """The base of what a bus can do to its user."""


class BusGone(BusError):
    """The bus is not there now; it is tried again every second."""


class BusUnusable(BusError):
    """The bus cannot be opened as configured: no such interface, an option that it does not know."""


OnFrame = Callable[[int, bytes], None]


class CanPort:
    """A bus that comes back.

    `on_frame(can_id, data)` gets every classic data frame with a 29-bit id; `on_garbage(what)` what is none;
    `on_gone(reason)` and `on_back()` are called each time the bus goes and comes. All are called in the loop.
    """

    def __init__(
        self,
        *,
        interface: str,
        channel: str,
        bitrate: int,
        on_frame: OnFrame,
        on_garbage: Callable[[str], None],
        on_gone: Callable[[str], None] = lambda _: None,
        on_back: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        self._options: dict[str, Any] = {"interface": interface, "channel": channel, "bitrate": bitrate}
        self._options |= _DEFAULTS.get(interface, {})
        if interface == "slcan" and channel.startswith("socket://"):
            self._options["sleep_after_open"] = 0  # a socket needs no time to wake up
        self._options |= options
        self._on_frame, self._on_garbage = on_frame, on_garbage
        self._on_gone, self._on_back = on_gone, on_back
        self._bus: can.BusABC | None = None
        self._reader: _Reader | None = None
        self._reopening: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent now."""
        return self._bus is not None

    async def open(self) -> None:
        """Open the bus, or begin to try.

        Raises:
            BusUnusable: it can never be opened as configured.
        """
        try:
            await self._open()
        except BusGone as gone:
            self._on_gone(str(gone))
            self._reopening = asyncio.create_task(self._reopen())

    async def close(self) -> None:
        """Close it for good."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        self._drop()
        await asyncio.gather(*self._closing)

    def send(self, can_id: int, data: bytes) -> None:
        """Put a frame on the bus.

        Raises:
            BusGone: it could not be sent.
        """
        if self._bus is None:
            raise BusGone("not open")
        try:
            self._bus.send(can.Message(arbitration_id=can_id, data=data), timeout=SEND_S)
        except can.CanError as error:
            self._lose(error)
            raise BusGone(_reason(error)) from error

    async def _open(self) -> None:
        try:
            bus = await asyncio.to_thread(lambda: can.Bus(ignore_config=True, **self._options))
        except (NotImplementedError, ImportError, TypeError, ValueError, OverflowError) as error:
            raise BusUnusable(str(error)) from error
        except (can.CanError, OSError) as error:
            raise BusGone(_reason(error)) from error
        self._bus = bus
        self._reader = _Reader(bus, self._take, self._fail)

    async def _reopen(self) -> None:
        while self._bus is None:
            await asyncio.sleep(REOPEN_S)
            with contextlib.suppress(BusError):
                await self._open()
        self._reopening = None
        self._on_back()

    def _take(self, message: can.Message) -> None:
        if message.is_extended_id and not (message.is_remote_frame or message.is_error_frame or message.is_fd):
            self._on_frame(message.arbitration_id, bytes(message.data))
        else:
            self._on_garbage(str(message))

    def _fail(self, error: Exception) -> None:
        """A read failed: either the line is gone, or it carried what is no frame at all."""
        if isinstance(error, can.CanError) and isinstance(error.__cause__, OSError | None):
            self._lose(error)
            return
        try:
            # slcan keeps what it could not read; without this it would stumble over it for ever.
            if flush := getattr(self._bus, "flush", None):
                flush()
        except can.CanError as gone:
            self._lose(gone)
        else:
            self._on_garbage(str(error.__cause__ or error))

    def _lose(self, error: Exception) -> None:
        if self._bus is None:
            return
        self._drop()
        self._reopening = asyncio.create_task(self._reopen())
        self._on_gone(_reason(error))

    def _drop(self) -> None:
        bus, reader = self._bus, self._reader
        self._bus = self._reader = None
        if bus is not None and reader is not None:
            reader.stop()
            closing = asyncio.create_task(asyncio.to_thread(_shut, bus, reader))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


class _Reader:
    """Reads a bus until it is stopped or fails; what comes after that is dropped."""

    def __init__(
        self, bus: can.BusABC, take: Callable[[can.Message], None], fail: Callable[[Exception], None]
    ) -> None:
        self._bus, self._take, self._fail = bus, take, fail
        self._loop = asyncio.get_running_loop()
        self._stopped = False
        self._thread: threading.Thread | None = None
        try:
            self._fd = bus.fileno()
        except NotImplementedError:
            self._fd = -1
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._readable)
        else:
            self._thread = threading.Thread(target=self._read_on, name="can reader", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take no more."""
        self._stopped = True
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def join(self) -> None:
        """Wait until nobody uses the bus; blocks."""
        if self._thread is not None:
            self._thread.join()

    def _readable(self) -> None:
        message, error = _receive(self._bus, _RECV_S)
        self._hand_on(message, error)

    def _read_on(self) -> None:
        while not self._stopped:
            message, error = _receive(self._bus, _THREAD_RECV_S)
            if message is not None or error is not None:
                self._loop.call_soon_threadsafe(self._hand_on, message, error)

    def _hand_on(self, message: can.Message | None, error: Exception | None) -> None:
        if self._stopped:
            return
        if error is not None:
            self._fail(error)
        elif message is not None:
            self._take(message)


def _receive(bus: can.BusABC, within_s: float) -> tuple[can.Message | None, Exception | None]:
    try:
        return bus.recv(within_s), None
    except can.CanError as error:
        return None, error
    except (ValueError, LookupError) as error:  # slcan's, on a line that is none of its own
        return None, error


def _reason(error: Exception) -> str:
    return f"{error}: {error.__cause__}" if error.__cause__ else str(error)


def _shut(bus: can.BusABC, reader: _Reader) -> None:
    reader.join()
    # slcan says goodbye first and, where nobody hears it, leaves its line open; a line over TCP whose other end
    # is gone leaves its socket open in its turn.
    line = getattr(bus, "serialPortOrig", None)
    held = getattr(line, "_socket", None)
    try:
        bus.shutdown()
    except can.CanError:
        if line is not None:
            line.close()
    if held is not None:
        held.close()
