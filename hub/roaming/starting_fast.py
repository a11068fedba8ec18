"""The ordinary course of a start by a home, on PostgreSQL: all that precedes the host's call in one statement.

What is out of the ordinary in any way (a repeat, a refusal, exposure used up, a limit too small to stop before)
is left to `starting`, which decides from the database's own rows: nothing has been written then.
"""

from datetime import timedelta

from hub.core.statements import Declined
from hub.core.tables import Evidence
from hub.roaming.asking import Asked
from hub.roaming.charges import Charges, HostCall
from hub.roaming.context import START_RESULT, RoamingContext
from hub.roaming.drafting import Draft, Row, Wanted, leg, start_canonical
from hub.roaming.fast_rows import FastRows
from hub.roaming.model_stops import marks_for
from hub.roaming.store_authorize import AuthorizeStore, Rows
from hub.roaming.tables import SessionRow
from operator_sdk.contract.codes import AuthorizationState, SessionState, TargetKind
from operator_sdk.contract.messages.roaming import StartRequest
from operator_sdk.contract.progress import goal_fen


class FastStarting:
    """Tries the ordinary course."""

    def __init__(self, context: RoamingContext, charges: Charges, store: AuthorizeStore) -> None:
        self._c, self._charges, self._store = context, charges, store
        self._rows = FastRows(context)

    async def try_open(
        self,
        wanted: Wanted,
        request: StartRequest,
        evidence: Evidence | None,
        *,
        asked: Asked,
        call: HostCall,
    ) -> SessionRow | None:
        """The session, granted and about to be started, durably; None: nothing was written."""
        home = wanted.home_party_id
        assert home is not None, "a home starts"
        ids, now = self._charges.new_ids(), self._c.clock.business()
        draft = self._charges.drafts.make(wanted, await self._rows.facts(wanted, asked), ids, now)
        begun = self._begun(draft, wanted, call)
        if begun is None:
            return None
        message = self._rows.message(
            home,
            "start",
            request.start_ref,
            canonical=start_canonical(request),
            subject_id=ids[1],
            evidence=evidence,
        )
        rows = {**self._others(draft, begun, call), "messages": [message], "sessions": [begun]}
        try:
            await self._store.open(Rows(rows, home, draft.reserve_fen))
        except Declined:
            return None
        self._c.live.publish(ids[1])
        return SessionRow(**begun)

    def _begun(self, draft: Draft, wanted: Wanted, call: HostCall) -> Row | None:
        """The session as it is when its host is called; None where that is not the ordinary course."""
        if draft.session is None or draft.ask is None:
            return None
        limit, session = wanted.limit_fen, draft.session
        begun: Row = {
            **session,
            "state": SessionState.STARTING,
            "limit_fen": limit,
            "goal_fen": goal_fen(held_fen=limit, target_estimate_fen=session["estimate_fen"]),
            "host_ref": call.host_ref,
        }
        if not call.link.carries_limits:
            every_s, target = call.link.push_every_s, wanted.target
            marks = marks_for(
                draft.ask.tariff, limit_fen=limit, target=target, able_w=session["able_w"], every_s=every_s
            )
            if marks is None:
                return None
            begun |= {"stop_at_fen": marks.stop_at_fen, "stop_at_wh": marks.stop_at_wh}
        return begun

    def _others(self, draft: Draft, begun: Row, call: HostCall) -> dict[str, list[Row]]:
        """Authorization, legs and timers."""
        session_id, legs = begun["session_id"], draft.legs
        if call.host_ref is not None:
            host = (begun["host_party_id"], call.link.link_protocol)
            legs = [*legs, leg(session_id, "host", host, call.host_ref, "out")]
        timers = [self._rows.timer("start_check", session_id, START_RESULT)]
        if not call.link.carries_limits and begun["target_kind"] == TargetKind.TIME:
            wait = self._c.clock.wall_for(timedelta(seconds=begun["target_value"]))
            timers.append(self._rows.timer("target_time", session_id, wait))
        granted = {
            **draft.authorization,
            "state": AuthorizationState.GRANTED,
            "limit_fen": begun["limit_fen"],
        }
        return {"authorizations": [granted], "legs": legs, "letters": timers}
