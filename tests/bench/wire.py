"""The smallest HTTP/1.1 client that can make load: one request at a time on a connection kept open."""

import asyncio
import re
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_SIGNATURE = re.compile(rb"\r\nsignature: ([^\r]+)")


class Request:
    """A request, ready to be sent."""

    __slots__ = ("begun", "label", "raw")

    def __init__(self, raw: bytes, label: str = "") -> None:
        self.raw, self.label, self.begun = raw, label, 0.0

    def signature(self) -> str:
        """The value of its signature header."""
        found = _SIGNATURE.search(self.raw)
        return found[1].decode() if found else ""


class Connection(asyncio.Protocol):
    """Sends a request, hands its answer on. `answered` gets (connection, request, status, head, body)."""

    def __init__(
        self,
        answered: Callable[["Connection", Request, int, bytes, bytes], None],
        lost: Callable[["Connection", Request | None], None],
    ) -> None:
        self._answered, self._lost = answered, lost
        self._buffer = b""
        self._request: Request | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: Request) -> None:
        """One at a time."""
        assert self._request is None
        assert self._transport is not None
        self._request = request
        self._transport.write(request.raw)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        end = buffer.find(b"\r\n\r\n")
        found = _LENGTH.search(buffer, 0, end + 2) if end >= 0 else None
        if end < 0 or len(buffer) < end + 4 + (int(found[1]) if found else 0):
            self._buffer = buffer
            return
        request, self._request, self._buffer = self._request, None, b""
        assert request is not None
        self._answered(self, request, int(buffer[9:12]), buffer[:end], buffer[end + 4 :])

    def connection_lost(self, exc: Exception | None) -> None:
        request, self._request = self._request, None
        self._lost(self, request)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


async def connect(
    url: str,
    answered: Callable[[Connection, Request, int, bytes, bytes], None],
    lost: Callable[[Connection, Request | None], None],
) -> Connection:
    """A connection to the server at a URL."""
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    host, port = place.hostname or "", place.port or 80
    _, connection = await loop.create_connection(lambda: Connection(answered, lost), host, port)
    return connection


def render(method: str, url: str, headers: dict[str, str], body: bytes) -> bytes:
    """The bytes of a request."""
    place = urlsplit(url)
    lines = [
        f"{method} {place.path} HTTP/1.1",
        f"host: {place.netloc}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
