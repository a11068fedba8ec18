"""A serial server on the network (RFC 2217) tells what the agent's line asks a port to be."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import serial
from serial.rfc2217 import PortManager

from edge_agent.codecs.dlt645 import Frame, FrameReader, encode_frame
from edge_agent.codecs.dlt645_messages import parse, to_frame
from edge_agent.drivers.meter_errors import MeterGone
from edge_agent.drivers.meter_reading import MeterReading
from edge_agent.sim.meter import MeterValues, SimulatedMeter
from tests.meter_rig import METER, agent_line

pytestmark = [
    # pyserial names and starts its reader thread in the old way,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217"),
    # and when the server has hung up it leaves its socket for the garbage collector to close.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

TOTAL_WH = 580
"""The checksum of this answer is FF, which telnet doubles."""


class SerialServer:
    """One client at a time gets `port` as the RFC asks; behind it is a meter."""

    def __init__(self) -> None:
        self.sent = b""
        self.port = serial.serial_for_url("loop://")
        self.meter = SimulatedMeter(address=METER, values=lambda: MeterValues(total_wms=TOTAL_WH * 3_600_000))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "SerialServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        self._thread.join(20)
        self.port.close()
        assert not self._thread.is_alive()

    def hang_up(self) -> None:
        if self._client:
            self._client.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._client = client
                self._speak(client)
                self._client = None

    def _speak(self, client: socket.socket) -> None:
        # The stubs ask for more than a PortManager uses: settings there, `write` here.
        manager = PortManager(self.port, Telnet(client))  # type: ignore[arg-type]
        reader = FrameReader()
        while raw := received(client):
            for seen in reader.feed(b"".join(manager.filter(raw))):
                assert isinstance(seen, Frame)
                answer = self.meter.answer(parse(seen))
                if answer is not None:
                    self.sent += encode_frame(to_frame(answer))
                    client.sendall(b"".join(manager.escape(encode_frame(to_frame(answer), wake=4))))


class Telnet:
    """What a PortManager writes to."""

    def __init__(self, client: socket.socket) -> None:
        self.write = client.sendall


def received(client: socket.socket) -> bytes:
    try:
        return client.recv(1024)
    except OSError:
        return b""


@contextmanager
def serial_server() -> Iterator[SerialServer]:
    with SerialServer() as server:
        yield server


def asked_for(server: SerialServer) -> tuple[object, ...]:
    return server.port.baudrate, server.port.bytesize, server.port.parity, server.port.stopbits


async def test_the_line_asks_for_2400_8e1_unless_told_otherwise() -> None:
    with serial_server() as server:
        assert asked_for(server) == (9600, 8, "N", 1)
        async with agent_line(server.url, parity="E") as line:
            assert await line.find_address() == METER
            assert asked_for(server) == (2400, 8, "E", 1)
            assert await line.read_total(METER) == MeterReading(METER, TOTAL_WH, resolution_wh=10)
            assert b"\xff" in server.sent


async def test_the_line_asks_for_what_the_configuration_says() -> None:
    with serial_server() as server:
        async with agent_line(server.url, baud=9600, parity="O", stop_bits=2) as line:
            assert await line.find_address() == METER
            assert asked_for(server) == (9600, 8, "O", 2)


async def test_a_server_that_hangs_up_is_called_again() -> None:
    with serial_server() as server:
        async with agent_line(server.url, parity="E", attempts=2) as line:
            assert await line.find_address() == METER
            server.hang_up()
            assert await line.find_address() == METER
            assert asked_for(server) == (2400, 8, "E", 1)


async def test_a_server_that_is_not_there_is_a_port_that_is_gone() -> None:
    with serial_server() as server:
        url = server.url
    async with agent_line(url) as line:
        with pytest.raises(MeterGone):
            await line.find_address()
