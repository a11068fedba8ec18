"""OperatorApp against FakeHub over real sockets: who is let in, and what is answered."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from operator_sdk import (
    BadRequest,
    Call,
    Clock,
    InterpileError,
    NotFound,
    OperatorApp,
    Refuse,
    ServerFailed,
    SignatureError,
    Unauthenticated,
    Unprocessable,
    new_key,
)
from operator_sdk.client.answer import Answer
from operator_sdk.client.request import Call as Request
from operator_sdk.client.request import Signing, build, encode_body
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.messages.roaming import (
    HostSession,
    HostStartReply,
    ReleaseReply,
    ReleaseRequest,
    StopReply,
    StopRequest,
)
from operator_sdk.contract.operations import OPERATOR
from operator_sdk.contract.public_codes import Code
from operator_sdk.guard import NonceMemory, admit
from operator_sdk.testing import FakeHub, served

PARTY = "MA5AAAAA1"
KEY = new_key("a-1")
SESSION = "ses_01980000-0000-7000-8000-000000000001"
AUTHORIZATION = "aut_01980000-0000-7000-8000-000000000001"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STOP = StopRequest(stop_ref="s1")
OF_SESSION = {"session_id": SESSION}


@dataclass
class Network:
    hub: FakeHub
    app: OperatorApp
    url: str
    time: list[datetime]


@pytest.fixture
def network() -> Iterator[Network]:
    time = [NOW]
    clock = Clock(now=lambda: time[0])
    hub = FakeHub(clock=clock)
    apps: list[OperatorApp] = []

    def make(url: str) -> OperatorApp:
        app = OperatorApp(party_id=PARTY, key=KEY, hub_url=hub.url, public_url=url, clock=clock)
        apps.append(app)
        return app

    with served(hub.at), served(make) as url:
        hub.add_party(PARTY, KEY, base_url=url)
        yield Network(hub, apps[0], url, time)


def answers_stop(app: OperatorApp) -> list[StopRequest]:
    taken: list[StopRequest] = []

    @app.stop
    async def stop(message: StopRequest, call: Call) -> StopReply:
        taken.append(message)
        return StopReply(session_id=call.session_id, state="ended")

    return taken


async def send(network: Network, nonce: str = "n" * 22, **spoil: object) -> Answer:
    """A stop signed by the hub, spoilt on the way."""
    request = Request(OPERATOR["stop"], StopReply, STOP, OF_SESSION)
    prepared = build(
        request,
        encode_body(request),
        base_url=network.url,
        request_id="r1",
        signing=Signing(network.hub.key, int(NOW.timestamp()), nonce),
    )
    return await network.hub.send(replace(prepared, **spoil))  # type: ignore[arg-type]


async def test_a_function_is_given_the_message_and_its_answer_is_signed(network: Network) -> None:
    taken = answers_stop(network.app)
    answer = await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)
    assert answer == StopReply(session_id=SESSION, state="ended")
    assert taken == [STOP]


async def test_a_request_of_no_body_and_no_signed_answer_works(network: Network) -> None:
    @network.app.query_session
    async def query(_: Empty, call: Call) -> HostSession:
        return HostSession(known=call.session_id == SESSION)

    assert (await network.hub.call(PARTY, "query_session", path=OF_SESSION)).known


async def test_a_request_seen_before_is_refused(network: Network) -> None:
    taken = answers_stop(network.app)
    assert (await send(network)).status == 200
    again = await send(network)
    assert again.status == 401
    assert b'"replayed"' in again.body
    assert len(taken) == 1


async def test_an_unsigned_a_spoilt_and_a_stale_request_are_refused(network: Network) -> None:
    taken = answers_stop(network.app)
    assert b"signature_missing" in (await send(network, headers={})).body
    assert b"signature_invalid" in (await send(network, body=b'{"stop_ref":"s2"}')).body
    elsewhere = f"{network.url}/v1/sessions/{SESSION}x/stop"
    assert b"signature_invalid" in (await send(network, url=elsewhere)).body
    network.time[0] += timedelta(seconds=301)
    assert b"signature_stale" in (await send(network)).body
    assert taken == []


async def test_a_key_the_hub_does_not_publish_is_refused(network: Network) -> None:
    answers_stop(network.app)
    network.hub.key, published = new_key("hub-9"), network.hub.key
    await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)  # fetched: hub-9 is published
    network.hub.key = published
    with pytest.raises(Unauthenticated):
        await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)
    network.time[0] += timedelta(seconds=61)
    await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)


async def test_what_is_not_offered_is_not_found(network: Network) -> None:
    with pytest.raises(NotFound) as caught:
        await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)
    assert caught.value.request_id.startswith("hub-")


async def test_a_refusal_is_an_error_body_with_its_own_status(network: Network) -> None:
    @network.app.stop
    async def stop(_message: StopRequest, _call: Call) -> StopReply:
        raise Refuse(Code.RULE_VIOLATED, "not today")

    with pytest.raises(Unprocessable) as caught:
        await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)
    assert (caught.value.code, caught.value.message) == ("rule_violated", "not today")


async def test_an_unexpected_failure_is_logged_by_kind_and_place_only(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    @network.app.stop
    async def stop(message: StopRequest, _call: Call) -> StopReply:
        raise KeyError(message.stop_ref)

    secret = StopRequest(stop_ref="6222000011112222")
    with caplog.at_level(logging.ERROR), pytest.raises(ServerFailed) as caught:
        await network.hub.call(PARTY, "stop", secret, path=OF_SESSION)
    assert caught.value.code == Code.INTERNAL
    assert caught.value.request_id in caplog.text
    assert "KeyError" in caplog.text
    assert "6222" not in caplog.text


async def test_a_wrong_reply_is_an_internal_error(network: Network) -> None:
    @network.app.on("stop")
    async def stop(_message: StopRequest, _call: Call) -> HostStartReply:
        return HostStartReply(accepted=True)

    with pytest.raises(ServerFailed):
        await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)


async def test_a_body_that_says_another_id_than_the_path_is_malformed(network: Network) -> None:
    @network.app.release_authorization
    async def release(message: ReleaseRequest, _call: Call) -> ReleaseReply:
        raise AssertionError(message)

    other = AUTHORIZATION.replace("aut_01", "aut_02")
    with pytest.raises(BadRequest):
        await network.hub.call(
            PARTY,
            "release_authorization",
            ReleaseRequest(authorization_id=AUTHORIZATION, reason="x"),
            path={"authorization_id": other},
        )


async def test_a_body_larger_than_allowed_is_not_read(network: Network) -> None:
    answer = await send(network, body=b" " * (OPERATOR["stop"].max_body + 1))
    assert answer.status == 413


async def test_an_answer_signed_by_another_key_is_not_believed(network: Network) -> None:
    answers_stop(network.app)
    network.hub.add_party(PARTY, new_key("a-1"), base_url=network.url)
    with pytest.raises(SignatureError):
        await network.hub.call(PARTY, "stop", STOP, path=OF_SESSION)


async def test_while_the_hubs_keys_cannot_be_had_the_answer_is_unavailable() -> None:
    hub = FakeHub()
    apps = []

    def make(url: str) -> OperatorApp:
        gone = "http://127.0.0.1:9"
        apps.append(OperatorApp(party_id=PARTY, key=KEY, hub_url=gone, public_url=url))
        return apps[0]

    with served(make) as url:
        hub.add_party(PARTY, KEY, base_url=url)
        with pytest.raises(ServerFailed) as caught:
            await hub.call(PARTY, "stop", STOP, path=OF_SESSION)
    assert caught.value.code == Code.UNAVAILABLE
    assert caught.value.retry_after_s == 1


async def test_health_is_told_to_anyone_and_other_paths_are_errors_of_the_same_form(
    network: Network,
) -> None:
    async def get(path: str, method: str = "GET") -> Answer:
        request = Request(OPERATOR["query_session"], HostSession, None, OF_SESSION)
        prepared = build(request, b"", base_url=network.url, request_id="r1")
        return await network.hub.send(replace(prepared, url=network.url + path, method=method))

    health, nowhere, wrong = await asyncio.gather(
        get("/healthz"), get("/v1/nothing"), get("/v1/sessions", "DELETE")
    )
    assert (health.status, nowhere.status, wrong.status) == (200, 404, 405)
    assert b'"not_found"' in nowhere.body
    assert b'"method_not_allowed"' in wrong.body


def test_every_operation_has_an_attribute_of_its_own() -> None:
    app = OperatorApp(party_id=PARTY, key=KEY, hub_url="http://hub", public_url="http://here")
    assert all(callable(getattr(app, operation_id)) for operation_id in OPERATOR)
    with pytest.raises(ValueError, match="does not ask"):
        app.on("dance")
    answers_stop(app)
    with pytest.raises(ValueError, match="already"):
        answers_stop(app)


def test_nonces_are_forgotten_once_their_window_has_passed() -> None:
    from operator_sdk.contract.signing import Claims

    memory = NonceMemory(most=2)

    def claims(nonce: str) -> Claims:
        return Claims("", "", 0, nonce, "hub-1", b"")

    memory.take(claims("a"), 0)
    memory.take(claims("b"), 600)
    with pytest.raises(Refuse, match="replayed"):
        memory.take(claims("a"), 600)
    with pytest.raises(Refuse, match="too_many_requests"):
        memory.take(claims("c"), 600)
    memory.take(claims("c"), 601)
    assert len(memory) == 2


def test_an_unknown_key_admits_nobody() -> None:
    from operator_sdk.contract.signing import Claims

    with pytest.raises(Refuse, match="signature_invalid"):
        admit(
            Claims("", "", 0, "n", "k", b""),
            None,
            method="GET",
            target_uri="",
            body=b"",
            digest_header=None,
            now_s=0,
        )
    assert issubclass(SignatureError, InterpileError)
