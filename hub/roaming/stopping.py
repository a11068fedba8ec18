"""Stopping a charge: noted at once, carried to the host durably, confirmed by the host's own updates."""

import msgspec

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.tables import Evidence, claim_message
from hub.parties.scope import PartyScope
from hub.roaming.context import RoamingContext
from hub.roaming.model import FINISHING, may_follow
from hub.roaming.tables import SessionRow, get_session
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.messages.roaming import StopReply, StopRequest
from operator_sdk.contract.public_codes import Code


class Stopping:
    """Stops sessions for homes, drivers and the hub."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context

    async def stop(
        self,
        viewer: PartyScope,
        session_id: str,
        request: StopRequest,
        evidence: Evidence | None = None,
    ) -> StopReply:
        """Ask the host to stop. Asking again, or after the end, changes nothing.

        Raises:
            NotFoundError: not the viewer's session, or the viewer is its host.
            HubError: id_reused; state_conflict when nothing was ever started.
        """
        async with self._c.database.unit() as unit:
            session = await get_session(viewer, unit, session_id, lock=True)
            if session is None or session.home_party_id != viewer.party_id:
                raise NotFoundError
            new, _ = await claim_message(
                unit,
                party_id=session.home_party_id,
                kind="stop",
                external_id=f"{session_id}:{request.stop_ref}",
                canonical=msgspec.json.encode(request),
                subject_id=session_id,
                now=self._c.clock.wall(),
                evidence=evidence,
            )
            if new:
                await self.ask(unit, session, request.reason)
            return StopReply(session_id=session_id, state=session.state)

    async def ask(self, unit: Unit, session: SessionRow, reason: str, *, only_unknown: bool = False) -> None:
        """Within a step: mark the session stopping and write the letter to the host.

        `only_unknown`: not if the host has explained itself by the time the letter is delivered.
        """
        state = SessionState(session.state)
        if state in FINISHING:
            return
        if state in {SessionState.REFUSED, SessionState.REQUESTED}:
            raise HubError(Code.STATE_CONFLICT)
        if state is not SessionState.UNKNOWN and may_follow(state, SessionState.STOPPING):
            # What was only authorized must still be able to fail: energy may never have flowed.
            session.state = (
                SessionState.STOPPING if state in {SessionState.CHARGING, SessionState.PAUSED} else state
            )
        session.seconds_left = 0 if session.seconds_left is not None else None
        session.updated_at = self._c.clock.business()
        await self._c.outbox.post(
            unit,
            kind="stop_at_host",
            lane=f"stop:{session.session_id}",
            subject=session.session_id,
            party_id=session.host_party_id,
            payload={"reason": reason, "only_unknown": only_unknown},
            newest_key="stop",
        )
        unit.after_commit(lambda: self._c.live.publish(session.session_id))
