"""One simulated pile with its meter, in a process of its own.

    python -m edge_agent.sim --node 1 --kind dc --rated-power-w 120000 \\
        --interface udp_multicast --channel 239.74.163.2 --port 43401 --meter-address 202506180042

prints one line of JSON when it is ready, `{"node": 1, "control": "127.0.0.1:PORT", "meter": "/dev/pts/N"}`, and
works until SIGTERM. Its time is business time: SPEED, INTERPILE_EPOCH, INTERPILE_EPOCH_BUSINESS.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from edge_agent.clock import Clock
from edge_agent.codecs.pile_bus import NODE_LAST
from edge_agent.codecs.pile_bus_messages import PileKind
from edge_agent.sim.control import Control
from edge_agent.sim.meter import MeterValues, SimulatedMeter
from edge_agent.sim.meter_line import SimulatedLine
from edge_agent.sim.pile import PileController
from edge_agent.sim.pile_on_bus import PileOnBus
from edge_agent.sim.vehicle import WMS_PER_WH, Charger, Vehicle


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m edge_agent.sim", description="A simulated pile.")
    parser.add_argument("--node", type=int, choices=range(1, NODE_LAST + 1), metavar="1..223", default=1)
    parser.add_argument("--kind", type=PileKind, choices=list(PileKind), default=PileKind.DC)
    parser.add_argument("--rated-power-w", type=int, default=120_000)
    parser.add_argument("--interface", default="udp_multicast")
    parser.add_argument("--channel", default="239.74.163.2")
    parser.add_argument("--port", type=int, help="of a udp_multicast bus: each bus has its own")
    parser.add_argument("--meter-address", help="12 digits; without it there is no meter")
    parser.add_argument("--meter-link", type=Path, help="a name for the meter's line that stays")
    parser.add_argument("--meter-start-wh", type=int, default=0)
    parser.add_argument("--control", default="127.0.0.1:0", help="host:port, 0 for any")
    parser.add_argument("--capacity-wh", type=int, default=60_000)
    parser.add_argument("--soc", type=int, default=40, help="of a vehicle that comes, percent")
    parser.add_argument("--vehicle-dc-power-w", type=int, default=120_000)
    parser.add_argument("--vehicle-ac-power-w", type=int, default=7_000)
    parser.add_argument("--plugged", action="store_true", help="a vehicle is there from the start")
    return parser.parse_args(argv)


def _pile(given: argparse.Namespace, clock: Clock) -> PileController:
    vehicle = Vehicle(
        capacity_wh=given.capacity_wh,
        dc_power_w=given.vehicle_dc_power_w,
        ac_power_w=given.vehicle_ac_power_w,
        soc_start_percent=given.soc,
    )
    charger = Charger(
        kind=given.kind,
        rated_power_w=given.rated_power_w,
        vehicle=vehicle,
        meter_wms=given.meter_start_wh * WMS_PER_WH,
    )
    pile = PileController(node=given.node, charger=charger, now=clock.business())
    if given.plugged:
        pile.plug()
    return pile


def _line(given: argparse.Namespace, bus: PileOnBus) -> SimulatedLine | None:
    if given.meter_address is None:
        return None

    def values() -> MeterValues:
        pile = bus.until_now()
        return MeterValues(
            total_wms=pile.charger.meter_wms,
            power_w=pile.power_w,
            voltage_mv=pile.voltage_dv * 100,
            current_ma=pile.current_ma,
        )

    meter = SimulatedMeter(address=given.meter_address, values=values)
    return SimulatedLine(meter, link=given.meter_link)


async def simulate(given: argparse.Namespace) -> None:
    """Work until SIGTERM or SIGINT."""
    clock = Clock.from_env()
    options = {} if given.port is None else {"port": given.port}
    pile = _pile(given, clock)
    bus = PileOnBus(pile, clock, interface=given.interface, channel=given.channel, **options)
    line = _line(given, bus)
    host, _, port = given.control.rpartition(":")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    if line is not None:
        line.start()
    await bus.open()
    server = await Control(bus, line).serve(host, int(port))
    control = ":".join(str(part) for part in server.sockets[0].getsockname()[:2])
    ready = {"node": given.node, "control": control, "meter": line.port if line else None}
    print(json.dumps(ready), flush=True)
    await ended.wait()
    server.close()
    await bus.close()
    if line is not None:
        line.stop()


if __name__ == "__main__":
    asyncio.run(simulate(_arguments(sys.argv[1:])))
