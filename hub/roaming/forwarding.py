"""Live updates on their way to the homes of their sessions.

They go in the lane of their session, so that a home hears of a charge in its order: start, course, stop, bill.
What it will not take must not hold up what comes behind it. Of the course the newest is enough; but that a
charge began and that it stopped are results that some homes have to acknowledge (`push_result`). One that was
not gets a lane of its own, where the stop takes the place of the start, and is told again for a day.
"""

from datetime import datetime, timedelta

from hub.core.group_writer import Gatherer, Outcomes
from hub.core.outbox import Dead, Later, Letter
from hub.parties.link import Capability, LinkCannot, LinkError, LinkRefused, LinkUntaken, PartyLink
from hub.parties.scope import HUB
from hub.roaming.context import RoamingContext
from hub.roaming.following import BILL_SAYS, progress_of
from hub.roaming.tables_forwarding import Forward, list_forwards
from operator_sdk.contract.codes import SessionState
from operator_sdk.contract.public_codes import Code

UPDATE_ATTEMPTS = 5
"""An update that a home will not take must not hold up the bill behind it."""

RESULT_ATTEMPTS = 4
"""T/CEC 102.4, 4.6 has more than three: then a result leaves the lane, half a minute after it entered it.

With as much for each of start, course and stop, a bill still comes within the 150 s that Beijing gives it.
"""

TOLD_AGAIN_FOR = timedelta(days=1)
"""Wall time. The charge is long over then, and its bill has said everything."""

OVER = frozenset({SessionState.ENDED, *BILL_SAYS})


class Forwarding:
    """Delivers the letters that `following` writes."""

    def __init__(self, context: RoamingContext) -> None:
        self._c = context
        self._reads: Gatherer[tuple[str, int]] = Gatherer(self._read)
        # Very many, and what they carry is kept as the updates of the session.
        context.outbox.handle("push_session", self.push_session, passing=True)
        context.outbox.handle("push_result", self.push_result, stubborn=True, passing=True)

    async def push_session(self, letter: Letter) -> None:
        """One update to the home."""
        found = await self._found(letter)
        if found is None:
            return
        link = await self._c.links.of(found.home_party_id)
        if Capability.PUSH_SESSION not in link.capabilities:
            return
        if _is_result(found, link) and letter.attempts >= RESULT_ATTEMPTS:
            await self._tell_aside(letter, found, link.again_s(letter.attempts + 1) or 0)
            return
        if letter.attempts >= UPDATE_ATTEMPTS and found.state in BILL_SAYS:
            return
        try:
            await link.push_session(progress_of(found.update))
        except LinkUntaken as problem:
            await self._tell_aside(letter, found, problem.again_s)
        except LinkError as problem:
            raise put_off(problem, after_s=link.again_s(letter.attempts + 1)) from problem

    async def _tell_aside(self, letter: Letter, found: Forward, after_s: int) -> None:
        """Have a result told again, beside its session's lane."""
        if _is_overtaken(found):
            return
        async with self._c.database.unit() as unit:
            await self._c.outbox.post(
                unit,
                kind="push_result",
                lane=f"result:{letter.subject}",
                subject=letter.subject,
                party_id=letter.party_id,
                payload=letter.payload,
                newest_key="result",
                after=timedelta(seconds=after_s),
            )

    async def push_result(self, letter: Letter) -> None:
        """That a charge began, or that it stopped, to a home that has not acknowledged it."""
        found = await self._found(letter)
        if found is None or _is_overtaken(found):
            return
        link = await self._c.links.of(found.home_party_id)
        if Capability.PUSH_RESULT not in link.capabilities:
            return
        try:
            await link.push_result(progress_of(found.update))
        except LinkUntaken as problem:
            raise told_again(letter, problem, self._c.clock.wall()) from problem
        except LinkError as problem:
            if _is_late(letter, self._c.clock.wall()):
                raise Dead(problem.reason) from problem
            raise put_off(problem, after_s=link.again_s(letter.attempts + 1)) from problem

    async def _found(self, letter: Letter) -> Forward | None:
        found: Forward | None = await self._reads.put((letter.subject, letter.payload["number"]))
        return found

    async def _read(self, keys: list[tuple[str, int]]) -> Outcomes:
        """Letters of many sessions are delivered at once, and read for at once."""
        async with self._c.database.reading() as unit:
            found = await list_forwards(HUB, unit, keys)
        return [found.get(key) for key in keys]


def _is_result(found: Forward, link: PartyLink) -> bool:
    edge = found.update.number == 1 or found.update.state == SessionState.ENDED
    return edge and Capability.PUSH_RESULT in link.capabilities


def _is_overtaken(found: Forward) -> bool:
    """A start of a charge that is over: the stop says all of it."""
    return found.state in OVER and found.update.state != SessionState.ENDED


def _is_late(letter: Letter, now: datetime) -> bool:
    return now - letter.created_at >= TOLD_AGAIN_FOR


def told_again(letter: Letter, problem: LinkUntaken, now: datetime) -> Dead | Later:
    """What was heard and not acknowledged is told again, for a day."""
    return Dead(problem.reason) if _is_late(letter, now) else Later(problem.reason, after_s=problem.again_s)


def put_off(
    problem: LinkError, undecided: frozenset[Code] = frozenset(), *, after_s: int | None = None
) -> Dead | Later:
    """A refusal is the end of a letter, and so is a link without a message for it; `not now` is neither."""
    if isinstance(problem, LinkRefused | LinkCannot) and problem.reason not in undecided:
        return Dead(problem.reason)
    return Later(problem.reason, after_s=after_s)
