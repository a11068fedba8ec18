"""The charges of a simulated host while they live: start, push, stop, order until it is acknowledged."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.messages import (
    NotificationChargeOrderInfoReply,
    NotificationEquipChargeStatus,
    NotificationStationStatus,
)
from operator_sdk.errors import InterpileError
from operator_sdk.tcec102.sim.calls import ORDER, Courier, Letter, SimulatedClient
from operator_sdk.tcec102.sim.charges import (
    CHARGING,
    ENDED,
    PULLED,
    STARTING,
    STOPPING,
    UNKNOWN,
    VEHICLE_FULL,
    Charge,
    Told,
    whole_second,
)
from operator_sdk.tcec102.sim.pains import Pains
from operator_sdk.tcec102.sim.store import Store
from operator_sdk.tcec102.sim.tasks import Tasks
from operator_sdk.tcec102.sim.world import OFFLINE, PLUGGED, RESERVED, Plug, World

log = logging.getLogger("interpile.tcec102.sim")
KIND = "charge"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast things go: milliseconds of wall time, but for the vehicle's room in Wh."""

    push_ms: int = 50_000
    retry_ms: int = 150_000
    start_ms: int = 200
    vehicle_wh: int = 36_000
    tells_stations: bool = True


class Life:
    """All charges of the host, by StartChargeSeq, each with a task of its own."""

    def __init__(
        self,
        *,
        world: World,
        client: SimulatedClient,
        told: Told,
        pains: Pains,
        clock: Clock,
        store: Store,
        pace: Pace,
        tasks: Tasks,
    ) -> None:
        self.charges: dict[str, Charge] = {}
        self.pace = pace
        self._world, self._client, self._told, self._pains = world, client, told, pains
        self._clock, self._store, self._tasks = clock, store, tasks
        self._stops: dict[str, asyncio.Event] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def resume(self) -> None:
        """Go on with what the last run left: running charges, and orders nobody has acknowledged."""
        for charge in self._store.all(KIND, Charge):
            self.charges[charge.seq] = charge
            if charge.stat == ENDED and (charge.started_at is None or charge.confirm_result is not None):
                continue
            plug = self._world.plugs.get(charge.connector_id)
            if plug is not None and charge.stat != ENDED:
                plug.charge, plug.is_plugged = charge.seq, True
                plug.is_charging = charge.stat in {CHARGING, STOPPING}
            self._launch(charge)

    def begin(self, charge: Charge) -> None:
        """A start was taken up."""
        self.charges[charge.seq] = charge
        self._world.plugs[charge.connector_id].charge = charge.seq
        self._save(charge)
        self._launch(charge)

    def stop(self, seq: str, reason: int) -> bool:
        """Stop a charge for this reason; false when it runs no more."""
        charge = self.charges.get(seq)
        if charge is None or charge.stat not in {STARTING, CHARGING} or charge.stop_asked:
            return False
        charge.stop_asked, charge.stop_reason = True, reason
        if charge.stat == CHARGING:
            charge.stat = STOPPING
        self._save(charge)
        self._stops[seq].set()
        return True

    def tell_status(self, plug: Plug) -> None:
        """A connector has changed."""
        if self.pace.tells_stations:
            self._tasks.start(self._tell_status(plug, plug.status))

    def _launch(self, charge: Charge) -> None:
        self._stops[charge.seq] = asyncio.Event()
        self._tasks.start(self._live(charge))

    async def _live(self, charge: Charge) -> None:
        courier = Courier(self._client, retry_ms=self.pace.retry_ms)
        sending = self._tasks.start(courier.run())
        try:
            if charge.stat == STARTING:
                await self._start(charge, courier)
            if charge.stat in {CHARGING, STOPPING}:
                await self._charge(charge, courier)
                self._end(charge, courier)
            elif charge.stat == ENDED and charge.ended_at is not None:
                self._put_order(charge, courier)
        finally:
            courier.close()
        await sending

    async def _start(self, charge: Charge, courier: Courier) -> None:
        await asyncio.sleep(self.pace.start_ms / 1000)
        if "start_hangs" in self._pains:
            await self._stops[charge.seq].wait()
        if charge.stop_asked or self._fails():
            charge.stat = ENDED
            told_as = UNKNOWN if "start_fails_5" in self._pains else ENDED
            courier.put(Letter("notification_start_charge_result", self._told.started(charge, told_as)))
            self._release(charge)
            return
        charge.started_at, charge.stat = whole_second(self._clock.business()), CHARGING
        self._save(charge)
        if "start_never_reports" not in self._pains:
            courier.put(Letter("notification_start_charge_result", self._told.started(charge, CHARGING)))
        plug = self._world.plugs[charge.connector_id]
        plug.is_charging = True
        self.tell_status(plug)

    def _fails(self) -> bool:
        return "start_fails_4" in self._pains or "start_fails_5" in self._pains

    async def _charge(self, charge: Charge, courier: Courier) -> None:
        """Push until somebody stops it, or the vehicle is full."""
        while not charge.stop_asked:
            now, full_at = self._clock.business(), charge.full_at()
            if full_at is not None and now >= full_at:
                charge.stop_reason = VEHICLE_FULL
                return
            if await self._is_stopped_within(charge, self._until_push_s(now, full_at)):
                return
            status = self._told.status(charge, self._clock.business())
            message = NotificationEquipChargeStatus(**status)
            courier.put(Letter("notification_equip_charge_status", message, passing=True))

    def _until_push_s(self, now: datetime, full_at: datetime | None) -> float:
        push_s = self.pace.push_ms / 1000
        if full_at is None:
            return push_s
        return min(push_s, (full_at - now) / timedelta(seconds=1) / self._clock.speed + 0.001)

    async def _is_stopped_within(self, charge: Charge, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stops[charge.seq].wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _end(self, charge: Charge, courier: Courier) -> None:
        assert charge.started_at is not None
        charge.ended_at = max(charge.started_at, whole_second(self._clock.business()))
        charge.stat = ENDED
        self._release(charge)
        stop = Letter("notification_stop_charge_result", self._told.stopped(charge))
        if "order_before_stop" in self._pains:
            self._put_order(charge, courier)
            courier.put(stop)
            return
        courier.put(stop)
        self._put_order(charge, courier)

    def _release(self, charge: Charge) -> None:
        self._save(charge)
        plug = self._world.plugs.get(charge.connector_id)
        if plug is None or plug.charge != charge.seq:
            return
        plug.charge, plug.is_charging = None, False
        if charge.stop_reason == PULLED:
            plug.is_plugged = False
        self.tell_status(plug)

    def _put_order(self, charge: Charge, courier: Courier) -> None:
        def tried() -> None:
            charge.order_attempts += 1

        def answered(reply: NotificationChargeOrderInfoReply) -> None:
            charge.confirm_result = reply.confirm_result
            self._save(charge)

        letter = Letter(ORDER, self._told.order(charge), endless=True, answered=answered, tried=tried)
        courier.put(letter)
        if "order_twice_new_envelope" in self._pains:
            courier.put(letter)

    async def _tell_status(self, plug: Plug, status: int) -> None:
        told = [PLUGGED, RESERVED, OFFLINE, status] if "flapping" in self._pains else [status]
        async with self._turns.setdefault(plug.info.connector_id, asyncio.Lock()):
            for one in told:
                message = NotificationStationStatus(connector_status_info=plug.as_status(one))
                await self._try("notification_stationStatus", message)

    async def _try(self, interface: str, message: Any) -> None:
        try:
            await self._client.call(interface, message)
        except InterpileError as problem:
            log.info("%s was not taken: %s", interface, type(problem).__name__)

    def _save(self, charge: Charge) -> None:
        self._store.save(KIND, charge.seq, charge)
