"""Hosts that fall silent in the middle of a charge: found by a sweep, and asked.

What a host says when it is asked is taken as if it had come by itself. A charge that the hub has to stop is
stopped when it is taken to have reached its mark, heard of or not.
"""

from datetime import timedelta

from hub.core.database import Unit
from hub.core.outbox import Later, Letter
from hub.core.runner import each
from hub.parties.link import Capability, LinkError
from hub.parties.scope import HUB, of_party
from hub.roaming.context import RoamingContext
from hub.roaming.following import FLOWING, Following
from hub.roaming.model_silence import (
    SILENT_LEAST_S,
    next_question_s,
    seconds_to_mark,
    silent_after_s,
    why_stop,
)
from hub.roaming.model_stops import MAY_BE_STOPPED
from hub.roaming.stopping import Stopping
from hub.roaming.tables import SessionRow, claim_silent, get_session, silent_hosts
from operator_sdk.contract.codes import SessionState, StopReason
from operator_sdk.contract.messages.roaming import HostSession

AT_ONCE = 100
"""Charges of one host in one round; the next round takes the next."""

SECOND = timedelta(seconds=1)
OVER = HostSession(known=True, state=SessionState.ENDED)


class Silence:
    """Asks hosts that should have spoken."""

    def __init__(self, context: RoamingContext, following: Following, stopping: Stopping) -> None:
        self._c, self._following, self._stopping = context, following, stopping
        # Of a host that never pushes there is one every few minutes; what it said is kept as updates.
        context.outbox.handle("ask_silent", self.ask, stubborn=True, passing=True)

    async def sweep(self) -> int:
        """Have hosts asked about charges of which nothing was heard for too long; how many charges.

        Any number of processes may sweep: a charge is claimed once for each silence.
        """
        before = self._c.clock.business() - timedelta(seconds=SILENT_LEAST_S)
        async with self._c.database.reading() as unit:
            hosts = await silent_hosts(HUB, unit, before)
        return sum(await each("silent hosts", hosts, self._sweep_host))

    async def _sweep_host(self, host_party_id: str) -> int:
        link = await self._c.links.of(host_party_id)
        # Reports come by the clock of machines; where business time runs faster, more of it passes in silence.
        after, now = timedelta(seconds=silent_after_s(link.push_every_s)), self._c.clock.business()
        async with self._c.database.unit() as unit:
            rows = await claim_silent(of_party(host_party_id), unit, now - after, AT_ONCE)
            silent = [row for row in rows if self._c.clock.wall_for(now - row.updated_at) >= after]
            for row in silent:
                row.asked_number = row.last_number
                await self._post(unit, row, timedelta(0))
        return len(silent)

    async def _post(self, unit: Unit, session: SessionRow, after: timedelta) -> None:
        await self._c.outbox.post(
            unit,
            kind="ask_silent",
            lane=f"silent:{session.session_id}",
            subject=session.session_id,
            party_id=session.host_party_id,
            newest_key="ask",
            after=after,
        )

    async def ask(self, letter: Letter) -> None:
        """Ask a host about a charge, again and again until it speaks by itself or the charge is over."""
        async with self._c.database.reading() as unit:
            session = await get_session(HUB, unit, letter.subject)
        if session is None or not _is_silent(session):
            return
        link = await self._c.links.of(session.host_party_id)
        said, why = None, "cannot be asked"
        if Capability.QUERY_SESSION in link.capabilities:
            try:
                said = await link.query_session(session.session_id)
            except LinkError as problem:
                why = problem.reason
        wait_s = await self._note(session.session_id, said, link.push_every_s)
        if wait_s is not None and said is None:
            raise Later(why, after_s=wait_s)

    async def _note(self, session_id: str, said: HostSession | None, every_s: int) -> int | None:
        """Take down what came of asking; seconds until the next question, or None.

        After an answer that is another letter: only one in vain is late.
        """
        async with self._c.database.unit() as unit:
            session = await get_session(HUB, unit, session_id, lock=True)
            if session is None or not _is_silent(session):
                return None
            if said is not None:
                await self._take(unit, session, said)
                session.asked_number = session.last_number
            if session.state not in FLOWING:
                return None
            wait_s = await self._stop_in_time(unit, session, every_s)
            if said is not None:
                await self._post(unit, session, wait_s * SECOND)
        return wait_s

    async def _take(self, unit: Unit, session: SessionRow, said: HostSession) -> None:
        if said.known:
            await self._following.hear(unit, session, said)
        elif session.state == SessionState.STOPPING:
            # It was told to stop all this time, and still knows of nothing: the bill will say the rest.
            await self._following.hear(unit, session, OVER)
        else:
            # What it has forgotten may go on all the same: only a stop makes sure.
            await self._stopping.ask(unit, session, StopReason.HUB)

    async def _stop_in_time(self, unit: Unit, session: SessionRow, every_s: int) -> int:
        """Stop a charge that must be taken to have reached its mark; wall seconds until the next question."""
        clock, to_mark_s = self._c.clock, None
        marked = session.stop_at_fen is not None or session.stop_at_wh is not None
        if marked and SessionState(session.state) in MAY_BE_STOPPED:
            tariff = await self._c.directory.tariff_version(
                unit, session.host_party_id, session.tariff_id, session.tariff_version
            )
            assert tariff is not None, "a session has a tariff, and versions stay"
            reason = why_stop(session, tariff, (clock.business() - session.updated_at) // SECOND)
            if reason is not None:
                await self._stopping.ask(unit, session, reason)
            else:
                to_mark_s = seconds_to_mark(session, tariff)
        silent = clock.wall_for(clock.business() - session.updated_at)
        return next_question_s(
            silent_s=max(0, silent // SECOND),
            every_s=every_s,
            to_mark_s=None if to_mark_s is None else -(-clock.wall_for(to_mark_s * SECOND) // SECOND),
        )


def _is_silent(session: SessionRow) -> bool:
    """Still under way, and nothing came by itself since it was asked about."""
    return session.state in FLOWING and session.asked_number == session.last_number
