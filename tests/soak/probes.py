"""How long the hub takes to answer those that are not disturbed."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Self

from operator_sdk.clock import Clock
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import ConnectorStatus, StatusPush
from operator_sdk.contract.tcec102.messages import (
    ConnectorStatusInfo,
    NotificationStationStatus,
    QueryStationStatus,
)
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.tcec102 import Tcec102Client
from tests.rig import A, B
from tests.soak.load import SPARE
from tests.soak.town import HOME_2, HOST_2, Town

EVERY_S = 0.1


@dataclass
class Phase:
    """Answer times in seconds, with the instant at which each was asked."""

    times: list[tuple[float, float]] = field(default_factory=list)

    def p99_ms(self, windows: int) -> float:
        """The median of the p99 of so many equal stretches: a hiccup of the machine spoils one of them."""
        first, last = self.times[0][0], max(at for at, _ in self.times)
        length = (last - first) / windows
        parts: list[list[float]] = [[] for _ in range(windows)]
        for at, took in self.times:
            parts[min(windows - 1, int((at - first) / length))].append(took)
        return 1_000 * median(_p99(part) for part in parts if part)

    def by_name(self, spans: Iterable[tuple[str, float, float]]) -> dict[str, float]:
        """The p99 in ms of what was asked within the stretches of each name (name, from, to)."""
        parts: dict[str, list[float]] = {}
        for name, first, last in spans:
            parts.setdefault(name, []).extend(took for at, took in self.times if first <= at < last)
        return {name: 1_000 * _p99(part) for name, part in parts.items() if part}


def _p99(times: list[float]) -> float:
    return sorted(times)[math.ceil(len(times) * 0.99) - 1]


class Probes:
    """Asks as the native host, the native home, a T/CEC 102 home and a T/CEC 102 host, ten times a second each.

    No answer may be a refusal: the first one ends the run.
    """

    def __init__(self, town: Town) -> None:
        self._town = town
        self._stack = AsyncExitStack()
        self._phase: Phase | None = None
        self._asking: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        home, host = await self._client(HOME_2), await self._client(HOST_2)
        plug = (await self._town.partners[HOST_2].get("connectors"))[SPARE]
        rig = self._town.rig

        async def as_native_host() -> object:
            at = rig.hub.clock.business()
            status = ConnectorStatus(connector_id="A1", state=ConnectorState.AVAILABLE, at=at)
            return await rig.client(A).push_status(StatusPush(statuses=[status]))

        async def as_native_home() -> object:
            return await rig.client(B).get_station(A, "S1")

        async def as_home() -> object:
            return await home.query_station_status(QueryStationStatus(station_ids=[plug["station_id"]]))

        async def as_host() -> object:
            told = ConnectorStatusInfo(connector_id=plug["connector_id"], status=2)
            return await host.notification_stationStatus(NotificationStationStatus(connector_status_info=told))

        for ask in (as_native_host, as_native_home, as_home, as_host):
            await ask()
            self._asking.append(asyncio.create_task(self._ask(ask)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await self._stack.aclose()

    def begin(self) -> Phase:
        """From now on what is measured belongs to another phase."""
        self._phase = Phase()
        return self._phase

    def stop(self) -> None:
        """Measure no more. Raises what a probe was refused with."""
        self._phase = None
        for task in self._asking:
            if task.done():
                task.result()

    async def _ask(self, ask: Callable[[], Awaitable[object]]) -> None:
        while True:
            phase, begun = self._phase, time.monotonic()
            await ask()
            if phase is not None:
                phase.times.append((begun, time.monotonic() - begun))
            await asyncio.sleep(EVERY_S)

    async def _client(self, party_id: str) -> Tcec102Client:
        role = "host" if party_id == HOME_2 else "home"
        text = self._town.pairs[party_id].sim_profile(self._town.world.url, roles=[role])
        profile, secrets = read_profile(text)
        client = Tcec102Client(profile, secrets, operator_id=party_id, clock=Clock())
        return await self._stack.enter_async_context(client)
