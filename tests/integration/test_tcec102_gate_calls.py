"""Calls to partners that speak T/CEC 102: tokens, key sets, second tries, and what an answer comes to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.core.outbound import Outbound, OutboundAnswer, OutboundError
from hub.parties.link import LinkError, LinkRefused
from hub.protocols.tcec102.caller import PartnerCaller, UnreadAnswer
from hub.protocols.tcec102.tables import put_held
from hub.protocols.tcec102.tokens import HeldTokens
from operator_sdk.contract.tcec102 import messages
from operator_sdk.contract.tcec102.keys import KeySet
from operator_sdk.contract.tcec102.profile import read_profile
from operator_sdk.contract.tcec102.wire import Ret, WireProblem, open_request, read_envelope, seal_answer
from tests.tcec102_gate import HOST, World, keys_named, open_world, profile_text
from tests.tcec_tls import certificate, served_with_tls

pytestmark = pytest.mark.integration

AUTH = messages.QueryEquipAuth(equip_auth_seq="MA5HUB000" + "1" * 18, connector_id="A1")
GOOD = {"EquipAuthSeq": AUTH.equip_auth_seq, "ConnectorID": "A1", "SuccStat": 0, "FailReason": 0}


@dataclass
class Platform(Outbound):
    """A partner's platform, in the place of the network."""

    keys: KeySet
    text: str
    answers: list[Any] = field(default_factory=list)
    """What it says to the next calls: a Ret, an exception, bytes, or None to answer well."""
    good: Any = field(default_factory=lambda: GOOD)
    life: int = 7200
    gives_tokens: bool = True
    kills_old: bool = False
    """Whether only the newest token is good."""
    tokens: int = 0
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    delay_s: float = 0.0
    pinned: list[frozenset[str]] = field(default_factory=list)

    async def call_pinned(
        self, url: str, pins: frozenset[str], *, headers: Any, body: bytes, timeout_s: int
    ) -> OutboundAnswer:
        self.pinned.append(pins)
        return await self.call("POST", url, headers=headers, body=body, timeout_s=timeout_s)

    async def call(self, method: str, url: str, *, headers: Any, body: bytes, timeout_s: int) -> OutboundAnswer:
        profile, _ = read_profile(self.text)
        interface = url.rpartition("/")[2]
        self.arrived.append(interface)
        await asyncio.sleep(self.delay_s)
        envelope = read_envelope(body)
        try:
            opened = open_request(envelope, [self.keys], profile)
        except WireProblem:
            self.calls.append((interface, "", None))
            return OutboundAnswer(200, {}, seal_answer(self.keys, Ret.SIGNATURE, "", None, profile))
        said = msgspec.json.decode(opened.plain)
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        self.calls.append((interface, bearer, said))
        if interface == "query_token":
            self.tokens += 1
            reply: Any = {
                "OperatorID": envelope.operator_id,
                "SuccStat": 0 if self.gives_tokens else 1,
                "AccessToken": f"token-{self.tokens}" if self.gives_tokens else "",
                "TokenAvailableTime": self.life,
                "FailReason": 0 if self.gives_tokens else 2,
            }
            return OutboundAnswer(200, {}, self.sealed(Ret.OK, reply))
        answer = self.answers.pop(0) if self.answers else None
        if self.kills_old and bearer != f"token-{self.tokens}":
            answer = Ret.TOKEN
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, bytes):
            return OutboundAnswer(200, {}, answer)
        if answer is not None:
            return OutboundAnswer(200, {}, self.sealed(answer, None))
        return OutboundAnswer(200, {}, self.sealed(Ret.OK, self.good))

    def sealed(self, ret: int, reply: Any) -> bytes:
        profile, _ = read_profile(self.text)
        plain = None if reply is None else msgspec.json.encode(reply)
        return seal_answer(self.keys, ret, "", plain, profile)

    @property
    def asked(self) -> list[str]:
        return [interface for interface, _, _ in self.calls]


