"""Sites as staff keep them: two people for a key, one site a station, and who is revoked is cut off."""

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.parties.tables import AuditRow
from operator_sdk.contract.edge_link.frames import LinkCode
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.signing import public_to_b64url
from tests.edge_client import connected, dialled
from tests.rig import A, C
from tests.site_world import LIVE, SITE, STATION, E, SiteWorld, open_site_world, send

pytestmark = pytest.mark.integration


@pytest.fixture
async def world(kind: str) -> AsyncIterator[SiteWorld]:
    async with open_site_world(kind) as world:
        yield world


def new_key() -> tuple[Ed25519PrivateKey, str]:
    key = Ed25519PrivateKey.generate()
    return key, public_to_b64url(key.public_key())


class Office:
    """The hub's staff, over the API."""

    def __init__(self, world: SiteWorld) -> None:
        self._world = world
        self._tokens: dict[str, str] = {}

    async def __call__(self, login: str, operation: str, body: Any = None, **path: str) -> httpx.Response:
        if login not in self._tokens:
            self._tokens[login] = await self._world.rig.staff_token(login)
        op = HUB[operation]
        return await self._world.rig.http.request(
            op.method,
            op.path.format(**path),
            json=body,
            headers={"authorization": f"Bearer {self._tokens[login]}"},
        )


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_new_key_needs_a_second_person_and_cuts_the_old_one_off(world: SiteWorld) -> None:
    office, (key, public) = Office(world), new_key()
    async with world.online() as line:
        proposed = await office("ann", "propose_site_key", {"public_key": public}, site_id=SITE)
        assert (proposed.json()["state"], proposed.json()["proposed_key"]) == ("live", public)
        assert code_of(await office("ann", "approve_site_key", site_id=SITE)) == (409, "second_person_needed")
        assert not line.is_closed
        approved = await office("bob", "approve_site_key", site_id=SITE)
        assert (approved.json()["public_key"], approved.json()["proposed_key"]) == (public, None)
        assert await line.closed() == LinkCode.SITE_UNKNOWN
    async with dialled(world, world.site) as line:
        assert await line.closed() == LinkCode.PROOF_WRONG
    world.site.key = key
    async with world.online():
        assert (await office("bob", "get_site", site_id=SITE)).json()["connected"]
    assert code_of(await office("bob", "approve_site_key", site_id=SITE)) == (409, "state_conflict")
    noted = sorted(row.action for row in await world.rig.rows(AuditRow) if "site" in row.action)
    assert noted == ["add_site", "approve_site_key", "approve_site_key", "propose_site_key"]


async def test_a_site_added_over_the_api_connects_once_its_key_is_approved_until_it_is_revoked(
    world: SiteWorld,
) -> None:
    office, (key, public) = Office(world), new_key()
    await office("ann", "revoke_site", site_id=SITE)
    body = {"site_id": "site-2", "host_party_id": E, "station_id": STATION, "public_key": public}
    assert (await office("ann", "add_site", body)).json()["state"] == "proposed"
    assert (await office("ann", "add_site", body)).status_code == 201
    world.site.site_id, world.site.key = "site-2", key
    async with dialled(world, world.site) as line:
        assert await line.closed() == LinkCode.PROOF_WRONG
    assert (await office("bob", "approve_site_key", site_id="site-2")).json()["state"] == "live"
    async with connected(world, world.site) as line:
        page = (await office("ann", "list_sites")).json()["items"]
        assert [(one["site_id"], one["state"], one["connected"]) for one in page] == [
            (SITE, "revoked", False),
            ("site-2", "live", True),
        ]
        await office("ann", "revoke_site", site_id="site-2")
        assert await line.closed() == LinkCode.SITE_UNKNOWN
    refused = await office("ann", "propose_site_key", {"public_key": new_key()[1]}, site_id="site-2")
    assert code_of(refused) == (409, "state_conflict")
    assert code_of(await office("ann", "add_site", body)) == (422, "id_reused")


async def test_a_site_stands_at_one_station_of_a_hosted_host_with_a_key_of_its_own(world: SiteWorld) -> None:
    office, (_, public) = Office(world), new_key()
    mine = public_to_b64url(world.site.key.public_key())
    body = {"site_id": "x", "host_party_id": E, "station_id": STATION, "public_key": public}
    not_a_key = base64.urlsafe_b64encode(secrets.token_bytes(31) + b"\xff").decode()[:42] + "-"
    for change, expected in (
        ({"host_party_id": A, "station_id": "S1"}, (404, "not_found")),  # native
        ({"host_party_id": C}, (404, "not_found")),  # hosted, and no host
        ({"station_id": "nowhere"}, (404, "not_found")),
        ({}, (422, "rule_violated")),  # the station has its site
        ({"site_id": SITE}, (422, "id_reused")),  # with another key
        ({"site_id": "no site!"}, (400, "malformed")),
        ({"public_key": "short"}, (400, "malformed")),
    ):
        assert code_of(await office("ann", "add_site", body | change)) == expected, change
    await office("ann", "revoke_site", site_id=SITE)
    for key in (mine, not_a_key):
        assert code_of(await office("ann", "add_site", body | {"public_key": key})) == (422, "rule_violated")
    for operation in ("get_site", "revoke_site", "approve_site_key", "list_bad_site_items"):
        assert code_of(await office("ann", operation, site_id="nobody")) == (404, "not_found")


async def test_what_was_refused_is_shown_page_by_page(world: SiteWorld) -> None:
    office = Office(world)
    async with world.online() as line:
        await send(line, LIVE, [b"\x01", b"\x02", b"\x03"])
    op = HUB["list_bad_site_items"]
    first = await office("ann", op.id, site_id=SITE)
    assert [base64.b64decode(one["raw"]) for one in first.json()["items"]] == [b"\x01", b"\x02", b"\x03"]
    assert (await office("ann", "get_site", site_id=SITE)).json()["bad_items"] == 3
    headers = {"authorization": f"Bearer {await world.rig.staff_token('cat')}"}
    seen: list[int] = []
    query = "limit=2"
    while query:
        page = (await world.rig.http.get(f"{op.path.format(site_id=SITE)}?{query}", headers=headers)).json()
        seen += [one["number"] for one in page["items"]]
        query = f"limit=2&after={page['next_after']}" if page["next_after"] else ""
    assert seen == [1, 2, 3]
