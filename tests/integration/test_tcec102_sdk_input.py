"""Whatever arrives at the SDK's T/CEC 102 server is answered with the right Ret, and never with a 5xx."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from operator_sdk.clock import Clock
from operator_sdk.contract.tcec102.golden import GOLDEN
from operator_sdk.contract.tcec102.interfaces import INTERFACES
from operator_sdk.contract.tcec102.profile import Profile, read_profile
from operator_sdk.contract.tcec102.values import format_stamp
from operator_sdk.contract.tcec102.wire import Ret, WireProblem, open_answer, seal_request
from operator_sdk.contract.tcec102.writing import write
from operator_sdk.tcec102 import Tcec102Server
from tests.integration.test_tcec102_sdk import CALLED, CALLER, PAIR, Golden
from tests.tcec_partner import Pair

PROFILE, SECRETS = read_profile(PAIR.sim_profile("http://127.0.0.1:9"))
KEYS = SECRETS.ours[0].keys
CALLERS_PROFILE, _ = read_profile(PAIR.hub_profile("http://127.0.0.1:9"))
CLOCK = Clock()
NAMES = sorted(INTERFACES)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Line:
    """A server, called in this process."""

    def __init__(self, handlers: Any, profile: Profile = PROFILE) -> None:
        partner = (profile, SECRETS)
        self.server = Tcec102Server(
            [partner], operator_id=CALLED, clock=CLOCK, infrastructure=handlers, customer=handlers
        )
        self.token = self.server.tokens.issue(CALLER, CLOCK.wall(), life_s=600, reuse=True).token
        self.seq = 0

    def envelope(self, plain: bytes, **other: Any) -> bytes:
        """A good envelope; every one is another."""
        self.seq += 1
        stamp = other.pop("stamp", format_stamp(CLOCK.wall(), "Asia/Shanghai"))
        keys, operator_id = other.pop("keys", KEYS), other.pop("operator_id", CALLER)
        return seal_request(keys, operator_id, plain, stamp=stamp, seq=f"{self.seq:04}")

    async def call(self, name: str, body: bytes, **other: Any) -> tuple[int, int]:
        """HTTP status and Ret; an answer to somebody known must be signed."""
        status, answer = await self.exchange(name, body, **other)
        parsed = json.loads(answer)
        if parsed["Sig"]:
            opened = open_answer(answer, [KEYS], CALLERS_PROFILE)
            assert opened.ret == parsed["Ret"]
        return status, parsed["Ret"]

    async def exchange(self, name: str, body: bytes, **other: Any) -> tuple[int, bytes]:
        """HTTP status and body."""
        token = other.get("token", self.token)
        path = f"{other.get('prefix', '/evcs/v1')}/{name}"
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": other.get("method", "POST"),
            "path": path,
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {token}".encode())],
            "client": other.get("client", ("127.0.0.1", 1)),
        }
        parts = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(parts, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        await self.server(scope, receive, send)
        return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])


@pytest.fixture(scope="module")
def line() -> Line:
    return Line(Golden())


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    with asyncio.Runner() as runner:
        yield lambda work: runner.run(_awaited(work))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


@pytest.mark.property
@QUICK
@given(name=st.sampled_from(NAMES), body=st.binary(max_size=300))
def test_arbitrary_bytes_are_no_envelope(line: Line, run: Any, name: str, body: bytes) -> None:
    assert run(line.call(name, body)) == (200, Ret.ENVELOPE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["OperatorID", "Data", "TimeStamp", "Seq", "Sig"]


@pytest.mark.property
@QUICK
@given(name=st.sampled_from(NAMES), field=st.sampled_from(FIELDS), value=JSON)
def test_a_spoilt_envelope_is_never_taken(line: Line, run: Any, name: str, field: str, value: Any) -> None:
    envelope = json.loads(line.envelope(write(GOLDEN[name][0], PROFILE)))
    envelope[field] = value
    status, ret = run(line.call(name, json.dumps(envelope).encode()))
    assert status == 200
    assert ret in {Ret.ENVELOPE, Ret.SIGNATURE}


@pytest.mark.property
@QUICK
@given(name=st.sampled_from(NAMES), plain=st.binary(max_size=200))
def test_signed_bytes_that_are_no_message_are_named_so(line: Line, run: Any, name: str, plain: bytes) -> None:
    assume(not plain.lstrip().startswith(b"{"))
    status, ret = run(line.call(name, line.envelope(plain)))
    assert status == 200
    assert ret in {Ret.ENVELOPE, Ret.BUSINESS}


@pytest.mark.property
@QUICK
@given(name=st.sampled_from(NAMES), data=st.data())
def test_messages_with_any_field_changed_are_read_or_refused(
    line: Line, run: Any, name: str, data: st.DataObject
) -> None:
    message = json.loads(write(GOLDEN[name][0], PROFILE))
    field = data.draw(st.sampled_from(sorted(message)))
    message[field] = data.draw(JSON)
    status, ret = run(line.call(name, line.envelope(json.dumps(message).encode())))
    assert status == 200
    assert ret in {Ret.OK, Ret.BUSINESS}


@pytest.mark.parametrize("name", NAMES)
async def test_a_required_field_that_is_missing_is_named(name: str) -> None:
    line = Line(Golden())
    plain = write(GOLDEN[name][0], PROFILE)
    assert await line.call(name, line.envelope(plain)) in {(200, Ret.OK)}
    if name != "query_stations_info":  # which has none
        assert await line.call(name, line.envelope(b"{}")) == (200, Ret.BUSINESS)


STOP = write(GOLDEN["query_stop_charge"][0], PROFILE)


async def test_each_kind_of_wrong_call_has_its_ret() -> None:
    golden = Golden()
    line = Line(golden)
    wrong = Pair(CALLED, CALLER).mirrored()
    _, other = read_profile(wrong.sim_profile("http://127.0.0.1:9"))
    good = line.envelope(STOP)
    calls: list[tuple[int, dict[str, Any]]] = [
        (Ret.SIGNATURE, {"body": line.envelope(STOP, keys=other.ours[0].keys)}),
        (Ret.ENVELOPE, {"body": line.envelope(STOP, operator_id="MA5NOBODY")}),
        (Ret.ENVELOPE, {"body": line.envelope(STOP, stamp="20200101000000")}),
        (Ret.ENVELOPE, {"body": good, "prefix": "/evcs/v2"}),
        (Ret.ENVELOPE, {"body": b"{" + b" " * 2_000_001}),
        (Ret.TOKEN, {"body": line.envelope(STOP), "token": "no"}),
        (Ret.TOKEN, {"body": line.envelope(STOP), "token": ""}),
    ]
    for ret, call in calls:
        body = call.pop("body")
        assert await line.call("query_stop_charge", body, **call) == (200, ret), call
    assert golden.asked == []
    assert (await line.exchange("query_everything", good))[0] == 404
    assert (await line.exchange("query_stop_charge", good, method="GET"))[0] == 405


async def test_only_admitted_addresses_may_call() -> None:
    head = PAIR.sim_profile("http://127.0.0.1:9", more='[network]\naddresses = ["10.1.0.0/16", "::1"]')
    line = Line(Golden(), read_profile(head)[0])
    for address, ret in (("10.1.2.3", 0), ("::1", 0), ("10.2.0.1", Ret.ENVELOPE), ("unix", Ret.ENVELOPE)):
        body = line.envelope(STOP)
        assert await line.call("query_stop_charge", body, client=(address, 1)) == (200, ret), address


async def test_an_envelope_that_comes_again_gets_its_answer_and_is_done_once() -> None:
    golden = Golden()
    line = Line(golden)
    body = line.envelope(STOP)
    answers = await asyncio.gather(*(line.exchange("query_stop_charge", body) for _ in range(4)))
    answers.append(await line.exchange("query_stop_charge", body))
    assert len(set(answers)) == 1
    assert len(golden.asked) == 1


async def test_a_captured_envelope_is_refused_at_every_other_interface() -> None:
    golden = Golden()
    line = Line(golden)
    body = line.envelope(STOP)
    await line.call("query_stop_charge", body)
    for name in NAMES:
        if name not in {"query_stop_charge", "query_stations_info"}:
            assert (await line.call(name, body))[1] in {Ret.ENVELOPE, Ret.BUSINESS}, name
    fresh = line.envelope(STOP)
    assert await line.call("query_equip_charge_status", fresh) == (200, Ret.BUSINESS)
    assert [name for name, _ in golden.asked] == ["query_stop_charge"]


PLATE = "沪A12345"


class Broken:
    """An operator's own bugs."""

    async def query_stop_charge(self, message: Any, caller: Any) -> Any:
        raise RuntimeError(PLATE)

    async def query_start_charge(self, message: Any, caller: Any) -> Any:
        return None

    async def query_equip_auth(self, message: Any, caller: Any) -> Any:
        raise WireProblem(Ret.BUSY, "at night we sleep", "asleep")


