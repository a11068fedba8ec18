"""`interpile site`."""

from typing import Annotated, Any

import typer

from hub.commands.shell import (
    Json,
    actor,
    group,
    message,
    show_facts,
    show_json,
    show_table,
    with_hub,
)  # fmt: skip
from operator_sdk.contract.messages.sites import BadSiteItem, Site, SiteAdd, SiteKeyPropose

site_app = group("Sites of hosted operators: who may connect, who is connected, what was refused.")

PartyArgument = Annotated[str, typer.Argument(metavar="PARTY", help="The host's party id.")]
SiteArgument = Annotated[str, typer.Argument(metavar="SITE")]
KeyOption = Annotated[str, typer.Option("--public-key", help="The agent's raw Ed25519 public key, base64url.")]


@site_app.command("add")
def add_site(
    site_id: SiteArgument,
    *,
    party: Annotated[str, typer.Option(help="The hosted host.")],
    station: Annotated[str, typer.Option(help="The station whose connectors the site serves.")],
    public_key: KeyOption,
    as_json: Json = False,
) -> None:
    """Add a site; it may connect at once. The same again changes nothing."""
    add = message(SiteAdd, site_id=site_id, host_party_id=party, station_id=station, public_key=public_key)
    added = with_hub(lambda hub: hub.sites.registry.add(add, actor=actor(), alone=True))
    show_json(added) if as_json else _show(added)


@site_app.command("key")
def replace_key(site_id: SiteArgument, public_key: KeyOption, as_json: Json = False) -> None:
    """Give a site another key, at once; what is connected with the old one is closed."""
    propose = message(SiteKeyPropose, public_key=public_key)
    changed = with_hub(lambda hub: hub.sites.registry.propose_key(site_id, propose, actor=actor(), alone=True))
    show_json(changed) if as_json else _show(changed)


@site_app.command("approve")
def approve_key(site_id: SiteArgument, as_json: Json = False) -> None:
    """Make a key the site's that was proposed through the API."""
    approved = with_hub(lambda hub: hub.sites.registry.approve_key(site_id, actor=actor()))
    show_json(approved) if as_json else _show(approved)


@site_app.command("revoke")
def revoke_site(site_id: SiteArgument, as_json: Json = False) -> None:
    """Let a site connect no more, for good."""
    revoked = with_hub(lambda hub: hub.sites.registry.revoke(site_id, actor=actor()))
    show_json(revoked) if as_json else _show(revoked)


@site_app.command("list")
def list_sites(as_json: Json = False) -> None:
    """All sites, and whether they are connected."""

    async def every(hub: Any) -> list[Site]:
        found: list[Site] = []
        after = None
        while True:
            page = await hub.sites.registry.page(after=after, limit=200)
            found += page.items
            after = page.next_after
            if after is None:
                return found

    found = with_hub(every)
    if as_json:
        show_json(found)
        return
    show_table(
        ("site", "party", "station", "state", "connected", "waiting", "refused"),
        (
            (one.site_id, one.host_party_id, one.station_id, one.state, "yes" if one.connected else "no",
             one.health.spool_waiting if one.health else None, one.bad_items)
            for one in found
        ),
    )  # fmt: skip


@site_app.command("show")
def show_site(site_id: SiteArgument, as_json: Json = False) -> None:
    """One site, how it fares, and what it sent that was not taken."""

    async def work(hub: Any) -> tuple[Site, list[BadSiteItem]]:
        return await hub.sites.registry.get(site_id), (
            await hub.sites.registry.bad_items(site_id, limit=20)
        ).items

    site, bad = with_hub(work)
    if as_json:
        show_json(site)
        return
    _show(site)
    if bad:
        show_table(
            ("stream", "number", "kind", "why it was not taken"),
            ((one.stream, one.number, one.kind, one.problem) for one in bad),
        )


@site_app.command("blacklist")
def show_blacklist(party_id: PartyArgument, as_json: Json = False) -> None:
    """An operator's blocked tokens as its sites know them; `interpile customer token block` changes it."""
    version, digests = with_hub(lambda hub: hub.sites.connections.blacklist(party_id))
    facts = {"version": version, "digests": [digest.hex() for digest in digests]}
    if as_json:
        show_json(facts)
    else:
        show_facts((("version", version), ("tokens", len(digests))))
        show_table(("digest",), ((digest.hex(),) for digest in digests))


@site_app.command("gateway")
def show_gateway(as_json: Json = False) -> None:
    """What an agent's file needs of this hub: url, id and public_key of its `[gateway]`."""

    from hub.protocols.edge.gateway import PATH

    async def work(hub: Any) -> dict[str, str]:
        base = hub.settings.public_url.replace("http", "ws", 1)
        return {
            "url": f"{base}{PATH}",
            "id": hub.settings.party_id,
            "public_key": hub.secrets.signer.public_b64url(),
        }

    facts = with_hub(work)
    show_json(facts) if as_json else show_facts(facts.items())


def _show(site: Site) -> None:
    health = site.health
    show_facts(
        (
            ("site", site.site_id),
            ("party", site.host_party_id),
            ("station", site.station_id),
            ("state", site.state),
            ("public key", site.public_key),
            ("proposed key", site.proposed_key),
            ("connected", "yes" if site.connected else "no"),
            ("connected since", site.connected_at.isoformat() if site.connected_at else None),
            ("last seen", site.seen_at.isoformat() if site.seen_at else None),
            ("agent", site.agent_version),
            ("items waiting", health.spool_waiting if health else None),
            ("frames", f"CAN {health.can_frames}, meter {health.meter_frames}" if health else None),
            ("refused items", site.bad_items),
        )
    )
