"""The clients against a hub that signs and verifies, over real sockets."""

import asyncio
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules

import httpx
import pytest

from operator_sdk import (
    AsyncHubClient,
    BearerToken,
    Conflict,
    ConnectionFailed,
    HubClient,
    NotFound,
    OperatorCredentials,
    Patience,
    ServerFailed,
    SignatureError,
    TimedOut,
    Unauthenticated,
    Unprocessable,
    new_key,
)
from operator_sdk.contract.codes import SessionState, TokenKind
from operator_sdk.contract.messages.common import Token
from operator_sdk.contract.messages.directory import ConnectorStatus, StatusPush
from operator_sdk.contract.messages.roaming import (
    AuthorizeRequest,
    ScanRequest,
    SessionUpdate,
    StopRequest,
)
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.public_codes import Code
from operator_sdk.testing import FakeHub, served

PARTY = "MA5AAAAA1"
SESSION = "ses_01980000-0000-7000-8000-000000000001"
KEY = new_key("a-1")
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
AUTHORIZE = AuthorizeRequest(
    authorization_ref="a1", token=Token(kind=TokenKind.CARD, ref="B2001"), connector_id="C1"
)
AT_ONCE = Patience(roll=lambda _: 0)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    hub = FakeHub()
    hub.add_party(PARTY, KEY)
    with served(hub.at):
        yield hub


@pytest.fixture
def client(hub: FakeHub) -> Iterator[HubClient]:
    with HubClient(hub.url, OperatorCredentials(PARTY, KEY), patience=AT_ONCE) as client:
        yield client


def update(number: int, state: SessionState = SessionState.CHARGING) -> SessionUpdate:
    return SessionUpdate(
        number=number,
        at=AT + timedelta(seconds=number),
        state=state,
        meter_wh=1000 + number,
        energy_wh=number,
        amount_fen=number,
        power_w=7000,
    )


def test_a_signed_message_is_taken_and_its_answer_verified(hub: FakeHub, client: HubClient) -> None:
    answer = client.authorize(AUTHORIZE)
    assert answer.authorization_ref == "a1"
    assert answer.state == "granted"
    assert hub.received("authorize") == [AUTHORIZE]


async def test_the_async_client_says_the_same(hub: FakeHub) -> None:
    async with AsyncHubClient(hub.url, OperatorCredentials(PARTY, KEY)) as client:
        answers = await asyncio.gather(*(client.authorize(AUTHORIZE) for _ in range(5)))
    assert len({answer.authorization_id for answer in answers}) == 1
    assert len(hub.received("authorize")) == 1


def test_both_clients_have_the_same_methods() -> None:
    def surface(client: type) -> dict[str, list[str]]:
        return {
            name.replace("aclose", "close"): list(inspect.signature(function).parameters)
            for name, function in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }

    assert surface(HubClient) == surface(AsyncHubClient)