async def test_what_a_handler_raises_becomes_a_ret_and_its_words_stay_inside(caplog: Any) -> None:
    line = Line(Broken())
    for name, ret in (
        ("query_stop_charge", Ret.ERROR),
        ("query_start_charge", Ret.ERROR),
        ("query_equip_auth", Ret.BUSY),
        ("query_station_stats", Ret.BUSINESS),
    ):
        assert await line.call(name, line.envelope(write(GOLDEN[name][0], PROFILE))) == (200, ret)
    assert PLATE not in caplog.text
    assert "RuntimeError" in caplog.text


async def test_an_undecided_answer_is_not_kept() -> None:
    """Busy now, done later: the same bytes may be sent again."""
    handlers, golden = Broken(), Golden()
    line = Line(handlers)
    body = line.envelope(write(GOLDEN["query_equip_auth"][0], PROFILE))
    assert await line.call("query_equip_auth", body) == (200, Ret.BUSY)
    handlers.query_equip_auth = golden.query_equip_auth  # type: ignore[method-assign]
    assert await line.call("query_equip_auth", body) == (200, Ret.OK)


async def test_a_no_that_may_become_a_yes_is_judged_anew_and_the_yes_is_kept() -> None:
    class Plugged(Golden):
        calls = 0

        async def query_equip_auth(self, message: Any, caller: Any) -> Any:
            self.calls += 1
            return msgspec.structs.replace(GOLDEN["query_equip_auth"][1], succ_stat=int(self.calls == 1))

    plugged = Plugged()
    line = Line(plugged)
    body = line.envelope(write(GOLDEN["query_equip_auth"][0], PROFILE))
    answers = [await line.exchange("query_equip_auth", body) for _ in range(3)]
    opened = [open_answer(answer, [KEYS], CALLERS_PROFILE).plain or b"" for _, answer in answers]
    assert [msgspec.json.decode(plain)["SuccStat"] for plain in opened] == [1, 0, 0]
    assert plugged.calls == 2


