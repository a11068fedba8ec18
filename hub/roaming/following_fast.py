"""The ordinary course of a live update, on PostgreSQL: a charging session's next number."""

from collections.abc import Mapping
from typing import Any

from hub.core.statements import Declined
from hub.roaming.context import RoamingContext
from hub.roaming.model import Heard, Live, after_update
from hub.roaming.model_stops import MAY_BE_STOPPED
from hub.roaming.store_updates import Pushed, Step, UpdateStore
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.ids import LETTER
from operator_sdk.contract.messages.roaming import SessionUpdate, UpdateReply

ORDINARY = frozenset({SessionState.CHARGING, SessionState.PAUSED, SessionState.STOPPING, SessionState.ENDED})


def live_of(session: Mapping[str, Any]) -> Live:
    """The live state that a session's row holds."""
    return Live(
        state=SessionState(session["state"]),
        started_at=session["started_at"],
        last_at=session["last_at"],
        last_number=session["last_number"],
        energy_wh=session["energy_wh"],
        amount_fen=session["amount_fen"],
        power_w=session["power_w"],
        goal_fen=session["goal_fen"],
        able_w=session["able_w"],
        shortfall_ws=session["shortfall_ws"],
        percent=session["percent"],
        seconds_left=session["seconds_left"],
        stop_reason=session["stop_reason"],
    )


def heard_of(update: SessionUpdate) -> Heard:
    """An update as the rules see it."""
    return Heard(
        number=update.number,
        at=update.at,
        state=update.state,
        energy_wh=update.energy_wh,
        amount_fen=update.amount_fen,
        power_w=update.power_w,
        stop_reason=update.stop_reason,
    )


def newest_key(update: SessionUpdate) -> str | None:
    """The newest wins on the way to the home; the first and the last are kept."""
    edge = update.number == 1 or update.state in {SessionState.ENDED, SessionState.START_FAILED}
    return None if edge else "push_session"


def _passes_a_mark(session: Mapping[str, Any], live: Live) -> bool:
    at_fen, at_wh = session["stop_at_fen"], session["stop_at_wh"]
    if at_fen is None and at_wh is None:
        return False
    passed = (at_fen is not None and live.amount_fen >= at_fen) or (
        at_wh is not None and live.energy_wh >= at_wh
    )
    return passed and live.state in MAY_BE_STOPPED


class FastFollowing:
    """Tries the ordinary course."""

    def __init__(self, context: RoamingContext, store: UpdateStore) -> None:
        self._c, self._store = context, store

    async def try_push(self, host_party_id: str, session_id: str, update: SessionUpdate) -> UpdateReply | None:
        """The acknowledgement, once stored; None when nothing was written."""
        try:
            step = await self._store.put(Pushed(host_party_id, session_id, update), self._step)
        except Declined:
            return None
        self._c.live.publish(session_id)
        if step.letter is not None:
            self._c.outbox.ring(step.letter["lane"])
        return UpdateReply(session_id=session_id, number=update.number, state=step.change["state"])

    def _step(self, session: Mapping[str, Any], pushed: Pushed) -> Step | None:
        update = pushed.update
        ordinary = (
            session["host_party_id"] == pushed.host_party_id
            and session["state"] in ORDINARY
            and session["suspense"] is None
            and update.state in ORDINARY
            and update.number > session["last_number"]
        )
        if not ordinary:
            return None
        live = after_update(live_of(session), heard_of(update))
        if _passes_a_mark(session, live):
            # The host is to be stopped: with a letter, and in the ordinary path.
            return None
        return Step(self._update_row(session, update, live), self._change(session, update, live),
                    self._letter(session, update))  # fmt: skip

    def _update_row(self, session: Mapping[str, Any], update: SessionUpdate, live: Live) -> dict[str, Any]:
        return {
            "session_id": session["session_id"],
            "number": update.number,
            "at": update.at,
            "received_at": self._c.clock.wall(),
            "state": update.state,
            "meter_wh": update.meter_wh,
            "energy_wh": update.energy_wh,
            "amount_fen": update.amount_fen,
            "power_w": update.power_w,
            "soc_percent": update.soc_percent,
            "stop_reason": update.stop_reason,
            "percent": live.percent,
            "seconds_left": live.seconds_left,
        }

    def _change(self, session: Mapping[str, Any], update: SessionUpdate, live: Live) -> dict[str, Any]:
        ended = update.state is SessionState.ENDED
        return {
            "session_id": session["session_id"],
            "number_before": session["last_number"],
            "state_before": session["state"],
            "state": live.state,
            "started_at": live.started_at,
            "last_at": live.last_at,
            "ended_at": update.at if ended else session["ended_at"],
            "last_number": live.last_number,
            "energy_wh": live.energy_wh,
            "amount_fen": live.amount_fen,
            "power_w": live.power_w,
            "shortfall_ws": live.shortfall_ws,
            "percent": live.percent,
            "seconds_left": live.seconds_left,
            "stop_reason": live.stop_reason,
            "updated_at": self._c.clock.business(),
        }

    def _letter(self, session: Mapping[str, Any], update: SessionUpdate) -> dict[str, Any] | None:
        if not session["home_follows"]:
            return None
        now, session_id = self._c.clock.wall(), session["session_id"]
        return {
            "letter_id": self._c.ids.new(LETTER),
            "lane": f"session:{session_id}",
            "kind": "push_session",
            "party_id": session["home_party_id"],
            "subject": session_id,
            "payload": f'{{"number": {update.number}}}',
            "newest_key": newest_key(update),
            "due_at": now,
            "created_at": now,
        }
