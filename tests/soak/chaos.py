"""What goes wrong: one thing after the other, always at the same two partners."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.soak.town import DISTURBED, HOME_1, HOST_1, Town

LOOK_S, LOOKS = 0.2, 50


@dataclass(frozen=True)
class Trouble:
    """One kind of it; `restarts`: what it has left undone ends with the process."""

    name: str
    of_host: str = ""
    of_home: str = ""
    kills: bool = False
    restarts: bool = False


TROUBLES = (
    Trouble("slow", of_host="slow", of_home="slow"),
    Trouble("lying about money", of_host="lying_order", of_home="replayed"),
    Trouble("signing wrongly", of_host="wrong_answer_sig", of_home="wrong_answer_sig"),
    Trouble("killed", kills=True),
    Trouble("replaying", of_host="replayed order_twice order_twice_new_envelope flapping", of_home="replayed"),
    Trouble("silent", of_host="silent", of_home="silent", restarts=True),
)
"""None lies right after it was killed: an order whose answer it did not hear would come again with other money,
and be refused beside the accepted one, as it should be."""


class Chaos:
    """Makes trouble until the time is over, each kind at least once.

    `seen` says how often each was, `spans` from when to when (name, monotonic seconds); `counts` are those of
    the disturbed partners when they were killed.
    """

    def __init__(self, town: Town, tell: Callable[[str], None]) -> None:
        self.town, self.tell = town, tell
        self.seen: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.spans: list[tuple[str, float, float]] = []

    async def run(self, seconds: float, hold_s: float) -> None:
        """Rounds of all troubles."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self.seen or loop.time() < end:
            for trouble in TROUBLES:
                self.tell(f"partners are {trouble.name}")
                begun = time.monotonic()
                await self._make(trouble, hold_s)
                self.spans.append((trouble.name, begun, time.monotonic()))
                self.seen[trouble.name] = self.seen.get(trouble.name, 0) + 1

    async def _make(self, trouble: Trouble, hold_s: float) -> None:
        if trouble.kills:
            await self._kill(hold_s)
            return
        for party_id, names in ((HOST_1, trouble.of_host), (HOME_1, trouble.of_home)):
            await self.town.partners[party_id].post("pains", off=["*"], on=names.split())
        before = await self._refused()
        await asyncio.sleep(hold_s)
        for _ in range(LOOKS if "lying_order" in trouble.of_host else 0):
            if await self._refused() > before:
                break
            await asyncio.sleep(LOOK_S)  # charges end all the time, and the first one's order is a lie
        for party_id in DISTURBED:
            await self.town.partners[party_id].post("pains", off=["*"])
        if trouble.restarts:
            await self._kill(0)

    async def _refused(self) -> int:
        charges = await self.town.partners[HOST_1].get("charges")
        return sum(one["confirm_result"] == 1 for one in charges)

    async def _kill(self, hold_s: float) -> None:
        """SIGKILL both, and start them again a moment later on the same ports, with what they had kept."""
        partners = self.town.partners
        for party_id in DISTURBED:
            for name, count in (await partners[party_id].get("state"))["counts"].items():
                self.counts[name] = self.counts.get(name, 0) + count
        self.town.down.update(DISTURBED)
        for party_id in DISTURBED:
            partners[party_id].kill()
        await asyncio.sleep(max(hold_s, 0.2))
        await asyncio.gather(*(partners[party_id].restart() for party_id in DISTURBED))
        self.town.down.clear()
