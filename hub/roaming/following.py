"""Live updates: stored before they are acknowledged, then handed on to the home and to whoever follows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.finishing import finish
from hub.directory.model import is_plausible
from hub.parties.scope import PartyScope, of_party
from hub.roaming.charges import Charges
from hub.roaming.context import RoamingContext
from hub.roaming.following_fast import FastFollowing, heard_of, live_of, newest_key
from hub.roaming.model import FROM_HOST, NOT_YET_CHARGING, OVER_AT_HOST, Live, after_update, may_follow
from hub.roaming.model_stops import MAY_BE_STOPPED, mark_reached
from hub.roaming.stopping import Stopping
from hub.roaming.tables import (
    SessionRow,
    UpdateRow,
    add_updates,
    get_session,
    list_updates,
    stored_numbers,
)
from hub.roaming.unexplained import explained
from operator_sdk.contract.codes import SessionState, StopReason
from operator_sdk.contract.messages.roaming import HostSession, SessionProgress, SessionUpdate, UpdateReply
from operator_sdk.contract.public_codes import Code

LOOK_AGAIN_S = 5
"""A follower looks for itself this often, should a notice be lost."""

BILL_SAYS = frozenset({SessionState.BILLED, SessionState.SETTLED})
"""What the bill said is not for an update to change."""

SHOWN = (
    "started_at", "last_at", "energy_wh", "amount_fen", "power_w",
    "shortfall_ws", "percent", "seconds_left", "stop_reason",
)  # fmt: skip

RUN_LEAST = 32
"""Where one statement takes updates of many sessions, fewer of one are not worth a unit of their own."""

FLOWING = frozenset({SessionState.CHARGING, SessionState.PAUSED, SessionState.STOPPING})
OVER = frozenset({*BILL_SAYS, SessionState.ENDED, SessionState.START_FAILED})
CLOSED = frozenset({SessionState.BILLED, SessionState.SETTLED, SessionState.REFUSED, SessionState.START_FAILED})


class Following:
    """Takes updates in and gives them out."""

    def __init__(self, context: RoamingContext, charges: Charges, stopping: Stopping) -> None:
        self._c, self._charges, self._stopping = context, charges, stopping
        store = context.update_store
        self._fast = FastFollowing(context, store) if store is not None else None

    async def push(self, host_party_id: str, session_id: str, update: SessionUpdate) -> UpdateReply:
        """Store a host's update, durably, before this returns.

        A number already stored is acknowledged and nothing is written; a smaller number not yet stored becomes
        history and the live state does not go back.

        Raises:
            NotFoundError: not one of this host's sessions.
            HubError: rule_violated for a state a host cannot report or an instant of no age of ours;
                state_conflict, it was refused.
        """
        _check(update)
        if self._fast is not None:
            reply = await self._fast.try_push(host_party_id, session_id, update)
            if reply is not None:
                return reply
        stored = await self._c.writer.write(lambda unit: self._store(unit, host_party_id, session_id, update))
        return UpdateReply(session_id=session_id, number=update.number, state=stored.state)

    async def push_run(
        self, host_party_id: str, session_id: str, updates: Sequence[SessionUpdate]
    ) -> list[HubError | None]:
        """Store several updates of one session, as what waited at a site comes; why each was refused, or None.

        Raises:
            NotFoundError: not one of this host's sessions.
            HubError: state_conflict, it was refused.
        """
        problems = [_problem_of(update) for update in updates]
        good = [update for update, problem in zip(updates, problems, strict=True) if problem is None]
        if self._fast is not None and len(good) < RUN_LEAST:
            for update in good:
                await self.push(host_party_id, session_id, update)
        else:
            await self._c.writer.write(lambda unit: self._store(unit, host_party_id, session_id, *good))
        return problems

    async def push_next(self, host_party_id: str, session_id: str, update: SessionUpdate) -> UpdateReply:
        """Store a host's update under the next number, for hosts that number none; its own number is nothing.

        Of a session that is over nothing is stored any more. The answer has the last number there is.

        Raises:
            NotFoundError: not one of this host's sessions.
            HubError: rule_violated for a state a host cannot report or an instant of no age of ours;
                state_conflict, it was refused.
        """
        _check(update)

        async def step(unit: Unit) -> SessionRow:
            session = await get_session(of_party(host_party_id), unit, session_id, lock=True)
            if session is None or session.host_party_id != host_party_id:
                raise NotFoundError
            if SessionState(session.state) in OVER:
                return session
            numbered = msgspec.structs.replace(update, number=session.last_number + 1)
            return await self._store(unit, host_party_id, session_id, numbered)

        session = await self._c.writer.write(step)
        return UpdateReply(session_id=session_id, number=session.last_number, state=session.state)

    async def hear(self, unit: Unit, session: SessionRow, said: HostSession) -> None:
        """Within a step: take what a host says of a session, which is locked, when it is asked.

        Its newest update is stored as if it had come. What the state is beyond that is noted: of an end that
        nobody has an update of, the bill will say the rest. That a start failed is not believed, for it may
        still be under way: only a stop makes sure.
        """
        begun = SessionState(session.state) not in NOT_YET_CHARGING
        if not said.known or (said.state is SessionState.START_FAILED and not begun):
            return
        update = said.update
        if update is not None and update.state is not SessionState.START_FAILED and _problem_of(update) is None:
            await self._store(unit, session.host_party_id, session.session_id, update)
        # A host may be further than this: billed and settled are for a record to say.
        heard = SessionState.ENDED if said.state in OVER_AT_HOST else said.state
        if heard in FROM_HOST and may_follow(SessionState(session.state), heard):
            session.state, session.updated_at = heard, self._c.clock.business()
            await explained(unit, self._c.money_waits, session)
            unit.after_commit(lambda: self._c.live.publish(session.session_id))

    async def _store(
        self, unit: Unit, host_party_id: str, session_id: str, *updates: SessionUpdate
    ) -> SessionRow:
        session = await get_session(of_party(host_party_id), unit, session_id, lock=True)
        if session is None or session.host_party_id != host_party_id:
            raise NotFoundError
        if session.state == SessionState.REFUSED:
            raise HubError(Code.STATE_CONFLICT)
        stored = await stored_numbers(unit, session_id, [update.number for update in updates])
        fresh: list[dict[str, Any]] = []
        heard: list[SessionUpdate] = []
        for update in updates:
            if update.number in stored:
                continue
            stored.add(update.number)
            live = None
            if update.number > session.last_number:
                live = after_update(live_of(session.model_dump()), heard_of(update))
                await self._apply(unit, session, live, update)
                heard.append(update)
            fresh.append(self._row(session_id, update, live))
        if fresh:
            await add_updates(unit, fresh)
            await self._tell_home(unit, session, heard)
            unit.after_commit(lambda: self._c.live.publish(session_id))
        return session

    def _row(self, session_id: str, update: SessionUpdate, live: Live | None) -> dict[str, Any]:
        return {
            "session_id": session_id,
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
            "percent": live.percent if live else None,
            "seconds_left": live.seconds_left if live else None,
        }

    async def _tell_home(self, unit: Unit, session: SessionRow, heard: Sequence[SessionUpdate]) -> None:
        """Letters for what the home is to hear: of those that a newer one beats, the newest."""
        if not session.home_follows:
            return
        newest = {newest_key(update): update.number for update in heard}
        for update in heard:
            key = newest_key(update)
            if key is not None and newest[key] != update.number:
                continue
            await self._c.outbox.post(
                unit,
                kind="push_session",
                lane=f"session:{session.session_id}",
                subject=session.session_id,
                party_id=session.home_party_id,
                payload={"number": update.number},
                newest_key=key,
            )

    async def _apply(self, unit: Unit, session: SessionRow, live: Live, update: SessionUpdate) -> None:
        if update.state is SessionState.START_FAILED:
            await self._charges.fail_start(unit, session, update.stop_reason or Code.HOST_REFUSED)
        else:
            session.state = live.state
        session.last_number = live.last_number
        if SessionState(session.state) not in BILL_SAYS:
            for name in SHOWN:
                setattr(session, name, getattr(live, name))
            session.ended_at = update.at if update.state is SessionState.ENDED else session.ended_at
        if session.state == SessionState.START_FAILED and update.state in FLOWING:
            # Given up and released, and yet it charges: it must not go on for nobody's money.
            await self._stopping.ask(unit, session, StopReason.HUB)
        elif SessionState(session.state) in MAY_BE_STOPPED and (why := mark_reached(session)) is not None:
            await self._stopping.ask(unit, session, why)
        await explained(unit, self._c.money_waits, session)
        session.updated_at = self._c.clock.business()

    async def events(
        self, viewer: PartyScope, session_id: str, *, above: int
    ) -> AsyncIterator[SessionProgress | None]:
        """Updates above a number as they come, until the session is billed or closed; None for seconds without.

        Whoever follows may be cancelled at any moment: it is the waiting that ends, never a statement.

        Raises:
            NotFoundError: not the viewer's session.
            OutOfReach: the database does not answer.
        """
        async with self._c.live.follow(session_id) as news:
            while True:
                news.clear()
                session, rows = await finish(self._look(viewer, session_id, above))
                if session is None:
                    raise NotFoundError
                for row in rows:
                    above = row.number
                    yield progress_of(row, estimates=viewer.party_id == session.home_party_id)
                if not rows and SessionState(session.state) in CLOSED:
                    return
                if not rows and not await _rings(news):
                    yield None

    async def _look(
        self, viewer: PartyScope, session_id: str, above: int
    ) -> tuple[SessionRow | None, Sequence[UpdateRow]]:
        async with self._c.database.reading() as unit:
            session = await get_session(viewer, unit, session_id)
            return session, await list_updates(viewer, unit, session_id, above=above)


async def _rings(news: asyncio.Event) -> bool:
    """Whether there is news within seconds."""
    try:
        async with asyncio.timeout(LOOK_AGAIN_S):
            await news.wait()
    except TimeoutError:
        return False
    return True


def _check(update: SessionUpdate) -> None:
    refuse_implausible(update.at)
    if update.state not in FROM_HOST:
        raise HubError(Code.RULE_VIOLATED, problem="a host cannot report this state")


def _problem_of(update: SessionUpdate) -> HubError | None:
    try:
        _check(update)
    except HubError as problem:
        return problem
    return None


def refuse_implausible(*instants: datetime) -> None:
    """Instants at the ends of the calendar break arithmetic and engines alike.

    Raises:
        HubError: rule_violated.
    """
    if not all(is_plausible(at) for at in instants):
        raise HubError(Code.RULE_VIOLATED, problem="implausible time")


def progress_of(row: UpdateRow, *, estimates: bool = True) -> SessionProgress:
    """An update as homes and drivers see it; without the estimates, as hosts do."""
    return SessionProgress(
        session_id=row.session_id,
        number=row.number,
        at=row.at,
        state=row.state,
        energy_wh=row.energy_wh,
        amount_fen=row.amount_fen,
        power_w=row.power_w,
        percent=row.percent if estimates else None,
        seconds_left=row.seconds_left if estimates else None,
        soc_percent=row.soc_percent,
        stop_reason=row.stop_reason,
    )
