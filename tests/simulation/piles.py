"""A host's piles: current flows from the start to the stop, and the meter counts."""

import asyncio
from typing import TYPE_CHECKING

from operator_sdk.contract.codes import SessionState
from tests.simulation.charge import ENDED, FAILED, ON, TAKEN, Charge
from tests.simulation.operators import later, rest

if TYPE_CHECKING:
    from tests.simulation.host import Host

IDLE_MOST_S = 2_400


class Pile:
    """Runs charges."""

    def __init__(self, host: "Host") -> None:
        self._host, self._scene = host, host.scene

    async def run(self, charge: Charge) -> None:
        """From the command to the bill."""
        scene, conduct = self._scene, charge.conduct
        await rest(scene.seconds(65, 240) if conduct.start == "slow" else scene.seconds(1, 20))
        if charge.state != TAKEN:
            return
        if conduct.start == "fails":
            charge.state = FAILED
            scene.reach("start fails")
            self._host.send(charge, charge.update(scene.now, SessionState.START_FAILED))
            return
        if conduct.record == "lies":
            scene.reach("host lies")
            self._host.send(charge, charge.update(scene.now, SessionState.START_FAILED))
        self._switch_on(charge)
        await self._flow(charge)
        self._switch_off(charge)
        await self._leave(charge)
        await self._host.bills.make(charge)

    def _switch_on(self, charge: Charge) -> None:
        charge.state = ON
        self._scene.truth.current_on(charge.session_id)
        meters = self._host.meters
        charge.meter_start_wh = meters.setdefault(
            charge.connector_id, self._scene.around.chance.between(0, 10**7)
        )
        charge.begin(self._scene.now)
        self._tell(charge, SessionState.CHARGING)

    async def _flow(self, charge: Charge) -> None:
        """Until the goal, the limit, the vehicle or a stop ends it, with an update now and then."""
        scene = self._scene
        seconds, reason = charge.seconds_wanted(scene.around.chance.between(240, 7_200))
        legs = [seconds // 2, seconds - seconds // 2] if seconds >= 120 else [seconds]
        for number, leg in enumerate(legs):
            if await self._stopped_within(charge, leg):
                charge.tick(scene.now, flowing=True)
                await self._slow_stop(charge)
                return
            charge.tick(scene.now, flowing=True)
            if number + 1 < len(legs):
                self._tell(charge, SessionState.CHARGING)
                if charge.conduct.pauses and await self._pause(charge):
                    return
        charge.stop_reason = reason
        if charge.conduct.overrun and charge.limit_fen is not None:
            await self._overrun(charge, charge.limit_fen)

    async def _pause(self, charge: Charge) -> bool:
        """No current for a while; whether a stop came."""
        self._scene.reach("pause")
        self._tell(charge, SessionState.PAUSED)
        stopped = await self._stopped_within(charge, self._scene.around.chance.between(60, 600))
        charge.tick(self._scene.now, flowing=False)
        if not stopped:
            self._tell(charge, SessionState.CHARGING)
        return stopped

    async def _overrun(self, charge: Charge, limit_fen: int) -> None:
        """The host does not stop at the limit."""
        beyond = limit_fen + self._scene.around.chance.between(1, 1_500)
        while charge.amount_fen() <= beyond and not await self._stopped_within(charge, 300):
            charge.tick(self._scene.now, flowing=True)
        self._scene.reach("host overruns the limit")

    async def _slow_stop(self, charge: Charge) -> None:
        """A stop takes a pile some seconds, in which current still flows."""
        self._scene.reach("stopped by command")
        await rest(self._scene.seconds(0, 25))
        charge.tick(self._scene.now, flowing=True)

    async def _stopped_within(self, charge: Charge, seconds: int) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await charge.stop.wait()
        except TimeoutError:
            return False
        return True

    def _switch_off(self, charge: Charge) -> None:
        charge.state = ENDED
        self._scene.truth.current_off(charge.session_id)
        self._host.meters[charge.connector_id] = charge.meter_wh
        self._tell(charge, SessionState.ENDED)

    def _tell(self, charge: Charge, state: SessionState) -> None:
        if charge.conduct.reports != "none":
            power_w = charge.power_w if state is SessionState.CHARGING else 0
            self._host.send(charge, charge.update(self._scene.now, state, power_w=power_w))

    async def _leave(self, charge: Charge) -> None:
        """The vehicle stays a while; parking and idle fees run until it leaves."""
        if charge.tariff.parking is None and charge.tariff.idle is None:
            return
        await rest(self._scene.seconds(0, IDLE_MOST_S))
        charge.left_at = later(self._scene.now, 0)