def test_every_typed_method_is_an_operation_with_its_own_messages() -> None:
    from operator_sdk import client

    modules = [
        import_module(f"{client.__name__}.{one.name}")
        for one in iter_modules(client.__path__)
        if one.name.startswith("calls")
    ]
    assert len(modules) > 6
    functions = {
        name: function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert len(functions) > 40
    for name, function in functions.items():
        signature = inspect.signature(function)
        if name.endswith("_paper"):
            # The same operation, answered with the paper itself.
            assert signature.return_annotation.__args__ == (bytes,)
            assert name.removesuffix("_paper") in HUB
            continue
        assert signature.return_annotation.__args__ == (HUB[name].reply,)
        if "message" in signature.parameters:
            assert signature.parameters["message"].annotation is HUB[name].request


def test_a_lost_answer_is_asked_for_again_and_the_work_done_once(hub: FakeHub, client: HubClient) -> None:
    hub.fail("authorize", times=3, after=True)
    assert client.authorize(AUTHORIZE).state == "granted"
    assert len(hub.received("authorize")) == 1


def test_after_four_attempts_the_last_problem_is_raised(hub: FakeHub, client: HubClient) -> None:
    hub.fail("authorize", times=4)
    with pytest.raises(ServerFailed) as caught:
        client.authorize(AUTHORIZE)
    assert caught.value.code == Code.UNAVAILABLE
    assert caught.value.request_id.startswith("req-")
    assert hub.received("authorize") == []


def test_in_progress_is_waited_for_and_other_conflicts_are_not(hub: FakeHub, client: HubClient) -> None:
    hub.fail("authorize", times=1, code=Code.IN_PROGRESS)
    assert client.authorize(AUTHORIZE).state == "granted"
    hub.fail("stop_session", times=1, code=Code.STATE_CONFLICT)
    with pytest.raises(Conflict):
        client.stop_session(SESSION, StopRequest(stop_ref="s1"))


def test_the_same_id_with_another_body_is_refused(hub: FakeHub, client: HubClient) -> None:
    client.push_session(SESSION, update(1))
    client.push_session(SESSION, update(1))
    with pytest.raises(Unprocessable) as caught:
        client.push_session(SESSION, update(1, SessionState.PAUSED))
    assert caught.value.code == Code.ID_REUSED


def test_a_token_the_hub_no_longer_takes_is_renewed_once(hub: FakeHub, client: HubClient) -> None:
    client.authorize(AUTHORIZE)
    hub.revoke_tokens()
    assert client.push_session(SESSION, update(1)).number == 1
    hub.fail("push_session", times=2, code=Code.TOKEN_INVALID)
    with pytest.raises(Unauthenticated):
        client.push_session(SESSION, update(2))


def test_a_stranger_gets_no_token(hub: FakeHub) -> None:
    stranger = OperatorCredentials(PARTY, new_key("a-1"))
    with HubClient(hub.url, stranger) as client, pytest.raises(Unauthenticated) as caught:
        client.authorize(AUTHORIZE)
    assert caught.value.code == Code.SIGN_IN_FAILED


def test_an_answer_by_a_key_the_hub_does_not_publish_is_refused(hub: FakeHub, client: HubClient) -> None:
    client.authorize(AUTHORIZE)
    hub.key = new_key("hub-2")
    with pytest.raises(SignatureError):
        client.authorize(AUTHORIZE)


def test_updates_stream_over_many_connections_without_gaps(hub: FakeHub, client: HubClient) -> None:
    for number in (1, 2):
        client.push_session(SESSION, update(number))
    events = client.session_events(SESSION)
    assert [next(events).number, next(events).number] == [1, 2]
    for number in (3, 4):
        client.push_session(SESSION, update(number))
    client.push_session(SESSION, update(5, SessionState.ENDED))
    assert [event.number for event in events] == [3, 4, 5]


async def test_the_async_stream_goes_on_after_a_number(hub: FakeHub, client: HubClient) -> None:
    for number in (1, 2):
        client.push_session(SESSION, update(number))
    client.push_session(SESSION, update(3, SessionState.START_FAILED))
    async with AsyncHubClient(hub.url, OperatorCredentials(PARTY, KEY)) as other:
        numbers = [event.number async for event in other.session_events(SESSION, after=1)]
    assert numbers == [2, 3]


def test_any_operation_can_be_called_by_its_id(hub: FakeHub, client: HubClient) -> None:
    status = ConnectorStatus(connector_id="C1", state="available", at=AT)  # type: ignore[arg-type]
    assert client.call("push_status", StatusPush(statuses=[status])).written == 1
    with pytest.raises(NotFound):
        client.call("get_session", path={"session_id": SESSION})
    with pytest.raises(ValueError, match="no operation"):
        client.call("dance")
    with pytest.raises(ValueError, match="path parameter"):
        client.call("get_session")
    with pytest.raises(TypeError, match="needs a AuthorizeRequest"):
        client.call("authorize")


def test_a_bearer_cannot_send_what_must_be_signed(hub: FakeHub) -> None:
    with HubClient(hub.url, BearerToken("x")) as client, pytest.raises(TypeError, match="signed"):
        client.authorize(AUTHORIZE)


def test_silence_and_a_closed_door_are_told_apart() -> None:
    tried = []

    def silent(request: httpx.Request) -> httpx.Response:
        tried.append(request)
        raise httpx.ReadTimeout("silent", request=request)

    def closed(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("closed", request=request)

    for behaviour, error in ((silent, TimedOut), (closed, ConnectionFailed)):
        transport = httpx.MockTransport(behaviour)
        client = HubClient("http://hub", BearerToken("t"), transport=transport, patience=AT_ONCE)
        with client, pytest.raises(error):
            client.get_session(SESSION)
    assert len(tried) == 4
    assert len({request.headers["x-request-id"] for request in tried}) == 1


def test_what_has_no_id_is_not_said_twice() -> None:
    tried = []

    def silent(request: httpx.Request) -> httpx.Response:
        tried.append(request)
        raise httpx.ReadTimeout("silent", request=request)

    with (
        HubClient("http://hub", BearerToken("t"), transport=httpx.MockTransport(silent)) as hub,
        pytest.raises(TimedOut),
    ):
        hub.scan(ScanRequest(code="C1.MA5AAAAA1"))
    assert len(tried) == 1
