"""Which sites there are, and with which keys: for staff. Every change is on the audit log."""

import msgspec

from hub.core.database import Unit
from hub.core.errors import HubError, NotFoundError
from hub.core.paging import cut_page, decode_cursor, page_limit
from hub.directory.tables import stored_stations
from hub.parties.tables_staff import same_person
from hub.sites.context import SitesContext, site_topic
from hub.sites.model import is_connected, state_of
from hub.sites.tables import (
    SiteLinkRow,
    SiteRow,
    bad_items_by_site,
    link_row,
    page_of_bad_items,
    page_of_sites,
    party_of,
    put_link,
    site_by_key,
    site_row,
    standing_site_at,
)
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.sites import (
    BadSiteItem,
    BadSiteItemPage,
    Site,
    SiteAdd,
    SiteHealth,
    SiteKeyPropose,
    SitePage,
)
from operator_sdk.contract.public_codes import Code
from operator_sdk.contract.signing import public_from_b64url, public_to_b64url


class Registry:
    """Adds, lists and revokes sites, and changes their keys."""

    def __init__(self, context: SitesContext) -> None:
        self._c = context

    async def add(self, add: SiteAdd, actor: str, *, alone: bool = False) -> Site:
        """Add a site and propose its key; `alone` makes it live at once. The same again changes nothing.

        Raises:
            NotFoundError: no such station of a hosted host.
            HubError: id_reused, the site is another one; rule_violated, its station or key is another site's.
        """
        public_key = _checked_key(add.public_key)
        async with self._c.database.unit() as unit:
            await self._check_station(unit, add.host_party_id, add.station_id)
            row = await site_row(unit, add.site_id, lock=True)
            if row is None:
                row = await self._make(unit, add, public_key, actor)
            known = {row.public_key, row.proposed_key}
            if (row.host_party_id, row.station_id) != (add.host_party_id, add.station_id):
                raise HubError(Code.ID_REUSED)
            if row.revoked or public_key not in known:
                raise HubError(Code.ID_REUSED)
            if alone and row.proposed_key is not None:
                await self._approve(unit, row, actor)
            return await self._view(unit, row)

    async def _check_station(self, unit: Unit, party_id: str, station_id: str) -> None:
        party = await party_of(unit, party_id)
        if party is None or party.protocol != "hosted" or Role.HOST not in party.roles.split(","):
            raise NotFoundError
        if (party_id, station_id) not in await stored_stations(unit, [(party_id, station_id)]):
            raise NotFoundError

    async def _make(self, unit: Unit, add: SiteAdd, public_key: str, actor: str) -> SiteRow:
        if await standing_site_at(unit, add.host_party_id, add.station_id) is not None:
            raise HubError(Code.RULE_VIOLATED, reason="this station has a site already")
        await _refuse_known_key(unit, public_key)
        row = SiteRow(
            site_id=add.site_id,
            host_party_id=add.host_party_id,
            station_id=add.station_id,
            proposed_key=public_key,
            proposed_by=actor,
            created_at=self._c.clock.wall(),
        )
        unit.session.add(row)
        self._note(unit, row, "add_site", actor, public_key=public_key)
        return row

    async def propose_key(self, site_id: str, key: SiteKeyPropose, actor: str, *, alone: bool = False) -> Site:
        """Propose another key; `alone` makes it the site's at once.

        Raises:
            NotFoundError: no such site.
            HubError: state_conflict, it is revoked; rule_violated, the key is in use.
        """
        public_key = _checked_key(key.public_key)
        async with self._c.database.unit() as unit:
            row = await self._site(unit, site_id)
            if row.revoked:
                raise HubError(Code.STATE_CONFLICT)
            if public_key not in {row.public_key, row.proposed_key}:
                await _refuse_known_key(unit, public_key)
                row.proposed_key, row.proposed_by = public_key, actor
                self._note(unit, row, "propose_site_key", actor, public_key=public_key)
            if alone and row.proposed_key is not None:
                await self._approve(unit, row, actor)
            return await self._view(unit, row)

    async def approve_key(self, site_id: str, actor: str) -> Site:
        """Make a proposed key the site's; whoever proposed it cannot. The old key's connection is closed.

        Raises:
            NotFoundError: no such site.
            HubError: second_person_needed; state_conflict, nothing is proposed or the site is revoked.
        """
        async with self._c.database.unit() as unit:
            row = await self._site(unit, site_id)
            if row.revoked or row.proposed_key is None:
                raise HubError(Code.STATE_CONFLICT)
            if await same_person(unit, row.proposed_by or "", actor):
                raise HubError(Code.SECOND_PERSON_NEEDED)
            await self._approve(unit, row, actor)
            return await self._view(unit, row)

    async def _approve(self, unit: Unit, row: SiteRow, actor: str) -> None:
        row.public_key, row.proposed_key, row.proposed_by = row.proposed_key, None, None
        self._note(unit, row, "approve_site_key", actor, public_key=row.public_key)
        await unit.session.flush()
        await self._disconnect(unit, row.site_id)

    async def revoke(self, site_id: str, actor: str) -> Site:
        """Let a site connect no more, for good; its connection is closed. Again changes nothing.

        Raises:
            NotFoundError: no such site.
        """
        async with self._c.database.unit() as unit:
            row = await self._site(unit, site_id)
            if not row.revoked:
                row.revoked = True
                self._note(unit, row, "revoke_site", actor)
                await unit.session.flush()
                await self._disconnect(unit, site_id)
            return await self._view(unit, row)

    async def _disconnect(self, unit: Unit, site_id: str) -> None:
        await put_link(unit, site_id, token=None)
        unit.after_commit(lambda: self._c.live.publish(site_topic(site_id)))

    async def get(self, site_id: str) -> Site:
        """One site.

        Raises:
            NotFoundError: no such site.
        """
        async with self._c.database.reading() as unit:
            row = await site_row(unit, site_id)
            if row is None:
                raise NotFoundError
            return await self._view(unit, row)

    async def page(self, *, after: str | None = None, limit: int | None = None) -> SitePage:
        """A page of sites, oldest first.

        Raises:
            HubError: malformed cursor or limit.
        """
        most = page_limit(limit)
        begin = decode_cursor(after) if after is not None else None
        async with self._c.database.reading() as unit:
            rows = await page_of_sites(unit, after=begin, count=most + 1)
            page, next_after = cut_page(rows, most, lambda row: (row[0].created_at, row[0].site_id))
            bad = await bad_items_by_site(unit, [row.site_id for row, _ in page])
        items = [self._site_of(row, link, bad.get(row.site_id, 0)) for row, link in page]
        return SitePage(items=items, next_after=next_after)

    async def bad_items(
        self, site_id: str, *, after: str | None = None, limit: int | None = None
    ) -> BadSiteItemPage:
        """What a site sent that was not taken, oldest first.

        Raises:
            NotFoundError: no such site.
            HubError: malformed cursor or limit.
        """
        most = page_limit(limit)
        begin = decode_cursor(after) if after is not None else None
        async with self._c.database.reading() as unit:
            if await site_row(unit, site_id) is None:
                raise NotFoundError
            rows = await page_of_bad_items(unit, site_id, after=begin, count=most + 1)
        page, next_after = cut_page(rows, most, lambda row: (row.received_at, row.bad_item_id))
        items = [
            BadSiteItem(
                bad_item_id=row.bad_item_id,
                stream=row.stream,
                number=row.number,
                kind=row.kind,
                problem=row.problem,
                received_at=row.received_at,
                raw=row.raw,
            )
            for row in page
        ]
        return BadSiteItemPage(items=items, next_after=next_after)

    async def _site(self, unit: Unit, site_id: str) -> SiteRow:
        row = await site_row(unit, site_id, lock=True)
        if row is None:
            raise NotFoundError
        return row

    async def _view(self, unit: Unit, row: SiteRow) -> Site:
        await unit.session.flush()
        bad = await bad_items_by_site(unit, [row.site_id])
        return self._site_of(row, await link_row(unit, row.site_id), bad.get(row.site_id, 0))

    def _site_of(self, row: SiteRow, link: SiteLinkRow | None, bad_items: int) -> Site:
        site = Site(
            site_id=row.site_id,
            host_party_id=row.host_party_id,
            station_id=row.station_id,
            state=state_of(public_key=row.public_key, revoked=row.revoked),
            connected=False,
            created_at=row.created_at,
            public_key=row.public_key,
            proposed_key=row.proposed_key,
            bad_items=bad_items,
        )
        if link is None or link.connected_at is None:
            return site
        return msgspec.structs.replace(
            site,
            connected=is_connected(link.token, link.seen_at, self._c.clock.wall()),
            connected_at=link.connected_at,
            seen_at=link.seen_at,
            spool_id=link.spool_id,
            agent_version=link.agent_version,
            health=_health(link),
        )

    def _note(self, unit: Unit, row: SiteRow, action: str, actor: str, **detail: object) -> None:
        subject = f"{row.host_party_id}/{row.site_id}"
        self._c.audit.note(unit, actor=actor, action=action, subject=subject, **detail)


def _health(link: SiteLinkRow) -> SiteHealth | None:
    if link.health_at is None:
        return None
    return SiteHealth(
        at=link.health_at,
        can_frames=link.can_frames,
        meter_frames=link.meter_frames,
        spool_waiting=link.spool_waiting,
    )


def _checked_key(public_key: str) -> str:
    """A key in its one spelling: base64url has several for the same bytes."""
    try:
        canonical = public_to_b64url(public_from_b64url(public_key))
    except ValueError:
        canonical = ""
    if canonical != public_key:
        raise HubError(Code.RULE_VIOLATED, reason="not an Ed25519 public key")
    return canonical


async def _refuse_known_key(unit: Unit, public_key: str) -> None:
    if await site_by_key(unit, public_key) is not None:
        raise HubError(Code.RULE_VIOLATED, reason="this public key is another site's")