@dataclass
class Line:
    """The hub's side of it."""

    world: World
    platform: Platform
    caller: PartnerCaller

    async def call(self, **how: Any) -> Any:
        return await self.caller.call(HOST, "query_equip_auth", AUTH, **how)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


async def lines(world: World, count: int = 1, **profile: Any) -> list[Line]:
    """So many processes of the hub, and one partner."""
    text = profile_text(**profile)
    await world.hub.tcec102.profiles.add(text, "test")
    platform = Platform(keys_named("theirs", "t1"), text)
    made = []
    for _ in range(count):
        tools, clock = world.hub.tcec102, world.hub.clock
        held = HeldTokens(world.hub.database, clock, tools.held._seal)
        caller = PartnerCaller(platform, clock, profiles=tools.profiles, held=held, tolerance=tools.tolerance)
        made.append(Line(world, platform, caller))
    return made


async def test_a_token_is_asked_for_once_however_many_need_it(world: World) -> None:
    one, two = await lines(world, 2)
    replies = await asyncio.gather(*(one.call() for _ in range(5)))
    assert [reply.succ_stat for reply in replies] == [0] * 5
    await two.call()
    assert one.platform.asked.count("query_token") == 1
    assert {bearer for name, bearer, _ in one.platform.calls if name != "query_token"} == {"token-1"}


async def test_a_partner_that_gives_no_token_is_asked_once_for_all_who_wait(world: World) -> None:
    (line,) = await lines(world)
    line.platform.gives_tokens, line.platform.delay_s = False, 0.05
    tried = await asyncio.gather(*(line.call() for _ in range(5)), return_exceptions=True)
    assert {str(problem) for problem in tried} == {"query_token: FailReason 2"}
    assert not any(problem.sent for problem in tried if isinstance(problem, LinkError))
    assert line.platform.asked == ["query_token"]


async def test_what_is_said_is_written_to_the_profile(world: World) -> None:
    (line,) = await lines(world, rest='[spelling]\ncase = "lower_camel"')
    await line.call()
    said = line.platform.calls[-1][2]
    assert said == {"equipAuthSeq": AUTH.equip_auth_seq, "connectorID": "A1"}


async def test_a_refused_token_is_replaced_once_and_the_call_repeated(world: World) -> None:
    (line,) = await lines(world)
    line.platform.answers = [Ret.TOKEN]
    assert (await line.call()).succ_stat == 0
    assert line.platform.asked == ["query_token", "query_equip_auth", "query_token", "query_equip_auth"]


async def test_a_refused_token_is_replaced_although_the_partner_signs_no_errors(world: World) -> None:
    (line,) = await lines(world)
    line.platform.answers = [b'{"Ret":4002,"Msg":"expired","Data":"","Sig":""}']
    assert (await line.call()).succ_stat == 0
    assert line.platform.asked.count("query_token") == 2
    line.platform.answers = [b'{"Ret":4004,"Msg":"no","Data":"","Sig":""}']
    with pytest.raises(LinkError, match="unsigned") as refused:
        await line.call()
    assert type(refused.value) is LinkError


async def test_a_token_refused_again_ends_it(world: World) -> None:
    (line,) = await lines(world)
    line.platform.answers = [Ret.TOKEN, Ret.TOKEN]
    with pytest.raises(LinkError, match="token refused"):
        await line.call()
    assert line.platform.asked.count("query_token") == 2


async def test_a_token_that_another_process_replaced_is_taken_from_it(world: World) -> None:
    one, two = await lines(world, 2)
    await one.call()
    await two.call()
    one.platform.answers = [Ret.TOKEN]
    await one.call()
    one.platform.answers = [Ret.TOKEN]
    await two.call()
    assert one.platform.asked.count("query_token") == 2


async def test_processes_that_need_a_token_at_once_ask_once_where_a_new_one_kills_the_old(world: World) -> None:
    one, two = await lines(world, 2)
    platform = one.platform
    platform.kills_old, platform.delay_s = True, 0.02
    await asyncio.gather(one.call(), two.call())
    assert platform.asked.count("query_token") == 1
    platform.tokens += 1  # it forgot its tokens
    await asyncio.gather(one.call(), two.call())
    assert platform.asked.count("query_token") == 2


