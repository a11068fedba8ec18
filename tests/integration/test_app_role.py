"""A party that is nothing but an app reads the public directory, and nothing else opens to its key."""

import re
from collections.abc import AsyncIterator

import pytest

from hub.clearing.tables import everybody
from hub.core.clock import unix_s
from hub.core.errors import HubError, NotFoundError
from operator_sdk import AsyncHubClient, Forbidden, OperatorCredentials, SigningKey, new_key
from operator_sdk.client.patience import Patience
from operator_sdk.contract.codes import Role
from operator_sdk.contract.messages.access import KeyAdd
from operator_sdk.contract.messages.admin import AgreementAdd, PartyAdd
from operator_sdk.contract.messages.places import StationQuery
from operator_sdk.contract.operations import HUB, Scope
from operator_sdk.contract.public_codes import Code
from operator_sdk.keys import sign_token
from tests.rig import A, B, Rig, open_rig
from tests.rig_charges import begin_by_home, charge_of
from tests.rig_raw import send, signature

APP = "MA5APP001"


def app(**changes: object) -> PartyAdd:
    facts = {"party_id": APP, "name": "手机服务", "roles": [Role.APP], "protocol": "app"}
    return PartyAdd(**(facts | changes))  # type: ignore[arg-type]


@pytest.fixture
async def rig(kind: str) -> AsyncIterator[Rig]:
    async with open_rig(kind) as rig:
        yield rig


@pytest.fixture
async def key(rig: Rig) -> SigningKey:
    """The app is on the hub, with a live key."""
    key = new_key("app-1")
    added = await rig.hub.parties.add_party(app(), actor="test")
    assert (added.roles, added.protocol, added.base_url) == (["app"], "app", None)
    public = KeyAdd(key_id=key.key_id, public_key=key.public_b64url())
    await rig.hub.parties.add_key(APP, public, actor="test", alone=True)
    return key


async def test_an_app_signs_in_and_reads_the_directory(rig: Rig, key: SigningKey) -> None:
    async with AsyncHubClient(rig.url, OperatorCredentials(APP, key), patience=Patience(attempts=1)) as client:
        (hit,) = (await client.search_stations(StationQuery(text="一站"))).items
        detail = await client.get_station_detail(hit.party_id, hit.station_id)
        assert (await client.get_connector(detail.connectors[0].connector)).station_name == "一站"
        assert (await client.get_station(A, "S1")).name == "一站"
        assert len((await client.list_stations()).items) == 1
        with pytest.raises(Forbidden):
            await client.list_sessions()


async def test_every_other_operation_is_closed_to_an_app(rig: Rig, key: SigningKey) -> None:
    """Over the table itself, with the ids of real objects and valid signatures."""
    charge = await charge_of(rig, (await begin_by_home(rig)).session_id)
    await charge.whole()
    record = await rig.record(charge.session_id)
    before = await rig.fingerprint()
    ids = {
        "party_id": A, "station_id": "S1", "connector": f"A1.{A}", "tariff_id": "t", "version": "2",
        "session_id": charge.session_id, "record_id": record.record_id,
    }  # fmt: skip
    opened = set()
    for operation in HUB.values():
        if Scope.PUBLIC in operation.scopes:
            continue
        names = re.findall(r"{(\w+)}", operation.path)
        path = operation.path.format(**{name: ids.get(name, "x") for name in names})
        body = b"" if operation.method == "GET" else b"{}"
        signed = signature(rig, operation, path, body, key) if operation.signed else {}
        answer = await send(rig, operation, path, body, party=APP, headers=signed)
        if answer.status_code == 200:
            opened.add(operation.id)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), operation.id
    assert opened == {"search_stations", "get_station_detail", "list_stations", "get_station", "get_connector"}
    assert await rig.fingerprint() == before


async def test_an_apps_key_signs_no_driver_in(rig: Rig, key: SigningKey) -> None:
    """A driver's assertion is a home's to make; B's, made alike, is taken."""
    for issuer, signer, status in ((B, rig.b.key, 200), (APP, key, 401)):
        now = unix_s(rig.hub.clock.wall())
        claims = {"iss": issuer, "sub": "d1", "aud": rig.url, "jti": f"jti-{issuer}", "exp": now + 60}
        body = {"grant": "assertion", "assertion": sign_token(signer, claims)}
        assert (await rig.http.post("/v1/driver/tokens", json=body)).status_code == status


async def test_an_app_agrees_with_nobody(rig: Rig, key: SigningKey) -> None:
    for home, host in ((APP, A), (B, APP)):
        terms = AgreementAdd(home_party_id=home, host_party_id=host)
        with pytest.raises(HubError) as problem:
            await rig.hub.parties.add_agreement(terms, actor="test")
        assert problem.value.code == Code.RULE_VIOLATED


async def test_the_hub_never_calls_an_app(rig: Rig, key: SigningKey) -> None:
    with pytest.raises(NotFoundError):
        await rig.hub.links.of(APP)


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": [Role.APP, Role.HOME]},
        {"roles": [Role.HOME]},
        {"protocol": "native", "base_url": "http://127.0.0.1:9000"},
        {"protocol": "hosted"},
        {"base_url": "http://127.0.0.1:9000"},
        {"token_prefixes": ["X"]},
        {"deposit_fen": 1},
        {"exposure_limit_fen": 1},
    ],
)
async def test_an_app_is_an_app_and_nothing_else(rig: Rig, changes: dict[str, object]) -> None:
    with pytest.raises(HubError) as problem:
        await rig.hub.parties.add_party(app(**changes), actor="test")
    assert problem.value.code == Code.RULE_VIOLATED


async def test_an_app_is_nobody_who_may_owe_or_be_owed(rig: Rig, key: SigningKey) -> None:
    async with rig.hub.database.reading() as unit:
        names = await everybody(unit)
    assert {A, B} <= names.keys()
    assert APP not in names
