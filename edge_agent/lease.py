"""A charge is a lease: its pile stops by itself unless it hears, again and again, that somebody watches."""

import asyncio
import logging

from edge_agent.charge import Charge
from edge_agent.codecs.pile_bus import CYCLES_MS
from edge_agent.codecs.pile_bus_messages import Limit
from edge_agent.drivers.pile_bus import BusError, PileBus
from edge_agent.session import FLOWING
from operator_sdk.contract.codes import SessionState

log = logging.getLogger("interpile.edge.lease")

LEASE_S = CYCLES_MS[Limit] / 1000
"""How often it is told, wall time."""


class Lease:
    """Of one pile."""

    def __init__(self, bus: PileBus, node: int) -> None:
        self._bus, self._node = bus, node
        self._renewed_s = 0.0

    def is_due(self, charge: Charge | None) -> bool:
        """Whether the pile is to be told now that this charge may go on; that is then taken as done."""
        is_starting = charge is not None and charge.state is SessionState.STARTING and charge.is_start_taken
        if charge is None or not (is_starting or charge.state in FLOWING):
            return False
        now_s = asyncio.get_running_loop().time()
        if now_s - self._renewed_s < LEASE_S:
            return False
        self._renewed_s = now_s
        return True

    async def renew(self) -> None:
        """Tell it. A pile that does not answer is found out by its silence."""
        try:
            await self._bus.command(self._node, Limit(None), within_s=LEASE_S)
        except BusError as problem:
            log.debug("pile %d is not told: %s", self._node, problem)
