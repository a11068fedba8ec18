"""Prices that hosts told lately, so that a scan and the start after it ask once (profile: `policy_life_s`)."""

from datetime import datetime, timedelta

from hub.core.memory import Memory
from operator_sdk.contract.messages.directory import TariffPut

LONGEST = timedelta(hours=1)


class Policies:
    """What each host told of each connector, and when, in this process."""

    def __init__(self) -> None:
        self._told: Memory[tuple[str, str], tuple[TariffPut, datetime]] = Memory(LONGEST)

    def get(self, party_id: str, connector_id: str, *, life_s: int, now: datetime) -> TariffPut | None:
        """What was told within so many seconds; `now` is wall time."""
        told = self._told.get((party_id, connector_id), now)
        return told[0] if told is not None and now - told[1] < timedelta(seconds=life_s) else None

    def put(self, party_id: str, connector_id: str, put: TariffPut, now: datetime) -> None:
        """Remember what was just told."""
        self._told.put((party_id, connector_id), (put, now), now)