async def test_a_process_that_died_while_it_asked_for_a_token_holds_up_the_others_for_seconds(
    world: World,
) -> None:
    (line,) = await lines(world)
    now = world.hub.clock.wall()

    async def asked_for_since(at: datetime) -> None:
        async with world.hub.database.unit() as unit:
            await put_held(unit, party_id=HOST, token=b"", refresh_at=at, fetched_at=at)

    await asked_for_since(now)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await line.call()
    assert line.platform.arrived == []
    await asked_for_since(now - timedelta(seconds=21))
    assert (await line.call()).succ_stat == 0


async def test_who_got_no_token_does_not_hold_up_the_others(world: World) -> None:
    one, two = await lines(world, 2)
    one.platform.gives_tokens = False
    with pytest.raises(LinkError, match="FailReason 2"):
        await one.call()
    one.platform.gives_tokens = True
    async with asyncio.timeout(5):
        assert (await two.call()).succ_stat == 0


async def test_a_token_is_replaced_shortly_before_its_end(world: World) -> None:
    (line,) = await lines(world)
    line.platform.life = 1
    await line.call()
    await asyncio.sleep(1.01)
    await line.call()
    assert line.platform.asked.count("query_token") == 2


async def test_an_answer_that_cannot_be_read_is_handed_on_as_it_came(world: World) -> None:
    (line,) = await lines(world)
    line.platform.good = {"ConnectorID": "C1", "SuccStat": 0}
    with pytest.raises(UnreadAnswer, match="answer: field") as unread:
        await line.call()
    assert unread.value.msg.startswith("EquipAuthSeq: ")
    assert msgspec.json.decode(unread.value.plain) == line.platform.good


@pytest.mark.parametrize(
    ("answer", "kind", "sent"),
    [
        (Ret.BUSY, LinkError, True),
        (Ret.ERROR, LinkError, True),
        (Ret.SIGNATURE, LinkError, True),
        (Ret.ENVELOPE, LinkRefused, True),
        (Ret.BUSINESS, LinkRefused, True),
        (4099, LinkError, True),
        (b"<html>", LinkError, True),
        (b'{"Ret":0,"Msg":"","Data":"","Sig":""}', LinkError, True),
        (OutboundError("unreachable", sent=False), LinkError, False),
        (OutboundError("TimeoutError", sent=True), LinkError, True),
    ],
    ids=str,
)
async def test_what_is_no_good_answer_becomes_an_error_of_the_port(
    world: World, answer: Any, kind: type[LinkError], sent: bool
) -> None:
    (line,) = await lines(world)
    line.platform.answers = [answer, answer]
    with pytest.raises(LinkError) as refused:
        await line.call()
    assert type(refused.value) is kind
    assert refused.value.sent is sent


NASTY = (b"", b"[]", b"null", b'{"SuccStat":[]}', b'{"SuccStat":1e400}', b"\xff\xfe", b"[" * 5_000, b"{}")


async def test_an_answer_that_cannot_be_read_is_an_error_of_the_port_whatever_it_is(world: World) -> None:
    (line,) = await lines(world)
    profile, _ = read_profile(line.platform.text)
    sealed = [seal_answer(line.platform.keys, Ret.OK, "", plain, profile) for plain in NASTY]
    for answer in (*NASTY, *sealed):
        line.platform.answers = [answer]
        with pytest.raises(LinkError):
            await line.call()


async def test_a_code_of_the_partners_own_that_means_done_is_as_good_as_an_answer(world: World) -> None:
    (line,) = await lines(world, rest="[ret.theirs]\n4015 = 0")
    line.platform.answers = [4015]
    reply = await line.call()
    assert (reply.succ_stat, reply.connector_id) == (0, "A1")


