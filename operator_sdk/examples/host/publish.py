"""Tells the hub what the host has and what its connectors are doing, as long as it takes."""

import asyncio
import logging

from operator_sdk.client import AsyncHubClient
from operator_sdk.contract.messages.directory import (
    ConnectorStatus,
    StationPut,
    StatusPush,
    TariffPut,
)
from operator_sdk.errors import InterpileError
from operator_sdk.examples.host.platform import Platform

log = logging.getLogger("interpile.host")

STATUS_EVERY_S = 60
_RETRY_S = 1
_STATUSES_MAX = 500


class Publisher:
    """Tariffs and stations once, statuses again and again and at every change."""

    def __init__(self, platform: Platform, hub: AsyncHubClient) -> None:
        self._platform = platform
        self._hub = hub
        self.is_published = False

    async def run(self) -> None:
        """Publish, and keep the statuses fresh."""
        while True:
            try:
                if not self.is_published:
                    await self.publish()
                self._platform.changed.clear()
                await self.push_statuses()
            except InterpileError as problem:
                log.warning("not published yet: %s", problem)
                await asyncio.sleep(_RETRY_S)
                continue
            await self._until_changed()

    async def publish(self) -> None:
        """Every tariff version and every station.

        Raises:
            InterpileError: the hub did not take one of them.
        """
        for tariff in self._platform.site.tariffs:
            put = TariffPut(
                valid_from=tariff.valid_from,
                periods=tariff.periods,
                utc_offset_minutes=tariff.utc_offset_minutes,
            )
            await self._hub.put_tariff(tariff.tariff_id, tariff.version, put)
        for station in self._platform.site.stations:
            whole = StationPut(
                name=station.name,
                address=station.address,
                latitude_e6=station.latitude_e6,
                longitude_e6=station.longitude_e6,
                tariff_id=station.tariff_id,
                piles=station.piles,
            )
            await self._hub.put_station(station.station_id, whole)
        self.is_published = True

    async def push_statuses(self) -> None:
        """Every connector's state, now.

        Raises:
            InterpileError: the hub did not take them.
        """
        now = self._platform.clock.business()
        statuses = [
            ConnectorStatus(connector_id=one.connector_id, state=one.state, at=now)
            for one in self._platform.connectors.values()
        ]
        for first in range(0, len(statuses), _STATUSES_MAX):
            await self._hub.push_status(StatusPush(statuses=statuses[first:][:_STATUSES_MAX]))

    async def _until_changed(self) -> None:
        changed = asyncio.ensure_future(self._platform.changed.wait())
        timer = asyncio.ensure_future(self._platform.clock.sleep_business(STATUS_EVERY_S))
        try:
            await asyncio.wait({changed, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            timer.cancel()
