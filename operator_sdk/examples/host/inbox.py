"""The host's inbox: the SDK's, plus what follows from every batch: sessions brought up to date, work woken."""

from collections.abc import Callable, Mapping, Sequence

from operator_sdk.contract.edge_link.frames import BadItem, BillItem, Item, Stream, UpdateItem
from operator_sdk.examples.host.store import Session, Store
from operator_sdk.site_gateway import KeptItem, SqliteInbox


class HostInbox:
    """Keeps items in a SqliteInbox. `wake` is called with the sessions that have something new."""

    def __init__(self, inbox: SqliteInbox, store: Store, wake: Callable[[Sequence[str]], None]) -> None:
        self._inbox, self._store, self._wake = inbox, store, wake

    async def acknowledged(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        """What is durable of a site's spool."""
        return await self._inbox.acknowledged(site_id, spool_id)

    async def store(
        self, site_id: str, spool_id: str, stream: Stream, first: int, items: Sequence[Item | BadItem]
    ) -> None:
        """Keep a batch. What follows from it is made up for by `catch_up` if the process dies in between."""
        await self._inbox.store(site_id, spool_id, stream, first, items)
        self._wake(self._follow(site_id, items))

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
