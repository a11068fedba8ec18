"""Tells the hub what the host has and what its connectors are doing, as long as it takes."""

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from operator_sdk.client import AsyncHubClient, is_decided
from operator_sdk.clock import Clock
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.messages.directory import (
    ConnectorStatus,
    StationPut,
    StatusPush,
    TariffPut,
)
from operator_sdk.errors import InterpileError
from operator_sdk.examples.host.fleet import Fleet
from operator_sdk.examples.host.site import SiteStation, SiteTariff
from operator_sdk.examples.host.store import Store

log = logging.getLogger("interpile.host")

STATUS_EVERY_S = 60
_RETRY_S = 1
_STATUSES_MAX = 500


class RefusedTariff(Struct, frozen=True, kw_only=True):
    """A tariff version that the hub has decided against."""

    tariff_id: str
    version: int
    reason: str


class Publisher:
    """Tariffs and stations once, statuses again and again and at every change."""

    def __init__(
        self,
        *,
        stations: list[SiteStation],
        connectors: Iterable[str],
        store: Store,
        fleet: Fleet,
        hub: AsyncHubClient,
        clock: Clock,
    ) -> None:
        self._stations, self._connectors = stations, list(connectors)
        self._store, self._fleet, self._hub, self._clock = store, fleet, hub, clock
        self.is_published, self._is_due = False, True
        self.refused: list[RefusedTariff] = []

    async def run(self) -> None:
        """Publish, and keep the statuses fresh."""
        while True:
            try:
                while not self.is_published:
                    await self.publish()
                self._fleet.changed.clear()
                await self.push_statuses()
            except InterpileError as problem:
                log.warning("not published yet: %s", problem)
                await asyncio.sleep(_RETRY_S)
                continue
            await self._until_changed()

    def again(self) -> None:
        """There is something new to publish."""
        self._is_due, self.is_published = True, False
        self._fleet.changed.set()

    async def publish(self) -> None:
        """Every tariff version and every station. A tariff that the hub refuses is marked; the rest goes on.

        Raises:
            InterpileError: the hub did not take one of them, and may yet.
        """
        self._is_due, self.refused = False, []
        for tariff in self._store.tariffs():
            put = msgspec.convert(tariff, TariffPut, from_attributes=True)
            try:
                await self._hub.put_tariff(tariff.tariff_id, tariff.version, put)
            except InterpileError as problem:
                if not is_decided(problem):
                    raise
                self._mark(tariff, str(problem))
        for station in self._stations:
            whole = StationPut(
                name=station.name,
                address=station.address,
                latitude_e6=station.latitude_e6,
                longitude_e6=station.longitude_e6,
                tariff_id=station.tariff_id,
                piles=station.piles,
                details=station.details,
            )
            await self._hub.put_station(station.station_id, whole)
        self.is_published = not self._is_due

    def _mark(self, tariff: SiteTariff, reason: str) -> None:
        log.error("tariff %s version %s refused: %s", tariff.tariff_id, tariff.version, reason)
        marked = RefusedTariff(tariff_id=tariff.tariff_id, version=tariff.version, reason=reason)
        self.refused = [*self.refused, marked]

    def statuses(self) -> list[ConnectorStatus]:
        """Every connector's state, now: what its site last said, or offline while the site is away."""
        said, now = self._store.statuses(), self._clock.business()
        made = []
        for connector_id in self._connectors:
            known = said.get(connector_id)
            here = self._fleet.is_connected(self._fleet.site_of(connector_id))
            state = known.state if known and here else ConnectorState.OFFLINE
            made.append(ConnectorStatus(connector_id=connector_id, state=state, at=now))
        return made

    async def push_statuses(self) -> None:
        """Tell the hub.

        Raises:
            InterpileError: the hub did not take them.
        """
        statuses = self.statuses()
        for first in range(0, len(statuses), _STATUSES_MAX):
            await self._hub.push_status(StatusPush(statuses=statuses[first:][:_STATUSES_MAX]))

    async def _until_changed(self) -> None:
        changed = asyncio.ensure_future(self._fleet.changed.wait())
        timer = asyncio.ensure_future(self._clock.sleep_business(STATUS_EVERY_S))
        try:
            await asyncio.wait({changed, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            timer.cancel()
