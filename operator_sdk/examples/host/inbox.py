"""The host's inbox: the SDK's, plus what follows from every batch: sessions brought up to date, work woken."""

from collections.abc import Callable, Mapping, Sequence

from operator_sdk.clock import Clock
from operator_sdk.contract.edge_link.frames import (
    BadItem,
    BillItem,
    FaultItem,
    Item,
    StatusItem,
    Stream,
    UpdateItem,
    encode,
)
from operator_sdk.examples.host.store import Alarm, Session, Store
from operator_sdk.site_gateway import KeptItem, SqliteInbox


class HostInbox:
    """Keeps items in a SqliteInbox. `wake` is called with the sessions that have something new.

    `sites` says which site drives each connector. What a site says of another's charge or connector is kept as
    a bad item, moves nothing, and alarms.
    """

    def __init__(
        self,
        inbox: SqliteInbox,
        store: Store,
        wake: Callable[[Sequence[str]], None],
        *,
        sites: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._inbox, self._store, self._wake = inbox, store, wake
        self._sites, self._clock = sites, clock

    async def acknowledged(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        """What is durable of a site's spool."""
        return await self._inbox.acknowledged(site_id, spool_id)

    async def store(
        self, site_id: str, spool_id: str, stream: Stream, first: int, items: Sequence[Item | BadItem]
    ) -> None:
        """Keep a batch. What follows from it is made up for by `catch_up` if the process dies in between."""
        own = [one if self._is_own(site_id, one) else _foreign(one) for one in items]
        await self._inbox.store(site_id, spool_id, stream, first, own)
        self._wake(self._follow(site_id, own))
        for one, given in zip(own, items, strict=True):
            if isinstance(one, BadItem) and one is not given:
                at = self._clock.business()
                self._store.add_alarm(Alarm(site_id=site_id, code="bad_item", detail=one.problem, at=at))

    def _is_own(self, site_id: str, item: Item | BadItem) -> bool:
        match item:
            case UpdateItem():
                return self._is_own_session(site_id, item.session_id)
            case BillItem(record=record):
                is_here = self._sites.get(record.connector_id) == site_id
                return is_here and self._is_own_session(site_id, record.session_id)
            case StatusItem(status=status):
                return self._sites.get(status.connector_id) == site_id
            case FaultItem(connector_id=str(connector_id)):
                return self._sites.get(connector_id) == site_id
            case _:
                return True

    def _is_own_session(self, site_id: str, session_id: str) -> bool:
        known = self._store.session(session_id)
        return known is None or known.site_id in {None, site_id}

    async def catch_up(self) -> None:
        """After a start: bring the open sessions up to what the inbox knows, and work off what waits."""
        known = {one.session_id for one in self._store.open_sessions()}
        waiting = await self._inbox.waiting_sessions()
        for session_id in known | set(waiting):
            kept: list[KeptItem] = await self._inbox.of_session(session_id)
            for one in kept[:1]:
                self._follow(one.site_id, [each.item for each in kept])
        self._wake(waiting)

    def _follow(self, site_id: str, items: Sequence[Item | BadItem]) -> list[str]:
        touched: dict[str, Session] = {}
        for item in items:
            if isinstance(item, UpdateItem):
                session = self._session(touched, item.session_id, site_id)
                if session.last is None or session.last.number < item.update.number:
                    session.last = item.update
            elif isinstance(item, BillItem):
                session = self._session(touched, item.record.session_id, site_id)
                session.bill, session.connector_id = item.record, item.record.connector_id
        if touched:
            self._store.save_sessions(*touched.values())
        return list(touched)

    def _session(self, touched: dict[str, Session], session_id: str, site_id: str) -> Session:
        if session_id not in touched:
            known = self._store.session(session_id)
            touched[session_id] = known or Session(session_id=session_id, site_id=site_id, may_be_sent=True)
        return touched[session_id]


def _foreign(item: Item | BadItem) -> BadItem:
    assert not isinstance(item, BadItem)
    return BadItem(raw=encode(item), problem=f"{type(item).__name__} of another site's charge or connector")
