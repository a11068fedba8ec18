"""Handlers: sites of hosted operators, for staff."""

from hub.protocols.native.call import Call, Handler
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.sites import BadSiteItemPage, Site, SiteAdd, SiteKeyPropose, SitePage


async def add_site(call: Call, request: SiteAdd) -> Site:
    """A site, and its key proposed."""
    return await call.services.sites.registry.add(request, actor=call.subject)


async def list_sites(call: Call, _: Empty) -> SitePage:
    """Sites."""
    return await call.services.sites.registry.page(after=call.query.get("after"), limit=call.limit)


async def get_site(call: Call, _: Empty) -> Site:
    """One site."""
    return await call.services.sites.registry.get(call.path["site_id"])


async def propose_site_key(call: Call, request: SiteKeyPropose) -> Site:
    """Propose another key; somebody else approves it."""
    return await call.services.sites.registry.propose_key(call.path["site_id"], request, actor=call.subject)


async def approve_site_key(call: Call, _: Empty) -> Site:
    """Approve a key that somebody else proposed."""
    return await call.services.sites.registry.approve_key(call.path["site_id"], actor=call.subject)


async def revoke_site(call: Call, _: Empty) -> Site:
    """Let a site connect no more."""
    return await call.services.sites.registry.revoke(call.path["site_id"], actor=call.subject)


async def list_bad_site_items(call: Call, _: Empty) -> BadSiteItemPage:
    """What a site sent that was not taken."""
    return await call.services.sites.registry.bad_items(
        call.path["site_id"], after=call.query.get("after"), limit=call.limit
    )


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler  # the operation's id is the handler's name
    for handler in (
        add_site,
        list_sites,
        get_site,
        propose_site_key,
        approve_site_key,
        revoke_site,
        list_bad_site_items,
    )
}
