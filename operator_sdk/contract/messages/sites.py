"""Sites of hosted operators, as the hub's staff see them."""

from typing import Annotated

from msgspec import Meta

from operator_sdk.contract.edge_link.frames import SiteId
from operator_sdk.contract.messages.common import Instant, Message, Page, PartyId
from operator_sdk.contract.messages.directory import StationId

PublicKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$", description="raw Ed25519, base64url")]


class SiteAdd(Message, frozen=True, kw_only=True):
    """A site of a hosted host at one of its stations; it serves the connectors that stand there."""

    site_id: SiteId
    host_party_id: PartyId
    station_id: StationId
    public_key: PublicKey


class SiteKeyPropose(Message, frozen=True, kw_only=True):
    """Another key for a site; a second person approves it, and then the old one is worth nothing."""

    public_key: PublicKey


class SiteHealth(Message, frozen=True, kw_only=True):
    """What the site last said of itself; frames counted since its spool was made."""

    at: Instant
    can_frames: int
    meter_frames: int
    spool_waiting: int


class Site(Message, frozen=True, kw_only=True):
    """A site. `state` is proposed (no key approved yet), live or revoked; `seen_at` is wall time."""

    site_id: str
    host_party_id: PartyId
    station_id: str
    state: str
    connected: bool
    created_at: Instant
    public_key: str | None = None
    proposed_key: str | None = None
    connected_at: Instant | None = None
    seen_at: Instant | None = None
    spool_id: str | None = None
    agent_version: str | None = None
    health: SiteHealth | None = None
    bad_items: int = 0


class SitePage(Page, frozen=True, kw_only=True):
    """A page of sites, oldest first."""

    items: list[Site]


class BadSiteItem(Message, frozen=True, kw_only=True):
    """An item of a site's spool that was not taken, and why. `raw` is the item as it came: msgpack, base64."""

    bad_item_id: str
    stream: str
    number: int
    kind: str
    problem: str
    received_at: Instant
    raw: bytes


class BadSiteItemPage(Page, frozen=True, kw_only=True):
    """A page of a site's refused items, oldest first."""

    items: list[BadSiteItem]
