"""What goes on all the time: drivers of the homes, and a native pair that charges and bills."""

import asyncio
from datetime import timedelta
from typing import Self

import httpx

from operator_sdk.contract.codes import StopReason, TokenKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.messages.roaming import StartRequest
from tests.rig import HOLD_FEN, A, B, flat
from tests.rig_charges import METER_WH, TURN_WH, Charge
from tests.soak.town import CHARGE_S, HOME_1, HOME_2, HOST_1, HOST_2, SPEED, Town
from tests.tcec_partner import ControlRefused

DRIVERS = (
    (HOME_1, HOST_1, 0),
    (HOME_1, HOST_2, 1),
    (HOME_2, HOST_1, 2),
    (HOME_2, HOST_2, 3),
    (HOME_1, HOST_1, 4),
    (HOME_2, HOST_2, 5),
)
"""Whose driver charges where, and at which connector."""

SPARE = 6
"""A connector that nobody charges at."""

PAUSE_S, STOP_EVERY, CALM_S = 0.2, 3, 30
MINUTES = 1


class Load:
    """Drivers and the native pair, until told to stop. `refused` are starts that came to nothing, by pair."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.accepted: dict[tuple[str, str], int] = {}
        self.refused: dict[tuple[str, str], list[str]] = {}
        self.native: list[str] = []
        self._over = False
        self._working: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    async def begin(self) -> None:
        """Everybody starts."""
        codes = {host: await self.town.partners[host].get("connectors") for host in (HOST_1, HOST_2)}
        for home, host, number in DRIVERS:
            self._working.append(asyncio.create_task(self._drive(home, host, codes[host][number])))
        for plug in ("A1", "A2"):
            self._working.append(asyncio.create_task(self._native(plug)))

    async def end(self) -> None:
        """Nobody starts any more; what runs comes to its end."""
        self._over = True
        await asyncio.gather(*self._working)

    def broken(self) -> None:
        """Raise what has ended a driver before the time."""
        for task in self._working:
            if task.done():
                task.result()

    async def _drive(self, home: str, host: str, plug: dict[str, str]) -> None:
        turn = 0
        while not self._over:
            turn += 1
            if {home, host} & self.town.down:
                await asyncio.sleep(PAUSE_S)
                continue
            try:
                await self._charge(home, host, plug, stops=turn % STOP_EVERY == 0)
            except (httpx.HTTPError, ControlRefused) as problem:
                self.refused.setdefault((home, host), []).append(type(problem).__name__)
                await asyncio.sleep(PAUSE_S)

    async def _charge(self, home: str, host: str, plug: dict[str, str], *, stops: bool) -> None:
        at = self.town.partners[home]
        said = await at.post("scan", text=plug["qr"], balance_fen=HOLD_FEN)
        if not said["accepted"]:
            self.refused.setdefault((home, host), []).append(f"{said['step']} {said['reason']}")
            await asyncio.sleep(PAUSE_S)
            return
        self.accepted[home, host] = self.accepted.get((home, host), 0) + 1
        await asyncio.sleep(CHARGE_S / 2)
        if stops and not {home, host} & self.town.down:
            await at.post("stop", start_charge_seq=said["start_charge_seq"])
        await asyncio.sleep(CHARGE_S / 2)
        for _ in range(int(CALM_S / PAUSE_S)):
            if await self._is_free(host, plug["connector_id"]):
                return
            await asyncio.sleep(PAUSE_S)
        raise AssertionError(f"{plug['connector_id']} does not come to an end")

    async def _is_free(self, host: str, connector_id: str) -> bool:
        if host in self.town.down:
            return True
        plugs = await self.town.partners[host].get("connectors")
        return any(one["connector_id"] == connector_id and one["charge"] is None for one in plugs)

    async def _native(self, plug: str) -> None:
        rig, meter_wh = self.town.rig, METER_WH
        put = flat(rig.hub)
        tariff = Tariff(party_id=A, tariff_id="t", version=1, valid_from=put.valid_from, periods=put.periods)
        while not self._over:
            request = StartRequest(
                start_ref=rig.ref(f"start-{plug}"),
                token=Token(kind=TokenKind.APP_USER, ref=rig.ref("u")),
                connector=f"{plug}.{A}",
                limit_fen=HOLD_FEN,
            )
            session = await rig.client(B).start_session(request)
            assert session.refusal is None, session.refusal
            rig.b.limits[session.session_id] = HOLD_FEN
            started_at = (rig.hub.clock.business() + timedelta(seconds=1)).replace(microsecond=0)
            charge = Charge(rig, session.session_id, tariff, started_at, meter_wh)
            await charge.push(charge.update(0))
            for minute in range(1, MINUTES):
                await asyncio.sleep(60 / SPEED + 0.02)
                await charge.push(charge.update(minute))
            await asyncio.sleep(60 / SPEED + 0.02)
            await charge.ends(MINUTES, StopReason.DRIVER_LOCAL)
            bill = await rig.client(A).push_record(charge.record(connector_id=plug))
            assert bill.state == "accepted", bill
            self.native.append(session.session_id)
            meter_wh += TURN_WH