async def test_one_envelope_is_never_worked_on_twice_at_a_time() -> None:
    class Tired(Golden):
        running = most = calls = 0

        async def query_equip_auth(self, message: Any, caller: Any) -> Any:
            self.calls += 1
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0.01)
            self.running -= 1
            if self.calls < 3:
                raise WireProblem(Ret.BUSY, "not yet", "busy")
            return GOLDEN["query_equip_auth"][1]

    tired = Tired()
    line = Line(tired)
    body = line.envelope(write(GOLDEN["query_equip_auth"][0], PROFILE))
    said = await asyncio.gather(*(line.call("query_equip_auth", body) for _ in range(5)))
    assert sorted(ret for _, ret in said) == [-1, -1, 0, 0, 0]
    assert (tired.most, tired.calls) == (1, 3)


async def test_more_calls_at_once_than_agreed_are_put_off() -> None:
    class Slow(Golden):
        async def query_equip_auth(self, message: Any, caller: Any) -> Any:
            await asyncio.sleep(0.05)
            return GOLDEN["query_equip_auth"][1]

    text = PAIR.sim_profile("http://127.0.0.1:9", more="[limits]\nconcurrent = 2")
    line = Line(Slow(), read_profile(text)[0])
    plain = write(GOLDEN["query_equip_auth"][0], PROFILE)
    said = await asyncio.gather(*(line.call("query_equip_auth", line.envelope(plain)) for _ in range(5)))
    assert sorted(ret for _, ret in said) == [-1, -1, -1, 0, 0]


async def test_two_partners_are_told_apart_by_their_operator_ids() -> None:
    golden = Golden()
    line = Line(golden)
    second = Pair(
        CALLED, "MA5SECOND", hub_keys=PAIR.hub_keys, sim_keys={**PAIR.sim_keys, "sig_secret": "x" * 16}
    )
    profile, secrets = read_profile(second.sim_profile("http://127.0.0.1:9", head='serve_prefix = "/evcs/v2"'))
    line.server.put_partner(profile, secrets)
    token = line.server.tokens.issue("MA5SECOND", CLOCK.wall(), life_s=60, reuse=True).token
    keys = secrets.ours[0].keys
    body = line.envelope(STOP, operator_id="MA5SECOND", keys=keys)
    status, answer = await line.exchange("query_stop_charge", body, prefix="/evcs/v2", token=token)
    assert (status, open_answer(answer, [keys], profile).ret) == (200, 0)
    stolen = line.envelope(STOP, operator_id="MA5SECOND", keys=keys)
    status, answer = await line.exchange("query_stop_charge", stolen, prefix="/evcs/v2")
    assert open_answer(answer, [keys], profile).ret == Ret.TOKEN, (
        "the first partner's token is not the second's"
    )
