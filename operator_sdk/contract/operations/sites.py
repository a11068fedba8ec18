"""Sites of hosted operators: who may connect, who is connected, what was refused."""

from operator_sdk.contract.messages import sites
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op
from operator_sdk.contract.public_codes import Code

_STAFF = Scope.STAFF

SITES = (
    op("add_site", "POST /v1/staff/sites", sites.SiteAdd, sites.Site, _STAFF,
        "Add a site and propose its key", role="keys", errors=(Code.ID_REUSED, Code.RULE_VIOLATED),
        success=201),
    op("list_sites", "GET /v1/staff/sites", Empty, sites.SitePage, _STAFF, "Sites and their connections",
        role="parties_read", paged=True),
    op("get_site", "GET /v1/staff/sites/{site_id}", Empty, sites.Site, _STAFF, "One site",
        role="parties_read"),
    op("propose_site_key", "POST /v1/staff/sites/{site_id}/keys", sites.SiteKeyPropose, sites.Site, _STAFF,
        "Propose another key for a site", role="keys", errors=(Code.RULE_VIOLATED, Code.STATE_CONFLICT)),
    op("approve_site_key", "POST /v1/staff/sites/{site_id}/keys/approve", Empty, sites.Site, _STAFF,
        "Approve a site's proposed key (another person)", role="keys",
        errors=(Code.SECOND_PERSON_NEEDED, Code.STATE_CONFLICT)),
    op("revoke_site", "POST /v1/staff/sites/{site_id}/revoke", Empty, sites.Site, _STAFF,
        "Let a site connect no more, for good", role="keys"),
    op("list_bad_site_items", "GET /v1/staff/sites/{site_id}/bad-items", Empty, sites.BadSiteItemPage,
        _STAFF, "What a site sent that was not taken", role="parties_read", paged=True),
)  # fmt: skip
