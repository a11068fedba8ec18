"""An operator's platform in the simulator: a home's desk, a host's desk or both, and hours when it is down."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from operator_sdk.contract.codes import Role
from operator_sdk.contract.operations import OPERATOR
from tests.simulation.door import Door, operator
from tests.simulation.network import Network, Silence
from tests.simulation.process import Surroundings
from tests.simulation.truth import Truth


@dataclass(slots=True)
class Scene:
    """What an operator stands in."""

    around: Surroundings
    network: Network
    door: Door
    truth: Truth

    @property
    def now(self) -> datetime:
        """The true time."""
        return self.around.clock.true()

    def reach(self, what: str) -> None:
        """Something worth counting came about."""
        self.around.tally.reached[what] += 1

    def seconds(self, low: int, high: int) -> float:
        """Some time between two, in seconds, to the millisecond."""
        return self.around.chance.between(low * 1000, high * 1000) / 1000


@dataclass
class Operator:
    """A platform. `down`: when nobody answers there; whatever it does of itself waits too."""

    party_id: str
    scene: Scene
    down: list[tuple[datetime, datetime]] = field(default_factory=list)
    desks: dict[Role, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.me = operator(self.party_id)

    def _up_again_at(self) -> datetime | None:
        now = self.scene.now
        if self.scene.around.weather.calm:
            return None
        return next((end for begin, end in self.down if begin <= now < end), None)

    async def until_up(self) -> None:
        """Wait for the end of an outage."""
        while (end := self._up_again_at()) is not None:
            await rest((end - self.scene.now).total_seconds())

    async def answer(self, operation_id: str, path: str, body: bytes) -> bytes:
        """What the hub's message comes to here.

        Raises:
            Silence: nobody is there. Refusal: a 4xx.
        """
        if self._up_again_at() is not None:
            self.scene.reach("operator down")
            raise Silence
        operation = OPERATOR[operation_id]
        message = msgspec.json.decode(body, type=operation.request)
        handler = getattr(self.desks[Role(operation.role or "")], f"on_{operation_id}")
        return msgspec.json.encode(await handler(message, path))


@dataclass
class Desk:
    """One side of an operator."""

    operator: Operator

    @property
    def party_id(self) -> str:
        return self.operator.party_id

    @property
    def scene(self) -> Scene:
        return self.operator.scene

    def problem(self, text: str) -> None:
        """The hub said or did something to this operator that it never should."""
        self.scene.around.problem(f"{self.party_id}: {text}")


async def rest(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


def later(now: datetime, seconds: float) -> datetime:
    """That many seconds from now, to the millisecond."""
    return now + timedelta(milliseconds=round(seconds * 1000))
