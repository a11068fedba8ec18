"""The homes that a driver chooses from when he signs in: those he can sign in with, and no others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from operator_sdk import AsyncHubClient, HubClient, new_key
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import PartyAdd
from operator_sdk.contract.messages.places import HomeOperator
from tests.bff_rig import open_bff
from tests.rig import B, C, D, Rig, open_rig

HOMES = "query($first: Int! = 20, $after: String) { homeOperators(first: $first, after: $after) {"
HOMES += " edges { node { partyId name byCode byAssertion } } pageInfo { hasNextPage endCursor } } }"


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as opened:
        yield opened


def home(party_id: str, *grants: str) -> HomeOperator:
    return HomeOperator(party_id=party_id, name=f"Operator {party_id}", grants=list(grants))


async def public(rig: Rig) -> list[HomeOperator]:
    """As anybody sees them, who needs no credentials for it."""
    async with AsyncHubClient(rig.url) as anybody:
        return (await anybody.list_home_operators()).items


async def test_hosted_homes_by_code_and_homes_with_a_key_by_assertion(rig: Rig) -> None:
    """A is a host, and an app is nobody's home."""
    app = PartyAdd(party_id="MA5APP001", name="App", roles=[Role.APP], protocol="app")
    await rig.hub.parties.add_party(app, actor="test")
    assert await public(rig) == [home(B, "assertion"), home(C, "code"), home(D, "assertion")]
    await rig.hub.parties.revoke_key(B, rig.b.key.key_id, actor="test")
    key = new_key("c-1")
    proposed = KeyAdd(key_id=key.key_id, public_key=key.public_b64url())
    await rig.hub.parties.add_key(C, proposed, actor="one")
    assert await public(rig) == [home(C, "code"), home(D, "assertion")], (
        "revoked and proposed keys open nothing"
    )
    await rig.hub.parties.approve_key(C, key.key_id, actor="two")
    assert (await public(rig))[0] == home(C, "code", "assertion")


async def test_pages_have_every_home_once_in_both_clients_and_in_graphql(rig: Rig) -> None:
    for number in range(4):
        add = PartyAdd(party_id=f"MA5HOME0{number}", name=f"电{number}", roles=[Role.HOME], protocol="hosted")
        await rig.hub.parties.add_party(add, actor="test")
    whole = [one.party_id for one in await public(rig)]
    assert whole == [B, C, D, "MA5HOME00", "MA5HOME01", "MA5HOME02", "MA5HOME03"]

    def paged() -> list[str]:
        found: list[str] = []
        with HubClient(rig.url) as hub:
            page = hub.list_home_operators(limit=3)
            while page.next_after is not None:
                found += [one.party_id for one in page.items]
                page = hub.list_home_operators(limit=3, after=page.next_after)
            return found + [one.party_id for one in page.items]

    assert await asyncio.to_thread(paged) == whole
    async with open_bff(rig.url) as bff:
        phone, found, after, more = bff.phone(), [], None, True
        while more:
            page = (await phone.data(HOMES, first=2, after=after))["homeOperators"]
            found += [edge["node"] for edge in page["edges"]]
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert [one["partyId"] for one in found] == whole
        named = {"partyId": "MA5HOME00", "name": "电0", "byCode": True, "byAssertion": False}
        assert named in found
        assert {"partyId": D, "name": f"Operator {D}", "byCode": False, "byAssertion": True} in found


async def test_the_list_is_asked_of_the_hub_once_a_minute_however_many_phones_sign_in() -> None:
    async with open_rig("sqlite") as rig, open_bff(rig.url, sign_ins_per_s=1, rate_per_s=1) as bff:
        plain, asked = bff.services.backend.homes, []

        async def counted(**given: object) -> object:
            asked.append(given)
            return await plain(**given)  # type: ignore[arg-type]

        bff.services.backend.homes = counted  # type: ignore[assignment, method-assign]
        first = await bff.phone().data(HOMES)
        answers = await asyncio.gather(*(bff.phone().data(HOMES) for _ in range(30)))
        assert all(answer == first for answer in answers)
        assert len(asked) == 1
        greedy = [await bff.phone().ask(HOMES, first=number) for number in range(1, 11)]
        refused = [answer["errors"][0]["extensions"]["code"] for answer in greedy if "errors" in answer]
        assert set(refused) == {"too_many_requests"}, "pages that memory has not are counted"
        assert await bff.phone().code(HOMES, first=0) == "malformed"
