"""The control port of a simulated pile: what people, vehicles and bad luck do, one line a time.

A line is words; the answer is one line of JSON, `{"ok": true, ...}` or `{"ok": false, "error": "..."}`.

    plug [SOC] | unplug | pause | resume | tap CARD | press stop | emergency | full
    fault NAME | unnoticed NAME | clear
    refuse starts | allow starts | slow MS | noise | vanish | return | status
    meter MISBEHAVIOUR [MS] | meter behave
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from edge_agent.codecs.pile_bus_messages import PileFault
from edge_agent.sim.meter_line import SimulatedLine
from edge_agent.sim.pile_on_bus import PileOnBus

LINE_BYTES_MOST = 1_000
Answer = dict[str, Any]


class Control:
    """Obeys lines, on a socket or not."""

    def __init__(self, bus: PileOnBus, line: SimulatedLine | None) -> None:
        self._bus, self._line = bus, line
        self._verbs: dict[str, Callable[..., object]] = {
            "plug": self._plug,
            "unplug": bus.pile.unplug,
            "pause": bus.pile.pause,
            "resume": bus.pile.go_on,
            "tap": bus.tap,
            "press": self._press,
            "emergency": lambda: bus.pile.fail(PileFault.EMERGENCY_STOP),
            "fault": lambda name: bus.pile.fail(PileFault(name)),
            "unnoticed": lambda name: bus.pile.fail_unnoticed(PileFault(name)),
            "clear": bus.pile.clear,
            "full": bus.pile.fill,
            "refuse": lambda what: self._refuse(what, refuses=True),
            "allow": lambda what: self._refuse(what, refuses=False),
            "slow": self._slow,
            "noise": lambda: {"frames": bus.make_noise()},
            "vanish": lambda: self._silence(is_silent=True),
            "return": lambda: self._silence(is_silent=False),
            "status": self._status,
            "meter": self._meter,
        }

    def obey(self, text: str) -> Answer:
        """Do what one line says."""
        verb, *words = text.split() or [""]
        if verb not in self._verbs:
            return {"ok": False, "error": f"no such command: {verb[:40]!r}"}
        self._bus.until_now()
        try:
            told = self._verbs[verb](*words)
        except (TypeError, ValueError) as error:
            return {"ok": False, "error": str(error)}
        self._bus.changed()
        return {"ok": True} | (told if isinstance(told, dict) else {})

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen for lines."""
        return await asyncio.get_running_loop().create_server(lambda: _Caller(self.obey), host, port)

    def _plug(self, soc_percent: str | None = None) -> None:
        if soc_percent is not None and not 0 <= int(soc_percent) <= 100:
            raise ValueError("a state of charge is 0 to 100")
        self._bus.pile.plug(None if soc_percent is None else int(soc_percent))

    def _press(self, what: str) -> None:
        if what != "stop":
            raise ValueError("there is a stop button and no other")
        self._bus.pile.press_stop()

    def _refuse(self, what: str, *, refuses: bool) -> None:
        if what != "starts":
            raise ValueError("only starts can be refused")
        self._bus.pile.refuses_starts = refuses

    def _slow(self, ms: str) -> None:
        self._bus.slow_ms = max(0, int(ms))

    def _silence(self, *, is_silent: bool) -> None:
        self._bus.is_silent = is_silent

    def _meter(self, kind: str, ms: str = "1000") -> None:
        if self._line is None:
            raise ValueError("this pile has no meter")
        if kind == "behave":
            self._line.behave()
        else:
            self._line.misbehave(kind, ms=int(ms))

    def _status(self) -> Answer:
        pile = self._bus.pile
        status = pile.status()
        return {
            "node": pile.node,
            "state": status.state,
            "plugged": status.plugged,
            "locked": status.locked,
            "contactor_closed": status.contactor_closed,
            "soc_percent": pile.charger.soc_percent,
            "stop_cause": status.stop_cause,
            "faults": sorted(pile.faults),
            "power_w": pile.power_w,
            "limit_w": pile.charger.limit_w,
            "meter_wh": pile.charger.meter_wh,
            "meter_wms": pile.charger.meter_wms,
            "commands_taken": pile.commands_taken,
            "meter_answered": self._line.answered if self._line else 0,
        }


class _Caller(asyncio.Protocol):
    def __init__(self, obey: Callable[[str], Answer]) -> None:
        self._obey, self._rest = obey, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:LINE_BYTES_MOST]
        for line in lines:
            answer = self._obey(line.decode("utf-8", "replace"))
            if self._transport is not None:
                self._transport.write(json.dumps(answer).encode() + b"\n")
