"""Tells homes what connectors do, where they are told and do not ask.

A letter per home and connector leaves in the unit that stores a changed state: one lane each, the newest wins.
A home that does not answer is left alone for a while, so that the letters of others are not kept waiting.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from hub.core.clock import Clock
from hub.core.database import Unit
from hub.core.errors import NotFoundError
from hub.core.ids import Ids
from hub.core.memory import Memory
from hub.core.outbox import Dead, Later, Letter, Outbox
from hub.directory.tables_relay import add_letters, hold_states
from hub.parties.agreements import Agreements
from hub.parties.link import Capability, LinkCannot, LinkError, LinkRefused, Links
from operator_sdk.contract.codes import ConnectorState
from operator_sdk.contract.ids import LETTER as LETTER_ID
from operator_sdk.contract.ids import connector_ref
from operator_sdk.contract.messages.directory import ConnectorStatus

LETTER = "push_status"
NEWEST = "state"

KEPT = timedelta(minutes=30)
"""A state that could not be told for so long is told no more: its home asks when it is back."""

SILENT = timedelta(seconds=10)
"""So long nothing is sent to a home that did not answer."""

AT_ONCE = 4
"""Letters on their way to one home, in one process."""


class StatusRelay:
    """Writes the letters and delivers them."""

    def __init__(self, clock: Clock, ids: Ids, *, agreements: Agreements, links: Links, outbox: Outbox) -> None:
        self._clock, self._ids = clock, ids
        self._agreements, self._links, self._outbox = agreements, links, outbox
        self._silent: Memory[str, bool] = Memory(SILENT)
        self._under_way: Counter[str] = Counter()
        outbox.handle(LETTER, self.deliver, stubborn=True, passing=True)

    async def homes_told(self, host: str) -> tuple[str, ...]:
        """The homes that are told of a host's connectors."""
        return await self._agreements.homes_told(host)

    async def states_before(self, unit: Unit, host: str, connector_ids: Collection[str]) -> dict[str, str]:
        """What is about to be written over, held until the unit ends."""
        return await hold_states(unit, host, connector_ids)

    async def tell(
        self, unit: Unit, host: str, homes: Sequence[str], changed: Mapping[str, tuple[str, datetime]]
    ) -> None:
        """A letter to each of these homes about each connector: (state, since when)."""
        letters = [
            {
                "letter_id": self._ids.new(LETTER_ID),
                "lane": f"status:{home}:{ref}",
                "kind": LETTER,
                "party_id": home,
                "subject": ref,
                "payload": json.dumps({"state": state, "at": at.isoformat()}),
                "newest_key": NEWEST,
            }
            for connector_id, (state, at) in sorted(changed.items())
            for ref in (connector_ref(host, connector_id),)
            for home in homes
        ]
        if letters:
            await add_letters(unit, letters, self._clock.wall())
            unit.after_commit(lambda: self._ring(letters))

    def _ring(self, letters: Sequence[Mapping[str, str]]) -> None:
        for letter in letters:
            self._outbox.ring(letter["lane"])

    async def deliver(self, letter: Letter) -> None:
        """One connector's state to one home."""
        home, now = str(letter.party_id), self._clock.wall()
        if now - letter.created_at > KEPT:
            return
        if self._silent.get(home, now):
            raise Later("the home does not answer")
        if self._under_way[home] >= AT_ONCE:
            raise Later("others are on their way to the home", after_s=1)
        self._under_way[home] += 1
        try:
            await self._push(home, letter)
        except LinkRefused as problem:
            raise Dead(problem.reason) from problem
        except LinkCannot:
            return  # nothing to be said about this connector to this home
        except LinkError as problem:
            self._silent.put(home, True, self._clock.wall())
            raise Later(problem.reason) from problem
        finally:
            self._under_way[home] -= 1

    async def _push(self, home: str, letter: Letter) -> None:
        try:
            link = await self._links.of(home)
        except NotFoundError:
            raise Dead("no such party") from None
        if Capability.PUSH_STATUS not in link.capabilities:
            return
        status = ConnectorStatus(
            connector_id=letter.subject.partition(".")[0],
            state=ConnectorState(letter.payload["state"]),
            at=datetime.fromisoformat(letter.payload["at"]),
        )
        await link.push_status({letter.subject: status})
