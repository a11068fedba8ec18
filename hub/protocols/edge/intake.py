"""What arrives from a site's spool, processed into the hub's own tables before anything is acknowledged.

A refusal by rule is decided: the item is kept as refused and acknowledged. What is not decided (the database
out of reach) raises, and nothing of the batch is acknowledged; coming again harms nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby

from hub.core.clock import Clock
from hub.core.errors import UNDECIDED, HubError, NotFoundError
from hub.core.memory import Memory
from hub.directory.model import is_plausible
from hub.directory.service import DirectoryService
from hub.parties.scope import of_party
from hub.roaming.service import Roaming
from hub.sites.connections import Outlook, Taken
from hub.sites.model import LinkHealth, Place, RefusedItem
from hub.sites.ports import SeenFault
from operator_sdk.contract.codes import RecordState
from operator_sdk.contract.edge_link.frames import (
    BadItem,
    BillItem,
    FaultItem,
    HealthItem,
    Item,
    StatusItem,
    Stream,
    UpdateItem,
    encode,
)
from operator_sdk.contract.edge_link.gateway_end import Arrived
from operator_sdk.contract.ids import split_connector
from operator_sdk.contract.messages.directory import StatusPush
from operator_sdk.contract.messages.records import RecordReply
from operator_sdk.contract.messages.roaming import ReleaseRequest
from operator_sdk.contract.public_codes import Code

AT_ONCE = {Stream.LIVE: 32, Stream.BILLS: 8}
"""Sessions of one batch that are worked at once: updates are written in groups, a bill takes a connection."""

KNOWN_FOR = timedelta(hours=1)
"""A session never moves to another site."""

Numbered = tuple[int, Item]


class Undecided(Exception):
    """An item can be neither taken nor refused just now."""


@dataclass(frozen=True, slots=True)
class IntakeTools:
    """The rooms that items are for."""

    roaming: Roaming
    directory: DirectoryService
    clock: Clock


@dataclass(slots=True)
class _Batch:
    """A batch, sorted by what is done with it."""

    lanes: defaultdict[str, list[Numbered]] = field(default_factory=lambda: defaultdict(list))
    statuses: list[tuple[int, StatusItem]] = field(default_factory=list)
    faults: list[SeenFault] = field(default_factory=list)
    health: LinkHealth | None = None
    refused: list[RefusedItem] = field(default_factory=list)


class Intake:
    """Takes the batches of one connection. `connectors` are those that stand at the site's station."""

    def __init__(
        self, tools: IntakeTools, place: Place, outlook: Callable[[Place], Awaitable[Outlook]]
    ) -> None:
        self._t, self._place, self._outlook = tools, place, outlook
        self.connectors: frozenset[str] = frozenset()
        self._ours: Memory[str, bool] = Memory(KNOWN_FOR)

    async def serves(self, *connector_ids: str | None) -> bool:
        """Whether all of these connectors stand there; of new ones the directory is asked."""
        named = {one for one in connector_ids if one is not None}
        if not named <= self.connectors:
            self.connectors = (await self._outlook(self._place)).connectors
        return named <= self.connectors

    async def take(self, arrived: Arrived) -> Taken:
        """Process a batch; what is left for the unit that moves the stream on.

        Raises:
            Undecided: nothing of it may be acknowledged.
            OutOfReach: the same, for the database does not answer.
        """
        await self.serves(*(_connector(item) for item in arrived.items))
        batch = _Batch()
        for number, item in enumerate(arrived.items, arrived.first):
            match item:
                case UpdateItem():
                    batch.lanes[item.session_id].append((number, item))
                case BillItem():
                    batch.lanes[item.record.session_id].append((number, item))
                case StatusItem():
                    batch.statuses.append((number, item))
                case _:
                    self._of_site(number, item, batch)
        refused = batch.refused + await self._lanes(list(batch.lanes.items()), AT_ONCE[arrived.stream])
        refused += await self._statuses(batch.statuses)
        return Taken(batch.faults, batch.health, sorted(refused, key=lambda one: one.number))

    # Sessions: one after another within each, several beside each other.

    async def _lanes(self, lanes: Sequence[tuple[str, list[Numbered]]], at_once: int) -> list[RefusedItem]:
        places = asyncio.Semaphore(at_once)

        async def work(session_id: str, items: Sequence[Numbered]) -> list[RefusedItem]:
            async with places:
                return await self._lane(session_id, items)

        outcomes = await asyncio.gather(*(work(*lane) for lane in lanes), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [one for outcome in outcomes if not isinstance(outcome, BaseException) for one in outcome]

    async def _lane(self, session_id: str, items: Sequence[Numbered]) -> list[RefusedItem]:
        if not await self.runs(session_id):
            return [_refused(number, item, Code.NOT_FOUND) for number, item in items]
        refused: list[RefusedItem] = []
        for are_updates, run in groupby(items, key=lambda pair: isinstance(pair[1], UpdateItem)):
            part = list(run)
            problems = await (self._updates(session_id, part) if are_updates else self._bills(part))
            for (number, item), problem in zip(part, problems, strict=True):
                if problem is not None:
                    refused.append(_refused(number, item, decided(problem), **problem.details))
        return refused

    async def _updates(self, session_id: str, items: Sequence[Numbered]) -> Sequence[HubError | None]:
        updates = [item.update for _, item in items if isinstance(item, UpdateItem)]
        following, host = self._t.roaming.following, self._place.host_party_id
        try:
            if len(updates) > 1:
                return await following.push_run(host, session_id, updates)
            await following.push(host, session_id, updates[0])
        except HubError as problem:
            return [problem] * len(items)
        return [None]

    async def _bills(self, items: Sequence[Numbered]) -> Sequence[HubError | None]:
        problems: list[HubError | None] = []
        for record in (item.record for _, item in items if isinstance(item, BillItem)):
            try:
                reply = await self._t.roaming.records.push(self._place.host_party_id, record)
                problems.append(_objection(reply))
            except HubError as problem:
                problems.append(problem)
        return problems

    async def runs(self, session_id: str) -> bool:
        """Whether a session runs at this very site: a host's other sites are none of its business."""
        now = self._t.clock.wall()
        if self._ours.get(session_id, now):
            return True
        host = self._place.host_party_id
        try:
            session = await self._t.roaming.reading.session(of_party(host), session_id)
        except NotFoundError:
            return False
        party_id, connector_id = split_connector(session.connector)
        ours = party_id == host and await self.serves(connector_id)
        if ours:
            self._ours.put(session_id, ours, now)
        return ours

    async def check_release(self, request: ReleaseRequest) -> None:
        """A site gives back what was authorized at its own connectors.

        Raises:
            NotFoundError: no such authorization, or another site's.
        """
        viewer = of_party(self._place.host_party_id)
        session_id = await self._t.roaming.reading.session_of(viewer, request.authorization_id)
        if not await self.runs(session_id):
            raise NotFoundError

    # Connectors.

    async def _statuses(self, items: Sequence[tuple[int, StatusItem]]) -> list[RefusedItem]:
        own = [pair for pair in items if pair[1].status.connector_id in self.connectors]
        strange = [pair for pair in items if pair[1].status.connector_id not in self.connectors]
        refused = [_refused(number, item, Code.CONNECTOR_UNKNOWN) for number, item in strange]
        try:
            unknown = await self._push(own)
        except HubError as problem:
            code = decided(problem)
            if len(own) == 1:
                return [*refused, _refused(*own[0], code, **problem.details)]
            for pair in own:
                refused += await self._statuses([pair])
            return refused
        return refused + [
            _refused(number, item, Code.CONNECTOR_UNKNOWN)
            for number, item in own
            if item.status.connector_id in unknown
        ]

    async def _push(self, items: Sequence[tuple[int, StatusItem]]) -> list[str]:
        if not items:
            return []
        push = StatusPush(statuses=[item.status for _, item in items])
        return (await self._t.directory.push_status(self._place.host_party_id, push)).unknown

    # The site itself.

    def _of_site(self, number: int, item: FaultItem | HealthItem | BadItem, batch: _Batch) -> None:
        if isinstance(item, BadItem):
            batch.refused.append(RefusedItem(number, "unknown", item.problem, item.raw))
        elif not is_plausible(item.at):
            batch.refused.append(_refused(number, item, Code.RULE_VIOLATED, problem="implausible time"))
        elif isinstance(item, HealthItem):
            batch.health = _health(item)
        elif item.connector_id is None or item.connector_id in self.connectors:
            batch.faults.append(self._fault(item))
        else:
            batch.refused.append(_refused(number, item, Code.CONNECTOR_UNKNOWN))

    def _fault(self, item: FaultItem) -> SeenFault:
        return SeenFault(
            host_party_id=self._place.host_party_id,
            site_id=self._place.site_id,
            connector_id=item.connector_id,
            code=item.code,
            at=item.at,
            text=plain(item.text),
            cleared=item.cleared,
        )


def _connector(item: Item | BadItem) -> str | None:
    """The connector that an item of the site itself names."""
    match item:
        case StatusItem():
            return item.status.connector_id
        case FaultItem():
            return item.connector_id
        case _:
            return None


def plain(text: str) -> str:
    """A text without NUL, which not every engine stores."""
    return text.replace("\0", "")


def decided(problem: HubError) -> Code:
    """The code of a refusal.

    Raises:
        Undecided: it may be otherwise the next time.
    """
    if problem.code in UNDECIDED:
        raise Undecided(problem.code) from problem
    return problem.code


def _objection(reply: RecordReply) -> HubError | None:
    """What a person should look at: a bill that the hub keeps, and does not accept."""
    if reply.state == RecordState.ACCEPTED:
        return None
    rules = ", ".join(one.rule for one in reply.findings)
    return HubError(Code.RULE_VIOLATED, state=reply.state, rules=rules)


def _health(item: HealthItem) -> LinkHealth:
    return LinkHealth(item.at, item.can_frames, item.meter_frames, item.spool_waiting, plain(item.version))


def _refused(number: int, item: Item, code: Code, **details: object) -> RefusedItem:
    problem = " ".join([code.value, *(f"{name}: {value}" for name, value in details.items())])
    return RefusedItem(number, str(item.__struct_config__.tag), problem, encode(item))