async def test_an_answer_without_a_signature_is_taken_only_where_the_profile_allows_it(world: World) -> None:
    (line,) = await lines(world)
    answer = msgspec.json.decode(line.platform.sealed(Ret.OK, GOOD))
    line.platform.answers = [msgspec.json.encode({**answer, "Sig": ""})]
    with pytest.raises(LinkError, match="unsigned"):
        await line.call()
    lax = profile_text(rest='[signature]\nanswers = "if_present"')
    await world.hub.tcec102.profiles.replace(HOST, lax, "test")
    line.platform.answers = [msgspec.json.encode({**answer, "Sig": ""})]
    assert (await line.call()).succ_stat == 0


async def test_the_newest_key_set_is_used_and_the_one_before_where_the_partner_is_not_ready(
    world: World,
) -> None:
    (line,) = await lines(world)
    await line.call()
    both = profile_text(theirs=("t1", "t2"))
    dated = both.replace('id = "t2"', 'id = "t2"\nsince = 2026-01-01T00:00:00Z')
    await world.hub.tcec102.profiles.replace(HOST, dated, "test")
    assert (await line.call()).succ_stat == 0
    line.platform.keys = keys_named("theirs", "t2")
    assert (await line.call()).succ_stat == 0
    assert line.platform.asked.count("query_token") == 1


async def test_one_that_is_too_slow_is_given_up_and_costs_nobody_the_token(world: World) -> None:
    (line,) = await lines(world)
    line.platform.delay_s = 1.2
    with pytest.raises(LinkError, match="too slow") as slow:
        await line.call(timeout_s=1)
    assert not slow.value.sent
    await asyncio.sleep(0.4)
    line.platform.delay_s = 0
    assert (await line.call()).succ_stat == 0
    assert line.platform.arrived == ["query_token", "query_equip_auth"]


async def test_a_partner_without_a_profile_is_not_called(world: World) -> None:
    (line,) = await lines(world)
    with pytest.raises(LinkError, match="no profile") as unknown:
        await line.caller.call("MA5NOBODY", "query_equip_auth", AUTH)
    assert not unknown.value.sent


async def test_no_pair_of_time_stamp_and_seq_is_used_twice(world: World) -> None:
    (line,) = await lines(world)
    profile = (await world.hub.tcec102.profiles.of(HOST)).profile
    pairs = [line.caller._stamps.next(HOST, profile) for _ in range(300)]
    assert len(set(pairs)) == 300
    assert all(len(stamp) == 14 and len(seq) == 4 for stamp, seq in pairs)
    assert pairs[0][1] == "0001"


async def test_a_pinned_certificate_stands_for_any_signature_and_another_one_is_not_spoken_to(
    tmp_path: Path,
) -> None:
    async def answer(request: Request) -> Response:
        heard.append(await request.body())
        return Response(b"{}")

    heard: list[bytes] = []
    pin, app = certificate(tmp_path), Starlette(routes=[Route("/x", answer, methods=["POST"])])
    async with served_with_tls(app, tmp_path) as url, Outbound(private=True) as outbound:

        async def post(*pins: str, to: str = url) -> OutboundAnswer:
            return await outbound.call_pinned(f"{to}/x", frozenset(pins), headers={}, body=b"said", timeout_s=3)

        assert (await post("00" * 32, pin)).body == b"{}"
        for refused in (post("00" * 32), post(pin, to=url.replace("https", "http"))):
            with pytest.raises(OutboundError, match="not pinned") as problem:
                await refused
            assert not problem.value.sent
        with pytest.raises(OutboundError):
            await outbound.call("POST", f"{url}/x", headers={}, body=b"said", timeout_s=3)
    assert heard == [b"said"]


async def test_the_pins_of_a_profile_are_the_calls(world: World) -> None:
    (line,) = await lines(world, rest=f'[network]\nserver_certificate_sha256 = ["{"ab" * 32}"]')
    await line.call()
    assert line.platform.pinned == [frozenset({"ab" * 32})] * 2
