"""A TCP proxy that can cut, slow down, and lose answers: `python -m operator_sdk.examples.demo.proxy`.

    proxy --control 127.0.0.1:7000 --channel to_hub=127.0.0.1:7001=127.0.0.1:8080

It hands bytes on and understands none of them. The control port takes a command per line and answers each
with a line: `cut`, `restore`, `drop_answers`, `delay MS` or `status`; a channel's name after it narrows it
to that channel.

- `cut`: open connections break, new ones break at once;
- `drop_answers`: what is asked arrives, what is answered does not: the connection breaks instead;
- `delay MS`: every piece waits that long, both ways;
- `restore`: as if nothing had been.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

CHUNK = 65_536
MODES = {"cut": "cut", "drop_answers": "drop_answers", "restore": "pass"}


@dataclass(slots=True)
class Channel:
    """One listening address, and where its connections go on to."""

    name: str
    listen: tuple[str, int]
    target: tuple[str, int]
    mode: str = "pass"
    delay_ms: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self) -> asyncio.Server:
        """Begin to listen."""
        return await asyncio.start_server(self._connected, *self.listen)

    def obey(self, mode: str) -> None:
        """Change the mode; a cut breaks what is open."""
        self.mode = mode
        if mode == "pass":
            self.delay_ms = 0
        if mode == "cut":
            for writer in self.open:
                writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "cut":
            writer.transport.abort()
            return
        self.open.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            back, onward = await asyncio.open_connection(*self.target)
            self.open.add(onward)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._hand_on(reader, onward))
                both.create_task(self._hand_on(back, writer, answers=True))
        except* OSError:
            pass  # broken on one side: broken on the other
        finally:
            for end in (writer, onward):
                if end is not None:
                    self.open.discard(end)
                    end.transport.abort()

    async def _hand_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while piece := await reader.read(CHUNK):
            if self.delay_ms:
                await asyncio.sleep(self.delay_ms / 1000)
            if answers and self.mode == "drop_answers":
                raise ConnectionAbortedError
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


class Proxy:
    """All channels and the control port."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = {channel.name: channel for channel in channels}

    def command(self, line: str) -> str:
        """Do what a line says; returns the line to answer."""
        word, *rest = line.split() or [""]
        delay = rest.pop(0) if word == "delay" and rest else None
        chosen = [self._channels[name] for name in rest if name in self._channels]
        if len(chosen) != len(rest):
            return "error: no such channel"
        chosen = chosen or list(self._channels.values())
        if word in MODES:
            for channel in chosen:
                channel.obey(MODES[word])
        elif delay is not None and delay.isdigit():
            for channel in chosen:
                channel.delay_ms = int(delay)
        elif word != "status":
            return "error: cut, restore, drop_answers, delay MS or status"
        return " ".join(f"{one.name}={one.mode},{one.delay_ms},{len(one.open)}" for one in chosen)

    async def run(self, control: tuple[str, int]) -> None:
        """Serve until cancelled."""
        servers = [await channel.serve() for channel in self._channels.values()]
        servers.append(await asyncio.start_server(self._controlled, *control))
        await asyncio.gather(*(server.serve_forever() for server in servers))

    async def _controlled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(self.command(line.decode("ascii", "replace")).encode() + b"\n")
            await writer.drain()
        writer.close()


async def tell_proxy(control: tuple[str, int], command: str) -> str:
    """Send the proxy one command; returns its answer.

    Raises:
        OSError: it cannot be reached.
        ValueError: it did not understand.
    """
    reader, writer = await asyncio.open_connection(*control)
    try:
        writer.write(command.encode() + b"\n")
        answer = (await reader.readline()).decode().strip()
    finally:
        writer.close()
    if not answer or answer.startswith("error"):
        raise ValueError(answer or "no answer")
    return answer


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="proxy")
    parser.add_argument("--control", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--channel", action="append", required=True, metavar="NAME=LISTEN=TARGET")
    given = parser.parse_args(argv)
    channels = []
    for text in given.channel:
        name, listen, target = text.split("=")
        channels.append(Channel(name, _address(listen), _address(target)))
    asyncio.run(Proxy(channels).run(_address(given.control)))
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    sys.exit(main())
