"""The exchange without a network: what is sent, how often, and after which wait."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from operator_sdk import (
    BearerToken,
    Clock,
    ConnectionFailed,
    MalformedAnswer,
    OperatorCredentials,
    Patience,
    SignatureError,
    TooManyRequests,
    TransportError,
    new_key,
)
from operator_sdk.client import calls
from operator_sdk.client.answer import Answer, error_of
from operator_sdk.client.events import EventReader
from operator_sdk.client.exchange import Core, Flow, Learn, Pause, Renew, Send, exchange
from operator_sdk.client.keyring import KeyRing
from operator_sdk.client.request import Prepared
from operator_sdk.contract.messages.access import Jwk, JwkSet
from operator_sdk.contract.messages.common import ErrorBody
from operator_sdk.contract.messages.roaming import StopReply, StopRequest
from operator_sdk.contract.operations import HUB
from operator_sdk.contract.signing import sign_answer
from operator_sdk.errors import error_class

NOW = datetime(2026, 1, 2, tzinfo=UTC)
HUB_KEY = new_key("hub-1")
SESSION = "ses_01980000-0000-7000-8000-000000000001"
STOP = calls.stop_session(SESSION, StopRequest(stop_ref="s1"))
REPLY = msgspec.json.encode(StopReply(session_id=SESSION, state="stopping"))
Outcome = Callable[[Prepared], Answer] | TransportError


def core(patience: Patience | None = None) -> Core:
    made = Core(
        "http://hub",
        "http://hub",
        OperatorCredentials("MA5AAAAA1", new_key("a-1")),
        Clock(now=lambda: NOW),
        patience or Patience(roll=lambda below: below - 1),
    )
    published = [Jwk(kid="hub-1", x=HUB_KEY.public_b64url())]
    made.keys.replace(JwkSet(keys=published), 0)
    return made


def good(prepared: Prepared) -> Answer:
    signed = sign_answer(
        HUB_KEY,
        status=200,
        body=REPLY,
        request_signature=prepared.headers["signature"],
        created=int(NOW.timestamp()),
        nonce="n" * 22,
    )
    return Answer(200, signed.as_dict(), REPLY)


def unsigned(_: Prepared) -> Answer:
    return Answer(200, {}, REPLY)


def failing(status: int, code: str, retry_after: str | None = None) -> Outcome:
    body = msgspec.json.encode(ErrorBody(code=code, message="", request_id="r"))
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return lambda _: Answer(status, headers, body)


def play(flow: Flow[StopReply], outcomes: list[Outcome]) -> tuple[StopReply | None, list[Prepared], list[int]]:
    sent: list[Prepared] = []
    waits: list[int] = []
    result: object = None
    problem: TransportError | None = None
    while True:
        try:
            effect = flow.throw(problem) if problem else flow.send(result)
        except StopIteration as done:
            return done.value, sent, waits
        result, problem = None, None
        match effect:
            case Send(prepared):
                sent.append(prepared)
                outcome = outcomes[len(sent) - 1]
                if isinstance(outcome, TransportError):
                    problem = outcome
                else:
                    result = outcome(prepared)
            case Pause(ms):
                waits.append(ms)
            case Renew():
                result = "token"
            case Learn():
                result = None


def test_each_attempt_has_a_fresh_nonce_and_the_same_body_and_request_id() -> None:
    outcomes = [ConnectionFailed("x"), failing(503, "unavailable"), good]
    reply, sent, waits = play(exchange(core(), STOP), outcomes)
    assert reply == StopReply(session_id=SESSION, state="stopping")
    assert len({one.body for one in sent}) == len({one.headers["x-request-id"] for one in sent}) == 1
    assert len({one.headers["signature-input"] for one in sent}) == 3
    assert waits == [200, 400]
    assert sent[0].url == f"http://hub/v1/sessions/{SESSION}/stop"
    assert sent[0].headers["authorization"] == "Bearer token"


def test_the_servers_retry_after_comes_first() -> None:
    _, _, waits = play(exchange(core(), STOP), [failing(429, "too_many_requests", "3"), good])
    assert waits == [3000]


def test_a_wait_longer_than_patience_is_left_to_the_caller() -> None:
    with pytest.raises(TooManyRequests) as caught:
        play(exchange(core(), STOP), [failing(429, "too_many_requests", "3600")])
    assert caught.value.retry_after_s == 3600


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 500])
def test_what_is_decided_is_not_asked_again(status: int) -> None:
    with pytest.raises(error_class(status)):
        play(exchange(core(), STOP), [failing(status, "x")])


def test_a_good_answer_must_be_signed() -> None:
    with pytest.raises(SignatureError, match="signature_missing"):
        play(exchange(core(), STOP), [unsigned])


def test_an_answer_to_another_request_is_refused() -> None:
    earlier: list[Answer] = []

    def keep(prepared: Prepared) -> Answer:
        earlier.append(good(prepared))
        return failing(503, "unavailable")(prepared)  # type: ignore[operator]

    with pytest.raises(SignatureError, match="signature_invalid"):
        play(exchange(core(), STOP), [keep, lambda _: earlier[0]])


def test_an_answer_that_is_no_reply_is_malformed() -> None:
    call = calls.get_session(SESSION)
    anonymous = Core("http://hub", "http://hub", BearerToken("t"), Clock(now=lambda: NOW))
    for body in (b"", b"[]", b"\xff", b'{"session_id":1}'):
        flow = exchange(anonymous, call)
        sent = next(flow)
        assert isinstance(sent, Send)
        assert sent.prepared.headers["authorization"] == "Bearer t"
        with pytest.raises(MalformedAnswer):
            flow.send(Answer(200, {}, body))


def test_an_error_from_something_in_between_keeps_its_status() -> None:
    problem = error_of(Answer(502, {"retry-after": "soon"}, b"<html>"))
    assert problem is not None
    assert (problem.status, problem.code, problem.retry_after_s) == (502, "http_502", None)


def test_full_jitter_stays_within_its_bounds() -> None:
    asked: list[int] = []

    def lowest(below: int) -> int:
        asked.append(below)
        return 0

    patience = Patience(roll=lowest)
    assert patience.wait_ms(HUB["get_session"], ConnectionFailed("x"), 1) == 0
    assert patience.wait_ms(HUB["get_session"], ConnectionFailed("x"), 3) == 0
    assert asked == [201, 801]
    assert patience.wait_ms(HUB["get_session"], ConnectionFailed("x"), 4) is None
    assert patience.wait_ms(HUB["scan"], ConnectionFailed("x"), 1) is None


def test_keys_are_fetched_again_at_most_once_a_minute_and_those_taken_down_are_gone() -> None:
    ring = KeyRing()
    assert ring.may_fetch(0)
    ring.replace(JwkSet(keys=[Jwk(kid="a", x=HUB_KEY.public_b64url())]), 100)
    assert ring.find("a") is not None
    assert not ring.may_fetch(159)
    assert ring.may_fetch(160)
    ring.replace(JwkSet(keys=[]), 160)
    assert ring.find("a") is None


def test_events_may_be_cut_anywhere() -> None:
    event = (
        b': here\r\n\r\nid: 7\r\ndata: {"session_id":"' + SESSION.encode() + b'","number":7,'
        b'"at":"2026-01-02T00:00:00Z","state":"ended","energy_wh":1,"amount_fen":2,"power_w":0,'
        b'"percent":null,"seconds_left":null,"new_field":1}\r\n\r\nevent: ping\ndata: {}\n\n'
    )
    for cut in range(len(event)):
        reader = EventReader(Patience())
        read = [*reader.feed(event[:cut]), *reader.feed(event[cut:])]
        assert [one.number for one in read] == [7]
        assert reader.last_event_id == "7"
        assert reader.finished


def test_a_stream_is_over_when_the_hub_says_so() -> None:
    reader = EventReader(Patience(), after=7)
    assert list(reader.feed(b": still here\n\nevent: end\ndata: {}\n\n")) == []
    assert reader.finished


def test_a_stream_that_brings_nothing_is_given_up() -> None:
    reader = EventReader(Patience(attempts=2, roll=lambda _: 5), after=3)
    assert reader.last_event_id == "3"
    assert reader.broke(None) == 5
    with pytest.raises(ConnectionFailed):
        reader.broke(None)
    with pytest.raises(MalformedAnswer):
        list(reader.feed(b"x" * 70_000))
