"""`interpile edge check`: open every bus and meter once, and say what answers."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.agent import bus_name, pile_bus
from edge_agent.drivers.meter import MeterLine
from edge_agent.drivers.meter_errors import MeterError
from edge_agent.drivers.pile_bus import BusError, PileBus
from edge_agent.settings import PileSettings, Settings

HEAR_S = 1.5
"""A pile that lives says so at least once a second."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one pile and its meter answered; `problem` says what is wrong, "" when nothing is."""

    connector_id: str
    bus: str
    node: int
    pile: str
    meter_port: str
    meter_address: str
    meter_wh: int | None
    problem: str

    @property
    def is_good(self) -> bool:
        """Whether a charge could be made there."""
        return not self.problem

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


async def check(settings: Settings) -> list[Check]:
    """One line per pile."""
    buses: dict[Any, PileBus | str] = {}
    news = asyncio.Event()
    for name in dict.fromkeys(bus_name(pile.can) for pile in settings.piles):
        bus = pile_bus(settings, name, lambda _: news.set())
        try:
            await bus.open()
            buses[name] = bus
        except BusError as problem:
            buses[name] = str(problem)
    lines = {
        pile.meter.port: MeterLine(port=pile.meter.port, baud=pile.meter.baud, parity=pile.meter.parity)
        for pile in settings.piles
    }
    try:
        checks = (
            _check(pile, buses[bus_name(pile.can)], news, lines[pile.meter.port]) for pile in settings.piles
        )
        return list(await asyncio.gather(*checks))
    finally:
        for line in lines.values():
            await line.close()
        for opened in buses.values():
            if isinstance(opened, PileBus):
                await opened.close()


async def _check(pile: PileSettings, bus: PileBus | str, news: asyncio.Event, line: MeterLine) -> Check:
    (heard, bus_problem), (address, meter_wh, meter_problem) = await asyncio.gather(
        _pile(pile, bus, news), _meter(pile, line)
    )
    can = pile.can
    return Check(
        connector_id=pile.connector_id,
        bus=" ".join(str(part) for part in (can.interface, can.channel, can.port) if part),
        node=can.node,
        pile=heard,
        meter_port=pile.meter.port,
        meter_address=address,
        meter_wh=meter_wh,
        problem="; ".join(filter(None, (bus_problem, meter_problem))),
    )


async def _pile(pile: PileSettings, bus: PileBus | str, news: asyncio.Event) -> tuple[str, str]:
    if isinstance(bus, str):
        return "", bus
    view = bus.view(pile.can.node)
    try:
        async with asyncio.timeout(HEAR_S):
            while view.status is None or view.ability is None:
                news.clear()
                await news.wait()
    except TimeoutError:
        return "", f"node {pile.can.node} is not heard"
    ability = view.ability
    heard = f"{view.status.state}, {ability.kind} {ability.rated_power_w} W"
    differs = ability.kind != pile.kind or ability.rated_power_w != pile.rated_power_w
    return heard, f"the file says {pile.kind} {pile.rated_power_w} W" if differs else ""


async def _meter(pile: PileSettings, line: MeterLine) -> tuple[str, int | None, str]:
    address = pile.meter.address
    try:
        address = address or await line.find_address()
        return address, (await line.read_total(address)).total_wh, ""
    except MeterError as problem:
        return address, None, str(problem)


def table(checks: list[Check]) -> str:
    """For a person."""
    head = ("枪 connector", "总线 bus", "节点 node", "桩 pile", "电表 meter", "读数 Wh", "问题 problem")
    rows = [
        (
            one.connector_id,
            one.bus,
            str(one.node),
            one.pile or "-",
            f"{one.meter_port} {one.meter_address or '-'}",
            "-" if one.meter_wh is None else str(one.meter_wh),
            one.problem or "正常 good",
        )
        for one in checks
    ]
    widths = [max(_width(row[at]) for row in (head, *rows)) for at in range(len(head))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )


def _width(text: str) -> int:
    """Columns on a terminal: Chinese takes two."""
    return sum(2 if "\u2e80" <= character <= "\uffff" else 1 for character in text)
