"""A CAN bus over TCP, for machines without multicast: every slcan line that comes in goes out to all others.

    python -m edge_agent.sim.can_hub --buses 3

prints one line of JSON when it is ready, `{"channels": ["socket://127.0.0.1:PORT", ...]}`, one for each bus,
and works until SIGTERM. Use each with interface `slcan`. Only whole data frames are passed on; commands to an
adapter (open, close, bit rate) and what is no slcan are not.
"""

import argparse
import asyncio
import json
import re
import signal
import sys
from typing import Self

FRAME = re.compile(rb"T[0-9A-Fa-f]{8}[0-8](?:[0-9A-Fa-f]{2}){0,8}|t[0-9A-Fa-f]{3}[0-8](?:[0-9A-Fa-f]{2}){0,8}")
LINE_END = b"\r"
LINE_BYTES_MOST = 64
WAITING_BYTES_MOST = 1 << 20


class _End(asyncio.Protocol):
    """One node's connection to the bus."""

    def __init__(self, bus: "set[_End]") -> None:
        self._bus, self._rest = bus, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self._bus.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._bus.discard(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(LINE_END)
        self._rest = self._rest[-LINE_BYTES_MOST:]  # a line that never ends is none of ours
        for line in lines:
            if FRAME.fullmatch(line):
                for end in self._bus - {self}:
                    end.hear(line + LINE_END)

    def abort(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def hear(self, line: bytes) -> None:
        """Pass it on; nobody waits for a node that does not read."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() > WAITING_BYTES_MOST:
            self.abort()
        else:
            self._transport.write(line)


class CanHub:
    """One bus: whoever connects hears all others, and not itself. `channel` is for python-can's `slcan`."""

    def __init__(self) -> None:
        self._ends: set[_End] = set()
        self._server: asyncio.Server | None = None
        self.channel = ""

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        """Listen; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _End(self._ends), host, port)
        self.channel = "socket://{}:{}".format(*self._server.sockets[0].getsockname()[:2])
        return self

    async def close(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for end in list(self._ends):
            end.abort()
        await asyncio.sleep(0)


async def serve(host: str, port: int, buses: int) -> None:
    """Carry that many buses until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    hubs = [await CanHub().open(host, port + at if port else 0) for at in range(buses)]
    print(json.dumps({"channels": [hub.channel for hub in hubs]}), flush=True)
    await ended.wait()
    for hub in hubs:
        await hub.close()


def main(argv: list[str]) -> None:
    """Run from a command line."""
    parser = argparse.ArgumentParser(prog="python -m edge_agent.sim.can_hub", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="of the first bus; 0 for any")
    parser.add_argument("--buses", type=int, default=1)
    given = parser.parse_args(argv)
    asyncio.run(serve(given.host, given.port, given.buses))


if __name__ == "__main__":
    main(sys.argv[1:])
