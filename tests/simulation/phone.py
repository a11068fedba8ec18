"""A driver's phone: scan, start, look, stop."""

from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.common import Target
from operator_sdk.contract.messages.roaming import (
    Scan,
    ScanRequest,
    Session,
    StartChargingRequest,
    StopReply,
    StopRequest,
)
from tests.simulation.door import driver
from tests.simulation.market import Driver
from tests.simulation.network import Refusal, Silence
from tests.simulation.operators import Scene, rest

OVER = frozenset({SessionState.REFUSED, SessionState.START_FAILED, SessionState.BILLED, SessionState.SETTLED})


class Phone:
    """One driver's."""

    def __init__(self, scene: Scene, owner: Driver) -> None:
        self._scene, self._me = scene, driver(owner.home_party_id, owner.subject)

    async def charge(self, connector: str, target: Target, cancels_s: int | None) -> None:
        """The whole way, with every call repeated until it is answered or the driver goes away."""
        try:
            await self._charge(connector, target, cancels_s)
        except Refusal as problem:
            self._scene.reach(f"phone refused {problem.code}")
        except Silence:
            self._scene.reach("phone given up")

    async def _charge(self, connector: str, target: Target, cancels_s: int | None) -> None:
        door = self._scene.door
        scan = await door.insist(Scan, "scan", self._me, ScanRequest(code=connector), tries=4)
        await rest(self._scene.seconds(1, 150))
        ref = f"p:{self._scene.around.chance.between(0, 10**9)}"
        ask = StartChargingRequest(request_ref=ref, scan_id=scan.scan_id, target=target)
        session = await door.insist(Session, "start_charging", self._me, ask, tries=6)
        self._scene.reach(f"phone sees {session.state} {session.refusal or ''}".strip())
        if cancels_s is not None and session.state not in OVER:
            await rest(cancels_s)
            await self._stop(session.session_id)

    async def _stop(self, session_id: str) -> None:
        ask = StopRequest(stop_ref=f"x:{self._scene.around.chance.between(0, 10**9)}")
        said = await self._scene.door.insist(
            StopReply, "stop_charging", self._me, ask, session_id=session_id, tries=8
        )
        self._scene.reach(f"stop asked when {said.state}")
