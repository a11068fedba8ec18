"""Sites' connections: which one counts, what is durable of their spools, what they need to know."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.accounts.tables import blacklist_digests, blacklist_version
from hub.core.database import Unit
from hub.core.tables import insert_new
from hub.directory.service_tariffs import tariff_of
from hub.directory.tables import stored_stations
from hub.directory.tables_tariffs import find_version
from hub.sites.context import SitesContext, site_topic
from hub.sites.model import (
    BAD_ITEM,
    BAD_ITEMS_MOST,
    BILL_REFUSED,
    CAUGHT_UP_AFTER,
    CLOCK_SKEW,
    RAW_BYTES_MOST,
    LinkHealth,
    Place,
    RefusedItem,
    is_clock_off,
    is_connected,
)
from hub.sites.ports import SeenFault
from hub.sites.tables import (
    SiteBadItemRow,
    SiteLinkRow,
    advance_stream,
    end_link,
    keep_newest_bad_items,
    link_row,
    numbers_of,
    put_link,
    renew_links,
    site_row,
    tokens_of,
    versions_from,
)
from operator_sdk.contract.edge_link import BATCH_ITEMS_MOST
from operator_sdk.contract.edge_link.frames import Stream
from operator_sdk.contract.edge_link.gateway_end import Arrived
from operator_sdk.contract.messages.directory import Tariff
from operator_sdk.contract.signing import public_from_b64url

TARIFFS_MOST = 200
BLACKLIST_MOST = 20_000
BAD_ITEM_ID = "bad"
NONE, SECOND = timedelta(0), timedelta(seconds=1)


class Superseded(Exception):
    """The site is connected elsewhere now."""


class SiteClosed(Exception):
    """The site may not be connected any more: revoked, or its key was replaced."""


@dataclass(frozen=True, slots=True)
class KnownSite:
    """A site that may prove itself with this key (raw, base64url)."""

    place: Place
    public_key: str

    @property
    def key(self) -> Ed25519PublicKey:
        """The key to verify with."""
        return public_from_b64url(self.public_key)


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection that counts, until another one of the same site does."""

    place: Place
    spool_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a site should know now: its connectors, tariffs in force and to come, the blacklist's version."""

    connectors: frozenset[str]
    tariffs: Sequence[Tariff]
    blacklist_version: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What goes into the unit that moves a stream on: faults seen, the newest health, items refused."""

    faults: Sequence[SeenFault] = ()
    health: LinkHealth | None = None
    refused: Sequence[RefusedItem] = ()


class Connections:
    """Opens, renews and ends connections; moves streams on."""

    def __init__(self, context: SitesContext) -> None:
        self._c = context

    async def known(self, site_id: str) -> KnownSite | None:
        """A site that may connect."""
        async with self._c.database.reading() as unit:
            row = await site_row(unit, site_id)
        if row is None or row.revoked or row.public_key is None:
            return None
        place = Place(row.site_id, row.host_party_id, row.station_id)
        return KnownSite(place, row.public_key)

    async def durable(self, site_id: str, spool_id: str) -> Mapping[Stream, int]:
        """What is durable of a spool, by stream."""
        async with self._c.database.reading() as unit:
            numbers = await numbers_of(unit, site_id, spool_id)
        return {stream: numbers.get(stream, 0) for stream in Stream}

    async def open(self, known: KnownSite, spool_id: str, agent_version: str) -> Connected:
        """A proved connection counts from now on; whoever holds another one of this site is told.

        Raises:
            SiteClosed: revoked, or its key replaced, since it was looked up.
        """
        place, now = known.place, self._c.clock.wall()
        token = self._c.ids.secret()
        async with self._c.database.unit() as unit:
            row = await site_row(unit, place.site_id, lock=True)
            if row is None or row.revoked or row.public_key != known.public_key:
                raise SiteClosed
            await put_link(
                unit,
                place.site_id,
                token=token,
                connected_at=now,
                seen_at=now,
                spool_id=spool_id,
                agent_version=agent_version,
            )
            unit.after_commit(lambda: self._c.live.publish(site_topic(place.site_id)))
        return Connected(place, spool_id, token)

    async def renew(self, connections: Collection[Connected]) -> None:
        """These connections live."""
        async with self._c.database.unit() as unit:
            await renew_links(unit, [one.token for one in connections], self._c.clock.wall())

    async def tokens(self, site_ids: Collection[str]) -> Mapping[str, str | None]:
        """The connections that count, by site."""
        async with self._c.database.reading() as unit:
            return await tokens_of(unit, site_ids)

    async def close(self, connected: Connected) -> None:
        """This connection is no more."""
        async with self._c.database.unit() as unit:
            await end_link(unit, connected.place.site_id, connected.token)

    async def store(self, connected: Connected, arrived: Arrived, taken: Taken) -> int:
        """A batch was taken: note it, with all that goes with it, in one unit; the number of its last item.

        Raises:
            Superseded: this connection does not count any more; nothing was stored.
            SiteClosed: nor any other.
        """
        site_id, last = connected.place.site_id, arrived.first + len(arrived.items) - 1
        async with self._c.database.unit() as unit:
            row = await link_row(unit, site_id, lock=True)
            check_token(row.token if row is not None else None, connected)
            assert row is not None
            if taken.refused:
                await self._keep_bad(unit, connected, arrived.stream, taken.refused)
            faults = [*taken.faults, *self._of_refused(connected.place, taken.refused)]
            if (health := taken.health) is not None:
                row.health_at, row.spool_waiting = health.at, health.spool_waiting
                row.can_frames, row.meter_frames = health.can_frames, health.meter_frames
                row.agent_version = health.version or row.agent_version
                faults += self._of_clock(connected.place, row, health)
            for fault in faults:
                await self._c.fault_seen.fault_seen(unit, fault)
            await advance_stream(unit, site_id, connected.spool_id, arrived.stream.value, last)
        return last

    async def _keep_bad(
        self, unit: Unit, connected: Connected, stream: Stream, refused: Sequence[RefusedItem]
    ) -> None:
        """For a person to look at; a site that goes wrong for days fills no disk."""
        site_id, batch_id = connected.place.site_id, self._c.ids.new(BAD_ITEM_ID)
        for place, bad in enumerate(refused):
            await insert_new(
                unit,
                SiteBadItemRow,
                bad_item_id=f"{batch_id}.{place:03d}",
                site_id=site_id,
                spool_id=connected.spool_id,
                stream=stream.value,
                number=bad.number,
                kind=bad.kind,
                problem=bad.problem[:200],
                raw=bad.raw[:RAW_BYTES_MOST],
                received_at=self._c.clock.wall(),
            )
        await keep_newest_bad_items(unit, site_id, stream.value, BAD_ITEMS_MOST)

    def _of_clock(self, place: Place, row: SiteLinkRow, health: LinkHealth) -> Sequence[SeenFault]:
        ahead = health.at - self._c.clock.business()
        caught_up = row.connected_at is not None and self._c.clock.wall() - row.connected_at > CAUGHT_UP_AFTER
        is_off = is_clock_off(
            ahead=ahead,
            late=self._c.clock.wall_for(-ahead),
            is_fresh=caught_up and health.spool_waiting <= BATCH_ITEMS_MOST,
        )
        if is_off is None:
            return []
        words = f"{abs(ahead) // SECOND} s {'ahead' if ahead > NONE else 'behind'}"
        return [self._fault(place, CLOCK_SKEW, words, cleared=not is_off)]

    def _of_refused(self, place: Place, refused: Sequence[RefusedItem]) -> Sequence[SeenFault]:
        """One fault for each kind of trouble, however many items."""
        first: dict[str, RefusedItem] = {}
        for item in refused:
            first.setdefault(BILL_REFUSED if item.kind == "bill" else BAD_ITEM, item)
        return [
            self._fault(place, code, f"{item.kind} {item.number}: {item.problem}")
            for code, item in first.items()
        ]

    async def alarm(self, place: Place, code: str) -> None:
        """Something about the link itself that a person should look at."""
        async with self._c.database.unit() as unit:
            await self._c.fault_seen.fault_seen(unit, self._fault(place, code, ""))

    def _fault(self, place: Place, code: str, text: str, *, cleared: bool = False) -> SeenFault:
        return SeenFault(
            host_party_id=place.host_party_id,
            site_id=place.site_id,
            connector_id=None,
            code=code,
            at=self._c.clock.business(),
            text=text[:200],
            cleared=cleared,
        )

    async def outlook(self, place: Place) -> Outlook:
        """What a site should know now."""
        now: datetime = self._c.clock.business()
        key = (place.host_party_id, place.station_id)
        async with self._c.database.reading() as unit:
            station = (await stored_stations(unit, [key])).get(key)
            if station is None:
                return Outlook(frozenset(), (), 0)
            rows = await versions_from(
                unit, place.host_party_id, station.facts.tariff_id, now=now, most=TARIFFS_MOST
            )
            version = await blacklist_version(unit, place.host_party_id)
        return Outlook(frozenset(station.connectors), [tariff_of(row.model_dump()) for row in rows], version)

    async def tariff(self, host_party_id: str, tariff_id: str, version: int) -> Tariff | None:
        """One version of a tariff."""
        async with self._c.database.reading() as unit:
            row = await find_version(unit, party_id=host_party_id, tariff_id=tariff_id, version=version)
        return None if row is None else tariff_of(row.model_dump())

    async def blacklist(self, host_party_id: str) -> tuple[int, list[bytes]]:
        """(version, digests) of an operator's blocked tokens."""
        async with self._c.database.reading() as unit:
            version = await blacklist_version(unit, host_party_id)
            digests = await blacklist_digests(unit, host_party_id, most=BLACKLIST_MOST)
        return version, [bytes.fromhex(digest) for digest in digests]


def check_token(token: str | None, connected: Connected) -> None:
    """Raise what became of a connection that counts no more.

    Raises:
        Superseded, SiteClosed.
    """
    if token is None:
        raise SiteClosed
    if token != connected.token:
        raise Superseded


async def is_online(unit: Unit, site_id: str, now: datetime) -> bool:
    """Whether some process holds the site's connection."""
    row = await link_row(unit, site_id)
    return row is not None and is_connected(row.token, row.seen_at, now)
