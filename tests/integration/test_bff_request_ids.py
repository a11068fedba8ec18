"""The id of a phone's request is on every leg of it: service, hub, home and host; in logs and error bodies."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Receive, Scope, Send

from operator_sdk import ApiError, HubClient, OperatorCredentials
from operator_sdk.client.patience import Patience
from tests.bff_rig import Bff, Phone, open_bff
from tests.integration.test_bff_charging import SCAN, START
from tests.rig import B, Rig, open_rig
from tests.rig_charges import CONNECTOR, charge_of
from tests.rig_partners import Platform, operation_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
FAULTS = "{ faults { edges { cursor } } }"
FOLLOW = "subscription($id: ID!) { chargingProgress(sessionId: $id) { number } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[Rig]:
    async with open_rig("sqlite") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bff(rig: Rig) -> AsyncIterator[Bff]:
    async with open_bff(rig.url, rate_per_s=1_000) as opened:
        yield opened


@pytest.fixture
def phone(rig: Rig, bff: Bff) -> Phone:
    """The phone of B's driver."""
    return bff.phone(rig.token(B, "u-1"))


class Heard:
    """The ids of what a platform is asked, by operation."""

    def __init__(self, platform: Platform) -> None:
        self.ids: dict[str, str] = {}
        self._app: ASGIApp = platform.moody._app
        platform.moody._app = self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        operation = operation_of(scope["method"], scope["path"])
        self.ids[operation] = headers[b"x-request-id"].decode()
        await self._app(scope, receive, send)


@pytest.fixture
def bodies(bff: Bff) -> list[Any]:
    """What the hub answers the service, from now on: (request id in the header, body)."""
    heard: list[Any] = []

    async def note(answer: httpx.Response) -> None:
        heard.append((answer.headers["x-request-id"], json.loads(await answer.aread())))

    client = app_client(bff)._http
    client.event_hooks = {"request": [], "response": [note]}
    return heard


def app_client(bff: Bff) -> Any:
    """The service's client of the hub."""
    return bff.services.backend._client


async def test_home_and_host_hear_the_phones_own_id(rig: Rig, phone: Phone) -> None:
    home, host = Heard(rig.b), Heard(rig.a)
    code = {"query": SCAN, "variables": {"code": CONNECTOR}}
    scan = (await phone.post(code, **{"x-request-id": "phone-1"})).json()["data"]["scan"]
    given = {"query": START, "variables": {"input": {"scanId": scan["scanId"], "idempotencyKey": "k-1"}}}
    answer = await phone.post(given, **{"x-request-id": "phone-2.a"})
    assert answer.headers["x-request-id"] == "phone-2.a"
    assert (home.ids["authorize"], host.ids["start"]) == ("phone-2.a", "phone-2.a")
    charge = await charge_of(rig, answer.json()["data"]["start"]["id"])
    await charge.whole()


async def test_a_refusal_of_the_hub_and_what_the_phone_is_told_have_one_id(
    phone: Phone, bodies: list[Any]
) -> None:
    document = '{ chargingSession(id: "ses_x") { id } chargeRecords(after: "0~nonsense") { edges { cursor } } }'
    answer = await phone.post({"query": document}, **{"x-request-id": "phone-3"})
    (told,) = answer.json()["errors"]
    assert (told["extensions"]["code"], told["extensions"]["requestId"]) == ("malformed", "phone-3")
    refused = {body["code"]: (body["request_id"], name) for name, body in bodies}
    assert refused == {"not_found": ("phone-3", "phone-3"), "malformed": ("phone-3", "phone-3")}


async def test_a_fault_of_the_hubs_is_found_in_its_log_by_the_id_that_the_phone_shows(
    rig: Rig, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(rig.hub.upkeep.faults, "mine", broken)
    answer = await phone.post({"query": FAULTS}, **{"x-request-id": "phone-4"})
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["requestId"]) == ("unavailable", "phone-4")
    lines = [json.loads(line) for line in rig.logs.lines]
    assert "phone-4" in {one["request_id"] for one in lines if one["message"].startswith("unhandled")}


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", "semi;colon", "<script>"])
async def test_an_id_that_could_not_go_into_a_log_is_replaced_by_one_that_all_share(
    phone: Phone, bodies: list[Any], given: str
) -> None:
    answer = await phone.post({"query": FAULTS}, **{"x-request-id": given})
    made = answer.headers["x-request-id"]
    assert made.startswith("req-")
    assert [name for name, _ in bodies] == [made]


async def test_those_who_ask_at_once_keep_their_own_ids(phone: Phone, bodies: list[Any]) -> None:
    names = [f"phone-9.{number}" for number in range(20)]
    answers = await asyncio.gather(*(phone.post({"query": FAULTS}, **{"x-request-id": name}) for name in names))
    assert [answer.headers["x-request-id"] for answer in answers] == names
    assert sorted(name for name, _ in bodies) == sorted(names)


async def test_a_socket_has_the_id_of_its_handshake(rig: Rig, phone: Phone, bff: Bff) -> None:
    asked: list[str] = []

    async def note(request: httpx.Request) -> None:
        asked.append(request.headers["x-request-id"])

    client = app_client(bff)
    for one in (client._http, client._streams):
        one.event_hooks = {"request": [note], "response": []}
    scan = (await phone.data(SCAN, code=CONNECTOR))["scan"]
    given = {"scanId": scan["scanId"], "idempotencyKey": "k-2"}
    charge = await charge_of(rig, (await phone.data(START, input=given))["start"]["id"])
    await charge.runs(0)
    asked.clear()
    async with phone.bare_socket(additional_headers={"x-request-id": "phone-8"}) as socket:
        await socket.say(type="connection_init", payload=phone.headers)
        assert (await socket.hear())["type"] == "connection_ack"
        await socket.subscribe("1", FOLLOW, id=charge.session_id)
        assert (await socket.hear())["type"] == "next"
    assert set(asked) == {"phone-8"}
    assert len(asked) == 2, "the charge is looked at, and its stream opened"
    await charge.ends(2)
    await charge.bill()
    await rig.work()


async def test_an_operators_client_carries_the_id_it_is_given_and_no_other(rig: Rig) -> None:
    carrying = rig.client(B).carrying("order-77")
    with pytest.raises(ApiError) as refused:
        await carrying.get_session("ses_x")
    assert refused.value.request_id == "order-77"

    def ask_in_a_thread() -> str:
        credentials = OperatorCredentials(B, rig.b.key)
        with HubClient(rig.url, credentials, patience=Patience(attempts=1)) as hub:
            with pytest.raises(ApiError) as problem:
                hub.carrying("order-78").get_session("ses_x")
            return problem.value.request_id

    assert await asyncio.to_thread(ask_in_a_thread) == "order-78"
    for wrong in ("", "a b", "x" * 65, "line\nbreak"):
        with pytest.raises(ValueError, match="a request id is 1 to 64"):
            rig.client(B).carrying(wrong)
