"""What goes on beside the sessions: letters delivered, cycles closed, books sealed, processes started again."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from hub.clearing.jobs import advance
from hub.core.outbox import Lease
from hub.wiring import Hub
from tests.simulation.door import Door
from tests.simulation.operators import Scene, rest
from tests.simulation.process import Crashed, HubProcess

NEXT_LANE = """
SELECT MIN(CASE WHEN lease_until IS NULL OR lease_until < due_at THEN due_at ELSE lease_until + 1000 END)
FROM outbox_lane WHERE due_at IS NOT NULL
"""
NEXT_CYCLE = """
SELECT MIN(at) FROM (SELECT due_at AS at FROM cycle WHERE due_at IS NOT NULL
UNION ALL SELECT fixed_at FROM cycle WHERE state = 'fixed'
UNION ALL SELECT due_at FROM payment WHERE state = 'due' AND direction = 'pay_in'
UNION ALL SELECT c.fixed_at FROM cycle c WHERE c.state = 'paying' AND NOT EXISTS
  (SELECT 1 FROM payment p WHERE p.cycle_id = c.cycle_id AND p.state = 'due')
UNION ALL SELECT due_at FROM dispute WHERE state IN ('raised', 'answered') AND insisted_at IS NULL)
"""
NEXT_SILENT = """
SELECT MIN(updated_at) + 180000000 FROM session
WHERE state IN ('charging', 'paused', 'stopping') AND (asked_number IS NULL OR asked_number < last_number)
"""
UNSEALED = "SELECT COUNT(*) FROM ledger_unsealed"
LOOK_AGAIN_S = 1_800


class Chores:
    """Does for the hub's processes what its loops do in production, but only when there is something to do."""

    def __init__(self, scene: Scene, door: Door, processes: list[HubProcess]) -> None:
        self._scene, self._door, self._processes = scene, door, processes
        self._around = scene.around
        self._eyes = sqlite3.connect(self._around.path, isolation_level=None)
        self.bell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, *more: Coroutine[Any, Any, None]) -> None:
        """Start all of them."""
        works = [
            *more,
            self.deliver(),
            self.close(),
            self.listen(),
            self.seal(),
            *(self.restart(one) for one in self._processes),
        ]
        self._tasks = [self._around.loop.create_task(work) for work in works]

    def end(self) -> None:
        """Stop all of them."""
        for task in self._tasks:
            task.cancel()
        self._eyes.close()

    def seconds_to(self, query: str) -> float | None:
        """How long until something is due by the hub's own clock; None when nothing is."""
        due: int | None = self._eyes.execute(query).fetchone()[0]
        if due is None:
            return None
        return max(0.0, due / 1_000_000 - self._around.clock.wall().timestamp())

    def netted_cycles(self) -> list[str]:
        """Cycles of which there are papers."""
        rows = self._eyes.execute(
            "SELECT cycle_id FROM cycle WHERE netted_at IS NOT NULL AND obligations > 0 ORDER BY cycle_id"
        )
        return [cycle_id for (cycle_id,) in rows]

    # Letters.

    async def deliver(self) -> None:
        """Lanes are worked when somebody rings, when they are due, and when somebody happens to look."""
        while True:
            wait = self.seconds_to(NEXT_LANE)
            self.bell.clear()
            try:
                async with asyncio.timeout(LOOK_AGAIN_S if wait is None else min(wait + 0.001, LOOK_AGAIN_S)):
                    await self.bell.wait()
            except TimeoutError:
                pass
            await rest(self._scene.seconds(0, 1) / 3)
            if not await self._work_lanes():
                await rest(1)

    async def _work_lanes(self) -> bool:
        process = self._door.living()
        if process is None:
            return False
        most = self._around.chance.between(1, 16)

        async def claim(hub: Hub) -> list[Lease]:
            return await hub.outbox.due_lanes(most)

        try:
            leases = await process.serve(claim)
        except Crashed:
            return False
        for lease in leases:
            process.spawn(process.hub.outbox.work_lane(lease))
        return bool(leases)

    # Cycles and seals.

    async def close(self) -> None:
        """Cycles move when they are due, now and then in two processes at once."""
        while True:
            wait = self.seconds_to(NEXT_CYCLE)
            await rest(LOOK_AGAIN_S if wait is None else min(wait, LOOK_AGAIN_S) + self._scene.seconds(0, 9))
            if self.seconds_to(NEXT_CYCLE) == 0:
                if self._around.chance.happens(250):
                    self._scene.reach("closer asleep")
                    await rest(self._scene.seconds(60, 5_400))
                twice = self._around.chance.happens(400)
                await asyncio.gather(*(self._advance() for _ in range(1 + twice)))

    async def _advance(self) -> None:
        process = self._door.living()
        if process is None:
            return
        try:
            moved = await process.serve(_advance_all)
        except Crashed:
            return
        self._around.note(process.name, "moves cycles", len(moved))

    async def listen(self) -> None:
        """Charges of which nothing is heard are found, now and then by two processes at once."""
        while True:
            wait = self.seconds_to(NEXT_SILENT)
            await rest(LOOK_AGAIN_S if wait is None else min(wait, LOOK_AGAIN_S) + self._scene.seconds(1, 15))
            if self.seconds_to(NEXT_SILENT) == 0:
                twice = self._around.chance.happens(400)
                await asyncio.gather(*(self._sweep() for _ in range(1 + twice)))

    async def _sweep(self) -> None:
        process = self._door.living()
        if process is None:
            return
        with contextlib.suppress(Crashed):
            found = await process.serve(lambda hub: hub.roaming.silence.sweep())
            self._around.note(process.name, "finds silent", found)

    async def seal(self) -> None:
        """The sealer comes by, and closes days."""
        while True:
            await rest(self._scene.seconds(600, LOOK_AGAIN_S))
            process = self._door.living()
            if process is not None and self._eyes.execute(UNSEALED).fetchone()[0]:
                try:
                    await process.serve(lambda hub: hub.ledger_jobs.round())
                except Crashed:
                    continue

    # Processes and clocks.

    async def restart(self, process: HubProcess) -> None:
        """A dead process is started again after a while."""
        while True:
            await process.died.wait()
            await rest(self._scene.seconds(1, 90))
            process.boot()
            if len(self._processes) == 1 and self._around.chance.happens(700):
                try:
                    await process.serve(lambda hub: hub.outbox.forget_leases())
                except Crashed:
                    continue

    async def set_clocks(self, at_s: list[float]) -> None:
        """The hub's clock is wrong for a while, forward or backward, and is set right again."""
        for wait_s in at_s:
            await rest(wait_s)
            self._around.tally.faults["clock step"] += 1
            self._around.clock.wrong_by = timedelta(seconds=self._around.chance.between(-600, 600))
            self._around.note("clock wrong by", self._around.clock.wrong_by)
            await rest(self._scene.seconds(60, 3_600))
            self._around.clock.wrong_by = timedelta(0)


async def _advance_all(hub: Hub) -> list[str]:
    """What the hub's own loops do at every turn."""
    await hub.roaming.disputes.expire_due(hub.clock.business())
    moved = await advance(hub.clearing, hub.clock.business())
    return moved + await hub.payments.advance(hub.clock.business())
